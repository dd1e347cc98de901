//! All detectors, compiled, and what can be asked of them.

use std::borrow::Cow;

use super::budget::Spent;
use super::custom::{Custom, CustomData};
use super::finding::{Confidence, Finding};
use super::hash::{HashKey, ValueHasher};
use super::keywords::KeywordList;
use super::placeholder::{self, Names, Sighting};
use super::prefilter::Prefilter;
use super::stages::{Source, Stages};
use super::tables::DETECTORS;
use super::walk::Walk;
use crate::wire::Frame;

/// Why an engine cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The keyword lists or canaries are too large for one automaton.
    #[error("keyword lists or canaries too large to compile")]
    Keywords(#[source] aho_corasick::BuildError),
    /// The regular expressions of all keyword lists are too large together.
    #[error("regular expressions of keyword lists too large to compile")]
    Regexes(#[source] regex::Error),
}

/// Steps that one message may cost, and whether they were used up (decision 16: no wall time).
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanEnd {
    /// Everything was looked at.
    Complete,
    /// The budget was used up before the end: in block mode the message is blocked for that.
    BudgetSpent,
}

/// All detectors, compiled once per policy.
#[derive(Debug)]
pub struct Engine {
    hasher: ValueHasher,
    prefilter: Prefilter,
    custom: Custom,
    /// Names that stand in placeholders, sorted.
    placeholder_names: Vec<Cow<'static, str>>,
    everything: Wanted,
}

/// Detectors whose findings somebody asks about; belongs to the engine that made it.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    built_in: Vec<bool>,
    lists: Vec<bool>,
    /// Whether anything of it is wanted: asked for every message.
    any: bool,
}

/// Names of the detectors that every engine has (`secret/github-pat` …), as far as they stand in the table.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    DETECTORS.iter().map(|detector| detector.name)
}

impl Engine {
    /// Built-in detectors and the policy's own keyword lists.
    ///
    /// # Errors
    /// When the keyword lists cannot be compiled.
    pub fn new(keywords: &[KeywordList], key: HashKey) -> Result<Self, EngineError> {
        Self::with_custom(&CustomData { keywords: keywords.to_vec(), ..CustomData::default() }, key)
    }

    /// Built-in detectors, and all that the policy and this start add to them.
    ///
    /// # Errors
    /// As [`Engine::new`], and for canaries.
    pub fn with_custom(data: &CustomData, key: HashKey) -> Result<Self, EngineError> {
        let custom = Custom::compile(data)?;
        let mut placeholder_names: Vec<_> = DETECTORS.iter().map(|d| Cow::Borrowed(d.short)).collect();
        let short = |name: &str| placeholder::name(name.split_once('/').map_or(name, |(_, short)| short));
        placeholder_names.extend(custom.detectors().map(|name| Cow::Owned(short(name))));
        placeholder_names.sort();
        let mut engine = Self {
            hasher: ValueHasher::new(&key),
            prefilter: Prefilter,
            custom,
            placeholder_names,
            everything: Wanted::default(),
        };
        engine.everything = engine.wanted(|_| true);
        Ok(engine)
    }

    /// Looks at every key, string and number of a frame; findings are appended in order of their place.
    pub fn scan(&self, frame: &Frame<'_>, findings: &mut Vec<Finding>) -> ScanEnd {
        self.scan_for(&self.everything, frame, findings)
    }

    /// [`Engine::scan`] for the findings that somebody asks about. The others are left out, and cost next to nothing:
    /// a mailing list is no attack where no rule is about addresses. `wanted` is of this engine.
    pub fn scan_for(&self, wanted: &Wanted, frame: &Frame<'_>, findings: &mut Vec<Finding>) -> ScanEnd {
        if self.is_nothing(wanted) {
            return ScanEnd::Complete;
        }
        end(Walk::new(self, wanted, findings).frame(frame))
    }

    /// The detectors whose names `wants` takes.
    #[must_use]
    pub fn wanted(&self, wants: impl Fn(&str) -> bool) -> Wanted {
        let built_in: Vec<bool> = DETECTORS.iter().map(|detector| wants(detector.name)).collect();
        let lists: Vec<bool> = self.custom.detectors().map(&wants).collect();
        let any = built_in.iter().chain(&lists).any(|wants| *wants);
        Wanted { built_in, lists, any }
    }

    /// Looks at plain text (a line of stderr, a file); `raw` and `token` are byte spans in `text`.
    pub fn scan_text(&self, text: &str, findings: &mut Vec<Finding>) -> ScanEnd {
        self.scan_text_for(&self.everything, text, findings)
    }

