//! What the verbs of `pins` do with definitions, without their output.

use stockade_policy::rules::{Defined, Expectation, Policy};

use super::events::DefinitionsDecided;
use super::pin::{Approved, Definition, Entry, How, ServerPins, State};
use super::store::{self, Place};
use crate::approvals;
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::policies;
use crate::telemetry::{About, write_alone};

/// The pins of one server.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The name of the file.
    pub(crate) key: String,
    /// What is kept.
    pub(crate) pins: ServerPins,
}

/// The name of a file that cannot be read, and why.
pub(crate) type Damaged = (String, Failure);

/// Something that nobody agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The tool; `None`: what the server says of itself.
    pub(crate) tool: Option<String>,
    /// How it stands under the policy in force.
    pub(crate) state: State,
    /// What holds.
    pub(crate) approved: Option<Approved>,
    /// What was seen.
    pub(crate) seen: Definition,
    /// Since when.
    pub(crate) since: String,
    /// What the baseline says that is against it.
    pub(crate) baseline: Option<String>,
}

/// Who decides.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// At which terminal.
    pub(crate) terminal: String,
}

/// All servers, and those whose pins cannot be read.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn list(facts: &Facts) -> Result<(Vec<Found>, Vec<Damaged>), Failure> {
    let (mut good, mut damaged) = (Vec::new(), Vec::new());
    for (key, loaded) in store::all(&facts.state_dir)? {
        match loaded {
            Ok(pins) => good.push(Found { key, pins }),
            Err(failure) => damaged.push((key, failure)),
        }
    }
    Ok((good, damaged))
}

/// The server of this name, key or identity; `None` if there is none.
///
/// # Errors
/// When there are several, or the one of this key is damaged.
pub(crate) fn find(name: &str, facts: &Facts) -> Result<Option<Found>, Failure> {
    let (all, damaged) = list(facts)?;
    if let Some((_, failure)) = damaged.into_iter().find(|(key, _)| key == name) {
        return Err(failure);
    }
    let is = |found: &Found| {
        let pins = &found.pins;
        found.key == name
            || pins.server == name
            || pins.server.split_once('/').is_some_and(|(_, rest)| decoded(rest) == name)
            || pins.identity.iter().any(|identity| identity == name)
            || pins.names.iter().any(|known| known == name)
    };
    let mut fit: Vec<Found> = all.into_iter().filter(is).collect();
    if let Some(at) = fit.iter().position(|found| found.key == name) {
        return Ok(Some(fit.swap_remove(at)));
    }
    match (fit.pop(), fit.is_empty()) {
        (None, _) => Ok(None),
        (Some(one), true) => Ok(Some(one)),
        (Some(one), false) => {
            let mut failure = Failure::new(Kind::Usage, format!("several servers are called `{name}`"));
            for found in fit.iter().chain([&one]) {
                failure = failure.cause(found.key.clone());
            }
            Err(failure.hint("name one by its pin"))
        }
    }
}

/// How a definition stands under a policy.
pub(crate) fn state(pins: &ServerPins, defined: Defined<'_>, entry: &Entry, policy: &Policy) -> State {
    judged(pins, defined, entry, policy).0
}

fn judged(
    pins: &ServerPins,
    defined: Defined<'_>,
    entry: &Entry,
    policy: &Policy,
) -> (State, Option<String>) {
    let sha256 = entry.current().map(|definition| definition.sha256.as_str());
    let against = |by: stockade_policy::verdict::Reason| Some(format!("`{}` ({})", by.rule, by.text));
    match policy.expectation(&pins.identity, defined, sha256) {
        Expectation::Met(_) => (State::Approved, None),
        Expectation::Differs(by) => (State::Changed, against(by)),
        Expectation::Unlisted(by) => (State::New, against(by)),
        Expectation::Silent => (entry.state(), None),
    }
}

