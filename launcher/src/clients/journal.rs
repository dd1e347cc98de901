//! What was changed where, so that it can be taken back byte for byte: `journal/` in the state directory.
//!
//! A file an entry: a damaged one costs one entry its exact bytes, and the entry itself still says what it starts.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clients::entry::{Place, Scope};

/// Version of [`Record`].
const VERSION: u32 = 1;
const LOCK_POLL_MS: u64 = 50;
const LOCK_POLLS_MAX: u32 = 200;

/// One wrapped entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Version of this format.
    pub version: u32,
    /// When it was wrapped.
    pub at: String,
    /// `CLIENT/NAME`.
    pub id: String,
    /// The client's file, all links followed.
    pub file: String,
    /// The project whose entry it is; none: the user's.
    pub project: Option<String>,
    /// Its key.
    pub name: String,
    /// The entry before.
    pub original: String,
    /// Hash of that, against damage.
    pub original_sha256: String,
    /// The entry after.
    pub written: String,
    /// The server's own command line, for entries that say `run ID` alone. Records of older versions have none.
    #[serde(default)]
    pub words: Vec<String>,
    /// The `PATH` under which it was wrapped: clients with a window may start servers with hardly any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_path: Option<String>,
    /// The project's file for whose entry of the same name this one stands: nobody wrote it but us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_of: Option<String>,
    /// When its user took Stockade out of it with `unwrap`: then it is to stay so until that user says otherwise, and nothing else is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<String>,
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The system said no.
    #[error("cannot {step} {path}", path = path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else holds the lock.
    #[error("another `stockade wrap` or `unwrap` has been at work for more than 10 s")]
    Busy,
}

/// The journal's directory, and the lock on it while it may be changed.
#[derive(Debug)]
pub(crate) struct Journal {
    directory: PathBuf,
    _lock: Option<File>,
}

impl Record {
    /// A record of what is about to be written.
    pub(crate) fn new(at: String, id: String, file: &Path, place: &Place, texts: (&str, &str)) -> Self {
        let (original, written) = texts;
        Self {
            version: VERSION,
            at,
            id,
            file: file.display().to_string(),
            project: match &place.scope {
                Scope::User => None,
                Scope::Project(path) => Some(path.clone()),
            },
            name: place.name.clone(),
            original: original.to_owned(),
            original_sha256: sha256_hex(original.as_bytes()),
            written: written.to_owned(),
            words: Vec::new(),
            search_path: None,
            shadow_of: None,
            taken_back: None,
        }
    }

    /// That its user took it out; what was wrapped, with the tokens in it, is forgotten.
    pub(crate) fn taken_back(at: String, id: String, file: &Path, place: &Place) -> Self {
        Self { taken_back: Some(at.clone()), ..Self::new(at, id, file, place, ("", "")) }
    }

    /// With the `PATH` that finds its program.
    pub(crate) fn with_search_path(self, search_path: Option<String>) -> Self {
        Self { search_path, ..self }
    }

    /// That it stands for the entry of a project's file.
    pub(crate) fn shadowing(self, file: &Path) -> Self {
        Self { shadow_of: Some(file.display().to_string()), ..self }
    }

    /// With the server's own command line.
    pub(crate) fn with_words(self, words: Vec<String>) -> Self {
        Self { words, ..self }
    }
}

impl Journal {
    /// Opens the journal to read it, and creates nothing.
    pub(crate) fn peek(state_dir: &Path) -> Self {
        Self { directory: state_dir.join("journal"), _lock: None }
    }

