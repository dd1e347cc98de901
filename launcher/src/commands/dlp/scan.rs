//! `dlp scan`: what is found in files or on stdin, by line and column. Values are never printed.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stockade_policy::detect::{Confidence, Engine, Finding, ScanEnd};

use super::{print, word};
use crate::cli::DlpScanArgs;
use crate::commands::screen::{Ink, Screen, harmless, pad};
use crate::error::{Failure, Kind};
use crate::exit::Exit;

/// Largest text that is looked at: as many steps as a message may cost.
const TEXT_BYTES_MAX: u64 = 64 << 20;
/// A file with a zero byte so near its beginning is no text.
const BINARY_PROBE_BYTES: usize = 8 << 10;

/// One text, and what was found in it.
struct Scanned {
    name: String,
    text: String,
    found: Vec<Finding>,
    end: ScanEnd,
}

/// Looks at each file, or at stdin.
pub(super) fn scan(args: &DlpScanArgs) -> Result<Exit, Failure> {
    let engine = super::engine(args.policy.as_deref())?;
    let least = Confidence::from(args.least);
    let mut all = Vec::new();
    if args.files.is_empty() {
        let bytes = read(io::stdin().lock(), "stdin")?;
        all.push(look(&engine, least, "stdin".to_owned(), &bytes));
    }
    for path in &args.files {
        let name = path.display().to_string();
        let bytes = read(open(path)?, &name)?;
        if bytes.iter().take(BINARY_PROBE_BYTES).any(|byte| *byte == 0) {
            eprintln!("note: {} is no text and was not looked at", harmless(&name));
            continue;
        }
        all.push(look(&engine, least, name, &bytes));
    }
    if args.json {
        print(&format!("{:#}\n", all.iter().flat_map(rows).collect::<Value>()))?;
    } else {
        print(&table(&all, Screen::of_stdout()))?;
    }
    for cut in all.iter().filter(|one| one.end == ScanEnd::BudgetSpent) {
        eprintln!(
            "note: {} was not looked at to its end: it costs more steps than one message may; split it",
            harmless(&cut.name)
        );
    }
    let clean = all.iter().all(|one| one.found.is_empty() && one.end == ScanEnd::Complete);
    Ok(if clean { Exit::Ok } else { Exit::NotInOrder })
}

fn open(path: &PathBuf) -> Result<std::fs::File, Failure> {
    let failed = |error: io::Error| {
        Failure::new(Kind::Usage, format!("cannot read {}", path.display())).because(&error)
    };
    if path.is_dir() {
        return Err(Failure::new(Kind::Usage, format!("{} is a directory", path.display()))
            .hint("name files: `git ls-files -z | xargs -0 stockade dlp scan`"));
    }
    std::fs::File::open(Path::new(path)).map_err(failed)
}

fn read(from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(TEXT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(Kind::Usage, format!("cannot read {name}")).because(&error))?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(Failure::new(Kind::Usage, format!("{name} has more than {} MiB", TEXT_BYTES_MAX >> 20))
            .hint("split it"));
    }
    Ok(bytes)
}

fn look(engine: &Engine, least: Confidence, name: String, bytes: &[u8]) -> Scanned {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut found = Vec::new();
    let end = engine.scan_text(&text, &mut found);
    found.retain(|finding| finding.confidence >= least);
    found.sort_by_key(|finding| (finding.raw.start, finding.raw.end));
    Scanned { name, text, found, end }
}

/// Line and column of a place, both from 1; columns in characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn length(one: &Scanned, finding: &Finding) -> usize {
    let (start, end) =
        (one.text.floor_char_boundary(finding.raw.start), one.text.ceil_char_boundary(finding.raw.end));
    one.text[start..end].chars().count()
}

fn rows(one: &Scanned) -> impl Iterator<Item = Value> {
    one.found.iter().map(|finding| {
        let (line, column) = place(&one.text, finding.raw.start);
        json!({
            "file": one.name, "line": line, "column": column, "characters": length(one, finding),
            "detector": finding.detector, "confidence": word(finding.confidence),
            "hash": String::from_utf8_lossy(&finding.hash),
        })
    })
}

fn table(all: &[Scanned], screen: Screen) -> String {
    let mut out = String::new();
    for one in all {
        for finding in &one.found {
            let (line, column) = place(&one.text, finding.raw.start);
            let ink = match finding.confidence {
                Confidence::High => Ink::Bad,
                Confidence::Medium => Ink::Strong,
                Confidence::Low => Ink::Faint,
            };
            out.push_str(&format!(
                "{}:{line}:{column}  {}  {}  {}\n",
                harmless(&one.name),
                screen.ink(ink, &pad(word(finding.confidence), 6)),
                pad(&finding.detector, 28),
                screen.ink(
                    Ink::Faint,
                    &format!(
                        "{} characters, {}",
                        length(one, finding),
                        String::from_utf8_lossy(&finding.hash)
                    )
                ),
            ));
        }
    }
    let findings: usize = all.iter().map(|one| one.found.len()).sum();
    let hit = all.iter().filter(|one| !one.found.is_empty()).count();
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    out.push_str(&match findings {
        0 => format!("nothing found in {}\n", plural(all.len(), "text")),
        _ => format!("{} in {hit} of {}\n", plural(findings, "finding"), plural(all.len(), "text")),
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one_in_characters() {
        assert_eq!(place("abc", 0), (1, 1));
        assert_eq!(place("é\nüx", 3), (2, 1), "é has two bytes");
        assert_eq!(place("é\nüx", 5), (2, 2));
        assert_eq!(place("é\nüx", 4), (2, 1), "within a character");
    }
}
