//! What a rule asks about, answered by a person at a terminal and by nobody else.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Finished, World, converse, driver, finish, fixture, fixture_command, python, raw_driver, stockade_bin,
};

const DEADLINE: Duration = Duration::from_secs(120);
const BACKENDS: [&str; 3] = ["namespaces", "notify", "static"];

const POLICY: &str = r#"
version = 1

[[rule]]
id = "ask-variables"
effect = "ask"
tools = ["variables"]
reason = "a person looks at this first"

[[rule]]
id = "ask-names"
effect = "ask"
tools = ["names"]
reason = "a person looks at this first"

[[rule]]
id = "no-flood"
effect = "deny"
tools = ["flood"]
reason = "nobody needs that"
"#;

/// A home with a policy that asks.
fn world() -> World {
    let world = World::new();
    world.user_policy(POLICY);
    world
}

/// A call of a tool, and the wait for its answer.
fn call(id: u32, tool: &str, arguments: Value) -> [Value; 2] {
    let params = json!({ "name": tool, "arguments": arguments });
    let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
    [json!({ "send": message }), json!({ "await": id, "within": 60 })]
}

/// `stockade WORDS…` on a terminal of its own, while the session goes on. `yes` is what is typed at the question.
fn on_a_terminal(yes: &str, words: &[&str]) -> Value {
    let terminal = driver("terminal.py").display().to_string();
    let mut run = vec![python().display().to_string(), "-B".to_owned(), terminal];
    run.extend(words.iter().map(|word| (*word).to_owned()));
    json!({ "run": run, "env": { "STOCKADE": stockade_bin(), "TYPED": yes, "AWAIT": "[y/N]" } })
}

fn approve(words: &[&str]) -> Value {
    on_a_terminal("y", &[&["approve", "$CODE"], words].concat())
}

/// What came of a session with a server under this script.
fn session_of(world: &World, server: &[std::ffi::OsString], flags: &[&str], steps: Vec<Value>) -> Value {
    let all: Vec<Value> = [json!({ "handshake": true })].into_iter().chain(steps).collect();
    converse(world, flags, server, all)
}

fn session(world: &World, steps: Vec<Value>) -> Value {
    session_of(world, &fixture_command("learner.py", &[]), &[], steps)
}

