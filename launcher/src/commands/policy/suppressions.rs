//! Suppressions in words: what they speak for, and those whose time is over.

use serde_json::{Value, json};
use stockade_policy::document::policy::{Directions, Suppression, Term};
use stockade_policy::rules::{Policy, UnixTime};

/// A suppression that has no effect, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Idle {
    /// Its file.
    pub(in crate::commands) file: String,
    /// Its line.
    pub(in crate::commands) line: usize,
    /// What is the matter, and what to do.
    pub(in crate::commands) why: String,
}

/// Those of a policy that have no effect at this time.
pub(in crate::commands) fn idle(policy: &Policy, now: UnixTime) -> Vec<Idle> {
    let layers = policy.layers().iter();
    let each = layers.flat_map(|layer| layer.document.suppressions.iter().map(move |one| (layer, one)));
    let idle = |(layer, one): (&stockade_policy::rules::Layer, &Suppression)| {
        Some(Idle { file: layer.name.clone(), line: one.line, why: why_idle(one, now)? })
    };
    each.filter_map(idle).collect()
}

/// Why a suppression has no effect at this time, if so.
pub(in crate::commands) fn why_idle(one: &Suppression, now: UnixTime) -> Option<String> {
    match one.term(now) {
        Term::Holds => None,
        Term::Expired => Some(format!(
            "the suppression `{}` of {} ended at {} and has no effect: remove it, or let somebody look again and renew it",
            one.id,
            one.author,
            moment(one.until)
        )),
        Term::TooLong => Some(format!(
            "the suppression `{}` of {} ends at {}, more than a year ahead, and has no effect: write a nearer `until`",
            one.id,
            one.author,
            moment(one.until)
        )),
    }
}

/// `secret/github-pat 3fa9c1d2 at /params/* of tools read_*, both until 2026-12-31T00:00:00Z`
pub(super) fn words(one: &Suppression) -> String {
    let hash = one.hash.map(|hash| String::from_utf8_lossy(&hash).into_owned());
    let path = one.path.as_ref().map(|path| format!("at {path}"));
    let tools = (!one.tools.is_empty()).then(|| format!("of tools {}", one.tools.join(", ")));
    let servers = (!one.servers.is_empty()).then(|| format!("of {}", one.servers.join(", ")));
    let detect = (!one.detect.is_empty()).then(|| one.detect.join(", "));
    let direction = match one.direction {
        Directions::Both => None,
        other => Some(direction(other).to_owned()),
    };
    let until = Some(format!("until {}", moment(one.until)));
    [detect, hash, path, tools, servers, direction, until].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Who answers for it, and how long: `known` of Ada Lovelace, until 2026-12-31T00:00:00Z.
pub(in crate::commands) fn who(one: &Suppression) -> String {
    format!("`{}` of {}, until {}", one.id, one.author, moment(one.until))
}

/// Everything that it says.
pub(in crate::commands) fn as_json(one: &Suppression) -> Value {
    json!({
        "id": one.id, "detect": one.detect, "hash": one.hash.map(|hash| String::from_utf8_lossy(&hash).into_owned()),
        "path": one.path, "servers": one.servers, "tools": one.tools, "direction": direction(one.direction),
        "author": one.author, "reason": one.reason, "until_unix_ms": one.until.0,
    })
}

fn direction(directions: Directions) -> &'static str {
    match directions {
        Directions::Both => "both",
        Directions::ToServer => "to-server",
        Directions::ToClient => "to-client",
    }
}

fn moment(until: UnixTime) -> String {
    let moment = i64::try_from(until.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(|| "no time that a calendar has".to_owned(), |moment| moment.to_string())
}
