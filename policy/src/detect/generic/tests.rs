//! Texts through the whole engine: what is found, and what is left alone.

use super::super::{Confidence, Engine, HashKey, ScanEnd};
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
fn what_somebody_made_up_is_low_and_a_mere_walk_is_nothing() {
    let sure = |text: &str| {
        let engine = Engine::new(&[], HashKey([7; 32])).expect("the engine compiles");
        let mut findings = Vec::new();
        assert_eq!(engine.scan_text(text, &mut findings), ScanEnd::Complete);
        findings.iter().map(|f| f.confidence).collect::<Vec<_>>()
    };
    for text in [
        "ACME_TOKEN=abcdef1234567890fbcdbf1234066890",
        "acme SECRET abcdef1234567290fbcdbf1234066890",
        "acme-secret-q7Zt2LxW9vBn4KdR6yHc",
        "acmeKEY-q7Zt2LxW9vBn4KdR6yHc",
        "Authorization: 5eb4223e-5008-46e5-be67-c7b8f2732305",
        "password: hotel-1770",
        "DB_PASSWORD: pvgxt",
    ] {
        assert_eq!(sure(text), [Confidence::Low], "{text}");
    }
    for text in [
        "ACME_TOKEN=1234567890abcdef1234567890abcdef",
        "ACME_API_KEY=Aa1Bb2Cc3Dd4Ee5Ff6Gg7H/aA1bB2cC3dD4eE5fF6gG7h",
        "ACME_KEY=eyJhbGciOiJIUzI1NiJ9.short.token",
        "acme-cache-key-q7Zt2LxW9vBn4KdR6yHc",
        "acme-token-9f86d081884c7d659a2feaa0c55ad015",
        "acme-token-of-the-second-build-of-2024",
        "api_key: 4f1c0a9b7d3e5268",
        "call(deploy_key=4f3a-9c1d-2b7e-48ac-q7zt2lxw9vbn)",
        "acme_key = '52acf265-3fc6-4ecd-304a-15940bd04653'",
    ] {
        assert_eq!(sure(text), [], "{text}");
    }
}

#[test]
fn hashes_of_passwords_are_known_in_the_forms_of_other_systems() {
    for (text, value) in [
        (
            "ALTER USER a IDENTIFIED WITH 'mysql_native_password' AS '*92FD05ADCA2EC9D1E17C086DEB1618BC2490E409'",
            "*92FD05ADCA2EC9D1E17C086DEB1618BC2490E409",
        ),
        (
            "enable secret 9 $9$Vq3sXn8rT1kLw0$Tq0kXr9LvHzPbNc7yWm5dJf2sEgUa1BoRt4CiYxQl8w",
            "$9$Vq3sXn8rT1kLw0$Tq0kXr9LvHzPbNc7yWm5dJf2sEgUa1BoRt4CiYxQl8w",
        ),
    ] {
        assert_eq!(found(text).iter().map(|(_, found)| &**found).collect::<Vec<_>>(), [value], "{text}");
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
