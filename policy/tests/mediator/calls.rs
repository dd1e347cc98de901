//! Requests of the client.

use stockade_policy::mediator::{Peer, RecordKind};
use stockade_policy::verdict::Access;

use crate::session::{MODERN_META, Session, call, modern_call, request, result, text_result};

#[test]
fn an_allowed_call_goes_on_byte_for_byte() {
    let mut session = Session::new();
    let outcome = session.client(call(1, "read_file"));
    assert!(outcome.untouched);
    let record = outcome.record(RecordKind::Call);
    assert_eq!(record.method.as_deref(), Some("tools/call"));
    assert_eq!(record.item.as_deref(), Some("read_file"));
    assert_eq!(record.request_id.as_deref(), Some("1"));
    assert_eq!(record.verdict.word(), "allow");
    assert_eq!(record.bytes, call(1, "read_file").len());
    assert!(!record.rewritten && record.repaired == 0 && record.code.is_none());
}

#[test]
fn a_denied_tool_gets_a_result_that_a_model_can_act_on() {
    let mut session = Session::new();
    let outcome = session.client(call(1, "merge_pull_request"));
    let answer = outcome.answer();
    assert_eq!(answer["id"], 1);
    let result = &answer["result"];
    assert_eq!(result["isError"], true);
    assert_eq!(result.get("structuredContent"), None);
    assert_eq!(result.get("resultType"), None, "the handshake revisions do not know it");
    let record = outcome.record(RecordKind::Call);
    let code = record.code.as_deref().unwrap();
    let text = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(
        text,
        format!(
            "Stockade policy rule `no-merge` does not let `merge_pull_request` run: merges go through review. \
             Repeating or rephrasing will not help; the user can ask about decision {code}."
        )
    );
    let decision = &result["_meta"]["dev.stockade/decision"];
    assert_eq!(decision["rule"], "no-merge");
    assert_eq!(decision["verdict"], "deny");
    assert_eq!(decision["code"], code);
    assert_eq!(
        (record.verdict.access, session.mediator.pending(stockade_policy::mediator::Peer::Client)),
        (Access::Deny, 0)
    );
}

#[test]
fn a_denial_of_the_stateless_era_says_that_it_is_complete() {
    let outcome = Session::new().client(modern_call(1, "merge_pull_request"));
    assert_eq!(outcome.answer()["result"]["resultType"], "complete");
}

#[test]
fn both_eras_are_judged_in_one_session() {
    let mut session = Session::new();
    let modern = session.client(modern_call(1, "merge_a"));
    let old = session.client(call(2, "merge_a"));
    assert_eq!(modern.answer()["result"]["resultType"], "complete");
    assert_eq!(old.answer()["result"].get("resultType"), None);
    assert!(session.client(modern_call(3, "read")).untouched);
    assert!(session.client(call(4, "read")).untouched);
}

#[test]
fn a_name_is_judged_decoded() {
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"tools\/call","params":{"name":"m\u0065rge_x"}}"#;
    let outcome = Session::new().client(line);
    assert_eq!(outcome.answer()["result"]["isError"], true);
}

#[test]
fn a_tool_that_a_rule_asks_about_waits_for_the_user() {
    let outcome = Session::new().client(call(1, "deploy"));
    let text = outcome.answer()["result"]["content"][0]["text"].as_str().unwrap();
    let record = outcome.record(RecordKind::Call);
    assert!(text.contains("only after the user has approved it") && text.contains("outside of this client"));
    assert!(text.contains(record.code.as_deref().unwrap()), "{text}");
    assert_eq!(record.verdict.word(), "ask");
}

