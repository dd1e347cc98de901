//! What is found and goes on all the same, and what is on record of it.

use stockade_policy::mediator::{RecordKind, SessionFacts, Weight};
use stockade_policy::rules::{OwnCredentials, SaidBy, UnixTime};
use stockade_policy::verdict::Content;

use crate::session::{Session, call_with, result, text_result};

/// 2026-11-23.
const NOW: UnixTime = UnixTime(1_795_392_000_000);

fn policy(suppress: &str) -> String {
    format!(
        "version = 1\n[[dlp]]\nid = \"stop\"\ndetect = [\"keyword/projects\", \"secret/*\"]\naction = \"block\"\n\
         [keywords.projects]\nwords = [\"Nightfall\"]\n\
         [[suppress]]\nid = \"known\"\ndetect = [\"keyword/projects\"]\nauthor = \"A\"\nreason = \"r\"\nuntil = \"2026-12-31\"\n{suppress}\n"
    )
}

fn session(suppress: &str) -> Session {
    let mut session = Session::with(&policy(suppress));
    session.mediator.set_unix_time(NOW);
    session
}

fn token() -> String {
    ["ghp", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"].join("_")
}

#[test]
fn what_a_suppression_swallows_goes_on_untouched_and_is_on_record() {
    let outcome = session("").client(call_with(1, "send", "Nightfall, Nightfall"));
    assert!(outcome.untouched, "{outcome:?}");
    let record = outcome.record(RecordKind::Call);
    assert_eq!((record.verdict.content, record.findings_total), (Content::Pass, 0));
    let passed = &record.passed;
    assert_eq!((passed.own, passed.suppressed_total, passed.suppressed.len()), (0, 2, 2));
    assert_eq!((&*passed.suppressed[0].detector, &*passed.suppressed[0].by), ("keyword/projects", "known"));
    assert!(!format!("{record:?}").contains("Nightfall"));
}

#[test]
fn without_a_clock_or_after_its_end_it_has_no_effect() {
    let mut session = Session::with(&policy(""));
    assert!(session.client(call_with(1, "send", "Nightfall")).forwarded.is_none());
    session.mediator.set_unix_time(UnixTime(NOW.0 + 60 * 24 * 3_600_000));
    assert!(session.client(call_with(2, "send", "Nightfall")).forwarded.is_none());
    session.mediator.set_unix_time(NOW);
    assert!(session.client(call_with(3, "send", "Nightfall")).untouched);
}

#[test]
fn the_tool_of_an_answer_is_the_one_that_was_called() {
    let mut session = session("tools = [\"read_*\"]");
    session.calls(1, "read_file");
    assert!(session.server(text_result(1, "Nightfall")).untouched);
    session.calls(2, "write_file");
    let outcome = session.server(text_result(2, "Nightfall"));
    assert!(outcome.forwarded.is_none(), "{outcome:?}");
    session.asks(3, "resources/list");
    assert!(
        session.server(result(3, r#"{"resources":[{"uri":"x:y","name":"Nightfall"}]}"#)).forwarded.is_none()
    );
}

#[test]
fn a_place_is_that_of_the_value_that_holds_the_finding() {
    let mut session = session("path = \"/result/content/*/text\"");
    session.calls(1, "read");
    assert!(session.server(text_result(1, "Nightfall")).untouched);
    session.calls(2, "read");
    let elsewhere = r#"{"content":[],"structuredContent":{"text":"Nightfall"}}"#;
    assert!(session.server(result(2, elsewhere)).forwarded.is_none());
    // A key cannot imitate a way through other keys.
    session.calls(3, "read");
    let imitated = r#"{"content":[],"/content/0/text":"Nightfall"}"#;
    assert!(session.server(result(3, imitated)).forwarded.is_none());
}

#[test]
fn after_sixty_four_places_the_others_stay_findings() {
    let text = |times: usize| vec!["\"Nightfall\""; times].join(",");
    let mut session = session("path = \"/result/*\"");
    session.calls(1, "read");
    assert!(session.server(result(1, &format!("{{\"x\":[{}]}}", text(64)))).untouched);
    session.calls(2, "read");
    let outcome = session.server(result(2, &format!("{{\"x\":[{}]}}", text(65))));
    assert!(outcome.forwarded.is_none());
    let passed = &outcome.record(RecordKind::Answer).passed;
    assert_eq!((passed.suppressed_total, passed.suppressed.len()), (64, 32));
}

#[test]
fn own_credentials_pass_to_the_server_and_are_counted_and_do_not_come_back() {
    let own = OwnCredentials::new(&["secret/github-*"], SaidBy::Trusted);
    let facts = SessionFacts { own, ..SessionFacts::default() };
    let mut session = Session::with_facts(&policy(""), facts);
    let outcome = session.client(call_with(1, "send", &token()));
    assert!(outcome.untouched, "{outcome:?}");
    assert_eq!(outcome.record(RecordKind::Call).passed.own, 1);
    let outcome = session.server(text_result(1, &token()));
    assert!(outcome.forwarded.is_none());
    assert_eq!(outcome.record(RecordKind::Answer).passed.own, 0);
    let mut other = Session::with(&policy(""));
    assert!(other.client(call_with(1, "send", &token())).forwarded.is_none());
}

#[test]
fn each_finding_has_what_its_own_rule_does_and_what_a_watching_one_would() {
    let policy = format!("mode = \"monitor\"\n{}", policy("servers = [\"pkg:npm/other\"]"));
    let mut session = Session::with(&policy);
    session.mediator.set_unix_time(NOW);
    let outcome = session.client(call_with(1, "send", &format!("Nightfall {}", token())));
    assert!(outcome.untouched);
    let record = outcome.record(RecordKind::Call);
    let weight = Some(Weight { action: Content::Monitor, would_have: Some(Content::Block) });
    assert_eq!(record.weights, [weight, weight]);
    assert_eq!(record.findings.len(), 2);
}

#[test]
fn what_is_redacted_beside_a_value_that_somebody_answers_for_is_redacted_alone() {
    let first = session("").client(call_with(1, "send", "Nightfall")).record(RecordKind::Call).passed.clone();
    let hash = String::from_utf8_lossy(&first.suppressed[0].hash).into_owned();
    let redacting =
        policy(&format!("hash = \"{hash}\"")).replace("action = \"block\"", "action = \"redact\"");
    let redacting = redacting.replace("[\"Nightfall\"]", "[\"Nightfall\", \"Daybreak\"]");
    let mut session = Session::with(&redacting);
    session.mediator.set_unix_time(NOW);
    let outcome = session.client(call_with(1, "send", "Nightfall, Daybreak"));
    let forwarded = outcome.forwarded.as_deref().unwrap_or_else(|| panic!("{outcome:?}"));
    assert!(forwarded.contains("Nightfall, [REDACTED:") && !forwarded.contains("Daybreak"), "{forwarded}");
    let record = outcome.record(RecordKind::Call);
    assert_eq!((record.passed.suppressed_total, record.findings_total), (1, 1));
    assert_eq!(record.weights, [Some(Weight { action: Content::Redact, would_have: None })]);
}
