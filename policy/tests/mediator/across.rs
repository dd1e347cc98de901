//! Secrets that are split over two texts.

use serde_json::{Value, json};
use stockade_policy::detect::Place;
use stockade_policy::mediator::RecordKind;
use stockade_policy::verdict::Content;

use crate::session::{Outcome, Random, Session, call_with, notification, result, text_result};

const BLOCK: &str = r#"
version = 1

[[dlp]]
id = "stop-secrets"
detect = ["secret/*", "pii/payment-card"]
action = "block"
confidence = "medium"
"#;

fn token() -> String {
    ["ghp_", "k3Jd92mXq7LwPz4R", "t8VbNc5YfHs1GaQe6UoT"].concat()
}

fn redacting() -> Session {
    Session::with(&BLOCK.replace("\"block\"", "\"redact\""))
}

/// The record of a message of which the second part of a secret is all that is wrong.
fn is_across(outcome: &Outcome, kind: RecordKind) -> bool {
    let record = outcome.record(kind);
    record.findings.iter().any(|finding| finding.place == Place::Continued)
}

#[test]
fn the_second_half_of_a_secret_goes_no_further_over_two_results() {
    let mut session = Session::with(BLOCK);
    let token = token();
    let (first, second) = token.split_at(21);
    session.calls(1, "read");
    assert!(session.server(text_result(1, &format!("the key is {first}"))).untouched);
    session.calls(2, "read");
    let outcome = session.server(text_result(2, &format!("{second} and so on")));
    assert_eq!(outcome.record(RecordKind::Answer).verdict.content, Content::Block);
    assert!(is_across(&outcome, RecordKind::Answer));
    assert!(!outcome.answer().to_string().contains(second));
    assert_eq!(outcome.record(RecordKind::Answer).pointers, ["/result/content/0/text"]);
}

#[test]
fn over_content_blocks_a_progress_notification_and_three_pieces() {
    let token = token();
    let mut session = redacting();
    session.calls(1, "read");
    let blocks = json!({"content": [{"type": "text", "text": format!("a {}", &token[..10])},
        {"type": "image", "data": "aGk=", "mimeType": "image/png"},
        {"type": "text", "text": format!("{}\nb", &token[10..])}]});
    let line = session.server(result(1, &blocks.to_string())).forwarded.unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let second = line["result"]["content"][2]["text"].as_str().unwrap();
    assert!(second.starts_with("[REDACTED:github-pat:") && second.ends_with("]\nb"), "{second}");

    let mut session = Session::with(BLOCK);
    session.calls(1, "read");
    let progress = json!({"progressToken": 1, "progress": 1, "message": &token[..8]}).to_string();
    assert!(session.server(notification("notifications/progress", &progress)).untouched);
    let progress = json!({"progressToken": 1, "progress": 2, "message": &token[8..20]}).to_string();
    assert!(session.server(notification("notifications/progress", &progress)).untouched);
    let outcome = session.server(text_result(1, &token[20..]));
    assert!(outcome.forwarded.is_none() && is_across(&outcome, RecordKind::Answer));
}

#[test]
fn over_two_calls_by_the_name_of_the_argument() {
    let mut session = Session::with(BLOCK);
    let token = token();
    let write = |id: u32, content: &str| {
        let params = json!({"name": "append", "arguments": {"path": "/srv/a", "text": content, "mode": "x"}});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
    };
    assert!(session.client(write(1, &token[..15])).untouched);
    let outcome = session.client(write(2, &token[15..]));
    assert!(outcome.forwarded.is_none() && is_across(&outcome, RecordKind::Call));
    // What was stopped was never said, but the next piece is judged by what came before it all the same.
    assert!(session.client(call_with(3, "append", "nothing of that kind")).untouched);
}

#[test]
fn each_way_on_its_own_and_only_what_is_joined_by_the_cut() {
    let token = token();
    let (first, second) = token.split_at(20);
    let mut session = Session::with(BLOCK);
    session.calls(1, "read");
    assert!(session.server(text_result(1, first)).untouched);
    assert!(session.client(call_with(2, "write", second)).untouched, "the other way is another text");
    for (start, end) in [(format!("{first} "), second.to_owned()), (first.to_owned(), format!(" {second}"))] {
        let mut session = Session::with(BLOCK);
        for (id, text) in [(1, start), (2, end)] {
            session.calls(id, "read");
            assert!(session.server(text_result(id, &text)).untouched, "{text}");
        }
    }
    let mut session = Session::with(BLOCK);
    for id in 1..40 {
        session.calls(id, "read");
        assert!(session.server(text_result(id, "word")).untouched);
    }
}

#[test]
fn the_part_that_was_replaced_comes_back_too() {
    let mut session = redacting();
    let token = token();
    let (first, second) = token.split_at(20);
    session.calls(1, "read");
    assert!(session.server(text_result(1, first)).untouched);
    session.calls(2, "read");
    let line: Value =
        serde_json::from_str(&session.server(text_result(2, second)).forwarded.unwrap()).unwrap();
    let shown = line["result"]["content"][0]["text"].as_str().unwrap();
    assert!(!shown.contains(&second[4..]), "{shown}");
    let outcome = session.client(call_with(3, "write", &format!("x {shown}")));
    assert!(outcome.forwarded.unwrap().contains(&format!("x {second}")));
}

#[test]
fn wherever_it_is_cut_and_however_it_is_escaped_before() {
    let token = token();
    let mut random = Random(11);
    for cut in 4..=token.len() - 4 {
        let mut session = Session::with(BLOCK);
        let before = "\\n\\\\ \\u00e9 \\\" x\\t".repeat(usize::try_from(random.below(60)).unwrap());
        session.calls(1, "read");
        assert!(session.server(text_result(1, &format!("{before}{}", &token[..cut]))).untouched);
        session.calls(2, "read");
        let outcome = session.server(text_result(2, &token[cut..]));
        assert!(outcome.forwarded.is_none(), "cut at {cut}");
    }
}
