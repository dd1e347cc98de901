//! `[test]`: what a profile says that it allows and refuses, tried when it is read. Paths are compared as they are
//! written: where a variable leads is not known here.

use std::net::{IpAddr, Ipv4Addr};

use super::hosts::{Host, Wrong, host_and_port};
use super::places::{OBEYED_IN_HOME, SENSITIVE_IN_HOME, is_env_file, obeyed_in_project};
use super::{PathGrant, Profile, variables};
use crate::document::reader::{Reader, Section, Text, shown};
use crate::egress::Judge;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Connect,
    Read,
    Write,
    Execute,
    /// Gets a variable of the launcher's environment.
    Pass,
    Listen,
    /// Has a page opened in the user's browser.
    Open,
}

/// What has to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Allowed,
    Refused,
}

/// One example.
#[derive(Clone, Copy, Debug)]
pub(super) struct Example<'v> {
    key: &'static str,
    deed: Deed,
    outcome: Outcome,
    text: Text<'v>,
}

const KEYS: [(&str, Deed, Outcome); 13] = [
    ("connects", Deed::Connect, Outcome::Allowed),
    ("refuses", Deed::Connect, Outcome::Refused),
    ("reads", Deed::Read, Outcome::Allowed),
    ("not_reads", Deed::Read, Outcome::Refused),
    ("writes", Deed::Write, Outcome::Allowed),
    ("not_writes", Deed::Write, Outcome::Refused),
    ("executes", Deed::Execute, Outcome::Allowed),
    ("not_executes", Deed::Execute, Outcome::Refused),
    ("passes", Deed::Pass, Outcome::Allowed),
    ("not_passes", Deed::Pass, Outcome::Refused),
    ("listens", Deed::Listen, Outcome::Allowed),
    ("opens", Deed::Open, Outcome::Allowed),
    ("not_opens", Deed::Open, Outcome::Refused),
];

/// The examples of a file.
pub(super) fn read<'v>(r: &mut Reader<'_>, top: &mut Section<'v>) -> Vec<Example<'v>> {
    let Some(mut test) = top.table(r, "test") else {
        return Vec::new();
    };
    let mut examples = Vec::new();
    for (key, deed, outcome) in KEYS {
        for text in test.names(r, key) {
            let right = match deed {
                Deed::Read | Deed::Write | Deed::Execute => variables::check_example(r, text),
                Deed::Connect if is_socket(text.text) => variables::check_example(r, text),
                Deed::Connect | Deed::Pass | Deed::Listen | Deed::Open => true,
            };
            if right {
                examples.push(Example { key, deed, outcome, text });
            }
        }
    }
    test.close(r, &[]);
    examples
}

/// Tries them on the finished profile; each that comes out otherwise is a mistake.
pub(super) fn check(r: &mut Reader<'_>, examples: &[Example<'_>], profile: &Profile) {
    for Example { key, deed, outcome, text } in examples {
        let allowed = match allowed(profile, *deed, text.text) {
            Ok(allowed) => allowed,
            Err((what, remedy)) => {
                r.wrong(text.at, what, Some(remedy));
                continue;
            }
        };
        let (may, needed) = match (allowed, outcome) {
            (true, Outcome::Allowed) | (false, Outcome::Refused) => continue,
            (true, Outcome::Refused) => ("may", "so it must not"),
            (false, Outcome::Allowed) => ("may not", "so it has to"),
        };
        let what = format!("the profile {may} {} `{}`", deed.verb(), shown(text.text));
        r.wrong(text.at, what, Some(format!("it stands in `{key}`, {needed}")));
    }
}

/// Whether an example comes out as it says.
pub(super) fn holds(example: &Example<'_>, profile: &Profile) -> bool {
    let outcome = allowed(profile, example.deed, example.text.text);
    outcome.is_ok_and(|allowed| allowed == (example.outcome == Outcome::Allowed))
}

impl Deed {
    fn verb(self) -> &'static str {
        match self {
            Self::Connect => "connect to",
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
            Self::Pass => "pass",
            Self::Listen => "listen on",
            Self::Open => "open pages at",
        }
    }
}

