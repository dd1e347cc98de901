//! `stockade learn`: what a server was seen to need becomes a profile under which it does the same, and nothing more.

mod attacks;
mod merged;
mod taught;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, World, drive, finish, fixture_command, raw_driver, stockade_bin};

const DEADLINE: Duration = Duration::from_secs(120);
/// Backends in which a run can be watched.
const BACKENDS: [&str; 2] = ["namespaces", "notify"];

/// One call of a tool.
type Call = (&'static str, Value);

/// Drives the server `learner.py` as an ordinary client does, through `stockade WORDS… -- learner.py`: the texts of the
/// answers, and what a person would have read.
fn driven(world: &World, env: &[(&str, &str)], words: &[&str], calls: &[Call]) -> (Vec<String>, String) {
    let mut steps = vec![json!({ "handshake": true })];
    for (n, (tool, arguments)) in calls.iter().enumerate() {
        let params = json!({ "name": tool, "arguments": arguments });
        steps.push(
            json!({ "send": { "jsonrpc": "2.0", "id": n + 10, "method": "tools/call", "params": params } }),
        );
        steps.push(json!({ "await": n + 10, "within": 60 }));
    }
    let script = world.write("script.json", &Value::from(steps).to_string());
    let mut driver = raw_driver("converse.py");
    driver.arg(script).arg("--").arg("/usr/bin/env");
    driver.args(env.iter().map(|(name, value)| format!("{name}={value}")));
    driver.arg(stockade_bin()).args(words).arg("--").args(fixture_command("learner.py", &[]));
    let outcome = drive(world, driver, Vec::<String>::new(), DEADLINE);
    assert!(outcome["late"].is_null(), "{outcome:#}");
    let answer = |n: usize| {
        let text = &outcome["answers"][(n + 10).to_string()][0]["result"]["content"][0]["text"];
        text.as_str().unwrap_or_else(|| panic!("no answer {n}: {outcome:#}")).to_owned()
    };
    let answers = (0..calls.len()).map(answer).collect();
    (answers, outcome["stderr"].as_str().expect("stderr").to_owned())
}

/// A run to learn from, driven by a client.
fn learn(world: &World, backend: &str, calls: &[Call]) -> (Vec<String>, String) {
    driven(world, &[], &["learn", "--backend", backend], calls)
}

/// `stockade learn WORDS… -- learner.py`, without a client.
fn alone(world: &World, words: &[&str]) -> Finished {
    let all = ["learn"].iter().chain(words).chain(&["--"]).map(Into::into);
    let command = world.stockade(all.chain(fixture_command("learner.py", &[])));
    finish(start(command), DEADLINE)
}

/// What the runs so far lead to.
fn proposal(world: &World) -> String {
    let finished = alone(world, &["--propose"]);
    assert_eq!(finished.code(), 0, "{finished:#?}");
    finished.stdout_text()
}

fn start(mut command: std::process::Command) -> std::process::Child {
    command.spawn().expect("it starts")
}

/// `stockade profile check` of a text.
#[track_caller]
fn check(world: &World, text: &str) {
    let file = world.write("checked.toml", text);
    let words = ["profile".into(), "check".into(), file.into_os_string()];
    let finished = finish(start(world.stockade::<_, std::ffi::OsString>(words)), DEADLINE);
    assert_eq!(finished.code(), 0, "{finished:#?}\n{text}");
}

/// What a profile's own text grants: each list's paths, hosts or names. Comments are no grants.
fn granted(text: &str) -> BTreeMap<String, Vec<String>> {
    let value: toml::Value = toml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut lists = BTreeMap::new();
    for (table, key) in [("fs", "read"), ("fs", "write"), ("fs", "exec"), ("net", "allow"), ("env", "pass")] {
        let items = value.get(table).and_then(|table| table.get(key)).and_then(toml::Value::as_array);
        let text = |item: &toml::Value| match (item.get("path"), item.get("host"), item.get("port")) {
            (Some(path), ..) => path.as_str().expect("a path").to_owned(),
            (_, Some(host), Some(port)) => {
                format!("{}:{}", host.as_str().expect("a host"), port.as_integer().expect("a port"))
            }
            _ => item.as_str().expect("a name").to_owned(),
        };
        lists.insert(key.to_owned(), items.into_iter().flatten().map(text).collect());
    }
    lists
}

/// Puts a profile where it is found by its name.
fn install(world: &World, text: &str) {
    world.write("config/stockade/profiles/learnt.toml", text);
}

/// The files that hold what was learnt.
fn evidence(world: &World) -> Vec<PathBuf> {
    let servers = std::fs::read_dir(world.state().join("stockade/learn")).expect("something was learnt");
    let files =
        servers.flatten().flat_map(|dir| std::fs::read_dir(dir.path()).expect("a directory").flatten());
    files
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect()
}
