//! Why a jail could not be built or a program not started in it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why nothing was started. Nothing is left behind when one of these is returned.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// A guarantee that the profile requires cannot be had on this host.
    #[error("this host cannot enforce {guarantee}: {why}")]
    NotEnforceable {
        /// `files`, `network`, `process tree`.
        guarantee: &'static str,
        /// Why, with kernel version or setting.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The executable does not exist (exit code 127).
    #[error("no such program: {}", program.display())]
    NotFound {
        /// As asked for.
        program: PathBuf,
    },
    /// The executable cannot be executed (exit code 126).
    #[error("cannot execute {}", program.display())]
    NotExecutable {
        /// As asked for.
        program: PathBuf,
        /// execve(2)'s error.
        #[source]
        source: io::Error,
    },
    /// A step of building the jail failed.
    #[error("{step} failed")]
    Step {
        /// `landlock_restrict_self`, `clone`, `mount /proc` …
        step: &'static str,
        /// The call's error.
        #[source]
        source: io::Error,
    },
    /// `spawn` was called with threads running: the keeper must be forked from a single-threaded process.
    #[error("the jail must be started before any thread ({threads} are running)")]
    Threaded {
        /// How many threads there are.
        threads: usize,
    },
}
