//! Resources: which may be read, listed, completed and listened to, whatever their URIs look like.

use serde_json::json;
use stockade_policy::mediator::RecordKind;

use crate::session::{HIDDEN, MODERN_META, Outcome, Session, notification, request, result};

const POLICY: &str = r#"
version = 1

[[rule]]
id = "no-etc"
effect = "deny"
resources = ["file:///etc/*", "vault://team/secret"]
reason = "passwords live there"

[[rule]]
id = "no-user-templates"
effect = "deny"
templates = ["users://{id}/*"]
reason = "people are not looked up"

[[dlp]]
id = "no-instructions"
detect = ["injection/*"]
direction = "to-client"
action = "block"

[[dlp]]
id = "hide-customers"
detect = ["keyword/customers"]
action = "redact"

[keywords.customers]
words = ["Umbrella"]
"#;

const METHODS: [&str; 5] = [
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "resources/directory/read",
    "skills/get",
];

fn about(id: u32, method: &str, uri: &str) -> String {
    request(id, method, &json!({"uri": uri}).to_string())
}

fn read(session: &mut Session, uri: &str) -> Outcome {
    session.client(about(1, "resources/read", uri))
}

#[test]
fn a_denied_resource_is_denied_by_every_method_that_names_it() {
    for method in METHODS {
        let mut session = Session::with(POLICY);
        let outcome = session.client(about(1, method, "file:///etc/passwd"));
        assert_eq!(outcome.answer()["error"]["code"], 1403, "{method}");
        let record = outcome.record(RecordKind::Call);
        assert_eq!(
            (record.item.as_deref(), outcome.rule()),
            (Some("file:///etc/passwd"), "no-etc"),
            "{method}"
        );
        assert!(session.client(about(2, method, "file:///srv/a")).untouched, "{method}");
    }
}

#[test]
fn no_spelling_of_a_denied_uri_gets_through() {
    for uri in [
        "FILE:///etc/passwd",
        "file:/etc/passwd",
        "file://localhost/etc/passwd",
        "file:///%65tc/passwd",
        "file:///etc%2Fpasswd",
        "file:///./etc/passwd",
        "file:///%2e/etc/passwd",
        "file:///srv/../etc/passwd",
        "file:///srv/%2E%2e/etc/passwd",
        "file:///%2565tc/passwd",
        "file:////etc/passwd",
        "file:///\\etc\\passwd",
        "file:///etc\u{0}/passwd",
        " file:///etc/passwd",
        "/etc/passwd",
        "file://evil.example/etc/passwd",
        "VAULT://team/secret",
        "vault://TEAM/secret",
        "vault://team//secret",
        "vault://team/secret/",
        "vault://team/secret?v=2",
        "vault://team/secret#x",
        "vault://team/%73ecret",
    ] {
        let mut session = Session::with(POLICY);
        let outcome = read(&mut session, uri);
        assert!(outcome.forwarded.is_none(), "{uri:?} went through");
        assert_eq!(outcome.answer()["error"]["code"], 1403, "{uri:?}");
    }
    for uri in ["file:///srv/etc/passwd", "vault://team/secrets", "file:///etcetera"] {
        assert!(read(&mut Session::with(POLICY), uri).untouched, "{uri}");
    }
}

#[test]
fn an_odd_uri_passes_where_no_rule_tells_resources_apart() {
    for uri in ["README.md", "file:///a/../b", "C:\\notes.txt"] {
        assert!(read(&mut Session::new(), uri).untouched, "{uri}");
        assert_eq!(read(&mut Session::with(POLICY), uri).rule(), "resource/uri", "{uri}");
    }
}

#[test]
fn what_was_judged_is_not_redacted_afterwards() {
    let outcome = read(&mut Session::with(POLICY), "memo://for/Umbrella");
    assert_eq!(outcome.answer()["error"]["code"], 1403);
    assert!(!outcome.answer().to_string().contains("Umbrella"), "{:?}", outcome.answer());
}

