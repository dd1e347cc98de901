//! What was found in a message: what is done about it, and what went on all the same.

use serde::Serialize;
use stockade_policy::detect::Confidence;
use stockade_policy::mediator::{Record, Suppressed};
use stockade_policy::verdict::Content;

/// One finding, masked (decision 25): detector, length class, keyed hash.
#[derive(Debug, Serialize)]
pub struct FindingLine {
    /// `secret/github-pat`
    pub detector: String,
    /// `low`, `medium`, `high`
    pub confidence: &'static str,
    /// 0: 1–7 characters, 1: 8–15, 2: 16–31, 3: 32–63, 4: more.
    pub length_class: u8,
    /// Keyed hash: equal values match across events, the value cannot be read from it.
    pub hash: String,
    /// JSON Pointer of the value that holds it.
    pub at: String,
    /// It began in an earlier message or text: this one holds the rest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
    /// What its rule does: `monitor`, `redact`, `block`. The message may have got worse for another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// What the rule of a layer in monitor mode would have done, if that is stricter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_have: Option<&'static str>,
}

/// A finding that somebody answers for, masked like any other.
#[derive(Debug, Serialize)]
pub struct SuppressedLine {
    /// `secret/github-pat`
    pub detector: String,
    /// Keyed hash, as that of a finding.
    pub hash: String,
    /// Id of the suppression: whoever reads it finds out who answers for it.
    pub by: String,
}

impl From<&Suppressed> for SuppressedLine {
    fn from(suppressed: &Suppressed) -> Self {
        Self {
            detector: suppressed.detector.to_string(),
            hash: String::from_utf8_lossy(&suppressed.hash).into_owned(),
            by: suppressed.by.clone(),
        }
    }
}

impl FindingLine {
    /// Those of a record.
    pub fn of(record: &Record) -> Vec<Self> {
        let line = |(n, finding): (usize, &stockade_policy::detect::Finding)| {
            let weight = record.weights.get(n).copied().flatten();
            Self {
                detector: finding.detector.to_string(),
                confidence: confidence_word(finding.confidence),
                length_class: finding.length_class,
                hash: String::from_utf8_lossy(&finding.hash).into_owned(),
                at: record.pointers.get(n).cloned().unwrap_or_default(),
                continued: finding.place == stockade_policy::detect::Place::Continued,
                action: weight.map(|weight| weight.action.word()),
                would_have: weight.and_then(|weight| weight.would_have).map(Content::word),
            }
        };
        record.findings.iter().enumerate().map(line).collect()
    }
}

fn confidence_word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}
