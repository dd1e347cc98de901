//! `stockade policy replay`: what a draft would have decided about the calls on record.
//!
//! Events hold no arguments and no texts. So a call is asked about twice: what any call like it could get at best, and what
//! it gets if nothing about it can be found out. Where both are the same, that is what it would have got.

use std::fmt::Write as _;

use serde_json::{Value, json};
use stockade_policy::rules::{Circumstances, Item, Policy, UnixTime};
use stockade_policy::verdict::Access;

use crate::cli::PolicyReplayArgs;
use crate::commands::period::{since, time};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::policies;
use crate::telemetry::{Reader, StoredEvent};

/// How many of each kind are shown.
const EXAMPLES_MAX: usize = 10;

/// What a draft does with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Same,
    Changed(Access),
    Undecidable,
}

/// Counts, and the first examples of each.
#[derive(Default)]
struct Report {
    same: usize,
    changed: usize,
    undecidable: usize,
    damaged: u64,
    changes: Vec<Value>,
    open: Vec<Value>,
}

pub(super) fn replay(args: &PolicyReplayArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let since = since(&args.since)?;
    let draft = match &args.policy {
        Some(draft) => policies::load_draft(&facts, draft)?,
        None => policies::load(&facts, None)?,
    };
    let mut reader = Reader::new(&facts.state_dir);
    let events = reader
        .poll()
        .map_err(|error| Failure::new(Kind::Software, "cannot read the recorded events").because(&error))?;
    let mut report = Report { damaged: reader.damaged(), ..Report::default() };
    for event in events.iter().filter(|event| time(event).is_some_and(|time| time >= since)) {
        report.add(&draft, event);
    }
    if args.json { super::print_json(&report.as_json()) } else { super::print(&report.text(&args.since)) }
}

impl Report {
    fn add(&mut self, draft: &Policy, event: &StoredEvent) {
        let Some(item) = item(event) else { return };
        let Some(was) = access(event.what("access")) else { return };
        let example = |would_be: Value| {
            json!({
                "id": event.value["id"], "time": event.value["time"], "server": event.who("server"),
                "method": event.what("method"), "item": event.what("item"), "was": was.word(), "would_be": would_be,
            })
        };
        match outcome(draft, event, item, was) {
            Outcome::Same => self.same += 1,
            Outcome::Changed(verdict) => {
                self.changed += 1;
                if self.changes.len() < EXAMPLES_MAX {
                    self.changes.push(example(json!(verdict.word())));
                }
            }
            Outcome::Undecidable => {
                self.undecidable += 1;
                if self.open.len() < EXAMPLES_MAX {
                    self.open.push(example(Value::Null));
                }
            }
        }
    }

    fn text(&self, since: &str) -> String {
        let mut text = format!(
            "Of the calls of the last {since}: {} the same, {} changed, {} undecidable (arguments not recorded)\n",
            self.same, self.changed, self.undecidable
        );
        for (title, examples) in [("Changed", &self.changes), ("Undecidable", &self.open)] {
            if !examples.is_empty() {
                let _ = writeln!(text, "\n{title}, the first {}", examples.len());
            }
            for example in examples {
                let word = |key: &str| example[key].as_str().unwrap_or("?");
                let _ = writeln!(
                    text,
                    "  {}  {}: {} {}  {} → {}",
                    word("time"),
                    word("server"),
                    word("method"),
                    word("item"),
                    word("was"),
                    word("would_be")
                );
            }
        }
        if self.damaged > 0 {
            let _ = writeln!(text, "\n{} damaged records were not looked at", self.damaged);
        }
        text
    }

    fn as_json(&self) -> Value {
        json!({
            "same": self.same, "changed": self.changed, "undecidable": self.undecidable, "damaged": self.damaged,
            "changes": self.changes, "undecided": self.open,
        })
    }
}

/// What a recorded call was about, if rules know such things. Other events are no calls.
fn item(event: &StoredEvent) -> Option<Item<'_>> {
    let name = event.value["what"]["item"].as_str();
    if event.what("direction") != "to-server" || !event.what("refusal").is_empty() {
        return None;
    }
    match event.what("method") {
        "tools/call" => name.map(Item::Tool),
        "prompts/get" => name.map(Item::Prompt),
        "resources/read" => name.map(Item::Resource),
        _ => None,
    }
}

fn access(word: &str) -> Option<Access> {
    [Access::Allow, Access::Ask, Access::Deny].into_iter().find(|access| access.word() == word)
}

fn outcome(draft: &Policy, event: &StoredEvent, item: Item<'_>, was: Access) -> Outcome {
    let identities: Vec<String> = event.value["who"]["identity"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|identity| identity.as_str().map(str::to_owned))
        .collect();
    let now = time(event).and_then(|time| u64::try_from(time.as_millisecond()).ok()).map(UnixTime);
    let user = event.value["who"]["user"].as_str();
    let client = event.value["who"]["client"]["says"].as_str();
    let known = Circumstances { user, client, now, ..Circumstances::default() };
    let best = draft.foresee(&identities, item, &known).verdict;
    let worst = draft.decide(&identities, item, &known).verdict;
    if best != worst {
        Outcome::Undecidable
    } else if best == was {
        Outcome::Same
    } else {
        Outcome::Changed(best)
    }
}
