//! Notifications, and what they end.

use stockade_policy::mediator::{Peer, RecordKind};

use crate::session::{Session, notification, request, result, text_result};

fn cancel(id: &str) -> String {
    notification("notifications/cancelled", &format!(r#"{{"requestId":{id},"reason":"changed my mind"}}"#))
}

#[test]
fn notifications_go_on_byte_for_byte() {
    let mut session = Session::new();
    let outcome = session.client(notification("notifications/initialized", "{}"));
    assert!(outcome.untouched);
    assert_eq!(outcome.record(RecordKind::Notification).method.as_deref(), Some("notifications/initialized"));
    assert!(
        session
            .server(notification("notifications/progress", r#"{"progressToken":1,"progress":1}"#))
            .untouched
    );
}

#[test]
fn a_cancelled_request_is_forgotten_and_its_late_answer_dropped() {
    let mut session = Session::new();
    session.calls(1, "read");
    assert!(session.client(cancel("1")).untouched);
    assert_eq!(session.mediator.pending(Peer::Client), 0);
    let outcome = session.server(text_result(1, "late"));
    assert!(outcome.is_dropped());
    assert_eq!(outcome.rule(), "session/unknown-id");
}

#[test]
fn a_cancellation_of_nothing_is_dropped() {
    let mut session = Session::new();
    session.calls(1, "read");
    for id in ["2", r#""1""#, "null", "1.5", "[1]"] {
        let outcome = session.client(cancel(id));
        assert!(outcome.is_dropped(), "{id}: {outcome:?}");
        assert_eq!(outcome.rule(), "session/cancelled");
    }
    assert!(session.client(notification("notifications/cancelled", "{}")).is_dropped());
    assert!(session.client(r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#).is_dropped());
    assert!(session.server(cancel("1")).is_dropped(), "a server cannot cancel the client's request");
    assert_eq!(session.mediator.pending(Peer::Client), 1);
}

#[test]
fn the_handshake_cannot_be_cancelled() {
    let mut session = Session::new();
    session.asks(1, "initialize");
    assert!(session.client(cancel("1")).is_dropped());
    assert!(session.server(result(1, "{}")).untouched);
}

#[test]
fn a_server_cancels_its_own_requests_and_ends_subscriptions() {
    let mut session = Session::new();
    assert!(session.server(request(7, "roots/list", "{}")).untouched);
    assert!(session.server(cancel("7")).untouched);
    assert!(session.client(result(7, r#"{"roots":[]}"#)).is_dropped());
    session.asks(9, "subscriptions/listen");
    assert!(session.server(cancel("9")).untouched);
    assert_eq!((session.mediator.pending(Peer::Client), session.mediator.pending(Peer::Server)), (0, 0));
}

#[test]
fn a_cancellation_that_is_blocked_ends_nothing() {
    let mut session = Session::new();
    session.calls(1, "read");
    let line = notification("notifications/cancelled", r#"{"requestId":1,"reason":"Nightfall"}"#);
    assert!(session.client(line).is_dropped());
    assert!(session.server(text_result(1, "the server was not told, so its answer counts")).untouched);
}

#[test]
fn an_unknown_notification_is_forwarded_or_dropped_as_the_policy_says() {
    let line = notification("notifications/vendor", r#"{"a":1}"#);
    assert!(Session::new().client(&line).untouched);
    let mut strict = Session::with("version = 1\n[defaults]\nunknown_methods = \"deny\"\n");
    assert!(strict.client(&line).is_dropped());
    assert_eq!(strict.server(&line).rule(), "method/unknown");
}
