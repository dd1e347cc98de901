//! Where a login goes in a server's private directories. The server writes there itself, and may be running now: no name on
//! the way is followed if it is a link, so that it cannot have us write elsewhere, and what it has there is kept.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{LinkatFlags, UnlinkatFlags, linkat, symlinkat, unlinkat};

use super::tree::{Place, Survey, Unfit};

const PRIVATE_DIR: Mode = Mode::S_IRWXU;

/// A name in a private directory.
#[derive(Debug)]
pub(crate) struct Goal {
    dir: OwnedFd,
    name: OsString,
}

/// What stands at a goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing.
    Free,
    /// A link that leads there.
    Link(PathBuf),
    /// A directory or a file, and what is in it as far as that can be told.
    Taken(Survey),
}

impl Goal {
    /// The goal `below` a private directory; what is missing on the way is made.
    ///
    /// # Errors
    /// When a name on the way is a link, or nothing can be made there.
    pub(crate) fn open(base: &Path, below: &Path) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut dir = openat(AT_FDCWD, base, flags, Mode::empty())?;
        let name = below.file_name().ok_or(Errno::EINVAL)?.to_owned();
        for part in below.parent().into_iter().flat_map(Path::components) {
            match mkdirat(&dir, part.as_os_str(), PRIVATE_DIR) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(error) => return Err(error.into()),
            }
            dir = openat(&dir, part.as_os_str(), flags, Mode::empty())?;
        }
        Ok(Self { dir, name })
    }

    /// What stands there.
    ///
    /// # Errors
    /// When that cannot be told.
    pub(crate) fn standing(&self) -> io::Result<Standing> {
        let facts = match fstatat(&self.dir, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(facts) => facts,
            Err(Errno::ENOENT) => return Ok(Standing::Free),
            Err(error) => return Err(error.into()),
        };
        if SFlag::from_bits_truncate(facts.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK {
            return Ok(Standing::Link(readlinkat(&self.dir, self.name.as_os_str())?.into()));
        }
        let found = Place::below(self.dir.as_fd(), &self.name).and_then(|place| place.survey(&[]));
        // What is too large, or no file, is there all the same.
        Ok(Standing::Taken(found.unwrap_or_else(|_: Unfit| Survey::default())))
    }

    /// Puts what lies under `name` in `staging` there. What stands there is given the name `aside`.
    ///
    /// # Errors
    /// When it cannot be moved, or the server has put something there meanwhile.
    pub(crate) fn put(&self, staging: BorrowedFd<'_>, name: &OsStr, aside: &OsStr) -> io::Result<()> {
        self.set_aside(aside)?;
        let facts = fstatat(staging, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        if SFlag::from_bits_truncate(facts.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR {
            // A directory replaces none but an empty one (rename(2)).
            return Ok(renameat(staging, name, &self.dir, self.name.as_os_str())?);
        }
        // Where rename(2) would replace a file, link(2) fails.
        linkat(staging, name, &self.dir, self.name.as_os_str(), LinkatFlags::empty())?;
        Ok(unlinkat(staging, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Puts a link there that leads to `target`. What stands there is given the name `aside`.
    ///
    /// # Errors
    /// As for [`Goal::put`].
    pub(crate) fn link(&self, target: &Path, aside: &OsStr) -> io::Result<()> {
        self.set_aside(aside)?;
        Ok(symlinkat(target, &self.dir, self.name.as_os_str())?)
    }

    /// Removes what stands there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match unlinkat(&self.dir, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            // The standard library removes trees by descriptors, and follows no link in them.
            Err(Errno::EISDIR) => std::fs::remove_dir_all(
                Path::new("/proc/self/fd").join(self.dir.as_raw_fd().to_string()).join(&self.name),
            ),
            Err(error) => Err(error.into()),
        }
    }

    fn set_aside(&self, aside: &OsStr) -> io::Result<()> {
        match renameat(&self.dir, self.name.as_os_str(), &self.dir, aside) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_the_server_has_there_is_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["home/.x", "staging/new"] {
            std::fs::create_dir_all(at(name)).unwrap();
            std::fs::write(at(name).join("token"), name).unwrap();
        }
        std::fs::write(at("staging/file"), "new").unwrap();
        let staging = std::fs::File::open(at("staging")).unwrap();
        let goal = Goal::open(&at("home"), Path::new(".x")).unwrap();
        let Standing::Taken(found) = goal.standing().unwrap() else { panic!("something is there") };
        assert_eq!((found.files, found.bytes), (1, 7));
        goal.put(staging.as_fd(), OsStr::new("new"), OsStr::new(".x.before")).unwrap();
        assert_eq!(text(&at("home/.x/token")), "staging/new");
        assert_eq!(text(&at("home/.x.before/token")), "home/.x");
        let deep = Goal::open(&at("home"), Path::new("a/b/file")).unwrap();
        assert_eq!(deep.standing().unwrap(), Standing::Free);
        deep.put(staging.as_fd(), OsStr::new("file"), OsStr::new("file.before")).unwrap();
        assert_eq!(text(&at("home/a/b/file")), "new");
        deep.remove().unwrap();
        goal.remove().unwrap();
        assert!(!at("home/a/b/file").exists() && !at("home/.x").exists());
    }

    #[test]
    fn a_link_of_the_servers_own_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["home", "ssh", "staging/new"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        std::fs::write(at("ssh/id"), "the key").unwrap();
        std::os::unix::fs::symlink(at("ssh"), at("home/.config")).unwrap();
        // Positive control: a program that follows links would write there.
        assert!(at("home/.config/id").exists());
        assert!(Goal::open(&at("home"), Path::new(".config/x")).is_err());
        assert!(Goal::open(&at("home/.config"), Path::new("x")).is_err());
        let goal = Goal::open(&at("home"), Path::new(".config")).unwrap();
        assert_eq!(goal.standing().unwrap(), Standing::Link(at("ssh")));
        let staging = std::fs::File::open(at("staging")).unwrap();
        goal.put(staging.as_fd(), OsStr::new("new"), OsStr::new("aside")).unwrap();
        assert!(at("home/.config").symlink_metadata().unwrap().is_dir());
        std::os::unix::fs::symlink(at("ssh"), at("home/.config/inner")).unwrap();
        goal.remove().unwrap();
        assert_eq!(text(&at("ssh/id")), "the key");
    }
}
