//! `approvals/approvals.json` in the state directory: what was approved, and the proof of it. Only its owner may write it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stockade_policy::approvals::{Approval, Moment, Scope, Term};

use crate::error::{Failure, Kind};
use crate::state::{self, own_file};

const VERSION: u32 = 1;
/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// What ended longer ago is taken off the file when it is written next.
const KEPT_AFTER_END_MS: i64 = 7 * 24 * 3_600_000;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    v: u32,
    approvals: Vec<Stored>,
}

/// One approval, with what a person wants to know of it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    /// Its name.
    pub(crate) id: String,
    /// The code of the refusal that it answers.
    pub(crate) code: String,
    /// Id of that event.
    pub(crate) event: String,
    /// The session of that event.
    pub(crate) session: String,
    /// Who gave it.
    pub(crate) by: String,
    /// At which terminal.
    pub(crate) terminal: String,
    /// Processes above the one that asked, nearest first.
    pub(crate) processes: Vec<String>,
    /// Why, in that person's words.
    pub(crate) reason: String,
    /// Name of the server.
    pub(crate) server: String,
    /// Identities of the server.
    pub(crate) identity: Vec<String>,
    /// Method of the request.
    pub(crate) method: String,
    /// Tool, prompt or resource, masked.
    pub(crate) item: String,
    /// The rule that asks.
    pub(crate) rule: String,
    /// How much it covers.
    pub(crate) scope: StoredScope,
    /// Keyed hash of that.
    pub(crate) mark: String,
    /// How long it holds.
    pub(crate) term: StoredTerm,
    /// When it was given, for people.
    pub(crate) given: String,
    /// When it ends at the latest, for people.
    pub(crate) ends: String,
    /// When it was given, in milliseconds since 1970.
    pub(crate) given_unix_ms: i64,
    /// In which boot it was given.
    pub(crate) boot: String,
    /// How long after that boot.
    pub(crate) given_boot_ms: u64,
    /// How long it holds at most.
    pub(crate) for_ms: u64,
}

/// [`Scope`] in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoredScope {
    /// This very call.
    Call,
    /// This tool.
    Item,
    /// Everything on the server: a pause.
    Server,
}

/// [`Term`] in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoredTerm {
    /// One call.
    Once,
    /// The session.
    Session,
    /// Until its end.
    Time,
}

impl StoredScope {
    /// The word of the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Item => "item",
            Self::Server => "server",
        }
    }
}

impl StoredTerm {
    /// The word of the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Session => "session",
            Self::Time => "time",
        }
    }
}

impl Stored {
    /// As the judge knows it.
    pub(crate) fn approval(&self) -> Approval {
        Approval {
            id: self.id.clone(),
            by: self.by.clone(),
            identities: self.identity.clone(),
            scope: match self.scope {
                StoredScope::Call => Scope::Call,
                StoredScope::Item => Scope::Item,
                StoredScope::Server => Scope::Server,
            },
            mark: self.mark.clone(),
            term: match self.term {
                StoredTerm::Once => Term::Once,
                StoredTerm::Session => Term::Session,
                StoredTerm::Time => Term::Time,
            },
            session: self.session.clone(),
            given: Moment {
                unix_ms: self.given_unix_ms,
                boot: self.boot.clone(),
                boot_ms: self.given_boot_ms,
            },
            for_ms: self.for_ms,
        }
    }
}

/// How long it still holds; `None` if it has ended.
pub(crate) fn remaining_ms(stored: &Stored, now: &Moment) -> Option<u64> {
    stored.approval().holds(now).ok()?;
    stored.for_ms.checked_sub(now.boot_ms.checked_sub(stored.given_boot_ms)?)
}

/// Where it is.
pub(super) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("approvals").join("approvals.json")
}

/// All approvals, ended ones among them. No file: there are none.
///
/// # Errors
/// When it cannot be read, or is not the user's alone: then none of them counts.
pub(crate) fn load(state_dir: &Path) -> io::Result<Vec<Stored>> {
    let Some(text) = own_file::read(&path(state_dir), FILE_BYTES_MAX)? else { return Ok(Vec::new()) };
    let content: Content = serde_json::from_str(&text).map_err(io::Error::other)?;
    if content.v != VERSION {
        return Err(io::Error::other(format!("it is of version {}, this is {VERSION}", content.v)));
    }
    Ok(content.approvals)
}

