use serde_json::json;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn event(kind: &str, what: Value) -> StoredEvent {
    let identity = ["pkg:npm/%40scope/files@1.2.3", "file:sha256:00"];
    let value = json!({ "kind": kind, "who": { "server": "files", "identity": identity }, "what": what });
    StoredEvent { line: String::new(), value }
}

fn finding(hash: &str, action: &str, would_have: Option<&str>) -> Value {
    let mut value = json!({
        "detector": "secret/github-pat", "confidence": "high", "length_class": 3, "hash": hash,
        "at": "/result/content/0/text", "action": action,
    });
    if let Some(would_have) = would_have {
        value["would_have"] = would_have.into();
    }
    value
}

fn tally(events: &[StoredEvent]) -> Tally {
    let mut tally = Tally::new(at("2026-11-01T00:00:00Z"), at("2026-11-11T00:00:00Z"));
    for event in events {
        tally.add(event, at("2026-11-06T00:00:00Z"));
    }
    tally
}

fn answer(content: &str, findings: &[Value]) -> StoredEvent {
    let total = findings.len();
    event(
        "answer",
        json!({
            "content": content, "direction": "to-client", "method": "tools/call", "item": "read", "findings": findings,
            "findings_total": total,
        }),
    )
}

#[test]
fn messages_are_interrupted_once_whatever_they_hold() {
    let tally = tally(&[
        answer("block", &[finding("a", "block", None), finding("b", "monitor", None)]),
        answer("redact", &[finding("a", "redact", None)]),
        // Capabilities were taken out of it, and nothing else.
        answer("redact", &[finding("a", "monitor", None)]),
        answer("monitor", &[finding("a", "monitor", Some("block")), finding("a", "monitor", Some("redact"))]),
        answer("monitor", &[finding("a", "monitor", Some("redact"))]),
        answer("pass", &[]),
        event("session.start", json!({})),
    ]);
    assert_eq!((tally.messages, tally.messages_with_findings, tally.findings), (6, 5, 7));
    assert_eq!(tally.interrupted, Interruptions { blocked: 1, redacted: 1 });
    assert_eq!(tally.would_have, Interruptions { blocked: 1, redacted: 1 });
    // The log begins five days before now.
    assert_eq!((tally.days(), tally.rates(tally.interrupted)), (5.0, (0.4, 12.0)));
    assert_eq!(tally.per_1000(), 1_166.7);
    let [found] = tally.rows()[..] else { panic!("one detector at one server") };
    assert_eq!((found.findings, found.messages, found.values()), (7, 5, 2));
    assert_eq!((found.blocked, found.redacted, found.recorded), (1, 1, 5));
    assert_eq!((found.would_block, found.would_redact), (1, 2));
    assert_eq!(found.places.iter().collect::<Vec<_>>(), ["/result/content/*/text"]);
}

#[test]
fn events_from_before_findings_had_actions_of_their_own_are_counted_by_their_message() {
    let mut old = finding("a", "", None);
    old.as_object_mut().expect("an object").remove("action");
    let tally = tally(&[answer("redact", &[old.clone()]), answer("block", &[old])]);
    assert_eq!(tally.interrupted, Interruptions { blocked: 1, redacted: 1 });
    let [found] = tally.rows()[..] else { panic!("one") };
    assert_eq!((found.blocked, found.redacted, found.recorded), (1, 1, 0));
}

#[test]
fn a_definition_is_no_message_and_what_passed_is_counted() {
    let what = json!({
        "own": 2, "suppressed": [{ "detector": "secret/x", "hash": "a", "by": "known" }], "suppressed_total": 3,
    });
    let tally = tally(&[
        event("call", what),
        event("definition", json!({ "findings": [finding("a", "block", None)] })),
    ]);
    assert_eq!((tally.messages, tally.findings, tally.own), (1, 1, 2));
    assert_eq!(tally.suppressed, BTreeMap::from([("known".to_owned(), 1), ("…".to_owned(), 2)]));
    assert_eq!(tally.interrupted, Interruptions::default());
}
