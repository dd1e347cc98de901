//! Secrets that no vendor's format gives away, but where they stand: values of names (`password = …`), logins in URLs,
//! headers of HTTP, cookies, statements of SQL, hashes of passwords. What they are is judged by the name, by how the
//! value is written, and by whether it looks drawn by chance.

/// The hashes of a list of words: a word is looked up in them faster than in the words.
macro_rules! hashes {
    ($($word:tt)*) => { &[$($crate::detect::generic::model::word_hash(stringify!($word).as_bytes())),*] };
}

/// A list of words, as they are.
macro_rules! words {
    ($($word:tt)*) => { &[$(stringify!($word)),*] };
}

mod assign;
mod crypt;
mod header;
mod innocent;
mod login;
mod manifest;
mod model;
mod name;
mod value;
mod variable;

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::finding::Confidence;
use super::tables::{GenericRole, GenericTrigger};
use assign::Value;
use name::{Clarity, NAME_MAX, Topic};
pub(super) use value::is_random;
pub(super) use variable::{is_random_value, secret_of_variable};

/// Shortest value that a dash joins to its name.
const JOINED_MIN: usize = 20;

/// One thing found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) role: GenericRole,
    pub(super) confidence: Confidence,
    pub(super) span: Range<usize>,
}

/// What was found in one text so far; the hits of the prefilter come in order of their ends.
#[derive(Debug, Default)]
pub(super) struct Generic {
    found: Vec<Found>,
    /// Names that end before this place were judged.
    judged_to: usize,
    /// Manifests before this place were read.
    manifests_to: usize,
}

/// Whether a word is one of the language, of work or of every day.
pub(super) fn is_vocabulary(word: &[u8]) -> bool {
    model::is_word(word)
}

impl Generic {
    /// A hit of the prefilter; the steps that it cost.
    pub(super) fn hit(&mut self, trigger: GenericTrigger, text: &[u8], hit: &Range<usize>) -> usize {
        let (role, found) = match trigger {
            GenericTrigger::Name => {
                let found = self.name(text, hit);
                let steps = found.as_ref().map_or(0, |f| f.span.len());
                self.found.extend(found);
                return steps;
            }
            GenericTrigger::Url => (GenericRole::Url, login::url(text, hit)),
            GenericTrigger::Scheme => (GenericRole::Scheme, header::scheme(text, hit)),
            GenericTrigger::Cookie => (GenericRole::Cookie, header::cookie(text, hit)),
            GenericTrigger::Option => (GenericRole::Option, header::option(text, hit)),
            GenericTrigger::Sql => (GenericRole::Sql, login::sql(text, hit)),
            GenericTrigger::Pgpass => (GenericRole::Pgpass, login::pgpass(text, hit)),
            GenericTrigger::Hash => (GenericRole::Hash, crypt::hash(text, hit)),
            GenericTrigger::Manifest => return self.manifest(text, hit),
        };
        let found = found.map(|(confidence, span)| Found { role, confidence, span });
        let steps = found.as_ref().map_or(0, |f| f.span.len());
        self.found.extend(found);
        steps
    }

    /// The text as the value of a key in which a name occurred.
    pub(super) fn whole(&mut self, key: &[u8], text: &[u8]) {
        let found =
            name::judge(key).zip(assign::whole(text)).and_then(|(named, value)| judged(named, text, value));
        self.found.extend(found);
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty() && self.judged_to == 0
    }