#[test]
fn a_denied_tool_that_a_filtered_list_hid_is_unknown() {
    let mut session = Session::new();
    session.asks(1, "tools/list");
    session.server(result(1, r#"{"tools":[{"name":"merge_x"},{"name":"read"}]}"#));
    let outcome = session.client(call(2, "merge_x"));
    let error = &outcome.answer()["error"];
    assert_eq!(error["code"], -32602);
    assert_eq!(error["message"], "Unknown tool: merge_x");
    assert_eq!(error["data"]["rule"], "no-merge");
    assert_eq!(error["data"]["code"].as_str(), outcome.record(RecordKind::Call).code.as_deref());
}

#[test]
fn a_denied_prompt_gets_an_error_and_is_unknown_once_its_list_was_filtered() {
    let mut session = Session::new();
    let get = |id| request(id, "prompts/get", r#"{"name":"merge-now"}"#);
    let outcome = session.client(get(1));
    let error = &outcome.answer()["error"];
    assert_eq!(error["code"], 1403);
    assert!(error["message"].as_str().unwrap().contains("`no-merge`"));
    assert_eq!(error["data"]["verdict"], "deny");
    session.asks(2, "prompts/list");
    session.server(result(2, r#"{"prompts":[{"name":"merge-now"}]}"#));
    let outcome = session.client(get(3));
    assert_eq!(outcome.answer()["error"]["code"], -32602);
    assert_eq!(outcome.answer()["error"]["message"], "Unknown prompt: merge-now");
}

#[test]
fn a_completion_is_judged_like_the_prompt_that_it_is_for() {
    let complete = |id, reference: &str| {
        let params = format!(r#"{{"ref":{reference},"argument":{{"name":"a","value":"b"}}}}"#);
        request(id, "completion/complete", &params)
    };
    let mut session = Session::new();
    let outcome = session.client(complete(1, r#"{"type":"ref/prompt","name":"merge-now"}"#));
    let nothing = serde_json::json!({"completion": {"values": [], "total": 0, "hasMore": false}});
    assert_eq!(outcome.answer()["result"], nothing);
    assert_eq!(outcome.record(RecordKind::Call).item.as_deref(), Some("merge-now"));
    assert_eq!(outcome.rule(), "no-merge");
    // A sloppy server looks at the name alone.
    for reference in [
        r#"{"type":"ref/x","name":"merge-now"}"#,
        r#"{"type":"ref/resource","uri":"memo://a","name":"merge-now"}"#,
    ] {
        assert_eq!(session.client(complete(2, reference)).answer()["result"], nothing);
    }
    let modern = complete(2, &format!(r#"{{"type":"ref/prompt","name":"merge-now"}},{MODERN_META}"#));
    assert_eq!(session.client(modern).answer()["result"]["resultType"], "complete");
    assert!(session.client(complete(3, r#"{"type":"ref/prompt","name":"other"}"#)).untouched);
    assert!(session.client(complete(4, r#"{"type":"ref/resource","uri":"file:///a"}"#)).untouched);
}

#[test]
fn params_that_servers_would_read_differently_are_refused() {
    let cases = [
        ("tools/call", r#"{}"#),
        ("tools/call", r#"{"name":7,"arguments":{}}"#),
        ("tools/call", r#"{"name":["read"]}"#),
        ("tools/call", r#"{"name":"read","arguments":[1]}"#),
        ("tools/call", r#"{"name":"read","arguments":"{}"}"#),
        ("tools/call", r#"{"name":"read","arguments":1}"#),
        ("prompts/get", r#"{}"#),
        ("prompts/get", r#"{"name":null}"#),
        ("prompts/get", r#"{"name":"a","arguments":[]}"#),
        ("completion/complete", r#"{}"#),
        ("completion/complete", r#"{"ref":"ref/prompt"}"#),
        ("completion/complete", r#"{"ref":{"name":"x"}}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":3}}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/resource","name":"a"}}"#),
        ("resources/read", r#"{}"#),
        ("resources/read", r#"{"uri":["memo://a"]}"#),
        ("resources/subscribe", r#"{"uri":7}"#),
        ("skills/get", r#"{"uri":null}"#),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":"memo://a"}}"#),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":[7]}}"#),
        ("subscriptions/listen", r#"{"notifications":{"ResourceSubscriptions":["memo://a"]}}"#),
        ("tasks/get", r#"{"taskId":1}"#),
    ];
    for (method, params) in cases {
        let mut session = Session::new();
        let outcome = session.client(request(1, method, params));
        assert_eq!(outcome.answer()["error"]["code"], -32602, "{method} {params}");
        assert_eq!(outcome.rule(), "method/params");
    }
}

#[test]
fn methods_that_the_stateless_era_has_no_more_are_none_whatever_they_lack() {
    for method in ["resources/subscribe", "resources/unsubscribe", "tasks/result"] {
        let line = request(1, method, &format!("{{{MODERN_META}}}"));
        let outcome = Session::new().client(&line);
        assert_eq!(outcome.answer()["error"]["code"], -32601, "{method}");
        assert_eq!(outcome.rule(), "method/removed");
        // In the older era it lacks something.
        assert_eq!(Session::new().client(request(1, method, "{}")).rule(), "method/params");
    }
    // A server may know them all the same.
    let line = request(1, "resources/subscribe", &format!(r#"{{"uri":"memo://a",{MODERN_META}}}"#));
    assert!(Session::new().client(line).untouched);
}

#[test]
fn arguments_that_are_null_or_missing_are_fine() {
    for params in [r#"{"name":"read","arguments":null}"#, r#"{"name":"read"}"#] {
        assert!(Session::new().client(request(1, "tools/call", params)).untouched, "{params}");
    }
}

#[test]
fn an_unknown_method_is_forwarded_or_refused_as_the_policy_says() {
    let line = request(1, "vendor/thing", r#"{"a":1}"#);
    assert!(Session::new().client(&line).untouched);
    let mut strict = Session::with("version = 1\n[defaults]\nunknown_methods = \"deny\"\n");
    let outcome = strict.client(&line);
    assert_eq!(outcome.answer()["error"]["code"], -32601);
    assert_eq!(outcome.rule(), "method/unknown");
    // A method that goes the other way only is not known in this one.
    assert_eq!(strict.client(request(2, "sampling/createMessage", "{}")).answer()["error"]["code"], -32601);
    assert_eq!(
        strict.server(request(3, "tools/call", r#"{"name":"x"}"#)).answer_to_server()["error"]["code"],
        -32601
    );
}

#[test]
fn every_method_of_every_revision_passes_a_policy_that_refuses_unknown_ones() {
    let mut session = Session::with("version = 1\n[defaults]\nunknown_methods = \"deny\"\n");
    let methods = "initialize server/discover ping tools/list resources/list resources/templates/list \
        resources/read resources/subscribe resources/unsubscribe resources/directory/read subscriptions/listen \
        prompts/list logging/setLevel tasks/get tasks/result tasks/list tasks/cancel tasks/update skills/list skills/get";
    for (id, method) in (1..).zip(methods.split_whitespace()) {
        let line = request(id, method, r#"{"uri":"memo://a","taskId":"t"}"#);
        let outcome = session.client(line);
        let is_stray = method.starts_with("tasks/") && method != "tasks/list";
        assert!(outcome.untouched || (is_stray && outcome.rule() == "task/unknown"), "{method}: {outcome:?}");
    }
    for (id, method) in
        (1..).zip("ping sampling/createMessage roots/list elicitation/create tasks/list".split(' '))
    {
        assert!(session.server(request(id, method, r#"{"taskId":"t"}"#)).untouched, "{method}");
    }
}

#[test]
fn the_peers_claims_are_remembered_and_cut() {
    let mut session = Session::new();
    assert_eq!(session.mediator.claims(), (None, None));
    let long = "x".repeat(500);
    session.client(request(1, "initialize", r#"{"clientInfo":{"name":"Claude","version":"1.2"}}"#));
    session.server(result(1, &format!(r#"{{"serverInfo":{{"name":"{long}","version":"9"}}}}"#)));
    let (client, server) = session.mediator.claims();
    assert_eq!(client, Some("Claude 1.2"));
    assert_eq!(server.unwrap().len(), 128);
}

#[test]
fn the_stateless_era_claims_in_every_message() {
    let mut session = Session::new();
    let meta = MODERN_META.replace(
        r#""io.modelcontextprotocol/clientCapabilities""#,
        r#""io.modelcontextprotocol/clientInfo":{"name":"Cursor","version":"3"},"io.modelcontextprotocol/clientCapabilities""#,
    );
    session.client(request(1, "tools/list", &format!("{{{meta}}}")));
    session.server(result(
        1,
        r#"{"tools":[],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"files","version":"2"}}}"#,
    ));
    assert_eq!(session.mediator.claims(), (Some("Cursor 3"), Some("files 2")));
}

#[test]
fn a_policy_that_changes_judges_from_the_next_line_on() {
    let mut session = Session::new();
    session.calls(1, "read");
    let (policy, engine) = crate::session::judges(
        "version = 1\n[[rule]]\nid = \"none\"\neffect = \"deny\"\ntools = [\"*\"]\nreason = \"closed\"\n",
    );
    session.mediator.set_policy(policy, engine);
    assert_eq!(session.client(call(2, "read")).answer()["result"]["isError"], true);
    assert!(session.server(text_result(1, "still delivered")).untouched);
}

#[test]
fn a_policy_that_only_monitors_stops_nothing_and_says_what_it_would_have_done() {
    let policy = crate::session::POLICY.replacen("version = 1", "version = 1\nmode = \"monitor\"", 1);
    let outcome = Session::with(&policy).client(call(1, "merge_x"));
    assert!(outcome.untouched);
    let record = outcome.record(RecordKind::Call);
    assert_eq!(record.verdict.access, Access::Allow);
    assert_eq!(record.verdict.would_have.as_ref().unwrap().rule, "no-merge");
}

#[test]
fn names_on_record_are_cut() {
    let name = "a".repeat(1_000);
    let outcome = Session::new().client(call(1, &name));
    let record = outcome.record(RecordKind::Call);
    assert_eq!(record.item.as_ref().unwrap().chars().count(), 128);
    let id = "i".repeat(200);
    let line = format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"ping"}}"#);
    let outcome = Session::new().client(line);
    assert_eq!(outcome.record(RecordKind::Call).request_id.as_ref().unwrap().chars().count(), 64);
}

#[test]
fn a_question_of_our_own_is_answered_to_us_alone() {
    let mut session = Session::new();
    let mut actions = Vec::new();
    let now = stockade_policy::mediator::Now(1);
    let id = session.mediator.ask_server("tools/list", "{}", now, &mut actions);
    let asked = crate::session::Outcome::read(b"", actions);
    assert_eq!(asked.to_server[0]["id"], id.as_str());
    assert_eq!(asked.to_server[0]["method"], "tools/list");
    let answer = format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{{"tools":[]}}}}"#);
    let outcome = session.server(&answer);
    assert!(outcome.is_dropped());
    assert_eq!(outcome.record(RecordKind::Answer).verdict.word(), "allow");
    assert_eq!({ session.server(&answer) }.rule(), "session/unknown-id", "one answer per id");
}

#[test]
fn what_waits_is_told_as_its_record_tells_it() {
    let mut session = Session::new();
    session.asks(1, "subscriptions/listen");
    session.calls(2, concat!("ghp_", "Zk3VbN8qL2xYw7TfR5mJc9HdS4aGp1EuK6oQ"));
    session.calls(3, "read_file");
    session.calls(4, "list");
    let (waiting, all) = session.mediator.waiting(Peer::Client, 2);
    assert_eq!(all, 3, "a subscription is no work that is being done");
    assert_eq!(waiting.len(), 2);
    assert_eq!((waiting[0].id.as_str(), waiting[0].method.as_str()), ("2", "tools/call"));
    assert!(!waiting[0].item.as_deref().unwrap().contains("Zk3V"), "{waiting:?}");
    assert_eq!(waiting[1].item.as_deref(), Some("read_file"));
    session.server(r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    assert_eq!(session.mediator.waiting(Peer::Client, 2).1, 2);
    assert_eq!(session.mediator.waiting(Peer::Server, 2), (Vec::new(), 0));
}

#[test]
fn a_tool_is_called_as_often_as_its_limit_allows_and_refused_calls_use_up_nothing() {
    let limit = "[[limit]]\nid = \"few\"\ntools = [\"read\"]\ncalls = 2\nper = \"1m\"\nreason = \"few\"\n";
    let mut session = Session::with(&format!("{}\n{limit}", crate::session::POLICY));
    let blocked = session.client(crate::session::call_with(1, "read", "Nightfall"));
    assert_eq!(blocked.rule(), "stop-projects");
    session.calls(2, "read");
    session.calls(3, "read");
    let outcome = session.client(call(4, "read"));
    assert_eq!((&outcome.answer()["result"]["isError"], outcome.rule()), (&true.into(), "few"));
    session.calls(5, "other");
    session.now_ms += 120_000;
    session.calls(6, "read");
}

#[test]
fn the_bytes_of_answers_use_up_a_limit_whatever_they_answer() {
    let limit = "version = 1\n[[limit]]\nid = \"much\"\ntools = [\"read\"]\nprompts = [\"review\"]\n\
                 resources = [\"file:///srv/*\"]\nbytes = \"1KiB\"\nper = \"1m\"\nreason = \"too much\"\n";
    let uri = |id, uri| request(id, "resources/read", &format!(r#"{{"uri":"{uri}"}}"#));
    let prompt = |id| request(id, "prompts/get", r#"{"name":"review"}"#);
    let requests = [call(1, "read"), uri(1, "file:///srv/%61"), prompt(1)];
    for first in &requests {
        let mut session = Session::with(limit);
        assert!(session.client(first).untouched, "{first}");
        assert!(
            session.server(text_result(1, &"x".repeat(1_100))).untouched,
            "what is there is not withheld"
        );
        for next in [call(2, "read"), uri(2, "file:///srv/b"), uri(2, "file:///srv/%62"), prompt(2)] {
            assert_eq!(session.client(&next).rule(), "much", "{first} {next}");
        }
        assert!(session.client(uri(3, "file:///home/b")).untouched);
        assert_eq!(
            session.client(uri(6, "file:///home/../srv/b")).rule(),
            "resource/uri",
            "no reading is sure"
        );
        assert!(session.client(request(4, "resources/unsubscribe", r#"{"uri":"file:///srv/b"}"#)).untouched);
        session.now_ms += 120_000;
        assert!(session.client(uri(5, "file:///srv/b")).untouched);
    }
}

#[test]
fn the_result_of_a_task_is_counted_for_the_tool_that_made_it() {
    let limit = "version = 1\n[[limit]]\nid = \"much\"\ntools = [\"read\"]\nbytes = \"1KiB\"\nper = \"1m\"\nreason = \"much\"\n";
    let mut session = Session::with(limit);
    assert!(session.client(request(1, "tools/call", r#"{"name":"read","task":{}}"#)).untouched);
    assert!(session.server(result(1, r#"{"task":{"taskId":"t1","status":"working"}}"#)).untouched);
    assert!(session.client(request(2, "tasks/result", r#"{"taskId":"t1"}"#)).untouched);
    assert!(session.server(text_result(2, &"x".repeat(1_100))).untouched);
    assert_eq!(session.client(call(3, "read")).rule(), "much");
}