/// What nobody agreed to, the server's own first; of these tools, or of all.
pub(crate) fn pending(pins: &ServerPins, tools: &[String], policy: &Policy) -> Vec<Pending> {
    let own = pins.says.iter().filter(|_| tools.is_empty()).map(|entry| (None, entry));
    let named = pins.tools.iter().filter(|(name, _)| tools.is_empty() || tools.contains(name));
    let all = own.chain(named.map(|(name, entry)| (Some(name), entry)));
    all.filter_map(|(name, entry)| {
        let defined = name.map_or(Defined::Server, |name| Defined::Tool(name));
        let (state, baseline) = judged(pins, defined, entry, policy);
        let seen = entry.current().filter(|_| state != State::Approved)?.clone();
        let since = entry.waiting.as_ref().map_or(&entry.first_seen, |waiting| &waiting.since).clone();
        let approved = entry.approved.clone().filter(|approved| approved.definition != seen);
        Some(Pending { tool: name.cloned(), state, approved, seen, since, baseline })
    })
    .collect()
}

/// These hold from now on, in running sessions too.
///
/// # Errors
/// When the policy in force lets nobody agree, one of them is not what it was when it was shown, or it cannot be recorded or
/// written: nothing holds then.
pub(crate) fn approve(
    found: &Found,
    shown: &[Pending],
    person: &Person,
    facts: &Facts,
) -> Result<(), Failure> {
    let policy = approvals::allowed(facts)?;
    let now = host::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let give = |pins: &mut ServerPins| {
        for one in shown {
            let entry = match &one.tool {
                Some(name) => pins.tools.get_mut(name),
                None => pins.says.as_mut(),
            };
            let is_shown = |entry: &&mut Entry| entry.current() == Some(&one.seen);
            let entry = entry.filter(is_shown).ok_or_else(|| moved(one))?;
            entry.waiting = None;
            entry.approved = Some(Approved {
                definition: one.seen.clone(),
                at: now.clone(),
                how: How::Person,
                by: facts.user.clone(),
                terminal: Some(person.terminal.clone()),
                processes: host::ancestors(),
            });
        }
        // Before it holds: what cannot be recorded is not done.
        record(found, shown, (person, "definitions.approved"), (&policy, facts))
    };
    let gone = || ServerPins::new(&found.pins.server, &now);
    Place::new(&facts.state_dir, &found.key).update(gone, give).map(|_| ())
}

/// Forgets everything that is known of a server, even if it cannot be read. Its next list is a first sight.
///
/// # Errors
/// When it cannot be recorded or removed.
pub(crate) fn forget(key: &str, person: &Person, facts: &Facts) -> Result<(), Failure> {
    let policy = policies::load(facts, None)?;
    let place = Place::new(&facts.state_dir, key);
    let pins = place.load().ok().flatten().unwrap_or_else(|| ServerPins::new(key, ""));
    let found = Found { key: key.to_owned(), pins };
    record(&found, &[], (person, "definitions.forgotten"), (&policy, facts))?;
    place.remove()
}

fn moved(one: &Pending) -> Failure {
    let what = one.tool.as_ref().map_or_else(
        || "what the server says of itself".to_owned(),
        |name| format!("the definition of `{}`", name.escape_debug()),
    );
    Failure::new(Kind::Usage, format!("{what} is another one than was shown"))
        .cause("the server said something else meanwhile")
        .hint("look at it again")
}

fn record(
    found: &Found,
    shown: &[Pending],
    (person, kind): (&Person, &'static str),
    (policy, facts): (&Policy, &Facts),
) -> Result<(), Failure> {
    let about = About {
        client: None,
        server: found.pins.names.first().unwrap_or(&found.key).clone(),
        identity: found.pins.identity.clone(),
        profile: String::new(),
    };
    let one = |one: &Pending| {
        format!("{} sha256:{}", one.tool.as_deref().unwrap_or("(the server)"), one.seen.sha256)
    };
    let event = DefinitionsDecided {
        pin: &found.key,
        by: &facts.user,
        terminal: &person.terminal,
        definitions: shown.iter().map(one).collect(),
    };
    write_alone(about, (policy, facts), (kind, &event))
}

/// `%40team/server` as people write it.
fn decoded(name: &str) -> String {
    name.replace("%40", "@").replace("%2F", "/")
}
