//! A network of a process's own, in which every address is itself: for programs that are to meet stand-ins of hosts.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

use nix::mount::{MsFlags, mount};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::{getegid, geteuid};

use super::netns;
use super::spawn::single_threaded;
use super::step::{At, Failure, Step};
use super::sys::{self, Side, Waited};
use crate::SpawnError;

/// Runs `inside` in a copy of this process: in a network in which every address leads back to it, with each
/// `(file, place)`'s file shown in that place, and with no other process in sight. Nothing in it reaches any host, and
/// whatever it started ends with it. Gives the exit code that `inside` gives, or 128 and the number of the signal that
/// ended the copy.
///
/// This is no jail: it keeps nobody from a file.
///
/// # Errors
/// When threads run, a place is no file, or the host refuses user namespaces; `inside` did not run then.
pub fn in_enclosed_network(
    shown: &[(PathBuf, PathBuf)],
    inside: impl FnOnce() -> u8,
) -> Result<u8, SpawnError> {
    let proof = single_threaded()?;
    // The files below belong to root while we are not dumpable.
    set_dumpable(true).at(Step::UidMap)?;
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let (mut failures, mut tell) = std::io::pipe().at(Step::Pipe)?;
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNET | libc::CLONE_NEWNS | libc::CLONE_NEWPID;
    let child = match sys::fork_into_namespaces(&proof, flags).at(Step::CloneNamespaces)? {
        Side::Parent(child) => child,
        Side::Child => {
            drop(failures);
            if let Err(failure) = settle(user, group, shown) {
                let [a, b, c, d] = failure.errno.to_ne_bytes();
                let _ = tell.write_all(&[failure.step as u8, a, b, c, d]);
                sys::exit_now(1);
            }
            drop(tell);
            sys::exit_now(inside().into())
        }
    };
    drop(tell);
    let mut failure = Vec::new();
    failures.read_to_end(&mut failure).at(Step::Pipe)?;
    let status = sys::wait(child, 0).at(Step::Fork)?;
    if let [step, rest @ ..] = &*failure
        && let (Some(step), Ok(errno)) = (Step::from_byte(*step), <[u8; 4]>::try_from(rest))
    {
        return Err(Failure::new(step, i32::from_ne_bytes(errno)).into());
    }
    let Waited::Ended(_, status) = status else { return Err(Failure::new(Step::Fork, libc::ECHILD).into()) };
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
    Ok(u8::try_from(code).unwrap_or(u8::MAX))
}

fn settle(user: u32, group: u32, shown: &[(PathBuf, PathBuf)]) -> Result<(), Failure> {
    fs::write("/proc/self/setgroups", "deny").at(Step::Setgroups)?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1")).at(Step::UidMap)?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1")).at(Step::GidMap)?;
    // After the maps: a change of credentials clears it. Who started us is there, or the kernel has ended us already.
    set_pdeathsig(Signal::SIGKILL).at(Step::DeathSignal)?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).at(Step::MountPrivate)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none).at(Step::MountProc)?;
    netns::lead_back()?;
    for (file, place) in shown {
        mount(Some(file), place, none, MsFlags::MS_BIND, none).at(Step::View)?;
    }
    Ok(())
}
