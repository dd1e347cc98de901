//! Giving and revoking: from a refusal on record to a line in the file, with an event before it.

use jiff::{SignedDuration, Timestamp};
use stockade_policy::approvals::Switch;
use stockade_policy::rules::Policy;
use stockade_policy::verdict::Access;

use super::events::ApprovalDecided;
use super::file::{Stored, StoredScope, StoredTerm};
use super::{arguments, clock, file};
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::telemetry::{About, StoredEvent, write_alone};
use crate::{policies, state};

/// How people read a time in the file.
pub(super) const TIME_FORM: &str = "%Y-%m-%dT%H:%M:%SZ";

/// A refusal that a person can answer.
#[derive(Debug)]
pub(crate) struct Question {
    /// The event.
    pub(crate) event: StoredEvent,
    /// Keyed hash of the very call.
    pub(crate) call: String,
    /// Keyed hash of the tool.
    pub(crate) item: String,
    /// The arguments, masked, if they were kept.
    pub(crate) arguments: Option<String>,
    /// Whether the session that asked has ended.
    pub(crate) session: SessionState,
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionState {
    /// As far as is on record.
    Open,
    /// Its end is on record.
    Ended,
}

impl SessionState {
    /// What is on record of a session.
    pub(crate) fn of(session: &str, all: &[StoredEvent]) -> Self {
        let ends = |one: &StoredEvent| one.who("session") == session && one.value["kind"] == "session.end";
        if all.iter().any(ends) { Self::Ended } else { Self::Open }
    }
}

/// What a person gives.
#[derive(Clone, Debug)]
pub(crate) struct Gift {
    /// How much.
    pub(crate) scope: StoredScope,
    /// How long.
    pub(crate) term: StoredTerm,
    /// At most.
    pub(crate) for_ms: u64,
    /// Why, in that person's words.
    pub(crate) reason: String,
    /// At which terminal.
    pub(crate) terminal: String,
}

/// The same for the judge of a session.
pub(crate) fn switch(policy: &Policy) -> Switch {
    match policy.approvals().verdict {
        Access::Allow => Switch::On,
        Access::Ask | Access::Deny => Switch::Off,
    }
}

/// What can be asked about an event, or why it is no question.
///
/// # Errors
/// When it was allowed, denied or blocked, or the policy in force lets nobody approve anything.
pub(crate) fn question(event: StoredEvent, all: &[StoredEvent], facts: &Facts) -> Result<Question, Failure> {
    let code = event.what("code").to_owned();
    let no = |what: String| Failure::new(Kind::Usage, what);
    let asked = &event.value["what"]["asked"];
    let (Some(call), Some(item)) = (asked["call"].as_str(), asked["item"].as_str()) else {
        let verdict = event.what("verdict");
        return Err(match verdict {
            "deny" | "block" => no(format!("decision {code} is no question: its verdict is `{verdict}`"))
                .cause("an approval answers a rule that asks; it never lifts a deny, or a finding that blocks")
                .hint(format!(
                    "`stockade why {code}` says which rule that is; `stockade request {code}` keeps it for whoever writes the policy"
                )),
            _ => no("this event asks nobody for anything".to_owned())
                .hint("`stockade log --verdict ask` lists what does"),
        });
    };
    if let Some(by) = event.value["what"]["approval"].as_str() {
        return Err(no(format!("this call passed already, by approval {by}")));
    }
    allowed(facts)?;
    let session = event.who("session");
    Ok(Question {
        call: call.to_owned(),
        item: item.to_owned(),
        arguments: arguments::read(&facts.state_dir, session, &code),
        session: SessionState::of(session, all),
        event,
    })
}

/// The policy in force, if it lets people approve anything.
///
/// # Errors
/// When it does not, or cannot be used.
pub(crate) fn allowed(facts: &Facts) -> Result<Policy, Failure> {
    let policy = policies::load(facts, None)?;
    let ruling = policy.approvals();
    if ruling.verdict == Access::Allow {
        return Ok(policy);
    }
    let mut failure = Failure::new(Kind::Permission, "the policy in force lets nobody approve anything");
    if let Some(reason) = ruling.reason {
        failure = failure.cause(format!("{} (rule `{}`, {})", reason.text, reason.rule, reason.layer));
    }
    Err(failure.hint("`stockade request` keeps what was refused for whoever writes that policy"))
}

/// Puts it on record and into force. It holds from the next call on.
///
/// # Errors
/// When it cannot be recorded or written: nothing is approved then.
pub(crate) fn give(question: &Question, gift: Gift, facts: &Facts) -> Result<Stored, Failure> {
    let policy = allowed(facts)?;
    if gift.term != StoredTerm::Time && question.session == SessionState::Ended {
        return Err(Failure::new(Kind::Usage, "the session that asked has ended")
            .cause("an approval for one call or for a session holds in that session alone")
            .hint("`--for 15m` holds in the next one, too"));
    }
    state::open(&facts.state_dir)?;
    let now = clock::moment().map_err(|error| {
        Failure::new(Kind::Software, "nothing can be approved here: the end of it could not be told")
            .because(&error)
    })?;
    let event = &question.event;
    let text = |key: &str| event.what(key).to_owned();
    let long = SignedDuration::from_millis(i64::try_from(gift.for_ms).unwrap_or(i64::MAX));
    let ends = Timestamp::from_millisecond(now.unix_ms).and_then(|given| given.checked_add(long));
    let ends = ends.map_err(|error| Failure::new(Kind::Usage, "no time is so long").because(&error))?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let stored = Stored {
        id: id.get(..8).unwrap_or(&id).to_owned(),
        code: text("code"),
        event: event.value["id"].as_str().unwrap_or("").to_owned(),
        session: event.who("session").to_owned(),
        by: facts.user.clone(),
        terminal: gift.terminal,
        processes: host::ancestors(),
        reason: gift.reason,
        server: event.who("server").to_owned(),
        identity: identities(event),
        method: text("method"),
        item: text("item"),
        rule: text("rule"),
        scope: gift.scope,
        mark: match gift.scope {
            StoredScope::Call => question.call.clone(),
            StoredScope::Item | StoredScope::Server => question.item.clone(),
        },
        term: gift.term,
        given: host::now().strftime(TIME_FORM).to_string(),
        ends: ends.strftime(TIME_FORM).to_string(),
        given_unix_ms: now.unix_ms,
        boot: now.boot,
        given_boot_ms: now.boot_ms,
        for_ms: gift.for_ms,
    };
    record(&stored, "approval.given", (&policy, facts))?;
    file::update(&facts.state_dir, now.unix_ms, |all| all.push(stored.clone()))?;
    Ok(stored)
}

/// Takes approvals back; those whose id begins so, which has to be one. It counts no more from the next call on.
///
/// # Errors
/// When there is none, or more than one, or it cannot be recorded or written.
pub(crate) fn revoke(id: &str, facts: &Facts) -> Result<Stored, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Kind::Permission, "the approvals cannot be read, and so none of them counts")
            .because(&error)
    };
    let mut found: Vec<Stored> = file::load(&facts.state_dir).map_err(unreadable)?;
    found.retain(|one| !id.is_empty() && one.id.starts_with(id));
    let one = match (found.pop(), found.is_empty()) {
        (Some(one), true) => one,
        (Some(_), false) => {
            return Err(Failure::new(Kind::Usage, format!("several approvals begin with `{id}`")));
        }
        (None, _) => {
            return Err(Failure::new(Kind::Usage, format!("there is no approval `{id}`"))
                .hint("`stockade approvals` lists them"));
        }
    };
    file::update(&facts.state_dir, host::now().as_millisecond(), |all| {
        all.retain(|other| other.id != one.id)
    })?;
    // Revoking only tightens: that it cannot be recorded does not put it back.
    let policy = policies::load(facts, None)?;
    record(&one, "approval.revoked", (&policy, facts))?;
    Ok(one)
}

/// All identities of an event's server.
pub(crate) fn identities(event: &StoredEvent) -> Vec<String> {
    let all = event.value["who"]["identity"].as_array();
    all.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

pub(super) fn record(one: &Stored, kind: &'static str, at: (&Policy, &Facts)) -> Result<(), Failure> {
    let about = About {
        client: None,
        server: one.server.clone(),
        identity: one.identity.clone(),
        profile: String::new(),
    };
    write_alone(about, at, (kind, &ApprovalDecided::of(one, &at.1.user)))
}
