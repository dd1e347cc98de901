//! Answers: only to requests that wait, once each.

use stockade_policy::mediator::{Peer, RecordKind};

use crate::session::{Session, call, request, result, text_result};

#[test]
fn an_answer_goes_on_byte_for_byte_with_its_duration_on_record() {
    let mut session = Session::new();
    session.calls(1, "read");
    session.now_ms += 100;
    let outcome = session.server(text_result(1, "hello"));
    assert!(outcome.untouched);
    let record = outcome.record(RecordKind::Answer);
    assert_eq!(record.method.as_deref(), Some("tools/call"));
    assert_eq!(record.item.as_deref(), Some("read"));
    assert_eq!(record.duration_ms, Some(107));
}

#[test]
fn a_second_answer_is_dropped() {
    let mut session = Session::new();
    session.calls(1, "read");
    assert!(session.server(text_result(1, "a")).untouched);
    let outcome = session.server(text_result(1, "b"));
    assert!(outcome.is_dropped());
    assert_eq!(outcome.rule(), "session/unknown-id");
}

#[test]
fn a_denied_call_that_the_server_answers_in_advance_is_not_delivered() {
    let mut session = Session::new();
    assert!(session.server(text_result(5, "merged")).is_dropped(), "before the call");
    session.client(call(5, "merge_x"));
    assert!(session.server(text_result(5, "merged")).is_dropped(), "after the call was denied");
}

#[test]
fn an_id_is_its_type_and_its_value() {
    let mut session = Session::new();
    session.calls(1, "read");
    let text = r#"{"jsonrpc":"2.0","id":"1","result":{}}"#;
    assert!(session.server(text).is_dropped());
    assert!(session.server(result(1, "{}")).untouched);
}

#[test]
fn an_escaped_id_is_the_same_id() {
    let mut session = Session::new();
    assert!(session.client(r#"{"jsonrpc":"2.0","id":"a\u0062","method":"ping"}"#).untouched);
    assert!(session.server(r#"{"jsonrpc":"2.0","id":"ab","result":{}}"#).untouched);
}

#[test]
fn the_client_answers_only_what_the_server_asked() {
    let mut session = Session::new();
    session.calls(1, "read");
    assert!(session.client(result(1, "{}")).is_dropped(), "its own id");
    assert!(session.server(request(1, "roots/list", "{}")).untouched, "ids of the two sides are apart");
    assert_eq!((session.mediator.pending(Peer::Client), session.mediator.pending(Peer::Server)), (1, 1));
    assert!(session.client(result(1, r#"{"roots":[]}"#)).untouched);
    assert!(session.client(result(1, r#"{"roots":[]}"#)).is_dropped());
    assert_eq!(session.mediator.pending(Peer::Client), 1);
}

#[test]
fn errors_are_answers_too() {
    let mut session = Session::new();
    session.calls(1, "read");
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}"#;
    assert!(session.server(error).untouched);
    assert!(session.server(error).is_dropped());
}

#[test]
fn an_answer_that_is_refused_becomes_an_error_under_its_id() {
    let mut session = Session::new();
    session.calls(1, "read");
    let outcome = session.server(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}"#);
    let error = &outcome.answer()["error"];
    assert_eq!(outcome.answer()["id"], 1);
    assert_eq!(error["code"], 1502);
    assert_eq!(error["data"]["rule"], "wire/duplicate-key");
    assert!(error["message"].as_str().unwrap().contains("the answer of the server was refused"));
    let record = outcome.record(RecordKind::Refused);
    assert_eq!(record.item.as_deref(), Some("read"));
    assert_eq!(session.mediator.pending(Peer::Client), 0);
    assert!(session.server(result(1, "{}")).is_dropped(), "the id is answered");
}

#[test]
fn a_refused_answer_of_the_client_is_an_error_to_the_server() {
    let mut session = Session::new();
    assert!(session.server(request(4, "roots/list", "{}")).untouched);
    let outcome = session.client(r#"{"jsonrpc":"2.0","id":4,"result":{"a":1,"a":2}}"#);
    assert_eq!(outcome.answer_to_server()["id"], 4);
    assert_eq!(outcome.answer_to_server()["error"]["code"], 1502);
    assert_eq!(session.mediator.pending(Peer::Server), 0);
}

#[test]
fn half_an_emoji_of_a_server_is_repaired_and_counted() {
    let mut session = Session::new();
    session.calls(1, "read");
    let outcome = session.server(text_result(1, r"cut \ud83d"));
    let forwarded = outcome.forwarded.as_deref().unwrap();
    assert!(!outcome.untouched);
    assert!(serde_json::from_str::<serde_json::Value>(forwarded).is_ok(), "{forwarded}");
    let record = outcome.record(RecordKind::Answer);
    assert!(record.repaired == 1 && record.rewritten);
}
