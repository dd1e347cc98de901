//! What one trial is told and what it tells, between two processes of ours.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::cli::BackendArg;
use crate::trials::{Played, Row};

/// What is to be tried.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Order {
    /// The server.
    pub(super) row: Row,
    /// Its profile.
    pub(super) profile: String,
    /// `--backend`
    pub(super) backend: String,
    /// For everything that the trial makes.
    pub(super) dir: PathBuf,
    /// `XDG_STATE_HOME` of the trials.
    pub(super) state: PathBuf,
    /// How long an answer may take.
    pub(super) patience_secs: u64,
}

/// What came of it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Tried {
    /// The server as it is.
    pub(super) bare: Played,
    /// The server under Stockade; not tried if it doesn't work bare.
    pub(super) contained: Option<Played>,
    /// What a program in the same jail got of what no profile gives away.
    pub(super) canaries: Canaries,
}

/// How the canaries fared.
#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(super) enum Canaries {
    /// The program bare got all of them, in the jail these.
    Got(BTreeSet<String>),
    /// The program could not be started, or got too little bare for this to mean anything.
    NotTried(String),
}

/// A backend as it is typed.
pub(super) fn word(backend: BackendArg) -> String {
    backend.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
