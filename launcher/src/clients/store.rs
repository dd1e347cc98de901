//! Files that belong to somebody else: read with care, replaced only if they are still what was read.

mod lock;

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use tempfile::NamedTempFile;

use crate::clients::registry::Location;

/// Larger files are no configs.
pub(crate) const FILE_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct Original {
    /// Its path with all links followed.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    metadata: Metadata,
}

/// Why a file was not read or not replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileProblem {
    /// The path cannot be followed or opened.
    #[error("it cannot be read: {source}")]
    Unreadable {
        /// What the system said.
        source: io::Error,
    },
    /// Something else has this name.
    #[error("it is {kind}, not a file")]
    NotAFile {
        /// What it is.
        kind: &'static str,
    },
    /// Too large.
    #[error("it is larger than 20 MiB, which no client config is ({bytes} bytes)")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// A link leads away.
    #[error("it is a link that leaves {root} (to {target}); make it a file there, or edit the target by hand", root = root.display(), target = target.display())]
    LeavesHome {
        /// Where it should have stayed.
        root: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// The owner took the write permission away.
    #[error("it is read-only; `chmod u+w` it if it may be changed, and try again")]
    ReadOnly,
    /// Replacing it would change its owner.
    #[error("it belongs to another user (uid {uid}), and only root could keep that; run as that user")]
    ForeignOwner {
        /// The owner.
        uid: u32,
    },
    /// It is not what was read any more.
    #[error("another program keeps changing it; close the client and try again")]
    Changed,
    /// The client keeps its own lock on it.
    #[error("its client holds its lock ({lock}) for longer than a write takes; close the client and try again", lock = lock.display())]
    Locked {
        /// The lock.
        lock: PathBuf,
    },
    /// The new version could not be put in place.
    #[error("it was not changed: cannot {step}: {source}")]
    Write {
        /// What failed.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads a client's file; `None` if there is none.
///
/// # Errors
/// For whatever is not a readable regular file of acceptable size below its root.
pub(crate) fn read(location: &Location) -> Result<Option<Original>, FileProblem> {
    match std::fs::symlink_metadata(&location.path) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(source) => return Err(FileProblem::Unreadable { source }),
    }
    let path = resolve(location)?;
    let (bytes, metadata) = read_regular(&path)?;
    Ok(Some(Original { path, bytes, metadata }))
}

/// Puts `bytes` in place of the file, all or nothing, with its mode and owner, if it is still what was read.
///
/// # Errors
/// [`FileProblem::Changed`] if it is not: then read again. Otherwise why it could not be written.
pub(crate) fn replace(location: &Location, original: &Original, bytes: &[u8]) -> Result<(), FileProblem> {
    let failed = |step: &'static str| move |source: io::Error| FileProblem::Write { step, source };
    may_be_replaced(&original.metadata)?;
    let _held = if location.client.locks { Some(locked(&location.path)?) } else { None };
    let directory = original.path.parent().unwrap_or(Path::new("/"));
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(original.path.file_name().unwrap_or_default());
    prefix.push(".");
    let mut temporary = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".stockade")
        .tempfile_in(directory)
        .map_err(failed("create a file beside it"))?;
    temporary.write_all(bytes).map_err(failed("write a file beside it"))?;
    keep_owner(temporary.as_file(), &original.metadata).map_err(failed("keep its owner and group"))?;
    let mode = Permissions::from_mode(original.metadata.mode() & 0o7777);
    temporary.as_file().set_permissions(mode).map_err(failed("keep its mode"))?;
    keep_attributes(&original.path, temporary.path()).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => FileProblem::Changed,
        _ => FileProblem::Write { step: "keep its attributes and access list", source },
    })?;
    temporary.as_file().sync_all().map_err(failed("flush a file beside it"))?;
    if !is_unchanged(location, original) {
        return Err(FileProblem::Changed);
    }
    put(temporary, original)?;
    // The change is made; that its directory entry may be lost in a power cut is no reason to report a failure.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// Puts the new version in its place, and takes it back if what it displaced is not what was read: another program may have written
/// between the last look and the change (renameat2(2), `RENAME_EXCHANGE`). File systems without that get a plain rename.
fn put(temporary: NamedTempFile, original: &Original) -> Result<(), FileProblem> {
    /// Each time somebody was quicker.
    const BACK_MAX: u32 = 64;
    let failed = |source: io::Error| FileProblem::Write { step: "put the new version in its place", source };
    let exchange =
        || renameat2(AT_FDCWD, temporary.path(), AT_FDCWD, &original.path, RenameFlags::RENAME_EXCHANGE);
    match exchange() {
        Ok(()) => {}
        Err(Errno::ENOENT) => return Err(FileProblem::Changed),
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {
            return temporary.persist(&original.path).map(drop).map_err(|error| failed(error.error));
        }
        Err(error) => return Err(failed(error.into())),
    }
    let is_displaced = read_regular(temporary.path()).is_ok_and(|(bytes, metadata)| {
        (metadata.dev(), metadata.ino()) == (original.metadata.dev(), original.metadata.ino())
            && bytes == original.bytes
    });
    if is_displaced {
        return Ok(());
    }
    let ours = temporary.as_file().metadata().map_err(failed)?;
    for _ in 0..BACK_MAX {
        match exchange() {
            Ok(()) => {}
            // Removed meanwhile: what was displaced was the newest there was.
            Err(Errno::ENOENT) => {
                temporary.persist_noclobber(&original.path).map_err(|error| failed(error.error))?;
                return Err(FileProblem::Changed);
            }
            Err(error) => return Err(failed(error.into())),
        }
        let held = std::fs::symlink_metadata(temporary.path()).map_err(failed)?;
        if (held.dev(), held.ino()) == (ours.dev(), ours.ino()) {
            return Err(FileProblem::Changed);
        }
    }
    Err(FileProblem::Changed)
}

