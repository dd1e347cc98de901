//! Stockade's own directory of the user: private, and with the key under which findings are hashed.

pub(crate) mod own_file;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Failure, Kind};

/// Opens the state directory, making it if need be, and returns the installation's hash key.
///
/// # Errors
/// When it cannot be made or read, or belongs to somebody else.
pub fn open(dir: &Path) -> Result<[u8; 32], Failure> {
    private_dir(dir)?;
    key(&dir.join("key")).map_err(|error| {
        Failure::new(Kind::Permission, format!("cannot read or make the key in {}", dir.display()))
            .because(&error)
            .hint("the directory has to be yours and writable; remove a damaged `key` to have a new one made")
    })
}

/// Makes a directory that only the user can enter, and checks one that is there.
///
/// # Errors
/// When it cannot be made, is no directory, belongs to somebody else, or others can write into it.
pub fn private_dir(dir: &Path) -> Result<(), Failure> {
    make_private(dir)?;
    std::fs::read_dir(dir).map_err(|error| unusable(dir, &error))?;
    let facts = std::fs::metadata(dir).map_err(|error| unusable(dir, &error))?;
    if facts.uid() != nix::unistd::geteuid().as_raw() || facts.mode() & 0o022 != 0 {
        return Err(Failure::new(Kind::Permission, format!("{} is not yours alone", dir.display()))
            .cause(format!("it belongs to uid {} with mode {:04o}", facts.uid(), facts.mode() & 0o7777))
            .hint(format!("chown it and `chmod 700 {}`", dir.display())));
    }
    Ok(())
}

/// Makes a directory that only the user can enter, inside one that was checked.
///
/// # Errors
/// When it cannot be made.
pub fn make_private(dir: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| unusable(dir, &error))
}

fn unusable(dir: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Permission, format!("cannot use {}", dir.display())).because(error).hint(
        "Stockade keeps its records and the servers' private files there: mend its permissions, make room, or set \
         XDG_STATE_HOME to a directory of yours",
    )
}

fn key(path: &Path) -> io::Result<[u8; 32]> {
    match read_key(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        outcome => return outcome,
    }
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    // Two launchers may start at once: each writes a file of its own, and the first to link it wins.
    let own = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&own)?;
    let written = file.write_all(&key).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| std::fs::hard_link(&own, path));
    std::fs::remove_file(&own)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_key(path),
        Err(error) => Err(error),
    }
}

fn read_key(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    File::open(path)?.read_exact(&mut key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state/stockade");
        let first = open(&state).unwrap();
        assert_eq!(open(&state).unwrap(), first);
        assert_ne!(first, [0; 32]);
        assert_eq!(std::fs::metadata(state.join("key")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let failure = private_dir(dir.path()).unwrap_err();
        assert!(failure.to_string().contains("chmod 700"), "{failure}");
    }
}
