//! The table of command lines, tests/cases/invocations.toml.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Table {
    case: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    of: String,
    lines: Vec<Line>,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
struct Line {
    line: String,
    runs: String,
    specs: Vec<String>,
    entry: String,
    python: String,
    registry: String,
    args: String,
    image: String,
    options: String,
    words: String,
    script: String,
    wrappers: String,
    set: String,
    remainder: Vec<String>,
}

/// Words between spaces; single quotes hold them together.
fn words(line: &str) -> Vec<OsString> {
    let parts = line.split('\'').enumerate();
    let mut words = vec![String::new()];
    for (n, part) in parts {
        if n % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        for (n, piece) in part.split(' ').enumerate() {
            if n > 0 {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(piece);
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).map(OsString::from).collect()
}

fn line(words: &[OsString]) -> String {
    let quoted = words.iter().map(|word| {
        let word = word.to_string_lossy();
        if word.contains(' ') { format!("'{word}'") } else { word.into_owned() }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// An invocation in the table's form.
fn shown(asked: &Invocation) -> Line {
    let set =
        asked.set.iter().map(|(name, value)| OsString::from(format!("{name}={}", value.to_string_lossy())));
    let mut shown = Line {
        wrappers: asked.wrappers.join(", "),
        set: line(&set.collect::<Vec<_>>()),
        remainder: asked.remainder.clone(),
        ..Line::default()
    };
    match &asked.runs {
        Runs::Program(words) => {
            shown.runs = "program".to_owned();
            shown.words = line(words);
        }
        Runs::Script(script) => {
            shown.runs = "script".to_owned();
            shown.script.clone_from(script);
        }
        Runs::Container(run) => {
            shown.runs.clone_from(&run.engine);
            shown.image.clone_from(&run.image);
            let options = run.options.iter().map(|(name, value)| match value {
                Some(value) => OsString::from(format!("{name}={}", value.to_string_lossy())),
                None => OsString::from(name),
            });
            shown.options = line(&options.collect::<Vec<_>>());
            shown.args = line(&run.arguments);
        }
        Runs::Package(run) => {
            shown.runs = runner_name(run.runner).to_owned();
            let spec = |spec: &Spec| match (&spec.name, &spec.version) {
                (Some(name), Some(version)) => format!("{name} {version}"),
                (Some(name), None) => name.clone(),
                (None, _) => format!("? {}", spec.typed),
            };
            shown.specs = run.specs.iter().map(spec).collect();
            shown.entry = run.entry.clone().unwrap_or_default();
            shown.python = run.python.clone().unwrap_or_default();
            shown.registry = run.registry.clone().unwrap_or_default();
            shown.args = line(&run.arguments);
        }
    }
    shown
}

#[test]
fn command_lines_are_read_as_the_table_says() {
    let table: Table = toml::from_str(include_str!("../../../../tests/cases/invocations.toml")).unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for group in &table.case {
        for expected in &group.lines {
            count += 1;
            let mut found = Line { line: expected.line.clone(), ..shown(&parse(&words(&expected.line))) };
            let fits = found.remainder.len() == expected.remainder.len()
                && found.remainder.iter().zip(&expected.remainder).all(|(line, part)| line.contains(part));
            if fits {
                found.remainder.clone_from(&expected.remainder);
            }
            if found != *expected {
                wrong.push(format!("{}: expected {expected:#?}\nfound {found:#?}", group.of));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 150, "{count} lines are too few to mean something");
}

#[test]
fn no_words_are_too_strange_to_be_read() {
    use std::os::unix::ffi::OsStringExt;
    let strange = OsString::from_vec(vec![b'-', 0xff, b'=', 0xfe]);
    let pieces = ["", "-", "--", "-c", "--package", "@", "'", "=", "A=", "run", "exec", "-S", "/c", "x"];
    let firsts = [
        "npx",
        "npm",
        "bunx",
        "bun",
        "pnpm",
        "yarn",
        "uvx",
        "uv",
        "pipx",
        "docker",
        "podman",
        "env",
        "sh",
        "cmd",
        "node",
        "python",
        "deno",
        "java",
        "dotnet",
        "py",
        "powershell",
        "nohup",
        "",
    ];
    for first in firsts {
        for one in pieces {
            for other in pieces {
                let words: Vec<OsString> = [first, one, other].iter().map(OsString::from).collect();
                // Neither may it panic nor lose the words.
                if let Runs::Program(left) = parse(&words).runs {
                    assert!(
                        left.len() <= words.len() || one == "-S" || other == "-S",
                        "{words:?} became {left:?}"
                    );
                }
                let _ = parse(&[words, vec![strange.clone()]].concat());
            }
        }
    }
    assert_eq!(parse(&[]).runs, Runs::Program(Vec::new()));
}

#[test]
fn a_value_that_may_be_a_secret_is_not_in_the_remainder() {
    for line in
        ["npx --_auth=hunter2 x", "npx --_auth hunter2 x", "uvx --wat=hunter2 x", "node --wat=hunter2 s.js"]
    {
        let remainder = parse(&words(line)).remainder;
        assert!(!remainder.is_empty() && !remainder.concat().contains("hunter2"), "{line}: {remainder:?}");
    }
}
