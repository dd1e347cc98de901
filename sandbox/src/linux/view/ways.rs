//! Links on the way to what is shown, the directory that a server starts in, and the names of /etc/hosts.
//!
//! What is granted is granted where it really is. A program and its arguments may name it by another way, which worked
//! as long as the host's own tree was there to be walked; so the links on those ways are made again.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::unistd::{AccessFlags, access, symlinkat};

use super::devices::{HOSTS, RESOLV};
use super::stage::{Leaf, Stage};
use super::sys::{self, Depth};

/// path_resolution(7)
const LINKS_MAX: usize = 40;

/// What may be paths in arguments: words with a slash in them, and what follows the first `=` of one.
pub(crate) fn paths_in(cwd: &Path, arguments: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let is_path = |word: &&[u8]| word.contains(&b'/');
    let mut paths = Vec::new();
    for argument in arguments {
        let word = argument.as_os_str().as_bytes();
        let value = word.splitn(2, |byte| *byte == b'=').nth(1);
        for word in [word].into_iter().chain(value).filter(is_path) {
            paths.push(cwd.join(OsStr::from_bytes(word)));
        }
    }
    paths
}

/// Makes the links of a directory again. A name that is taken is left alone.
pub(super) fn links_of(directory: &Path, copy: BorrowedFd<'_>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_symlink())
            && let Ok(target) = fs::read_link(entry.path())
        {
            let _ = symlinkat(&target, copy, entry.file_name().as_os_str());
        }
    }
}

/// Makes the links on the way to `path` again, as far as they lie in places that are not shown. Where it really is.
pub(super) fn show_links(stage: &Stage, path: &Path) -> Option<PathBuf> {
    let mut here = PathBuf::from("/");
    let mut left: VecDeque<OsString> = names(path);
    let mut links = 0;
    while let Some(name) = left.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        if next.starts_with("/proc") || next.starts_with("/dev") {
            return None;
        }
        if !fs::symlink_metadata(&next).ok()?.is_symlink() {
            here = next;
            continue;
        }
        links += 1;
        let target = fs::read_link(&next).ok().filter(|_| links <= LINKS_MAX)?;
        link(stage, &here, &name, &target);
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        for name in names(&target).into_iter().rev() {
            left.push_front(name);
        }
    }
    Some(here)
}

fn names(path: &Path) -> VecDeque<OsString> {
    let named = |name: &Component<'_>| matches!(name, Component::Normal(_) | Component::ParentDir);
    path.components().filter(named).map(|name| name.as_os_str().to_owned()).collect()
}

/// In a directory of our own alone; in one that is shown the link is there already.
fn link(stage: &Stage, directory: &Path, name: &OsStr, target: &Path) {
    if let Ok(directory) = stage.place(directory, Leaf::Directory)
        && stage.is_own(&directory).unwrap_or(false)
    {
        let _ = symlinkat(target, &directory, name);
    }
}

/// Makes sure that a directory can be changed to, empty if it is not granted. One that isn't there on the host, or that
/// may not be entered, is left to fail.
pub(super) fn show_directory(stage: &Stage, path: &Path) {
    let Some(path) = show_links(stage, path) else { return };
    if path.is_dir() && access(&path, AccessFlags::X_OK).is_ok() {
        // What can't be made stands in something that is shown, and is there.
        let _ = stage.place(&path, Leaf::Directory);
    }
}

/// What the server's resolver is to read: who is asked, and nothing that makes it ask for other names than the program does.
/// Those are granted nowhere and say nothing about it. Empty if the host has no such file.
pub(super) fn own_resolv() -> String {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_else(|_| String::new());
    without_search(&text)
}

/// resolv.conf(5)
fn without_search(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("search" | "domain") => {}
            Some("options") => {
                let kept: Vec<&str> = words.filter(|word| !word.starts_with("ndots")).collect();
                if !kept.is_empty() {
                    out.push_str(&format!("options {}\n", kept.join(" ")));
                }
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

/// Shows names of our own in place of the host's /etc/hosts, and name servers without a search list, if those are shown.
pub(super) fn own_names(stage: &Stage) -> io::Result<()> {
    own_copy(stage, "/etc/hosts", HOSTS)?;
    own_copy(stage, "/etc/resolv.conf", RESOLV)
}

fn own_copy(stage: &Stage, path: &str, own: &str) -> io::Result<()> {
    let Ok(path) = fs::canonicalize(path) else { return Ok(()) };
    let Ok(place) = stage.look(&path) else { return Ok(()) };
    let own = stage.look(own.as_ref())?;
    let copy = sys::copy_of(own.as_fd(), Depth::One)?;
    let attributes = sys::ATTR_RDONLY | sys::ATTR_NOSUID | sys::ATTR_NODEV | sys::ATTR_NOEXEC;
    sys::restrict(copy.as_fd(), attributes, Depth::One)?;
    sys::mount_on(copy.as_fd(), place.as_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_resolver_ask_for_other_names_is_left_out() {
        let text = "# by hand\nnameserver 10.0.0.1\nsearch corp.example lan\ndomain\tlan\noptions ndots:5 edns0 timeout:1\n\
                    options ndots:2\nnameserver fd00::1\n";
        let expected = "# by hand\nnameserver 10.0.0.1\noptions edns0 timeout:1\nnameserver fd00::1\n";
        assert_eq!(without_search(text), expected);
        assert_eq!(without_search(""), "");
    }
}
