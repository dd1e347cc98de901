//! What the jail of `stockade run` guarantees, a file a guarantee: each attempt is made by a server inside, with every
//! backend, and by the same program outside. What fails outside too proves nothing, so it fails the test.

mod environment;
mod files;
mod kernel_surface;
mod network;
mod processes;
mod projects;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{World, finish, fixture_command};

/// The mechanisms that carry a jail.
const BACKENDS: [&str; 3] = ["namespaces", "notify", "static"];

/// Attempt → "done" or the name of an errno.
type Outcomes = BTreeMap<String, String>;

/// The attempts, made by the probe under `stockade run` with extra words for it.
fn inside(world: &World, backend: &str, words: &[&str], attempts: &Value) -> Outcomes {
    let mut all: Vec<OsString> =
        ["run", "--backend", backend].iter().chain(words).map(OsString::from).collect();
    all.push("--".into());
    all.extend(fixture_command("probe.py", &[&attempts.to_string()]));
    outcomes(&mut world.stockade(all))
}

/// The same attempts, made by the probe without a jail, in the same environment.
fn outside(world: &World, attempts: &Value) -> Outcomes {
    let words = fixture_command("probe.py", &[&attempts.to_string()]);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    world.dress(&mut command);
    outcomes(&mut command)
}

fn outcomes(command: &mut Command) -> Outcomes {
    let finished = finish(command.spawn().expect("the probe starts"), Duration::from_secs(60));
    let line = finished.stderr.lines().find_map(|line| line.strip_prefix("PROBE "));
    let line = line.unwrap_or_else(|| panic!("the probe said nothing: {finished:#?}"));
    serde_json::from_str(line).expect("outcomes are JSON")
}

/// Whether a file was refused: closed by Landlock (EACCES), or not there, or read-only, in a view of its own.
fn is_closed(outcome: &str) -> bool {
    ["EACCES", "ENOENT", "EROFS"].contains(&outcome)
}

/// Every attempt works outside and fails inside, whatever the backend; `expected` says how, where that is promised.
fn check(world: &World, words: &[&str], attempts: &Value, expected: &[(&str, &str)]) {
    for (name, outcome) in outside(world, attempts) {
        assert_eq!(outcome, "done", "`{name}` fails without a jail as well: it proves nothing");
    }
    for backend in BACKENDS {
        let found = inside(world, backend, words, attempts);
        for (name, outcome) in &found {
            assert_ne!(outcome, "done", "`{name}` worked in the jail ({backend})");
        }
        for (name, outcome) in expected {
            assert_eq!(found.get(*name).map(String::as_str), Some(*outcome), "`{name}` ({backend})");
        }
    }
}