fn allowed(profile: &Profile, deed: Deed, text: &str) -> Result<bool, Wrong> {
    match deed {
        Deed::Connect if is_socket(text) => Ok(profile.unix_allow.iter().any(|grant| grant.path == text)),
        Deed::Connect => connects(profile, text),
        Deed::Read | Deed::Write | Deed::Execute => Ok(opens(profile, text, deed)),
        Deed::Pass => Ok(profile.env_pass.iter().any(|name| match name.strip_suffix('*') {
            Some(prefix) => text.starts_with(prefix),
            None => name == text,
        })),
        Deed::Listen => match text.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()) {
            Some(port) => Ok(profile.net_listen.iter().any(|grant| grant.port == port)),
            None => Err((format!("`{}` is no port", shown(text)), "write it as in `:8080`".to_owned())),
        },
        Deed::Open => Ok(profile.net_open.iter().any(|grant| match grant.host.strip_prefix('*') {
            Some(suffix) => suffix.is_empty() || text.ends_with(suffix) && text.len() > suffix.len(),
            None => grant.host == text,
        })),
    }
}

/// Whether an example of a connection is a Unix socket's: a path.
fn is_socket(text: &str) -> bool {
    let variable =
        text.strip_prefix("${").is_some_and(|name| !name.starts_with("env.") && !name.starts_with("args."));
    text.starts_with('/') || variable
}

/// Asks the judge of connections itself; a host that a session gives is compared as it is written. A name is taken to lead to one address of each class in turn: it is allowed if
/// it is with any of them.
fn connects(profile: &Profile, text: &str) -> Result<bool, Wrong> {
    const ONE_OF_EACH: [Ipv4Addr; 4] = [
        Ipv4Addr::new(1, 1, 1, 1),
        Ipv4Addr::new(127, 0, 0, 1),
        Ipv4Addr::new(10, 0, 0, 1),
        Ipv4Addr::new(169, 254, 1, 1),
    ];
    let (host, port) = host_and_port(text)?;
    let judge = || Judge::new(profile.net_allow.to_vec(), Vec::new(), None);
    if let Some(address) = host.literal() {
        return Ok(judge().connection((address, port).into()).is_ok());
    }
    if let Host::Given(given) = &host {
        let host = given.spelling();
        return Ok(profile.net_allow.iter().any(|grant| grant.host == host && grant.port == port));
    }
    let Host::Name(name) = &host else {
        let remedy = "an example is one name or address, and a port".to_owned();
        return Err((format!("`{}` is more than one host", shown(text)), remedy));
    };
    let leads = |address: Ipv4Addr| {
        let mut judge = judge();
        let told = judge.resolved(name, &[IpAddr::V4(address)]).unwrap_or_else(|_| Vec::new());
        told.iter().any(|told| judge.connection((*told, port).into()).is_ok())
    };
    Ok(ONE_OF_EACH.into_iter().any(leads))
}

/// Whether a path is open: some grant holds it, and everything that is closed around it lies around that grant as well.
fn opens(profile: &Profile, path: &str, deed: Deed) -> bool {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    let holds = |grant: &&PathGrant| is_within(path, &grant.path);
    let lists: &[&[PathGrant]] = match deed {
        Deed::Execute => &[&profile.exec],
        Deed::Write => &[&profile.write],
        _ => &[&profile.write, &profile.read, &profile.exec],
    };
    let mut grants = lists.iter().flat_map(|list| list.iter()).filter(holds);
    let own = profile.closed.iter().filter(holds).map(|closed| closed.path.len() + 1).max();
    let needed = own.max(closed_everywhere(path, deed)).unwrap_or(0);
    grants.any(|grant| grant.path.len() >= needed)
}

/// How much of the path is the innermost place that is closed in every jail.
fn closed_everywhere(path: &str, deed: Deed) -> Option<usize> {
    const HOME: &str = "${home}/";
    let mut ends = Vec::new();
    if let Some(below) = path.strip_prefix(HOME) {
        let obeyed = OBEYED_IN_HOME.iter().filter(|_| deed == Deed::Write);
        let places = SENSITIVE_IN_HOME.iter().chain(obeyed).filter(|place| is_within(below, place));
        ends.extend(places.map(|place| HOME.len() + place.len()));
    }
    let mut end = 0;
    for part in path.split('/') {
        end += part.len();
        if is_env_file(part) {
            ends.push(end);
        }
        end += 1;
    }
    if deed == Deed::Write {
        ends.extend(obeyed_in_project(path).map(str::len));
    }
    ends.into_iter().max()
}

/// Whether `path` is `place` or lies below it, both as they are written.
fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
