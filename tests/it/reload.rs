//! A policy that changes while sessions run: the next message is judged by it, and says so.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{World, converse, drive, finish, fixture_command, raw_driver, stockade_bin};

const DEADLINE: Duration = Duration::from_secs(300);

fn call(id: u32, tool: &str, arguments: Value) -> [Value; 2] {
    let params = json!({ "name": tool, "arguments": arguments });
    let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
    [json!({ "send": message }), json!({ "await": id, "within": 60 })]
}

fn denying(rule: &str, tool: &str) -> String {
    format!(
        "version = 1\n[[rule]]\nid = \"{rule}\"\neffect = \"deny\"\ntools = [\"{tool}\"]\nreason = \"a test\"\n"
    )
}

/// What came of a session under this script.
fn session(world: &World, flags: &[&str], steps: Vec<Value>) -> Value {
    let all: Vec<Value> = [json!({ "handshake": true })].into_iter().chain(steps).collect();
    converse(world, flags, &fixture_command("learner.py", &[]), all)
}

fn events(world: &World) -> Vec<Value> {
    let text = finish(world.stockade(["log", "--json"]).spawn().expect("it starts"), DEADLINE).stdout_text();
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

/// The rule that refused each of these calls.
fn rules(outcome: &Value, ids: &[u32]) -> Vec<Option<String>> {
    let rule = |id: &u32| {
        let result = &outcome["answers"][id.to_string()][0]["result"];
        assert!(result.is_object(), "no answer {id}: {outcome:#}");
        result["_meta"]["dev.stockade/decision"]["rule"].as_str().map(str::to_owned)
    };
    ids.iter().map(rule).collect()
}

#[test]
fn files_that_appear_change_break_and_vanish_hold_from_the_next_message_on() {
    let world = World::new();
    let file = world.root().join("config/stockade/policy.toml").display().to_string();
    let flag = world.write("flag.toml", "version = 1\n").display().to_string();
    let put = |path: &str, text: &str| json!({ "write": path, "text": text });
    let mut steps = call(1, "variables", json!({})).to_vec();
    steps.push(put(&file, &denying("first", "variables")));
    steps.extend(call(2, "variables", json!({})));
    steps.push(put(&file, "version = 1\nnonsense = true\n"));
    steps.extend(call(3, "variables", json!({})));
    steps.extend(call(4, "variables", json!({})));
    steps.push(put(&file, &denying("second", "names")));
    steps.extend(call(5, "variables", json!({})));
    steps.extend(call(6, "names", json!({ "path": "/" })));
    steps.push(json!({ "remove": file }));
    steps.extend(call(7, "names", json!({ "path": "/" })));
    steps.push(put(&flag, &denying("by-flag", "names")));
    steps.extend(call(8, "names", json!({ "path": "/" })));
    let outcome = session(&world, &["--policy", &flag], steps);
    let first = Some("first".to_owned());
    let expected = [
        None,
        first.clone(),
        first.clone(),
        first,
        None,
        Some("second".to_owned()),
        None,
        Some("by-flag".to_owned()),
    ];
    assert_eq!(rules(&outcome, &[1, 2, 3, 4, 5, 6, 7, 8]), expected, "{outcome:#}");
    let events = events(&world);
    let count = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((count("policy.changed"), count("policy.broken")), (4, 1));
    let broken = events.iter().find(|event| event["kind"] == "policy.broken").expect("the alert");
    assert!(broken["what"]["why"].as_str().expect("text").contains("policy.toml:2:"), "{broken:#}");
    let stderr = outcome["stderr"].as_str().expect("text");
    assert_eq!(stderr.matches("the last good one stays in force").count(), 1, "{stderr}");
    // The session's events name the policy by which each was decided: the same one before and after the broken file.
    let calls: Vec<&Value> = events
        .iter()
        .filter(|event| event["kind"] == "call" && event["what"]["method"] == "tools/call")
        .collect();
    let hashes: Vec<&Value> = calls.iter().map(|event| &event["who"]["policy"]).collect();
    assert!(hashes[1] == hashes[2] && hashes[2] == hashes[3] && hashes[4] == hashes[5], "{hashes:?}");
    assert!(
        hashes[0] != hashes[1] && hashes[3] != hashes[4] && hashes[5] != hashes[6] && hashes[0] == hashes[6]
    );
}

#[test]
fn a_server_that_is_no_longer_allowed_ends_with_an_error_to_whoever_waits() {
    let world = World::new();
    let file = world.root().join("config/stockade/policy.toml").display().to_string();
    let out = "version = 1\n[[rule]]\nid = \"out\"\neffect = \"deny\"\nreason = \"it was found to be bad\"\n";
    let params = json!({ "name": "run", "arguments": { "words": ["/bin/sleep", "600"] } });
    let steps = vec![
        json!({ "send": { "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params } }),
        json!({ "pause": 0.5 }),
        json!({ "write": file, "text": out }),
        // Nothing more is said: a quiet session is looked after as well.
        json!({ "await": 1, "within": 60 }),
    ];
    let outcome = session(&world, &[], steps);
    let error = &outcome["answers"]["1"][0]["error"];
    let message = error["message"].as_str().unwrap_or_else(|| panic!("{outcome:#}"));
    assert!(
        message.contains("no longer lets this server run: it was found to be bad (rule `out`, user)"),
        "{message}"
    );
    assert_eq!(outcome["code"], 125, "{outcome:#}");
    assert!(outcome["stderr"].as_str().expect("text").contains("the session was stopped"), "{outcome:#}");
}

#[test]
fn the_message_that_finds_its_server_denied_is_answered_and_not_forwarded() {
    let world = World::new();
    let file = world.root().join("config/stockade/policy.toml").display().to_string();
    let trace = world.project().join("trace");
    let out = "version = 1\n[[rule]]\nid = \"out\"\neffect = \"deny\"\nreason = \"it was found to be bad\"\n";
    let write =
        |id: u32| call(id, "write", json!({ "path": format!("{}-{id}", trace.display()), "text": "x" }));
    let mut steps = write(1).to_vec();
    steps.push(json!({ "write": file, "text": out }));
    steps.extend(write(2));
    let outcome = session(&world, &["--grant-write", &world.project().display().to_string()], steps);
    let error =
        outcome["answers"]["2"][0]["error"]["message"].as_str().unwrap_or_else(|| panic!("{outcome:#}"));
    assert!(error.contains("no longer lets this server run"), "{error}");
    let there = |id: u32| world.project().join(format!("trace-{id}")).exists();
    assert!(there(1) && !there(2), "the control, and the message");
}

#[test]
fn through_a_hundred_reloads_every_call_of_a_real_session_is_under_the_policy_that_judged_it() {
    let world = World::new();
    let mut command = raw_driver("reload.py");
    command.arg(world.root().join("config/stockade/policy.toml")).args(["6000", "60", "--"]);
    command.arg(stockade_bin()).args(["run", "--"]).args(fixture_command("learner.py", &[]));
    let outcome = drive(&world, command, Vec::<String>::new(), DEADLINE);
    assert_eq!(
        (&outcome["wrong"], &outcome["policies"], &outcome["denied"]),
        (&json!([]), &json!(100), &json!(3000)),
        "{outcome:#}"
    );
    let (mut names, mut denied) = (BTreeMap::<String, String>::new(), 0);
    for event in events(&world) {
        let (policy, rule) = (&event["who"]["policy"], &event["what"]["rule"]);
        if let (Some(policy), Some(rule)) = (policy.as_str(), rule.as_str())
            && rule.starts_with("rule-")
        {
            denied += 1;
            assert_eq!(names.entry(policy.to_owned()).or_insert_with(|| rule.to_owned()), rule, "{event:#}");
        }
    }
    let different: std::collections::BTreeSet<&String> = names.values().collect();
    assert_eq!((denied, names.len(), different.len()), (3000, 100, 100));
}
