//! What policy refuses, as the client SDKs see it.

use serde_json::{Value, json};

use super::spine::{Client, jailed, npm_command};
use crate::support::{World, fixture_command};

const CLIENTS: [Client; 2] = [Client::PythonHandshake, Client::TypeScriptV1];

const POLICY: &str = r#"
version = 1

[[rule]]
id = "no-sums"
effect = "deny"
tools = ["get-sum"]
reason = "Sums are done by hand"

[[rule]]
id = "no-city"
effect = "deny"
prompts = ["args-prompt"]
reason = "Cities are nobody's business"

[[dlp]]
id = "project-names"
detect = ["keyword/projects"]
direction = "both"
action = "redact"

[[dlp]]
id = "never-leaves"
detect = ["keyword/crown"]
direction = "to-server"
action = "block"

[keywords.projects]
words = ["Nightfall"]

[keywords.crown]
words = ["Koh-i-Noor"]
"#;

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|item| item["name"].as_str()).collect()
}

fn text(call: &Value) -> &str {
    call["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {call}"))
}

fn visit(world: &World, client: Client, plan: &Value) -> Value {
    let policy = world.write("team.toml", POLICY);
    let flags = ["--policy", policy.to_str().expect("a path in UTF-8")];
    client.visit(world, plan, jailed(&flags, &npm_command("everything")))
}

#[test]
fn a_denied_tool_is_not_listed_and_cannot_be_called() {
    let world = World::new();
    let plan = json!({"calls": [
        {"tool": "get-sum", "arguments": {"a": 1, "b": 2}},
        {"tool": "echo", "arguments": {"message": "still here"}},
    ]});
    for client in CLIENTS {
        let got = visit(&world, client, &plan);
        assert!(!names(&got["tools"]).contains(&"get-sum"), "{client:?} was shown the tool");
        assert!(names(&got["tools"]).contains(&"echo"), "{client:?} was not shown the others");
        let denied = &got["calls"][0];
        assert!(!denied.to_string().contains("sum of 1 and 2"), "{client:?}: it ran: {denied}");
        assert!(denied["isError"] == true || denied["error"]["code"] == -32602, "{client:?}: {denied}");
        assert_eq!(text(&got["calls"][1]), "Echo: still here", "{client:?}");
    }
}

#[test]
fn a_denied_prompt_is_not_listed_and_cannot_be_got() {
    let world = World::new();
    let plan = json!({"prompts": [
        {"name": "args-prompt", "arguments": {"city": "Berlin"}},
        {"name": "simple-prompt"},
    ]});
    for client in CLIENTS {
        let got = visit(&world, client, &plan);
        assert!(!names(&got["prompts"]).contains(&"args-prompt"), "{client:?} was shown the prompt");
        assert!(names(&got["prompts"]).contains(&"simple-prompt"), "{client:?} was not shown the others");
        assert!(got["got_prompts"][0]["error"]["code"].is_i64(), "{client:?}: {}", got["got_prompts"][0]);
        assert!(got["got_prompts"][1]["messages"].is_array(), "{client:?}: {}", got["got_prompts"][1]);
    }
}

#[test]
fn a_keyword_is_redacted_and_the_rest_of_the_text_stays() {
    let world = World::new();
    let plan = json!({"calls": [
        {"tool": "echo", "arguments": {"message": "about Nightfall, and 🦊"}},
        {"tool": "echo", "arguments": {"message": "about nightfalls"}},
    ]});
    for client in CLIENTS {
        let got = visit(&world, client, &plan);
        let said = text(&got["calls"][0]);
        assert!(!said.contains("Nightfall"), "{client:?}: {said}");
        assert!(said.starts_with("Echo: about ") && said.ends_with(", and 🦊"), "{client:?}: {said}");
        assert_eq!(
            text(&got["calls"][1]),
            "Echo: about nightfalls",
            "{client:?}: a longer word is another word"
        );
    }
}

#[test]
fn a_blocked_keyword_does_not_reach_the_server_and_the_answer_does_not_repeat_it() {
    let world = World::new();
    let plan =
        json!({"calls": [{"tool": "echo", "arguments": {"message": "the Koh-i-Noor lies in the tower"}}]});
    for client in CLIENTS {
        let got = visit(&world, client, &plan);
        let blocked = &got["calls"][0];
        assert!(!blocked.to_string().contains("tower"), "{client:?}: it was echoed: {blocked}");
        assert!(
            !blocked.to_string().contains("Koh-i-Noor"),
            "{client:?}: the finding is repeated: {blocked}"
        );
        assert!(blocked["isError"] == true || blocked["error"]["code"].is_i64(), "{client:?}: {blocked}");
    }
    let log = world.stockade(["log", "--json"]).output().expect("log runs");
    let log = String::from_utf8(log.stdout).expect("UTF-8");
    assert!(log.contains("never-leaves"), "the rule is on record: {log}");
    assert!(!log.contains("Koh-i-Noor"), "the word itself is not on record");
}

#[test]
fn a_denied_server_is_not_started() {
    let world = World::new();
    world.user_policy(
        "version = 1\n[[rule]]\nid = \"none\"\neffect = \"deny\"\nservers = [\"*\"]\nreason = \"No servers here\"\n",
    );
    let trace = world.root().join("trace");
    let command = fixture_command("scripted.py", &["--log", trace.to_str().expect("a path in UTF-8")]);
    let words =
        ["run".into(), "--grant-write".into(), world.root().into(), "--".into()].into_iter().chain(command);
    let output = world.stockade::<_, std::ffi::OsString>(words).output().expect("stockade starts");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("No servers here"), "{output:?}");
    assert!(!trace.exists(), "the server ran");
}
