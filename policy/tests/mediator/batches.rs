//! Several messages in one line.

use stockade_policy::mediator::{Peer, RecordKind};

use crate::session::{HIDDEN, Outcome, Session, call, call_with, request, result, text_result};

/// A session in which the server answered `initialize` with this revision.
fn speaking(revision: &str) -> Session {
    let mut session = Session::new();
    session.client(request(
        0,
        "initialize",
        r#"{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{}}"#,
    ));
    let answer = format!(r#"{{"protocolVersion":"{revision}","capabilities":{{}},"serverInfo":{{}}}}"#);
    assert!(session.server(result(0, &answer)).forwarded.is_some());
    session
}

fn batch(messages: &[String]) -> String {
    format!(" [ {} ]\r", messages.join(" , "))
}

/// What becomes of each message of a line; `None` if it is no batch here.
fn play(session: &mut Session, from: Peer, line: &str) -> Option<Vec<Outcome>> {
    let messages = session.mediator.batch(line.as_bytes())?;
    Some(messages.into_iter().map(|message| session.line(from, message.as_bytes())).collect())
}

#[test]
fn each_message_has_its_own_decision_record_and_answer() {
    let mut session = speaking("2025-03-26");
    let line = batch(&[
        call(1, "read"),
        call(2, "merge_pull"),
        call_with(3, "send", "about Nightfall"),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
        call(1, "read"),
        r#"{"jsonrpc":"2.0","id":4,"id":5,"method":"ping"}"#.to_owned(),
    ]);
    let outcomes = play(&mut session, Peer::Client, &line).unwrap();
    let goes_on: Vec<bool> = outcomes.iter().map(|outcome| outcome.forwarded.is_some()).collect();
    assert_eq!(goes_on, [true, false, false, true, false, false]);
    assert_eq!(outcomes[0].forwarded.as_deref(), Some(&*call(1, "read")), "as it stood in the batch");
    assert_eq!(outcomes[1].rule(), "no-merge");
    assert_eq!(outcomes[2].rule(), "stop-projects");
    assert_eq!(outcomes[5].rule(), "wire/duplicate-key");
    assert!(outcomes.iter().all(|outcome| outcome.records.len() == 1));
    assert_eq!(session.mediator.pending(Peer::Client), 1);
}

#[test]
fn answers_in_one_line_are_searched_one_by_one() {
    let mut session = speaking("2025-03-26");
    for id in 1..=3 {
        session.calls(id, "read");
    }
    let line = batch(&[text_result(1, "fine"), text_result(2, HIDDEN), text_result(9, "who asked?")]);
    let outcomes = play(&mut session, Peer::Server, &line).unwrap();
    assert!(outcomes[0].untouched);
    assert!(!outcomes[1].untouched && outcomes[1].record(RecordKind::Answer).findings_total > 0);
    assert!(outcomes[2].is_dropped());
    assert_eq!(session.mediator.pending(Peer::Client), 1, "the third call still waits");
}

#[test]
fn no_other_revision_has_batches() {
    let line = batch(&[call(1, "read"), call(2, "read")]);
    for revision in ["2024-11-05", "2025-06-18", "2025-11-25", "2025-03-26 ", "x"] {
        assert!(play(&mut speaking(revision), Peer::Client, &line).is_none(), "{revision}");
    }
    let mut session = Session::new();
    assert!(play(&mut session, Peer::Client, &line).is_none(), "before the handshake");
    assert_eq!(session.client(&line).rule(), "wire/batch");
    session.client(request(0, "initialize", r#"{"protocolVersion":"2025-03-26"}"#));
    assert!(play(&mut session, Peer::Client, &line).is_none(), "the server has not agreed");
}

#[test]
fn what_is_no_list_of_messages_is_refused_as_a_whole() {
    let session = speaking("2025-03-26");
    let one = call(1, "read");
    let many = vec![one.clone(); 257];
    let deep = format!("[{one},{}{}]", "[".repeat(200), "]".repeat(200));
    for line in [
        "[]".to_owned(),
        one.clone(),
        format!("[{one}"),
        format!("[{one}]]"),
        format!("[{one}],{one}"),
        format!("[{one}]\n[{one}]"),
        format!("[{one},]"),
        format!("[{one},1]"),
        format!("[[{one}]]"),
        batch(&many),
        deep,
    ] {
        assert!(session.mediator.batch(line.as_bytes()).is_none(), "{line}");
    }
    assert_eq!(session.mediator.batch(batch(&many[..256]).as_bytes()).map(|all| all.len()), Some(256));
}
