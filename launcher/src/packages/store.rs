//! Where pins and trees lie: below the state directory, which no jail reads. A tree appears whole, by a rename, or not at
//! all; a pin is replaced by a rename, under the lock of its request.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::pin::{FORMAT, Pin};
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::state;

/// Longest pin or lock file that is read: the trees of the largest servers take a hundredth of it.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The directories.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    trees: PathBuf,
    pins: PathBuf,
}

/// The key of a pin, and the pin, or why it cannot be read.
pub(crate) type Found = (String, Result<Pin, Failure>);

/// A request, locked: nobody else fetches or changes it.
#[derive(Debug)]
pub(crate) struct Held {
    _request: Flock<File>,
    /// Held by many at a time, and by nobody while trees are removed.
    _store: Flock<File>,
}

impl Store {
    /// Those of this user. Nothing is made.
    pub(crate) fn of(facts: &Facts) -> Self {
        Self { trees: facts.state_dir.join("packages"), pins: facts.state_dir.join("pins/packages") }
    }

    /// Makes what is missing.
    ///
    /// # Errors
    /// When the state directory cannot be used, or others can write into it.
    pub(crate) fn open(&self, facts: &Facts) -> Result<(), Failure> {
        state::private_dir(&facts.state_dir)?;
        for dir in [&self.trees, &self.pins, &self.pins.join("locks"), &self.trees.join("staging")] {
            state::private_dir(dir)?;
        }
        Ok(())
    }

    /// The pin of a request; `None` if it was never used.
    ///
    /// # Errors
    /// When it cannot be read, or is not one of this version.
    pub(crate) fn load(&self, key: &str) -> Result<Option<Pin>, Failure> {
        let path = self.pin_path(key);
        let Some(text) = read(&path).map_err(|error| unusable(&path, &error))? else { return Ok(None) };
        let pin: Pin = serde_json::from_str(&text).map_err(|error| {
            Failure::new(Kind::Config, format!("{} is damaged", path.display()))
                .because(&error)
                .hint("`stockade pins forget` removes it; the next start then pins what the registry offers that day")
        })?;
        if pin.v != FORMAT {
            return Err(Failure::new(Kind::Config, format!("{} is of another version", path.display()))
                .cause(format!("it says {}, this is {FORMAT}", pin.v))
                .hint("use the version of stockade that wrote it, or forget the pin"));
        }
        Ok(Some(pin))
    }

