//! `stockade log --denied`: what jails denied, by server.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::json;

use super::{is_of, local_time, unreadable, warn_of_damage, write_line};
use crate::cli::LogArgs;
use crate::commands::denied;
use crate::commands::screen::{Ink, Screen, harmless};
use crate::denials::{Entry, merged};
use crate::error::Failure;
use crate::exit::Exit;
use crate::host::{Facts, FileTree};
use crate::plan::ClosedPlaces;
use crate::telemetry::{Reader, StoredEvent};

/// Sessions of one server that are looked at: what was denied before them may have been granted since.
const SESSIONS: usize = 10;

/// What is known of one server.
#[derive(Debug, Default)]
struct Server {
    /// Its last profile.
    profile: String,
    /// Its sessions; ids sort by time (UUIDv7).
    sessions: BTreeSet<String>,
    /// Each denial with its session.
    denied: Vec<(String, Entry)>,
}

impl Server {
    fn add(&mut self, event: &StoredEvent, closed: &ClosedPlaces) {
        event.who("profile").clone_into(&mut self.profile);
        let session = event.who("session").to_owned();
        self.sessions.insert(session.clone());
        while self.sessions.len() > SESSIONS {
            self.sessions.pop_first();
        }
        self.denied.extend(Entry::of_stored(event, closed).map(|entry| (session, entry)));
    }

    /// Of its last sessions, the one that was denied last at the end.
    fn recent(self) -> Vec<Entry> {
        let Self { sessions, denied, .. } = self;
        let recent =
            denied.into_iter().filter(|(session, _)| sessions.contains(session)).map(|(_, entry)| entry);
        let mut recent = merged(recent);
        recent.sort_by(|a, b| a.last.cmp(&b.last));
        recent
    }
}

/// Prints them.
pub(super) fn show(args: &LogArgs, facts: &Facts) -> Result<Exit, Failure> {
    let closed = ClosedPlaces::of(facts, &FileTree);
    let mut reader = Reader::new(&facts.state_dir);
    let events = reader.poll().map_err(|error| unreadable(facts, &error))?;
    let mut servers: BTreeMap<String, Server> = BTreeMap::new();
    for event in events.iter().filter(|event| is_of(event, args.server.as_deref())) {
        servers.entry(event.who("server").to_owned()).or_default().add(event, &closed);
    }
    let screen = Screen::of_stdout();
    let mut out = io::stdout().lock();
    let mut empty = true;
    for (name, server) in servers {
        let (profile, sessions) = (server.profile.clone(), server.sessions.len());
        let entries = server.recent();
        if denied::count(&entries) == 0 {
            continue;
        }
        if args.json {
            let mut line = denied::json(&entries, &closed);
            line["server"] = json!(name);
            line["profile"] = json!(profile);
            line["sessions"] = json!(sessions);
            write_line(&mut out, &line.to_string())?;
        } else {
            let last = entries.last().and_then(|entry| entry.last.as_deref()).map(local_time);
            let head = format!(
                "{} · profile {profile} · last {sessions} session{} · last denial {}",
                harmless(&name),
                if sessions == 1 { "" } else { "s" },
                last.unwrap_or_else(|| "at an unknown time".to_owned()),
            );
            let gap = if empty { "" } else { "\n" };
            write_line(&mut out, &format!("{gap}{}", screen.ink(Ink::Strong, &head)))?;
            write_line(&mut out, denied::text(&entries, &profile, &closed, screen).trim_end())?;
        }
        empty = false;
    }
    if !args.json {
        let what = if empty { "no denials on record. " } else { "" };
        let _ = writeln!(
            io::stderr(),
            "{what}Files that an ordinary run denied are not on record: Landlock refuses without telling anybody. `inspect`, \
             `jail --observe` and `run --observe` see what is opened and executed."
        );
    }
    warn_of_damage(&reader);
    Ok(Exit::Ok)
}
