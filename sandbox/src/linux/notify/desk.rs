//! The supervisor's thread: one call after the other, none of which it waits for.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::SigSet;

use super::asked::{Asked, Notification};
use super::bound::Bound;
use super::callers::Callers;
use super::faces::Faces;
use super::observe::Untold;
use super::own::Own;
use super::pending::{Advance, Pending};
use super::reply::{self, Reply};
use super::target::{Target, Trouble};
use super::{Post, Waiting, connect, datagram, listen, memory, observe, receive, sys, told};
use crate::os::bpf::Table;
use crate::{Backend, Gatekeeper, UnixRule};

/// So many calls may wait at once, each with a descriptor of ours.
const PENDING_MAX: usize = 256;
/// How often it is looked whether those who wait are still alive: the kernel doesn't say.
const LOOK: Duration = Duration::from_secs(1);

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Outcome {
    Reply(Reply),
    /// Later.
    Wait(Pending),
}

/// What the supervisor goes by.
#[derive(Debug)]
pub(super) struct Grounds {
    pub(super) gatekeeper: Arc<dyn Gatekeeper>,
    pub(super) backend: Backend,
    /// TCP ports on which the server may listen; `None` if it has no network of ours.
    pub(super) listen: Option<Vec<u16>>,
    pub(super) unix: Vec<UnixRule>,
    /// The errno of what is refused.
    pub(super) refusals: Table,
    pub(super) masks: Masks,
}

/// The mask with which files are created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Masks {
    /// This thread has one of its own.
    Own,
    /// It is that of the whole launcher, and none of ours to change.
    Launchers,
}

/// What the supervisor remembers.
#[derive(Debug, Default)]
pub(super) struct Memories {
    pub(super) faces: Faces,
    pub(super) bound: Bound,
    pub(super) own: Own,
    untold: Untold,
}

impl Grounds {
    /// Whether the network is the host's, and every connection the supervisor's.
    pub(super) fn host_network(&self) -> bool {
        self.on_host() && self.listen.is_some()
    }

    /// Whether names of sockets are the host's.
    pub(super) fn on_host(&self) -> bool {
        self.backend == Backend::Notify
    }
}

/// Where calls are answered.
#[derive(Debug)]
struct Desk {
    listener: OwnedFd,
    grounds: Grounds,
    memories: Memories,
    callers: Callers,
    pending: Vec<Pending>,
    /// When to look next whether those who wait are alive.
    look: Instant,
    waiting: Waiting,
}

/// Until the last process of the tree is gone.
pub(super) fn run(post: Post, gatekeeper: Arc<dyn Gatekeeper>) {
    // Signals are for the launcher's other threads.
    let _ = SigSet::all().thread_block();
    // Refused in a jail inside of a jail.
    let masks = if unshare(CloneFlags::CLONE_FS).is_ok() { Masks::Own } else { Masks::Launchers };
    sys::take_turns(post.listener.as_fd());
    let refusals = told::refusals(&post);
    let Post { listener, backend, doors, unix, observe: _, waiting } = post;
    let listen = doors.map(|doors| doors.listen);
    let grounds = Grounds { gatekeeper, backend, listen, unix, refusals, masks };
    let (memories, callers, pending) = (Memories::default(), Callers::default(), Vec::new());
    let look = Instant::now();
    let mut desk = Desk { listener, grounds, memories, callers, pending, look, waiting };
    while desk.turn() {}
    desk.memories.untold.tell_all(&*desk.grounds.gatekeeper);
}

