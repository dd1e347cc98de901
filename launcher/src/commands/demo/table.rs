//! The report: both parts side by side, as a table for people or as JSON.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::attempts::{Attempt, Outcome, Trial};
use super::play::Played;
use super::records::{Records, Ruling};
use crate::cli::DemoArgs;
use crate::commands::screen::{Ink, Screen, columns, pad, wrap};

/// From this width on, what stopped an attempt has a column of its own.
const WIDE_COLUMNS: usize = 110;

/// All that the demo has to say.
#[derive(Debug)]
pub(super) struct Report {
    policy: &'static str,
    without: Option<String>,
    rows: Vec<Row>,
    backend: Option<(String, u64)>,
    events: usize,
    unreadable: Option<String>,
}

#[derive(Debug)]
struct Row {
    attempt: Attempt,
    bare: Trial,
    jailed: Trial,
    ruling: Option<Ruling>,
    degree: Option<String>,
}

impl Report {
    /// Puts what happened side by side.
    pub(super) fn new(args: &DemoArgs, bare: &Played, jailed: &Played, records: &Records) -> Self {
        let row = |attempt: Attempt| Row {
            attempt,
            bare: bare.trial(attempt).clone(),
            jailed: jailed.trial(attempt).clone(),
            ruling: records.about(attempt),
            degree: guarantee(attempt).and_then(|name| records.degree(name)).map(str::to_owned),
        };
        Self {
            policy: args.policy.name(),
            without: args.without.and_then(|one| Some(one.to_possible_value()?.get_name().to_owned())),
            rows: Attempt::ALL.map(row).into(),
            backend: records.backend().map(|(word, abi)| (word.to_owned(), abi)),
            events: records.count(),
            unreadable: records.unreadable.clone(),
        }
    }

