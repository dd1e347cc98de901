//! What people are told about the built-in detectors.

use super::finding::Confidence;
use crate::rules::Pattern;

/// A built-in detector, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// `secret/github-pat`
    pub name: &'static str,
    /// Whose format it is.
    pub vendor: &'static str,
    /// Where they document it.
    pub source: &'static str,
    /// How sure its findings are, unless a form or the context says otherwise.
    pub confidence: Confidence,
    /// The key under which the example stands; empty if that does not matter.
    pub example_key: &'static str,
    /// A text in which it finds something, made up.
    pub example: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/about.rs"));

/// The built-in detectors whose names the pattern takes (`*` is any run of characters), by name.
pub fn about_built_in(pattern: &str) -> impl Iterator<Item = &'static About> {
    let pattern = Pattern::new(pattern);
    ABOUT.iter().filter(move |about| pattern.matches(about.name))
}
