//! `dlp scan --jsonl`: an answer for each line, for measuring detectors on labelled texts.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stockade_policy::detect::{Confidence, Engine, ScanEnd};

use super::word;
use crate::cli::DlpScanArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;

#[derive(Deserialize)]
struct Case {
    id: Value,
    text: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a Value,
    findings: Vec<Found<'a>>,
    /// Left out where everything was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<&'static str>,
}

#[derive(Serialize)]
struct Found<'a> {
    detector: &'a str,
    start: usize,
    end: usize,
    confidence: &'static str,
}

/// Answers every line of the files, or of stdin.
pub(super) fn scan(args: &DlpScanArgs) -> Result<Exit, Failure> {
    let (engine, _) = super::engine(args.policy.as_deref())?;
    let mut out = BufWriter::new(io::stdout().lock());
    let least = Confidence::from(args.least);
    if args.files.is_empty() {
        answer_all(&engine, least, (io::stdin().lock(), "stdin"), &mut out)?;
    }
    for path in &args.files {
        let shown = path.display().to_string();
        answer_all(&engine, least, (open(path)?, &shown), &mut out)?;
    }
    out.flush().map_err(cannot_write)?;
    Ok(Exit::Ok)
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let opened = File::open(path).map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot read {}", path.display())).because(&error)
    })?;
    Ok(BufReader::new(opened))
}

fn answer_all(
    engine: &Engine,
    least: Confidence,
    (lines, source): (impl BufRead, &str),
    out: &mut impl Write,
) -> Result<(), Failure> {
    for (number, line) in (1..).zip(lines.lines()) {
        let wrong = |why: String| {
            Failure::new(Kind::Usage, format!("line {number} of {source} is no case"))
                .cause(why)
                .hint("a line is one JSON object with `id` and `text`; the lines before it were answered")
        };
        let answered = line
            .map_err(|error| wrong(error.to_string()))
            .and_then(|line| serde_json::from_str(&line).map_err(|error| wrong(error.to_string())))
            .map(|case: Case| answer(engine, least, &case));
        let line = match answered {
            Ok(line) => line,
            Err(failure) => {
                out.flush().map_err(cannot_write)?;
                return Err(failure);
            }
        };
        writeln!(out, "{line}").map_err(cannot_write)?;
    }
    Ok(())
}

fn answer(engine: &Engine, least: Confidence, case: &Case) -> String {
    let mut found = Vec::new();
    let end = engine.scan_text(&case.text, &mut found);
    found.retain(|finding| finding.confidence >= least);
    found.sort_by_key(|finding| finding.raw.start);
    // Places only grow, so the text is walked once.
    let (mut bytes, mut chars) = (0, 0);
    let mut characters = |to: usize| {
        if to < bytes {
            return case.text[..to].chars().count();
        }
        chars += case.text[bytes..to].chars().count();
        bytes = to;
        chars
    };
    let findings = found
        .iter()
        .map(|finding| Found {
            detector: &finding.detector,
            start: characters(case.text.floor_char_boundary(finding.raw.start)),
            end: characters(case.text.ceil_char_boundary(finding.raw.end)),
            confidence: word(finding.confidence),
        })
        .collect();
    let incomplete = (end == ScanEnd::BudgetSpent).then_some("the budget of one message was used up");
    let answer = Answer { id: &case.id, findings, incomplete };
    // A value that was read as JSON, texts and numbers: it can be written.
    serde_json::to_string(&answer).unwrap_or_default()
}

fn cannot_write(error: io::Error) -> Failure {
    Failure::new(Kind::Software, "cannot write the answer").because(&error)
}
