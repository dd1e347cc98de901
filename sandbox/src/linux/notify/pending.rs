//! Calls that wait for something.
//!
//! A blocking connect must not block the supervisor, for which other threads wait. So the socket is made non-blocking for
//! the time of the call, and finished when it is writable. A thread for each such call would do without that, but has to
//! be started, costs more than the whole call, and is no safer: whether a call blocks is up to a flag that the program
//! shares with us and can clear at any moment, on every thread. A program that does that stops its own supervisor, and
//! with it the calls of its own tree, until the kernel gives the connection up; the end of the tree needs neither.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::address;
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
    let result = not_waiting(&socket, waits, || match connect_once(&socket, &to) {
        // On the loopback it is there at once, which is found out by asking again.
        Err(UNDER_WAY) if waits == Waits::Yes => match connect_once(&socket, &to) {
            Err(IS_THERE) => Ok(()),
            other => other,
        },
        other => other,
    });
    let goal = match result {
        Err(UNDER_WAY | ALREADY) if waits == Waits::Yes => Goal::Connection(to),
        Err(NO_ROOM) if waits == Waits::Yes && address::family(&to.address) == Some(libc::AF_UNIX) => {
            Goal::Room { to, again: Instant::now() + FIRST_PAUSE, pause: FIRST_PAUSE }
        }
        other => return other.map(|()| Outcome::Reply(Reply::Value(0))),
    };
    let until = sys::timeout(socket.as_fd(), libc::SO_SNDTIMEO)?.map(|time| Instant::now() + time);
    Ok(Outcome::Wait(Pending { notification: *notification, socket, goal, until }))
}

const UNDER_WAY: Trouble = Trouble::Errno(libc::EINPROGRESS);
const ALREADY: Trouble = Trouble::Errno(libc::EALREADY);
const NO_ROOM: Trouble = Trouble::Errno(libc::EAGAIN);
/// A connection that was made by TCP_FASTOPEN_CONNECT, or that another thread has asked after.
const IS_THERE: Trouble = Trouble::Errno(libc::EISCONN);

fn waits(socket: &OwnedFd) -> Result<Waits, Trouble> {
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    Ok(if flags.contains(OFlag::O_NONBLOCK) { Waits::No } else { Waits::Yes })
}

/// Something that doesn't wait, whatever the socket's own way.
fn not_waiting(
    socket: &OwnedFd,
    own_way: Waits,
    act: impl FnOnce() -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    if own_way == Waits::No {
        return act();
    }
    sys::set_waits(socket, Waits::No)?;
    let result = act();
    sys::set_waits(socket, Waits::Yes)?;
    result
}

fn connect_once(socket: &OwnedFd, to: &Destination) -> Result<(), Trouble> {
    Ok(sys::connect(socket.as_fd(), &to.address)?)
}

/// Whether a connection that was under way is there, or has failed.
fn is_settled(socket: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
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

    /// What to wait for; nothing, on any other descriptor, where there is no event.
    pub(super) fn poll_fd<'a>(&'a self, other: BorrowedFd<'a>) -> PollFd<'a> {
        match self.goal {
            Goal::Connection(_) => PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT),
            Goal::Datagram(..) => PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            // Its own would always be ready: an unconnected Unix socket is hung up.
            Goal::Room { .. } => PollFd::new(other, PollFlags::empty()),
        }
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
            Goal::Connection(_) if !is_settled(&self.socket) => Advance::Wait,
            Goal::Connection(to) => match retry(&self.socket, to) {
                Ok(()) | Err(IS_THERE) => Advance::Done(Reply::Value(0)),
                Err(UNDER_WAY | ALREADY) => Advance::Wait,
                Err(other) => return Err(other),
            },
            Goal::Room { to, again, pause } => match retry(&self.socket, to) {
                Err(NO_ROOM) => {
                    *pause = (*pause * 2).min(LONGEST_PAUSE);
                    *again = now + *pause;
                    Advance::Wait
                }
                other => other.map(|()| Advance::Done(Reply::Value(0)))?,
            },
            Goal::Datagram(call, datagram) if is_ready => {
                let received = receive::take(target, &self.notification, &self.socket, call, *datagram);
                match received {
                    Err(NO_ROOM) => Advance::Wait,
                    other => Advance::Done(other?),
                }
            }
            Goal::Datagram(..) => Advance::Wait,
        };
        let is_late = self.until.is_some_and(|until| until <= now);
        match (advance, &self.goal) {
            // What connect(2) says when its time is over.
            (Advance::Wait, Goal::Connection(_)) if is_late => Err(UNDER_WAY),
            (Advance::Wait, _) if is_late => Err(NO_ROOM),
            (advance, _) => Ok(advance),
        }
    }
}

/// The call is made once more: that it is which makes the kernel take a connection for finished, and give the socket
/// back when it failed. If another thread has taken the failure away before, a new connection is made, to the address
/// that was decided about.
fn retry(socket: &OwnedFd, to: &Destination) -> Result<(), Trouble> {
    not_waiting(socket, Waits::Yes, || connect_once(socket, to))
}
