//! Redacted results with an output schema, as SDK clients take them: they validate, or the call is blocked.

use std::ffi::OsString;

use serde_json::{Value, json};

use super::spine::{Client, jailed};
use crate::support::{World, driver, python, tests_dir};

const POLICY: &str = r#"
version = 1

[[dlp]]
id = "hide"
detect = ["secret/*", "pii/email", "pii/payment-card"]
direction = "to-client"
action = "redact"
reason = "values stay with their server"
"#;

#[test]
fn clients_accept_what_is_redacted_and_are_told_where_nothing_legal_could_stand() {
    let world = World::new();
    world.user_policy(POLICY);
    let cases_file = tests_dir().join("cases/outputs.json");
    let cases: Value = serde_json::from_slice(&std::fs::read(&cases_file).expect("the cases")).expect("JSON");
    let cases = cases.as_array().expect("a list");
    assert!(cases.len() >= 12);
    let calls: Vec<Value> = cases.iter().map(|case| json!({"tool": case["tool"], "arguments": {}})).collect();
    let script = driver("servers/outputs.py");
    let server: Vec<OsString> =
        [python().into_os_string(), "-B".into(), script.into_os_string(), cases_file.into_os_string()].into();
    let grant = tests_dir().display().to_string();
    for client in [Client::PythonHandshake, Client::TypeScriptV1] {
        let command = jailed(&["--grant-read", &grant], &server);
        let got = client.visit(&world, &json!({"calls": calls}), command);
        for (case, result) in cases.iter().zip(got["calls"].as_array().expect("a list")) {
            let context = format!("{client:?} {}: {result}", case["tool"]);
            assert!(result["error"].is_null(), "the client refused it: {context}");
            assert!(!result.to_string().contains("k3Jd92mXq7LwPz4R"), "{context}");
            let is_blocked = result["isError"] == true;
            assert_eq!(case["goes"], !is_blocked, "{context}");
            if is_blocked {
                let said = result["content"][0]["text"].as_str().expect("text");
                assert!(said.contains("cannot be redacted because"), "{context}");
            } else if case["tool"] != "nothing-found" {
                assert!(result["structuredContent"].to_string().contains("[REDACTED:"), "{context}");
                assert!(result["content"].to_string().contains("[REDACTED:"), "{context}");
            }
        }
    }
}
