//! A cgroup (version 2) for one server and what it starts. The keeper stays outside of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::unistd::getpid;

use super::{Bounds, CgroupTold, Held, Place};
use crate::os::child::Launch;
use crate::os::sys::{self, Side, SingleThreaded};
use crate::{Backend, TreeLimit};

/// The cgroup of a tree to be, or why there is none.
#[derive(Debug)]
pub(crate) struct Room {
    leaf: Option<Leaf>,
    /// Of the call that failed, 0 for none.
    errno: i32,
}

impl Room {
    /// Tries, if there is a place for one and a limit that needs one.
    pub(crate) fn make(launch: &Launch, backend: Backend) -> Self {
        let bounds = Bounds::of(launch, backend);
        let mut room = Self { leaf: None, errno: 0 };
        if let Ok(place) = &launch.cgroup
            && !bounds.are_none()
        {
            match Leaf::make(place, getpid().as_raw(), bounds, backend) {
                Ok(leaf) => room.leaf = Some(leaf),
                Err(error) => room.errno = error.raw_os_error().unwrap_or(libc::EIO),
            }
        }
        room
    }

    /// Forks, into CLONE_NEW* namespaces if there are flags for them. Where the kernel (before Linux 5.7) or a filter
    /// above us can't start a process in another cgroup, it goes on without: to move one that runs takes 11 ms (measured
    /// on 6.18; a grace period of RCU), to start it there nothing.
    pub(crate) fn fork(&mut self, proof: &SingleThreaded, flags: i32) -> io::Result<Side> {
        let failed = match &self.leaf {
            Some(leaf) => match sys::fork_into_cgroup(proof, flags, leaf.directory.as_fd()) {
                Ok(side) => return Ok(side),
                Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
            },
            None => self.errno,
        };
        let side = if flags == 0 { sys::fork(proof) } else { sys::fork_into_namespaces(proof, flags) }?;
        if let Side::Parent(_) = side {
            self.leaf = None;
            self.errno = failed;
        }
        Ok(side)
    }

    /// For the launcher.
    pub(crate) fn told(&self) -> CgroupTold {
        CgroupTold { held: self.leaf.as_ref().map(Leaf::held).unwrap_or_default(), errno: self.errno }
    }

    /// The cgroup, if there is one.
    pub(crate) fn leaf(&self) -> Option<&Leaf> {
        self.leaf.as_ref()
    }

    /// Kills everything in it, forks under way included (Linux 5.14). Nothing depends on it: what is left is looked for.
    pub(crate) fn kill(&self) {
        if let Some(leaf) = &self.leaf {
            let _ = leaf.set("cgroup.kill", "1");
        }
    }
}

/// The cgroup of one tree; dropping it removes it, if nothing lives in it any more.
#[derive(Debug)]
pub(crate) struct Leaf {
    path: PathBuf,
    directory: File,
    memory_events: Option<File>,
    pids_events: Option<File>,
}

