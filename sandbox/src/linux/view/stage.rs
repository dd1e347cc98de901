//! The root that a view is built in, and the mount points made in it on the way to what is shown.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::mount::{MntFlags, umount2};
use nix::sys::stat::{Mode as FileMode, mkdirat};
use nix::unistd::{chdir, fchdir, pivot_root};

use super::mask;
use super::plan::{Grain, Holes, Mode};
use super::sys::{self, ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY, Depth};
use super::ways;
use crate::Closed;
use crate::os::landlock::{AS_IT_IS, is_unreachable, open};

/// A view that is not entered yet.
#[derive(Debug)]
pub(super) struct Stage {
    root: OwnedFd,
    grain: Grain,
    /// Device numbers of file systems of our own: mount points are made there alone, never in what is the host's.
    made: Vec<u64>,
    /// Mounts of our own, read-only once everything stands.
    own: Vec<OwnedFd>,
    scratch: Option<Scratch>,
}

#[derive(Debug)]
struct Scratch {
    directory: PathBuf,
    /// Where it is shown.
    places: Vec<PathBuf>,
}

/// What stands at the end of a way that has to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    Directory,
    File,
}

/// Of every mount in a view, but for granted devices.
const ALWAYS: u64 = ATTR_NOSUID | ATTR_NODEV;

fn attributes(mode: Mode) -> u64 {
    ALWAYS
        | match mode {
            Mode::Read => ATTR_RDONLY | ATTR_NOEXEC,
            Mode::Execute => ATTR_RDONLY,
            Mode::Write => ATTR_NOEXEC,
            Mode::WriteExecute => 0,
        }
}

