//! Whatever ends a session: exactly one answer per id, in both directions, as counted by a driver that is not ours.

use std::time::Duration;

use serde_json::Value;

use super::run_words;
use crate::support::{World, drive, fixture_command, raw_driver};

/// Leaves 100 requests pending in each direction and lets `event` happen.
fn after(event: &str, backend: &str) -> Value {
    let world = World::new();
    let log_dir = world.root().join("log");
    std::fs::create_dir(&log_dir).expect("a directory for the log");
    let log = log_dir.join("received.hex").display().to_string();
    let grant = log_dir.display().to_string();
    let flags = ["--backend", backend, "--grant-write", grant.as_str()];
    let words = run_words(&flags, fixture_command("scripted.py", &["--log", &log]));
    let words = [event.into(), log.clone().into()].into_iter().chain(words);
    let outcome = drive(&world, raw_driver("pending.py"), words, Duration::from_secs(180));
    assert_eq!(outcome["early"], serde_json::json!([]), "nothing is answered before it happens");
    assert_eq!(outcome["foreign"], serde_json::json!([]), "stdout holds the protocol alone");
    outcome
}

fn each_id_was_answered_once(outcome: &Value, direction: &str) {
    let counts = outcome[direction].as_object().expect("counts by id");
    assert_eq!(counts.len(), 100, "{direction}");
    let wrong: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
    assert!(wrong.is_empty(), "{direction}: not answered once: {wrong:?}; {}", outcome["stderr"]);
}

#[test]
fn sigterm_answers_everything_once() {
    let outcome = after("sigterm", "auto");
    each_id_was_answered_once(&outcome, "to_client");
    each_id_was_answered_once(&outcome, "to_server");
}

#[test]
fn the_clients_eof_answers_everything_once() {
    let outcome = after("client-eof", "auto");
    each_id_was_answered_once(&outcome, "to_client");
    each_id_was_answered_once(&outcome, "to_server");
}

#[test]
fn a_server_that_closes_its_stdin_still_owes_its_answers_and_they_are_given() {
    let outcome = after("server-closes-stdin", "auto");
    each_id_was_answered_once(&outcome, "to_client");
}

#[test]
fn a_client_that_closes_its_stdout_still_has_the_servers_questions_answered() {
    let outcome = after("client-closes-stdout", "auto");
    each_id_was_answered_once(&outcome, "to_server");
}

#[test]
fn the_servers_kill_answers_everything_once() {
    let outcome = after("server-killed", "auto");
    each_id_was_answered_once(&outcome, "to_client");
    assert_eq!(outcome["code"], 128 + 9);
    let sample = outcome["sample"].to_string();
    assert!(
        sample.contains("signal 9") || sample.contains("SIGKILL"),
        "the answer says how it ended: {sample}"
    );
}

#[test]
fn the_servers_kill_answers_everything_once_without_namespaces() {
    let outcome = after("server-killed", "static");
    each_id_was_answered_once(&outcome, "to_client");
    assert_eq!(outcome["code"], 128 + 9);
}

#[test]
fn the_keepers_kill_answers_everything_once() {
    let outcome = after("keeper-killed", "auto");
    each_id_was_answered_once(&outcome, "to_client");
    assert_eq!(outcome["code"], 125, "{}", outcome["stderr"]);
}
