//! What was found, for people and for programs.

use serde_json::{Value, json};

use crate::bisect::{Finding, Outcome, Report};
use crate::commands::screen::{Ink, Screen, harmless, labelled};

/// For people.
pub(super) fn text(report: &Report, profile: &str, screen: Screen) -> String {
    let mut text = String::new();
    let mut line = |label: &str, words: &str| {
        text.push_str(&labelled(&format!("  {label:<18}"), 20, &harmless(words), screen.width));
    };
    line("bare", &report.bare.words());
    let mut granted = 0;
    for step in &report.steps {
        if step.granted > granted {
            granted = step.granted;
            let count = if granted == 1 { "1 grant".to_owned() } else { format!("{granted} grants") };
            line("", &format!("(again, with {count})"));
        }
        line(&format!("+ {}", step.layer.words()), &step.outcome.words());
    }
    text.push('\n');
    let mut say = |ink: Ink, words: &str| {
        for line in labelled("", 0, words, screen.width).lines() {
            text.push_str(&format!("{}\n", screen.ink(ink, line)));
        }
    };
    if report.findings.is_empty() {
        match &report.bare {
            Outcome::Answer(_) if report.steady => {
                say(Ink::Strong, "It works contained as it does bare, with the same answer.");
            }
            Outcome::Answer(_) => {
                say(Ink::Strong, "It works contained as it does bare.");
                say(Ink::Faint, "The answers were not compared: they differ from one bare run to the next.");
            }
            _ => say(Ink::Strong, "It is not Stockade: the call fails bare, too."),
        }
        return text;
    }
    for finding in &report.findings {
        text.push_str(&found(finding, profile, screen));
    }
    if !report.mended && report.findings.iter().all(|finding| finding.mend.is_some()) {
        let words = "With what is named here it does not work yet as it does bare.";
        text.push_str(&labelled("", 0, words, screen.width));
    }
    text
}

fn found(finding: &Finding, profile: &str, screen: Screen) -> String {
    let mut text = String::new();
    let head = format!("It is Stockade: the layer that breaks it is {}.", finding.layer.words());
    text.push_str(&format!("{}\n", screen.ink(Ink::Strong, &head)));
    match &finding.mend {
        Some(lines) => {
            let head = format!(
                "With these lines in profile `{profile}`, or in one of yours that extends it, it works; that was tried:"
            );
            text.push_str(&labelled("", 0, &head, screen.width));
            text.push_str(&format!("\n{lines}\n"));
        }
        None => {
            let words = "No grant that could be found mends it.";
            text.push_str(&labelled("", 0, words, screen.width));
        }
    }
    if finding.mend.is_none() {
        for refused in &finding.ungrantable {
            text.push_str(&labelled("  → ", 4, &harmless(refused), screen.width));
        }
    }
    text
}

/// For programs.
pub(super) fn json(report: &Report) -> Value {
    let steps: Vec<Value> = report
        .steps
        .iter()
        .map(|step| {
            let outcome = outcome_json(&step.outcome);
            json!({ "layer": step.layer.words(), "granted": step.granted, "outcome": outcome })
        })
        .collect();
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "layer": finding.layer.words(),
                "outcome": outcome_json(&finding.outcome),
                "mend": finding.mend,
                "ungrantable": finding.ungrantable,
            })
        })
        .collect();
    json!({
        "bare": outcome_json(&report.bare),
        "steady": report.steady,
        "steps": steps,
        "findings": findings,
        "mended": report.mended,
    })
}

fn outcome_json(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Answer(_) => json!({ "is": "answer" }),
        Outcome::ToolError(text) => json!({ "is": "tool-error", "text": text }),
        Outcome::Error { code, message } => json!({ "is": "error", "code": code, "message": message }),
        Outcome::Silence(why) => json!({ "is": "silence", "why": why }),
    }
}
