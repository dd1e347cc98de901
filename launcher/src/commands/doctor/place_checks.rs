//! Files and directories that Stockade needs: looked at, never changed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::{Check, State};
use crate::host::Facts;
use crate::{policies, profiles};

/// Less room than this is worth a word: a segment of the event log takes up to 64 MiB.
const ROOM_BYTES_LOW: u64 = 128 << 20;

/// All places.
pub(super) fn all(facts: &Facts) -> Vec<Check> {
    vec![state_dir(&facts.state_dir, facts.uid), policy_files(facts), profile_files(facts)]
}

fn state_dir(dir: &Path, uid: u32) -> Check {
    let name = "state";
    let shown = dir.display();
    let unusable = |why: String| {
        Check::new(name, State::Missing, format!("{shown}: {why}"))
            .means("no server is started: what it did could not be recorded")
            .remedy("mend its owner and permissions (0700), or set XDG_STATE_HOME to a directory of yours")
    };
    // Not there yet is in order as long as it can be made: the nearest directory that is there decides.
    let Some(there) = dir.ancestors().find(|path| path.exists()) else {
        return unusable("nothing of this path exists".to_owned());
    };
    if let Err(error) = access(there, AccessFlags::W_OK | AccessFlags::X_OK) {
        return unusable(format!("cannot write in {}: {}", there.display(), error.desc()));
    }
    if there == dir {
        match std::fs::metadata(dir) {
            Err(error) => return unusable(error.to_string()),
            Ok(facts) if !facts.is_dir() => return unusable("it is no directory".to_owned()),
            Ok(facts) if facts.uid() != uid => return unusable(format!("it belongs to uid {}", facts.uid())),
            Ok(facts) if facts.mode() & 0o022 != 0 => {
                return unusable(format!("others can write it (mode {:04o})", facts.mode() & 0o7777));
            }
            Ok(facts) if facts.mode() & 0o055 != 0 => {
                return Check::new(
                    name,
                    State::Partial,
                    format!("{shown}: mode {:04o}", facts.mode() & 0o7777),
                )
                .means("others can read which servers and tools were used, though no secret")
                .remedy(format!("chmod 700 {shown}"));
            }
            Ok(_) => {}
        }
    }
    room(name, dir, there)
}

fn room(name: &str, dir: &Path, there: &Path) -> Check {
    let shown = dir.display();
    let free = match statvfs(there) {
        Ok(facts) => facts.blocks_available().saturating_mul(facts.fragment_size()),
        Err(error) => {
            return Check::new(
                name,
                State::Partial,
                format!("{shown}: the room left is unknown: {}", error.desc()),
            );
        }
    };
    let mib = free >> 20;
    if free < ROOM_BYTES_LOW {
        return Check::new(name, State::Partial, format!("{shown}: {mib} MiB left"))
            .means("the oldest events will be dropped, or traffic stopped, as the policy says")
            .remedy("make room on that file system");
    }
    let there = if there == dir { "private, writable" } else { "not there yet, can be made" };
    Check::new(name, State::Full, format!("{shown}: {there}, {mib} MiB free"))
}

fn policy_files(facts: &Facts) -> Check {
    match policies::load(facts, None) {
        Ok(policy) => {
            let layers: Vec<&str> = policy.layers().iter().map(|layer| layer.name.as_str()).collect();
            Check::new("policy", State::Full, layers.join(" + "))
        }
        Err(failure) => Check::new("policy", State::Missing, lines(&failure.what, &failure.causes))
            .means("no server is started until it is mended: a policy that cannot be read is never skipped")
            .remedy(failure.hints.join("; ")),
    }
}

fn profile_files(facts: &Facts) -> Check {
    match profiles::Available::load(&facts.system_dir, &facts.config_dir, facts.uid) {
        Ok(available) => Check::new("profiles", State::Full, available.names().join(", ")),
        Err(failure) => Check::new("profiles", State::Missing, lines(&failure.what, &failure.causes))
            .means("no server is started until they are mended")
            .remedy(failure.hints.join("; ")),
    }
}

fn lines(what: &str, causes: &[String]) -> String {
    std::iter::once(what).chain(causes.iter().map(String::as_str)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_state_directory_is_judged_by_owner_and_mode_and_never_made() {
        let dir = tempfile::tempdir().unwrap();
        let uid = nix::unistd::getuid().as_raw();
        let state = dir.path().join("a/b");
        assert_eq!(state_dir(&state, uid).state, State::Full);
        assert!(!state.exists());
        for (mode, expected) in [(0o700, State::Full), (0o755, State::Partial), (0o777, State::Missing)] {
            std::fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(state_dir(dir.path(), uid).state, expected, "{mode:o}");
        }
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        assert_eq!(state_dir(dir.path(), uid + 1).state, State::Missing);
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(state_dir(&file, uid).state, State::Missing);
    }
}
