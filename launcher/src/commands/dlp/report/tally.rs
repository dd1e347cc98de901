//! Events, added up by detector and server.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::telemetry::StoredEvent;

/// Different values of one detector and server that are told apart; more are only counted as findings.
const VALUES_MAX: usize = 1_000;
/// Samples that are shown of them.
const SAMPLES_MAX: usize = 3;
/// Days that a month has here.
const MONTH_DAYS: f64 = 30.0;
const DAY_SECONDS: f64 = 86_400.0;

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Tally {
    /// The end of the time that is looked at.
    pub(super) now: Timestamp,
    from: Timestamp,
    first: Option<Timestamp>,
    /// Requests, answers and notifications.
    pub(super) messages: u64,
    /// Of them those with findings.
    pub(super) messages_with_findings: u64,
    /// All findings, those beyond what an event holds included.
    pub(super) findings: u64,
    /// Names of servers.
    pub(super) servers: BTreeSet<String>,
    /// Messages that were stopped or changed.
    pub(super) interrupted: Interruptions,
    /// Messages that a layer in monitor mode would have stopped or changed.
    pub(super) would_have: Interruptions,
    /// Credentials that passed to the server whose job they are.
    pub(super) own: u64,
    /// What suppressions swallowed, by their ids.
    pub(super) suppressed: BTreeMap<String, u64>,
    /// By detector, name and identity of the server: anybody can bear a name.
    found: BTreeMap<(String, String, Option<String>), Found>,
}

/// How many messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interruptions {
    pub(super) blocked: u64,
    pub(super) redacted: u64,
}

/// What one detector found at one server.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) detector: String,
    pub(super) server: String,
    /// What the server is, whatever its version.
    pub(super) identity: Option<String>,
    pub(super) findings: u64,
    pub(super) messages: u64,
    /// The surest.
    pub(super) confidence: String,
    pub(super) blocked: u64,
    pub(super) redacted: u64,
    pub(super) recorded: u64,
    pub(super) would_block: u64,
    pub(super) would_redact: u64,
    /// Names of the tools; nothing for a message that is no tool's.
    pub(super) tools: BTreeSet<Option<String>>,
    pub(super) directions: BTreeSet<String>,
    /// Where, with `*` for numbers of array elements.
    pub(super) places: BTreeSet<String>,
    samples: BTreeMap<String, Sample>,
}

/// One value, by its hash.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub(super) times: u64,
    /// Where it was first.
    pub(super) at: String,
    length_class: u64,
}

/// What became of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Monitor,
    Redact,
    Block,
}

impl Tally {
    pub(super) fn new(from: Timestamp, now: Timestamp) -> Self {
        Self {
            now,
            from,
            first: None,
            messages: 0,
            messages_with_findings: 0,
            findings: 0,
            servers: BTreeSet::new(),
            interrupted: Interruptions::default(),
            would_have: Interruptions::default(),
            own: 0,
            suppressed: BTreeMap::new(),
            found: BTreeMap::new(),
        }
    }

    /// Adds one event.
    pub(super) fn add(&mut self, event: &StoredEvent, at: Timestamp) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        let what = &event.value["what"];
        // Definitions are parts of an answer, and have a record each beside the answer's own.
        let is_message = matches!(event.value["kind"].as_str(), Some("call" | "answer" | "notification"));
        let findings: Vec<&Value> = what["findings"].as_array().into_iter().flatten().collect();
        if is_message {
            self.messages += 1;
            self.servers.insert(event.who("server").to_owned());
            self.count_message(event, &findings);
        }
        self.findings += what["findings_total"].as_u64().unwrap_or(0).max(findings.len() as u64);
        self.messages_with_findings += u64::from(is_message && !findings.is_empty());
        self.own += what["own"].as_u64().unwrap_or(0);
        self.add_suppressed(what);
        let identity = event.value["who"]["identity"][0].as_str().and_then(lasting);
        let mut seen = BTreeSet::new();
        for finding in findings {
            let detector = text(&finding["detector"]).to_owned();
            let key = (detector.clone(), event.who("server").to_owned(), identity.clone());
            let found = self.found.entry(key).or_insert_with(|| Found {
                detector: detector.clone(),
                server: event.who("server").to_owned(),
                identity: identity.clone(),
                ..Found::default()
            });
            found.add(event, finding);
            found.messages += u64::from(seen.insert(detector));
        }
    }

    /// What was found, what stopped or would have stopped the most first.
    pub(super) fn rows(&self) -> Vec<&Found> {
        let mut rows: Vec<&Found> = self.found.values().collect();
        rows.sort_by_key(|found| {
            let stopped = found.blocked + found.redacted;
            let would = found.would_block + found.would_redact;
            std::cmp::Reverse((stopped, would, found.findings))
        });
        rows
    }

    /// Days that were looked at: since the first event where that is later, but no less than one.
    pub(super) fn days(&self) -> f64 {
        let from = self.first.map_or(self.from, |first| first.max(self.from));
        (self.now.duration_since(from).as_secs_f64() / DAY_SECONDS).max(1.0)
    }

    /// A day, and in thirty days.
    pub(super) fn rates(&self, of: Interruptions) -> (f64, f64) {
        let per_day = count(of.blocked + of.redacted) / self.days();
        (rounded(per_day), rounded(per_day * MONTH_DAYS))
    }

    /// Findings in a thousand messages.
    pub(super) fn per_1000(&self) -> f64 {
        rounded(count(self.findings) * 1_000.0 / count(self.messages.max(1)))
    }

    fn count_message(&mut self, event: &StoredEvent, findings: &[&Value]) {
        let would = findings.iter().filter_map(|finding| deed(&finding["would_have"])).max();
        let redacts = |finding: &&Value| finding["action"] == "redact" || finding["action"].is_null();
        match event.what("content") {
            "block" => return self.interrupted.blocked += 1,
            // What is taken out of a message for other reasons is called so too.
            "redact" if findings.iter().any(redacts) => self.interrupted.redacted += 1,
            _ => {}
        }
        match would {
            Some(Deed::Block) => self.would_have.blocked += 1,
            Some(Deed::Redact) => self.would_have.redacted += 1,
            Some(Deed::Monitor) | None => {}
        }
    }

    fn add_suppressed(&mut self, what: &Value) {
        let listed = what["suppressed"].as_array().map_or(&[][..], Vec::as_slice);
        for one in listed {
            *self.suppressed.entry(text(&one["by"]).to_owned()).or_default() += 1;
        }
        let total = what["suppressed_total"].as_u64().unwrap_or(0);
        let more = total.saturating_sub(listed.len() as u64);
        if more > 0 {
            *self.suppressed.entry("…".to_owned()).or_default() += more;
        }
    }
}

