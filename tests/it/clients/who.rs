//! Who started a server: claims that contradict each other are on record, and honest ones leave nothing.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Home, STOCKADE};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"@","version":"1"}}}"#;

/// A session of this id, started by a program of this name, whose client calls itself so. Its events.
fn session(starter: &str, id: &str, says: &str) -> Vec<Value> {
    let home = Home::empty();
    std::os::unix::fs::symlink("/bin/sh", home.path(starter)).unwrap();
    // A server that answers nothing is enough: the claim stands in the request.
    let script = format!("{STOCKADE} run --id {id} -- /bin/cat; true");
    let mut child = home
        .command(&home.path(starter), &["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", INITIALIZE.replace('@', says)).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let log = home.command(Path::new(STOCKADE), &["log", "--json"]).output().unwrap();
    let events = String::from_utf8(log.stdout).unwrap();
    events.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn contradictions(events: &[Value]) -> Vec<(String, String, String)> {
    let found = events.iter().filter(|event| event["kind"] == "client.contradiction");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = found.map(|event| {
        let claims = &event["what"]["claims"];
        assert_eq!(claims[0]["source"], "id");
        (text(&claims[0]["client"]), text(&claims[1]["source"]), text(&claims[1]["client"]))
    });
    told.collect()
}

fn told(id: &str, source: &str, other: &str) -> (String, String, String) {
    (id.to_owned(), source.to_owned(), other.to_owned())
}

#[test]
fn an_entry_that_its_own_client_starts_contradicts_nothing() {
    let events = session("cursor", "cursor/x", "cursor-vscode");
    assert_eq!(contradictions(&events), []);
    let start = events.iter().find(|event| event["kind"] == "session.start").unwrap();
    assert_eq!(start["who"]["client"]["id"], "cursor");
    assert_eq!(start["who"]["client"]["processes"][0], "cursor");
    assert!(start["who"]["client"]["program"].as_str().unwrap().ends_with("sh"), "{start:#}");
}

#[test]
fn another_client_s_entry_is_on_record_with_both_claims() {
    assert_eq!(
        contradictions(&session("claude", "cursor/x", "t")),
        [told("Cursor", "process", "Claude Code")]
    );
    let events = session("cursor", "cursor/x", "claude-code");
    assert_eq!(contradictions(&events), [told("Cursor", "clientInfo", "Claude Code")]);
    let says = events.iter().rev().find(|event| event["kind"] == "call").unwrap();
    assert_eq!(says["who"]["client"]["says"], json!("claude-code 1"));
}