    /// [`Engine::scan_text`] for the findings that somebody asks about.
    pub(crate) fn scan_text_for(&self, wanted: &Wanted, text: &str, findings: &mut Vec<Finding>) -> ScanEnd {
        end(Walk::new(self, wanted, findings).plain(text.as_bytes()))
    }

    /// `text` with every secret, card number, word of the organisation's lists, and what is surely personal data replaced
    /// by its placeholder: for stderr and error messages. E-mail and IP addresses stay, for people look for them there.
    #[must_use]
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut findings = Vec::new();
        if self.scan_text(text, &mut findings) == ScanEnd::BudgetSpent {
            return Cow::Borrowed("[not shown: it would take too long to look for secrets in it]");
        }
        findings.retain(is_masked);
        if findings.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut out, mut done) = (String::with_capacity(text.len()), 0);
        for finding in &findings {
            // What overlaps the one before goes with it.
            if finding.raw.start >= done {
                out.push_str(&text[done..finding.raw.start]);
                out.push_str(&finding.placeholder());
            }
            done = done.max(finding.raw.end);
        }
        out.push_str(&text[done..]);
        Cow::Owned(out)
    }

    /// Names of all detectors, built-in and custom, sorted.
    #[must_use]
    pub fn detectors(&self) -> Vec<Cow<'static, str>> {
        let mut names: Vec<_> = DETECTORS.iter().map(|d| Cow::Borrowed(d.name)).collect();
        names.extend(self.custom.detectors().map(|name| Cow::Owned(name.to_owned())));
        names.sort();
        names.dedup();
        names
    }

    /// The placeholder for a text that stands for something of this detector: two texts have the same one only by a
    /// collision of 32 bits, which whoever restores them has to look out for.
    pub(crate) fn placeholder(&self, detector: &str, text: &[u8]) -> String {
        let short = detector.split_once('/').map_or(detector, |(_, short)| short);
        placeholder::text(short, self.hash(text))
    }

    /// The placeholders of ours in a text, and what is left of some, in no certain order.
    pub(crate) fn placeholders(&self, text: &[u8]) -> Vec<Sighting> {
        placeholder::find(text, &*self.placeholder_names)
    }

    /// Whether nobody asks about anything that this engine could find.
    pub(crate) fn is_nothing(&self, wanted: &Wanted) -> bool {
        // What `wanted` says nothing about counts as wanted: see `Wanted::contains`.
        let Wanted { built_in, lists, any: _ } = &self.everything;
        !wanted.any && wanted.built_in.len() >= built_in.len() && wanted.lists.len() >= lists.len()
    }

    /// The keyed hash of a value.
    pub(super) fn hash(&self, value: &[u8]) -> [u8; 8] {
        self.hasher.hash(value)
    }

    /// The stages with the budget of one message.
    pub(super) fn stages<'e>(&'e self, wanted: &'e Wanted) -> Stages<'e> {
        Stages::new(&self.prefilter, &self.custom, wanted)
    }

    /// Bytes that the automata hold.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.prefilter.memory_bytes() + self.custom.memory_bytes()
    }

    /// A detector's name.
    pub(super) fn name(&self, source: Source) -> Cow<'static, str> {
        match source {
            Source::BuiltIn(index) => Cow::Borrowed(DETECTORS[usize::from(index)].name),
            Source::List(index) | Source::Planted(index) => {
                Cow::Owned(self.custom.detector(index).to_owned())
            }
        }
    }

    /// Whose findings those of a table of the organisation's are.
    pub(super) fn table_detector(&self, table: usize) -> Source {
        self.custom.table_detector(table)
    }

    /// Whether a placeholder may bear this name.
    pub(super) fn is_placeholder_name(&self, name: &[u8]) -> bool {
        self.placeholder_names.has(name)
    }
}

impl Wanted {
    /// A detector that this was not made for counts as wanted: it is better to find too much.
    pub(super) fn contains(&self, source: Source) -> bool {
        let wants = match source {
            Source::BuiltIn(index) => self.built_in.get(usize::from(index)),
            Source::List(index) | Source::Planted(index) => self.lists.get(usize::from(index)),
        };
        wants.copied().unwrap_or(true)
    }
}

/// Whether [`Engine::mask`] hides the finding.
fn is_masked(finding: &Finding) -> bool {
    match (finding.class(), &*finding.detector) {
        ("secret" | "keyword", _) | (_, "pii/payment-card") => true,
        (_, "pii/email" | "pii/ip-address" | "pii/private-ip-address") => false,
        ("pii", detector) => finding.confidence == Confidence::High || detector.starts_with("pii/exact-"),
        _ => false,
    }
}

fn end(result: Result<(), Spent>) -> ScanEnd {
    match result {
        Ok(()) => ScanEnd::Complete,
        Err(Spent) => ScanEnd::BudgetSpent,
    }
}
