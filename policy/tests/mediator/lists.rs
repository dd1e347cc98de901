//! Lists of tools and prompts, filtered.

use stockade_policy::mediator::RecordKind;
use stockade_policy::verdict::Content;

use crate::session::{HIDDEN, MODERN_META, POLICY, Session, call, request, result};

/// The list that a client gets for the server's `list`, as raw bytes.
fn listed(method: &str, list: &str) -> String {
    let mut session = Session::new();
    session.asks(1, method);
    session.server(result(1, list)).forwarded.unwrap()
}

#[test]
fn a_filtered_list_is_byte_for_byte_the_list_without_what_is_hidden() {
    let cases = [
        // First, middle, last, several, all; spaces and line structure of what stays are the server's.
        (r#"{"tools":[{"name":"merge_a"},{"name":"b"}]}"#, r#"{"tools":[{"name":"b"}]}"#),
        (
            r#"{"tools":[{"name":"a"},{"name":"merge_b"},{"name":"c"}]}"#,
            r#"{"tools":[{"name":"a"},{"name":"c"}]}"#,
        ),
        (r#"{"tools":[{"name":"a"},{"name":"merge_b"}]}"#, r#"{"tools":[{"name":"a"}]}"#),
        (r#"{"tools":[{"name":"merge_a"},{"name":"merge_b"},{"name":"c"}]}"#, r#"{"tools":[{"name":"c"}]}"#),
        (r#"{"tools":[{"name":"a"},{"name":"merge_b"},{"name":"merge_c"}]}"#, r#"{"tools":[{"name":"a"}]}"#),
        (
            r#"{"tools":[{"name":"merge_a"},{"name":"b"},{"name":"merge_c"},{"name":"d"},{"name":"merge_e"}]}"#,
            r#"{"tools":[{"name":"b"},{"name":"d"}]}"#,
        ),
        (r#"{"tools":[{"name":"merge_a"}]}"#, r#"{"tools":[]}"#),
        (r#"{"tools":[ {"name":"merge_a"} , {"name":"merge_b"} ]}"#, r#"{"tools":[  ]}"#),
        (
            r#"{ "tools" : [ {"name":"a", "x":1.0E2} , {"name":"merge_b"} , {"z":[1.50,{}],"name":"c"} ] , "nextCursor":"n" }"#,
            r#"{ "tools" : [ {"name":"a", "x":1.0E2} , {"z":[1.50,{}],"name":"c"} ] , "nextCursor":"n" }"#,
        ),
        (r#"{"tools":[{"name":"\u006derge_a"},{"name":"\u0062"}]}"#, r#"{"tools":[{"name":"\u0062"}]}"#),
    ];
    for (list, filtered) in cases {
        assert_eq!(listed("tools/list", list), result(1, filtered), "{list}");
    }
}

#[test]
fn a_list_without_anything_to_hide_is_not_touched() {
    let mut session = Session::new();
    session.asks(1, "tools/list");
    assert!(session.server(result(1, r#"{"tools":[{"name":"a"},{"name":"b"}],"ttlMs":5}"#)).untouched);
}

#[test]
fn prompts_are_filtered_by_their_own_rules() {
    let list = r#"{"prompts":[{"name":"merge-a"},{"name":"merge_b"}]}"#;
    assert_eq!(listed("prompts/list", list), result(1, r#"{"prompts":[{"name":"merge_b"}]}"#));
}

#[test]
fn a_tool_that_a_rule_asks_about_is_shown_or_nobody_could_ask() {
    assert_eq!(
        listed("tools/list", r#"{"tools":[{"name":"deploy"},{"name":"merge_a"},{"name":"b"}]}"#),
        result(1, r#"{"tools":[{"name":"deploy"},{"name":"b"}]}"#)
    );
}

#[test]
fn a_filtered_list_of_the_stateless_era_is_kept_out_of_caches() {
    let cases = [
        // Members that stand are replaced, missing ones added.
        (
            r#"{"tools":[{"name":"merge_a"}],"ttlMs":60000,"cacheScope":"public"}"#,
            r#"{"tools":[],"ttlMs":0,"cacheScope":"private"}"#,
        ),
        (r#"{"tools":[{"name":"merge_a"}]}"#, r#"{"cacheScope":"private","ttlMs":0,"tools":[]}"#),
        (
            r#"{"cacheScope":"public","tools":[{"name":"merge_a"}]}"#,
            r#"{"ttlMs":0,"cacheScope":"private","tools":[]}"#,
        ),
    ];
    for (list, filtered) in cases {
        let mut session = Session::new();
        session.client(request(1, "tools/list", &format!("{{{MODERN_META}}}")));
        assert_eq!(session.server(result(1, list)).forwarded.unwrap(), result(1, filtered), "{list}");
    }
    // The handshake era does not know the members.
    assert_eq!(listed("tools/list", r#"{"tools":[{"name":"merge_a"}]}"#), result(1, r#"{"tools":[]}"#));
}

#[test]
fn names_that_stand_twice_are_hidden_and_cannot_be_called() {
    let mut session = Session::new();
    session.asks(1, "tools/list");
    let list =
        r#"{"tools":[{"name":"a","description":"one"},{"name":"b"},{"name":"\u0061","description":"two"}]}"#;
    let outcome = session.server(result(1, list));
    assert_eq!(outcome.forwarded.as_deref(), Some(&*result(1, r#"{"tools":[{"name":"b"}]}"#)));
    let rules: Vec<&str> = outcome
        .records
        .iter()
        .filter(|record| record.kind == RecordKind::Definition)
        .map(|record| &*record.verdict.reason.as_ref().unwrap().rule)
        .collect();
    assert_eq!(rules, ["definition/repeated-name"; 2]);
    let outcome = session.client(call(2, "a"));
    assert_eq!(outcome.answer()["error"]["message"], "Unknown tool: a");
    assert!(session.client(call(3, "b")).untouched);
    // Until a list shows the name once.
    session.asks(4, "tools/list");
    assert!(session.server(result(4, r#"{"tools":[{"name":"a"},{"name":"b"}]}"#)).untouched);
    assert!(session.client(call(5, "a")).untouched);
}

#[test]
fn a_definition_without_a_name_is_hidden() {
    let list = r#"{"tools":[{"name":7},"text",{"name":"b"},{}]}"#;
    assert_eq!(listed("tools/list", list), result(1, r#"{"tools":[{"name":"b"}]}"#));
}

#[test]
fn a_definition_with_hidden_instructions_is_hidden_and_the_rest_of_the_list_is_not() {
    let mut session = Session::new();
    session.asks(1, "tools/list");
    let list = format!(
        r#"{{"tools":[{{"name":"a"}},{{"name":"b","description":"adds {HIDDEN}"}},{{"name":"c"}}]}}"#
    );
    let outcome = session.server(result(1, &list));
    assert_eq!(outcome.forwarded.as_deref(), Some(&*result(1, r#"{"tools":[{"name":"a"},{"name":"c"}]}"#)));
    let record = outcome.record(RecordKind::Definition);
    assert_eq!(record.item.as_deref(), Some("b"));
    assert_eq!(record.verdict.content, Content::Block);
    assert_eq!(record.findings.first().map(|finding| finding.class()), Some("injection"));
    assert_eq!(record.pointers.first().map(String::as_str), Some("/result/tools/1/description"));
    let answer = outcome.record(RecordKind::Answer);
    assert!(answer.rewritten && answer.verdict.content == Content::Pass, "{answer:?}");
    let outcome = session.client(call(2, "b"));
    assert_eq!(outcome.answer()["error"]["message"], "Unknown tool: b");
}

#[test]
fn an_instruction_that_is_only_monitored_is_recorded_and_shown() {
    let mut session = Session::with(&POLICY.replace(
        "direction = \"to-client\"\naction = \"block\"",
        "direction = \"to-client\"\naction = \"monitor\"",
    ));
    session.asks(1, "tools/list");
    let outcome =
        session.server(result(1, &format!(r#"{{"tools":[{{"name":"b","description":"{HIDDEN}"}}]}}"#)));
    assert!(outcome.untouched, "{outcome:?}");
    assert_eq!(outcome.record(RecordKind::Definition).verdict.content, Content::Monitor);
}

#[test]
fn an_instruction_outside_of_the_definitions_blocks_the_list() {
    let mut session = Session::new();
    session.asks(1, "tools/list");
    let outcome =
        session.server(result(1, &format!(r#"{{"tools":[{{"name":"a"}}],"_meta":{{"x":"{HIDDEN}"}}}}"#)));
    assert_eq!(outcome.answer()["error"]["code"], 1403);
}

#[test]
fn a_finding_that_leaves_with_its_definition_does_not_block_the_list() {
    let list = r#"{"tools":[{"name":"merge_a","description":"Nightfall"},{"name":"b"}]}"#;
    assert_eq!(listed("tools/list", list), result(1, r#"{"tools":[{"name":"b"}]}"#));
    let mut session = Session::new();
    session.asks(1, "tools/list");
    let outcome =
        session.server(result(1, r#"{"tools":[{"name":"merge_a"},{"name":"b","title":"Nightfall"}]}"#));
    assert_eq!(outcome.answer()["error"]["code"], 1403, "in a definition that stays it does");
}

#[test]
fn a_list_is_filtered_and_redacted_at_once() {
    let list = r#"{"tools":[{"name":"merge_a"},{"name":"b","title":"for Umbrella"}]}"#;
    let mut session = Session::new();
    session.asks(1, "tools/list");
    let outcome = session.server(result(1, list));
    let forwarded = outcome.forwarded.as_deref().unwrap();
    assert!(
        forwarded
            .starts_with(r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"b","title":"for [REDACTED"#)
    );
    assert!(!forwarded.contains("Umbrella") && !forwarded.contains("merge_a"), "{forwarded}");
    assert_eq!(outcome.record(RecordKind::Answer).pointers, ["/result/tools/1/title"], "as the line came");
}

#[test]
fn records_about_definitions_are_capped() {
    let tools: Vec<String> = (0..200).map(|n| format!(r#"{{"name":"merge_{n}"}}"#)).collect();
    let mut session = Session::new();
    session.asks(1, "tools/list");
    let outcome = session.server(result(1, &format!(r#"{{"tools":[{}]}}"#, tools.join(","))));
    let records: Vec<_> =
        outcome.records.iter().filter(|record| record.kind == RecordKind::Definition).collect();
    assert_eq!(records.len(), 65);
    assert_eq!(
        records[64].refusal.as_deref(),
        Some("136 more definitions of this list were hidden or had findings")
    );
}

#[test]
fn what_is_no_list_passes_as_it_is() {
    for body in [r#"{}"#, r#"{"prompts":[{"name":"merge-a"}]}"#] {
        assert_eq!(listed("tools/list", body), result(1, body));
    }
    let mut session = Session::new();
    session.calls(1, "read");
    assert!(
        session.server(result(1, r#"{"tools":[{"name":"merge_a"}]}"#)).untouched,
        "not an answer to tools/list"
    );
}

#[test]
fn a_list_that_clients_could_read_in_two_ways_is_withheld() {
    for (method, body) in [
        ("tools/list", r#"{"tools":{"name":"merge_a"}}"#),
        ("tools/list", r#"{"tools":null}"#),
        ("tools/list", r#"{"Tools":[{"name":"merge_a"}]}"#),
        ("tools/list", r#"{"tools":[{"name":"a"}],"TOOLS":[{"name":"merge_a"}]}"#),
        ("tools/list", r#"{"tools":[],"tool\u017f":[{"name":"merge_a"}]}"#),
        ("tools/list", r#"{"tools":[{"name":"a","Name":"merge_a"}]}"#),
        ("tools/list", r#"{"tools":[{"name":"b"},{"n\u0041me":"merge_a"}]}"#),
        ("prompts/list", r#"{"prompts":"merge-a"}"#),
        ("prompts/list", r#"{"Prompts":[{"name":"merge-a"}]}"#),
        ("prompts/list", r#"{"prompts":[{"name":"a","NAME":"merge-a"}]}"#),
    ] {
        let mut session = Session::new();
        session.asks(1, method);
        let outcome = session.server(result(1, body));
        assert_eq!(outcome.answer()["id"], 1, "{body}");
        let error = &outcome.answer()["error"];
        assert_eq!((&error["code"], &error["data"]["rule"]), (&1502.into(), &"list/form".into()), "{body}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("list of the server was refused") && !message.contains("merge"),
            "{message}"
        );
        let record = outcome.record(RecordKind::Answer);
        assert_eq!((record.method.as_deref(), outcome.rule()), (Some(method), "list/form"));
        assert_eq!(session.mediator.pending(stockade_policy::mediator::Peer::Client), 0);
    }
}