impl Found {
    fn add(&mut self, event: &StoredEvent, finding: &Value) {
        self.findings += 1;
        let surer = |word: &str| ["low", "medium", "high"].iter().position(|known| *known == word);
        if surer(text(&finding["confidence"])) > surer(&self.confidence) {
            text(&finding["confidence"]).clone_into(&mut self.confidence);
        }
        // Before each finding had its action, the message's was that of the strictest.
        let action = deed(&finding["action"]).or_else(|| deed(&event.value["what"]["content"]));
        match action {
            Some(Deed::Block) => self.blocked += 1,
            Some(Deed::Redact) => self.redacted += 1,
            Some(Deed::Monitor) | None => self.recorded += 1,
        }
        match deed(&finding["would_have"]) {
            Some(Deed::Block) => self.would_block += 1,
            Some(Deed::Redact) => self.would_redact += 1,
            Some(Deed::Monitor) | None => {}
        }
        let tool = (event.what("method") == "tools/call").then(|| event.what("item").to_owned());
        self.tools.insert(tool);
        self.directions.insert(event.what("direction").to_owned());
        let at = text(&finding["at"]);
        if self.places.len() < VALUES_MAX {
            self.places.insert(without_numbers(at));
        }
        let hash = text(&finding["hash"]);
        if self.samples.len() < VALUES_MAX || self.samples.contains_key(hash) {
            let sample = self.samples.entry(hash.to_owned()).or_default();
            if sample.times == 0 {
                at.clone_into(&mut sample.at);
                sample.length_class = finding["length_class"].as_u64().unwrap_or(0);
            }
            sample.times += 1;
        }
    }

    /// How many different values.
    pub(super) fn values(&self) -> usize {
        self.samples.len()
    }

    /// The only value, if there is one.
    pub(super) fn only_value(&self) -> Option<&str> {
        let mut hashes = self.samples.keys();
        hashes.next().filter(|_| hashes.next().is_none()).map(String::as_str)
    }

    /// The most frequent values.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&str, &Sample)> {
        let mut samples: Vec<(&str, &Sample)> =
            self.samples.iter().map(|(hash, sample)| (hash.as_str(), sample)).collect();
        samples.sort_by_key(|(_, sample)| std::cmp::Reverse(sample.times));
        samples.into_iter().take(SAMPLES_MAX)
    }
}

impl Sample {
    /// The length class in words.
    pub(super) fn length(&self) -> &'static str {
        match self.length_class {
            0 => "1–7 characters",
            1 => "8–15 characters",
            2 => "16–31 characters",
            3 => "32–63 characters",
            _ => "64 characters or more",
        }
    }
}

/// `pkg:npm/%40a/b@1.2.3` → `pkg:npm/@a/b`, as policies name it.
fn lasting(identity: &str) -> Option<String> {
    let Some(package) = identity.strip_prefix("pkg:") else { return Some(identity.to_owned()) };
    if let Some((_, qualifiers)) = package.split_once('?') {
        let repository = qualifiers.split('&').find_map(|part| part.strip_prefix("repository_url="));
        return repository.map(|repository| format!("pkg:oci/{repository}"));
    }
    let slash = identity.rfind('/').unwrap_or(0);
    let version = identity.rfind('@').filter(|at| *at > slash + 1);
    Some(version.map_or(identity, |at| &identity[..at]).replace("%40", "@"))
}

/// `/result/content/0/text` → `/result/content/*/text`
fn without_numbers(pointer: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = pointer.split('/').map(|part| if is_number(part) { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn deed(word: &Value) -> Option<Deed> {
    match word.as_str()? {
        "monitor" => Some(Deed::Monitor),
        "redact" => Some(Deed::Redact),
        "block" => Some(Deed::Block),
        _ => None,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// To a tenth.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 messages a tenth makes no difference")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