/// Changes the file as it is now: another process may have changed it since it was read.
///
/// # Errors
/// When it cannot be read, trusted or written.
pub(super) fn update<T>(
    state_dir: &Path,
    now_unix_ms: i64,
    change: impl FnOnce(&mut Vec<Stored>) -> T,
) -> Result<T, Failure> {
    let path = path(state_dir);
    let dir = state_dir.join("approvals");
    state::private_dir(&dir)?;
    let unusable = |error: &io::Error| {
        Failure::new(Kind::Permission, format!("the approvals in {} cannot be changed", path.display()))
            .because(error)
            .hint("mend its permissions, or remove the file: nothing is approved then")
    };
    let _held = own_file::lock(&dir.join("approvals.lock")).map_err(|error| unusable(&error))?;
    let mut approvals = load(state_dir).map_err(|error| unusable(&error))?;
    let ended_at = |one: &Stored| one.given_unix_ms.saturating_add_unsigned(one.for_ms);
    approvals.retain(|one| ended_at(one) > now_unix_ms - KEPT_AFTER_END_MS);
    let outcome = change(&mut approvals);
    let bytes = serde_json::to_vec_pretty(&Content { v: VERSION, approvals }).map_err(io::Error::from);
    bytes.and_then(|bytes| own_file::replace(&path, &bytes)).map_err(|error| unusable(&error))?;
    Ok(outcome)
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    pub(in crate::approvals) fn stored(id: &str) -> Stored {
        Stored {
            id: id.to_owned(),
            code: "4F2K".to_owned(),
            event: "e".to_owned(),
            session: "s".to_owned(),
            by: "ada".to_owned(),
            terminal: "/dev/pts/1".to_owned(),
            processes: Vec::new(),
            reason: String::new(),
            server: "a".to_owned(),
            identity: vec!["pkg:npm/a@1".to_owned()],
            method: "tools/call".to_owned(),
            item: "deploy".to_owned(),
            rule: "ask-deploy".to_owned(),
            scope: StoredScope::Call,
            mark: "00".to_owned(),
            term: StoredTerm::Time,
            given: String::new(),
            ends: String::new(),
            given_unix_ms: 1_000,
            boot: "b".to_owned(),
            given_boot_ms: 10,
            for_ms: 60_000,
        }
    }

    fn add(dir: &Path, id: &str) {
        state::make_private(dir).unwrap();
        update(dir, 1_000, |all| all.push(stored(id))).unwrap();
    }

    #[test]
    fn what_is_written_is_the_users_alone_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()).unwrap(), []);
        add(dir.path(), "a");
        add(dir.path(), "b");
        assert_eq!(load(dir.path()).unwrap(), [stored("a"), stored("b")]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path(dir.path())), 0o600);
        assert_eq!(mode(&dir.path().join("approvals")), 0o700);
    }

    #[test]
    fn what_ended_long_ago_is_taken_off_at_the_next_change() {
        let dir = tempfile::tempdir().unwrap();
        add(dir.path(), "a");
        update(dir.path(), 61_000 + KEPT_AFTER_END_MS, |_| ()).unwrap();
        assert_eq!(load(dir.path()).unwrap(), []);
    }

    #[test]
    fn a_file_that_others_could_have_written_counts_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        add(dir.path(), "a");
        let file = path(dir.path());
        for mode in [0o644, 0o660, 0o602] {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            assert!(load(dir.path()).is_err(), "mode {mode:o}");
            assert!(update(dir.path(), 1_000, |_| ()).is_err(), "mode {mode:o}");
        }
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(load(dir.path()).is_ok(), "the control");
        std::fs::hard_link(&file, dir.path().join("second")).unwrap();
        assert!(load(dir.path()).is_err(), "a second name");
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(dir.path().join("second"), &file).unwrap();
        assert!(load(dir.path()).is_err(), "a link");
    }

    #[test]
    fn a_damaged_file_is_not_taken_for_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        add(dir.path(), "a");
        let file = path(dir.path());
        let whole = std::fs::read_to_string(&file).unwrap();
        for text in ["", "{", &whole.replace("\"v\": 1", "\"v\": 2"), &whole.replace("\"by\"", "\"who\"")] {
            std::fs::write(&file, text).unwrap();
            assert!(load(dir.path()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_ended_one_has_no_time_left() {
        let now = |passed_ms: u64| Moment {
            unix_ms: 1_000 + passed_ms as i64,
            boot: "b".to_owned(),
            boot_ms: 10 + passed_ms,
        };
        assert_eq!(remaining_ms(&stored("a"), &now(10_000)), Some(50_000));
        assert_eq!(remaining_ms(&stored("a"), &now(60_000)), None);
    }
}
