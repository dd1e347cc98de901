//! Where the evidence of a server's runs lies: `learn/KEY/TIME.json` in the state directory, the newest runs only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::evidence::{Evidence, VERSION};
use crate::error::{Failure, Kind};
use crate::state;

/// Runs kept of one server.
const RUNS_MAX: usize = 20;
/// Largest file that is read back: some times what the bounds of one run come to.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The evidence of one server.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// The shelf of the server with this key.
    pub fn of(state_dir: &Path, key: &str) -> Self {
        Self { dir: state_dir.join("learn").join(key) }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Puts a run on it and takes the oldest ones off.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, session: &str, evidence: &Evidence) -> Result<PathBuf, Failure> {
        let path = self.dir.join(format!("{session}.json"));
        let failed = |error: io::Error| {
            Failure::new(Kind::Permission, format!("cannot keep what was learnt in {}", path.display()))
                .because(&error)
                .hint("make room or mend the permissions there, and let the server run again")
        };
        state::make_private(&self.dir)?;
        let text = serde_json::to_vec_pretty(evidence).map_err(|error| failed(error.into()))?;
        let new = self.dir.join(format!("{session}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&new, &path).map_err(failed)?;
        let paths = self.paths().map_err(failed)?;
        let too_many = paths.len().saturating_sub(RUNS_MAX);
        for old in paths.iter().take(too_many) {
            std::fs::remove_file(old).map_err(failed)?;
        }
        Ok(path)
    }

    /// All runs, the oldest first, and how many files could not be read.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn runs(&self) -> Result<(Vec<Evidence>, usize), Failure> {
        let failed = |error: io::Error| {
            Failure::new(Kind::Permission, format!("cannot read what was learnt in {}", self.dir.display()))
                .because(&error)
        };
        let paths = self.paths().map_err(failed)?;
        let runs: Vec<Evidence> = paths.iter().filter_map(|path| read(path)).collect();
        let unread = paths.len() - runs.len();
        Ok((runs, unread))
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(&self) -> Result<(), Failure> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::new(Kind::Permission, format!("cannot remove {}", self.dir.display()))
                    .because(&error))
            }
            _ => Ok(()),
        }
    }

    /// In the order of time: sessions are named by UUIDv7.
    fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn read(path: &Path) -> Option<Evidence> {
    let mut text = String::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok().filter(|evidence: &Evidence| evidence.version == VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_runs_are_kept_and_what_is_no_evidence_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::of(dir.path(), "s-1");
        for n in 0..RUNS_MAX + 3 {
            let evidence = Evidence { version: VERSION, lost: n as u64, ..Evidence::default() };
            shelf.put(&format!("{n:04}"), &evidence).unwrap();
        }
        std::fs::write(shelf.dir().join("0022x.json"), "no JSON").unwrap();
        let (runs, unread) = shelf.runs().unwrap();
        assert_eq!((runs.len(), unread), (RUNS_MAX, 1));
        assert_eq!(runs.first().map(|run| run.lost), Some(3));
        shelf.forget().unwrap();
        assert!(shelf.runs().unwrap().0.is_empty());
    }
}
