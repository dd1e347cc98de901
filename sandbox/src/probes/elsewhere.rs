//! Systems without a jail: nothing to prove, which is said and not passed over.

use std::ffi::OsString;

use super::{Claims, Options, ProbeFacts, Proof, ProveError};

/// Refuses.
///
/// # Errors
/// Always.
pub fn prove(_options: &Options) -> Result<Proof, ProveError> {
    Err(ProveError::NoJail)
}

/// No part is played here: the exit code of a wrong command line.
#[must_use]
pub fn play(_words: &[OsString]) -> u8 {
    64
}

/// There are no probes for this system.
#[must_use]
pub fn table() -> Vec<ProbeFacts> {
    Vec::new()
}

/// Nothing is claimed here.
#[must_use]
pub fn claims() -> Vec<Claims> {
    Vec::new()
}