impl Leaf {
    /// Makes it, with limits; `keeper` is what its name is made from.
    fn make(place: &Place, keeper: i32, bounds: Bounds, backend: Backend) -> io::Result<Self> {
        let path = place.parent.join(name(keeper));
        // One that a keeper of the same pid left behind, when it was killed.
        let _ = fs::remove_dir(&path);
        fs::create_dir(&path)?;
        let mut leaf = match File::open(&path) {
            Ok(directory) => Self { path, directory, memory_events: None, pids_events: None },
            Err(error) => {
                let _ = fs::remove_dir(&path);
                return Err(error);
            }
        };
        if let Some(bytes) = bounds.memory_bytes {
            leaf.set("memory.max", &bytes.to_string())?;
            // Absent where the kernel does not account for swap; then `memory.max` is all there is.
            match leaf.set("memory.swap.max", "0") {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // The whole tree or nothing: half a server is no server (Linux 4.19).
            leaf.set("memory.oom.group", "1")?;
            leaf.memory_events = Some(leaf.watched("memory.events")?);
        }
        if let Some(tasks) = bounds.tasks
            && place.controllers.pids
        {
            // Our PID 1 lives in it too.
            let ours = u64::from(backend == Backend::Namespaces);
            leaf.set("pids.max", &tasks.saturating_add(ours).to_string())?;
            leaf.pids_events = Some(leaf.watched("pids.events")?);
        }
        Ok(leaf)
    }

    /// What it bounds.
    pub(crate) fn held(&self) -> Held {
        Held { memory: self.memory_events.is_some(), tasks: self.pids_events.is_some() }
    }

    /// Files that raise POLLPRI when they change after they were read.
    pub(super) fn events(&self) -> impl Iterator<Item = &File> {
        self.memory_events.iter().chain(&self.pids_events)
    }

    /// The limit that was reached. Fails when the cgroup has lost a controller.
    pub(super) fn hit(&self) -> io::Result<Option<TreeLimit>> {
        if let Some(events) = &self.memory_events
            && out_of_memory(&read(events)?)
        {
            return Ok(Some(TreeLimit::Memory));
        }
        if let Some(events) = &self.pids_events
            && count(&read(events)?, "max") > 0
            && self.is_crowded()
        {
            return Ok(Some(TreeLimit::Processes));
        }
        Ok(None)
    }

    /// Before Linux 6.11 `pids.events` also counts forks that a limit further up refused.
    fn is_crowded(&self) -> bool {
        let number = |name| fs::read_to_string(self.path.join(name)).ok()?.trim().parse::<u64>().ok();
        match (number("pids.current"), number("pids.max")) {
            (Some(current), Some(max)) => current.saturating_mul(2) >= max,
            _ => true,
        }
    }

    fn watched(&self, name: &str) -> io::Result<File> {
        let file = File::open(self.path.join(name))?;
        // kernfs tells of a change only since the last reading.
        read(&file)?;
        Ok(file)
    }

    fn set(&self, name: &str, value: &str) -> io::Result<()> {
        set(&self.path, name, value)
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Kills what a lost keeper's cgroup holds, and removes it. For a launcher.
pub(crate) fn clear_away(place: &Place, keeper: i32) {
    let path = place.parent.join(name(keeper));
    if path.exists() {
        let _ = set(&path, "cgroup.kill", "1");
        remove(&path);
    }
}

fn name(keeper: i32) -> String {
    format!("stockade-{keeper}")
}

fn set(path: &Path, name: &str, value: &str) -> io::Result<()> {
    // Never creates a file: in a directory that is no cgroup this fails.
    fs::OpenOptions::new().write(true).open(path.join(name))?.write_all(value.as_bytes())
}

/// A killed process leaves its cgroup a moment after its parent has heard of its end.
fn remove(path: &Path) {
    for _ in 0..100 {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            _ => return,
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn read(file: &File) -> io::Result<String> {
    let mut buffer = [0; 512];
    let length = file.read_at(&mut buffer, 0)?;
    Ok(String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned())
}

/// Whether processes were killed because the cgroup's own limit was reached: `oom_kill` alone counts those too that a
/// shortage of the whole machine has cost.
fn out_of_memory(events: &str) -> bool {
    count(events, "oom") > 0 && count(events, "oom_kill") > 0
}

fn count(events: &str, name: &str) -> u64 {
    let value = events.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_kill_at_the_cgroups_own_limit_is_a_hit() {
        let events = |oom, oom_kill| {
            format!("low 0\nhigh 0\nmax 17\noom {oom}\noom_kill {oom_kill}\noom_group_kill {oom_kill}\n")
        };
        assert!(out_of_memory(&events(1, 3)));
        assert!(!out_of_memory(&events(0, 3)), "the whole machine was short");
        assert!(!out_of_memory(&events(1, 0)), "nobody was killed");
        assert!(!out_of_memory(""));
    }

    #[test]
    fn limits_in_a_directory_that_is_no_cgroup_are_refused_and_leave_nothing() {
        let place = tempfile::tempdir().expect("a directory");
        let parent = place.path().to_owned();
        let controllers = super::super::place::Controllers { memory: true, pids: true };
        let place_of = Place { parent: parent.clone(), controllers };
        let bounds = Bounds { memory_bytes: Some(1 << 20), tasks: Some(3) };
        assert!(Leaf::make(&place_of, 77, bounds, Backend::Static).is_err());
        assert_eq!(fs::read_dir(&parent).expect("readable").count(), 0);
    }
}
