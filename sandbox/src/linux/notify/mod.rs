//! The supervisor: answers what the system call filter of a running server asks (seccomp_unotify(2)).

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::{Backend, Doors, Gatekeeper, Observe, Supervisor, UnixRule};

/// What a supervisor is given.
#[derive(Debug)]
pub(crate) struct Post {
    /// Where the filter asks.
    pub(crate) listener: OwnedFd,
    /// Who carries the jail.
    pub(crate) backend: Backend,
    /// Ports on which the server may listen, if its network is brokered.
    pub(crate) doors: Option<Doors>,
    /// Unix sockets that it may connect to.
    pub(crate) unix: Vec<UnixRule>,
    /// What is told.
    pub(crate) observe: Observe,
}

/// Starts the thread.
pub(crate) fn start(post: Post, gatekeeper: Arc<dyn Gatekeeper>) -> io::Result<Supervisor> {
    let thread = std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
        // TODO(notify)
        drop((post, gatekeeper));
    })?;
    Ok(Supervisor { thread })
}
