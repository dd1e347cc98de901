//! `stockade inspect`: what a server offers, who it is and what holds it, from a session like any client's.

use std::ffi::OsString;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Finished, World, finish, pypi_script, stockade_bin};

const DEADLINE: Duration = Duration::from_secs(60);

/// The rogue server of the demo: all its tools but one do harm, and one hides an instruction in its description.
fn rogue(world: &World) -> Vec<OsString> {
    let mut words = vec![stockade_bin().into_os_string(), "demo-server".into(), "--home".into()];
    words.push(world.root().join("nowhere").into_os_string());
    words.extend(["--port", "9", "--mark", "inspected"].map(OsString::from));
    words
}

fn inspect(world: &World, flags: &[&str], command: Vec<OsString>) -> Finished {
    let words = ["inspect"].iter().chain(flags).chain(&["--"]).map(OsString::from).chain(command);
    finish(world.stockade(words).spawn().expect("inspect starts"), DEADLINE)
}

fn json(finished: &Finished) -> Value {
    serde_json::from_slice(&finished.stdout)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {finished:#?}"))
}

fn names(items: &Value, key: &str) -> Vec<String> {
    let items = items.as_array().expect("a list");
    items.iter().map(|item| item[key].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn all_pages_of_all_lists_are_shown_and_what_was_hidden_is_told() {
    let world = World::new();
    let finished = inspect(&world, &["--json"], rogue(&world));
    assert_eq!(finished.code(), 0, "{finished:#?}");
    let report = json(&finished);
    let tools = ["read_key", "read_environment", "call_home", "leave_daemon", "report", "smuggle"];
    assert_eq!(names(&report["tools"], "name"), tools, "{report:#}");
    assert_eq!(names(&report["prompts"], "name"), ["forecast"], "{report:#}");
    assert_eq!(names(&report["resources"], "uri"), ["weather://stations"], "{report:#}");
    assert_eq!(
        names(&report["resource_templates"], "uriTemplate"),
        ["weather://{place}/today"],
        "{report:#}"
    );
    let hidden: Vec<&Value> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|finding| finding["kind"] == "definition" && finding["item"] == "weather")
        .collect();
    assert_eq!(hidden.len(), 1, "{report:#}");
    assert_eq!(hidden[0]["verdict"], "block", "{report:#}");
    assert!(hidden[0]["detectors"][0].as_str().expect("a detector").starts_with("injection/"), "{report:#}");
}

#[test]
fn identity_profile_policy_and_enforcement_are_reported() {
    let world = World::new();
    let report = json(&inspect(&world, &["--json"], rogue(&world)));
    let identities: Vec<&str> =
        report["identities"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(identities.iter().any(|identity| identity.starts_with("file:")), "{report:#}");
    assert_eq!(report["profile"]["name"], "default", "{report:#}");
    assert_eq!(report["policy"]["layers"][0], "built-in default", "{report:#}");
    assert_eq!(report["policy"]["hash"].as_str().expect("a hash").len(), 64, "{report:#}");
    let guarantees = report["enforcement"]["guarantees"].as_array().expect("a list");
    let known = names(&report["enforcement"]["guarantees"], "guarantee");
    for guarantee in ["fs", "net", "unix", "process", "exec", "syscalls", "limits", "env"] {
        assert!(known.contains(&guarantee.to_owned()), "no {guarantee}: {report:#}");
    }
    for line in guarantees {
        let explained = line["degree"] == "full" || (line["why"].is_string() && line["remedy"].is_string());
        assert!(explained, "{line:#}");
    }
    assert_eq!(report["protocol"]["version"], "2025-11-25", "{report:#}");
    assert!(
        report["protocol"]["discover"]["error"].as_str().expect("an error").contains("-32601"),
        "{report:#}"
    );
    assert_eq!(report["server"]["name"], "friendly-weather", "{report:#}");
}

#[test]
fn the_text_fits_the_screen_and_obeys_nothing_that_the_server_says() {
    let world = World::new();
    for columns in ["60", "120"] {
        let words = ["inspect".into(), "--".into()].into_iter().chain(rogue(&world));
        let mut command = world.stockade::<_, OsString>(words);
        let finished = finish(command.env("COLUMNS", columns).spawn().expect("inspect starts"), DEADLINE);
        assert_eq!(finished.code(), 0, "{finished:#?}");
        let text = finished.stdout_text();
        for part in ["Enforcement", "Tools (6)", "Findings", "weather", "hidden from the client"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for line in text.lines() {
            assert!(line.chars().count() <= columns.parse().expect("a number"), "{line}");
            assert!(
                !line.chars().any(|c| c.is_control() || ('\u{E0000}'..='\u{E007F}').contains(&c)),
                "{line:?}"
            );
        }
    }
}

#[test]
fn a_policy_that_denies_a_tool_hides_it_from_the_list() {
    let world = World::new();
    world.user_policy(
        "version = 1\n[[rule]]\nid = \"no-calls\"\neffect = \"deny\"\ntools = [\"call_*\"]\nreason = \"Nobody calls home\"\n",
    );
    let report = json(&inspect(&world, &["--json"], rogue(&world)));
    assert!(!names(&report["tools"], "name").contains(&"call_home".to_owned()), "{report:#}");
    assert!(names(&report["tools"], "name").contains(&"report".to_owned()), "{report:#}");
}

#[test]
fn a_server_that_dies_leaves_its_last_words_without_its_secrets() {
    let world = World::new();
    // Put together here, so that no scanner of this repository stumbles over it.
    let secret = format!("{}{}", "ghp_", "R7kQ2mXv9TzB4nLc8WyD3fHs6JpA1e0GuMqK");
    let script = format!("echo cannot log in with {secret} >&2; exit 3");
    let command = ["/bin/sh", "-c", &script].map(OsString::from).to_vec();
    let finished = inspect(&world, &[], command);
    assert_eq!(finished.code(), 1, "{finished:#?}");
    assert!(
        finished.stderr.contains("exit status 3") && finished.stderr.contains("cannot log in"),
        "{finished:#?}"
    );
    assert!(!finished.stderr.contains(&secret) && !finished.stdout_text().contains(&secret), "{finished:#?}");
}

#[test]
fn a_server_that_speaks_both_eras_is_asked_in_the_newer_one() {
    let world = World::new();
    let report = json(&inspect(&world, &["--json"], vec![pypi_script("mcp-server-time").into_os_string()]));
    assert_eq!(report["protocol"]["version"], "2026-07-28", "{report:#}");
    assert!(report["protocol"]["era"].as_str().expect("an era").starts_with("stateless"), "{report:#}");
    assert!(names(&report["tools"], "name").contains(&"get_current_time".to_owned()), "{report:#}");
}

#[test]
fn a_program_that_is_not_there_is_127_and_nothing_is_started() {
    let world = World::new();
    let finished = inspect(&world, &[], vec!["/no/such/server".into()]);
    assert_eq!(finished.code(), 127, "{finished:#?}");
    assert!(finished.stderr.contains("/no/such/server"), "{finished:#?}");
}
