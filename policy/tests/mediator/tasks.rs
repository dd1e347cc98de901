//! Tasks: results that are fetched later belong to the call that made them.

use serde_json::json;

use crate::session::{MODERN_META, POLICY, Session, judges, modern_call, notification, request, result};

/// A call of the handshake era that asks for a task.
fn task_call(id: u32, tool: &str) -> String {
    request(id, "tools/call", &format!(r#"{{"name":"{tool}","arguments":{{}},"task":{{"ttl":1000}}}}"#))
}

/// A session with the task `t1`, made by a call of `read`.
fn working() -> Session {
    let mut session = Session::new();
    assert!(session.client(task_call(1, "read")).untouched);
    assert!(session.server(result(1, r#"{"task":{"taskId":"t1","status":"working"}}"#)).untouched);
    session
}

fn about(id: u32, method: &str, task: &str) -> String {
    request(id, method, &json!({"taskId": task}).to_string())
}

const METHODS: [&str; 4] = ["tasks/get", "tasks/result", "tasks/cancel", "tasks/update"];

#[test]
fn only_tasks_of_this_session_can_be_asked_about() {
    for method in METHODS {
        let mut session = working();
        for (id, task) in [(2, "t2"), (3, "T1"), (4, "t1 "), (5, "")] {
            let outcome = session.client(about(id, method, task));
            let told = (&outcome.answer()["error"]["code"], outcome.rule());
            assert_eq!(told, (&json!(-32602), "task/unknown"), "{method} {task}");
        }
        assert!(session.client(about(6, method, "t1")).untouched, "{method}");
        assert_eq!(
            session.server(about(6, method, "t1")).rule(),
            "task/unknown",
            "the client's, not the server's"
        );
    }
}

#[test]
fn a_client_that_declared_no_tasks_hears_so_in_the_stateless_era() {
    let meta = |capabilities| {
        json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        })
    };
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let ask = |method, capabilities| {
        let params = json!({"taskId": "t2", "_meta": meta(capabilities)});
        let outcome = working().client(request(2, method, &params.to_string()));
        (outcome.answer()["error"].clone(), outcome.rule().to_owned())
    };
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        for capabilities in [json!({}), json!({"extensions": {}}), json!({"tasks": {}})] {
            let (error, rule) = ask(method, capabilities);
            assert_eq!((&error["code"], &*rule), (&json!(-32021), "task/unknown"), "{method}");
            assert_eq!(error["data"]["requiredCapabilities"], tasks);
        }
        assert_eq!(ask(method, tasks.clone()).0["code"], -32602, "{method}");
    }
    // The stateless era has no such method, whoever asks.
    for capabilities in [json!({}), tasks.clone()] {
        let (error, rule) = ask("tasks/result", capabilities);
        assert_eq!((&error["code"], &*rule), (&json!(-32601), "method/removed"));
    }
}

#[test]
fn a_task_of_the_stateless_era_needs_no_asking() {
    for answer in
        [r#"{"resultType":"task","task":{"taskId":"t1"}}"#, r#"{"resultType":"task","taskId":"t1"}"#]
    {
        let mut session = Session::new();
        assert!(session.client(modern_call(1, "read")).untouched);
        assert!(session.server(result(1, answer)).untouched);
        assert!(session.client(about(2, "tasks/get", "t1")).untouched, "{answer}");
    }
}

#[test]
fn a_vendors_task_in_an_ordinary_answer_is_none() {
    let mut session = Session::new();
    session.calls(1, "read");
    assert!(session.server(result(1, r#"{"content":[],"task":{"taskId":"t1"}}"#)).untouched);
    assert_eq!(session.client(about(2, "tasks/get", "t1")).rule(), "task/unknown");
}

#[test]
fn the_result_of_a_task_is_withheld_like_that_of_its_call() {
    let mut session = working();
    session.client(about(2, "tasks/result", "t1"));
    let outcome = session.server(result(2, r#"{"content":[{"type":"text","text":"Nightfall"}]}"#));
    assert_eq!(outcome.answer()["result"]["isError"], true, "a tool's result looks like one");
    session.client(about(3, "tasks/get", "t1"));
    let outcome =
        session.server(result(3, r#"{"taskId":"t1","status":"completed","result":{"content":"Umbrella"}}"#));
    assert!(!outcome.forwarded.unwrap().contains("Umbrella"));
    let news = |text: &str| {
        notification("notifications/tasks", &format!(r#"{{"taskId":"t1","result":{{"x":"{text}"}}}}"#))
    };
    assert!(session.server(news("Nightfall")).is_dropped());
    assert!(session.server(news("fine")).untouched);
}

#[test]
fn a_task_whose_tool_was_denied_since_gives_nothing_any_more_and_can_be_stopped() {
    let mut session = working();
    assert!(session.client(about(2, "tasks/result", "t1")).untouched);
    let (policy, engine) = judges(&POLICY.replace("merge_*", "read"));
    session.mediator.set_policy(policy, engine);
    let outcome = session.server(result(2, r#"{"content":[]}"#));
    assert_eq!(
        (&outcome.answer()["result"]["isError"], outcome.rule()),
        (&json!(true), "no-merge"),
        "asked before"
    );
    for (id, method) in [(3, "tasks/get"), (4, "tasks/result"), (5, "tasks/update")] {
        assert_eq!(session.client(about(id, method, "t1")).rule(), "no-merge", "{method}");
    }
    assert!(session.server(notification("notifications/tasks/status", r#"{"taskId":"t1"}"#)).is_dropped());
    assert!(session.client(about(6, "tasks/cancel", "t1")).untouched);
}

#[test]
fn questions_in_the_state_of_a_task_are_judged() {
    let policy = format!(
        "{POLICY}\n[[rule]]\nid = \"no\"\neffect = \"deny\"\nfeatures = [\"sampling\"]\nreason = \"x\"\n"
    );
    let mut session = Session::with(&policy);
    session.client(task_call(1, "read"));
    session.server(result(1, r#"{"task":{"taskId":"t1"}}"#));
    session.client(about(2, "tasks/get", "t1"));
    let asks = r#"{"taskId":"t1","status":"input_required","inputRequests":{"q":{"method":"sampling/createMessage"}}}"#;
    assert_eq!(session.server(result(2, asks)).rule(), "no");
    assert!(session.server(notification("notifications/tasks", asks)).is_dropped());
}

#[test]
fn news_of_unknown_tasks_is_dropped() {
    let mut session = working();
    for method in ["notifications/tasks", "notifications/tasks/status"] {
        assert!(session.server(notification(method, r#"{"taskId":"t9"}"#)).is_dropped());
        assert!(session.server(notification(method, "{}")).is_dropped());
        assert!(session.server(notification(method, r#"{"taskId":"t1"}"#)).untouched);
    }
}

#[test]
fn a_list_of_tasks_shows_those_of_this_session() {
    let mut session = working();
    session.asks(2, "tasks/list");
    let list = r#"{"tasks":[{"taskId":"t9","statusMessage":"another user's"},{"taskId":"t1"},7]}"#;
    assert_eq!(
        session.server(result(2, list)).forwarded.unwrap(),
        result(2, r#"{"tasks":[{"taskId":"t1"}]}"#)
    );
    session.asks(3, "tasks/list");
    assert_eq!(session.server(result(3, r#"{"Tasks":[{"taskId":"t9"}]}"#)).rule(), "list/form");
    session.asks(4, "tasks/list");
    assert_eq!(session.server(result(4, r#"{"tasks":{"taskId":"t9"}}"#)).rule(), "list/form");
}

#[test]
fn a_subscription_follows_tasks_of_this_session_alone() {
    let mut session = working();
    let listen = format!(r#"{{"notifications":{{"taskIds":["t9","t1"]}},{MODERN_META}}}"#);
    let forwarded = session.client(request(2, "subscriptions/listen", &listen)).forwarded.unwrap();
    assert!(forwarded.contains(r#""taskIds":["t1"]"#), "{forwarded}");
}

#[test]
fn a_server_cannot_move_a_result_under_another_call() {
    let mut session = Session::with(&POLICY.replace("merge_*", "never"));
    session.client(task_call(1, "secret"));
    session.server(result(1, r#"{"task":{"taskId":"t1"}}"#));
    session.client(task_call(2, "read"));
    session.server(result(2, r#"{"task":{"taskId":"t1"}}"#));
    let (policy, engine) = judges(&POLICY.replace("merge_*", "secret"));
    session.mediator.set_policy(policy, engine);
    assert_eq!(session.client(about(3, "tasks/result", "t1")).rule(), "no-merge");
}

#[test]
fn what_the_server_asked_as_a_task_is_its_own() {
    let mut session = Session::new();
    assert!(session.server(request(1, "sampling/createMessage", r#"{"messages":[],"task":{}}"#)).untouched);
    assert!(session.client(result(1, r#"{"task":{"taskId":"c1"}}"#)).untouched);
    assert!(session.server(about(2, "tasks/get", "c1")).untouched);
    assert_eq!(session.server(about(3, "tasks/get", "c2")).rule(), "task/unknown");
    assert_eq!(session.client(about(3, "tasks/get", "c1")).rule(), "task/unknown", "not the client's");
}
