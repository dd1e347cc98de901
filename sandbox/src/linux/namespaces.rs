//! PID 1 of a jail of our own: the namespaces, their fresh /proc, and the reaper in them.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::mount::{MsFlags, mount};
use nix::sys::prctl::{set_dumpable, set_name};

use super::child::{self, Launch, ServerEnds};
use super::link::{Status, tell, tell_with};
use super::step::{At, Failure, Step};
use super::sys::{self, Side, SingleThreaded, Waited};
use super::{capabilities, keeper, limits, netns, view};
use crate::{Backend, InwardFamily, Network};

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
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC;
    match network {
        Network::None | Network::Brokered(_) => flags | libc::CLONE_NEWNET,
        Network::DangerousHost => flags,
    }
}

/// What PID 1 does: builds the jail around itself, starts the server, reaps, and ends with it. The kernel then kills
/// whatever is left in the namespace.
pub(crate) fn run_init(launch: &Launch, ends: &InitEnds<'_>, proof: &SingleThreaded) -> ! {
    let started = settle(launch, ends.status).and_then(|()| {
        if launch.limits.memory_bytes.is_some() {
            limits::show_segments(ends.status);
        }
        sys::fork(proof).at(Step::ForkServer)
    });
    match started {
        Ok(Side::Child) => child::become_server(launch, Backend::Namespaces, ends.server, ends.status),
        Ok(Side::Parent(server)) => reap(server, ends.report),
        Err(failure) => {
            let _ = tell(ends.status, &Status::Failed(failure));
            sys::exit_now(1)
        }
    }
}

/// The steps after clone, up to a process without capabilities in namespaces of its own.
pub(crate) fn settle(launch: &Launch, keeper: BorrowedFd<'_>) -> Result<(), Failure> {
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
    if let Network::Brokered(doors) = &launch.network {
        let (counts, fds) = netns::open(doors)?;
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        tell_with(keeper, &Status::Doors(counts), &fds).at(Step::Doors)?;
    }
    if let Some(files) = &launch.files {
        view::enter(files)?;
    }
    capabilities::give_up()
}

/// The launcher's half of [`crate::Inward`]: asks PID 1 for a socket.
pub(crate) fn inward_socket(_init: &OwnedFd, _family: InwardFamily) -> io::Result<OwnedFd> {
    // TODO(netns)
    Err(io::ErrorKind::Unsupported.into())
}

fn reap(server: i32, report: &OwnedFd) -> ! {
    let _ = set_name(c"stockade-init");
    // The server runs as the same user: /proc/1/mem and /proc/1/fd must not be its.
    let _ = set_dumpable(false);
    // PID 1 is a copy of the keeper and would keep the pipes and the status socket open.
    let _ = sys::close_all_but(&[report.as_raw_fd()]);
    loop {
        match sys::wait(-1, 0) {
            Ok(Waited::Ended(pid, status)) if pid == server => {
                let _ = tell(report.as_fd(), &Status::Ended(keeper::end_from_wait(status)));
                sys::exit_now(0)
            }
            Ok(Waited::Ended(..) | Waited::Running) => {}
            Ok(Waited::NoChild) | Err(_) => sys::exit_now(1),
        }
    }
}