    /// Every pin with its key, in the order of their files; those that cannot be read with the reason.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub(crate) fn all(&self) -> Result<Vec<Found>, Failure> {
        let entries = match std::fs::read_dir(&self.pins) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            outcome => outcome.map_err(|error| unusable(&self.pins, &error))?,
        };
        let mut keys = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| unusable(&self.pins, &error))?.file_name();
            keys.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
        }
        keys.sort();
        let load = |key: String| match self.load(&key).transpose()? {
            Ok(pin) => Some((key, Ok(pin))),
            Err(failure) => Some((key, Err(failure))),
        };
        Ok(keys.into_iter().filter_map(load).collect())
    }

    /// Replaces a pin.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn save(&self, key: &str, pin: &Pin) -> Result<(), Failure> {
        let path = self.pin_path(key);
        let text = serde_json::to_vec_pretty(pin).map_err(|error| unusable(&path, &error.into()))?;
        write(&path, &text).map_err(|error| unusable(&path, &error))
    }

    /// Removes a pin; its tree goes with [`Store::prune`].
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn forget(&self, key: &str) -> Result<(), Failure> {
        let path = self.pin_path(key);
        std::fs::remove_file(&path).map_err(|error| unusable(&path, &error))
    }

    /// The lock file whose SHA-256 this is.
    ///
    /// # Errors
    /// When it is not there, or is not what it is called.
    pub(crate) fn lock_text(&self, sha256: &str) -> Result<String, Failure> {
        let path = self.lock_path(sha256);
        let text = read(&path).map_err(|error| unusable(&path, &error))?;
        text.filter(|text| crate::identity::sha256_hex(text.as_bytes()) == sha256).ok_or_else(|| {
            Failure::new(Kind::Config, format!("{} is missing or damaged", path.display()))
                .hint("`stockade pins forget` removes the pin; the next start then pins what the registry offers that day")
        })
    }

    /// Keeps a lock file under its SHA-256.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_lock(&self, sha256: &str, text: &str) -> Result<(), Failure> {
        let path = self.lock_path(sha256);
        write(&path, text.as_bytes()).map_err(|error| unusable(&path, &error))
    }

    /// Waits for the lock of a request. The kernel gives it back when its holder ends, however that happens.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(crate) fn hold(&self, key: &str) -> Result<Held, Failure> {
        self.flock(key, FlockArg::LockExclusive)
    }

    /// The lock of a request, if nobody holds it.
    pub(crate) fn try_hold(&self, key: &str) -> Option<Held> {
        self.flock(key, FlockArg::LockExclusiveNonblock).ok()
    }

    fn flock(&self, key: &str, how: FlockArg) -> Result<Held, Failure> {
        let shared = match how {
            FlockArg::LockExclusiveNonblock => FlockArg::LockSharedNonblock,
            _ => FlockArg::LockShared,
        };
        Ok(Held {
            _request: self.locked(&format!("{key}.lock"), how)?,
            _store: self.locked("store", shared)?,
        })
    }

    fn locked(&self, name: &str, how: FlockArg) -> Result<Flock<File>, Failure> {
        let path = self.pins.join(name);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|error| unusable(&path, &error))?;
        Flock::lock(file, how).map_err(|(_, error)| unusable(&path, &error.into()))
    }

    /// Where a tree lies.
    pub(crate) fn tree(&self, ecosystem: &str, directory: &str) -> PathBuf {
        self.trees.join(ecosystem).join(directory)
    }

    /// Whether a tree is there, as we left it: a directory of ours that nobody else can write. Its files are not hashed
    /// (see docs/packages.md).
    pub(crate) fn has_tree(&self, tree: &Path) -> bool {
        let ours = nix::unistd::geteuid().as_raw();
        std::fs::symlink_metadata(tree)
            .is_ok_and(|facts| facts.is_dir() && facts.uid() == ours && facts.mode() & 0o022 == 0)
    }

    /// A new directory for one fetch of this request. What is left of earlier ones, whose processes ended in the middle,
    /// goes: the caller holds the request's lock.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn staging(&self, key: &str, _held: &Held) -> Result<Staging, Failure> {
        let all = self.trees.join("staging");
        for entry in std::fs::read_dir(&all).map_err(|error| unusable(&all, &error))?.filter_map(Result::ok) {
            if entry.file_name().to_string_lossy().starts_with(&format!("{key}.")) {
                remove(&entry.path()).map_err(|error| unusable(&entry.path(), &error))?;
            }
        }
        let dir = all.join(format!("{key}.{}", uuid::Uuid::new_v4()));
        state::make_private(&dir)?;
        Ok(Staging { dir })
    }

    /// Gives a finished tree its name.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(crate) fn finish(&self, from: &Path, to: &Path) -> Result<(), Failure> {
        let Some(parent) = to.parent() else {
            return Err(Failure::new(Kind::Software, "a tree without a directory"));
        };
        state::private_dir(parent)?;
        let failed = |error: io::Error| unusable(to, &error);
        // The tree's own top is as npm's umask left it.
        std::fs::set_permissions(from, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .map_err(failed)?;
        match std::fs::rename(from, to) {
            // Another request has led to the same tree meanwhile.
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::ENOTEMPTY | nix::libc::EEXIST)) => {
                Ok(())
            }
            outcome => outcome.map_err(failed),
        }
    }

    /// Waits until nobody fetches: a tree is in the store before its pin is.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub(crate) fn alone(&self) -> Result<impl Sized + use<>, Failure> {
        self.locked("store", FlockArg::LockExclusive)
    }

    /// Removes every tree and lock file that no pin names; the paths of the trees.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn prune(&self, named: &[PathBuf], locks: &[String]) -> Result<Vec<PathBuf>, Failure> {
        let mut removed = Vec::new();
        for ecosystem in ["npm", "pypi"] {
            for path in children(&self.trees.join(ecosystem))? {
                if !named.contains(&path) {
                    remove(&path).map_err(|error| unusable(&path, &error))?;
                    removed.push(path);
                }
            }
        }
        for path in children(&self.pins.join("locks"))? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if !name.is_some_and(|name| locks.contains(&name)) {
                std::fs::remove_file(&path).map_err(|error| unusable(&path, &error))?;
            }
        }
        Ok(removed)
    }

    fn pin_path(&self, key: &str) -> PathBuf {
        self.pins.join(format!("{key}.json"))
    }

    fn lock_path(&self, sha256: &str) -> PathBuf {
        self.pins.join("locks").join(sha256)
    }
}

/// A directory of one fetch; removed when dropped.
#[derive(Debug)]
pub(crate) struct Staging {
    dir: PathBuf,
}

impl Staging {
    /// It.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What stays is removed by the next fetch of this request.
        let _ = remove(&self.dir);
    }
}

fn children(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unusable(dir, &error)),
        Ok(entries) => Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect()),
    }
}

/// Removes a tree. Packages may hold directories without the permission to write, whose files could not be removed.
fn remove(dir: &Path) -> io::Result<()> {
    if std::fs::remove_dir_all(dir).is_ok() {
        return Ok(());
    }
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        let facts = std::fs::symlink_metadata(&dir)?;
        if facts.is_dir() {
            std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
            waiting.extend(std::fs::read_dir(&dir)?.filter_map(|entry| Some(entry.ok()?.path())));
        }
    }
    std::fs::remove_dir_all(dir)
}

/// A text file of a sensible size; a link is none: what is read here may have been written in a jail.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(facts) if !facts.is_file() || facts.len() > FILE_BYTES_MAX => {
            return Err(io::Error::new(ErrorKind::InvalidData, "it is no file of a sensible size"));
        }
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map(Some)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let own = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&own)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&own, path)
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Permission, format!("cannot use {}", path.display()))
        .cause(error.to_string())
        .hint("packages and their pins are kept there: mend its permissions or make room")
}

#[cfg(test)]
mod tests;