/// Whether the server answered this call; else the model was told to ask its user.
#[track_caller]
fn passed(outcome: &Value, id: u32) -> bool {
    let result = &outcome["answers"][id.to_string()][0]["result"];
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no answer {id}: {outcome:#}"));
    let refused = text.contains("only after the user has approved it");
    assert!(!refused || result["isError"] == true, "{outcome:#}");
    assert!(!text.contains("stockade approve"), "a command for a model: {text}");
    !refused
}

/// All events of a kind.
fn events(world: &World, kind: &str) -> Vec<Value> {
    let text = finish(world.stockade(["log", "--json"]).spawn().expect("it starts"), DEADLINE).stdout_text();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    events.filter(|event| event["kind"] == kind).collect()
}

/// The code of the latest refusal.
fn code(world: &World) -> String {
    let calls = events(world, "call");
    let codes = calls.iter().rev().find_map(|event| event["what"]["code"].as_str());
    codes.expect("a refusal").to_owned()
}

/// `stockade WORDS…` on a terminal, afterwards.
fn typed(world: &World, program: PathBuf, typed: &str, words: &[&str]) -> Finished {
    let mut command = raw_driver("terminal.py");
    command.args(words);
    world.dress(&mut command);
    command.env("STOCKADE", program).env("TYPED", typed).env("AWAIT", "[y/N]");
    finish(command.spawn().expect("the driver starts"), DEADLINE)
}

fn file(world: &World) -> PathBuf {
    world.state().join("stockade/approvals/approvals.json")
}

#[test]
fn an_approved_call_passes_once_and_its_event_names_the_approval() {
    let world = world();
    let mut steps = Vec::new();
    steps.extend(call(10, "names", json!({ "path": "/" })));
    steps.push(approve(&["--reason", "release\u{1b}[2J week"]));
    // Other arguments do not pass, and do not use it up.
    steps.extend(call(11, "names", json!({ "path": "/usr" })));
    steps.extend(call(12, "names", json!({ "path": "/" })));
    steps.extend(call(13, "names", json!({ "path": "/" })));
    let outcome = session(&world, steps);
    assert_eq!(outcome["runs"][0]["code"], 0, "{outcome:#}");
    let said = outcome["runs"][0]["said"].as_str().expect("text");
    assert!(said.contains(r#"{"path":"/"}"#) && said.contains("file:sha256:"), "what it is about: {said}");
    assert_eq!([10, 11, 12, 13].map(|id| passed(&outcome, id)), [false, false, true, false], "{outcome:#}");
    let given = events(&world, "approval.given");
    assert_eq!((given.len(), &given[0]["what"]["reason"]), (1, &json!("release [2J week")));
    let id = given[0]["what"]["id"].as_str().expect("an id");
    let calls = events(&world, "call");
    let named = calls.iter().filter(|event| event["what"]["item"] == "names");
    let by: Vec<Value> = named.map(|event| event["what"]["approval"].clone()).collect();
    assert_eq!(by, [Value::Null, Value::Null, json!(id), Value::Null]);
    // Neither log nor file hold the arguments that were not approved by their text.
    let mode = std::fs::metadata(file(&world)).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let listed = finish(world.stockade(["approvals", "--json"]).spawn().expect("it starts"), DEADLINE);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!((&listed[0]["uses"], &listed[0]["holds"]), (&json!(1), &json!(false)), "{listed:#}");
}

#[test]
fn a_tool_is_approved_for_a_session_and_revoked_in_its_midst() {
    let world = world();
    let mut steps = Vec::new();
    steps.extend(call(10, "names", json!({ "path": "/" })));
    steps.push(approve(&["--tool", "--for", "session"]));
    steps.extend(call(11, "names", json!({ "path": "/usr" })));
    // Another tool that a rule asks about is another question.
    steps.extend(call(12, "variables", json!({})));
    let revoke = format!(
        "id=$({0} approvals --json | sed -n 's/.*\"id\": \"\\(.*\\)\",/\\1/p'); {0} approvals revoke $id",
        stockade_bin().display()
    );
    steps.push(json!({ "run": ["/bin/sh", "-c", revoke] }));
    steps.extend(call(13, "names", json!({ "path": "/usr" })));
    let outcome = session(&world, steps);
    assert_eq!([10, 11, 12, 13].map(|id| passed(&outcome, id)), [false, true, false, false], "{outcome:#}");
    assert_eq!(events(&world, "approval.revoked").len(), 1, "{outcome:#}");
}

#[test]
fn an_approval_is_for_one_server_and_ends() {
    let world = world();
    let other = world.write(
        "project/learner.py",
        &(std::fs::read_to_string(fixture("learner.py")).expect("text") + "# other\n"),
    );
    let other = vec![python().into_os_string(), other.into_os_string()];
    let again = || call(10, "variables", json!({})).to_vec();
    let mut first = again();
    first.push(approve(&["--tool", "--for", "1h"]));
    first.extend(call(11, "variables", json!({})));
    assert!(passed(&session(&world, first), 11), "the control");
    assert!(passed(&session(&world, again()), 10), "in the next session too");
    assert!(!passed(&session_of(&world, &other, &[], again()), 10), "a server with another hash");
    // The clock set back to before it was given; the machine booted anew; its time over.
    let whole = std::fs::read_to_string(file(&world)).expect("the file");
    let edited: Value = serde_json::from_str(&whole).expect("JSON");
    let change = |key: &str, value: Value| {
        let mut edited = edited.clone();
        edited["approvals"][0][key] = value;
        std::fs::write(file(&world), edited.to_string()).expect("the file can be written");
    };
    for (key, value) in [
        ("given_unix_ms", json!(i64::MAX / 2)),
        ("boot", json!("another")),
        ("for_ms", json!(1)),
        ("given_boot_ms", json!(u64::MAX)),
        ("identity", json!(["file:sha256:00"])),
        ("mark", json!("00000000000000000000000000000000")),
    ] {
        change(key, value);
        assert!(!passed(&session(&world, again()), 10), "{key} was changed");
    }
    change("by", json!("somebody"));
    assert!(passed(&session(&world, again()), 10), "the control");
    for mode in [0o644, 0o602] {
        std::fs::set_permissions(file(&world), PermissionsExt::from_mode(mode)).expect("the mode");
        let outcome = session(&world, again());
        assert!(!passed(&outcome, 10), "mode {mode:o}");
        assert!(outcome["stderr"].as_str().expect("text").contains("no approval counts"), "{outcome:#}");
    }
    assert_eq!(events(&world, "approvals.distrusted").len(), 2);
}

#[test]
fn nobody_but_a_person_at_a_terminal_of_his_own_approves() {
    let world = world();
    session(&world, call(10, "names", json!({ "path": "/" })).to_vec());
    let code = code(&world);
    let words = ["approve", &code, "--for", "1h"];
    let alone = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])";
    let mut command = std::process::Command::new(python());
    command.args(["-c", alone]).arg(stockade_bin()).args(words);
    world.dress(&mut command);
    let refused = finish(command.spawn().expect("it starts"), DEADLINE);
    assert!(refused.code() == 77 && refused.stderr.contains("a person at a terminal"), "{refused:#?}");
    let line = format!("'{}' approve {code} --for 1h", stockade_bin().display());
    let behind = format!("set -m; {line} & wait $!");
    let refused = typed(&world, "/bin/sh".into(), "y", &["-c", &behind]);
    assert!(refused.code() == 77 && refused.stdout_text().contains("in the background"), "{refused:#?}");
    // Below a process that calls itself a client, on a terminal and in its foreground.
    let below = format!("{line}; exit $?");
    for (name, by) in [("claude", "Claude Code"), ("cursor", "Cursor"), ("stockade", "a session of Stockade")]
    {
        let client = world.root().join(name);
        symlink("/bin/sh", &client).expect("a link");
        let refused = typed(&world, client, "y", &["-c", &below]);
        assert!(refused.code() == 77 && refused.stdout_text().contains(by), "{name}: {refused:#?}");
    }
    let marked = format!("CLAUDECODE=1 {line}; exit $?");
    let refused = typed(&world, "/bin/sh".into(), "y", &["-c", &marked]);
    assert!(refused.code() == 77 && refused.stdout_text().contains("CLAUDECODE"), "{refused:#?}");
    for answer in ["n", "", "no y"] {
        let declined = typed(&world, stockade_bin(), answer, &words);
        assert_eq!(declined.code(), 77, "{declined:#?}");
    }
    assert!(!file(&world).exists() && events(&world, "approval.given").is_empty());
    // The control: the very same below a shell that is no client.
    let given = typed(&world, "/bin/sh".into(), "y", &["-c", &below]);
    assert_eq!(given.code(), 0, "{given:#?}");
    assert!(file(&world).exists());
}

#[test]
fn only_what_a_rule_asked_about_can_be_approved() {
    let world = world();
    let mut steps = call(10, "flood", json!({})).to_vec();
    steps.extend(call(11, "names", json!({ "path": "/" })));
    session(&world, steps);
    let calls = events(&world, "call");
    let flood = calls.iter().find(|event| event["what"]["item"] == "flood").expect("the call");
    let denied = flood["what"]["code"].as_str().expect("a code").to_owned();
    let refused = typed(&world, stockade_bin(), "y", &["approve", &denied]);
    assert!(refused.code() == 64 && refused.stdout_text().contains("never lifts a deny"), "{refused:#?}");
    let forged = typed(&world, stockade_bin(), "y", &["approve", "ZZZZ"]);
    assert!(forged.code() == 64 && forged.stdout_text().contains("no event on record"), "{forged:#?}");
    let allowed = events(&world, "session.start")[0]["id"].as_str().expect("an id").to_owned();
    let refused = typed(&world, stockade_bin(), "y", &["approve", &allowed]);
    assert!(refused.code() == 64 && refused.stdout_text().contains("asks nobody"), "{refused:#?}");
    // The session is over, so that an approval for it would be none.
    let over = typed(&world, stockade_bin(), "y", &["approve", &code(&world)]);
    assert!(over.code() == 64 && over.stdout_text().contains("has ended"), "{over:#?}");
    let given = typed(&world, stockade_bin(), "y", &["approve", &code(&world), "--for", "1h"]);
    assert_eq!(given.code(), 0, "{given:#?}");
}

/// Names below a directory and beside it.
fn listed(dir: &Path) -> Vec<String> {
    let both = [dir, dir.parent().expect("a directory")];
    let entries = both.iter().flat_map(|dir| std::fs::read_dir(dir).expect("a directory"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").path().display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn a_jailed_server_neither_reads_nor_writes_an_approval() {
    for backend in BACKENDS {
        let world = world();
        let mut steps = call(10, "names", json!({ "path": "/" })).to_vec();
        steps.push(approve(&["--for", "1h"]));
        session_of(&world, &fixture_command("learner.py", &[]), &["--backend", backend], steps);
        let path = file(&world);
        let before = std::fs::read(&path).expect("the file");
        let names = || listed(path.parent().expect("a directory"));
        let names_before = names();
        let dir = path.parent().expect("a directory").display().to_string();
        let shown = path.display();
        let wide = before.len() * 2;
        let attacks = [
            format!("cat '{shown}'"),
            format!("echo '{{}}' > '{shown}' && echo done"),
            format!("printf x >> '{shown}' && echo done"),
            format!("rm '{shown}' </dev/null && echo done"),
            format!(
                "mkdir -p '{dir}' && cp /etc/hostname '{dir}/new' && mv '{dir}/new' '{shown}' && echo done"
            ),
            format!("ln -s /etc/hostname '{dir}/x' && echo done"),
            format!("ln '{shown}' \"$HOME/linked\" && cat \"$HOME/linked\""),
            format!("mv '{dir}' '{dir}.old' && echo done"),
            format!("truncate -s {wide} '{shown}' && echo done"),
            format!("chmod 666 '{shown}'; echo y > '{shown}' && echo done"),
            format!("ls '{dir}' | grep approvals"),
        ];
        let mut steps = Vec::new();
        for (n, attack) in attacks.iter().enumerate() {
            let arguments = json!({ "words": ["/bin/sh", "-c", attack] });
            steps.extend(call(20 + u32::try_from(n).expect("small"), "run", arguments));
        }
        let outcome = session_of(
            &world,
            &fixture_command("learner.py", &[]),
            &["--backend", backend, "--grant-write", &world.home().display().to_string()],
            steps,
        );
        // What it makes in a view of its own, where these directories are not ours, harms nobody: it reads nothing of ours, and
        // nothing of ours has changed.
        for (n, attack) in attacks.iter().enumerate().filter(|(_, attack)| !attack.contains("done")) {
            let text = &outcome["answers"][(20 + n).to_string()][0]["result"]["content"][0]["text"];
            assert_eq!(text, "", "{backend}: {attack}: {outcome:#}");
        }
        assert_eq!(std::fs::read(&path).expect("the file"), before, "{backend}");
        assert_eq!(names(), names_before, "{backend}");
        // Landlock does not cover chmod(2), so that only a private view keeps it away. Then the file is not to be trusted any more,
        // and nothing is approved.
        if std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777 != 0o600 {
            assert_ne!(backend, "namespaces");
            let listed = finish(world.stockade(["approvals"]).spawn().expect("it starts"), DEADLINE);
            assert!(listed.code() == 77 && listed.stderr.contains("none of them counts"), "{listed:#?}");
            let outcome = session(&world, call(10, "names", json!({ "path": "/" })).to_vec());
            assert!(!passed(&outcome, 10), "{outcome:#}");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("the mode");
        }
        let outcome = session(&world, call(10, "names", json!({ "path": "/" })).to_vec());
        assert!(passed(&outcome, 10), "the control: the approval itself holds: {outcome:#}");
        // The control: outside of the jail the same words do it.
        for attack in [&attacks[0], &attacks[10], &attacks[2]] {
            let bare = std::process::Command::new("/bin/sh").args(["-c", attack]).output().expect("a shell");
            assert!(!bare.stdout.is_empty(), "{attack}: {bare:?}");
        }
    }
}

const ASK_TO_START: &str = "version = 1\n[[rule]]\nid = \"ask-servers\"\neffect = \"ask\"\nservers = [\"*\"]\nreason = \"a person looks at servers first\"\n";

/// A start that the policy asks about, and the code of the question.
fn start(world: &World) -> Result<String, Finished> {
    let mut command = world.stockade(["run", "--"]);
    let run = finish(command.args(fixture_command("learner.py", &[])).spawn().expect("it starts"), DEADLINE);
    if run.code() != 125 {
        return Err(run);
    }
    assert!(run.stderr.contains("the policy in force wants to be asked about this server"), "{run:#?}");
    assert!(!run.stderr.contains("stockade approve"), "clients show this to models: {run:#?}");
    let refused = events(world, "session.refused");
    Ok(refused.last().expect("an event")["what"]["code"].as_str().expect("a code").to_owned())
}

#[test]
fn a_server_that_a_rule_asks_about_starts_once_a_person_has_agreed() {
    let world = World::new();
    world.user_policy(ASK_TO_START);
    let code = start(&world).expect("it does not start");
    let told = finish(world.stockade(["why", &code]).spawn().expect("it starts"), DEADLINE).stdout_text();
    assert!(told.contains("server/start waits for a person") && told.contains("ask-servers"), "{told}");
    let no = typed(&world, stockade_bin(), "n", &["approve", &code]);
    assert!(
        no.stdout_text().contains("Let it start?") && events(&world, "approval.given").is_empty(),
        "{no:#?}"
    );
    let wrong = typed(&world, stockade_bin(), "y", &["approve", &code, "--for", "session"]);
    assert!(wrong.stdout_text().contains("cannot be approved for one call or one session"), "{wrong:#?}");
    start(&world).expect("it does not start yet");
    let yes = typed(&world, stockade_bin(), "y", &["approve", &code]);
    assert!(yes.stdout_text().contains("approved: 1 d, in every session with this very server"), "{yes:#?}");
    let started = start(&world).expect_err("it starts");
    assert_eq!(started.code(), 0, "{started:#?}");
    let given = events(&world, "approval.given");
    let starts = events(&world, "session.start");
    assert_eq!(starts.last().expect("a start")["what"]["approval"], given[0]["what"]["id"]);
    // Its calls are asked about one by one: the rule is about the server and everything in it.
    let outcome = session(&world, call(10, "variables", json!({})).to_vec());
    assert!(!passed(&outcome, 10), "{outcome:#}");
    let revoked = given[0]["what"]["id"].as_str().expect("an id").to_owned();
    finish(world.stockade(["approvals", "revoke", &revoked]).spawn().expect("it starts"), DEADLINE);
    start(&world).expect("it does not start any more");
}

#[test]
fn the_approval_of_a_start_is_for_this_very_server_and_no_call() {
    let world = World::new();
    world.user_policy(ASK_TO_START);
    let code = start(&world).expect("it does not start");
    typed(&world, stockade_bin(), "y", &["approve", &code]);
    let other =
        world.write("other.py", &std::fs::read_to_string(fixture("learner.py")).expect("it is there"));
    std::fs::write(&other, format!("# changed\n{}", std::fs::read_to_string(&other).expect("it is there")))
        .expect("it is written");
    let mut command = world.stockade(["run", "--"]);
    let run = finish(command.arg(python()).arg(&other).spawn().expect("it starts"), DEADLINE);
    assert_eq!(run.code(), 125, "another file is another server: {run:#?}");
    // What only prints writes no question.
    let before = events(&world, "session.refused").len();
    let mut command = world.stockade(["run", "--explain", "--"]);
    let explained = finish(command.arg(python()).arg(&other).spawn().expect("it starts"), DEADLINE);
    assert_ne!(explained.code(), 0, "{explained:#?}");
    assert_eq!(events(&world, "session.refused").len(), before);
    world.user_policy(&ASK_TO_START.replace("\"ask\"", "\"deny\""));
    let mut command = world.stockade(["run", "--"]);
    let denied =
        finish(command.args(fixture_command("learner.py", &[])).spawn().expect("it starts"), DEADLINE);
    assert!(denied.stderr.contains("the policy in force denies this server"), "{denied:#?}");
}

#[test]
fn a_paused_policy_lets_pass_and_records_what_it_would_have_stopped_until_the_pause_ends() {
    let world = world();
    let flood = |id| call(id, "flood", json!({ "messages": 1 })).to_vec();
    let mut steps = flood(10);
    steps.push(on_a_terminal("y", &["pause", "test/learner", "15m", "--reason", "the rule is wrong"]));
    steps.extend(call(11, "variables", json!({})));
    steps.extend(call(12, "names", json!({ "path": "/" })));
    steps.push(json!({ "run": [stockade_bin(), "pause", "test/learner", "--end"] }));
    steps.extend(call(13, "variables", json!({})));
    let outcome = session_of(&world, &fixture_command("learner.py", &[]), &["--id", "test/learner"], steps);
    assert_eq!(
        (&outcome["runs"][0]["code"], &outcome["runs"][1]["code"]),
        (&json!(0), &json!(0)),
        "{outcome:#}"
    );
    let said = outcome["runs"][0]["said"].as_str().expect("text");
    assert!(said.contains("file:sha256:") && said.contains("the rule is wrong"), "{said}");
    assert_eq!([11, 12, 13].map(|id| passed(&outcome, id)), [true, true, false], "{outcome:#}");
    let names = events(&world, "call");
    let names = names.iter().find(|event| event["what"]["item"] == "names").expect("the call");
    assert!(names["what"]["would_have"].to_string().contains("ask-names"), "{names:#}");
    for (kind, times) in
        [("pause.begun", 1), ("session.paused", 1), ("pause.ended", 1), ("session.resumed", 1)]
    {
        assert_eq!(events(&world, kind).len(), times, "{kind}");
    }
    assert_eq!(events(&world, "pause.begun")[0]["what"]["reason"], "the rule is wrong");
}

#[test]
fn no_policy_is_paused_by_an_agent_without_a_reason_or_against_its_word() {
    let world = world();
    let server = fixture_command("learner.py", &[]);
    session_of(&world, &server, &["--id", "test/learner"], Vec::new());
    let piped = |words: &[&str]| finish(world.stockade(words).spawn().expect("it starts"), DEADLINE);
    let nobody = piped(&["pause", "test/learner", "15m", "--reason", "x"]);
    assert_eq!(nobody.code(), 77, "{nobody:?}");
    assert_eq!(piped(&["pause", "test/learner", "15m"]).code(), 64);
    assert_eq!(piped(&["pause", "test/other", "15m", "--reason", "x"]).code(), 64);
    world.user_policy(&format!("{POLICY}\n[defaults]\npause = \"deny\"\n"));
    let refused = typed(&world, stockade_bin(), "y", &["pause", "test/learner", "15m", "--reason", "x"]);
    assert!(format!("{} {:?}", refused.stdout_text(), refused.stderr).contains("not to be paused"));
    assert!(events(&world, "pause.begun").is_empty());
}
