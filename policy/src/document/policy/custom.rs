//! `[exact.NAME]` and `[canary.NAME]`: an organisation's own tables and canaries. Files that they name are read by whoever
//! loads the policy.

use std::fmt;

use super::parse::{name, owned};
use crate::detect::{ExactClass, PLANTED_CHARS_MIN, canary_detector};
use crate::document::reader::{Reader, Section, Text, shown};

/// `[exact.NAME]`: a file of fingerprints (`stockade dlp fingerprint`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactSource {
    /// `customers`
    pub name: String,
    /// The file, as written: absolute, or beside the policy.
    pub file: String,
    /// What its values are.
    pub class: ExactClass,
    /// Line in its file, from 1.
    pub line: usize,
}

/// `[canary.NAME]`: values that the organisation planted. Its `Debug` shows none.
#[derive(Clone, PartialEq, Eq)]
pub struct CanarySource {
    /// `vault`
    pub name: String,
    /// The values.
    pub values: Vec<String>,
    /// A file with a value a line, as written: absolute, or beside the policy.
    pub file: Option<String>,
    /// Line in its file, from 1.
    pub line: usize,
}

impl fmt::Debug for CanarySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CanarySource({:?}, {} values, {:?})", self.name, self.values.len(), self.file)
    }
}

/// What a file says of both, and the detectors that it makes: also of those that have mistakes of their own, so that
/// nobody says they do not exist.
pub(super) struct Custom {
    pub(super) exact: Vec<ExactSource>,
    pub(super) canaries: Vec<CanarySource>,
    pub(super) detectors: Vec<String>,
}

pub(super) fn custom(r: &mut Reader<'_>, top: &mut Section<'_>) -> Custom {
    let mut custom = Custom { exact: Vec::new(), canaries: Vec::new(), detectors: Vec::new() };
    for one in named(r, top, "exact") {
        custom.exact.extend(exact(r, one, &mut custom.detectors));
    }
    for one in named(r, top, "canary") {
        custom.detectors.push(canary_detector(&one.name));
        custom.canaries.extend(canary(r, one));
    }
    custom
}

/// A table whose name its author chose.
struct Named<'v> {
    name: String,
    is_name: bool,
    line: usize,
    section: Section<'v>,
}

fn named<'v>(r: &mut Reader<'_>, top: &mut Section<'v>, key: &'static str) -> Vec<Named<'v>> {
    let Some(tables) = top.table(r, key) else { return Vec::new() };
    let mut all = Vec::new();
    for member in tables.members() {
        let at = member.key_at;
        let is_name = name(r, "its name", Text { text: &member.key, at }).is_some();
        let title = format!("[{key}.{}]", shown(&member.key));
        let line = r.line(at);
        all.extend(Section::of(title, &member.value, r).map(|section| Named {
            name: member.key.clone(),
            is_name,
            line,
            section,
        }));
    }
    all
}

fn exact(r: &mut Reader<'_>, one: Named<'_>, detectors: &mut Vec<String>) -> Option<ExactSource> {
    let Named { name, is_name, line, section: mut s } = one;
    let file =
        s.required(r, "file", "write `file = \"NAME.fingerprints\"`: `stockade dlp fingerprint` makes it");
    let class = s.word(r, "class", &ExactClass::WORDS).unwrap_or(ExactClass::Pii);
    s.close(r, &["columns", "values", "near", "confidence"]);
    detectors.push(class.detector(&name));
    let file = file?.text.to_owned();
    is_name.then_some(ExactSource { name, file, class, line })
}

fn canary(r: &mut Reader<'_>, one: Named<'_>) -> Option<CanarySource> {
    let Named { name, is_name, line, section: mut s } = one;
    let values = s.strings(r, "values");
    let file = s.string(r, "file").filter(|file| !file.text.is_empty()).map(|file| file.text.to_owned());
    if values.is_empty() && file.is_none() {
        r.lacking(
            s.at,
            "this canary has no values",
            Some("write `values = [\"…\"]` or `file = \"…\"`".into()),
        );
    }
    for value in &values {
        if let Some(why) = no_canary(value.text) {
            r.wrong(value.at, why, Some("plant something longer that nobody writes by chance".into()));
        }
    }
    s.close(r, &["hashes", "sha256", "match"]);
    is_name.then(|| CanarySource { name, values: owned(values), file, line })
}

/// Why a value cannot be a canary; does not repeat it.
#[must_use]
pub fn no_canary(value: &str) -> Option<&'static str> {
    const { assert!(PLANTED_CHARS_MIN == 12) };
    if value.trim() != value || value.chars().any(char::is_control) {
        return Some("a canary is one line of text without space around it");
    }
    (value.chars().count() < PLANTED_CHARS_MIN)
        .then_some("a canary of fewer than 12 characters is found by chance")
}