    /// Creates the directory if need be and takes its lock, so that two changes do not interleave.
    ///
    /// # Errors
    /// When it cannot be created, or the lock is not to be had within 10 s.
    pub(crate) fn open(state_dir: &Path) -> Result<Self, JournalError> {
        let directory = state_dir.join("journal");
        let io = |step: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| JournalError::Io { step, path, source }
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&directory).map_err(io("create the directory", &directory))?;
        // It may have been there with another mode; the entries' tokens are in these files.
        std::fs::set_permissions(&directory, Permissions::from_mode(0o700))
            .map_err(io("make private the directory", &directory))?;
        let path = directory.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io("open", &path))?;
        for _ in 0..LOCK_POLLS_MAX {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { directory, _lock: Some(lock) }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(LOCK_POLL_MS)),
                Err(TryLockError::Error(source)) => return Err(io("lock", &path)(source)),
            }
        }
        Err(JournalError::Busy)
    }

    /// What is known of a wrapped entry. A record that cannot be read, is damaged, or more than one version ahead is no record.
    pub(crate) fn find(&self, file: &Path, place: &Place) -> Option<Record> {
        self.any(file, place).filter(|record| record.taken_back.is_none())
    }

    /// When the entry's user took Stockade out of it, if that was the last that was done.
    pub(crate) fn taken_back(&self, file: &Path, place: &Place) -> Option<String> {
        self.any(file, place)?.taken_back
    }

    fn any(&self, file: &Path, place: &Place) -> Option<Record> {
        Self::read(&self.record_path(file, place))
    }

    /// All records of this id.
    pub(crate) fn of_id(&self, id: &str) -> Vec<Record> {
        self.records().filter(|record| record.id == id).collect()
    }

    /// All records.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten();
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        let records = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        records.filter_map(|path| Self::read(&path))
    }

    fn read(path: &Path) -> Option<Record> {
        let text = std::fs::read(path).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        // One version ahead: after a downgrade, what this one knows of it is still true.
        let is_known = record.version >= 1 && record.version <= VERSION + 1;
        let intact = is_known && sha256_hex(record.original.as_bytes()) == record.original_sha256;
        intact.then_some(record)
    }

    /// Keeps a record; it is safe after [`Journal::settle`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep(&self, file: &Path, place: &Place, record: &Record) -> Result<(), JournalError> {
        let path = self.record_path(file, place);
        let text = serde_json::to_vec_pretty(record).map_err(|error| JournalError::Io {
            step: "write",
            path: path.clone(),
            source: io::Error::other(error),
        })?;
        self.write(&path, &text)
    }

    /// Puts another text in place of one wherever that stands in what is kept of this entry and of its file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn retell(
        &self,
        file: &Path,
        place: &Place,
        (from, to): (&str, &str),
    ) -> Result<(), JournalError> {
        if let Some(mut record) = self.find(file, place) {
            record.original = record.original.replace(from, to);
            record.written = record.written.replace(from, to);
            record.original_sha256 = sha256_hex(record.original.as_bytes());
            self.keep(file, place, &record)?;
        }
        if let Ok(backup) = std::fs::read_to_string(self.backup_path(file))
            && backup.contains(from)
        {
            self.back_up(file, backup.replace(from, to).as_bytes())?;
        }
        self.settle()
    }

    /// Drops the record of an entry that has been restored.
    pub(crate) fn forget(&self, file: &Path, place: &Place) {
        let _ = std::fs::remove_file(self.record_path(file, place));
    }

    /// The path of the backup of a client's file.
    pub(crate) fn backup_path(&self, file: &Path) -> PathBuf {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let hash = sha256_hex(file.as_os_str().as_encoded_bytes());
        self.directory.join(format!("{}-{}.backup", &hash[..16], name.trim_start_matches('.')))
    }

    /// Keeps the whole file; it is safe after [`Journal::settle`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn back_up(&self, file: &Path, bytes: &[u8]) -> Result<(), JournalError> {
        self.write(&self.backup_path(file), bytes)
    }

    /// Keeps the entry of a server that is about to be taken out, and says where.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_removed(&self, id: &str, entry: &str) -> Result<PathBuf, JournalError> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
        let name: String = id.chars().map(plain).take(64).collect();
        let mark = &sha256_hex(entry.as_bytes())[..8];
        let path = self.directory.join(format!("{name}-{mark}.removed"));
        self.write(&path, entry.as_bytes())?;
        self.settle()?;
        Ok(path)
    }

    /// Makes the names of what was kept survive a power cut; once for all of them, since it may take long.
    ///
    /// # Errors
    /// When the system cannot.
    pub(crate) fn settle(&self) -> Result<(), JournalError> {
        let flushed = File::open(&self.directory).and_then(|directory| directory.sync_all());
        flushed.map_err(|source| JournalError::Io { step: "flush", path: self.directory.clone(), source })
    }

    fn record_path(&self, file: &Path, place: &Place) -> PathBuf {
        let scope = match &place.scope {
            Scope::User => "",
            Scope::Project(path) => path,
        };
        let key = [file.as_os_str().as_encoded_bytes(), scope.as_bytes(), place.name.as_bytes()].join(&0);
        self.directory.join(format!("{}.json", &sha256_hex(&key)[..32]))
    }

    /// All or nothing; a temporary file is created 0600.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), JournalError> {
        let whole = || -> io::Result<()> {
            let mut temporary = tempfile::NamedTempFile::new_in(&self.directory)?;
            temporary.write_all(bytes)?;
            temporary.as_file().sync_all()?;
            temporary.persist(path).map_err(|error| error.error)?;
            Ok(())
        };
        whole().map_err(|source| JournalError::Io { step: "write", path: path.to_owned(), source })
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        Place { scope: Scope::Project("/p".to_owned()), name: name.to_owned() }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_record_comes_back_and_only_for_its_entry() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::open(state.path()).unwrap();
        let file = Path::new("/h/mcp.json");
        let record =
            Record::new("now".to_owned(), "cursor/a".to_owned(), file, &place("a"), ("{\r\n}", "{ }"));
        journal.keep(file, &place("a"), &record).unwrap();
        assert_eq!(journal.find(file, &place("a")), Some(record));
        assert_eq!(journal.find(file, &place("b")), None);
        assert_eq!(journal.find(file, &Place { scope: Scope::User, name: "a".to_owned() }), None);
        assert_eq!(journal.find(Path::new("/h/mcp.json2"), &place("a")), None);
        journal.forget(file, &place("a"));
        assert_eq!(journal.find(file, &place("a")), None);
    }

    #[test]
    fn nobody_else_can_read_it() {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(state.path().join("journal")).unwrap();
        std::fs::set_permissions(state.path().join("journal"), Permissions::from_mode(0o755)).unwrap();
        let journal = Journal::open(state.path()).unwrap();
        journal.back_up(Path::new("/h/.claude.json"), b"{}").unwrap();
        assert_eq!(mode(&state.path().join("journal")), 0o700);
        assert_eq!(mode(&journal.backup_path(Path::new("/h/.claude.json"))), 0o600);
        assert_eq!(mode(&state.path().join("journal/lock")), 0o600);
    }

    #[test]
    fn a_damaged_record_is_no_record() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::open(state.path()).unwrap();
        let file = Path::new("/h/mcp.json");
        let mut record =
            Record::new("now".to_owned(), "cursor/a".to_owned(), file, &place("a"), ("{}", "{ }"));
        record.original.push(' ');
        journal.keep(file, &place("a"), &record).unwrap();
        assert_eq!(journal.find(file, &place("a")), None);
        std::fs::write(journal.record_path(file, &place("a")), b"{").unwrap();
        assert_eq!(journal.find(file, &place("a")), None);
    }

    #[test]
    fn a_record_of_the_next_version_is_read_and_one_of_the_version_after_is_not() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::open(state.path()).unwrap();
        let file = Path::new("/h/mcp.json");
        let record = Record::new("now".to_owned(), "cursor/a".to_owned(), file, &place("a"), ("{}", "{ }"));
        let path = journal.record_path(file, &place("a"));
        for (version, is_read) in [(VERSION, true), (VERSION + 1, true), (VERSION + 2, false), (0, false)] {
            let mut newer = serde_json::to_value(&record).unwrap();
            newer["version"] = version.into();
            newer["what_this_version_does_not_know"] = true.into();
            std::fs::write(&path, newer.to_string()).unwrap();
            assert_eq!(journal.find(file, &place("a")).is_some(), is_read, "{version}");
        }
    }

    #[test]
    fn the_lock_is_held_until_the_journal_is_dropped() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::open(state.path()).unwrap();
        let second = File::open(state.path().join("journal/lock")).unwrap();
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
        drop(journal);
        assert!(second.try_lock().is_ok());
    }
}
