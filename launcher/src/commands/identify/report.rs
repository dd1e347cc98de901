//! What `identify` prints: for people, and as one JSON object with the same content.

use std::ffi::{OsStr, OsString};

use serde_json::{Value, json};

use super::{Found, Source};
use crate::commands::screen::{Screen, harmless, labelled};
use crate::container::engine::Local;
use crate::identity::invocation::{Runs, runner_name};

/// Width of the column of labels.
const LABELS: usize = 11;

/// For people.
pub(super) fn text(found: &Found, command: &[OsString], screen: Screen) -> String {
    let mut lines: Vec<(&str, String)> = vec![("Command", line(command))];
    if !found.asked.wrappers.is_empty() {
        lines.push(("Wrappers", found.asked.wrappers.join(", ")));
    }
    let set: Vec<&str> = found.asked.set.iter().map(|(name, _)| name.as_str()).collect();
    if !set.is_empty() {
        lines.push(("Sets", set.join(", ")));
    }
    lines.push(("Runs", runs(found)));
    if let Some(resolved) = &found.resolved {
        lines.push(("Program", resolved.program.display().to_string()));
        if resolved.code.starts_with('/') {
            lines.push(("Code", resolved.code.clone()));
        }
    }
    for (n, identity) in found.identities.iter().enumerate() {
        lines.push((if n == 0 { "Identity" } else { "" }, identity.clone()));
    }
    for (n, carried) in found.carries.iter().enumerate() {
        lines.push((if n == 0 { "Carries" } else { "" }, carried.clone()));
    }
    if let Some(integrity) = found.resolved.as_ref().and_then(|resolved| resolved.integrity.as_ref()) {
        lines.push(("Integrity", format!("{} ({})", integrity.hash, integrity.of)));
    }
    lines.extend(source(found, command));
    for (n, what) in found.open.iter().enumerate() {
        lines.push((if n == 0 { "Open" } else { "" }, what.clone()));
    }
    lines.push(("Profile", format!("{} ({})", found.profile.0, found.profile.1)));
    lines.push((
        "Start",
        found.admitted.as_ref().map_or_else(Clone::clone, |()| "the policy allows it".to_owned()),
    ));
    lines.iter().map(|(label, line)| labelled(label, LABELS, &harmless(line), screen.width)).collect()
}

fn source(found: &Found, command: &[OsString]) -> Vec<(&'static str, String)> {
    match &found.source {
        Source::Here => Vec::new(),
        Source::Installed => {
            vec![("From", "an installation that the runner takes instead of fetching".to_owned())]
        }
        Source::Pinned => vec![("From", "the store: fetched before, and pinned".to_owned())],
        Source::ToFetch { packages, from, trouble } => {
            let mut lines = vec![("Fetches", format!("{}, from {from}", packages.join(", ")))];
            match trouble {
                Some(trouble) => lines.push(("Trouble", trouble.clone())),
                None => lines.push(("To pin it", format!("stockade fetch -- {}", line(command)))),
            }
            lines
        }
        Source::Engine { says } => vec![(
            "From",
            match says {
                Local::Digest(digest) => format!("an image with the digest {digest}"),
                Local::Built => "an image that was built here".to_owned(),
                Local::Absent => "an image that the engine would fetch".to_owned(),
                Local::Silent(why) => format!("an image that the engine would have to tell about: {why}"),
            },
        )],
    }
}

fn runs(found: &Found) -> String {
    match &found.asked.runs {
        Runs::Package(run) => {
            let names: Vec<&str> = run.specs.iter().map(|spec| spec.typed.as_str()).collect();
            let entry = run.entry.as_ref().map_or_else(String::new, |entry| format!(", its program {entry}"));
            format!("package {}{entry}, by {}", names.join(" with "), runner_name(run.runner))
        }
        Runs::Container(run) => format!("container image {}, by {}", run.image, run.engine),
        Runs::Script(script) => format!("a script for a shell: {script}"),
        Runs::Program(words) => format!("program {}", line(words)),
    }
}

/// Words as a person would type them.
fn line(words: &[OsString]) -> String {
    let quoted = |word: &OsString| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_alphanumeric() || "-_./:=@,+%^~".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// As one JSON object.
pub(super) fn json(found: &Found, command: &[OsString]) -> String {
    let resolved = found.resolved.as_ref();
    let report = json!({
        "wrappers": found.asked.wrappers,
        "set": found.asked.set.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "runs": runs_json(found),
        "program": resolved.map(|resolved| resolved.program.display().to_string()),
        "arguments": resolved.map(|resolved| resolved.argv.iter().skip(1).map(|word| text_of(word)).collect::<Vec<_>>()),
        "name": resolved.map(|resolved| &resolved.name),
        "code": resolved.map(|resolved| &resolved.code),
        "identities": found.identities,
        "carries": found.carries,
        "integrity": resolved.and_then(|resolved| resolved.integrity.as_ref())
            .map(|integrity| json!({ "hash": integrity.hash, "of": integrity.of })),
        "source": source_json(&found.source, command),
        "open": found.open,
        "profile": { "name": found.profile.0, "why": found.profile.1 },
        "start": { "allowed": found.admitted.is_ok(), "why": found.admitted.as_ref().err() },
    });
    format!("{report:#}\n")
}

fn text_of(word: &OsStr) -> String {
    word.to_string_lossy().into_owned()
}

fn runs_json(found: &Found) -> Value {
    match &found.asked.runs {
        Runs::Package(run) => json!({
            "kind": "package",
            "runner": runner_name(run.runner),
            "packages": run.specs.iter()
                .map(|spec| json!({ "name": spec.name, "version": spec.version, "typed": spec.typed }))
                .collect::<Vec<_>>(),
            "entry": run.entry,
            "python": run.python,
            "registry": run.registry,
        }),
        Runs::Container(run) => json!({ "kind": "container", "engine": run.engine, "image": run.image }),
        Runs::Script(script) => json!({ "kind": "script", "text": script }),
        Runs::Program(_) => json!({ "kind": "program" }),
    }
}

fn source_json(source: &Source, command: &[OsString]) -> Value {
    match source {
        Source::Here => json!({ "kind": "here" }),
        Source::Installed => json!({ "kind": "installed" }),
        Source::Pinned => json!({ "kind": "pinned" }),
        Source::ToFetch { packages, from, trouble } => json!({
            "kind": "to fetch",
            "packages": packages,
            "from": from,
            "trouble": trouble,
            "to_pin": trouble.is_none().then(|| format!("stockade fetch -- {}", line(command))),
        }),
        Source::Engine { says } => match says {
            Local::Digest(digest) => json!({ "kind": "engine", "digest": digest }),
            Local::Built => json!({ "kind": "engine", "state": "built here" }),
            Local::Absent => json!({ "kind": "engine", "state": "absent" }),
            Local::Silent(why) => json!({ "kind": "engine", "state": "silent", "why": why }),
        },
    }
}
