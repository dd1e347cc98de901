//! What the policy in force says before a server starts: may it, with which profile, and wider by flags?

use stockade_policy::approvals::{Approvals, Asked, Switch};
use stockade_policy::detect::HashKey;
use stockade_policy::document::profile::Profile;
use stockade_policy::mediator::lone_code;
use stockade_policy::rules::{Item, Policy, Ruling};
use stockade_policy::verdict::Access;
use stockade_policy::wire::Direction;

use crate::cli::{BackendArg, JailArgs};
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::identity::Resolved;
use crate::packages::When;
use crate::telemetry::{About, AskedMarks, StartAsked, write_alone};
use crate::{approvals, policies, profiles, state};

/// What is asked about at a start, as events and approvals call it.
pub(crate) const START_METHOD: &str = "server/start";

/// Who starts what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Starter<'a> {
    /// `CLIENT/NAME` of a wrapped entry.
    pub(crate) id: Option<&'a str>,
    /// What runs.
    pub(crate) resolved: &'a Resolved,
    /// What becomes of a question that nobody has answered.
    pub(crate) question: Question,
}

/// Whether a question is put on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Under a code, for a person to answer.
    Recorded,
    /// Nothing is written: nothing would start anyway.
    Unrecorded,
}

impl Question {
    /// Where nothing may be fetched nothing is going to start.
    pub(super) fn of(when: When) -> Self {
        if when == When::Never { Self::Unrecorded } else { Self::Recorded }
    }
}

/// May the server start, as far as a policy says so by itself? Asks nobody.
pub(crate) fn admit(policy: &Policy, identities: &[String]) -> Result<(), Failure> {
    match ask(policy, identities) {
        ruling if ruling.verdict == Access::Allow => Ok(()),
        ruling => Err(refusal(&ruling, identities)),
    }
}

/// May its package be fetched? Only what is there can be known by all that it is, and only that can be approved: a
/// policy that asks about the server asks before it starts.
pub(crate) fn admit_fetch(policy: &Policy, identities: &[String]) -> Result<(), Failure> {
    match ask(policy, identities) {
        ruling if ruling.verdict == Access::Deny => Err(refusal(&ruling, identities)),
        _ => Ok(()),
    }
}

/// May the server start now? Where the policy asks, a person may have approved it; if nobody has, the question is put on
/// record under a code. The approval by which it starts, if one was needed.
pub(crate) fn admit_start(
    policy: &Policy,
    starter: &Starter<'_>,
    facts: &Facts,
) -> Result<Option<String>, Failure> {
    let identities = &starter.resolved.identities;
    let ruling = ask(policy, identities);
    let failure = match ruling.verdict {
        Access::Allow => return Ok(None),
        Access::Deny => return Err(refusal(&ruling, identities)),
        Access::Ask => refusal(&ruling, identities),
    };
    // A start has no session yet: what was approved for one call or one session is never this.
    let session = uuid::Uuid::now_v7().to_string();
    let mut approvals = Approvals::new(session, HashKey(state::open(&facts.state_dir)?));
    approvals.set_switch(approvals::switch(policy));
    let asked = approvals.marks((Direction::ToServer, START_METHOD), None, b"{}");
    match approvals::load(&facts.state_dir) {
        Ok(all) => approvals.replace(all.iter().map(approvals::Stored::approval).collect()),
        Err(error) => {
            return Err(failure.cause(format!("no approval counts: {error}")));
        }
    }
    if let Ok(now) = approvals::moment() {
        approvals.set_now(now);
    }
    if let Some(approval) = approvals.find(identities, &asked) {
        return Ok(Some(approval.id.clone()));
    }
    if approvals::switch(policy) == Switch::Off || starter.question == Question::Unrecorded {
        return Err(failure);
    }
    let code = lone_code(*uuid::Uuid::new_v4().as_bytes());
    put_on_record(policy, starter, facts, (&ruling, &asked, &code))?;
    Err(failure.hint(format!(
        "decision {code}: a person at a terminal can let this very server start, for a time; see `stockade why {code}`"
    )))
}

