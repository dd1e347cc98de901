//! Masks over closed places, in a view that is being built or, later, in one that a server already runs in.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::statvfs::{FsFlags, fstatvfs};
use std::os::unix::fs::MetadataExt;

use super::devices::{CLOSED_CONTENTS, CLOSED_DIRECTORY, CLOSED_FILE};
use super::sys::{self, ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY, Depth};
use crate::Closed;
use crate::os::landlock::{is_unreachable, walk};

/// Makes a mount point of what stands there, if it isn't one: it can then neither be renamed nor removed from inside.
pub(super) fn pin(root: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let Some(place) = look(root, path)? else { return Ok(()) };
    if sys::is_mount_root(place.as_fd())? {
        return Ok(());
    }
    let copy = sys::copy_of(place.as_fd(), Depth::All)?;
    cover(&place, copy.as_fd())
}

/// Closes what stands there, be it a link, if it isn't closed.
pub(super) fn close(root: BorrowedFd<'_>, path: &Path, closed: Closed) -> io::Result<()> {
    let Some(place) = look(root, path)? else { return Ok(()) };
    if is_closed(root, &place, closed)? {
        return Ok(());
    }
    let mask = match closed {
        Closed::Entirely | Closed::Contents => {
            let source = match closed {
                _ if place.metadata()?.is_dir() => CLOSED_DIRECTORY,
                Closed::Contents => CLOSED_CONTENTS,
                _ => CLOSED_FILE,
            };
            let source = walk_below(root, source.as_ref())?;
            sys::copy_of(source.as_fd(), Depth::One)?
        }
        Closed::ForWriting => sys::copy_of(place.as_fd(), Depth::All)?,
    };
    let always = match closed {
        Closed::Entirely | Closed::Contents => ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC,
        Closed::ForWriting => 0, // As what it copies.
    };
    sys::restrict(mask.as_fd(), ATTR_RDONLY | always, Depth::All)?;
    cover(&place, mask.as_fd())
}

/// A place that has been replaced since it was looked at is no place any more (ENOENT). Whoever watches it is told of
/// what took its place.
fn cover(place: &File, with: BorrowedFd<'_>) -> io::Result<()> {
    match sys::mount_on(with, place.as_fd()) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}

/// A mount that can't be written to and, to be closed to reading too, is one of the masks. A server can make no mount.
fn is_closed(root: BorrowedFd<'_>, place: &File, closed: Closed) -> io::Result<bool> {
    if !sys::is_mount_root(place.as_fd())? {
        return Ok(false);
    }
    let read_only = fstatvfs(place)?.flags().contains(FsFlags::ST_RDONLY);
    let here = place.metadata()?;
    let masked = match closed {
        Closed::ForWriting => true,
        _ if here.mode() & 0o666 == 0 => true,
        Closed::Entirely => false,
        Closed::Contents => {
            let text = walk_below(root, CLOSED_CONTENTS.as_ref())?.metadata()?;
            (here.dev(), here.ino()) == (text.dev(), text.ino())
        }
    };
    Ok(read_only && masked)
}

/// What stands there, a link itself. `None` if nothing does, or if it can't be reached: what can't be reached by a walk
/// without links can be closed only where it really is.
fn look(root: BorrowedFd<'_>, path: &Path) -> io::Result<Option<File>> {
    match walk_below(root, path) {
        Ok(place) => Ok(Some(place)),
        Err(error) if is_unreachable(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An absolute path, in the view that begins at `root`.
pub(super) fn walk_below(root: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    let below = path.strip_prefix("/").unwrap_or(path);
    if below.as_os_str().is_empty() {
        return Ok(File::from(root.try_clone_to_owned()?));
    }
    walk(root, below)
}
