//! Where a cgroup of our own can stand: text in, a path out.
//!
//! cgroups(7), cgroup-v2.rst: a process may be moved between two cgroups by who may write to `cgroup.procs` of their
//! common ancestor. An ordinary user owns such a subtree below `user@UID.service`, in which everything runs that the
//! user's systemd has started.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::Held;

/// A cgroup below which another one can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) parent: PathBuf,
    pub(crate) controllers: Controllers,
}

/// Those that a child of a cgroup has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Controllers {
    pub(crate) memory: bool,
    pub(crate) pids: bool,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// cgroup v2 is not mounted, or does not show us.
    NotMounted,
    /// The memory controller belongs to version 1 here, or is off.
    NoController,
    /// No cgroup above us is ours to divide.
    NotOurs,
}

/// The nearest place with the memory controller, looked for among the cgroups above us.
pub(crate) fn find() -> Result<Place, NoPlace> {
    let text = |path| fs::read_to_string(path).map_err(|_| NoPlace::NotMounted);
    let own = text("/proc/self/cgroup")?;
    let mounts = text("/proc/self/mountinfo")?;
    let (point, directory) = own_directory(&own, &mounts).ok_or(NoPlace::NotMounted)?;
    for parent in directory.ancestors().take_while(|path| path.starts_with(&point)) {
        let given = fs::read_to_string(parent.join("cgroup.subtree_control")).unwrap_or_default();
        let controllers = Controllers::listed(&given);
        if controllers.memory && may_divide(parent) {
            return Ok(Place { parent: parent.to_owned(), controllers });
        }
    }
    // The root of what we see: what it does not have, nobody below it can get.
    let offered = fs::read_to_string(point.join("cgroup.controllers")).unwrap_or_default();
    Err(if Controllers::listed(&offered).memory { NoPlace::NotOurs } else { NoPlace::NoController })
}

impl Place {
    /// What a cgroup there would bound.
    pub(crate) fn offers(&self) -> Held {
        Held { memory: self.controllers.memory, tasks: self.controllers.pids }
    }
}

impl Controllers {
    /// From `cgroup.controllers` or `cgroup.subtree_control`.
    fn listed(text: &str) -> Self {
        let has = |name| text.split_ascii_whitespace().any(|word| word == name);
        Self { memory: has("memory"), pids: has("pids") }
    }
}

/// Making a cgroup in it, and moving a process from our own one (below it) into that.
fn may_divide(parent: &Path) -> bool {
    let enter = AccessFlags::W_OK | AccessFlags::X_OK;
    access(parent, enter).is_ok() && access(&parent.join("cgroup.procs"), AccessFlags::W_OK).is_ok()
}

/// The mount point of cgroup v2 and our own cgroup below it, from /proc/self/cgroup and /proc/self/mountinfo.
fn own_directory(cgroup: &str, mountinfo: &str) -> Option<(PathBuf, PathBuf)> {
    // Version 2 is hierarchy 0 and names no controllers. The kernel marks a removed one; `..` leads out of what our
    // cgroup namespace shows.
    let own = Path::new(cgroup.lines().find_map(|line| line.strip_prefix("0::"))?);
    let lost = cgroup.lines().any(|line| line.starts_with("0::") && line.ends_with(" (deleted)"));
    if lost || own.components().any(|part| part == std::path::Component::ParentDir) {
        return None;
    }
    mountinfo.lines().filter_map(cgroup2_mount).find_map(|(root, point)| {
        let below = own.strip_prefix(&root).ok()?;
        let directory = if below.as_os_str().is_empty() { point.clone() } else { point.join(below) };
        Some((point, directory))
    })
}

/// Root and mount point of a line that mounts cgroup v2. proc_pid_mountinfo(5): `36 35 0:41 ROOT POINT options [fields] -
/// TYPE source options`
fn cgroup2_mount(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (mount, filesystem) = line.split_once(" - ")?;
    if filesystem.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    Some((unescaped(fields.next()?), unescaped(fields.next()?)))
}

/// Space, tab, line end and backslash are written as three octal digits.
fn unescaped(field: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

    fn directory(cgroup: &str, mountinfo: &str) -> Option<String> {
        own_directory(cgroup, mountinfo).map(|(_, path)| path.to_str().expect("text").to_owned())
    }

    #[test]
    fn our_cgroup_is_found_below_the_mount() {
        let scope = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope\n";
        let expected = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope";
        assert_eq!(directory(scope, MOUNT).as_deref(), Some(expected));
        assert_eq!(directory("0::/\n", MOUNT).as_deref(), Some("/sys/fs/cgroup"));
        let hybrid = "4:memory:/a\n1:name=systemd:/b\n0::/c\n";
        let mounts = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(directory(hybrid, mounts).as_deref(), Some("/sys/fs/cgroup/unified/c"));
    }

    #[test]
    fn a_container_that_sees_a_part_of_the_hierarchy_is_understood() {
        let mounts = "30 23 0:26 /docker/abc /sys/fs/cgroup ro shared:9 master:3 - cgroup2 cgroup rw\n";
        assert_eq!(directory("0::/docker/abc\n", mounts).as_deref(), Some("/sys/fs/cgroup"));
        assert_eq!(directory("0::/docker/abc/x\n", mounts).as_deref(), Some("/sys/fs/cgroup/x"));
        assert_eq!(directory("0::/elsewhere\n", mounts), None);
        assert_eq!(directory("0::/docker/abcd\n", mounts), None);
    }

    #[test]
    fn what_is_not_cgroup_2_or_leads_out_is_no_place() {
        assert_eq!(directory("4:memory:/a\n", MOUNT), None);
        assert_eq!(directory("0::/../x\n", MOUNT), None);
        assert_eq!(directory("0::/x (deleted)\n", MOUNT), None);
        assert_eq!(directory("0::/x\n", "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"), None);
        assert_eq!(directory("0::/x\n", "garbage\n - cgroup2\n"), None);
        assert_eq!(directory("", ""), None);
    }

    #[test]
    fn a_mount_point_with_a_space_is_read() {
        let mounts = "30 23 0:26 / /my\\040cgroups rw - cgroup2 cgroup2 rw\n";
        assert_eq!(directory("0::/x\n", mounts).as_deref(), Some("/my cgroups/x"));
        assert_eq!(unescaped("\\134end\\"), Path::new("\\end\\"));
    }

    #[test]
    fn controllers_are_whole_words() {
        let listed = Controllers::listed("cpuset cpu io memory hugetlb pids\n");
        assert_eq!(listed, Controllers { memory: true, pids: true });
        assert_eq!(Controllers::listed("memory_pids xmemory"), Controllers::default());
    }
}
