//! Files by which something is let pass: read only if nobody but the user can have written them, changed under a lock, replaced
//! by a rename.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg, OFlag};

/// Its text, of at most so many bytes; `None` if there is no such file.
///
/// # Errors
/// When it cannot be read, is longer than that and so no whole text, or others may have written it.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Option<String>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    trust(&file)?;
    let mut text = String::new();
    file.take(bytes_max).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Waits until nobody else changes what this file guards; until the lock is dropped.
///
/// # Errors
/// When it cannot be made or locked.
pub(crate) fn lock(path: &Path) -> io::Result<Flock<File>> {
    Flock::lock(options().open(path)?, FlockArg::LockExclusive).map_err(|(_, error)| error.into())
}

/// Puts these bytes in its place, whole or not at all. The caller holds the lock.
///
/// # Errors
/// When they cannot be written: what was there stays.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = options().truncate(true).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

/// Whether nobody but the user can have written it.
fn trust(file: &File) -> io::Result<()> {
    let facts = file.metadata()?;
    let why = if !facts.is_file() {
        "it is no ordinary file".to_owned()
    } else if facts.uid() != nix::unistd::geteuid().as_raw() {
        format!("it belongs to uid {}", facts.uid())
    } else if facts.mode() & 0o077 != 0 {
        format!("its mode is {:04o}, and only its owner may read and write it", facts.mode() & 0o7777)
    } else if facts.nlink() != 1 {
        "it has a second name somewhere".to_owned()
    } else {
        return Ok(());
    };
    Err(io::Error::new(ErrorKind::PermissionDenied, why))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags.bits());
    options
}
