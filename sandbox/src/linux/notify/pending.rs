//! Calls that wait for something.
//!
//! A blocking connect must not block the supervisor, for which other threads wait. So the socket is made non-blocking for
//! the time of the call, and finished when it is writable. A thread for each such call would do without that, but has to
//! be started, costs more than the whole call, and is no safer: whether a call blocks is up to a flag that the program
//! shares with us and can clear at any moment, on every thread. A program that does that stops its own supervisor, and
//! with it the calls of its own tree, until the kernel gives the connection up; the end of the tree needs neither.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::asked::{Notification, Receive};
use super::desk::Outcome;
use super::faces::Datagram;
use super::receive;
use super::reply::Reply;
use super::sys::{self, Waits};
use super::target::{Target, Trouble};

/// One call that waits.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) notification: Notification,
    socket: OwnedFd,
    goal: Goal,
    /// SO_SNDTIMEO or SO_RCVTIMEO
    until: Option<Instant>,
}

/// Where a connect leads.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) address: Vec<u8>,
    /// The file that the address names, open as long as it is needed.
    pub(super) _file: Option<OwnedFd>,
}

impl From<Vec<u8>> for Destination {
    fn from(address: Vec<u8>) -> Self {
        Self { address, _file: None }
    }
}

/// What it waits for.
#[derive(Debug)]
enum Goal {
    /// A connection to this address.
    Connection(Destination),
    /// Room in the queue of a listening Unix socket, for which there is no event: it is tried again at this time, and
    /// then after a longer pause.
    Room { to: Destination, again: Instant, pause: Duration },
    /// A datagram.
    Datagram(Receive, Datagram),
}

/// How far it has come.
#[derive(Debug)]
pub(super) enum Advance {
    Wait,
    Done(Reply),
}

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Connects `socket` as the program would have done with it.
pub(super) fn connect(
    notification: &Notification,
    socket: OwnedFd,
    to: Destination,
) -> Result<Outcome, Trouble> {
    let waits = waits(&socket)?;
    let result = attempt(&socket, &to.address, waits);
    let done = |result: Result<(), Trouble>| result.map(|()| Outcome::Reply(Reply::Value(0)));
    if waits == Waits::No {
        return done(result);
    }
    let goal = match result {
        Err(Trouble::Errno(libc::EINPROGRESS | libc::EALREADY)) => Goal::Connection(to),
        Err(Trouble::Errno(libc::EAGAIN)) => {
            Goal::Room { to, again: Instant::now() + FIRST_PAUSE, pause: FIRST_PAUSE }
        }
        other => return done(other),
    };
    let until = sys::timeout(socket.as_fd(), libc::SO_SNDTIMEO)?.map(|time| Instant::now() + time);
    let pending = Pending { notification: *notification, socket, goal, until };
    // On the loopback it is there already.
    match pending.connected()? {
        Advance::Done(reply) => Ok(Outcome::Reply(reply)),
        Advance::Wait => Ok(Outcome::Wait(pending)),
    }
}

fn waits(socket: &OwnedFd) -> Result<Waits, Trouble> {
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    Ok(if flags.contains(OFlag::O_NONBLOCK) { Waits::No } else { Waits::Yes })
}

/// One connect that doesn't wait, whatever the socket's own way.
fn attempt(socket: &OwnedFd, address: &[u8], own_way: Waits) -> Result<(), Trouble> {
    if own_way == Waits::No {
        return Ok(sys::connect(socket.as_fd(), address)?);
    }
    sys::set_waits(socket, Waits::No)?;
    let result = sys::connect(socket.as_fd(), address);
    sys::set_waits(socket, Waits::Yes)?;
    Ok(result?)
}

impl Pending {
    /// A receive that found nothing.
    pub(super) fn receive(
        notification: &Notification,
        socket: OwnedFd,
        call: Receive,
        datagram: Datagram,
    ) -> Result<Self, Trouble> {
        let until = sys::timeout(socket.as_fd(), libc::SO_RCVTIMEO)?.map(|time| Instant::now() + time);
        Ok(Self { notification: *notification, socket, goal: Goal::Datagram(call, datagram), until })
    }

    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        let events = match self.goal {
            Goal::Connection(_) => PollFlags::POLLOUT,
            Goal::Room { .. } => return PollFd::new(self.socket.as_fd(), PollFlags::empty()),
            Goal::Datagram(..) => PollFlags::POLLIN,
        };
        PollFd::new(self.socket.as_fd(), events)
    }

    /// When something has to be done even without an event.
    pub(super) fn due(&self) -> Option<Instant> {
        let again = match self.goal {
            Goal::Room { again, .. } => Some(again),
            Goal::Connection(_) | Goal::Datagram(..) => None,
        };
        [again, self.until].into_iter().flatten().min()
    }

    /// With an event, or at its time.
    pub(super) fn advance(
        &mut self,
        target: &Target<'_>,
        is_ready: bool,
        now: Instant,
    ) -> Result<Advance, Trouble> {
        let advance = match &mut self.goal {
            Goal::Connection(_) => self.connected()?,
            Goal::Room { to, again, pause } => match attempt(&self.socket, &to.address, Waits::Yes) {
                Err(Trouble::Errno(libc::EAGAIN)) => {
                    *pause = (*pause * 2).min(LONGEST_PAUSE);
                    *again = now + *pause;
                    Advance::Wait
                }
                other => other.map(|()| Advance::Done(Reply::Value(0)))?,
            },
            Goal::Datagram(call, datagram) if is_ready => {
                let received = receive::take(target, &self.notification, &self.socket, call, *datagram);
                match received {
                    Err(Trouble::Errno(libc::EAGAIN)) => Advance::Wait,
                    other => Advance::Done(other?),
                }
            }
            Goal::Datagram(..) => Advance::Wait,
        };
        let is_late = self.until.is_some_and(|until| until <= now);
        match (advance, &self.goal) {
            // What connect(2) says when its time is over.
            (Advance::Wait, Goal::Connection(_)) if is_late => Err(Trouble::Errno(libc::EINPROGRESS)),
            (Advance::Wait, _) if is_late => Err(Trouble::Errno(libc::EAGAIN)),
            (advance, _) => Ok(advance),
        }
    }

    /// Looks whether a connection is there. The call is made once more: that it is which makes the kernel take it for
    /// finished, and give the socket back when it failed. If another thread has taken the failure away before, a new
    /// connection is made, to the address that was decided about.
    fn connected(&self) -> Result<Advance, Trouble> {
        let Goal::Connection(to) = &self.goal else { return Ok(Advance::Wait) };
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut fds, PollTimeout::ZERO)? == 0 {
            return Ok(Advance::Wait);
        }
        match attempt(&self.socket, &to.address, Waits::Yes) {
            // A connection that was made by TCP_FASTOPEN_CONNECT, or that another thread has asked after.
            Ok(()) | Err(Trouble::Errno(libc::EISCONN)) => Ok(Advance::Done(Reply::Value(0))),
            Err(Trouble::Errno(libc::EINPROGRESS | libc::EALREADY)) => Ok(Advance::Wait),
            Err(other) => Err(other),
        }
    }
}
