//! `why`, `request`, `requests`: the story of what was decided, and its evidence for whoever writes the policy.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, World, converse, drive, finish, fixture_command, raw_driver, stockade_bin};

const DEADLINE: Duration = Duration::from_secs(120);
const TOKEN: &str = "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";

const POLICY: &str = r#"version = 1

[[rule]]
id = "no-flood"
effect = "deny"
tools = ["flood"]
reason = "nobody needs that"

[[rule]]
id = "ask-names"
effect = "ask"
tools = ["names"]
reason = "a person looks at this first"

[[dlp]]
id = "no-tokens"
detect = ["secret/*"]
direction = "to-server"
action = "block"
reason = "tokens stay here"
"#;

fn stockade(world: &World, words: &[&str]) -> Finished {
    finish(world.stockade(words.iter().copied()).spawn().expect("it starts"), DEADLINE)
}

/// A world in which a call was allowed, one denied, one asked about and one blocked; their codes.
fn refused() -> (World, [String; 3]) {
    let world = World::new();
    world.user_policy(POLICY);
    let calls = [
        ("variables", json!({})),
        ("flood", json!({ "path": "/", "count": 1 })),
        ("names", json!({ "path": "/" })),
        ("write", json!({ "path": "/x", "text": TOKEN })),
    ];
    let mut steps = vec![json!({ "handshake": true })];
    for (n, (tool, arguments)) in calls.iter().enumerate() {
        let params = json!({ "name": tool, "arguments": arguments });
        steps
            .push(json!({ "send": { "jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params } }));
        steps.push(json!({ "await": n, "within": 60 }));
    }
    let outcome = converse(&world, &[], &fixture_command("learner.py", &[]), steps);
    let code = |id: &str| {
        let meta = &outcome["answers"][id][0]["result"]["_meta"]["dev.stockade/decision"]["code"];
        meta.as_str().unwrap_or_else(|| panic!("no code: {outcome:#}")).to_owned()
    };
    let codes = ["1", "2", "3"].map(code);
    (world, codes)
}

/// Who answered a call.
enum Answer {
    Refused,
    OfTheServer,
}

/// The text without its line breaks.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_refusal_is_told_with_its_rule_line_words_and_way_out() {
    let (world, [denied, asked, blocked]) = refused();
    let story = flat(&stockade(&world, &["why", &denied]).stdout_text());
    let file = world.root().join("config/stockade/policy.toml");
    for part in [
        &format!("Decision {denied}: flood was refused"),
        "rule `no-flood` (user): nobody needs that",
        &format!("{}:3", file.display()),
        "file:sha256:",
        "raw-driver 1",
        "the model: “Stockade policy rule `no-flood` does not let `flood` run: nobody needs that.",
        &format!("stockade request {denied}"),
        "Around it in its session",
        "→ tools/call variables allow",
    ] {
        assert!(story.contains(part), "{part:?} is not in it: {story}");
    }
    assert!(!story.contains("approve"), "a deny is not approved: {story}");
    let story = flat(&stockade(&world, &["why", &asked]).stdout_text());
    assert!(
        story.contains(&format!("stockade approve {asked} --for 15m"))
            && story.contains("waits for a person"),
        "{story}"
    );
    let story = flat(&stockade(&world, &["why", &blocked]).stdout_text());
    assert!(story.contains("secret/github-pat") && story.contains("/params/arguments/text"), "{story}");
    assert!(story.contains(&format!("{}:15", file.display())), "{story}");
    assert!(!story.contains(&TOKEN[..12]), "the secret is in it: {story}");
}

#[test]
fn without_a_name_it_is_the_latest_refusal_and_a_name_that_nobody_has_is_an_error() {
    let (world, [_, asked, blocked]) = refused();
    let latest = stockade(&world, &["why"]).stdout_text();
    assert!(latest.starts_with(&format!("Decision {blocked}")), "{latest}");
    // As people type it.
    let typed = stockade(&world, &["why", &asked.to_ascii_lowercase()]).stdout_text();
    assert!(typed.starts_with(&format!("Decision {asked}")), "{typed}");
    let json: Value =
        serde_json::from_slice(&stockade(&world, &["why", &asked, "--json"]).stdout).expect("JSON");
    assert_eq!((&json["event"]["what"]["code"], &json["rule_at"]["line"]), (&json!(asked), &json!(9)));
    let id = json["event"]["id"].as_str().expect("an id");
    assert!(stockade(&world, &["why", &id[..30]]).stdout_text().contains(id));
    let none = stockade(&world, &["why", "ZZZZ"]);
    assert!(none.code() == 64 && none.stderr.contains("no event on record"), "{none:#?}");
    let quiet = World::new();
    let none = stockade(&quiet, &["why"]);
    assert!(none.code() == 64 && none.stderr.contains("nothing was refused"), "{none:#?}");
}

#[test]
fn a_policy_that_changed_since_is_said_to_have_changed() {
    let (world, [denied, ..]) = refused();
    world.user_policy(&format!("# a new first line\n{POLICY}"));
    let story = flat(&stockade(&world, &["why", &denied]).stdout_text());
    assert!(story.contains("policy.toml:4, as the file is now: it was changed since"), "{story}");
    world.user_policy("version = 1\n");
    let story = flat(&stockade(&world, &["why", &denied]).stdout_text());
    assert!(story.contains("the rule is not in it"), "{story}");
}

#[test]
fn every_recorded_event_has_a_story() {
    let (world, _) = refused();
    let log = stockade(&world, &["log", "--json"]).stdout_text();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).expect("an event");
        let id = event["id"].as_str().expect("an id");
        let story = stockade(&world, &["why", id]);
        assert!(story.code() == 0 && story.stdout_text().contains(id), "{event:#}: {story:#?}");
    }
}

#[test]
fn a_request_keeps_the_evidence_and_the_lines_that_would_grant_it() {
    let (world, [denied, asked, blocked]) = refused();
    let mut ids = Vec::new();
    for code in [&denied, &asked, &blocked] {
        let kept = stockade(&world, &["request", code, "--reason", "we need\u{1b}[2J it"]);
        assert_eq!(kept.code(), 0, "{kept:#?}");
        ids.push(kept.stdout_text().split_whitespace().nth(1).expect("an id").to_owned());
    }
    for (id, rule) in ids.iter().zip(["no-flood", "ask-names", "no-tokens"]) {
        let shown = stockade(&world, &["requests", "show", id]).stdout_text();
        assert!(shown.contains("we need [2J it") && shown.contains("policy.toml:"), "{shown}");
        assert!(shown.contains(rule) && !shown.contains(&TOKEN[..12]), "{shown}");
        let json: Value =
            serde_json::from_slice(&stockade(&world, &["requests", "--json", "show", id]).stdout)
                .expect("JSON");
        let lines = json["fragment"].as_str().unwrap_or_else(|| panic!("no lines: {json:#}"));
        assert!(shown.contains(lines), "{shown}");
        let policy = world.write("granted.toml", &format!("version = 1\n{lines}"));
        let checked = stockade(&world, &["policy", "check", policy.to_str().expect("text")]);
        assert_eq!(checked.code(), 0, "{lines}\n{checked:#?}");
    }
    let exported = stockade(&world, &["requests", "export"]).stdout_text();
    assert_eq!(exported.lines().count(), 3);
    assert!(!exported.contains(&TOKEN[..12]), "{exported}");
    assert_eq!(stockade(&world, &["requests", "drop", &ids[0]]).code(), 0);
    assert_eq!(stockade(&world, &["requests", "show", &ids[0]]).code(), 64);
    assert_eq!(stockade(&world, &["requests", "export"]).stdout_text().lines().count(), 2);
}

#[test]
fn what_was_not_refused_cannot_be_requested() {
    let (world, _) = refused();
    let log = stockade(&world, &["log", "--json", "--verdict", "allow"]).stdout_text();
    let event: Value = serde_json::from_str(log.lines().next().expect("an event")).expect("an event");
    let refused = stockade(&world, &["request", event["id"].as_str().expect("an id")]);
    assert!(refused.code() == 64 && refused.stderr.contains("no refusal"), "{refused:#?}");
}

#[test]
fn the_lines_of_a_request_grant_what_only_the_default_refused() {
    let world = World::new();
    let once = |world: &World| {
        let params = json!({ "name": "names", "arguments": { "path": "/" } });
        let steps = json!([
            { "handshake": true },
            { "send": { "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params } },
            { "await": 1, "within": 60 },
        ]);
        let script = world.write("script.json", &steps.to_string());
        let mut command = raw_driver("converse.py");
        command
            .arg(script)
            .arg("--")
            .arg(stockade_bin())
            .args(["run", "--"])
            .args(fixture_command("learner.py", &[]));
        let outcome = drive(world, command, Vec::<String>::new(), DEADLINE);
        let result = &outcome["answers"]["1"][0]["result"];
        assert!(result.is_object(), "{outcome:#}");
        if result["_meta"].is_object() { Answer::Refused } else { Answer::OfTheServer }
    };
    assert!(matches!(once(&world), Answer::OfTheServer), "the control");
    // By which the rule knows it.
    let log = stockade(&world, &["log", "--json"]).stdout_text();
    let start: Value = serde_json::from_str(log.lines().next().expect("an event")).expect("an event");
    world.user_policy(&format!(
        "version = 1\n[defaults]\nserver = \"ask\"\n[[rule]]\nid = \"run-it\"\neffect = \"allow\"\nservers = [{}]\n\
         tools = [\"variables\"]\nreason = \"known\"\n",
        start["who"]["identity"][0]
    ));
    assert!(matches!(once(&world), Answer::Refused), "it is asked about");
    let kept = stockade(&world, &["request"]).stdout_text();
    let id = kept.split_whitespace().nth(1).expect("an id").to_owned();
    let json: Value =
        serde_json::from_slice(&stockade(&world, &["requests", "--json", "show", &id]).stdout).expect("JSON");
    let own = std::fs::read_to_string(world.root().join("config/stockade/policy.toml")).expect("text");
    world.user_policy(&format!("{own}\n{}", json["fragment"].as_str().expect("lines")));
    assert!(matches!(once(&world), Answer::OfTheServer), "the lines grant it");
}
