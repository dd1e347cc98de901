//! The processes below one, as /proc shows them: counted, and killed until none is left.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpgrp, getpid};

use super::sys::{self, Waited};

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    group: i32,
    pub(crate) threads: u64,
    pub(crate) life: Life,
}

/// Whether a process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    /// Its parent has not heard of its end yet.
    Zombie,
}

/// Everything below `root`, without it and without what stands below one of `except`.
pub(crate) fn descendants(root: i32, except: &[i32]) -> Vec<Process> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([root]);
    let mut parents = vec![root];
    let mut listing = Listing::new();
    while let Some(parent) = parents.pop() {
        for child in listing.children(parent) {
            if !except.contains(&child) && seen.insert(child) {
                found.extend(process(child));
                parents.push(child);
            }
        }
    }
    found
}

/// Kills everything below this process and reaps it, until there is nothing left. We must be a subreaper, so that an
/// orphan of what was killed becomes our child. `ended` hears of each.
///
/// `group` is the server's, which its filter lets nobody leave. A walk of /proc never catches up with processes that
/// do nothing but fork and end; a signal to their group hits all of them at one moment.
pub(crate) fn kill_and_reap(group: i32, mut ended: impl FnMut(i32, i32)) {
    let me = getpid().as_raw();
    let mut before = BTreeSet::new();
    let mut pause = Duration::from_millis(1);
    loop {
        kill_group_of_children(group);
        // Before the walk: such processes leave thousands of zombies, each of which costs it a few reads.
        loop {
            match sys::wait(-1, libc::WNOHANG) {
                Ok(Waited::Ended(pid, status)) => ended(pid, status),
                Ok(Waited::Running) => break,
                Ok(Waited::NoChild) | Err(_) => return,
            }
        }
        let mut found = BTreeSet::new();
        for process in descendants(me, &[]) {
            kill_with_group(process);
            found.insert(process.pid);
        }
        // What has been found before is dying; in uninterruptible sleep that can take any time. What is new may have
        // been forked on the run, so there is no pause for it.
        if found.is_subset(&before) {
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        before = found;
    }
}

/// SIGKILL to a group of which at least one child of ours is a member, be it a zombie: until that one is reaped the
/// number is nobody else's. Whether there was one.
fn kill_group_of_children(group: i32) -> bool {
    let group = Pid::from_raw(group);
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let ours = waitid(Id::PGid(group), look) != Err(Errno::ECHILD);
    if ours {
        let _ = killpg(group, Signal::SIGKILL);
    }
    ours
}

/// Kills what is below this process and carries a system call filter that we don't carry: what a lost keeper left
/// behind. Nothing else of ours does: other keepers' trees are in `except`, and programs started bare have no filter.
///
/// `group` is that of the keeper's server. It comes first, as in [`kill_and_reap`]: the list of children of a process
/// that inherits the dead of such chains grows as fast as it is read.
pub(crate) fn kill_filtered(group: i32, except: &[i32]) {
    let ours = filters_of("self");
    let me = getpid().as_raw();
    let mut empty_rounds = 0;
    // The bound is for a process in uninterruptible sleep: two seconds.
    for _ in 0..400 {
        let mut found = kill_group_of_children(group);
        while let Ok(Waited::Ended(..)) = sys::wait(-group, libc::WNOHANG) {}
        for process in descendants(me, except) {
            if filters_of(&process.pid.to_string()) > ours {
                found = true;
                kill_with_group(process);
                let _ = sys::wait(process.pid, libc::WNOHANG);
            }
        }
        empty_rounds = if found { 0 } else { empty_rounds + 1 };
        if empty_rounds == 2 {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// SIGKILL to a process's group, which no fork in it can escape (`copy_process` restarts on a pending signal), and to
/// itself. All groups below us began with the setsid of a server, so none of them holds a stranger; ours is left alone.
fn kill_with_group(process: Process) {
    if process.group > 1 && process.group != getpgrp().as_raw() {
        let _ = killpg(Pid::from_raw(process.group), Signal::SIGKILL);
    }
    let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
}

/// How many seccomp filters a process carries (`Seccomp_filters`, Linux 5.9; before that 1 for any). A zombie has none.
fn filters_of(pid: &str) -> u32 {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().parse::<u32>().ok()
    };
    if status.lines().any(|line| line.starts_with("State:\tZ")) {
        return 0;
    }
    field("Seccomp_filters:").unwrap_or_else(|| u32::from(field("Seccomp:") == Some(2)))
}

/// Who is whose child: from the kernel's own lists (CONFIG_PROC_CHILDREN) or, without them, from one reading of /proc.
enum Listing {
    Kernel,
    Read(Vec<Process>),
}

impl Listing {
    fn new() -> Self {
        let me = getpid();
        if fs::exists(format!("/proc/{me}/task/{me}/children")).unwrap_or(false) {
            return Self::Kernel;
        }
        let processes = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| process(entry.ok()?.file_name().to_str()?.parse().ok()?))
            .collect();
        Self::Read(processes)
    }

    fn children(&mut self, parent: i32) -> Vec<i32> {
        match self {
            Self::Kernel => kernel_children(parent),
            Self::Read(processes) => processes
                .iter()
                .filter(|process| process.parent == parent)
                .map(|process| process.pid)
                .collect(),
        }
    }
}

/// proc_pid_task(5) keeps one list a thread.
fn kernel_children(parent: i32) -> Vec<i32> {
    /// The list of a process that inherits the dead of fork chains grows as fast as it is read. This is room for some
    /// eight thousand; whoever looks comes back.
    const LIST_BYTES_MAX: u64 = 64 * 1024;
    let mut children = Vec::new();
    for task in fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
        let mut list = String::new();
        let read = File::open(task.path().join("children"))
            .and_then(|file| file.take(LIST_BYTES_MAX).read_to_string(&mut list));
        if read.is_ok() {
            children.extend(listed(&list));
        }
    }
    children
}

/// Each pid has a space behind it; one without is cut, and would be another process's.
fn listed(list: &str) -> impl Iterator<Item = i32> {
    let whole = list.rsplit_once(' ').map_or("", |(whole, _)| whole);
    whole.split_ascii_whitespace().filter_map(|pid| pid.parse().ok())
}

fn process(pid: i32) -> Option<Process> {
    parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// proc_pid_stat(5): after the name come state, ppid, pgrp; num_threads is field 20.
fn parse_stat(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(18).collect();
    Some(Process {
        pid,
        life: if fields.first() == Some(&"Z") { Life::Zombie } else { Life::Alive },
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_does_not_move_the_fields() {
        let stat = "42 (a) R 1 (b)) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 99 0 0";
        let expected = Process { pid: 42, parent: 7, group: 42, threads: 3, life: Life::Alive };
        assert_eq!(parse_stat(42, stat), Some(expected));
        let zombie = parse_stat(42, &stat.replace(") S ", ") Z ")).expect("a process");
        assert_eq!(zombie.life, Life::Zombie);
        assert_eq!(parse_stat(42, "42 (cut"), None);
        assert_eq!(parse_stat(42, "42 (cut) S 1"), None);
    }

    #[test]
    fn a_pid_that_is_cut_off_is_nobody() {
        assert!(listed("12 345 6789 ").eq([12, 345, 6789]));
        assert!(listed("12 345 67").eq([12, 345]));
        assert!(listed("12").eq([]));
        assert!(listed("").eq([]));
    }

    #[test]
    fn a_child_is_found_in_both_kinds_of_listing() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().expect("sleep starts");
        let pid = i32::try_from(child.id()).expect("a pid");
        let me = getpid().as_raw();
        assert!(descendants(me, &[]).iter().any(|process| process.pid == pid));
        assert!(descendants(me, &[pid]).iter().all(|process| process.pid != pid));
        let all = fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|entry| process(entry.ok()?.file_name().to_str()?.parse().ok()?))
            .collect();
        assert!(Listing::Read(all).children(me).contains(&pid));
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }
}
