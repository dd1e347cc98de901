//! The end of a peer.

use stockade_policy::mediator::{Peer, RecordKind};

use crate::session::{Session, call, notification, request, result, text_result};

#[test]
fn a_dead_server_answers_everything_that_waits_with_its_status_and_the_end_of_its_stderr() {
    let mut session = Session::new();
    session.calls(1, "read");
    assert!(session.client(r#"{"jsonrpc":"2.0","id":"two","method":"ping"}"#).untouched);
    assert!(session.server(request(1, "roots/list", "{}")).untouched);
    let outcome = session.server_ends("exit status 1", "Error: no token");
    assert_eq!(outcome.to_client.len(), 2);
    for (answer, id) in outcome.to_client.iter().zip([serde_json::json!(1), serde_json::json!("two")]) {
        assert_eq!(answer["id"], id);
        assert_eq!(answer["error"]["code"], 1502);
        assert_eq!(answer["error"]["message"], "the MCP server ended (exit status 1) before it answered");
        assert_eq!(answer["error"]["data"]["stderr"], "Error: no token");
    }
    assert_eq!(outcome.records.iter().filter(|record| record.kind == RecordKind::Synthesised).count(), 2);
    assert_eq!((session.mediator.pending(Peer::Client), session.mediator.pending(Peer::Server)), (0, 0));
    assert!(outcome.to_server.is_empty());
}

#[test]
fn nothing_is_answered_twice_when_a_server_ends_twice() {
    let mut session = Session::new();
    session.calls(1, "read");
    assert_eq!(session.server_ends("exit status 1", "").to_client.len(), 1);
    assert!(session.server_ends("exit status 1", "").to_client.is_empty());
    assert!(session.client_ends("SIGTERM").to_client.is_empty());
}

#[test]
fn what_is_asked_after_the_servers_end_gets_its_error_at_once() {
    let mut session = Session::new();
    session.server_ends("killed by signal 9 (SIGKILL)", "");
    let outcome = session.client(call(1, "read"));
    let error = &outcome.answer()["error"];
    assert_eq!(error["code"], 1502);
    assert_eq!(error.get("data"), None);
    assert_eq!(outcome.record(RecordKind::Synthesised).request_id.as_deref(), Some("1"));
    assert!(session.client(notification("notifications/initialized", "{}")).is_dropped());
    assert!(session.client(result(1, "{}")).is_dropped());
}

#[test]
fn the_end_of_the_client_answers_what_the_server_waits_for() {
    let mut session = Session::new();
    session.calls(1, "read");
    assert!(session.server(request(5, "elicitation/create", r#"{"message":"?"}"#)).untouched);
    let outcome = session.client_ends("SIGTERM");
    assert_eq!(outcome.to_server.len(), 1);
    assert_eq!(
        (&outcome.to_server[0]["id"], &outcome.to_server[0]["error"]["code"]),
        (&5.into(), &1503.into())
    );
    assert_eq!(outcome.to_client.len(), 1);
    assert_eq!(
        outcome.to_client[0]["error"]["message"],
        "the session ended (SIGTERM) before the server answered"
    );
    assert!(session.server(text_result(1, "late")).is_dropped());
    let outcome = session.server(request(6, "ping", "{}"));
    assert_eq!(outcome.answer_to_server()["error"]["code"], 1503, "so that it can end cleanly");
}
