//! Lines that are no messages.

use stockade_policy::mediator::{Action, Now, Peer, RecordKind};
use stockade_policy::wire::LineEnds;

use crate::session::{Outcome, Session, call, notification, request, result, text_result};

#[test]
fn a_refused_request_is_answered_under_its_id() {
    let cases = [
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping",}"#, -32700, "wire/syntax"),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            -32600,
            "wire/duplicate-key",
        ),
        (r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, -32600, "wire/jsonrpc-version"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}"#, -32600, "wire/params-form"),
    ];
    for (line, code, rule) in cases {
        let outcome = Session::new().client(line);
        let answer = outcome.answer();
        assert_eq!(answer["id"], 7, "{line}");
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["data"]["rule"]),
            (&code.into(), &rule.into()),
            "{line}"
        );
        assert!(answer["error"]["message"].as_str().unwrap().starts_with("refused: "));
        let record = outcome.record(RecordKind::Refused);
        assert_eq!(record.request_id.as_deref(), Some("7"));
        assert_eq!(outcome.rule(), rule);
        assert!(record.refusal.is_some());
    }
}

#[test]
fn a_line_without_a_readable_id_is_only_recorded() {
    for line in [
        "{",
        "nonsense",
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
    ] {
        let outcome = Session::new().client(line);
        assert!(outcome.is_dropped(), "{line}: {outcome:?}");
        assert_eq!(outcome.record(RecordKind::Refused).request_id, None);
    }
}

