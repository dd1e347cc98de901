//! The supervisor: answers what the system call filter of a running server asks (seccomp_unotify(2)).
//!
//! It never decides about something that the program can still change: it copies the address, takes the open file itself
//! out of the process, decides about these two, and makes the call on them itself.

mod address;
mod asked;
mod bound;
mod callers;
mod connect;
mod datagram;
mod desk;
mod faces;
mod listen;
mod memory;
mod observe;
mod own;
mod pending;
mod receive;
mod reply;
#[expect(
    unsafe_code,
    reason = "the ioctls of seccomp, pidfds and raw socket addresses have no safe form; each is wrapped there"
)]
mod sys;
mod target;
mod told;
mod unix;

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
    /// How it waits.
    pub(crate) waiting: Waiting,
}

/// How the next call is waited for when there is nothing else to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// By receiving it: one system call less for each. Only where that ends when nobody is left who could ask.
    Received,
    /// By poll(2), which always ends then.
    Polled,
}

/// Starts the thread.
///
/// A panic in it, the gatekeeper's included, closes the listener: every call that asks then fails with ENOSYS.
pub(crate) fn start(post: Post, gatekeeper: Arc<dyn Gatekeeper>) -> io::Result<Supervisor> {
    let thread = std::thread::Builder::new().name("supervisor".to_owned());
    let thread = thread.spawn(move || desk::run(post, gatekeeper))?;
    Ok(Supervisor { thread })
}
