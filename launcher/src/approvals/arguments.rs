//! The arguments of calls that a rule asks about, and of those that failed, masked, for the person who decides or looks for
//! the cause: beside the log, which never holds any. `approvals/asked/SESSION-NAME.txt`, the last ones of them; the name is a
//! refusal's code or the id of a failure's event.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::state;

/// More are not kept: a model that asks in a loop must not fill the disk.
const KEPT_MAX: usize = 128;
const BYTES_MAX: u64 = 64 << 10;

/// Keeps them until newer ones take their place.
///
/// # Errors
/// When they cannot be written: the person then decides by their hash.
pub(crate) fn keep(state_dir: &Path, (session, name): (&str, &str), text: &str) -> io::Result<()> {
    let dir = dir(state_dir);
    state::private_dir(&dir).map_err(|failure| io::Error::other(failure.what))?;
    let mut names: Vec<PathBuf> = std::fs::read_dir(&dir)?.flatten().map(|entry| entry.path()).collect();
    // Sessions are UUIDs of version 7: their names sort by time.
    names.sort();
    for old in names.iter().take((names.len() + 1).saturating_sub(KEPT_MAX)) {
        std::fs::remove_file(old)?;
    }
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(flags.bits())
        .open(path(&dir, session, name))?;
    file.write_all(text.as_bytes())
}

/// What was kept; `None` if that is gone, or there were none.
pub(crate) fn read(state_dir: &Path, session: &str, name: &str) -> Option<String> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits())
        .open(path(&dir(state_dir), session, name))
        .ok()?;
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

fn dir(state_dir: &Path) -> PathBuf {
    state_dir.join("approvals").join("asked")
}

/// Codes are Crockford's base 32, sessions and events UUIDs; of anything else no path is made.
fn path(dir: &Path, session: &str, name: &str) -> PathBuf {
    let plain =
        |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect::<String>();
    dir.join(format!("{}-{}.txt", plain(session), plain(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_no_name_leads_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..300 {
            keep(dir.path(), (&format!("{n:04}"), "4F2K"), "text").unwrap();
        }
        assert_eq!(std::fs::read_dir(super::dir(dir.path())).unwrap().count(), KEPT_MAX);
        assert_eq!(read(dir.path(), "0299", "4F2K").as_deref(), Some("text"));
        assert_eq!(read(dir.path(), "0000", "4F2K"), None);
        keep(dir.path(), ("../../x", "../4"), "text").unwrap();
        assert_eq!(read(dir.path(), "../../x", "../4").as_deref(), Some("text"));
        assert!(!dir.path().join("x-4.txt").exists() && super::dir(dir.path()).join("x-4.txt").exists());
    }
}
