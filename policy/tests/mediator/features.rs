//! What a server asks of its client: clamped where the client declares it, and refused where the server asks for it.

use serde_json::{Value, json};
use stockade_policy::mediator::{Peer, RecordKind};

use crate::session::{MODERN_META, Session, modern_call, notification, request, result};

fn rule(features: &str) -> String {
    format!(
        "version = 1\n[[rule]]\nid = \"no\"\neffect = \"deny\"\nfeatures = [{features}]\nreason = \"not here\"\n"
    )
}

fn denying(features: &str) -> Session {
    Session::with(&rule(features))
}

/// The capabilities that the server hears of when the client declares `declared`, in both places.
fn heard(features: &str, declared: &str) -> [Value; 2] {
    let parse = |line: Option<String>| -> Value { serde_json::from_str(&line.expect("forwarded")).unwrap() };
    let initialize =
        request(1, "initialize", &format!(r#"{{"protocolVersion":"2025-11-25","capabilities":{declared}}}"#));
    let handshake = parse(denying(features).client(initialize).forwarded);
    let meta = MODERN_META.replace(r#"Capabilities":{}"#, &format!(r#"Capabilities":{declared}"#));
    let call = request(1, "tools/call", &format!(r#"{{"name":"a","arguments":{{}},{meta}}}"#));
    let stateless = parse(denying(features).client(call).forwarded);
    [
        handshake["params"]["capabilities"].clone(),
        stateless["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"].clone(),
    ]
}

#[test]
fn denied_features_are_taken_out_of_what_the_client_declares() {
    let all = r#"{"sampling":{"tools":{}},"roots":{"listChanged":true},"elicitation":{"form":{},"url":{}},"experimental":{"x":{}},"tasks":{"list":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}}}"#;
    let tasks = |requests: Value| json!({"list": {}, "requests": requests});
    let (form, page) = (json!({"form": {}}), json!({"url": {}}));
    let cases = [
        (
            r#""sampling""#,
            json!({"roots": {"listChanged": true}, "elicitation": {"form": {}, "url": {}},
            "experimental": {"x": {}}, "tasks": tasks(json!({"elicitation": {"create": {}}}))}),
        ),
        (
            r#""sampling", "roots", "elicitation""#,
            json!({"experimental": {"x": {}}, "tasks": tasks(json!({}))}),
        ),
        (
            r#""elicitation-url""#,
            json!({"sampling": {"tools": {}}, "roots": {"listChanged": true}, "elicitation": form,
            "experimental": {"x": {}},
            "tasks": tasks(json!({"sampling": {"createMessage": {}}, "elicitation": {"create": {}}}))}),
        ),
        (
            r#""elicitation-form", "sampling", "roots""#,
            json!({"elicitation": page,
            "experimental": {"x": {}}, "tasks": tasks(json!({"elicitation": {"create": {}}}))}),
        ),
    ];
    for (features, left) in cases {
        assert_eq!(heard(features, all), [left.clone(), left], "{features}");
    }
}

#[test]
fn elicitation_without_members_means_forms() {
    assert_eq!(heard(r#""elicitation-form""#, r#"{"elicitation":{}}"#), [json!({}), json!({})]);
    assert_eq!(
        heard(r#""elicitation-url""#, r#"{"elicitation":{}}"#),
        [json!({"elicitation": {}}), json!({"elicitation": {}})]
    );
    assert_eq!(heard(r#""elicitation-url""#, r#"{"elicitation":{"url":{}}}"#), [json!({}), json!({})]);
}

#[test]
fn a_capability_in_other_letters_is_taken_out_as_well() {
    assert_eq!(heard(r#""sampling""#, r#"{"Sampling":{},"x":1}"#), [json!({"x": 1}), json!({"x": 1})]);
}

#[test]
fn what_is_not_denied_is_declared_byte_for_byte() {
    let line = request(1, "initialize", r#"{"capabilities":{"sampling":{},"roots":{}}}"#);
    assert!(Session::new().client(line).untouched);
    let outcome =
        denying(r#""sampling""#).client(request(1, "initialize", r#"{"capabilities":{"sampling":{}}}"#));
    let record = outcome.record(RecordKind::Call);
    assert_eq!((outcome.rule(), record.rewritten), ("no", true), "what was taken out is on record");
}

#[test]
fn a_rule_that_asks_leaves_the_capability() {
    let policy = rule(r#""sampling""#).replace("deny", "ask");
    let line = request(1, "initialize", r#"{"capabilities":{"sampling":{}}}"#);
    assert!(Session::with(&policy).client(line).untouched);
}

#[test]
fn a_server_that_asks_all_the_same_gets_the_answer_of_a_user_who_says_no() {
    let mut session = denying(r#""sampling", "roots", "elicitation""#);
    let outcome = session.server(request(1, "sampling/createMessage", r#"{"messages":[]}"#));
    assert_eq!(outcome.answer_to_server()["error"]["code"], -1);
    let outcome = session.server(request(2, "elicitation/create", r#"{"message":"?","requestedSchema":{}}"#));
    assert_eq!(outcome.answer_to_server()["result"], json!({"action": "decline"}));
    let outcome = session.server(request(3, "roots/list", "{}"));
    assert_eq!(outcome.answer_to_server()["result"], json!({"roots": []}));
    assert_eq!(session.mediator.pending(Peer::Server), 0);
    assert!(session.client(result(3, r#"{"roots":[{"uri":"file:///"}]}"#)).is_dropped(), "nobody asked");
}

#[test]
fn a_page_is_judged_by_its_origin() {
    let policy = r#"
version = 1
[[rule]]
id = "pages"
effect = "deny"
features = ["elicitation-url"]
origins = ["https://evil.example", "https://*.evil.example"]
reason = "not there"
"#;
    let asked = |params: &str| Session::with(policy).server(request(1, "elicitation/create", params));
    let page = |url: &str| json!({"mode": "url", "message": "?", "url": url}).to_string();
    for url in ["https://evil.example/x", "HTTPS://Evil.Example:443/", "https://login.evil.example/"] {
        assert_eq!(asked(&page(url)).answer_to_server()["result"]["action"], "decline", "{url}");
    }
    // Where no origin can be read, a rule that narrows by origin refuses.
    for url in ["https://good.example\\@evil.example/", "https://good.example@evil.example/", "javascript:x"]
    {
        assert_eq!(asked(&page(url)).answer_to_server()["result"]["action"], "decline", "{url}");
    }
    assert!(asked(&page("https://good.example/evil.example")).untouched);
    assert!(asked(r#"{"message":"?","requestedSchema":{}}"#).untouched);
    // A client that goes by the member and not by the mode would open the page.
    let hidden = r#"{"mode":"form","message":"?","url":"https://evil.example/"}"#;
    assert_eq!(asked(hidden).answer_to_server()["result"]["action"], "decline");
    for odd in [
        r#"{"mode":"URL","url":"https://evil.example/"}"#,
        r#"{"message":"?","Url":"https://evil.example/"}"#,
        r#"{"Mode":"url","message":"?"}"#,
        r#"{"mode":"url","url":7}"#,
        r#"{"mode":"url"}"#,
        r#"{"mode":null}"#,
    ] {
        assert_eq!(asked(odd).answer_to_server()["error"]["code"], -32602, "{odd}");
    }
}

/// A session whose jail grants `/srv/work` alone.
fn bounded() -> Session {
    Session::with_roots("version = 1", &["/srv/work"])
}

#[test]
fn roots_outside_of_the_grants_are_not_told_to_the_server() {
    let mut session = bounded();
    assert!(session.server(request(1, "roots/list", "{}")).untouched);
    let roots = r#"{"roots":[{"uri":"file:///"},{"uri":"file:///srv/work/a","name":"a"},{"uri":"file:///srv/work/../../etc"}]}"#;
    let outcome = session.client(result(1, roots));
    assert_eq!(
        outcome.forwarded.as_deref(),
        Some(&*result(1, r#"{"roots":[{"uri":"file:///srv/work/a","name":"a"}]}"#))
    );
    assert_eq!(outcome.rule(), "roots/outside-grants");
    assert!(outcome.record(RecordKind::Answer).rewritten);
    // Positive control: without a jail all of them are told, and those within go byte for byte.
    let mut free = Session::with("version = 1");
    assert!(free.server(request(1, "roots/list", "{}")).untouched && free.client(result(1, roots)).untouched);
    assert!(session.server(request(2, "roots/list", "{}")).untouched);
    assert!(session.client(result(2, r#"{"roots":[{"uri":"file:///srv/work"}]}"#)).untouched);
}

#[test]
fn roots_that_servers_could_read_in_two_ways_are_not_told() {
    for (roots, told) in [
        (r#"{"roots":[{"uri":"file:///srv/work","URI":"file:///"}]}"#, r#"{"roots":[]}"#),
        (r#"{"Roots":[{"uri":"file:///"}],"roots":[]}"#, r#"{"roots":[]}"#),
        (r#"{"roots":{"uri":"file:///"}}"#, r#"{"roots":[]}"#),
        (r#"{"roots":["file:///srv/work"]}"#, r#"{"roots":[]}"#),
        (r#"{"roots":[{"uri":7},{}]}"#, r#"{"roots":[]}"#),
    ] {
        let mut session = bounded();
        session.server(request(1, "roots/list", "{}"));
        assert_eq!(session.client(result(1, roots)).forwarded.unwrap(), result(1, told), "{roots}");
    }
}

#[test]
fn news_of_roots_stays_with_the_client_where_roots_are_denied() {
    let line = notification("notifications/roots/list_changed", "{}");
    assert!(denying(r#""roots""#).client(&line).is_dropped());
    assert!(denying(r#""sampling""#).client(&line).untouched);
}

#[test]
fn a_server_sends_no_requests_to_a_client_of_the_stateless_era() {
    let mut session = Session::new();
    assert!(session.client(modern_call(1, "read")).untouched);
    let outcome = session.server(request(1, "roots/list", "{}"));
    assert_eq!(outcome.answer_to_server()["error"]["code"], -32600);
    assert_eq!(outcome.rule(), "era/server-request");
    assert!(session.client(result(1, r#"{"roots":[]}"#)).is_dropped());
    // A client that speaks both eras did shake hands.
    session.asks(2, "initialize");
    assert!(session.server(request(3, "roots/list", "{}")).untouched);
}
