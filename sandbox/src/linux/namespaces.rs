//! PID 1 of a jail of our own: the namespaces, their fresh /proc, and the reaper in them.

use std::ffi::CStr;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::{set_dumpable, set_name};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::child::{self, Launch, ServerEnds};
use super::link::{Status, tell, tell_with};
use super::netns::inward::{self, Line};
use super::step::{At, Failure, Step};
use super::sys::{self, Side, SingleThreaded, Waited};
use super::{capabilities, keeper, limits, netns, view};
use crate::weaken::{self, Weakness};
use crate::{Backend, Network};

/// What PID 1 is given.
#[derive(Debug)]
pub(crate) struct InitEnds<'a> {
    /// For the server.
    pub(crate) server: &'a ServerEnds,
    /// To the keeper, until execve.
    pub(crate) status: BorrowedFd<'a>,
    /// To the keeper, for the end of the server.
    pub(crate) report: &'a OwnedFd,
}

/// CLONE_NEW* flags of the jail.
pub(crate) fn flags(network: &Network) -> i32 {
    let mut flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC;
    if weaken::is_off(Weakness::IpcNamespace) {
        flags &= !libc::CLONE_NEWIPC;
    }
    match network {
        Network::None | Network::Brokered(_) => flags | libc::CLONE_NEWNET,
        Network::DangerousHost => flags,
    }
}

/// What PID 1 does: builds the jail around itself, starts the server, reaps, and ends with it. The kernel then kills
/// whatever is left in the namespace.
pub(crate) fn run_init(launch: &Launch, ends: &InitEnds<'_>, proof: &SingleThreaded) -> ! {
    let settled = settle(launch, ends.status);
    let started = settled.and_then(|inward| Ok((sys::fork(proof).at(Step::ForkServer)?, inward)));
    match started {
        Ok((Side::Child, _)) => child::become_server(launch, Backend::Namespaces, ends.server, ends.status),
        Ok((Side::Parent(server), inward)) => Init { server, report: ends.report }.reap(inward),
        Err(failure) => {
            let _ = tell(ends.status, &Status::Failed(failure));
            sys::exit_now(1)
        }
    }
}

/// The steps after clone, up to a process without capabilities in namespaces of its own. Gives PID 1's end of
/// [`crate::Inward`], if the network is brokered.
pub(crate) fn settle(launch: &Launch, keeper: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Failure> {
    let (uid, gid) = (launch.uid, launch.gid);
    // The files below belong to root while we are not dumpable, as a launcher that guards its memory is not.
    set_dumpable(true).at(Step::UidMap)?;
    // Identity maps: the server keeps its user, and is not uid 0 anywhere. user_namespaces(7): an unprivileged
    // process may map its own group only once setgroups is denied.
    fs::write("/proc/self/setgroups", "deny").at(Step::Setgroups)?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).at(Step::UidMap)?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).at(Step::GidMap)?;
    // After the maps: a change of credentials clears the death signal.
    child::die_with_parent(keeper)?;
    let none: Option<&CStr> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).at(Step::MountPrivate)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none).at(Step::MountProc)?;
    // A program in memory is one that was written: memfd_create(2) gives files that can't be executed (Linux 6.3, and for
    // this pid namespace alone). They can still be mapped so. Only uid 0 of the host may write this, whatever it holds here.
    let _ = fs::write("/proc/sys/vm/memfd_noexec", "2");
    // While there is a whole /proc: the view may have none.
    child::first_to_go();
    if launch.limits.memory_bytes.is_some() {
        limits::show_segments(keeper);
    }
    let mut inward = None;
    if let Network::Brokered(doors) = &launch.network {
        let opened = netns::open(doors)?;
        let fds: Vec<BorrowedFd<'_>> = opened.fds.iter().map(AsFd::as_fd).collect();
        tell_with(keeper, &Status::Doors(opened.counts), &fds).at(Step::Doors)?;
        inward = Some(opened.inward);
    }
    if let Some(scene) = launch.scene().filter(|_| !weaken::is_off(Weakness::View)) {
        if !scene.files.closed.is_empty() {
            view_for_the_keeper(keeper)?;
        }
        view::enter(&scene)?;
    }
    capabilities::give_up()?;
    Ok(inward)
}

/// The namespaces in which the keeper closes places that appear later. The files are out of its reach once PID 1 is not
/// dumpable.
fn view_for_the_keeper(keeper: BorrowedFd<'_>) -> Result<(), Failure> {
    let open = |name| File::open(format!("/proc/self/ns/{name}")).at(Step::View);
    let (user, mounts) = (open("user")?, open("mnt")?);
    tell_with(keeper, &Status::View, &[user.as_fd(), mounts.as_fd()]).at(Step::View)
}

/// What PID 1 is, once the server runs.
struct Init<'a> {
    server: i32,
    report: &'a OwnedFd,
}

impl Init<'_> {
    fn reap(&self, inward: Option<OwnedFd>) -> ! {
        let _ = set_name(c"stockade-init");
        // The server runs as the same user: /proc/1/mem and /proc/1/fd must not be its.
        let _ = set_dumpable(false);
        // PID 1 is a copy of the keeper and would keep the pipes and the status socket open.
        let kept: Vec<i32> = inward.iter().chain([self.report]).map(AsRawFd::as_raw_fd).collect();
        let _ = sys::close_all_but(&kept);
        if let Some(inward) = inward {
            self.reap_and_answer(inward);
        }
        loop {
            self.reap_one(0);
        }
    }

    /// Until the launcher closes its end.
    fn reap_and_answer(&self, inward: OwnedFd) {
        // Blocked since the keeper began. A signal that is blocked reaches a signalfd even where PID 1 would not get it.
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let Ok(signals) = SignalFd::with_flags(&mask, flags) else { return };
        loop {
            while self.reap_one(libc::WNOHANG) == Reaped::One {}
            let ready = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let mut fds = [ready(signals.as_fd()), ready(inward.as_fd())];
            let polled = poll(&mut fds, PollTimeout::NONE);
            let asked = polled.is_ok() && fds.last().and_then(PollFd::any) == Some(true);
            while matches!(signals.read_signal(), Ok(Some(_))) {}
            if asked && inward::answer(&inward) == Line::Closed {
                return;
            }
        }
    }

    fn reap_one(&self, flags: i32) -> Reaped {
        match sys::wait(-1, flags) {
            Ok(Waited::Ended(pid, status)) if pid == self.server => {
                let _ = tell(self.report.as_fd(), &Status::Ended(keeper::end_from_wait(status)));
                sys::exit_now(0)
            }
            Ok(Waited::Ended(..)) => Reaped::One,
            Ok(Waited::Running) => Reaped::None,
            Ok(Waited::NoChild) | Err(_) => sys::exit_now(1),
        }
    }
}

/// Whether a process was reaped that isn't the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaped {
    One,
    None,
}