impl Desk {
    /// One round of waiting and answering. Whether there will be another.
    fn turn(&mut self) -> bool {
        if self.waits_for_a_call_alone()
            && let Ok(notification) = sys::receive(self.listener.as_fd())
        {
            self.answer(notification);
            return true;
        }
        // Something else is due, a caller was killed, or nobody is left.
        let (listener, ready) = match self.wait() {
            Ok(events) => events,
            Err(Errno::EINTR | Errno::EAGAIN | Errno::ENOMEM) => return true,
            Err(_) => return false,
        };
        self.advance(&ready);
        self.memories.untold.tell(&*self.grounds.gatekeeper);
        if listener.contains(PollFlags::POLLIN) {
            match sys::receive(self.listener.as_fd()) {
                Ok(notification) => self.answer(notification),
                Err(error) => match error.raw_os_error() {
                    // It was killed before we came to it.
                    Some(libc::ENOENT | libc::EINTR | libc::ENOMEM) => {}
                    _ => return false,
                },
            }
            return true;
        }
        // Nobody is left who could ask (Linux 5.9).
        !listener.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL)
    }

    fn waits_for_a_call_alone(&self) -> bool {
        self.waiting == Waiting::Received && self.pending.is_empty() && self.memories.untold.due().is_none()
    }

    /// The listener's events, and whether each pending call has some.
    fn wait(&self) -> nix::Result<(PollFlags, Vec<bool>)> {
        let mut fds = vec![PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.pending.iter().map(|pending| pending.poll_fd(self.listener.as_fd())));
        poll(&mut fds, self.timeout())?;
        let events = |fd: &PollFd<'_>| fd.revents().unwrap_or(PollFlags::POLLERR);
        let ready = fds.iter().skip(1).map(|fd| !events(fd).is_empty()).collect();
        Ok((fds.first().map_or(PollFlags::POLLERR, events), ready))
    }

    /// Until something has to be done without an event; for ever if there is nothing.
    fn timeout(&self) -> PollTimeout {
        let look = (!self.pending.is_empty()).then_some(self.look);
        let due = self.pending.iter().filter_map(Pending::due).chain(look).chain(self.memories.untold.due());
        due.min().map_or(PollTimeout::NONE, |due| {
            // Rounded up, lest the last millisecond be spent in turning round.
            let left = due.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)
        })
    }

    fn advance(&mut self, ready: &[bool]) {
        let now = Instant::now();
        let looks = now >= self.look;
        if self.pending.is_empty() {
            return;
        }
        let mut ready = ready.iter();
        for mut pending in std::mem::take(&mut self.pending) {
            let is_ready = ready.next().copied().unwrap_or(false);
            let notification = pending.notification;
            if !is_ready && pending.due().is_none_or(|due| due > now) {
                // Its process may have been killed: then the connection is given up with it.
                if !looks || sys::is_waiting(self.listener.as_fd(), notification.id) {
                    self.pending.push(pending);
                }
                continue;
            }
            let target = Target::new(self.listener.as_fd(), &self.callers, &notification);
            match pending.advance(&target, is_ready, now) {
                Ok(Advance::Wait) => self.pending.push(pending),
                Ok(Advance::Done(reply)) => reply::send(self.listener.as_fd(), notification.id, &reply),
                Err(trouble) => self.fail(notification, trouble),
            }
        }
        if looks {
            self.look = now + LOOK;
        }
    }

    fn answer(&mut self, notification: Notification) {
        match self.outcome(&notification) {
            Ok(Outcome::Reply(reply)) => reply::send(self.listener.as_fd(), notification.id, &reply),
            // As many threads as this in calls that wait are no server's; what connect(2) says when ports run out.
            Ok(Outcome::Wait(_)) if self.pending.len() >= PENDING_MAX => {
                self.fail(notification, Trouble::Errno(libc::EAGAIN));
            }
            Ok(Outcome::Wait(pending)) => self.pending.push(pending),
            Err(trouble) => self.fail(notification, trouble),
        }
    }

    fn fail(&self, notification: Notification, trouble: Trouble) {
        if let Trouble::Errno(errno) = trouble {
            reply::send(self.listener.as_fd(), notification.id, &Reply::Errno(errno));
        }
    }

    fn outcome(&mut self, notification: &Notification) -> Result<Outcome, Trouble> {
        let target = Target::new(self.listener.as_fd(), &self.callers, notification);
        let (grounds, memories) = (&self.grounds, &mut self.memories);
        let reply = match Asked::of(notification.number) {
            Asked::Connect => return connect::connect(grounds, memories, &target, notification),
            Asked::Receive(call) => return receive::receive(&memories.faces, &target, notification, call),
            Asked::Socket if grounds.host_network() && datagram::is_meant(notification) => {
                datagram::socket(grounds, &mut memories.faces, &target, notification)?
            }
            Asked::Bind if grounds.on_host() => listen::bind(grounds, memories, &target, notification)?,
            Asked::Listen if grounds.on_host() => listen::listen(grounds, memories, &target, notification)?,
            Asked::Set if grounds.host_network() && listen::is_ipv6_only(notification) => {
                listen::set_ipv6_only(memories, &target, notification)?
            }
            Asked::MemoryFile if memory::can_be_sealed(notification) => memory::create(notification)?,
            Asked::File(call) => {
                memories.untold.extend(observe::see(&target, notification, &call));
                observe::go_on(&call)
            }
            Asked::Socket | Asked::Bind | Asked::Listen | Asked::Set | Asked::MemoryFile | Asked::Told => {
                told::refuse(grounds, &target, notification)
            }
        };
        Ok(Outcome::Reply(reply))
    }
}
