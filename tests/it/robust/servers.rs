//! Servers that are silent, that die, that write what they should not.

use serde_json::{Value, json};

use super::{call, converse, only_answer, run_words, text_of, wait_for};
use crate::support::{World, drive, fixture, fixture_command, node, raw_driver};

#[test]
fn a_server_that_never_answers_holds_nothing_up_and_is_answered_for_at_the_end() {
    let world = World::new();
    let steps = json!([
        {"handshake": true},
        call(1, "hang", json!({})),
        call(2, "echo", json!({"message": "others are served"})),
        wait_for(2),
        {"await": 1, "within": 1},
    ]);
    let outcome = converse(&world, &steps, &[], fixture_command("scripted.py", &[]));
    assert_eq!(outcome["late"], "1", "no answer is made up while the server lives");
    assert_eq!(text_of(only_answer(&outcome, "2")), "others are served");
    assert!(only_answer(&outcome, "1")["error"].is_object(), "{outcome}");
    assert_eq!(outcome["code"], 0, "it ended by itself when its stdin ended");
}

/// What is on record, as JSON lines.
fn records(world: &World) -> String {
    let shown = world.stockade(["log", "--json"]).output().expect("log runs");
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

/// The token that `dies.py` writes, without the part that names its kind.
const TOKEN_BODY: &str = "k7QmZ2xVb9LwTf3RpYc8HdJs5NgAe4";

#[test]
fn a_server_that_dies_at_once_is_answered_for_with_its_status_and_the_masked_end_of_its_stderr() {
    let world = World::new();
    let steps = json!([
        {"send": {"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}}},
        {"send": {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}},
        {"send": {"jsonrpc": "2.0", "id": "3", "method": "prompts/list"}},
        wait_for("3"),
    ]);
    let outcome = converse(&world, &steps, &[], fixture_command("dies.py", &["3"]));
    assert_eq!(outcome["code"], 3, "{outcome}");
    for id in ["\"hello\"", "2", "\"3\""] {
        let error = only_answer(&outcome, id)["error"].to_string();
        assert!(error.contains("exit status 3"), "{id}: {error}");
        assert!(error.contains("was refused"), "{id}: the end of stderr is told: {error}");
        assert!(!error.contains(TOKEN_BODY), "{id}: the token is masked: {error}");
    }
    let records = records(&world);
    assert!(!records.is_empty() && !records.contains(TOKEN_BODY), "the token is in no record: {records}");
    assert!(
        !outcome["stderr"].to_string().contains(TOKEN_BODY),
        "stderr is masked as well: {}",
        outcome["stderr"]
    );
}

fn emoji(tool: &str) -> Value {
    let world = World::new();
    let steps = json!([{"handshake": true}, call(1, tool, json!({})), wait_for(1)]);
    let command = vec![node().into_os_string(), fixture("emoji.mjs").into_os_string()];
    converse(&world, &steps, &[], command)
}

#[test]
fn an_emoji_cut_between_its_halves_is_mended() {
    assert_eq!(text_of(only_answer(&emoji("whole"), "1")), "a fox: 🦊");
    assert_eq!(text_of(only_answer(&emoji("half-pair"), "1")), "a fox: \u{fffd}");
}

#[test]
fn an_emoji_cut_between_its_bytes_is_mended() {
    let outcome = emoji("half-bytes");
    let text = text_of(only_answer(&outcome, "1"));
    assert!(text.starts_with("a fox: \u{fffd}") && text.chars().skip(7).all(|c| c == '\u{fffd}'), "{text}");
}

#[test]
fn what_a_server_prints_besides_the_protocol_does_not_reach_the_client() {
    let world = World::new();
    let chatter = [&b"Server listening on stdio"[..], b"", b"{}", b"[1, 2", b"\x1b[31mred\x1b[0m", b"null"];
    let lines: Vec<String> =
        chatter.iter().map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    let file = world.write("project/chatter.hex", &lines.join("\n"));
    let file = file.to_str().expect("a path in UTF-8");
    let mut steps = vec![json!({"handshake": true})];
    steps.extend((0..chatter.len()).map(|n| call(100 + n, "emit", json!({"line": n}))));
    steps.extend([call(1, "echo", json!({"message": "the protocol"})), wait_for(1)]);
    let command = fixture_command("scripted.py", &["--emit", file]);
    let bare = ["--".into()].into_iter().chain(command.clone()).collect();
    let bare = super::converse_with(&world, &Value::Array(steps.clone()), bare);
    assert_ne!(bare["foreign"], json!([]), "without Stockade the chatter arrives");
    let outcome = converse(&world, &Value::Array(steps), &["--grant-read", file], command);
    assert_eq!(outcome["foreign"], json!([]), "{outcome}");
    assert_eq!(text_of(only_answer(&outcome, "1")), "the protocol");
}

/// A session of `version` in which either side sends a batch: the client three messages, the server two answers.
fn batches(version: &str) -> (World, Value) {
    let world = World::new();
    world.user_policy(
        "version = 1\n[[rule]]\nid = \"r\"\neffect = \"deny\"\ntools = [\"forbidden\"]\nreason = \"r\"\n",
    );
    let answer = |id, text| json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}]}});
    let answers = json!([answer(4, "one"), answer(5, "two")]).to_string();
    let hex: String = answers.bytes().map(|byte| format!("{byte:02x}")).collect();
    let file = world.write("project/answers.hex", &hex);
    let file = file.to_str().expect("a path in UTF-8");
    let batch = [
        call(1, "echo", json!({"message": "first"})),
        call(2, "forbidden", json!({})),
        call(3, "echo", json!({"message": "third"})),
    ];
    let batch: Vec<&Value> = batch.iter().map(|step| &step["send"]).collect();
    let steps = json!([
        {"send": {"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
            "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}}},
        wait_for("hello"),
        {"send": batch},
        call(4, "hang", json!({})),
        call(5, "hang", json!({})),
        call(6, "emit", json!({"line": 0})),
        wait_for(6),
    ]);
    let command = fixture_command("scripted.py", &["--emit", file]);
    let outcome = converse(&world, &steps, &["--grant-read", file], command);
    (world, outcome)
}

#[test]
fn batches_are_judged_message_by_message_in_the_revision_that_has_them() {
    let (world, outcome) = batches("2025-03-26");
    for (id, text) in [("1", "first"), ("3", "third"), ("4", "one"), ("5", "two")] {
        assert_eq!(text_of(only_answer(&outcome, id)), text);
    }
    assert!(only_answer(&outcome, "2").to_string().contains("forbidden"), "{outcome}");
    let records = records(&world);
    let of_calls = records.lines().filter(|line| line.contains("tools/call"));
    assert_eq!(of_calls.count(), 6 + 5, "each message of a batch has its own: {records}");
}

#[test]
fn batches_go_nowhere_in_a_revision_that_has_none() {
    let (world, outcome) = batches("2025-06-18");
    for id in ["1", "2", "3"] {
        assert!(outcome["answers"][id].is_null(), "{outcome}");
    }
    for id in ["4", "5"] {
        let error = only_answer(&outcome, id)["error"].to_string();
        assert!(error.contains("ended"), "what the server said in a batch did not arrive: {error}");
    }
    let records = records(&world);
    assert_eq!(records.lines().filter(|line| line.contains("wire/batch")).count(), 2, "{records}");
}

#[test]
fn a_flood_on_stderr_holds_nothing_up() {
    let world = World::new();
    let steps = json!([
        {"handshake": true},
        call(1, "stderr", json!({"text": "complaint ".repeat(500_000)})),
        wait_for(1),
    ]);
    let script = world.write("script.json", &steps.to_string()).into_os_string();
    let words = [script].into_iter().chain(run_words(&[], fixture_command("scripted.py", &[])));
    let outcome = drive(&world, raw_driver("converse.py"), words, std::time::Duration::from_secs(60));
    assert_eq!(text_of(only_answer(&outcome, "1")), "written");
    assert!(outcome["stderr"].as_str().is_some_and(|text| text.len() < 5_000_000), "stderr is capped");
}
