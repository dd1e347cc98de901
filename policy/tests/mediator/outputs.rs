//! Redacted results of tools with an output schema.

use serde_json::{Value, json};
use stockade_policy::verdict::Content;

use crate::session::{Outcome, Session, call, request, result};

const CASES: &str = include_str!("../../../tests/cases/outputs.json");

const POLICY: &str = r#"
version = 1

[[dlp]]
id = "hide"
detect = ["secret/*", "pii/email", "pii/payment-card"]
direction = "to-client"
action = "redact"
"#;

fn cases() -> Vec<Value> {
    let token = ["ghp_", "k3Jd92mXq7LwPz4R", "t8VbNc5YfHs1GaQe6UoT"].concat();
    let text = CASES.replace("TOKEN", &token).replace("PASSWORD", &["AKIA", "X7Q2PL5M", "W3ZT4KJH"].concat());
    let text = text.replace("MAIL", &["anna.schmidt", "firma-beispiel.de"].join("@"));
    serde_json::from_str(&text).unwrap()
}

fn listed(session: &mut Session, id: u32, tools: &[(&str, Value)]) {
    session.asks(id, "tools/list");
    let tools: Vec<Value> = tools
        .iter()
        .map(
            |(name, schema)| json!({"name": name, "inputSchema": {"type": "object"}, "outputSchema": schema}),
        )
        .collect();
    session.server(result(id, &json!({"tools": tools}).to_string()));
}

fn given(session: &mut Session, id: u32, tool: &str, structured: &Value) -> Outcome {
    session.calls(id, tool);
    let content = json!([{"type": "text", "text": structured.to_string()}]);
    session.server(result(id, &json!({"content": content, "structuredContent": structured}).to_string()))
}

#[test]
fn a_result_goes_if_a_placeholder_is_one_of_the_values_that_its_schema_allows() {
    let mut session = Session::with(POLICY);
    let cases = cases();
    let tools: Vec<(&str, Value)> =
        cases.iter().map(|case| (case["tool"].as_str().unwrap(), case["schema"].clone())).collect();
    listed(&mut session, 1, &tools);
    for (number, case) in cases.iter().enumerate() {
        let id = u32::try_from(number).unwrap() + 2;
        let outcome = given(&mut session, id, case["tool"].as_str().unwrap(), &case["structured"]);
        assert_eq!(outcome.forwarded.is_some(), case["goes"], "{case}: {outcome:?}");
        let Some(line) = outcome.forwarded else {
            assert_eq!(outcome.records.last().unwrap().verdict.content, Content::Block);
            continue;
        };
        let line: Value = serde_json::from_str(&line).unwrap();
        let structured = &line["result"]["structuredContent"];
        assert!(jsonschema::is_valid(&case["schema"], structured), "{structured}");
    }
}

#[test]
fn a_schema_that_would_cost_any_time_is_not_tried() {
    let mut session = Session::with(POLICY);
    let defs: serde_json::Map<String, Value> = (0..40)
        .map(|n| {
            let next = format!("#/$defs/d{}", n + 1);
            (format!("d{n}"), json!({"allOf": [{"$ref": next}, {"$ref": next}]}))
        })
        .chain([("d40".to_owned(), json!({"type": "object"}))])
        .collect();
    let doubling = json!({"$defs": defs, "$ref": "#/$defs/d0"});
    let backtracking =
        json!({"properties": {"v": {"pattern": "^((a+)+)+$"}, "w": {"pattern": "^(\\w+\\s?)*$"}}});
    let long = json!({"description": "x".repeat(70_000)});
    let unreadable = json!({"properties": {"v": {"pattern": "(?<=a)b"}}});
    listed(
        &mut session,
        1,
        &[("doubling", doubling), ("backtracking", backtracking), ("long", long), ("unreadable", unreadable)],
    );
    let token = ["ghp_", "k3Jd92mXq7LwPz4R", "t8VbNc5YfHs1GaQe6UoT"].concat();
    for (id, tool, why) in
        [(2, "doubling", "too large"), (3, "long", "too large"), (4, "unreadable", "cannot be read")]
    {
        let outcome = given(&mut session, id, tool, &json!({"v": token}));
        let said = outcome.answer()["result"]["content"][0]["text"].as_str().unwrap().to_owned();
        assert!(said.contains(why), "{tool}: {said}");
    }
    let hostile = json!({"v": token, "w": "a ".repeat(20_000) + "!"});
    assert!(given(&mut session, 5, "backtracking", &hostile).forwarded.is_none());
}

#[test]
fn a_new_list_counts_and_a_tool_without_a_schema_is_free() {
    let mut session = Session::with(POLICY);
    let token = ["ghp_", "k3Jd92mXq7LwPz4R", "t8VbNc5YfHs1GaQe6UoT"].concat();
    let token = json!({"v": token});
    listed(&mut session, 1, &[("get", json!({"properties": {"v": {"maxLength": 5}}}))]);
    assert!(given(&mut session, 2, "get", &token).forwarded.is_none());
    session.asks(3, "tools/list");
    session.server(result(3, r#"{"tools":[{"name":"get","inputSchema":{"type":"object"}}]}"#));
    assert!(given(&mut session, 4, "get", &token).forwarded.is_some());
    assert!(session.client(call(5, "get")).untouched);
    let failed = json!({"content": [], "structuredContent": token, "isError": true}).to_string();
    assert!(session.server(result(5, &failed)).forwarded.is_some(), "clients do not check a failure");
    assert!(session.client(request(6, "ping", "{}")).untouched);
}
