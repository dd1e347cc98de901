//! How DLP is put into use: credentials that are a server's own job, suppressions, `dlp report`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, World, converse, drive, finish, node, raw_driver, stockade_bin};

const DEADLINE: Duration = Duration::from_secs(300);
const PACKAGE: &str = "node_modules/@modelcontextprotocol/server-github";
/// Blocks credentials on their way to servers.
const POLICY: &str = "version = 1\n[[dlp]]\nid = \"no-secrets\"\ndetect = [\"secret/*\"]\ndirection = \"to-server\"\naction = \"block\"\n";
const SERVER: &str = r#"
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  const results = {
    initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "github", version: "1" } },
    "tools/call": { content: [{ type: "text", text: "got " + params?.arguments?.text?.length + " characters" }] },
  };
  console.log(JSON.stringify({ jsonrpc: "2.0", id, result: results[method] ?? {} }));
});
"#;

fn github_token() -> String {
    ["ghp", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"].join("_")
}

fn gitlab_token() -> String {
    ["glpat", "x9Kf2LmQ7vTnR4bYwZ1c"].join("-")
}

/// A package of GitHub's name below this directory of the world.
fn package(world: &World, below: &str) -> PathBuf {
    let manifest = json!({ "name": "@modelcontextprotocol/server-github", "version": "2025.4.8" });
    world.write(&format!("{below}/{PACKAGE}/package.json"), &manifest.to_string());
    world.write(&format!("{below}/{PACKAGE}/index.js"), SERVER)
}

/// What came of calls with these texts, in a session under these flags.
fn session(world: &World, flags: &[&str], script: &PathBuf, texts: &[&str]) -> Vec<String> {
    let mut steps = vec![json!({ "handshake": true })];
    for (id, text) in (1..).zip(texts) {
        let params = json!({ "name": "push", "arguments": { "text": text } });
        steps.push(
            json!({ "send": { "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params } }),
        );
        steps.push(json!({ "await": id, "within": 60 }));
    }
    let server = [node().into_os_string(), script.into()];
    let outcome = converse(world, flags, &server, steps);
    let answer = |id: usize| outcome["answers"][id.to_string()][0]["result"].to_string();
    (1..=texts.len()).map(answer).collect()
}

fn passes(world: &World, flags: &[&str], script: &PathBuf, text: &str) -> bool {
    let answer = &session(world, flags, script, &[text])[0];
    let stopped = answer.contains("`no-secrets`");
    assert_ne!(stopped, answer.contains(&format!("got {} characters", text.len())), "{answer}");
    assert!(!answer.contains(text), "{answer}");
    !stopped
}

fn stockade(world: &World, words: &[&str]) -> Finished {
    finish(world.stockade(words.iter().copied()).spawn().expect("it starts"), DEADLINE)
}

fn report(world: &World) -> Value {
    let done = stockade(world, &["dlp", "report", "--json"]);
    assert_eq!(done.code(), 0, "{done:#?}");
    serde_json::from_slice(&done.stdout).expect("JSON")
}

fn suppress(until: &str) -> String {
    format!(
        "{POLICY}[[suppress]]\nid = \"fixture\"\ndetect = [\"secret/gitlab-pat\"]\npath = \"/params/arguments/*\"\ntools = [\"push\"]\n\
         author = \"Ada\"\nreason = \"a token of the tests\"\nuntil = \"{until}\"\n"
    )
}

/// A day so many days from now.
fn day(from_now: i64) -> String {
    let day = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    day.checked_add(jiff::Span::new().days(from_now)).expect("a day").to_string()
}

#[test]
fn a_token_goes_to_the_server_whose_job_it_is_and_is_counted_there() {
    let world = World::new();
    world.user_policy(POLICY);
    let script = package(&world, "servers");
    assert!(passes(&world, &[], &script, &github_token()));
    assert!(!passes(&world, &[], &script, &gitlab_token()), "another vendor's token is none of its business");
    let report = report(&world);
    assert_eq!((&report["passed_as_own"], &report["findings"]), (&json!(1), &json!(1)));
    let shown = script.display().to_string();
    let explained =
        stockade(&world, &["run", "--explain", "--", &node().display().to_string(), &shown]).stdout_text();
    assert!(explained.contains("secret/github-*\n  no findings in messages to it"), "{explained}");
    let shown = stockade(&world, &["profile", "show", "server-github"]).stdout_text();
    assert!(shown.contains("Credentials that are its job") && shown.contains("secret/github-*"), "{shown}");
}

#[test]
fn a_server_that_only_calls_itself_github_gets_no_token() {
    let world = World::new();
    world.user_policy(POLICY);
    let claimed = world.write("servers/github.js", SERVER);
    assert!(!passes(&world, &["--id", "claude/server-github"], &claimed, &github_token()));
    assert!(!passes(&world, &["--profile", "server-github"], &claimed, &github_token()), "a flag is a claim");
    let planted = package(&world, "project");
    assert!(
        !passes(&world, &[], &planted, &github_token()),
        "whoever writes the project writes its packages"
    );
    let mine =
        "name = \"mine\"\ndescription = \"d\"\nextends = \"server-github\"\nidentity = [\"pkg:npm/other\"]\n";
    world.write("config/stockade/profiles/mine.toml", mine);
    assert!(!passes(&world, &["--profile", "mine"], &claimed, &github_token()));
}

#[test]
fn a_rule_can_ignore_destinations() {
    let world = World::new();
    world.user_policy(&format!("{POLICY}destinations = \"ignore\"\n"));
    assert!(!passes(&world, &[], &package(&world, "servers"), &github_token()));
}

#[test]
fn a_suppression_holds_until_its_end_and_what_it_swallows_is_on_record() {
    let world = World::new();
    let script = package(&world, "servers");
    world.user_policy(&suppress(&day(0)));
    assert!(passes(&world, &[], &script, &gitlab_token()));
    let counted = report(&world);
    assert_eq!(
        (&counted["suppressed"]["fixture"], &counted["findings"]),
        (&json!(1), &json!(0)),
        "{counted:#}"
    );
    let log = stockade(&world, &["log", "--json"]).stdout_text();
    assert!(log.contains(r#""suppressed":[{"detector":"secret/gitlab-pat","hash":""#), "{log}");
    assert!(!log.contains(&gitlab_token()));

    world.user_policy(&suppress(&day(-1)));
    assert!(!passes(&world, &[], &script, &gitlab_token()), "it has ended");
    let file = world.root().join("config/stockade/policy.toml").display().to_string();
    let checked = stockade(&world, &["policy", "check", &file]);
    assert!(checked.code() == 0 && checked.stderr.contains("`fixture` of Ada ended at"), "{checked:#?}");
    let shown = stockade(&world, &["dlp", "report"]).stdout_text();
    assert!(shown.contains("Suppressions without effect"), "{shown}");

    world.user_policy(&suppress(&day(500)));
    assert!(!passes(&world, &[], &script, &gitlab_token()), "nobody answers for more than a year");
    let checked = stockade(&world, &["policy", "check", &file]);
    assert!(checked.code() == 1 && checked.stderr.contains("more than a year ahead"), "{checked:#?}");
}

#[test]
fn a_project_that_suppresses_is_refused_and_a_running_session_does_not_take_it_up() {
    let world = World::new();
    world.user_policy(POLICY);
    let script = package(&world, "servers");
    let fragment = suppress(&day(30)).replace(POLICY, "version = 1\n");
    let place = world.write("project/.stockade/policy.toml", &fragment);
    let words = ["run", "--", &node().display().to_string(), &script.display().to_string()];
    let refused = stockade(&world, &words);
    assert_eq!(refused.code(), 125, "{refused:#?}");
    assert!(refused.stderr.contains("cannot suppress findings"), "{refused:#?}");
    assert!(
        refused.stderr.contains("[[suppress]] `fixture`; whoever wrote the project wrote it"),
        "{refused:#?}"
    );
    std::fs::remove_file(&place).expect("it is there");

    let call = |id: u32| {
        let params = json!({ "name": "push", "arguments": { "text": gitlab_token() } });
        json!({ "send": { "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params } })
    };
    let steps = json!([
        { "handshake": true }, call(1), { "await": 1, "within": 60 },
        { "write": place.display().to_string(), "text": fragment }, call(2), { "await": 2, "within": 60 },
    ]);
    let steps = world.write("steps.json", &steps.to_string());
    let mut command = raw_driver("converse.py");
    command.arg(steps).arg("--").arg(stockade_bin()).args(words);
    let outcome = drive(&world, command, Vec::<OsString>::new(), DEADLINE);
    for id in ["1", "2"] {
        assert!(outcome["answers"][id][0]["result"].to_string().contains("`no-secrets`"), "{outcome:#}");
    }
    let log = stockade(&world, &["log", "--json"]).stdout_text();
    assert!(log.contains("policy.broken") && log.contains("cannot suppress findings"), "{log}");
}

#[test]
fn what_the_report_offers_is_what_ends_the_interruption() {
    let world = World::new();
    world.user_policy(POLICY);
    let script = package(&world, "servers");
    let told = stockade(&world, &["dlp", "report"]);
    assert!(told.code() == 0 && told.stdout_text().starts_with("no messages are on record"), "{told:#?}");
    assert!(!passes(&world, &[], &script, &gitlab_token()));
    let counted = report(&world);
    assert_eq!(
        (&counted["interruptions"]["blocked"], &counted["found"][0]["blocked"]),
        (&json!(1), &json!(1))
    );
    assert!(!counted.to_string().contains(&gitlab_token()));
    let offered = counted["found"][0]["suppress"].as_str().expect("a suppression");
    world.user_policy(&format!("{POLICY}{offered}"));
    let words = ["run", "--", &node().display().to_string(), &script.display().to_string()];
    let unsigned = stockade(&world, &words);
    assert!(unsigned.code() == 125 && unsigned.stderr.contains("`author` is empty"), "{unsigned:#?}");
    let signed =
        offered.replace("author = \"\"", "author = \"Ada\"").replace("reason = \"\"", "reason = \"known\"");
    world.user_policy(&format!("{POLICY}{signed}"));
    assert!(passes(&world, &[], &script, &gitlab_token()));
    assert_eq!(report(&world)["interruptions"]["blocked"], json!(1), "no other one");
}

#[test]
fn a_layer_that_only_watches_is_reported_by_what_it_would_have_done() {
    let world = World::new();
    world.user_policy(&format!("mode = \"monitor\"\n{POLICY}"));
    let script = package(&world, "servers");
    assert!(passes(&world, &[], &script, &gitlab_token()));
    let counted = report(&world);
    assert_eq!(
        (&counted["interruptions"]["blocked"], &counted["would_have"]["blocked"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(
        (&counted["found"][0]["recorded"], &counted["found"][0]["would_block"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(counted["would_have"]["per_30_days"], json!(30.0));

    // A damaged line is said to be missing, and the others count.
    let events = world.state().join("stockade/events");
    let segment = std::fs::read_dir(&events).expect("events").next().expect("one").expect("a file").path();
    let text = std::fs::read_to_string(&segment).expect("events are text");
    std::fs::write(&segment, text.replacen("secret/gitlab-pat", "secret/gitlab-paX", 1))
        .expect("it can be written");
    let told = stockade(&world, &["dlp", "report"]);
    assert!(told.code() == 0 && told.stderr.contains("1 damaged records were left out"), "{told:#?}");
    assert!(told.stdout_text().contains("found            nothing"), "{told:#?}");
}
