//! Findings in messages.

use stockade_policy::mediator::{Peer, RecordKind, Without};
use stockade_policy::verdict::Content;

use crate::session::{
    HIDDEN, POLICY, Session, call, call_with, modern_call, notification, request, result, text_result,
};

#[test]
fn a_call_that_holds_a_blocked_word_does_not_leave() {
    let mut session = Session::new();
    let outcome = session.client(call_with(1, "send", "about Nightfall"));
    let result = &outcome.answer()["result"];
    assert_eq!(result["isError"], true);
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("`stop-projects`") && text.contains("keyword/projects"), "{text}");
    assert!(!outcome.to_client[0].to_string().contains("Nightfall"));
    let record = outcome.record(RecordKind::Call);
    assert_eq!((record.verdict.content, record.findings_total), (Content::Block, 1));
    assert_eq!(record.pointers, ["/params/arguments/text"]);
    assert!(record.code.is_some());
    assert!(!format!("{record:?}").contains("Nightfall"));
    assert!(session.server(text_result(1, "x")).is_dropped(), "nobody waits for an answer");
}

#[test]
fn a_blocked_request_that_is_no_tool_call_gets_an_error() {
    let outcome = Session::new().client(request(1, "resources/read", r#"{"uri":"file:///Nightfall"}"#));
    assert_eq!(outcome.answer()["error"]["code"], 1403);
    assert_eq!(outcome.answer()["error"]["data"]["verdict"], "block");
    let outcome = Session::new().client(request(1, "vendor/thing", r#"{"x":"Nightfall"}"#));
    assert_eq!(outcome.answer()["error"]["code"], 1403, "methods that nobody knows are searched as well");
}

#[test]
fn a_redacted_call_goes_on_with_only_the_finding_replaced() {
    let mut session = Session::new();
    let outcome = session.client(call_with(1, "send", "to Umbrella, today"));
    let forwarded = outcome.forwarded.as_deref().unwrap();
    let (before, after) = forwarded.split_once("[REDACTED:").unwrap();
    assert_eq!(
        before,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"send","arguments":{"text":"to "#
    );
    assert_eq!(after.split_once(']').unwrap().1, r#", today"}}}"#);
    let record = outcome.record(RecordKind::Call);
    assert!(record.rewritten && record.verdict.content == Content::Redact);
    assert!(session.server(text_result(1, "sent")).untouched);
}

#[test]
fn the_strictest_ruling_of_all_findings_holds() {
    let outcome = Session::new().client(call_with(1, "send", "Lisbon, Umbrella, Nightfall"));
    assert_eq!(outcome.answer()["result"]["isError"], true);
    assert_eq!(outcome.record(RecordKind::Call).findings_total, 3);
    let outcome = Session::new().client(call_with(1, "send", "Lisbon, Umbrella"));
    let forwarded = outcome.forwarded.unwrap();
    assert!(
        forwarded.contains("Lisbon") && !forwarded.contains("Umbrella"),
        "only what is to be redacted is"
    );
}

#[test]
fn a_monitored_finding_is_recorded_and_goes_on_untouched() {
    let outcome = Session::new().client(call_with(1, "send", "Lisbon"));
    assert!(outcome.untouched);
    let record = outcome.record(RecordKind::Call);
    assert_eq!((record.verdict.word(), record.findings.len()), ("monitor", 1));
}

#[test]
fn a_finding_that_cannot_be_redacted_blocks() {
    for params in [
        r#"{"name":"send","arguments":{"Umbrella":1}}"#,
        // The name was judged, so it must arrive as it was.
        r#"{"name":"Umbrella","arguments":{}}"#,
    ] {
        let outcome = Session::new().client(request(1, "tools/call", params));
        let text = outcome.answer()["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("cannot be redacted"), "{text}");
    }
    let outcome = Session::new().client(r#"{"jsonrpc":"2.0","id":"Umbrella","method":"ping"}"#);
    assert_eq!(outcome.answer()["error"]["code"], 1403, "an id that changes finds no answer");
}

#[test]
fn a_denied_call_is_denied_whatever_it_holds() {
    let outcome = Session::new().client(call_with(1, "merge_x", "Nightfall"));
    let record = outcome.record(RecordKind::Call);
    assert_eq!(record.verdict.reason.as_ref().unwrap().rule, "no-merge");
    assert_eq!((record.verdict.word(), record.verdict.content), ("deny", Content::Block));
}

#[test]
fn a_blocked_answer_is_replaced_under_its_id() {
    let mut session = Session::new();
    session.calls(1, "read");
    let outcome = session.server(text_result(1, "Nightfall starts on Monday"));
    let answer = outcome.answer();
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&1.into(), &true.into()));
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("withheld the answer of `read`") && text.contains("was carried out"), "{text}");
    assert!(!answer.to_string().contains("Nightfall"));
    assert!(session.server(text_result(1, "again")).is_dropped());
    assert_eq!(answer["result"].get("resultType"), None);
}

#[test]
fn a_blocked_answer_of_the_stateless_era_says_that_it_is_complete() {
    let mut session = Session::new();
    assert!(session.client(modern_call(1, "read")).untouched);
    let outcome = session.server(text_result(1, "Nightfall"));
    assert_eq!(outcome.answer()["result"]["resultType"], "complete");
}

#[test]
fn a_blocked_answer_that_is_no_tools_gets_an_error() {
    let mut session = Session::new();
    session.client(request(1, "resources/read", r#"{"uri":"memo://a"}"#));
    let outcome = session.server(result(1, r#"{"contents":[{"uri":"a","text":"Nightfall"}]}"#));
    assert_eq!(outcome.answer()["error"]["code"], 1403);
    session.asks(2, "ping");
    let outcome = session.server(r#"{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"Nightfall"}}"#);
    assert_eq!(outcome.answer()["error"]["code"], 1403, "errors are searched as well");
}

#[test]
fn a_redacted_answer_goes_on() {
    let mut session = Session::new();
    session.calls(1, "read");
    let outcome = session.server(text_result(1, "Umbrella pays"));
    let forwarded = outcome.forwarded.unwrap();
    assert!(forwarded.contains("[REDACTED:") && !forwarded.contains("Umbrella"), "{forwarded}");
}

#[test]
fn a_blocked_notification_is_dropped_with_a_record() {
    let mut session = Session::new();
    let outcome = session.server(notification("notifications/message", r#"{"data":"Nightfall"}"#));
    assert!(outcome.is_dropped());
    let record = outcome.record(RecordKind::Notification);
    assert_eq!(record.verdict.word(), "block");
    assert!(record.code.is_some());
}

#[test]
fn a_blocked_request_of_the_server_is_answered_to_the_server() {
    let mut session = Session::new();
    let outcome = session.server(request(1, "sampling/createMessage", r#"{"systemPrompt":"Nightfall"}"#));
    assert_eq!(outcome.answer_to_server()["error"]["code"], -1);
    assert_eq!(outcome.answer_to_server()["error"]["data"]["verdict"], "block");
    let outcome = session.server(request(2, "elicitation/create", r#"{"message":"Nightfall?"}"#));
    assert_eq!(outcome.answer_to_server()["result"], serde_json::json!({"action": "decline"}));
    assert_eq!(session.mediator.pending(Peer::Server), 0);
}

#[test]
fn a_blocked_answer_of_the_client_becomes_an_error_to_the_server() {
    let mut session = Session::new();
    assert!(session.server(request(3, "elicitation/create", r#"{"message":"?"}"#)).untouched);
    let outcome = session.client(result(3, r#"{"action":"accept","content":{"a":"Nightfall"}}"#));
    assert_eq!(outcome.answer_to_server()["id"], 3);
    assert_eq!(outcome.answer_to_server()["error"]["code"], 1403);
    assert_eq!(session.mediator.pending(Peer::Server), 0);
    assert!(session.client(result(3, "{}")).is_dropped());
}

#[test]
fn instructions_are_looked_for_in_the_rules_direction_only() {
    assert!(Session::new().client(call_with(1, "send", HIDDEN)).untouched);
    let mut session = Session::new();
    session.calls(1, "read");
    assert_eq!(session.server(text_result(1, HIDDEN)).answer()["result"]["isError"], true);
}

#[test]
fn a_secret_in_a_name_or_a_method_is_masked_on_record() {
    let secret = concat!("ghp_", "Zk3VbN8qL2xYw7TfR5mJc9HdS4aGp1EuK6oQ");
    let name = format!("get_{secret}");
    for line in [call(1, secret), request(1, secret, "{}"), call(1, &name)] {
        for record in Session::new().client(line).records {
            assert!(!format!("{record:?}").contains(secret), "{record:?}");
        }
    }
    let line = request(1, "tools/call", &format!(r#"{{"name":"a","arguments":{{"{secret}":"Nightfall"}}}}"#));
    let outcome = Session::new().client(line);
    assert!(!format!("{:?}", outcome.records).contains(secret), "in a pointer");
    assert!(!outcome.to_client[0].to_string().contains(secret));
}

#[test]
fn findings_on_record_are_capped_and_counted() {
    let words = vec!["Lisbon"; 50].join(" ");
    let outcome = Session::new().client(call_with(1, "send", &words));
    let record = outcome.record(RecordKind::Call);
    assert_eq!((record.findings.len(), record.pointers.len(), record.findings_total), (32, 32, 50));
}

#[test]
fn without_dlp_messages_pass_and_definitions_are_still_inspected() {
    let mut session = Session::new();
    session.mediator.dangerously_without(Without::Dlp);
    assert!(session.client(call_with(1, "send", "Nightfall")).untouched);
    assert!(session.server(text_result(1, "Nightfall")).untouched);
    session.asks(2, "tools/list");
    let list = format!(r#"{{"tools":[{{"name":"a","description":"{HIDDEN}"}}]}}"#);
    assert_eq!(session.server(result(2, &list)).forwarded.unwrap(), result(2, r#"{"tools":[]}"#));
    assert_eq!(session.client(call(3, "merge_x")).answer()["error"]["code"], -32602, "rules hold as before");
}

#[test]
fn without_wire_the_lines_that_the_grammar_refuses_pass_unread_and_the_others_are_judged() {
    let mut session = Session::new();
    session.mediator.dangerously_without(Without::Wire);
    for line in ["not json", r#"{"a":1,"a":2}"#] {
        let outcome = session.client(line);
        assert!(outcome.untouched && outcome.records.len() == 1, "{line}");
    }
    assert!(!session.client(call(1, "merge_x")).untouched, "rules hold as before");
}

#[test]
fn a_message_that_spends_the_budget_is_blocked_where_a_rule_could_block() {
    let words = "Lisbon ".repeat(600_000);
    let outcome = Session::new().client(call_with(1, "send", &words));
    let text = outcome.answer()["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("`stop-projects`") && text.contains("only a part of it was searched"), "{text}");
    let policy = watching();
    let outcome = Session::with(&policy).client(call_with(1, "send", &words));
    assert!(outcome.untouched);
    assert_eq!(outcome.record(RecordKind::Call).verdict.word(), "monitor");
}

/// The policy with every action turned into putting it on record.
fn watching() -> String {
    POLICY
        .replace("action = \"block\"", "action = \"monitor\"")
        .replace("action = \"redact\"", "action = \"monitor\"")
}

#[test]
fn a_message_that_spends_the_budget_is_blocked_where_a_rule_could_redact() {
    let words = "Lisbon ".repeat(600_000);
    let policy = watching().replacen("action = \"monitor\"", "action = \"redact\"", 1);
    let outcome = Session::with(&policy).client(call_with(1, "send", &words));
    assert!(outcome.forwarded.is_none(), "what was not searched was not redacted");
    let text = outcome.answer()["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("only a part of it was searched"), "{text}");
    assert_eq!(outcome.record(RecordKind::Call).verdict.content, Content::Block);
}

#[test]
fn findings_that_no_rule_names_do_not_spend_the_budget() {
    let addresses = "a.b@firma.de ".repeat(600_000);
    let outcome = Session::new().client(call_with(1, "send", &addresses));
    assert!(outcome.untouched, "{:?}", outcome.records);
    assert_eq!(outcome.record(RecordKind::Call).verdict.word(), "allow");
    let outcome = Session::new().client(call_with(1, "send", &format!("{addresses} for Umbrella")));
    assert!(!outcome.forwarded.unwrap().contains("Umbrella"), "what is named is still found");
    let named = format!("{POLICY}\n[[dlp]]\nid = \"mail\"\ndetect = [\"pii/*\"]\naction = \"block\"\n");
    let outcome = Session::with(&named).client(call_with(1, "send", "write to a.b@firma.de"));
    assert_eq!(outcome.answer()["result"]["isError"], true);
}

#[test]
fn a_name_that_holds_a_finding_is_masked_in_our_own_answers() {
    let secret = concat!("ghp_", "Zk3VbN8qL2xYw7TfR5mJc9HdS4aGp1EuK6oQ");
    let policy =
        format!("{POLICY}\n[[dlp]]\nid = \"all\"\ndetect = [\"secret/*\", \"pii/*\"]\naction = \"block\"\n");
    for found in [secret, "Nightfall", "Umbrella", "jane.roe@firma.de"] {
        for line in [
            call(1, found),
            call(1, &format!("merge_{found}")),
            request(1, "prompts/get", &format!(r#"{{"name":"merge-{found}"}}"#)),
            request(1, "prompts/get", &format!(r#"{{"name":"x {found}"}}"#)),
            request(
                1,
                "completion/complete",
                &format!(r#"{{"ref":{{"type":"ref/prompt","name":"merge- {found}"}}}}"#),
            ),
        ] {
            let mut session = Session::with(&policy);
            assert!(!session.client(&line).answer().to_string().contains(found), "{line}");
            // Once lists were filtered, names are unknown instead.
            session.asks(2, "tools/list");
            session.server(result(2, r#"{"tools":[{"name":"merge_x"}]}"#));
            session.asks(3, "prompts/list");
            session.server(result(3, r#"{"prompts":[{"name":"merge-x"}]}"#));
            assert!(!session.client(&line).answer().to_string().contains(found), "{line}");
        }
    }
}
