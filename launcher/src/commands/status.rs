//! `stockade status`: every client found, every server that it names, and how each of them stands.

use serde_json::{Value, json};

use super::approve::print;
use super::screen::{Ink, Screen, columns, harmless, pad};
use crate::agent;
use crate::agent::session_time::{Day, SessionTime};
use crate::approvals::{self, Stored, StoredScope};
use crate::cli::StatusArgs;
use crate::clients::{self, BareServer, CLIENTS, Count, Journal, Ledger, Looked, Scope, Standing, World};
use crate::error::Failure;
use crate::exit::Exit;
use crate::host::Facts;

/// Names are padded up to this width.
const NAME_WIDTH_MAX: usize = 40;

/// Prints it; the exit code says whether anything is uncovered.
pub(super) fn status(args: &StatusArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let world = World::of(&facts).with_project(&facts.cwd);
    let ledgers = clients::ledgers(world, &Journal::peek(&facts.state_dir));
    let count = if args.live {
        clients::take_census(&ledgers, &facts, &mut Looked::default())
    } else {
        Count::default()
    };
    let live = args.live.then_some(&count);
    let lately = SessionTime::load(&agent::directory(&facts)).lately();
    let paused = paused(&facts);
    let unread = unread(world);
    let text = match args.json {
        true => {
            let mut whole = as_json(&ledgers, live, (&paused, lately));
            whole["unread"] = unread.iter().map(Unread::as_json).collect();
            format!("{whole:#}\n")
        }
        false => {
            let unread: String = unread.iter().map(Unread::as_text).collect();
            as_text(&ledgers, live, (&paused, lately)) + &unread
        }
    };
    print(&text)?;
    let uncovered = ledgers.iter().any(Ledger::is_uncovered) || !count.bare.is_empty();
    Ok(if uncovered { Exit::NotInOrder } else { Exit::Ok })
}

/// A place in which servers may be named that is no file with entries.
struct Unread {
    client: &'static str,
    path: String,
    why: &'static str,
}

impl Unread {
    fn as_json(&self) -> Value {
        json!({ "client": self.client, "path": self.path, "why": self.why })
    }

    fn as_text(&self) -> String {
        format!("not looked into: {} ({}): {}\n", harmless(&self.path), self.client, self.why)
    }
}

fn unread(world: World<'_>) -> Vec<Unread> {
    let all =
        CLIENTS.iter().flat_map(|client| client.unread(world).into_iter().map(move |found| (client, found)));
    let told = all.map(|(client, (place, path))| Unread {
        client: client.name,
        path: path.display().to_string(),
        why: if place.why.is_empty() {
            "servers may be named there in a way that is not read"
        } else {
            place.why
        },
    });
    told.collect()
}

/// Pauses that hold now. What cannot be read holds nothing.
fn paused(facts: &Facts) -> Vec<Stored> {
    let now = approvals::moment().ok();
    let holds = |one: &Stored| now.as_ref().is_some_and(|now| approvals::remaining_ms(one, now).is_some());
    let mut all = approvals::load(&facts.state_dir).unwrap_or_default();
    all.retain(|one| one.scope == StoredScope::Server && holds(one));
    all
}

fn state(standing: &Standing) -> (&'static str, Option<&str>) {
    match standing {
        Standing::Wrapped => ("wrapped", None),
        Standing::Shadowed => ("shadowed", None),
        Standing::NotCovered(why) => ("not-covered", Some(why)),
        Standing::Drift => {
            ("drift", Some("it was wrapped and is not any more: `stockade wrap` does it again"))
        }
    }
}

fn as_json(ledgers: &[Ledger], live: Option<&Count>, (paused, lately): (&[Stored], Option<Day>)) -> Value {
    let server = |server: &clients::Server| {
        let (state, why) = state(&server.standing);
        let project = match &server.scope {
            Scope::User => Value::Null,
            Scope::Project(path) => path.as_str().into(),
        };
        json!({ "name": server.name, "project": project, "state": state, "why": why, "command": server.words.first(), "also": server.also })
    };
    let files = ledgers.iter().map(|ledger| {
        json!({
            "client": ledger.location.client.id,
            "file": ledger.location.path.display().to_string(),
            "of": ledger.location.place.reach.word(),
            "problem": ledger.problem,
            "servers": ledger.servers.iter().map(server).collect::<Value>(),
        })
    });
    let (covered, total) = counts(ledgers);
    let running = live.map(|count| {
        let one = |one: &BareServer| {
            json!({ "server": one.server, "evidence": one.evidence, "client": one.bare.client, "pid": one.bare.pid, "client_pid": one.bare.client_pid })
        };
        count.bare.iter().map(one).collect::<Value>()
    });
    let paused = paused
        .iter()
        .map(|one| json!({ "server": one.server, "by": one.by, "reason": one.reason, "ends": one.ends }));
    json!({
        "files": files.collect::<Value>(),
        "wrapped": covered,
        "servers": total,
        "paused": paused.collect::<Value>(),
        "bare_processes": running,
        "contained_sessions": live.map(|count| count.contained),
        "lately": lately.map(|day| json!({ "contained_s": day.contained_s, "bare_s": day.bare_s })),
    })
}

