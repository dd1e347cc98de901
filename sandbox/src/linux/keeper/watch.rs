//! The keeper's life while a server runs: orders, limits, and the end of the tree.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::MsgFlags;
use nix::unistd::{Pid, getpid};

use super::end_from_wait;
use crate::os::child::Launch;
use crate::os::limits::{Guard, Room};
use crate::os::link::{Heard, News, Order, Status, hear, tell};
use crate::os::sys::{self, SingleThreaded, Waited};
use crate::os::tree;
use crate::os::view::Watch;
use crate::{Backend, End, TreeEnd, TreeLimit};

/// A server and what it started.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) backend: Backend,
    /// Our child: the server, or PID 1 of its namespace.
    pub(super) root: i32,
    /// The server's main process.
    pub(super) server: i32,
    /// From PID 1 of a namespace.
    pub(super) report: Option<OwnedFd>,
    /// Its cgroup, if it has one.
    pub(super) room: Room,
    /// User and mount namespace, if places in them are closed.
    pub(super) view: Vec<OwnedFd>,
    /// The System V segments of its namespace, if they have to be measured.
    pub(super) segments: Option<OwnedFd>,
}

/// Why a tree comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its main process ended, which has been told.
    ServerEnded,
    /// The launcher asked for it, or a limit was passed.
    Killed,
    /// Nobody is there to be told.
    LauncherGone,
}

impl Tree {
    /// Until the tree is gone, or the launcher can't be heard any more.
    pub(super) fn watch(
        &self,
        launcher: &OwnedFd,
        launch: &Launch,
        proof: &SingleThreaded,
    ) -> io::Result<()> {
        let scene = if self.view.is_empty() { None } else { launch.scene() };
        let mut places = Watch::new(&self.view, scene.as_ref());
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let mut guard = Guard::new(launch, self.backend, self.room.leaf(), self.segments.as_ref());
        loop {
            if places.close_again(proof).is_err() {
                let _ = tell(launcher, &News::LimitHit(TreeLimit::OpenPlace));
                self.finish(launcher, launch.tree_end, Why::Killed);
                return Ok(());
            }
            if let Some(end) = self.ended()? {
                if let Some(limit) = guard.behind(end) {
                    let _ = tell(launcher, &News::LimitHit(limit));
                }
                let _ = tell(launcher, &News::Ended(end));
                self.finish(launcher, launch.tree_end, Why::ServerEnded);
                return Ok(());
            }
            match hear::<Order>(launcher, MsgFlags::MSG_DONTWAIT)? {
                Heard::Message(Order::Terminate) => {
                    let server = Pid::from_raw(self.server);
                    // In a jail inside of a `static` one it has no group of its own.
                    let _ = killpg(server, Signal::SIGTERM).or_else(|_| kill(server, Signal::SIGTERM));
                    continue;
                }
                Heard::Message(Order::Kill) => {
                    self.finish(launcher, launch.tree_end, Why::Killed);
                    return Ok(());
                }
                Heard::Gone => {
                    self.finish(launcher, launch.tree_end, Why::LauncherGone);
                    return Ok(());
                }
                Heard::Nothing => {}
            }
            self.wait_for_news((launcher, places.fd()), &signals, &guard)?;
            if let Some(limit) = guard.look(self.top()) {
                let _ = tell(launcher, &News::LimitHit(limit));
                self.finish(launcher, launch.tree_end, Why::Killed);
                return Ok(());
            }
        }
    }

    fn wait_for_news(
        &self,
        (launcher, places): (&OwnedFd, Option<BorrowedFd<'_>>),
        signals: &SignalFd,
        guard: &Guard<'_>,
    ) -> io::Result<()> {
        let mut fds = vec![
            PollFd::new(launcher.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(places.map(|places| PollFd::new(places, PollFlags::POLLIN)));
        if let Some(report) = &self.report {
            fds.push(PollFd::new(report.as_fd(), PollFlags::POLLIN));
        }
        fds.extend(guard.alarms().map(|alarm| PollFd::new(alarm, PollFlags::POLLPRI)));
        match poll(&mut fds, guard.timeout()) {
            Ok(_) => {
                while signals.read_signal()?.is_some() {}
                Ok(())
            }
            Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the tree stands below.
    fn top(&self) -> i32 {
        match self.backend {
            Backend::Namespaces => self.root,
            Backend::Notify | Backend::Static => getpid().as_raw(),
        }
    }

    /// Whether the main process has ended. Reaps whatever else has.
    fn ended(&self) -> io::Result<Option<End>> {
        if let Some(report) = &self.report {
            return Ok(match hear::<Status>(report, MsgFlags::MSG_DONTWAIT)? {
                Heard::Message(Status::Ended(end)) => Some(end),
                Heard::Message(_) | Heard::Nothing => None,
                // Only a kill from outside ends PID 1 before it says so, and the kernel kills its namespace with it.
                Heard::Gone => Some(End::Signalled(libc::SIGKILL)),
            });
        }
        loop {
            match sys::wait(-1, libc::WNOHANG)? {
                Waited::Ended(pid, status) if pid == self.server => {
                    return Ok(Some(end_from_wait(status)));
                }
                Waited::Ended(..) => {}
                Waited::Running | Waited::NoChild => return Ok(None),
            }
        }
    }

    /// Kills what is left and says so.
    pub(super) fn finish(&self, launcher: &OwnedFd, tree_end: TreeEnd, why: Why) {
        if tree_end == TreeEnd::Kill || why == Why::Killed {
            self.room.kill();
        }
        match self.backend {
            Backend::Namespaces => {
                // Also after its end was told: harmless, and PID 1 is on its way out.
                let _ = kill(Pid::from_raw(self.root), Signal::SIGKILL);
                // Returns when the kernel has killed and reaped the whole namespace (zap_pid_ns_processes).
                let _ = sys::wait(self.root, 0);
                if why != Why::ServerEnded {
                    let end = self.ended().ok().flatten().unwrap_or(End::Signalled(libc::SIGKILL));
                    let _ = tell(launcher, &News::Ended(end));
                }
            }
            Backend::Notify | Backend::Static
                if tree_end == TreeEnd::DangerousLeave && why != Why::Killed =>
            {
                if why == Why::LauncherGone {
                    let _ = kill(Pid::from_raw(self.server), Signal::SIGKILL);
                }
            }
            Backend::Notify | Backend::Static => tree::kill_and_reap(self.server, |pid, status| {
                if pid == self.server && why != Why::ServerEnded {
                    let _ = tell(launcher, &News::Ended(end_from_wait(status)));
                }
            }),
        }
        let _ = tell(launcher, &News::TreeGone);
    }
}
