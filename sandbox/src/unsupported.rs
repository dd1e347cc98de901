//! Systems for which there is no fence yet: an honest refusal, never an unfenced start.

use std::io;

use crate::{BackendChoice, Command, HostReport, Jailed, Ruleset, SpawnError};
use crate::{BorrowedFd, KeeperMessage};

/// Refuses.
///
/// # Errors
/// Always.
pub fn probe(_choice: BackendChoice) -> Result<HostReport, SpawnError> {
    Err(refusal())
}

/// Refuses.
///
/// # Errors
/// Always.
pub fn spawn(_command: &Command, _ruleset: &Ruleset) -> Result<Jailed, SpawnError> {
    Err(refusal())
}

/// Does nothing here.
pub fn limit_retained_memory() {}

/// There are no sessions here, which the compiler can see.
#[derive(Debug)]
pub(crate) enum Session {}

impl Session {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match *self {}
    }

    pub(crate) fn keeper_pid(&self) -> i32 {
        match *self {}
    }

    pub(crate) fn receive(&self) -> io::Result<Option<KeeperMessage>> {
        match *self {}
    }

    pub(crate) fn terminate(&self) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        match *self {}
    }
}

fn refusal() -> SpawnError {
    SpawnError::NotEnforceable {
        guarantee: "files",
        why: format!("there is no jail for {} yet", std::env::consts::OS),
        remedy: "run it on Linux, or in a Linux virtual machine".to_owned(),
    }
}