    /// Whether every attempt that succeeds bare was stopped under Stockade, and none was inconclusive.
    pub(super) fn all_stopped(&self) -> bool {
        self.count(Outcome::Stopped) == self.rows.len()
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.outcome() == outcome).count()
    }

    /// As JSON.
    pub(super) fn json(&self) -> String {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let report = json!({
            "policy": self.policy,
            "without": self.without,
            "ok": self.all_stopped(),
            "total": self.rows.len(),
            "stopped": self.count(Outcome::Stopped),
            "got_through": self.count(Outcome::GotThrough),
            "inconclusive": self.count(Outcome::Inconclusive),
            "backend": self.backend.as_ref().map(|(word, _)| word),
            "landlock_abi": self.backend.as_ref().map(|(_, abi)| abi),
            "attempts": rows,
            "events": { "recorded": self.events, "kept": false, "unreadable": self.unreadable },
        });
        format!("{report:#}\n")
    }

    /// As a table.
    pub(super) fn text(&self, screen: Screen) -> String {
        let mut text = String::new();
        let title = format!(
            "One rogue MCP server, started twice: bare, as clients do, and under Stockade (policy: {})",
            self.policy
        );
        for line in wrap(&title, screen.width) {
            text.push_str(&format!("{}\n", screen.ink(Ink::Strong, &line)));
        }
        if let Some(word) = &self.without {
            let line = format!("Taken away for this run: {word}");
            text.push_str(&format!("{}\n", screen.ink(Ink::Warn, &line)));
        }
        text.push('\n');
        text.push_str(&self.table(screen));
        text.push('\n');
        text.push_str(&self.closing(screen));
        text
    }

    fn table(&self, screen: Screen) -> String {
        let wide = screen.width >= WIDE_COLUMNS;
        let mut head = line_of(["It tried to", "Bare", "Under Stockade"].map(str::to_owned), ["", "", ""]);
        if wide {
            head.push_str(if self.all_stopped() { "  Stopped by" } else { "  Stopped by, or proof" });
        }
        let mut table = format!("  {}\n", screen.ink(Ink::Strong, head.trim_end()));
        table.push_str(&format!(
            "  {}\n",
            screen.ink(Ink::Faint, &"─".repeat(screen.width.saturating_sub(2)))
        ));
        let body = line_of([String::new(), String::new(), String::new()], ["", "", ""]);
        let indent = if wide { columns(&body) + 4 } else { 6 };
        for row in &self.rows {
            let cells = [row.attempt.what().to_owned(), cell(row.bare_shown()), cell(row.outcome())];
            let painted = [
                cells[0].clone(),
                screen.ink(ink(row.bare_shown()), &cells[1]),
                screen.ink(ink(row.outcome()), &cells[2]),
            ];
            let line = line_of(cells, [&painted[0], &painted[1], &painted[2]]);
            let why = wrap(&row.why(), screen.width.saturating_sub(indent));
            let mut why = why.iter();
            if wide {
                table.push_str(&format!("  {line}  {}\n", why.next().map_or("", String::as_str)));
            } else {
                table.push_str(&format!("  {}\n", line.trim_end()));
            }
            for line in why {
                let line = if wide { line.clone() } else { screen.ink(Ink::Faint, line) };
                table.push_str(&format!("{}{line}\n", " ".repeat(indent)));
            }
        }
        table
    }

    fn closing(&self, screen: Screen) -> String {
        let total = self.rows.len();
        let stopped = format!("{} of {total} stopped", self.count(Outcome::Stopped));
        let mut closing = match (self.count(Outcome::GotThrough), self.count(Outcome::Inconclusive)) {
            (0, 0) => format!("{}.\n", screen.ink(Ink::Good, &stopped)),
            (0, unclear) => format!("{}, {unclear} inconclusive.\n", screen.ink(Ink::Warn, &stopped)),
            (through, 0) => format!("{}, {through} got through.\n", screen.ink(Ink::Bad, &stopped)),
            (through, unclear) => {
                format!(
                    "{}, {through} got through, {unclear} inconclusive.\n",
                    screen.ink(Ink::Bad, &stopped)
                )
            }
        };
        let backend = match &self.backend {
            Some((word, abi)) => format!("Backend {word}, Landlock ABI {abi}"),
            None => "Backend unknown: the session left no record".to_owned(),
        };
        let events = match &self.unreadable {
            Some(why) => format!("Its events could not be read: {why}."),
            None => format!(
                "{} events were recorded in the demo's own home, which is removed again.",
                self.events
            ),
        };
        let next = match (self.policy, &self.without) {
            ("strict", None) => "`stockade demo --policy default` shows the difference that a policy makes.",
            _ => "`stockade demo` alone shows every protection, under the policy `strict`.",
        };
        let sentences = [
            match self.policy {
                "strict" => format!(
                    "Policy strict, and a rule of the demo's own, that its server may start. {backend}."
                ),
                policy => format!("Policy {policy}. {backend}."),
            },
            format!("{events} `stockade log` shows those of real sessions."),
            next.to_owned(),
        ];
        for line in sentences.iter().flat_map(|sentence| wrap(sentence, screen.width)) {
            closing.push_str(&line);
            closing.push('\n');
        }
        closing
    }
}

impl Row {
    /// What the line as a whole says: a success under Stockade is one whatever happened bare; a failure counts as
    /// stopped only if the same attempt succeeds bare.
    fn outcome(&self) -> Outcome {
        match (self.jailed.outcome, self.bare.outcome) {
            (Outcome::GotThrough, _) => Outcome::GotThrough,
            (Outcome::Stopped, Outcome::GotThrough) => Outcome::Stopped,
            _ => Outcome::Inconclusive,
        }
    }

    /// Nothing stands in the way of a bare server: what failed there failed for another reason.
    fn bare_shown(&self) -> Outcome {
        match self.bare.outcome {
            Outcome::GotThrough => Outcome::GotThrough,
            _ => Outcome::Inconclusive,
        }
    }

