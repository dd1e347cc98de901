//! Texts through the whole engine: what is found, and what is left alone.

use super::super::{Engine, HashKey, ScanEnd};
use crate::wire::{Direction, Limits, Parser};

fn found(text: &str) -> Vec<(String, String)> {
    let engine = Engine::new(&[], HashKey([7; 32])).expect("the engine compiles");
    let mut findings = Vec::new();
    assert_eq!(engine.scan_text(text, &mut findings), ScanEnd::Complete);
    findings.iter().map(|f| (f.detector.to_string(), text[f.raw.clone()].to_owned())).collect()
}

#[test]
fn only_the_value_is_the_finding() {
    for (text, detector, value) in [
        ("password = \"kv7Rw2pQ\"", "secret/password", "kv7Rw2pQ"),
        ("let password: &str = \"kv7Rw2pQ\";", "secret/password", "kv7Rw2pQ"),
        ("pw = os.getenv('DB_PASS', 'kv7Rw2pQ')", "secret/password", "kv7Rw2pQ"),
        (r#"{\"pass\":\"kv7Rw2pQ\"}"#, "secret/password", "kv7Rw2pQ"),
        ("Authorization: Bearer Jk4vTn8QwLz2XcRb7Ypd.", "secret/authorization", "Jk4vTn8QwLz2XcRb7Ypd"),
        (
            "headers: {authorization: 'ApiKey Jk4vTn8QwLz2XcRb7Ypd'}",
            "secret/authorization",
            "Jk4vTn8QwLz2XcRb7Ypd",
        ),
        ("| api key | Jk4vTn8QwLz2XcRb7Ypd |", "secret/generic-api-key", "Jk4vTn8QwLz2XcRb7Ypd"),
        ("postgres://app:kv7@Rw2pQ@db.acme.io/x", "secret/url-credentials", "kv7@Rw2pQ"),
        ("https://9c2e41b7:03fd5a86@gems.acme.io", "secret/url-credentials", "9c2e41b7:03fd5a86"),
        (
            "<secret>{acme AQAAB q7Zt2LxW9vBn4KdR6yHc}</secret>",
            "secret/generic-secret",
            "q7Zt2LxW9vBn4KdR6yHc",
        ),
        ("curl -X PUT \\\n  -u bob:kv7Rw2pQ", "secret/login-option", "kv7Rw2pQ"),
        ("curl --user bob:'kv7Rw2pQ' https://acme.io", "secret/login-option", "kv7Rw2pQ"),
    ] {
        assert_eq!(found(text), [(detector.to_owned(), value.to_owned())], "{text}");
    }
}

#[test]
fn the_path_in_a_message_names_its_values() {
    for arguments in [
        r#"{"password":"kv7Rw2pQ"}"#,
        r#"{"password":{"value":"kv7Rw2pQ"}}"#,
        r#"{"env":[{"name":"DB_PASSWORD","value":"kv7Rw2pQ"}]}"#,
        r#"{"passwords":["","kv7Rw2pQ"]}"#,
        r#"{"auth":{"user":"bob","pass":"kv7Rw2pQ"}}"#,
    ] {
        assert_eq!(in_message(arguments), ["kv7Rw2pQ"], "{arguments}");
    }
    for arguments in [
        r#"{"password":{"hint":"kv7Rw2pQ"}}"#,
        r#"{"password":{"type":"string"},"value":"kv7Rw2pQ"}"#,
        r#"[{"name":"DB_PASSWORD"},{"value":"kv7Rw2pQ"}]"#,
        r#"{"passwordHash":"kv7Rw2pQ"}"#,
        r#"{"id":"kv7Rw2pQ"}"#,
    ] {
        assert_eq!(in_message(arguments), [""; 0], "{arguments}");
    }
}

fn in_message(params: &str) -> Vec<String> {
    let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"a":{params}}}}}"#);
    let mut parser = Parser::default();
    let limits = Limits::of(Direction::ToServer);
    let frame = parser.parse(line.as_bytes(), Direction::ToServer, &limits).expect("the line is well formed");
    let engine = Engine::new(&[], HashKey([7; 32])).expect("the engine compiles");
    let mut findings = Vec::new();
    assert_eq!(engine.scan(&frame, &mut findings), ScanEnd::Complete);
    findings.iter().map(|f| line[f.raw.clone()].to_owned()).collect()
}
