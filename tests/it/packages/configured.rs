//! Real servers from the registries that this machine is configured for, by the exact versions of `tests/servers`.

use serde_json::{Value, json};

use super::PATIENCE;
use crate::support::{World, drive, raw_driver, stockade_bin, tests_dir};

/// The tools that a server offers through `run`.
fn tools(world: &World, words: &[&str]) -> usize {
    let steps = json!([{ "handshake": true }, { "send": { "jsonrpc": "2.0", "id": 7, "method": "tools/list" } },
                       { "await": 7, "within": 120 }]);
    let script = world.write("script.json", &steps.to_string());
    let mut driver = raw_driver("converse.py");
    driver.arg(script).arg("--").arg(stockade_bin()).args(["run", "--"]).args(words);
    let outcome = drive(world, driver, Vec::<String>::new(), PATIENCE);
    let answer = &outcome["answers"]["7"][0]["result"]["tools"];
    answer.as_array().unwrap_or_else(|| panic!("{outcome:#}")).len()
}

fn fetch(world: &World, words: &[&str]) {
    let mut command = world.stockade([&["fetch", "--"], words].concat());
    // What this machine needs to reach its registries.
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("npm_config_")
            || lower.starts_with("pip_")
            || lower.ends_with("_proxy")
            || name.contains("CERT")
        {
            command.env(name, value);
        }
    }
    if let Some(home) = std::env::var_os("HOME") {
        let _ = std::fs::copy(std::path::Path::new(&home).join(".npmrc"), world.home().join(".npmrc"));
    }
    let finished = crate::support::finish(command.spawn().expect("stockade starts"), PATIENCE);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
}

#[test]
fn a_server_of_the_npm_registry_runs_from_its_pinned_tree() {
    let lock = std::fs::read_to_string(tests_dir().join("servers/package-lock.json")).expect("the lock");
    let lock: Value = serde_json::from_str(&lock).expect("JSON");
    let name = "@modelcontextprotocol/server-everything";
    let version = lock["packages"][""]["dependencies"][name].as_str().expect("a version");
    let spec = format!("{name}@{version}");
    let world = World::new();
    fetch(&world, &["npx", "-y", &spec]);
    assert!(tools(&world, &["npx", "-y", &spec]) > 3);
}

#[test]
fn a_server_of_the_python_index_runs_from_its_pinned_tree() {
    let text = std::fs::read_to_string(tests_dir().join("servers/requirements.txt")).expect("the list");
    let version = text.lines().find_map(|line| line.strip_prefix("mcp-server-time==")).expect("a version");
    let spec = format!("mcp-server-time=={}", version.split_whitespace().next().expect("a word"));
    let world = World::new();
    fetch(&world, &["uvx", "--from", &spec, "mcp-server-time"]);
    assert!(tools(&world, &["uvx", "--from", &spec, "mcp-server-time"]) > 1);
}
