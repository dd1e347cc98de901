//! A pause: for a while, what the policy would stop on one server is recorded and passes. It is kept beside the approvals and ends as
//! they do; the jail stays as it was made.

use jiff::{SignedDuration, Timestamp};
use stockade_policy::rules::Policy;
use stockade_policy::verdict::Access;

use super::file::{Stored, StoredScope, StoredTerm};
use super::give::{TIME_FORM, identities, record};
use super::{clock, file};
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::telemetry::StoredEvent;
use crate::{policies, state};

/// A server that can be paused: one that has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pausable {
    /// The name that people know it by.
    pub(crate) server: String,
    /// `CLIENT/NAME`, if a client's config names it.
    pub(crate) id: Option<String>,
    /// All its identities, as when it ran last.
    pub(crate) identity: Vec<String>,
    /// When that was.
    pub(crate) last: String,
}

/// What a person decides.
#[derive(Clone, Debug)]
pub(crate) struct Pause {
    /// For how long.
    pub(crate) for_ms: u64,
    /// Why, in that person's words.
    pub(crate) reason: String,
    /// At which terminal.
    pub(crate) terminal: String,
}

/// The server of this name or id (`CLIENT/NAME`), as it ran last.
///
/// # Errors
/// When no session of it is on record, or servers of several clients have the name.
pub(crate) fn pausable(name: &str, all: &[StoredEvent]) -> Result<Pausable, Failure> {
    let mut found: Vec<Pausable> = Vec::new();
    for event in all.iter().rev().filter(|event| event.value["kind"] == "session.start") {
        let server = event.who("server").to_owned();
        let one = Pausable {
            id: event.value["who"]["client"]["id"].as_str().map(|client| format!("{client}/{server}")),
            server,
            identity: identities(event),
            last: event.value["time"].as_str().unwrap_or("").to_owned(),
        };
        let is_it = one.server == name || one.id.as_deref() == Some(name);
        if is_it && !one.identity.is_empty() && found.iter().all(|known| known.id != one.id) {
            found.push(one);
        }
    }
    // Two clients may well start the same server.
    let same = found.iter().all(|one| one.identity == found[0].identity);
    match found.len() {
        0 => Err(Failure::new(Kind::Usage, format!("no server `{name}` has run under Stockade"))
            .cause("a pause is for a server that is known by what it really ran as")
            .hint("`stockade log --kind session.start` names those that did")),
        1 => Ok(found.remove(0)),
        _ if same => Ok(found.remove(0)),
        _ => {
            let ids: Vec<&str> = found.iter().filter_map(|one| one.id.as_deref()).collect();
            Err(Failure::new(Kind::Usage, format!("more than one server is called `{name}`"))
                .hint(format!("name one of {}", ids.join(", "))))
        }
    }
}

/// The policy in force, if it lets people pause it.
///
/// # Errors
/// When it does not, or cannot be used.
pub(crate) fn pause_allowed(facts: &Facts) -> Result<Policy, Failure> {
    let policy = policies::load(facts, None)?;
    let ruling = policy.pause();
    if ruling.verdict == Access::Allow {
        return Ok(policy);
    }
    let mut failure = Failure::new(Kind::Permission, "the policy in force is not to be paused");
    if let Some(reason) = ruling.reason {
        failure = failure.cause(format!("{} (`pause`, {})", reason.text, reason.layer));
    }
    Err(failure.hint(
        "`stockade why` says what was refused, `stockade approve CODE` lets one call pass, `stockade request CODE` keeps it for whoever \
         writes that policy",
    ))
}

/// Puts it on record and into force: from the next message on, in running sessions too.
///
/// # Errors
/// When it cannot be recorded or written: nothing is paused then.
pub(crate) fn pause(server: &Pausable, pause: Pause, facts: &Facts) -> Result<Stored, Failure> {
    let policy = pause_allowed(facts)?;
    state::open(&facts.state_dir)?;
    let now = clock::moment().map_err(|error| {
        Failure::new(Kind::Software, "nothing can be paused here: the end of it could not be told")
            .because(&error)
    })?;
    let long = SignedDuration::from_millis(i64::try_from(pause.for_ms).unwrap_or(i64::MAX));
    let ends = Timestamp::from_millisecond(now.unix_ms).and_then(|given| given.checked_add(long));
    let ends = ends.map_err(|error| Failure::new(Kind::Usage, "no time is so long").because(&error))?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let none = String::new;
    let stored = Stored {
        id: id.get(..8).unwrap_or(&id).to_owned(),
        code: none(),
        event: none(),
        session: none(),
        by: facts.user.clone(),
        terminal: pause.terminal,
        processes: host::ancestors(),
        reason: pause.reason,
        server: server.server.clone(),
        identity: server.identity.clone(),
        method: none(),
        item: none(),
        rule: none(),
        scope: StoredScope::Server,
        mark: none(),
        term: StoredTerm::Time,
        given: host::now().strftime(TIME_FORM).to_string(),
        ends: ends.strftime(TIME_FORM).to_string(),
        given_unix_ms: now.unix_ms,
        boot: now.boot,
        given_boot_ms: now.boot_ms,
        for_ms: pause.for_ms,
    };
    record(&stored, "pause.begun", (&policy, facts))?;
    file::update(&facts.state_dir, now.unix_ms, |all| all.push(stored.clone()))?;
    Ok(stored)
}

/// Ends all pauses of this server; how many those were.
///
/// # Errors
/// When the approvals cannot be read or written.
pub(crate) fn resume(server: &Pausable, facts: &Facts) -> Result<usize, Failure> {
    let mut ended = Vec::new();
    file::update(&facts.state_dir, host::now().as_millisecond(), |all| {
        all.retain(|one| {
            let is_it = one.scope == StoredScope::Server && one.identity == server.identity;
            if is_it {
                ended.push(one.clone());
            }
            !is_it
        });
    })?;
    let policy = policies::load(facts, None)?;
    for one in &ended {
        record(one, "pause.ended", (&policy, facts))?;
    }
    Ok(ended.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn start(server: &str, id: Option<&str>, identity: &str) -> StoredEvent {
        let value = json!({ "kind": "session.start", "time": "t",
            "who": { "server": server, "client": { "id": id }, "identity": [identity] } });
        StoredEvent { line: value.to_string(), value }
    }

    #[test]
    fn a_server_is_found_by_name_or_id_as_it_ran_last() {
        let all = [
            start("git", Some("cursor"), "pkg:npm/git@1"),
            start("git", Some("cursor"), "pkg:npm/git@2"),
            start("db", Some("cursor"), "pkg:npm/db@1"),
            start("db", Some("zed"), "pkg:npm/other@1"),
        ];
        assert_eq!(pausable("git", &all).unwrap().identity, ["pkg:npm/git@2"]);
        assert_eq!(pausable("zed/db", &all).unwrap().identity, ["pkg:npm/other@1"]);
        let several = pausable("db", &all).unwrap_err();
        assert!(several.hints[0].contains("cursor/db") && several.hints[0].contains("zed/db"), "{several:?}");
        assert!(pausable("none", &all).is_err());
    }
}