fn ask(policy: &Policy, identities: &[String]) -> Ruling<Access> {
    let standing = policies::Standing::gather();
    policy.decide(identities, Item::Server, &standing.circumstances())
}

fn refusal(ruling: &Ruling<Access>, identities: &[String]) -> Failure {
    let word = if ruling.verdict == Access::Ask { "wants to be asked about" } else { "denies" };
    let mut failure = Failure::new(Kind::Permission, format!("the policy in force {word} this server"))
        .cause(format!("it is {}", identities.join(", ")));
    if let Some(reason) = &ruling.reason {
        failure = failure.cause(format!("{} (rule `{}`, {})", reason.text, reason.rule, reason.layer));
    }
    failure.hint(
        "whoever writes that policy can approve it with a rule: effect = \"allow\", servers = [its identity]",
    )
}

fn put_on_record(
    policy: &Policy,
    starter: &Starter<'_>,
    facts: &Facts,
    (ruling, asked, code): (&Ruling<Access>, &Asked, &str),
) -> Result<(), Failure> {
    let reason = ruling.reason.as_ref();
    let event = StartAsked {
        verdict: "ask",
        access: "ask",
        why: "the policy in force wants to be asked about this server",
        code,
        method: START_METHOD,
        rule: reason.map_or("", |reason| &*reason.rule),
        layer: reason.map_or("", |reason| &*reason.layer),
        reason: reason.map_or("", |reason| &*reason.text),
        asked: AskedMarks { call: &asked.call, item: &asked.item },
    };
    let split = starter.id.and_then(|id| id.split_once('/'));
    let about = About {
        client: starter.id.map(str::to_owned),
        server: split.map_or_else(|| starter.resolved.name.clone(), |(_, name)| name.to_owned()),
        identity: starter.resolved.identities.clone(),
        profile: String::new(),
    };
    write_alone(about, (policy, facts), ("session.refused", &event))
}

pub(super) fn flags_allowed(policy: &Policy, jail: &JailArgs) -> Result<(), Failure> {
    let widening = [
        ("--grant-read", !jail.grant_read.is_empty()),
        ("--grant-write", !jail.grant_write.is_empty()),
        ("--grant-net", !jail.grant_net.is_empty()),
        ("--env", !jail.env.is_empty()),
        ("--backend", matches!(jail.backend, BackendArg::Notify | BackendArg::Static)),
    ];
    match widening.into_iter().find(|(_, asked)| *asked) {
        Some((flag, _)) => flag_allowed(policy, flag),
        None => Ok(()),
    }
}

pub(crate) fn flag_allowed(policy: &Policy, flag: &str) -> Result<(), Failure> {
    let ruling = policy.grants_by_flag();
    if ruling.verdict == Access::Allow {
        return Ok(());
    }
    let mut failure = Failure::new(Kind::Permission, format!("the policy in force forbids `{flag}`"));
    if let Some(reason) = ruling.reason {
        failure = failure.cause(format!("{} (rule `{}`, {})", reason.text, reason.rule, reason.layer));
    }
    Err(failure
        .hint("put what the server needs into a profile: `stockade profile show default` shows the form"))
}

pub(crate) fn choose_profile<'p>(
    available: &'p profiles::Available,
    policy: &Policy,
    jail: &JailArgs,
    identities: &[String],
) -> Result<(&'p Profile, String), Failure> {
    let (profile, why) = match available.for_identities(identities) {
        Some(profile) => (profile, "matches the identity".to_owned()),
        None => (available.named(policy.default_profile())?, "the policy's default".to_owned()),
    };
    match &jail.profile {
        Some(name) if *name != profile.name => {
            flag_allowed(policy, "--profile")?;
            Ok((available.named(name)?, "--profile".to_owned()))
        }
        _ => Ok((profile, why)),
    }
}
