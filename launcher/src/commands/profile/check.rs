//! `stockade profile check`: whether files are in order, before anything is started by them.

use std::io::Read;
use std::path::{Path, PathBuf};

use stockade_policy::document::Mistakes;
use stockade_policy::document::profile::{Profile, Source, is_fragment, parse_all};

use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::profiles::{embedded, known_beside};

/// Standard input, as a file.
const STDIN: &str = "-";

/// Checks files and reports every mistake in them. A text without a name and the like is a fragment: lines to be pasted
/// into a profile, such as a denial prints.
pub(super) fn check(files: &[PathBuf], fragment: bool) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let mut whole = Vec::new();
    let mut said = Vec::new();
    let mut mistaken = Vec::new();
    for path in files {
        let source = read(path)?;
        if !fragment && !is_fragment(&source.text) {
            whole.push(source);
            continue;
        }
        match Profile::parse_fragment(&source.file, &source.text) {
            Ok(profile) => said.push(format!(
                "{}: in order, as lines to be pasted into a profile ({})\n  a profile of its own also needs \
                 `name`, `description` and `extends`\n",
                source.file,
                counts(&profile)
            )),
            Err(mistakes) => mistaken.push(mistakes),
        }
    }
    let beside: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let known = known_beside(&facts, &beside)?;
    let find = |name: &str| known.iter().find(|profile| profile.name == name).cloned();
    let (profiles, of_whole) = parse_all(&whole, &find);
    mistaken.extend(of_whole);
    let right = whole.iter().filter(|source| !mistaken.iter().any(|m| m.file == source.file));
    said.extend(right.zip(&profiles).map(|(source, profile)| in_order(&source.file, profile)));
    super::print(&said.concat())?;
    for mistakes in &mistaken {
        report(mistakes);
    }
    Ok(if mistaken.is_empty() { Exit::Ok } else { Exit::NotInOrder })
}

fn read(path: &Path) -> Result<Source, Failure> {
    if path == Path::new(STDIN) {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| {
            Failure::new(Kind::Config, "cannot read standard input").because(&error).hint("write UTF-8 to it")
        })?;
        return Ok(Source { file: "standard input".to_owned(), text });
    }
    Ok(Source { file: path.display().to_string(), text: host::read_text(path)? })
}

fn in_order(file: &str, profile: &Profile) -> String {
    let mut text = format!("{file}: in order, profile `{}` ({})\n", profile.name, counts(profile));
    if embedded().iter().any(|other| other.name == profile.name) {
        text.push_str("  it takes the place of the built-in profile of that name\n");
    }
    text
}

/// What it grants, in numbers; bases included.
fn counts(profile: &Profile) -> String {
    let counted = [
        (profile.read.len() + profile.write.len() + profile.exec.len(), "path", "paths"),
        (profile.net_allow.len(), "host", "hosts"),
        (profile.net_listen.len(), "port to listen on", "ports to listen on"),
        (profile.unix_allow.len(), "Unix socket", "Unix sockets"),
        (profile.env_pass.len(), "variable", "variables"),
    ];
    let words: Vec<String> = counted
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    if words.is_empty() { "grants nothing".to_owned() } else { words.join(", ") }
}

fn report(mistakes: &Mistakes) {
    let mut failure = Failure::from(mistakes.clone());
    failure.hints = vec!["mend the lines above and check again".to_owned()];
    failure.report();
}