impl Stage {
    /// An empty root, or the host's as it was granted, mounted over the host's: only this stage has a way to it.
    pub(super) fn new(whole: Option<Mode>, grain: Grain, scratch: Option<&Path>) -> io::Result<Self> {
        let host = open("/".as_ref())?;
        let root = match whole {
            Some(mode) => {
                let copy = sys::copy_of(host.as_fd(), Depth::All)?;
                sys::restrict(copy.as_fd(), attributes(mode), Depth::All)?;
                copy
            }
            None => sys::new_filesystem(c"tmpfs", &[(c"mode", c"0755")], ALWAYS | ATTR_NOEXEC)?,
        };
        sys::mount_on(root.as_fd(), host.as_fd())?;
        let made = if whole.is_none() { vec![device(root.as_fd())?] } else { Vec::new() };
        let scratch =
            scratch.map(|directory| Scratch { directory: directory.to_owned(), places: Vec::new() });
        let mut stage = Self { root: root.try_clone()?, grain, made, own: Vec::new(), scratch };
        if whole.is_none() {
            stage.own.push(root);
        }
        Ok(stage)
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// What stands there in the view.
    pub(super) fn look(&self, path: &Path) -> io::Result<File> {
        mask::walk_below(self.root(), path)
    }

    /// Shows a place of the host's. One that isn't there, or lies behind a link, is not shown.
    pub(super) fn bind(&mut self, path: &Path, mode: Mode) -> io::Result<()> {
        self.show(path, path, attributes(mode))
    }

    /// As [`Stage::bind`], for a device that was granted by name.
    pub(super) fn bind_device(&mut self, path: &Path) -> io::Result<()> {
        self.show(path, path, ATTR_NOSUID | ATTR_NOEXEC)
    }

    /// Shows the server's directory for temporary files.
    pub(super) fn scratch(&mut self, path: &Path) -> io::Result<()> {
        let Some(scratch) = &mut self.scratch else { return Ok(()) };
        scratch.places.push(path.to_owned());
        let directory = scratch.directory.clone();
        open(&directory)?; // It is the launcher's mistake if it isn't there.
        self.show(&directory, path, attributes(Mode::Write))
    }

    fn show(&mut self, from: &Path, to: &Path, attributes: u64) -> io::Result<()> {
        let source = match open(from) {
            Ok(source) => source,
            Err(error) if is_unreachable(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let leaf = if source.metadata()?.is_dir() { Leaf::Directory } else { Leaf::File };
        let place = match self.place(to, leaf) {
            Ok(place) => place,
            // Something else stands in the way, where a server may write: what it has there is its own.
            Err(error) if is_unreachable(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let copy = sys::copy_of(source.as_fd(), Depth::All)?;
        sys::restrict(copy.as_fd(), attributes, Depth::All)?;
        match sys::mount_on(copy.as_fd(), place.as_fd()) {
            // A file where a directory is needed, or the other way round: as above.
            Err(error) if error.raw_os_error() == Some(libc::ENOTDIR) => Ok(()),
            other => other,
        }
    }

    /// Takes over a mount of this namespace's own that stands at the same path of the host's tree.
    pub(super) fn take(&mut self, path: &Path, mode: Mode) -> io::Result<()> {
        let mount = open(path)?;
        let place = self.place(path, Leaf::Directory)?;
        sys::restrict(mount.as_fd(), attributes(mode), Depth::One)?;
        sys::mount_on(mount.as_fd(), place.as_fd())
    }

    /// Mounts a file system of our own.
    pub(super) fn add(&mut self, mount: OwnedFd, path: &Path, keeping: Keeping) -> io::Result<()> {
        let place = self.place(path, Leaf::Directory)?;
        sys::mount_on(mount.as_fd(), place.as_fd())?;
        if keeping == Keeping::ReadOnly {
            self.made.push(device(mount.as_fd())?);
            self.own.push(mount);
        }
        Ok(())
    }

    /// Masks a place, if it is there.
    pub(super) fn close(&mut self, path: &Path, closed: Closed, holes: Holes) -> io::Result<()> {
        if closed == Closed::ForWriting || holes == Holes::None {
            return mask::close(self.root(), path, closed);
        }
        match self.look(path) {
            Ok(place) if place.metadata()?.is_dir() => {
                let mask = sys::new_filesystem(c"tmpfs", &[(c"mode", c"0111")], ALWAYS | ATTR_NOEXEC)?;
                self.add(mask, path, Keeping::ReadOnly)
            }
            _ => mask::close(self.root(), path, closed),
        }
    }

    /// Opens a place of the view; what is missing on the way is made, in file systems of our own.
    pub(super) fn place(&self, path: &Path, leaf: Leaf) -> io::Result<File> {
        if path.components().any(|name| name == Component::ParentDir) {
            return Err(io::Error::from_raw_os_error(libc::ENOENT)); // From the root it would lead to the host's.
        }
        match self.look(path) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => self.make_way(path, leaf),
            other => other,
        }
    }

    fn make_way(&self, path: &Path, leaf: Leaf) -> io::Result<File> {
        let mut file = File::from(self.root.try_clone()?);
        let mut here = PathBuf::from("/");
        let mut names = path.components().filter(|name| *name != Component::RootDir).peekable();
        while let Some(name) = names.next() {
            let name = name.as_os_str();
            here.push(name);
            let next = match openat(&file, name, AS_IT_IS, FileMode::empty()) {
                Err(nix::errno::Errno::ENOENT) if self.may_make(&file, &here)? => {
                    let leaf = if names.peek().is_some() { Leaf::Directory } else { leaf };
                    make(&file, name, leaf)?;
                    let made = openat(&file, name, AS_IT_IS, FileMode::empty())?;
                    if self.grain == Grain::Exact && here.starts_with("/etc") && leaf == Leaf::Directory {
                        ways::links_of(&here, made.as_fd());
                    }
                    made
                }
                other => other?,
            };
            file = File::from(next);
        }
        Ok(file)
    }

    /// Whether something may be made in a directory: in file systems of our own, and in the server's scratch.
    fn may_make(&self, directory: &File, path: &Path) -> io::Result<bool> {
        let in_scratch = |scratch: &Scratch| scratch.places.iter().any(|place| path.starts_with(place));
        Ok(self.is_own(directory)? || self.scratch.as_ref().is_some_and(in_scratch))
    }

    pub(super) fn is_own(&self, directory: &File) -> io::Result<bool> {
        Ok(self.made.contains(&directory.metadata()?.dev()))
    }

    /// Makes it the root of this process, and lets go of the host's.
    pub(super) fn enter(self) -> io::Result<()> {
        for mount in &self.own {
            sys::restrict(mount.as_fd(), ATTR_RDONLY, Depth::One)?;
        }
        fchdir(&self.root)?;
        // pivot_root(2), "pivot_root(".", ".")": the old root ends up over the new one, from where it is taken away.
        pivot_root(".", ".")?;
        umount2(".", MntFlags::MNT_DETACH)?;
        Ok(chdir("/")?)
    }
}

/// What becomes of a file system of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// The server may write to it.
    Writable,
    /// Mount points are made in it, and then nothing any more.
    ReadOnly,
}

fn device(mount: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(File::from(mount.try_clone_to_owned()?).metadata()?.dev())
}

fn make(directory: &File, name: &std::ffi::OsStr, leaf: Leaf) -> io::Result<()> {
    match leaf {
        Leaf::Directory => mkdirat(directory, name, FileMode::from_bits_truncate(0o755))?,
        Leaf::File => {
            let flags =
                OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
            drop(openat(directory, name, flags, FileMode::from_bits_truncate(0o444))?);
        }
    }
    Ok(())
}