#[test]
fn a_refused_line_under_an_id_in_flight_does_not_answer_the_first_request() {
    let mut session = Session::new();
    session.calls(1, "read");
    let outcome = session.client(r#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#);
    assert!(outcome.is_dropped());
    assert!(session.server(text_result(1, "the real answer")).untouched);
}

#[test]
fn a_request_under_an_id_in_flight_is_dropped_whatever_it_asks() {
    let mut session = Session::new();
    session.calls(1, "read");
    for line in
        [call(1, "read"), call(1, "merge_x"), request(1, "tools/call", "{}"), request(1, "ping", "{}")]
    {
        let outcome = session.client(&line);
        assert!(outcome.is_dropped(), "{line}: {outcome:?}");
        assert_eq!(outcome.rule(), "session/duplicate-id");
    }
    assert!(session.server(text_result(1, "the real answer")).untouched);
    assert!(session.server(request(1, "ping", "{}")).untouched);
    assert!(session.server(request(1, "ping", "{}")).is_dropped(), "the server's ids as well");
}

#[test]
fn a_refused_request_of_the_server_is_answered_to_the_server() {
    let outcome = Session::new().server(r#"{"jsonrpc":"2.0","id":3,"method":"ping","params":7}"#);
    assert_eq!(outcome.answer_to_server()["error"]["code"], -32600);
}

#[test]
fn an_id_of_ours_is_refused_from_either_side() {
    let line = r#"{"jsonrpc":"2.0","id":"stockade:00","method":"ping"}"#;
    assert_eq!(Session::new().client(line).rule(), "wire/id-reserved");
    assert_eq!(Session::new().server(line).rule(), "wire/id-reserved");
}

#[test]
fn empty_lines_leave_no_trace() {
    for line in ["", " ", "\t ", "\r"] {
        let outcome = Session::new().server(line);
        assert!(outcome.records.is_empty() && outcome.forwarded.is_none(), "{line:?}");
    }
}

#[test]
fn noise_of_a_server_is_recorded_a_hundred_times_and_then_counted() {
    let mut session = Session::new();
    let outcome = session.server("Server listening on stdio");
    let record = outcome.record(RecordKind::Refused);
    assert_eq!(record.refusal.as_deref(), Some("not a message: Server listening on stdio"));
    assert_eq!(outcome.rule(), "wire/noise");
    let recorded: usize = (0..500).map(|_| session.server("tick").records.len()).sum();
    assert_eq!(recorded, 99);
    let outcome = session.server_ends("exit status 0", "");
    assert_eq!(
        outcome.record(RecordKind::Refused).refusal.as_deref(),
        Some("501 lines of the server were no messages; the first 100 are on record")
    );
    assert!(session.server_ends("exit status 0", "").records.is_empty(), "said once");
}

#[test]
fn broken_json_of_a_server_counts_as_noise_too() {
    let mut session = Session::new();
    let recorded: usize =
        (0..500).map(|_| session.server(r#"{"level":"info","msg":"tick"}"#).records.len()).sum();
    assert_eq!(recorded, 100);
}

#[test]
fn noise_on_record_holds_no_secret() {
    let secret = concat!("ghp_", "Zk3VbN8qL2xYw7TfR5mJc9HdS4aGp1EuK6oQ");
    let outcome = Session::new().server(format!("token={secret} loaded"));
    assert!(!format!("{:?}", outcome.records).contains(secret), "{:?}", outcome.records);
    let outcome = Session::new().server(format!("{secret} ").repeat(500));
    assert!(!format!("{:?}", outcome.records).contains(secret));
}

fn oversize(session: &mut Session, from: Peer, prefix: &str, bytes: u64) -> Outcome {
    oversize_ends(session, from, (prefix, ""), bytes)
}

fn oversize_ends(session: &mut Session, from: Peer, (prefix, suffix): (&str, &str), bytes: u64) -> Outcome {
    let mut actions = Vec::new();
    let ends = LineEnds { prefix: prefix.as_bytes(), suffix: suffix.as_bytes() };
    session.mediator.oversize(from, ends, bytes, Now(1), &mut actions);
    Outcome::read(b"", actions)
}

#[test]
fn a_request_over_the_limit_is_answered_with_limit_and_size() {
    let mut session = Session::new();
    let prefix =
        r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"write","arguments":{"text":"aaaa"#;
    let outcome = oversize(&mut session, Peer::Client, prefix, 11_000_000);
    let message = outcome.answer()["error"]["message"].as_str().unwrap();
    assert!(message.contains("11000000") && message.contains("10485760"), "{message}");
    assert_eq!(outcome.answer()["id"], 8);
    assert_eq!(outcome.record(RecordKind::Refused).bytes, 11_000_000);
    assert_eq!(session.mediator.refusals().len(), 1);
}

#[test]
fn an_answer_over_the_limit_becomes_an_error_to_the_one_who_waits() {
    let mut session = Session::new();
    session.calls(8, "read");
    let prefix = r#"{"jsonrpc":"2.0","id":8,"result":{"content":[{"type":"text","text":"aaaaaa"#;
    let outcome = oversize(&mut session, Peer::Server, prefix, 40_000_000);
    assert_eq!(outcome.answer()["id"], 8);
    assert_eq!(outcome.answer()["error"]["code"], 1502);
    assert_eq!(session.mediator.pending(Peer::Client), 0);
}

#[test]
fn a_last_line_without_its_end_is_checked_recorded_and_not_forwarded() {
    let unterminated = |session: &mut Session, from, line: &str| {
        let mut actions = Vec::new();
        session.mediator.unterminated(from, line.as_bytes(), Now(1), &mut actions);
        assert!(!actions.iter().any(|a| matches!(a, Action::Forward | Action::ForwardRewritten(_))));
        Outcome::read(b"", actions)
    };
    let mut session = Session::new();
    let outcome = unterminated(&mut session, Peer::Client, &call(1, "read"));
    assert_eq!(outcome.answer()["error"]["code"], -32700);
    assert_eq!(outcome.rule(), "wire/unterminated");
    assert_eq!(session.mediator.pending(Peer::Client), 0);
    session.calls(2, "read");
    let outcome = unterminated(&mut session, Peer::Server, &result(2, "{}"));
    assert_eq!(outcome.answer()["error"]["code"], 1502);
    assert!(unterminated(&mut session, Peer::Client, "{\"jsonr").is_dropped());
    assert!(unterminated(&mut session, Peer::Client, " ").records.is_empty());
}

#[test]
fn the_limits_are_those_of_the_policy() {
    let session = Session::with("version = 1\n[limits]\nframe_to_server = \"64 KiB\"\n");
    assert_eq!(session.mediator.frame_bytes_max(Peer::Client), 65_536);
    assert_eq!(session.mediator.frame_bytes_max(Peer::Server), 32 << 20);
}

#[test]
fn an_answer_over_the_limit_whose_id_stands_last_becomes_an_error_too() {
    let mut session = Session::new();
    session.calls(8, "read");
    let ends = (r#"{"result":{"content":[{"type":"text","text":"aaaa"#, r#"aaa"}]},"jsonrpc":"2.0","id":8}"#);
    let outcome = oversize_ends(&mut session, Peer::Server, ends, 40_000_000);
    assert_eq!(outcome.answer()["id"], 8);
    assert_eq!(outcome.answer()["error"]["code"], 1502);
}

/// Plays `line` 500 times and ends the session: full records, and what the totals say.
fn flood(session: &mut Session, from: Peer, line: &str) -> (usize, Vec<String>) {
    let recorded = (0..500).map(|_| session.line(from, line.as_bytes()).records.len()).sum();
    let ending = session.client_ends("the test is over");
    assert!(session.client_ends("the test is over").records.is_empty(), "said once");
    let totals = ending.records.into_iter().filter(|record| record.kind == RecordKind::Refused);
    (recorded, totals.map(|record| record.refusal.unwrap()).collect())
}

#[test]
fn no_peer_floods_the_log_with_lines_that_are_dropped() {
    let refused = r#"{"jsonrpc":"2.0","id":9,"method":"ping",}"#;
    let refused_answer = r#"{"jsonrpc":"2.0","id":9,"result":{"a":1,"a":2}}"#;
    let answer = text_result(9, "nobody asked");
    let duplicate = call(1, "read");
    let cancelled = notification("notifications/cancelled", r#"{"requestId":9}"#);
    for (from, line, what) in [
        (Peer::Server, &*answer, "answers of the server came that nobody was waiting for"),
        (Peer::Client, &*answer, "answers of the client came that nobody was waiting for"),
        (Peer::Client, refused, "lines of the client were refused by the grammar"),
        (Peer::Server, refused_answer, "lines of the server were refused by the grammar"),
        (Peer::Client, "nonsense", "lines of the client were no messages"),
        (Peer::Client, &*duplicate, "requests of the client came under an id that was still waiting"),
        (Peer::Client, &*cancelled, "notifications of the client were dropped"),
        (Peer::Server, &*cancelled, "notifications of the server were dropped"),
    ] {
        let mut session = Session::new();
        session.calls(1, "read");
        let (recorded, totals) = flood(&mut session, from, line);
        assert_eq!(recorded, 100, "{from:?} {line}");
        assert_eq!(totals, [format!("500 {what}; the first 100 are on record")]);
    }
}

#[test]
fn a_flood_of_one_kind_or_one_peer_hides_no_other_and_no_answer_of_ours() {
    let mut session = Session::new();
    let refused = r#"{"jsonrpc":"2.0","id":9,"method":"ping",}"#;
    for _ in 0..500 {
        session.server(text_result(9, "nobody asked"));
        assert_eq!(session.client(refused).answer()["id"], 9, "answered, on record or not");
    }
    assert_eq!(session.client(text_result(9, "x")).records.len(), 1);
    session.calls(1, "read");
    assert_eq!(session.client(call(1, "read")).records.len(), 1);
    for _ in 0..500 {
        session.server(r#"{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":2}}"#);
    }
    let outcome = session.server(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}"#);
    assert_eq!(outcome.records.len(), 1, "it ended a request, so it is on record");
    assert_eq!(outcome.answer()["error"]["code"], 1502);
}

#[test]
fn an_id_that_is_none_ends_no_request_of_a_text_that_looks_alike() {
    let mut session = Session::new();
    let ask = r#"{"jsonrpc":"2.0","id":"1.0","method":"tools/call","params":{"name":"read"}}"#;
    assert!(session.client(ask).untouched);
    let outcome = session.server(r#"{"jsonrpc":"2.0","id":1.0,"result":{}}"#);
    assert!(outcome.is_dropped(), "{outcome:?}");
    assert_eq!(session.mediator.pending(Peer::Client), 1);
    assert!(session.server(r#"{"jsonrpc":"2.0","id":"1.0","result":{}}"#).untouched);
}

#[test]
fn an_id_that_readers_take_for_one_in_flight_is_not_answered() {
    let mut session = Session::new();
    session.calls(1, "read");
    assert!(session.client(r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#).is_dropped());
    assert_eq!(session.client(r#"{"jsonrpc":"2.0","id":2.0,"method":"ping"}"#).to_client.len(), 1);
    assert!(session.server(text_result(1, "the real answer")).untouched);
}
