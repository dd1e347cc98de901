//! Rounds of a call (2026-07-28): a server asks back inside of its answer, and the client asks again with answers.

use serde_json::{Value, json};
use stockade_policy::mediator::RecordKind;

use crate::session::{MODERN_META, Outcome, POLICY, Session, modern_call, request, result};

fn denying(features: &str) -> Session {
    Session::with(&format!(
        "{POLICY}\n[[rule]]\nid = \"no\"\neffect = \"deny\"\nfeatures = [{features}]\nreason = \"not here\"\n"
    ))
}

fn question(method: &str, params: &Value) -> Value {
    json!({"resultType": "input_required", "inputRequests": {"q": {"method": method, "params": params}}, "requestState": "s1"})
}

fn form() -> Value {
    question("elicitation/create", &json!({"message": "your name?", "requestedSchema": {}}))
}

/// The call of `tool` under `id`, with what a later round adds.
fn again(id: u32, tool: &str, added: &str) -> String {
    request(id, "tools/call", &format!(r#"{{"name":"{tool}","arguments":{{}},{added},{MODERN_META}}}"#))
}

const ANSWERED: &str =
    r#""inputResponses":{"q":{"action":"accept","content":{"name":"Ada"}}},"requestState":"s1""#;

/// A session in which `read` was answered with `answer`.
fn asked(mut session: Session, answer: &Value) -> (Session, Outcome) {
    assert!(session.client(modern_call(1, "read")).untouched);
    let outcome = session.server(result(1, &answer.to_string()));
    (session, outcome)
}

#[test]
fn a_question_and_its_answer_go_on_byte_for_byte() {
    let (mut session, outcome) = asked(Session::new(), &form());
    assert!(outcome.untouched);
    assert!(session.client(again(2, "read", ANSWERED)).untouched);
    assert!(session.server(result(2, r#"{"resultType":"complete","content":[]}"#)).untouched);
}

#[test]
fn a_denied_question_never_reaches_the_client() {
    let cases = [
        (r#""elicitation""#, form()),
        (r#""sampling""#, question("sampling/createMessage", &json!({"messages": []}))),
        (r#""roots""#, question("roots/list", &json!({}))),
        (
            r#""elicitation-url""#,
            question("elicitation/create", &json!({"mode": "url", "url": "https://a.example/"})),
        ),
        // The type says that there is no question; a client may look all the same.
        (
            r#""sampling""#,
            json!({"resultType": "complete", "content": [],
            "inputRequests": {"q": {"method": "sampling/createMessage"}}}),
        ),
        (
            r#""sampling""#,
            json!({"content": [], "inputRequests": {"a": {"method": "roots/list"},
            "q": {"method": "sampling/createMessage"}}}),
        ),
    ];
    for (features, answer) in cases {
        let (mut session, outcome) = asked(denying(features), &answer);
        let told = outcome.answer();
        assert_eq!((&told["result"]["isError"], outcome.rule()), (&json!(true), "no"), "{answer}");
        assert_eq!(told["result"]["resultType"], "complete");
        assert_eq!(outcome.record(RecordKind::Answer).verdict.word(), "deny");
        assert_eq!({ session.client(again(2, "read", ANSWERED)) }.rule(), "round/unknown", "nothing is open");
        // Positive control: without the rule it is asked.
        assert!(asked(Session::new(), &answer).1.untouched, "{answer}");
    }
}

#[test]
fn questions_that_could_be_read_in_two_ways_are_withheld() {
    for answer in [
        r#"{"ResultType":"input_required","inputRequests":{}}"#,
        r#"{"resultType":"complete","InputRequests":{"q":{"method":"sampling/createMessage"}}}"#,
        r#"{"resultType":"input_required","inputRequests":[{"method":"sampling/createMessage"}]}"#,
        r#"{"resultType":"input_required","inputRequests":{"q":{"Method":"sampling/createMessage"}}}"#,
        r#"{"resultType":"input_required","inputRequests":{"q":{"method":7}}}"#,
        r#"{"resultType":"input_required","inputRequests":{"q":"sampling/createMessage"}}"#,
        r#"{"resultType":"input_required","requestState":{"a":1}}"#,
    ] {
        let (_, outcome) = asked(Session::new(), &serde_json::from_str(answer).unwrap());
        assert_eq!((outcome.forwarded.as_deref(), outcome.rule()), (None, "answer/form"), "{answer}");
    }
}

#[test]
fn a_state_belongs_to_the_call_that_it_was_given_in() {
    let state = r#""requestState":"s1""#;
    for (tool, added) in [
        ("write", ANSWERED),
        ("read", r#""requestState":"s2""#),
        ("read", r#""requestState":"s1 ""#),
        ("read", r#""requestState":"""#),
        ("read", r#""requestState":null"#),
        ("read", r#""requestState":["s1"]"#),
    ] {
        let (mut session, _) = asked(Session::new(), &form());
        let outcome = session.client(again(2, tool, added));
        assert_eq!(
            (&outcome.answer()["error"]["code"], outcome.rule()),
            (&json!(-32602), "round/unknown"),
            "{added}"
        );
        assert!(
            session.client(again(3, "read", r#""requestState":"\u00731""#)).untouched,
            "the same in other letters"
        );
    }
    let (mut session, _) = asked(Session::new(), &form());
    let other = request(2, "prompts/get", &format!(r#"{{"name":"read",{state},{MODERN_META}}}"#));
    assert_eq!(session.client(other).rule(), "round/unknown", "another method");
    assert_eq!(Session::new().client(again(1, "read", ANSWERED)).rule(), "round/unknown", "never asked");
}

#[test]
fn a_question_is_answered_once() {
    let (mut session, _) = asked(Session::new(), &form());
    assert!(session.client(again(2, "read", ANSWERED)).untouched);
    assert_eq!(session.client(again(3, "read", ANSWERED)).rule(), "round/unknown");
    // Two calls that got the same state may both go on.
    let mut session = Session::new();
    for id in [1, 2] {
        session.client(modern_call(id, "read"));
        assert!(session.server(result(id, &form().to_string())).untouched);
    }
    assert!(session.client(again(3, "read", ANSWERED)).untouched);
    assert!(session.client(again(4, "read", ANSWERED)).untouched);
    assert_eq!(session.client(again(5, "read", ANSWERED)).rule(), "round/unknown");
}

#[test]
fn answers_that_nobody_asked_for_make_a_call_of_their_own() {
    let form = r#""inputResponses":{"q":{"action":"accept","content":{"name":"Ada"}}}"#;
    let model =
        r#""inputResponses":{"q":{"role":"assistant","content":{"type":"text","text":"x"},"model":"m"}}"#;
    let roots = r#""inputResponses":{"q":{"roots":[]}}"#;
    for (feature, volunteered) in [("elicitation", form), ("sampling", model), ("roots", roots)] {
        let mut session = Session::new();
        assert!(session.client(again(1, "read", volunteered)).untouched, "{volunteered}");
        // Servers ask for what they lack, and that is the first round.
        assert!(session.server(result(1, &self::form().to_string())).untouched);
        assert!(session.client(again(2, "read", ANSWERED)).untouched);
        // What the server may not ask for it does not get unasked either.
        let mut session = denying(&format!("\"{feature}\""));
        assert_eq!(session.client(again(1, "read", volunteered)).rule(), "round/unknown", "{volunteered}");
    }
    let secret = form.replace("Ada", "Nightfall");
    assert_eq!(Session::new().client(again(1, "read", &secret)).rule(), "stop-projects");
    assert_eq!(Session::new().client(again(1, "read", r#""inputResponses":null"#)).rule(), "method/params");
}

#[test]
fn an_answer_that_is_refused_leaves_the_question_open() {
    let (mut session, _) = asked(Session::new(), &form());
    let secret = ANSWERED.replace("Ada", "Nightfall");
    let outcome = session.client(again(2, "read", &secret));
    assert_eq!(outcome.rule(), "stop-projects", "answers are searched like arguments");
    assert!(session.client(again(3, "read", ANSWERED)).untouched);
}

#[test]
fn a_server_asks_back_ten_times_at_most() {
    let mut session = Session::new();
    let mut line = modern_call(1, "read");
    for round in 1..=10 {
        assert!(session.client(&line).untouched, "round {round}");
        assert!(session.server(result(round, &form().to_string())).untouched, "round {round}");
        line = again(round + 1, "read", ANSWERED);
    }
    assert!(session.client(&line).untouched);
    let outcome = session.server(result(11, &form().to_string()));
    assert_eq!((&outcome.answer()["result"]["isError"], outcome.rule()), (&json!(true), "round/too-many"));
}

#[test]
fn a_state_is_passed_on_as_it_is_or_not_at_all() {
    let mut answer = form();
    answer["requestState"] = json!("for Umbrella");
    let (_, outcome) = asked(Session::new(), &answer);
    assert_eq!(outcome.rule(), "hide-customers");
    assert_eq!(outcome.answer()["result"]["isError"], true);
    let (mut session, _) = asked(Session::new(), &form());
    let outcome = session.client(again(
        2,
        "read",
        r#""requestState":"s1","inputResponses":{"q":{"content":{"c":"Umbrella"}}}"#,
    ));
    let forwarded = outcome.forwarded.unwrap();
    assert!(forwarded.contains(r#""requestState":"s1""#) && !forwarded.contains("Umbrella"), "{forwarded}");
}

#[test]
fn roots_in_an_answer_are_bounded_by_the_jail() {
    let roots = question("roots/list", &json!({}));
    let (mut session, _) = asked(Session::with_roots("version = 1", &["/srv/work"]), &roots);
    let told = r#""inputResponses":{"q":{"roots":[{"uri":"file:///"},{"uri":"file:///srv/work"}]}},"requestState":"s1""#;
    let forwarded = session.client(again(2, "read", told)).forwarded.unwrap();
    assert!(forwarded.contains(r#"{"roots":[{"uri":"file:///srv/work"}]}"#), "{forwarded}");
    // Volunteered where the policy denies them.
    let (mut session, _) = asked(denying(r#""roots""#), &form());
    assert!(session.client(again(2, "read", told)).forwarded.is_none());
}

#[test]
fn a_result_of_unknown_type_goes_on_or_not_as_the_policy_says() {
    let answer = json!({"resultType": "vendor/thing", "content": []});
    let (_, outcome) = asked(Session::new(), &answer);
    assert!(outcome.untouched);
    assert_eq!(outcome.rule(), "answer/result-type", "on record all the same");
    let strict = || Session::with("version = 1\n[defaults]\nunknown_methods = \"deny\"\n");
    let (_, outcome) = asked(strict(), &answer);
    assert_eq!(outcome.answer()["result"]["isError"], true);
    let (_, outcome) = asked(strict(), &question("vendor/ask", &json!({})));
    assert_eq!(outcome.rule(), "method/unknown");
    for known in [json!({"resultType": "complete"}), json!({"content": []})] {
        assert!(asked(strict(), &known).1.untouched);
    }
}

#[test]
fn an_error_that_sends_the_user_to_a_page_is_judged_like_the_question() {
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"log in","data":{"elicitations":[{"mode":"url","url":"https://a.example/","elicitationId":"e"}]}}}"#;
    let mut session = denying(r#""elicitation-url""#);
    session.calls(1, "read");
    let outcome = session.server(error);
    assert_eq!(outcome.rule(), "no");
    assert!(!outcome.answer().to_string().contains("a.example"));
    let mut session = Session::new();
    session.calls(1, "read");
    assert!(session.server(error).untouched);
}

#[test]
fn a_forgotten_question_cannot_be_answered() {
    let mut session = Session::new();
    for id in 0..2_000 {
        session.client(modern_call(id, "read"));
        let mut answer = form();
        answer["requestState"] = json!(format!("s{id}"));
        assert!(session.server(result(id, &answer.to_string())).untouched);
    }
    assert_eq!(session.client(again(9_001, "read", r#""requestState":"s0""#)).rule(), "round/unknown");
    assert!(session.client(again(9_002, "read", r#""requestState":"s1999""#)).untouched);
}
