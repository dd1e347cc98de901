//! What was told and decided about the logins of a server: `logins/KEY.json` in the state directory, which no jail reads.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use stockade_policy::document::profile::Share;

use crate::error::{Failure, Kind};
use crate::state;

const VERSION: u32 = 1;
/// Largest file that is read back.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// One server's record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Version of this format.
    v: u32,
    /// Name of the directory of its private files.
    pub(crate) key: String,
    /// The name people know it by.
    pub(crate) server: String,
    /// `CLIENT/NAME`, if it was started by one.
    pub(crate) id: Option<String>,
    /// What ran.
    pub(crate) identity: Vec<String>,
    /// Its profile when it was started last.
    pub(crate) profile: String,
    /// Places that were told of.
    pub(crate) told: Vec<String>,
    /// What the user decided.
    pub(crate) decisions: Vec<Decision>,
}

/// What a user decided about one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// As the profile writes it.
    pub(crate) path: String,
    /// What.
    pub(crate) way: Way,
    /// When, RFC 3339.
    pub(crate) at: String,
    /// Where it lay.
    pub(crate) from: PathBuf,
}

/// How a server has its login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// A copy in its private directories.
    Copied,
    /// In its place, to be read.
    SharedRead,
    /// In its place, to be read and written.
    SharedWrite,
    /// Not at all.
    Never,
}

impl Way {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::SharedRead => "shared read-only",
            Self::SharedWrite => "shared, to be written too",
            Self::Never => "never",
        }
    }

    /// How a share that a profile allows is given.
    pub(crate) fn shared(share: Share) -> Self {
        match share {
            Share::Read => Self::SharedRead,
            Share::Write => Self::SharedWrite,
        }
    }
}

impl Record {
    /// What was decided about a place.
    pub(crate) fn decision(&self, path: &str) -> Option<&Decision> {
        self.decisions.iter().find(|decision| decision.path == path)
    }

    /// Puts a decision in the place of the one before.
    pub(crate) fn decide(&mut self, decision: Decision) {
        self.decisions.retain(|other| other.path != decision.path);
        self.decisions.push(decision);
    }

    /// As if nothing had been told or decided about a place.
    pub(crate) fn forget(&mut self, path: &str) {
        self.decisions.retain(|other| other.path != path);
        self.told.retain(|told| told != path);
    }
}

/// The record of a server; an empty one, if nothing was told or decided yet.
///
/// # Errors
/// When it cannot be read: what was decided must not be taken for undecided.
pub(crate) fn load(state_dir: &Path, key: &str) -> Result<Record, Failure> {
    let path = path(state_dir, key);
    let unreadable = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Config, format!("cannot read what was decided about logins in {}", path.display()))
            .cause(why.to_string())
            .hint("mend the file, or remove it and decide again: `stockade login list`")
    };
    let mut text = String::new();
    match File::open(&path) {
        Ok(file) => {
            file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| unreadable(&error))?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Record { v: VERSION, key: key.to_owned(), ..Record::default() });
        }
        Err(error) => return Err(unreadable(&error)),
    };
    let record: Record = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
    match record.v {
        VERSION if record.key == key => Ok(record),
        VERSION => Err(unreadable(&"it is another server's")),
        other => Err(unreadable(&format!("it is of version {other}, this is {VERSION}"))),
    }
}

/// All records, in the order of their keys.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn all(state_dir: &Path) -> Result<Vec<Record>, Failure> {
    let dir = state_dir.join("logins");
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unwritable(&dir, &error)),
    };
    let mut keys = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| unwritable(&dir, &error))?.file_name();
        keys.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
    }
    keys.sort();
    keys.iter().map(|key| load(state_dir, key)).collect()
}

/// Changes the record of a server as it is now: another launcher may have changed it since it was read.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn update(
    state_dir: &Path,
    key: &str,
    change: impl FnOnce(&mut Record),
) -> Result<Record, Failure> {
    let dir = state_dir.join("logins");
    state::private_dir(&dir)?;
    let path = path(state_dir, key);
    let lock = options().open(dir.join(format!("{key}.lock"))).map_err(|error| unwritable(&path, &error))?;
    let _held = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, error)| unwritable(&path, &io::Error::from(error)))?;
    let mut record = load(state_dir, key)?;
    change(&mut record);
    write(&path, &record).map_err(|error| unwritable(&path, &error))?;
    Ok(record)
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = options().truncate(true).open(&new)?;
    file.write_all(&serde_json::to_vec_pretty(record)?)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

fn path(state_dir: &Path, key: &str) -> PathBuf {
    state_dir.join("logins").join(format!("{key}.json"))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Permission, format!("cannot use {}", path.display()))
        .because(error)
        .hint("mend its permissions, or make room")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn decision(path: &str, way: Way) -> Decision {
        Decision { path: path.to_owned(), way, at: "2026-01-01T00:00:00Z".to_owned(), from: path.into() }
    }

    #[test]
    fn a_decision_is_kept_replaced_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path(), "s-1").unwrap().decisions, []);
        let update = |change: &dyn Fn(&mut Record)| update(dir.path(), "s-1", change).unwrap();
        update(&|record| record.decide(decision("${home}/.a", Way::Copied)));
        update(&|record| record.decide(decision("${home}/.a", Way::Never)));
        update(&|record| record.told.push("${home}/.a".to_owned()));
        let record = load(dir.path(), "s-1").unwrap();
        assert_eq!(record.decision("${home}/.a").map(|one| one.way), Some(Way::Never));
        assert_eq!((record.decisions.len(), record.told.len()), (1, 1));
        let mode = std::fs::metadata(path(dir.path(), "s-1")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        update(&|record| record.forget("${home}/.a"));
        let record = load(dir.path(), "s-1").unwrap();
        assert!(record.decisions.is_empty() && record.told.is_empty());
        assert_eq!(all(dir.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_damaged_record_is_not_taken_for_none() {
        let dir = tempfile::tempdir().unwrap();
        update(dir.path(), "s-1", |record| record.decide(decision("${home}/.a", Way::Never))).unwrap();
        let file = path(dir.path(), "s-1");
        for text in ["", "{", "{\"v\": 2}", &std::fs::read_to_string(&file).unwrap().replace("s-1", "s-2")] {
            std::fs::write(&file, text).unwrap();
            assert!(load(dir.path(), "s-1").is_err(), "{text}");
        }
    }
}