    /// All that was found, without what lies in the places of surer findings; `taken` are these, in order of their
    /// start.
    pub(super) fn conclude(&mut self, taken: &[Range<usize>]) -> impl Iterator<Item = Found> {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|f| (f.span.start, std::cmp::Reverse((f.span.end, f.confidence))));
        let (mut end, mut next, mut taken_to) = (0, 0, 0);
        found.retain(|f| {
            while next < taken.len() && taken[next].start < f.span.end {
                taken_to = taken_to.max(taken[next].end);
                next += 1;
            }
            let free = f.span.start >= end && f.span.start >= taken_to;
            if free {
                end = f.span.end;
            }
            free
        });
        found.into_iter()
    }

    fn manifest(&mut self, text: &[u8], hit: &Range<usize>) -> usize {
        let role = GenericRole::Manifest;
        let Some(document) = manifest::of_a_secret(text, hit, self.manifests_to) else { return 0 };
        let steps = document.text.len();
        self.manifests_to = document.text.end;
        manifest::values(text, &document, |span| {
            self.found.push(Found { role, confidence: Confidence::Medium, span });
        });
        steps
    }

    fn name(&mut self, text: &[u8], hit: &Range<usize>) -> Option<Found> {
        if hit.end <= self.judged_to {
            return None;
        }
        // The keyword of a short name has its sign with it (`pw:`).
        let sign = text[hit.clone()].iter().rev().take_while(|b| !b.is_ascii_alphanumeric()).count();
        let name = whole_name(text, &(hit.start..hit.end - sign));
        self.judged_to = name.end;
        if let Some(found) = joined(text, &name, hit.end - sign) {
            return Some(found);
        }
        // Most names in a text are given no value.
        let value = assign::assigned(text, &name)?;
        let named = in_two_words(text, &name).or_else(|| name::judge(&text[name.clone()]))?;
        let found = judged(named, text, value)?;
        self.judged_to = found.span.end;
        Some(found)
    }
}

fn judged(named: (Topic, Clarity), text: &[u8], value: Value) -> Option<Found> {
    let Value { span, style } = value;
    let (confidence, part) = value::judge(named, &text[span.clone()], style)?;
    let role = role(named.0);
    Some(Found { role, confidence, span: span.start + part.start..span.start + part.end })
}

fn role(topic: Topic) -> GenericRole {
    match topic {
        Topic::Password => GenericRole::Password,
        Topic::ClientSecret => GenericRole::ClientSecret,
        Topic::Secret => GenericRole::Secret,
        Topic::Token => GenericRole::Token,
        Topic::ApiKey | Topic::Key => GenericRole::ApiKey,
        Topic::Authorization => GenericRole::Scheme,
    }
}

/// The value that a dash joins to its name: `acme-secret-q7Zt2LxW9vBn4KdR6yHc`.
fn joined(text: &[u8], name: &Range<usize>, word_end: usize) -> Option<Found> {
    let [b'-', value @ ..] = &text[word_end..name.end] else { return None };
    // Almost all are words.
    if value.len() < JOINED_MIN || !value.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let (topic, clarity) = name::judge(&text[name.start..word_end])?;
    let is_one = clarity == Clarity::Clear && value::is_joined(topic, value);
    let role = role(topic);
    is_one.then(|| Found { role, confidence: Confidence::Low, span: word_end + 1..name.end })
}

/// What the name says with the word before it, where both together are one: "api key".
fn in_two_words(text: &[u8], name: &Range<usize>) -> Option<(Topic, Clarity)> {
    if !text[name.clone()].eq_ignore_ascii_case(b"key") || !text[..name.start].ends_with(b" ") {
        return None;
    }
    let before = &text[name.start.saturating_sub(NAME_MAX / 2)..name.start - 1];
    let word = before.iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
    name::judge(&text[name.start - 1 - word..name.end]).filter(|(topic, _)| *topic == Topic::ApiKey)
}

/// The name of which the hit is a part. One that is longer than names are is cut, and then no name.
fn whole_name(text: &[u8], hit: &Range<usize>) -> Range<usize> {
    let inside = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let before = &text[hit.start.saturating_sub(NAME_MAX)..hit.start];
    let behind = &text[hit.end..text.len().min(hit.end + NAME_MAX)];
    let mut start = hit.start - before.iter().rev().take_while(|b| inside(b)).count();
    // In text that is itself escaped, the letter of a `\n` belongs to no name.
    if start > 0 && start < hit.start && text[start - 1] == b'\\' {
        start += 1;
    }
    let mut end = hit.end + behind.iter().take_while(|b| inside(b)).count();
    while end > hit.end && matches!(text[end - 1], b'-' | b'.') {
        end -= 1;
    }
    start..end
}
