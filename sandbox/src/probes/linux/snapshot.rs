//! What a directory was, so that a change can be told.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::sys::{Arg, call};

/// Everything below a directory, itself included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<PathBuf, Entry>);

/// All of a file but the time of its last reading.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    owner: (u32, u32),
    links: u64,
    changed: (i64, i64),
    holds: Vec<u8>,
    attributes: Vec<u8>,
}

impl Snapshot {
    pub(super) fn of(dirs: &[PathBuf]) -> Self {
        let mut entries = BTreeMap::new();
        for dir in dirs {
            look(dir, &mut entries);
        }
        Self(entries)
    }

    /// What is different, if anything.
    pub(super) fn difference(&self, after: &Self) -> Option<String> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for (path, before) in &self.0 {
            match after.0.get(path) {
                None => return Some(format!("{} is gone", name(path))),
                Some(now) if now.holds != before.holds => {
                    return Some(format!("{} was written to", name(path)));
                }
                Some(now) if now.mode != before.mode => {
                    return Some(format!("{} has mode {:o}", name(path), now.mode & 0o7777));
                }
                Some(now) if now.owner != before.owner => {
                    return Some(format!("{} has another owner", name(path)));
                }
                Some(now) if now.attributes != before.attributes => {
                    return Some(format!("{} has other extended attributes", name(path)));
                }
                Some(now) if now.links != before.links => {
                    return Some(format!("{} has another number of links", name(path)));
                }
                Some(now) if now.changed != before.changed => {
                    return Some(format!("{} has other times", name(path)));
                }
                Some(_) => {}
            }
        }
        let new = after.0.keys().find(|path| !self.0.contains_key(*path))?;
        Some(format!("{} is new", name(new)))
    }
}

fn look(path: &Path, entries: &mut BTreeMap<PathBuf, Entry>) {
    let Ok(facts) = fs::symlink_metadata(path) else { return };
    let kind = facts.file_type();
    let holds = if kind.is_file() {
        fs::read(path).unwrap_or_default()
    } else if kind.is_symlink() {
        fs::read_link(path).map(|to| to.as_os_str().as_bytes().to_vec()).unwrap_or_default()
    } else {
        Vec::new()
    };
    let entry = Entry {
        mode: facts.mode(),
        owner: (facts.uid(), facts.gid()),
        links: facts.nlink(),
        changed: (facts.mtime(), facts.mtime_nsec()),
        holds,
        attributes: attribute(path),
    };
    entries.insert(path.to_owned(), entry);
    if kind.is_dir() {
        for child in fs::read_dir(path).into_iter().flatten().flatten() {
            look(&child.path(), entries);
        }
    }
}

/// The attribute that the probes read and write.
fn attribute(path: &Path) -> Vec<u8> {
    let mut value = vec![0; 256];
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return Vec::new() };
    let length = i64::try_from(value.len()).unwrap_or(0);
    let arguments =
        [Arg::Text(&path), Arg::Text(super::scene::ATTRIBUTE), Arg::Out(&mut value), Arg::Int(length)];
    match call(libc::SYS_lgetxattr, arguments) {
        Ok(length) => value.truncate(usize::try_from(length).unwrap_or(0)),
        Err(_) => value.clear(),
    }
    value
}
