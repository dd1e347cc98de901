//! The lock that a client itself takes while it rewrites its file: a directory `FILE.lock`, as the npm package `proper-lockfile` makes it.
//! Its holder touches it every few seconds; one that nobody touched for longer was left by a process that died.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::host;

/// `proper-lockfile` takes a lock for abandoned after this time, unless told otherwise.
const STALE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// Longer than the client holds it for a write, and than a lock stays that a dead one left.
const POLLS_MAX: u32 = 600;

/// The lock, as long as this lives.
#[derive(Debug)]
pub(super) struct Held(PathBuf);

/// Takes the lock on `file`.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when somebody keeps it for 12 s; else what the system says.
pub(super) fn take(file: &Path) -> io::Result<Held> {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    for _ in 0..POLLS_MAX {
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(Held(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        if is_stale(&path) {
            // Another one may be as quick: whoever makes the directory next has it.
            let _ = std::fs::remove_dir(&path);
        } else {
            std::thread::sleep(POLL);
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}

fn now() -> SystemTime {
    host::now().into()
}

/// Whether nobody touched it for so long. A clock that was set back says nothing.
fn is_stale(path: &Path) -> bool {
    let touched = path.symlink_metadata().and_then(|metadata| metadata.modified());
    touched.is_ok_and(|touched| now().duration_since(touched).is_ok_and(|age| age > STALE))
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_by_one_and_gone_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.json");
        let lock = dir.path().join("a.json.lock");
        let held = take(&file).unwrap();
        assert!(lock.is_dir());
        let other = std::thread::spawn({
            let file = file.clone();
            move || take(&file).map(drop)
        });
        std::thread::sleep(POLL * 3);
        assert!(!other.is_finished(), "it waits");
        drop(held);
        other.join().unwrap().unwrap();
        assert!(!lock.exists());
    }

    #[test]
    fn one_that_a_dead_process_left_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("a.json.lock");
        std::fs::create_dir(&lock).unwrap();
        let long_ago = now() - STALE * 2;
        std::fs::File::open(&lock).unwrap().set_modified(long_ago).unwrap();
        drop(take(&dir.path().join("a.json")).unwrap());
        assert!(!lock.exists());
    }
}
