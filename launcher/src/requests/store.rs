//! `requests/ID.json` in the state directory: an event's evidence, as it was masked when it was recorded.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::state;
use crate::telemetry::StoredEvent;

const VERSION: u32 = 1;
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A request with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requested {
    /// Version of this format.
    v: u32,
    /// Its name.
    pub(crate) id: String,
    /// When it was made.
    pub(crate) at: String,
    /// Who asks.
    pub(crate) by: String,
    /// Why, in that person's words.
    pub(crate) reason: String,
    /// Where the rule stands: `FILE:LINE`, if that is known.
    pub(crate) rule_at: Option<String>,
    /// The lines of a policy that would grant it.
    pub(crate) fragment: Option<String>,
    /// What has to be done beside them.
    pub(crate) note: String,
    /// The event on record: who, what, which rule, findings masked.
    pub(crate) event: Value,
}

impl Requested {
    /// The evidence, as the log has it.
    pub(crate) fn evidence(&self) -> StoredEvent {
        StoredEvent { line: self.event.to_string(), value: self.event.clone() }
    }
}

/// A name for a new one.
pub(crate) fn new_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id.get(..8).unwrap_or(&id).to_owned()
}

/// Keeps a request.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn keep(
    (event, reason): (&StoredEvent, String),
    rule_at: Option<String>,
    (id, granted): (String, super::Fragment),
    facts: &Facts,
) -> Result<Requested, Failure> {
    let requested = Requested {
        v: VERSION,
        id,
        at: host::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        by: facts.user.clone(),
        reason,
        rule_at,
        fragment: granted.lines,
        note: granted.note,
        event: event.value.clone(),
    };
    state::open(&facts.state_dir)?;
    let dir = dir(&facts.state_dir);
    state::private_dir(&dir)?;
    let path = dir.join(format!("{}.json", requested.id));
    write(&path, &requested).map_err(|error| unusable(&path, &error))?;
    Ok(requested)
}

/// All of them, oldest first.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn all(facts: &Facts) -> Result<Vec<Requested>, Failure> {
    let dir = dir(&facts.state_dir);
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(&dir, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unusable(&dir, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            found.push(read(&path).map_err(|error| unusable(&path, &error))?);
        }
    }
    found.sort_by(|a: &Requested, b| a.at.cmp(&b.at));
    Ok(found)
}

/// The one whose id begins so.
///
/// # Errors
/// When there is none, or more than one.
pub(crate) fn one(id: &str, facts: &Facts) -> Result<Requested, Failure> {
    let mut found = all(facts)?;
    found.retain(|one| !id.is_empty() && one.id.starts_with(id));
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(Failure::new(Kind::Usage, format!("several requests begin with `{id}`"))),
        (None, _) => Err(Failure::new(Kind::Usage, format!("there is no request `{id}`"))
            .hint("`stockade requests` lists them")),
    }
}

/// Forgets one.
///
/// # Errors
/// When there is none of that name, or it cannot be removed.
pub(crate) fn drop_one(id: &str, facts: &Facts) -> Result<Requested, Failure> {
    let one = one(id, facts)?;
    let path = dir(&facts.state_dir).join(format!("{}.json", one.id));
    std::fs::remove_file(&path).map_err(|error| unusable(&path, &error))?;
    Ok(one)
}

fn dir(state_dir: &Path) -> PathBuf {
    state_dir.join("requests")
}

fn read(path: &Path) -> io::Result<Requested> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let requested: Requested = serde_json::from_str(&text).map_err(io::Error::other)?;
    match requested.v {
        VERSION => Ok(requested),
        other => Err(io::Error::other(format!("it is of version {other}, this is {VERSION}"))),
    }
}

fn write(path: &Path, requested: &Requested) -> io::Result<()> {
    let new = path.with_extension("new");
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(flags.bits());
    let mut file = options.open(&new)?;
    file.write_all(&serde_json::to_vec_pretty(requested)?)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Permission, format!("cannot use {}", path.display()))
        .because(error)
        .hint("mend its permissions, make room, or remove it")
}
