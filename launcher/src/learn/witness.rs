//! The ear of `learn`: keeps what is opened and executed, within bounds, whatever the server does.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use stockade_sandbox::{Access, Opened};

use crate::denials::Ear;

/// Names of one directory told apart; more of them are counted.
const NAMES_MAX: usize = 256;
/// Directories told apart.
const DIRECTORIES_MAX: usize = 8_192;
/// Bytes of all names and directories together.
const BYTES_MAX: usize = 8 << 20;
/// Programs named for one file.
const PROGRAMS_MAX: usize = 3;

/// What was seen of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// How often.
    pub(super) times: u64,
    /// By which programs; the first few.
    pub(super) by: Vec<PathBuf>,
    /// When it was told first, which is up to 20 ms after it happened.
    pub(super) first: Timestamp,
    /// Whether the file was there right after one of the times.
    pub(super) existed: bool,
}

/// All that was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Each file with how it was opened.
    pub(super) files: Vec<(PathBuf, Access, Sight)>,
    /// Directories of which more names were seen than were kept, with how they were opened.
    pub(super) crowded: Vec<(PathBuf, Access, Sight)>,
    /// What was not kept at all.
    pub(super) lost: u64,
}

/// Keeps what is opened.
#[derive(Debug, Default)]
pub struct Witness {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    directories: HashMap<PathBuf, Directory>,
    bytes: usize,
    lost: u64,
}

#[derive(Debug, Default)]
struct Directory {
    names: HashMap<(OsString, Access), Sight>,
    crowd: HashMap<Access, Sight>,
}

impl Witness {
    /// Everything since the last call.
    pub(super) fn take(&self) -> Seen {
        let book = std::mem::take(&mut *self.book());
        let mut seen = Seen { lost: book.lost, ..Seen::default() };
        for (path, directory) in book.directories {
            let crowd = directory.crowd.into_iter();
            seen.crowded.extend(crowd.map(|(access, sight)| (path.clone(), access, sight)));
            let names = directory.names.into_iter();
            seen.files.extend(names.map(|((name, access), sight)| (path.join(name), access, sight)));
        }
        // In the order in which they happened: the first line of a proposal is then the first thing that was done.
        seen.files.sort_by(|a, b| (a.2.first, &a.0).cmp(&(b.2.first, &b.0)));
        seen.crowded.sort_by(|a, b| (a.2.first, &a.0).cmp(&(b.2.first, &b.0)));
        seen
    }

    /// A panic elsewhere leaves counts that are good enough.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ear for Witness {
    fn opened(&self, opened: &Opened) {
        self.book().note(opened, Timestamp::now());
    }
}

impl Book {
    fn note(&mut self, opened: &Opened, now: Timestamp) {
        // `/` and what ends in `..` are directories, listed by their own name.
        let (dir, name) = match (opened.path.parent(), opened.path.file_name()) {
            (Some(dir), Some(name)) => (dir, name.to_owned()),
            _ => (Path::new("/"), opened.path.clone().into_os_string()),
        };
        if !self.directories.contains_key(dir) {
            if self.directories.len() >= DIRECTORIES_MAX || !self.has_room(dir.as_os_str().len()) {
                self.lost += 1;
                return;
            }
            self.bytes += dir.as_os_str().len();
            self.directories.insert(dir.to_owned(), Directory::default());
        }
        let length = name.as_bytes().len();
        let room = self.has_room(length);
        let Some(directory) = self.directories.get_mut(dir) else { return };
        let key = (name, opened.access);
        if let Some(sight) = directory.names.get_mut(&key) {
            sight.again(opened);
        } else if directory.names.len() < NAMES_MAX && room {
            self.bytes += length;
            directory.names.insert(key, Sight::of(opened, now));
        } else {
            match directory.crowd.get_mut(&opened.access) {
                Some(sight) => sight.again(opened),
                None => {
                    directory.crowd.insert(opened.access, Sight::of(opened, now));
                }
            }
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.bytes.saturating_add(bytes) <= BYTES_MAX
    }
}

impl Sight {
    fn of(opened: &Opened, first: Timestamp) -> Self {
        let by = opened.program.path.iter().cloned().collect();
        Self { times: 1, by, first, existed: opened.exists }
    }

    fn again(&mut self, opened: &Opened) {
        self.times = self.times.saturating_add(1);
        self.existed |= opened.exists;
        if let Some(program) = &opened.program.path
            && self.by.len() < PROGRAMS_MAX
            && !self.by.contains(program)
        {
            self.by.push(program.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use stockade_sandbox::Program;

    use super::*;

    fn open(path: &str) -> Opened {
        let program = Program { pid: 1, path: Some("/usr/bin/p".into()) };
        Opened { program, path: path.into(), access: Access::Read, exists: true }
    }

    #[test]
    fn the_same_file_again_is_counted_and_other_accesses_are_other_sights() {
        let witness = Witness::default();
        for path in ["/a/b", "/a/b", "/", "/a/.."] {
            witness.opened(&open(path));
        }
        witness.opened(&Opened { access: Access::ReadWrite, ..open("/a/b") });
        let seen = witness.take();
        let times = |path: &str, access| {
            let found = seen.files.iter().find(|file| file.0 == Path::new(path) && file.1 == access);
            found.map(|file| file.2.times)
        };
        assert_eq!(times("/a/b", Access::Read), Some(2));
        assert_eq!(times("/a/b", Access::ReadWrite), Some(1));
        assert_eq!(times("/", Access::Read), Some(1));
        assert!(witness.take().files.is_empty(), "it was taken");
    }

    #[test]
    fn a_hundred_thousand_names_take_bounded_room_and_crowd_out_nothing_else() {
        let witness = Witness::default();
        for n in 0..100_000 {
            witness.opened(&open(&format!("/flood/{n}")));
        }
        witness.opened(&open("/other/file"));
        let seen = witness.take();
        assert_eq!(seen.files.len(), NAMES_MAX + 1);
        assert!(seen.files.iter().any(|file| file.0 == Path::new("/other/file")));
        let crowd: Vec<_> = seen.crowded.iter().map(|(path, _, sight)| (path.clone(), sight.times)).collect();
        assert_eq!(crowd, [(PathBuf::from("/flood"), 100_000 - NAMES_MAX as u64)]);
    }

    #[test]
    fn directories_without_end_are_counted_as_lost() {
        let witness = Witness::default();
        let name = "x".repeat(200);
        for n in 0..DIRECTORIES_MAX + 10 {
            witness.opened(&open(&format!("/flood{n}/{name}")));
        }
        let bytes = witness.book().bytes;
        assert!(bytes <= BYTES_MAX, "{bytes}");
        assert_eq!(witness.take().lost, 10);
    }
}