#[test]
fn lists_of_resources_templates_children_and_skills_are_filtered() {
    let cases = [
        (
            "resources/list",
            r#"{"resources":[{"uri":"file:///etc/passwd","name":"a"},{"uri":"file:///srv/b","name":"b"},{"uri":"file:///srv/../etc/x"},{"name":"c"}],"nextCursor":"n"}"#,
            r#"{"resources":[{"uri":"file:///srv/b","name":"b"}],"nextCursor":"n"}"#,
        ),
        (
            "resources/templates/list",
            r#"{"resourceTemplates":[{"uriTemplate":"users://{id}/mail"},{"uriTemplate":"file:///etc/{name}"},{"uriTemplate":"x://{id}"}]}"#,
            r#"{"resourceTemplates":[{"uriTemplate":"x://{id}"}]}"#,
        ),
        (
            "skills/list",
            r#"{"skills":[{"uri":"vault://TEAM/secret"},{"uri":"skill://b/SKILL.md"}]}"#,
            r#"{"skills":[{"uri":"skill://b/SKILL.md"}]}"#,
        ),
    ];
    for (method, list, filtered) in cases {
        let mut session = Session::with(POLICY);
        session.asks(1, method);
        assert_eq!(session.server(result(1, list)).forwarded.unwrap(), result(1, filtered), "{method}");
    }
    let mut session = Session::with(POLICY);
    assert!(session.client(about(1, "resources/directory/read", "file:///")).untouched);
    let list = r#"{"resources":[{"uri":"file:///etc/"},{"uri":"file:///srv/"}]}"#;
    let outcome = session.server(result(1, list));
    assert_eq!(outcome.forwarded.unwrap(), result(1, r#"{"resources":[{"uri":"file:///srv/"}]}"#));
}

#[test]
fn a_filtered_list_of_the_stateless_era_is_kept_out_of_caches() {
    let mut session = Session::with(POLICY);
    session.client(request(1, "resources/list", &format!("{{{MODERN_META}}}")));
    let list = r#"{"resources":[{"uri":"file:///etc/passwd"}],"ttlMs":9,"cacheScope":"public"}"#;
    let filtered = r#"{"resources":[],"ttlMs":0,"cacheScope":"private"}"#;
    assert_eq!(session.server(result(1, list)).forwarded.unwrap(), result(1, filtered));
}

#[test]
fn two_resources_of_one_name_are_no_attack() {
    let mut session = Session::with(POLICY);
    session.asks(1, "resources/list");
    assert!(session.server(result(1, r#"{"resources":[{"uri":"aa://b"},{"uri":"aa://b"}]}"#)).untouched);
}

#[test]
fn a_list_whose_uris_clients_could_read_in_two_ways_is_withheld() {
    for body in [
        r#"{"Resources":[{"uri":"file:///etc/a"}]}"#,
        r#"{"resources":[{"uri":"a://b","URI":"file:///etc/a"}]}"#,
        r#"{"resources":{}}"#,
    ] {
        let mut session = Session::with(POLICY);
        session.asks(1, "resources/list");
        assert_eq!(session.server(result(1, body)).rule(), "list/form", "{body}");
    }
}

#[test]
fn a_resource_that_instructs_the_model_from_its_list_is_hidden_and_cannot_be_read() {
    let mut session = Session::with(POLICY);
    session.asks(1, "resources/list");
    let list =
        format!(r#"{{"resources":[{{"uri":"note://A/b","description":"{HIDDEN}"}},{{"uri":"note://c"}}]}}"#);
    let outcome = session.server(result(1, &list));
    assert_eq!(outcome.forwarded.unwrap(), result(1, r#"{"resources":[{"uri":"note://c"}]}"#));
    for uri in ["note://A/b", "note://A/%62"] {
        let outcome = session.client(about(2, "resources/read", uri));
        assert_eq!(outcome.answer()["error"]["code"], -32602, "{uri}");
        assert_eq!(outcome.answer()["error"]["message"], format!("Unknown resource: {uri}"));
    }
    assert!(session.client(about(3, "resources/read", "note://c")).untouched);
}

#[test]
fn a_completion_is_judged_like_the_template_or_the_resource_that_it_is_for() {
    let complete = |uri: &str| {
        let params =
            json!({"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": "a", "value": ""}});
        Session::with(POLICY).client(request(1, "completion/complete", &params.to_string()))
    };
    for uri in ["users://{id}/mail", "file:///etc/{name}", "file:///etc/passwd", "file:///%65tc/passwd"] {
        assert_eq!(complete(uri).answer()["result"]["completion"]["values"], json!([]), "{uri}");
    }
    assert!(complete("x://{id}").untouched);
}

fn listen(session: &mut Session, filter: &str) -> Outcome {
    session.client(request(
        1,
        "subscriptions/listen",
        &format!(r#"{{"notifications":{filter},{MODERN_META}}}"#),
    ))
}

#[test]
fn a_subscription_is_narrowed_to_what_may_be_read() {
    let mut session = Session::with(POLICY);
    let outcome = listen(
        &mut session,
        r#"{"toolsListChanged":true,"resourceSubscriptions":["file:///etc/a","note://b","file:///%65tc/c"]}"#,
    );
    let forwarded = outcome.forwarded.as_deref().unwrap();
    assert!(forwarded.contains(r#""resourceSubscriptions":["note://b"]}"#), "{forwarded}");
    assert_eq!(outcome.rule(), "no-etc");
    assert!(outcome.record(RecordKind::Call).rewritten);
    let whole = listen(&mut Session::with(POLICY), r#"{"resourceSubscriptions":["note://b"]}"#);
    assert!(whole.untouched);
}

#[test]
fn a_subscription_to_nothing_but_denied_resources_is_refused() {
    let outcome = listen(
        &mut Session::with(POLICY),
        r#"{"resourceSubscriptions":["file:///etc/a"],"toolsListChanged":false}"#,
    );
    assert_eq!(outcome.answer()["error"]["code"], 1403);
    assert_eq!(outcome.rule(), "no-etc");
}

#[test]
fn news_of_a_denied_resource_is_dropped() {
    let mut session = Session::with(POLICY);
    let updated = |uri| notification("notifications/resources/updated", &format!(r#"{{"uri":"{uri}"}}"#));
    assert!(session.server(updated("file:///etc/passwd")).is_dropped());
    assert!(session.server(updated("file:///srv/a")).untouched);
}
