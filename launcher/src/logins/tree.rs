//! What lies in the place of a login, and a copy of it. Nothing leads out of the place: every name is opened below the
//! directory that was opened before it, and no link is followed (openat(2) with O_NOFOLLOW), so that what somebody exchanges
//! meanwhile is left out. Pipes, sockets and devices are never opened.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};

/// Entries of one place: a login is a handful of files, a browser's profile some hundreds.
const ENTRIES_MAX: usize = 5_000;
/// Bytes of one place.
const BYTES_MAX: u64 = 64 << 20;
/// Directories inside of each other.
const DEPTH_MAX: usize = 16;

const PRIVATE_DIR: Mode = Mode::S_IRWXU;
const PRIVATE_FILE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// A place that was opened: what is said of it and what is copied of it are of one and the same directory or file.
#[derive(Debug)]
pub(crate) struct Place {
    root: OwnedFd,
    facts: FileStat,
}

/// What lies in a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Ordinary files.
    pub(crate) files: usize,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// When the newest of them was written.
    pub(crate) newest: Option<SystemTime>,
    /// What is not copied, and what it is.
    pub(crate) left_out: Vec<(PathBuf, &'static str)>,
}

/// Why nothing of a place is copied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// It cannot be opened.
    #[error("it cannot be opened")]
    Open(#[source] io::Error),
    /// A pipe, a socket, a device, a link.
    #[error("it is neither a directory nor an ordinary file")]
    Special,
    /// Too many entries.
    #[error("more than {ENTRIES_MAX} files and directories lie there")]
    TooMany,
    /// Too many bytes.
    #[error("more than {} MiB lie there, {} among them", BYTES_MAX >> 20, .0.display())]
    TooLarge(PathBuf),
    /// Too deep.
    #[error("directories lie more than {DEPTH_MAX} deep there")]
    TooDeep,
    /// The copy cannot be written, or a file of the place not be read to its end.
    #[error("`{}` cannot be copied", .0.display())]
    Copy(PathBuf, #[source] io::Error),
}

impl Place {
    /// Opens what stands under a name of a directory. A link is none.
    ///
    /// # Errors
    /// When it is not there, cannot be opened, or is neither a directory nor an ordinary file.
    pub(crate) fn below(dir: BorrowedFd<'_>, name: &OsStr) -> Result<Self, Unfit> {
        let open = |error: Errno| Unfit::Open(error.into());
        let before = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(open)?;
        if !matches!(kind(&before), SFlag::S_IFDIR | SFlag::S_IFREG) {
            return Err(Unfit::Special);
        }
        let root = openat(dir, name, reading(), Mode::empty()).map_err(open)?;
        let facts = fstat(&root).map_err(open)?;
        match kind(&facts) {
            SFlag::S_IFDIR | SFlag::S_IFREG => Ok(Self { root, facts }),
            _ => Err(Unfit::Special),
        }
    }

    /// What lies there; of a directory, only these parts of it if there are any.
    ///
    /// # Errors
    /// When it is more than may be copied.
    pub(crate) fn survey(&self, only: &[&str]) -> Result<Survey, Unfit> {
        self.walk(only, None)
    }

    /// Copies it into a directory, under a name that is not there yet: directories 0700, files 0600, on disk when this
    /// returns.
    ///
    /// # Errors
    /// When it is more than may be copied, or cannot be written. What was copied by then stays, for the caller to remove.
    pub(crate) fn copy(&self, only: &[&str], into: BorrowedFd<'_>, name: &OsStr) -> Result<Survey, Unfit> {
        self.walk(only, Some((into, name)))
    }

    fn walk(&self, only: &[&str], into: Option<(BorrowedFd<'_>, &OsStr)>) -> Result<Survey, Unfit> {
        let mut walk = Walk { found: Survey::default(), device: self.facts.st_dev, entries: 0 };
        if kind(&self.facts) == SFlag::S_IFREG {
            let name = into.map_or(OsStr::new(""), |(_, name)| name);
            let file = self.root.try_clone().map(File::from).map_err(Unfit::Open)?;
            walk.file(file, into.map(|(dir, _)| dir), Path::new(name))?;
            return Ok(walk.found);
        }
        let target = match into {
            Some((dir, name)) => Some(made(dir, name, Path::new(name))?),
            None => None,
        };
        let target = target.as_ref().map(AsFd::as_fd);
        if only.is_empty() {
            walk.directory(self.root.as_fd(), target, Path::new(""), 0)?;
        }
        for part in only {
            walk.part(self.root.as_fd(), target, Path::new(part))?;
        }
        Ok(walk.found)
    }
}

struct Walk {
    found: Survey,
    /// What is mounted below the place is not part of it.
    device: u64,
    entries: usize,
}

/// What stands under a name.
enum Entry {
    Gone,
    File(File),
    Directory(OwnedFd),
}

impl Walk {
    fn directory(
        &mut self,
        source: BorrowedFd<'_>,
        target: Option<BorrowedFd<'_>>,
        at: &Path,
        depth: usize,
    ) -> Result<(), Unfit> {
        if depth > DEPTH_MAX {
            return Err(Unfit::TooDeep);
        }
        match names(source, ENTRIES_MAX.saturating_sub(self.entries) + 1) {
            Ok(names) => names.iter().try_for_each(|name| self.entry(source, target, &at.join(name), depth)),
            Err(_) => {
                self.leave_out(at, "cannot be read");
                Ok(())
            }
        }
    }

    /// One part of a directory, by its path below it.
    fn part(
        &mut self,
        source: BorrowedFd<'_>,
        target: Option<BorrowedFd<'_>>,
        part: &Path,
    ) -> Result<(), Unfit> {
        let mut at = PathBuf::new();
        let mut held: Option<(OwnedFd, Option<OwnedFd>)> = None;
        let mut names = part.components().peekable();
        while let Some(Component::Normal(name)) = names.next() {
            at.push(name);
            let (from, to) = match &held {
                Some((from, to)) => (from.as_fd(), to.as_ref().map(AsFd::as_fd)),
                None => (source, target),
            };
            if names.peek().is_none() {
                return self.entry(from, to, &at, 0);
            }
            let inner = match openat(from, name, reading() | OFlag::O_DIRECTORY, Mode::empty()) {
                Ok(inner) => inner,
                Err(Errno::ENOENT) => return Ok(()),
                Err(_) => {
                    self.leave_out(&at, "no directory that can be entered");
                    return Ok(());
                }
            };
            let to = match to {
                Some(to) => Some(made(to, name, &at)?),
                None => None,
            };
            held = Some((inner, to));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        source: BorrowedFd<'_>,
        target: Option<BorrowedFd<'_>>,
        at: &Path,
        depth: usize,
    ) -> Result<(), Unfit> {
        let Some(name) = at.file_name() else { return Ok(()) };
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            return Err(Unfit::TooMany);
        }
        let found = match self.open(source, name) {
            Ok(found) => found,
            Err(what) => {
                self.leave_out(at, what);
                return Ok(());
            }
        };
        match found {
            Entry::Gone => Ok(()),
            Entry::File(file) => self.file(file, target, at),
            Entry::Directory(dir) => {
                let inner = match target {
                    Some(target) => Some(made(target, name, at)?),
                    None => None,
                };
                self.directory(dir.as_fd(), inner.as_ref().map(AsFd::as_fd), at, depth + 1)
            }
        }
    }

    /// What stands under a name, opened; or what it is, if that is left out.
    fn open(&self, source: BorrowedFd<'_>, name: &OsStr) -> Result<Entry, &'static str> {
        let before = match fstatat(source, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(facts) => facts,
            // A cache that was tidied, or a part that this user does not have.
            Err(Errno::ENOENT) => return Ok(Entry::Gone),
            Err(_) => return Err("cannot be looked at"),
        };
        match kind(&before) {
            SFlag::S_IFDIR | SFlag::S_IFREG => {}
            SFlag::S_IFLNK => return Err("a link"),
            SFlag::S_IFIFO => return Err("a pipe"),
            SFlag::S_IFSOCK => return Err("a socket"),
            _ => return Err("a device"),
        }
        let found = match openat(source, name, reading(), Mode::empty()) {
            Ok(found) => found,
            Err(Errno::EACCES) => return Err("cannot be read"),
            Err(_) => return Err("changed meanwhile"),
        };
        // Asked of what was opened: what stands at the name may have been exchanged since.
        let facts = fstat(&found).map_err(|_| "cannot be looked at")?;
        match kind(&facts) {
            _ if facts.st_dev != self.device => Err("on another file system"),
            SFlag::S_IFREG => Ok(Entry::File(File::from(found))),
            SFlag::S_IFDIR => Ok(Entry::Directory(found)),
            _ => Err("changed meanwhile"),
        }
    }

    fn file(&mut self, mut file: File, target: Option<BorrowedFd<'_>>, at: &Path) -> Result<(), Unfit> {
        let failed = |error: io::Error| Unfit::Copy(at.to_owned(), error);
        let facts = file.metadata().map_err(failed)?;
        let left = BYTES_MAX - self.found.bytes;
        if facts.len() > left {
            return Err(Unfit::TooLarge(at.to_owned()));
        }
        let written = facts.modified().ok();
        let mut bytes = facts.len();
        if let (Some(target), Some(name)) = (target, at.file_name()) {
            let flags =
                OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let copy = openat(target, name, flags, PRIVATE_FILE).map_err(|error| failed(error.into()))?;
            let mut copy = File::from(copy);
            file.rewind().map_err(failed)?;
            // It may have grown since it was looked at.
            bytes = io::copy(&mut file.take(left + 1), &mut copy).map_err(failed)?;
            if bytes > left {
                return Err(Unfit::TooLarge(at.to_owned()));
            }
            if let Some(written) = written {
                copy.set_modified(written).map_err(failed)?;
            }
            copy.sync_all().map_err(failed)?;
        }
        self.found.files += 1;
        self.found.bytes += bytes;
        self.found.newest = self.found.newest.max(written);
        Ok(())
    }

    fn leave_out(&mut self, at: &Path, what: &'static str) {
        self.found.left_out.push((at.to_owned(), what));
    }
}

/// How long ago that was, in the largest unit.
pub(crate) fn age(then: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(then).unwrap_or(Duration::ZERO).as_secs();
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// For what is read: no link is followed, a pipe does not make us wait, a terminal does not become ours.
fn reading() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC
}

fn kind(facts: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(facts.st_mode) & SFlag::S_IFMT
}

/// Names in a directory, in their order.
fn names(dir: BorrowedFd<'_>, most: usize) -> io::Result<Vec<OsString>> {
    // By way of the descriptor: the directory may stand under another name by now.
    let listed = std::fs::read_dir(format!("/proc/self/fd/{}", dir.as_raw_fd()))?;
    let mut names = Vec::new();
    for entry in listed.take(most) {
        names.push(entry?.file_name());
    }
    names.sort();
    Ok(names)
}

/// A directory of the copy, made if it is not there yet.
fn made(dir: BorrowedFd<'_>, name: &OsStr, at: &Path) -> Result<OwnedFd, Unfit> {
    let failed = |error: Errno| Unfit::Copy(at.to_owned(), error.into());
    match mkdirat(dir, name, PRIVATE_DIR) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(failed(error)),
    }
    openat(dir, name, reading() | OFlag::O_DIRECTORY, Mode::empty()).map_err(failed)
}

#[cfg(test)]
mod tests;