    /// What stopped it, or what shows that it got through.
    fn why(&self) -> String {
        let recorded = self.ruling.as_ref().map(Ruling::words);
        match (self.outcome(), recorded) {
            (Outcome::Stopped, Some(ruling)) => ruling,
            (Outcome::Stopped, None) => match guarantee(self.attempt) {
                Some(guarantee) => format!("jail, {guarantee}: {}", self.jailed.evidence),
                None => self.jailed.evidence.clone(),
            },
            (Outcome::GotThrough, Some(ruling)) => format!("{} (on record: {ruling})", self.jailed.evidence),
            (Outcome::GotThrough, None) => self.jailed.evidence.clone(),
            (Outcome::Inconclusive, _) if self.bare.outcome != Outcome::GotThrough => {
                format!("it failed even bare, which proves nothing: {}", self.bare.evidence)
            }
            (Outcome::Inconclusive, _) => self.jailed.evidence.clone(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "id": self.attempt.id(),
            "what": self.attempt.what(),
            "outcome": word(self.outcome()),
            "why": self.why(),
            "bare": { "outcome": word(self.bare.outcome), "evidence": self.bare.evidence },
            "stockade": {
                "outcome": word(self.jailed.outcome),
                "evidence": self.jailed.evidence,
                "guarantee": guarantee(self.attempt),
                "enforced": self.degree,
                "verdict": self.ruling.as_ref().map(|ruling| &ruling.verdict),
                "rule": self.ruling.as_ref().map(|ruling| &ruling.by),
                "reason": self.ruling.as_ref().map(|ruling| &ruling.reason),
                "detectors": self.ruling.as_ref().map(|ruling| &ruling.detectors),
            },
        })
    }
}

/// The guarantee of the jail that stands against an attempt; what is left is the mediator's.
fn guarantee(attempt: Attempt) -> Option<&'static str> {
    match attempt {
        Attempt::Fs => Some("fs"),
        Attempt::Env => Some("env"),
        Attempt::Net => Some("net"),
        Attempt::Tree => Some("process"),
        Attempt::Dlp | Attempt::HiddenText | Attempt::Wire => None,
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::GotThrough => "got through",
        Outcome::Stopped => "stopped",
        Outcome::Inconclusive => "inconclusive",
    }
}

fn cell(outcome: Outcome) -> String {
    let sign = match outcome {
        Outcome::GotThrough => "✗",
        Outcome::Stopped => "✓",
        Outcome::Inconclusive => "?",
    };
    format!("{sign} {}", word(outcome))
}

fn ink(outcome: Outcome) -> Ink {
    match outcome {
        Outcome::GotThrough => Ink::Bad,
        Outcome::Stopped => Ink::Good,
        Outcome::Inconclusive => Ink::Warn,
    }
}

/// Three cells side by side; `painted` holds the same cells with their colours, which take no room.
fn line_of(cells: [String; 3], painted: [&str; 3]) -> String {
    const WIDTHS: [usize; 3] = [32, 15, 15];
    let mut line = String::new();
    for ((cell, painted), width) in cells.iter().zip(painted).zip(WIDTHS) {
        let shown = if painted.is_empty() { cell } else { painted };
        if !line.is_empty() {
            line.push_str("  ");
        }
        line.push_str(shown);
        line.push_str(&pad("", width.saturating_sub(columns(cell))));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bare: Outcome, jailed: Outcome) -> Row {
        let trial = |outcome| Trial { outcome, evidence: "e".to_owned() };
        Row { attempt: Attempt::Fs, bare: trial(bare), jailed: trial(jailed), ruling: None, degree: None }
    }

    #[test]
    fn only_what_succeeds_bare_and_fails_under_stockade_counts_as_stopped() {
        use Outcome::{GotThrough, Inconclusive, Stopped};
        for (bare, jailed, outcome) in [
            (GotThrough, Stopped, Stopped),
            (GotThrough, GotThrough, GotThrough),
            (GotThrough, Inconclusive, Inconclusive),
            (Stopped, Stopped, Inconclusive),
            (Stopped, GotThrough, GotThrough),
            (Inconclusive, Stopped, Inconclusive),
        ] {
            assert_eq!(row(bare, jailed).outcome(), outcome, "{bare:?} {jailed:?}");
        }
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let rows = Attempt::ALL.map(|attempt| {
            let mut row = row(Outcome::GotThrough, Outcome::Stopped);
            row.attempt = attempt;
            row.jailed.evidence = "a rather long story of what stopped it ".repeat(4);
            row
        });
        let report = Report {
            policy: "strict",
            without: Some("net".to_owned()),
            rows: rows.into(),
            backend: Some(("namespaces".to_owned(), 7)),
            events: 40,
            unreadable: None,
        };
        for width in [80, 100, 120, 160] {
            for line in report.text(Screen::plain(width)).lines() {
                assert!(columns(line) <= width, "{width}: {line}");
            }
        }
        assert!(report.all_stopped());
    }
}
