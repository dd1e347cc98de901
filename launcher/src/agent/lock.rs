//! One agent a user: a file that the running one holds locked, with its process id in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{Failure, Kind};
use crate::state;

/// Held as long as the agent lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "it is the lock")] File);

/// Takes the lock in `directory`.
///
/// # Errors
/// When another agent of this user runs, or the file cannot be made.
pub(super) fn take(directory: &Path) -> Result<Lock, Failure> {
    state::make_private(directory)?;
    let path = directory.join("lock");
    let failed = |error: &std::io::Error| {
        Failure::new(Kind::Permission, format!("cannot use {}", path.display()))
            .because(error)
            .hint("mend its permissions, or set XDG_STATE_HOME to a directory of yours")
    };
    let options =
        || OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).clone();
    let mut file = options().open(&path).map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = holder(directory).map_or_else(String::new, |pid| format!(" (pid {pid})"));
            return Err(Failure::new(Kind::Usage, format!("an agent of this user runs already{holder}"))
                .hint("`stockade agent status` says more; one for each user is enough"));
        }
        Err(TryLockError::Error(error)) => return Err(failed(&error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        write!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(|error| failed(&error))?;
    Ok(Lock(file))
}

/// The process that holds it, if any does.
pub(super) fn holder(directory: &Path) -> Option<u32> {
    let mut file = File::open(directory.join("lock")).ok()?;
    // A shared lock is refused as long as the agent has its own.
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Ok(()) | Err(TryLockError::Error(_)) => return None,
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_refused_and_told_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()), None);
        let lock = take(dir.path()).unwrap();
        assert_eq!(holder(dir.path()), Some(std::process::id()));
        let refused = take(dir.path()).unwrap_err();
        assert!(refused.what.contains(&std::process::id().to_string()), "{refused}");
        drop(lock);
        assert_eq!(holder(dir.path()), None);
        drop(take(dir.path()).unwrap());
    }
}
