//! `dlp scan`: what is found in files or on stdin, by line and column. Values are never printed.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stockade_policy::detect::{Confidence, Engine, Finding, ScanEnd};
use stockade_policy::document::policy::Suppression;
use stockade_policy::rules::{Policy, UnixTime};

use super::{print, suppressed, word};
use crate::cli::{DlpScanArgs, SuppressedArg};
use crate::commands::policy::suppressions::as_json;
use crate::commands::screen::{Ink, Screen, harmless, pad};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::policies;

/// Largest text that is looked at: as many steps as a message may cost.
const TEXT_BYTES_MAX: u64 = 64 << 20;
/// A file with a zero byte so near its beginning is no text.
const BINARY_PROBE_BYTES: usize = 8 << 10;

/// One text, and what was found in it.
struct Scanned<'p> {
    name: String,
    text: String,
    found: Vec<Found<'p>>,
    end: ScanEnd,
}

/// A finding, and who answers for it.
struct Found<'p> {
    finding: Finding,
    by: Option<&'p Suppression>,
}

/// What texts are looked at with.
struct Look {
    engine: Engine,
    policy: Policy,
    least: Confidence,
    now: Option<UnixTime>,
}

/// Looks at each file, or at stdin.
pub(super) fn scan(args: &DlpScanArgs) -> Result<Exit, Failure> {
    let (engine, policy) = super::engine(args.policy.as_deref())?;
    let look = Look { engine, policy, least: args.least.into(), now: policies::unix_now() };
    let mut all = Vec::new();
    if args.files.is_empty() {
        let bytes = read(io::stdin().lock(), "stdin")?;
        all.push(look.at("stdin".to_owned(), &bytes));
    }
    for path in &args.files {
        let name = path.display().to_string();
        let bytes = read(open(path)?, &name)?;
        if bytes.iter().take(BINARY_PROBE_BYTES).any(|byte| *byte == 0) {
            eprintln!("note: {} is no text and was not looked at", harmless(&name));
            continue;
        }
        all.push(look.at(name, &bytes));
    }
    let suppressed = suppressed::told(all.iter().flat_map(|one| &one.found).filter_map(|found| found.by));
    if args.json {
        print(&format!("{:#}\n", all.iter().flat_map(|one| rows(one, args.suppressed)).collect::<Value>()))?;
        eprint!("{suppressed}");
    } else {
        print(&(table(&all, args.suppressed, Screen::of_stdout()) + &suppressed))?;
    }
    let open = all.iter().flat_map(Scanned::open).map(|found| &found.finding);
    for why in suppressed::idle(&look.policy, open, look.now) {
        eprintln!("note: {}", harmless(&why));
    }
    for cut in all.iter().filter(|one| one.end == ScanEnd::BudgetSpent) {
        eprintln!(
            "note: {} was not looked at to its end: it costs more steps than one message may; split it",
            harmless(&cut.name)
        );
    }
    let clean = all.iter().all(|one| one.open().next().is_none() && one.end == ScanEnd::Complete);
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

impl Look {
    fn at(&self, name: String, bytes: &[u8]) -> Scanned<'_> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut found = Vec::new();
        let end = self.engine.scan_text(&text, &mut found);
        found.retain(|finding| finding.confidence >= self.least);
        found.sort_by_key(|finding| (finding.raw.start, finding.raw.end));
        let answered = |finding| Found { by: suppressed::by(&self.policy, &finding, self.now), finding };
        Scanned { name, text, found: found.into_iter().map(answered).collect(), end }
    }
}

impl<'p> Scanned<'p> {
    /// What nobody answers for.
    fn open(&self) -> impl Iterator<Item = &Found<'p>> {
        self.found.iter().filter(|found| found.by.is_none())
    }

    /// What is to be shown.
    fn shown(&self, suppressed: SuppressedArg) -> impl Iterator<Item = &Found<'p>> {
        self.found.iter().filter(move |found| found.by.is_none() || suppressed == SuppressedArg::Show)
    }
}

/// Line and column of a place, both from 1; columns in characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn length(one: &Scanned<'_>, finding: &Finding) -> usize {
    let (start, end) =
        (one.text.floor_char_boundary(finding.raw.start), one.text.ceil_char_boundary(finding.raw.end));
    one.text[start..end].chars().count()
}

fn rows(one: &Scanned<'_>, suppressed: SuppressedArg) -> impl Iterator<Item = Value> {
    one.shown(suppressed).map(|Found { finding, by }| {
        let (line, column) = place(&one.text, finding.raw.start);
        let mut row = json!({
            "file": one.name, "line": line, "column": column, "characters": length(one, finding),
            "detector": finding.detector, "confidence": word(finding.confidence),
            "hash": String::from_utf8_lossy(&finding.hash),
        });
        if let Some(by) = by {
            row["suppressed"] = as_json(by);
        }
        row
    })
}

fn table(all: &[Scanned<'_>], suppressed: SuppressedArg, screen: Screen) -> String {
    let mut out = String::new();
    for one in all {
        for found in one.shown(suppressed) {
            out.push_str(&line(one, found, screen));
        }
    }
    let findings: usize = all.iter().map(|one| one.open().count()).sum();
    let hit = all.iter().filter(|one| one.open().next().is_some()).count();
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    out.push_str(&match findings {
        0 => format!("nothing found in {}\n", plural(all.len(), "text")),
        _ => format!("{} in {hit} of {}\n", plural(findings, "finding"), plural(all.len(), "text")),
    });
    out
}

fn line(one: &Scanned<'_>, Found { finding, by }: &Found<'_>, screen: Screen) -> String {
    let (line, column) = place(&one.text, finding.raw.start);
    let ink = match finding.confidence {
        _ if by.is_some() => Ink::Faint,
        Confidence::High => Ink::Bad,
        Confidence::Medium => Ink::Strong,
        Confidence::Low => Ink::Faint,
    };
    let by = by.map_or_else(String::new, |by| format!(", suppressed by `{}`", by.id));
    let rest = format!("{} characters, {}{by}", length(one, finding), String::from_utf8_lossy(&finding.hash));
    format!(
        "{}:{line}:{column}  {}  {}  {}\n",
        harmless(&one.name),
        screen.ink(ink, &pad(word(finding.confidence), 6)),
        pad(&finding.detector, 28),
        screen.ink(Ink::Faint, &rest),
    )
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
