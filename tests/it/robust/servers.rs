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
    let records = world.stockade(["log", "--json"]).output().expect("log runs");
    let records = String::from_utf8_lossy(&records.stdout).into_owned();
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
