//! What is kept of one server.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stockade_policy::mediator::{Others, Pins};

use crate::identity::sha256_hex;

/// The format of the file.
pub(super) const FORMAT: u32 = 1;

/// Pins of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerPins {
    /// Format.
    pub(crate) v: u32,
    /// What the server is known by, whatever its version.
    pub(crate) server: String,
    /// Names that people gave it, the latest first.
    pub(crate) names: Vec<String>,
    /// Its identities when this was last written.
    pub(crate) identity: Vec<String>,
    /// When it was first seen.
    pub(crate) first_seen: String,
    /// Whether somebody saw all pages of its list: what is added then is new.
    pub(crate) settled: bool,
    /// What it says of itself.
    pub(crate) says: Option<Entry>,
    /// Its tools.
    pub(crate) tools: BTreeMap<String, Entry>,
}

/// One definition, as it was agreed to and as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// When it was first seen.
    pub(crate) first_seen: String,
    /// What holds.
    pub(crate) approved: Option<Approved>,
    /// What was seen since instead.
    pub(crate) waiting: Option<Waiting>,
    /// Whether it stood in the last list that was seen whole.
    pub(crate) offered: bool,
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Definition {
    /// Hex SHA-256 over its one spelling.
    pub(crate) sha256: String,
    /// That spelling, unless it is too long to be kept.
    pub(crate) text: Option<String>,
}

/// A definition that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approved {
    /// It.
    pub(crate) definition: Definition,
    /// Since when.
    pub(crate) at: String,
    /// How that came.
    pub(crate) how: How,
    /// The person, or the baseline.
    pub(crate) by: String,
    /// At which terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) terminal: Option<String>,
    /// Processes above the one that asked, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) processes: Vec<String>,
}

/// Who agreed to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum How {
    /// Nobody: it was the first that was seen.
    FirstUse,
    /// A person at a terminal.
    Person,
    /// A baseline of the policy.
    Baseline,
}

/// A definition that nobody agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiting {
    /// It.
    pub(crate) definition: Definition,
    /// Since when.
    pub(crate) since: String,
}

/// How a definition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is what was agreed to.
    Approved,
    /// Nobody agreed to it yet.
    New,
    /// It is another one.
    Changed,
}

impl How {
    /// In words, with who that was.
    pub(crate) fn words(self, by: &str) -> String {
        match self {
            Self::FirstUse => "at first sight".to_owned(),
            Self::Person => format!("by {by}"),
            Self::Baseline => format!("by the baseline `{by}`"),
        }
    }

    /// The word of the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::FirstUse => "first-use",
            Self::Person => "person",
            Self::Baseline => "baseline",
        }
    }
}

impl State {
    /// In one word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::New => "new",
            Self::Changed => "changed",
        }
    }
}

impl Definition {
    /// Whether the text is what its hash says.
    pub(super) fn is_whole(&self) -> bool {
        self.text.as_ref().is_none_or(|text| sha256_hex(text.as_bytes()) == self.sha256)
    }

    /// Bytes of its text.
    pub(super) fn text_bytes(&self) -> usize {
        self.text.as_ref().map_or(0, String::len)
    }
}

impl Entry {
    /// Something that was not seen before.
    pub(super) fn first(now: &str) -> Self {
        Self { first_seen: now.to_owned(), approved: None, waiting: None, offered: true }
    }

    /// How it stands on this machine, whatever baselines say.
    pub(crate) fn state(&self) -> State {
        match (&self.approved, &self.waiting) {
            (Some(_), Some(_)) => State::Changed,
            (None, _) => State::New,
            (Some(_), None) => State::Approved,
        }
    }

    /// What it is now, as far as is known.
    pub(crate) fn current(&self) -> Option<&Definition> {
        let waiting = self.waiting.as_ref().map(|waiting| &waiting.definition);
        waiting.or_else(|| self.approved.as_ref().map(|approved| &approved.definition))
    }

    pub(super) fn definitions(&self) -> impl Iterator<Item = &Definition> {
        let approved = self.approved.iter().map(|approved| &approved.definition);
        approved.chain(self.waiting.iter().map(|waiting| &waiting.definition))
    }
}

impl ServerPins {
    /// A server that was never seen.
    pub(super) fn new(server: &str, now: &str) -> Self {
        Self {
            v: FORMAT,
            server: server.to_owned(),
            names: Vec::new(),
            identity: Vec::new(),
            first_seen: now.to_owned(),
            settled: false,
            says: None,
            tools: BTreeMap::new(),
        }
    }

    /// Every definition, the server's own first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.says.iter().chain(self.tools.values())
    }

    /// As the judge knows them. `others` is what a tool is that has no pin, unless all pages were seen.
    pub(super) fn pins(&self, others: Others) -> Pins {
        let hash = |entry: &Entry| entry.approved.as_ref().map(|approved| approved.definition.sha256.clone());
        let tools =
            self.tools.iter().filter_map(|(name, entry)| Some((name.clone(), hash(entry)?))).collect();
        let waiting = self.tools.iter().filter(|(_, entry)| entry.waiting.is_some());
        let waiting: BTreeSet<String> = waiting.map(|(name, _)| name.clone()).collect();
        Pins {
            server: self.says.as_ref().and_then(hash),
            tools,
            waiting,
            others: if self.settled { Others::New } else { others },
        }
    }
}