/// Makes the file, for its user alone.
///
/// # Errors
/// [`FileProblem::Changed`] if there is one by now.
pub(crate) fn create(location: &Location, bytes: &[u8]) -> Result<(), FileProblem> {
    let failed = |step: &'static str| move |source: io::Error| FileProblem::Write { step, source };
    let directory = location.path.parent().unwrap_or(Path::new("/"));
    let root = std::fs::canonicalize(&location.root).map_err(|source| FileProblem::Unreadable { source })?;
    let target = std::fs::canonicalize(directory).map_err(|source| FileProblem::Unreadable { source })?;
    if !target.starts_with(&root) {
        return Err(FileProblem::LeavesHome { root, target });
    }
    let _held = if location.client.locks { Some(locked(&location.path)?) } else { None };
    let mut temporary = tempfile::Builder::new()
        .prefix(".")
        .suffix(".stockade")
        .tempfile_in(directory)
        .map_err(failed("create a file beside it"))?;
    temporary.write_all(bytes).map_err(failed("write a file beside it"))?;
    temporary.as_file().sync_all().map_err(failed("flush a file beside it"))?;
    temporary.persist_noclobber(&location.path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => FileProblem::Changed,
        _ => FileProblem::Write { step: "put it in its place", source: error.error },
    })?;
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

fn resolve(location: &Location) -> Result<PathBuf, FileProblem> {
    let unreadable = |source| FileProblem::Unreadable { source };
    let path = std::fs::canonicalize(&location.path).map_err(unreadable)?;
    let root = std::fs::canonicalize(&location.root).map_err(unreadable)?;
    if path.starts_with(&root) { Ok(path) } else { Err(FileProblem::LeavesHome { root, target: path }) }
}

/// The bytes of a regular file. `O_NONBLOCK`: opening a FIFO must not wait for a writer (fifo(7)).
fn read_regular(path: &Path) -> Result<(Vec<u8>, Metadata), FileProblem> {
    let unreadable = |source| FileProblem::Unreadable { source };
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW | nix::libc::O_NOCTTY;
    let before = std::fs::symlink_metadata(path).map_err(unreadable)?;
    is_regular(&before)?;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    is_regular(&metadata)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let length = metadata.len().max(bytes.len() as u64);
    if length > FILE_BYTES_MAX {
        return Err(FileProblem::TooLarge { bytes: length });
    }
    Ok((bytes, metadata))
}

fn is_regular(metadata: &Metadata) -> Result<(), FileProblem> {
    let kind = metadata.file_type();
    let kind = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device or a link"
    };
    Err(FileProblem::NotAFile { kind })
}

fn may_be_replaced(metadata: &Metadata) -> Result<(), FileProblem> {
    let me = nix::unistd::geteuid();
    // Root could write it anyway; but whoever took the permission away did not want it changed.
    if metadata.mode() & 0o200 == 0 {
        return Err(FileProblem::ReadOnly);
    }
    if !me.is_root() && metadata.uid() != me.as_raw() {
        return Err(FileProblem::ForeignOwner { uid: metadata.uid() });
    }
    Ok(())
}

fn keep_owner(file: &File, wanted: &Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (wanted.uid(), wanted.gid()) {
        std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid()))?;
    }
    Ok(())
}

/// All extended attributes, POSIX access lists among them (acl(5)). Those of the system's own security modules are not for every user to
/// set, and are given anew by them.
fn keep_attributes(from: &Path, to: &Path) -> io::Result<()> {
    let unsupported = |error: &io::Error| error.raw_os_error() == Some(nix::libc::ENOTSUP);
    let names = match xattr::list(from) {
        Ok(names) => names,
        Err(error) if unsupported(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    for name in names {
        let Some(value) = xattr::get(from, &name)? else { continue };
        match xattr::set(to, &name, &value) {
            Err(_) if name.as_encoded_bytes().starts_with(b"security.") => {}
            set => set?,
        }
    }
    Ok(())
}

fn locked(path: &Path) -> Result<lock::Held, FileProblem> {
    lock::take(path).map_err(|error| {
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        match error.kind() {
            io::ErrorKind::WouldBlock => FileProblem::Locked { lock: lock.into() },
            _ => FileProblem::Write { step: "take its client's lock", source: error },
        }
    })
}

/// Does the same path still lead to the same file with the same content?
fn is_unchanged(location: &Location, original: &Original) -> bool {
    let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino(), metadata.mode(), metadata.uid());
    let Ok(Some(now)) = read(location) else { return false };
    now.path == original.path
        && identity(&now.metadata) == identity(&original.metadata)
        && now.bytes == original.bytes
}

#[cfg(test)]
mod tests;
