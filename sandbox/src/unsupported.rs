//! Systems for which there is no fence yet: an honest refusal, never an unfenced start.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{
    BackendChoice, BorrowedFd, Command, Gatekeeper, HostReport, InwardFamily, Jailed, KeeperMessage,
    Knowledge, OwnedFd, Ruleset, SpawnError,
};

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
pub fn spawn(
    _command: &Command,
    _ruleset: &Ruleset,
    _gatekeeper: Arc<dyn Gatekeeper>,
) -> Result<Jailed, SpawnError> {
    Err(refusal())
}

/// Refuses.
///
/// # Errors
/// Always.
pub fn spawn_knowing(
    _command: &Command,
    _ruleset: &Ruleset,
    _gatekeeper: Arc<dyn Gatekeeper>,
    _known: &Knowledge,
) -> Result<Jailed, SpawnError> {
    Err(refusal())
}

/// There are no sessions here.
pub(crate) fn inward_socket(_init: &OwnedFd, _family: InwardFamily) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Refuses.
///
/// # Errors
/// Always.
pub fn in_enclosed_network(
    _shown: &[(PathBuf, PathBuf)],
    _inside: impl FnOnce() -> u8,
) -> Result<u8, SpawnError> {
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
