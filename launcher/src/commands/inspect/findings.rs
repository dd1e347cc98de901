//! What the mediator noticed during the survey, from its own records: hidden definitions never reach a client, so
//! only the log can tell of them.

use std::path::Path;

use serde_json::{Value, json};

/// A definition with a finding, or anything else that was not just let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Noticed {
    /// `definition`, `answer`, `refused` …
    pub(super) kind: String,
    /// `block`, `monitor`, `deny` …
    pub(super) verdict: String,
    /// The tool, prompt or method.
    pub(super) item: String,
    /// The rule, or why the grammar refused it.
    pub(super) rule: String,
    /// The rule's reason.
    pub(super) reason: String,
    /// Detectors that found something, each with its confidence.
    pub(super) detectors: Vec<String>,
}

impl Noticed {
    /// As JSON.
    pub(super) fn json(&self) -> Value {
        json!({
            "kind": self.kind,
            "verdict": self.verdict,
            "item": self.item,
            "rule": self.rule,
            "reason": self.reason,
            "detectors": self.detectors,
        })
    }
}

/// Reads them from the segment file of the session.
///
/// # Errors
/// Why the file cannot be read: then nobody can say that nothing was found.
pub(super) fn read(segment: &Path) -> Result<Vec<Noticed>, String> {
    let text = std::fs::read_to_string(segment)
        .map_err(|error| format!("cannot read {}: {error}", segment.display()))?;
    let mut noticed: Vec<Noticed> =
        text.lines().filter_map(|line| notice(&serde_json::from_str(line).ok()?)).collect();
    // A list that is asked for twice is judged twice.
    let mut seen: Vec<Noticed> = Vec::new();
    noticed.retain(|one| {
        let new = !seen.contains(one);
        if new {
            seen.push(one.clone());
        }
        new
    });
    Ok(noticed)
}

fn notice(event: &Value) -> Option<Noticed> {
    let kind = event["kind"].as_str()?;
    let what = &event["what"];
    let verdict = what["verdict"].as_str()?;
    let findings = what["findings"].as_array().map_or(&[][..], Vec::as_slice);
    // Denials of the jail have a part of their own.
    if matches!(kind, "synthesised" | "denied")
        || (kind != "definition" && verdict == "allow" && findings.is_empty())
    {
        return None;
    }
    let text = |keys: &[&str]| keys.iter().find_map(|key| what[key].as_str()).unwrap_or_default().to_owned();
    let detector = |finding: &Value| {
        Some(format!("{} ({})", finding["detector"].as_str()?, finding["confidence"].as_str()?))
    };
    let mut detectors: Vec<String> = findings.iter().filter_map(detector).collect();
    detectors.dedup();
    Some(Noticed {
        kind: kind.to_owned(),
        verdict: verdict.to_owned(),
        item: text(&["item", "method"]),
        rule: text(&["rule", "would_have"]),
        reason: text(&["reason", "refusal"]),
        detectors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_through_without_a_finding_is_not_shown() {
        let event = |kind: &str, what: Value| json!({ "kind": kind, "what": what });
        let finding = json!([{ "detector": "injection/hidden-text", "confidence": "high" }]);
        assert_eq!(notice(&event("call", json!({ "verdict": "allow" }))), None);
        assert_eq!(notice(&event("session.start", json!({ "program": "x" }))), None);
        let hidden = json!({ "verdict": "block", "item": "weather", "rule": "r", "findings": finding });
        let noticed = notice(&event("definition", hidden)).unwrap();
        assert_eq!((noticed.item.as_str(), noticed.verdict.as_str()), ("weather", "block"));
        assert_eq!(noticed.detectors, ["injection/hidden-text (high)"]);
        assert!(notice(&event("answer", json!({ "verdict": "monitor", "method": "tools/list" }))).is_some());
    }
}
