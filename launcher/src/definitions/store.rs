//! `pins/tools/KEY.json` in the state directory: one file a server, replaced by a rename under its lock, its owner's alone. What
//! cannot be read is never taken for nothing: that would be a first sight, at which everything is agreed to.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::pin::{Definition, Entry, FORMAT, ServerPins};
use crate::error::{Failure, Kind};
use crate::identity::sha256_hex;
use crate::state::{self, own_file};

/// Largest file that is read: texts are bounded, and JSON within JSON is at most twice as long.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// Longest readable part of a key.
const NAME_CHARS_MAX: usize = 40;

/// The file of one server.
#[derive(Clone, Debug)]
pub(super) struct Place {
    state_dir: PathBuf,
    key: String,
}

/// A key with what is kept under it, or why that cannot be read.
pub(super) type Loaded = (String, Result<ServerPins, Failure>);

/// What the file of a server is called: readable, and as different as what it is known by.
pub(super) fn key(name: &str, server: &str) -> String {
    let readable = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
    let readable: String = readable.take(NAME_CHARS_MAX).collect();
    let hash = sha256_hex(server.as_bytes());
    format!("{readable}-{}", hash.get(..32).unwrap_or(&hash))
}

impl Place {
    /// Of a key.
    pub(super) fn new(state_dir: &Path, key: &str) -> Self {
        Self { state_dir: state_dir.to_owned(), key: key.to_owned() }
    }

    /// The file.
    pub(super) fn path(&self) -> PathBuf {
        dir(&self.state_dir).join(format!("{}.json", self.key))
    }

    /// What is kept; `None` if the server was never seen.
    ///
    /// # Errors
    /// When it cannot be read, others may have written it, or it is not what we wrote.
    pub(super) fn load(&self) -> Result<Option<ServerPins>, Failure> {
        let path = self.path();
        let damaged = |why: &io::Error| {
            Failure::new(Kind::Config, format!("{} is damaged", path.display())).because(why).hint(format!(
                "`stockade pins forget {} --kind tools` removes it: look at the server's tools before they are pinned anew",
                self.key
            ))
        };
        read(&path).map_err(|error| damaged(&error))
    }

    /// Changes what is kept as it is now: another session may have changed it since. Written only if it is another then.
    ///
    /// # Errors
    /// When it cannot be read or written: nothing is changed then.
    pub(super) fn update<T>(
        &self,
        first: impl FnOnce() -> ServerPins,
        change: impl FnOnce(&mut ServerPins) -> Result<T, Failure>,
    ) -> Result<(T, ServerPins), Failure> {
        let path = self.path();
        let unusable = |error: &io::Error| {
            Failure::new(Kind::Permission, format!("cannot use {}", path.display()))
                .because(error)
                .hint("pins of tools are kept there: mend its permissions or make room")
        };
        self.prepare()?;
        let _held = own_file::lock(&path.with_extension("lock")).map_err(|error| unusable(&error))?;
        let before = self.load()?;
        let mut pins = before.clone().unwrap_or_else(first);
        let outcome = change(&mut pins)?;
        if before.as_ref() != Some(&pins) {
            let bytes = serde_json::to_vec(&pins).map_err(io::Error::from);
            bytes.and_then(|bytes| own_file::replace(&path, &bytes)).map_err(|error| unusable(&error))?;
        }
        Ok((outcome, pins))
    }

    /// Removes what is kept.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        let path = self.path();
        std::fs::remove_file(&path).map_err(|error| {
            Failure::new(Kind::Permission, format!("cannot remove {}", path.display())).because(&error)
        })
    }

    fn prepare(&self) -> Result<(), Failure> {
        state::private_dir(&self.state_dir)?;
        state::private_dir(&dir(&self.state_dir))
    }
}

/// All servers, in the order of their files.
///
/// # Errors
/// When the directory cannot be read.
pub(super) fn all(state_dir: &Path) -> Result<Vec<Loaded>, Failure> {
    let dir = dir(state_dir);
    let unreadable = |error: &io::Error| {
        Failure::new(Kind::Permission, format!("cannot read {}", dir.display())).because(error)
    };
    let entries = match std::fs::read_dir(&dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        outcome => outcome.map_err(|error| unreadable(&error))?,
    };
    let mut keys = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| unreadable(&error))?.file_name();
        keys.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
    }
    keys.sort();
    let load = |key: String| {
        let loaded = Place::new(state_dir, &key).load().transpose()?;
        Some((key, loaded))
    };
    Ok(keys.into_iter().filter_map(load).collect())
}

fn dir(state_dir: &Path) -> PathBuf {
    state_dir.join("pins").join("tools")
}

fn read(path: &Path) -> io::Result<Option<ServerPins>> {
    let Some(text) = own_file::read(path, FILE_BYTES_MAX)? else { return Ok(None) };
    let pins: ServerPins = serde_json::from_str(&text).map_err(io::Error::other)?;
    if pins.v != FORMAT {
        return Err(io::Error::other(format!("it is of version {}, this is {FORMAT}", pins.v)));
    }
    if !pins.entries().flat_map(Entry::definitions).all(Definition::is_whole) {
        return Err(io::Error::other("a definition is not the one that its hash is of"));
    }
    Ok(Some(pins))
}

#[cfg(test)]
mod tests;