fn counts(ledgers: &[Ledger]) -> (usize, usize) {
    let all = || ledgers.iter().flat_map(|ledger| &ledger.servers);
    (all().filter(|server| server.standing.is_covered()).count(), all().count())
}

fn as_text(ledgers: &[Ledger], live: Option<&Count>, (paused, lately): (&[Stored], Option<Day>)) -> String {
    let screen = Screen::of_stdout();
    if ledgers.is_empty() && live.is_none_or(|count| count.bare.is_empty()) {
        return "No client's config that names servers was found. `stockade wrap` says where it looks.\n"
            .to_owned();
    }
    let mut out = String::new();
    for ledger in ledgers {
        let path = harmless(&ledger.location.path.display().to_string());
        out.push_str(&format!("{} ({path})\n", screen.ink(Ink::Strong, ledger.location.client.name)));
        if let Some(problem) = &ledger.problem {
            out.push_str(&format!(
                "  {}\n",
                screen.ink(Ink::Bad, &format!("not covered: {}", harmless(problem)))
            ));
        }
        let name = |server: &clients::Server| match &server.scope {
            Scope::User => harmless(&server.name),
            Scope::Project(path) => harmless(&format!("{} [{path}]", server.name)),
        };
        let names: Vec<String> = ledger.servers.iter().map(name).collect();
        let width = names.iter().map(|name| columns(name)).max().unwrap_or(0).min(NAME_WIDTH_MAX);
        for (name, server) in names.iter().zip(&ledger.servers) {
            let told = match state(&server.standing) {
                ("shadowed", _) => {
                    screen.ink(Ink::Good, "an entry of yours of the same name goes before it, wrapped")
                }
                (_, None) => screen.ink(Ink::Good, "wrapped"),
                ("drift", Some(why)) => screen.ink(Ink::Bad, &format!("drift: {why}")),
                (_, Some(why)) => screen.ink(Ink::Bad, &format!("not covered: {}", harmless(why))),
            };
            out.push_str(&format!("  {}  {told}\n", pad(name, width)));
        }
    }
    out.push_str(&several(ledgers));
    for one in paused {
        out.push_str(&format!(
            "paused: {} until {}, by {}: {}\n",
            harmless(&one.server),
            one.ends,
            harmless(&one.by),
            harmless(&one.reason)
        ));
    }
    for one in live.into_iter().flat_map(|count| &count.bare) {
        out.push_str(&format!(
            "{}: {} (pid {}) runs below {} (pid {}) without Stockade ({}){}\n",
            screen.ink(Ink::Bad, "bare"),
            harmless(&one.server),
            one.bare.pid,
            harmless(&one.bare.client),
            one.bare.client_pid,
            one.evidence,
            if one.is_stale { "; it is contained once that client starts it anew" } else { "" }
        ));
    }
    let (covered, total) = counts(ledgers);
    out.push_str(&format!("{covered} of {total} servers are wrapped"));
    match live {
        Some(count) if count.bare.is_empty() => out.push_str("; none runs without Stockade now.\n"),
        Some(count) => out.push_str(&format!("; {} run without Stockade now.\n", count.bare.len())),
        None => out.push_str(".\n"),
    }
    if let Some((minutes, thousandths)) = lately.map(Day::told) {
        let (percent, tenth) = (thousandths / 10, thousandths % 10);
        out.push_str(&format!(
            "Of the last {minutes} session-minutes that the agent saw (seven days), {percent}.{tenth} % ran under Stockade.\n"
        ));
    }
    out
}

/// Servers that stand in several places, each group once.
fn several(ledgers: &[Ledger]) -> String {
    let mut groups: Vec<Vec<String>> = Vec::new();
    for ledger in ledgers {
        for server in ledger.servers.iter().filter(|server| !server.also.is_empty()) {
            let own = server.label(&ledger.location);
            if groups.iter().all(|group| !group.contains(&own)) {
                groups.push(std::iter::once(own).chain(server.also.iter().cloned()).collect());
            }
        }
    }
    let told =
        |group: &Vec<String>| format!("the same server in several places: {}\n", harmless(&group.join(", ")));
    groups.iter().map(told).collect()
}
