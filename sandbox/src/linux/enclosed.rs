//! A network of a process's own, in which every address is itself: for programs that are to meet stand-ins of hosts.

use std::fs;
use std::path::PathBuf;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_dumpable;
use nix::unistd::{getegid, geteuid};

use super::netns;
use super::spawn::single_threaded;
use super::step::{At, Failure, Step};
use crate::SpawnError;

/// Moves this process into a network in which every address leads back to it, and shows each `(file, place)`'s file in
/// that place; other processes see nothing of it, and nothing in it reaches any host. What is started from here on
/// inherits it. There is no way back.
///
/// This is no jail: it keeps nobody from a file.
///
/// # Errors
/// When threads run, a place is no file, or the host refuses user namespaces. What was done until then stays done.
pub fn enter_enclosed_network(shown: &[(PathBuf, PathBuf)]) -> Result<(), SpawnError> {
    single_threaded()?;
    enter(shown).map_err(SpawnError::from)
}

fn enter(shown: &[(PathBuf, PathBuf)]) -> Result<(), Failure> {
    let (user, group) = (geteuid(), getegid());
    // /proc/self/uid_map belongs to root while we are not dumpable.
    set_dumpable(true).at(Step::UidMap)?;
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
        .at(Step::CloneNamespaces)?;
    fs::write("/proc/self/setgroups", "deny").at(Step::Setgroups)?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1")).at(Step::UidMap)?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1")).at(Step::GidMap)?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).at(Step::MountPrivate)?;
    netns::lead_back()?;
    for (file, place) in shown {
        mount(Some(file), place, none, MsFlags::MS_BIND, none).at(Step::View)?;
    }
    Ok(())
}
