//! What Stockade itself put on record about the session: the only source for what is shown as the verdict.

use std::path::Path;

use serde_json::Value;

use super::attempts::Attempt;
use crate::telemetry::{Reader, StoredEvent};

/// The events of the session.
#[derive(Debug, Default)]
pub(super) struct Records {
    events: Vec<StoredEvent>,
    /// Why there are none, if they could not be read.
    pub(super) unreadable: Option<String>,
}

/// A decision that concerned an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ruling {
    /// `block`, `deny`, `refused`, `monitor` …
    pub(super) verdict: String,
    /// The rule, or the reason of the grammar.
    pub(super) by: String,
    /// In a sentence.
    pub(super) reason: String,
    /// What was found.
    pub(super) detectors: Vec<String>,
}

impl Records {
    /// Reads the events below a state directory.
    pub(super) fn read(state_dir: &Path) -> Self {
        match Reader::new(state_dir).poll() {
            Ok(events) => Self { events, unreadable: None },
            Err(error) => Self { events: Vec::new(), unreadable: Some(error.to_string()) },
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.events.len()
    }

    /// Mechanism and Landlock ABI, from the start of the session.
    pub(super) fn backend(&self) -> Option<(&str, u64)> {
        let start = self.start()?;
        Some((start.what("backend"), start.value["what"]["landlock_abi"].as_u64()?))
    }

    /// How far a guarantee held: `full`, `partial`, `none`.
    pub(super) fn degree(&self, guarantee: &str) -> Option<&str> {
        let lines = self.start()?.value["what"]["enforcement"].as_array()?;
        lines.iter().find(|line| line["guarantee"] == guarantee)?["degree"].as_str()
    }

    /// The decision about an attempt that did not just let it pass; the last one, if there are several.
    pub(super) fn about(&self, attempt: Attempt) -> Option<Ruling> {
        let concerns = |event: &&StoredEvent| {
            let kind = event.value["kind"].as_str().unwrap_or_default();
            match attempt {
                Attempt::Wire => kind == "refused" && event.what("direction") == "to-client",
                Attempt::HiddenText => kind == "definition" && event.what("item") == attempt.tool(),
                _ => matches!(kind, "call" | "answer") && event.what("item") == attempt.tool(),
            }
        };
        let speaks = |event: &&StoredEvent| !matches!(event.what("verdict"), "" | "allow");
        self.events.iter().rev().filter(concerns).find(speaks).map(Ruling::of)
    }

    fn start(&self) -> Option<&StoredEvent> {
        self.events.iter().find(|event| event.value["kind"] == "session.start")
    }
}

impl Ruling {
    fn of(event: &StoredEvent) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let findings = event.value["what"]["findings"].as_array();
        let mut detectors: Vec<String> =
            findings.into_iter().flatten().filter_map(|finding| text(&finding["detector"])).collect();
        detectors.dedup();
        let by = ["rule", "refusal", "would_have"]
            .map(|key| event.what(key))
            .into_iter()
            .find(|by| !by.is_empty());
        Self {
            verdict: event.what("verdict").to_owned(),
            by: by.unwrap_or_default().to_owned(),
            reason: event.what("reason").to_owned(),
            detectors,
        }
    }

    /// `redact by secrets-to-clients: secret/github-pat`
    pub(super) fn words(&self) -> String {
        let mut words = self.verdict.clone();
        if !self.by.is_empty() {
            words.push_str(" by ");
            words.push_str(&self.by);
        }
        // The first clause says what; place and remedy are in the JSON.
        let clause = self.reason.split([';', '(']).next().unwrap_or_default().trim();
        let because = if self.detectors.is_empty() { clause.to_owned() } else { self.detectors.join(", ") };
        if !because.is_empty() {
            words.push_str(": ");
            words.push_str(&because);
        }
        words
    }
}
