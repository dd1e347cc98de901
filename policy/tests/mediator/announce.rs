//! A policy that changes what the client may see: the client is told to ask again.

use serde_json::{Value, json};

use crate::session::{MODERN_META, POLICY, Session, request, result};

/// A session of the handshake era whose client was shown `read` and not `merge_a`, and every prompt.
fn listed() -> Session {
    let mut session = Session::new();
    session.asks(1, "initialize");
    session.asks(2, "tools/list");
    session.server(result(2, r#"{"tools":[{"name":"read"},{"name":"merge_a"}]}"#));
    session.asks(3, "prompts/list");
    session.server(result(3, r#"{"prompts":[{"name":"hello"}]}"#));
    session
}

fn methods(told: &[Value]) -> Vec<&str> {
    told.iter().map(|line| line["method"].as_str().unwrap()).collect()
}

#[test]
fn lists_that_look_different_are_announced_and_no_others() {
    let cases = [
        (POLICY.replace("merge_*", "read"), vec!["notifications/tools/list_changed"]),
        (POLICY.replace("merge_*", "x"), vec!["notifications/tools/list_changed"]),
        (POLICY.replace("merge-*", "hel*"), vec!["notifications/prompts/list_changed"]),
        (POLICY.replace("reason = \"merges go", "reason = \"they go"), vec![]),
        (POLICY.replace("deploy", "read"), vec![]),
    ];
    for (policy, announced) in cases {
        let mut session = listed();
        let outcome = session.policy_changes(&policy);
        assert_eq!(methods(&outcome.to_client), announced, "{policy}");
        assert_eq!(outcome.records.len(), announced.len());
        assert!(session.policy_changes(&policy).to_client.is_empty(), "once");
    }
}

#[test]
fn who_was_shown_nothing_is_told_nothing() {
    let mut session = Session::new();
    session.asks(1, "initialize");
    assert!(session.policy_changes("version = 1").to_client.is_empty());
    let mut session = listed();
    session.client_ends("SIGTERM");
    assert!(session.policy_changes("version = 1").to_client.is_empty(), "nobody reads any more");
}

#[test]
fn a_definition_that_was_hidden_for_what_it_says_may_be_another_now() {
    let mut session = Session::new();
    session.asks(1, "initialize");
    session.asks(2, "tools/list");
    session.server(result(2, r#"{"tools":[{"name":"a"},{"name":"a"}]}"#));
    assert_eq!(
        methods(&session.policy_changes("version = 1").to_client),
        ["notifications/tools/list_changed"]
    );
}

#[test]
fn in_the_stateless_era_those_who_listen_are_told_under_their_own_id() {
    let mut session = Session::new();
    session.client(request(1, "tools/list", &format!("{{{MODERN_META}}}")));
    session.server(result(1, r#"{"tools":[{"name":"read"}]}"#));
    let listen = |id: &str, filter: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"subscriptions/listen","params":{{"notifications":{filter},{MODERN_META}}}}}"#
        )
    };
    session.client(listen(r#""s\u00611""#, r#"{"toolsListChanged":true}"#));
    session.client(listen("7", r#"{"promptsListChanged":true,"toolsListChanged":false}"#));
    session.client(listen("8", r#"{"toolsListChanged":true}"#));
    session.server(result(8, "{}"));
    let outcome = session.policy_changes(&POLICY.replace("merge_*", "read"));
    let told = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed",
        "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": "sa1"}}});
    assert_eq!(outcome.to_client, [told]);
}
