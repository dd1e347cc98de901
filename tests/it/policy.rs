//! `stockade policy` and `stockade init`: what is in force, why, what a table or a draft says.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Finished, World, finish, fixture_command};

const DEADLINE: Duration = Duration::from_secs(30);
const GITHUB: &str = "pkg:npm/@modelcontextprotocol/server-github@2025.4.8";

const POLICY: &str = r#"version = 1

[defaults]
packages = "freeze"

[[rule]]
id = "no-merge"
effect = "deny"
servers = ["pkg:npm/@modelcontextprotocol/server-github"]
tools = ["merge_*"]
when = 'args.base == "main"'
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
hours = "00:00-24:00"
utc_offset = "+02:00"
until = "2999-12-31"
reason = "Merges go through review."

[[limit]]
id = "few"
tools = ["merge_*"]
calls = 10
per = "1m"
reason = "Not so fast."

[[dlp]]
id = "no-secrets-out"
detect = ["secret/*", "keyword/projects"]
direction = "to-server"
action = "block"

[keywords.projects]
words = ["Nightfall"]
"#;

fn stockade(world: &World, words: &[&str]) -> Finished {
    finish(world.stockade(words.iter().copied()).spawn().expect("stockade starts"), DEADLINE)
}

fn json(world: &World, words: &[&str]) -> Value {
    let finished = stockade(world, words);
    serde_json::from_slice(&finished.stdout)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {finished:#?}"))
}

fn explain(world: &World, more: &[&str]) -> Value {
    json(world, &[&["policy", "explain", "--json", "--server", GITHUB], more].concat())
}

#[test]
fn what_is_in_force_is_shown_with_file_and_line() {
    let world = World::new();
    world.user_policy(POLICY);
    let shown = json(&world, &["policy", "show", "--json"]);
    let rule = &shown["rules"][0];
    assert_eq!(
        (&rule["id"], &rule["at"]["line"], &rule["at"]["layer"]),
        (&"no-merge".into(), &6.into(), &"user".into())
    );
    assert!(rule["at"]["file"].as_str().expect("a path").ends_with("config/stockade/policy.toml"), "{rule}");
    assert_eq!(rule["when"], "args.base == \"main\"");
    let setting = &shown["settings"][0];
    assert_eq!(
        (&setting["key"], &setting["value"], &setting["at"]["line"]),
        (&"defaults.packages".into(), &"freeze".into(), &4.into())
    );
    let text = stockade(&world, &["policy", "show"]).stdout_text();
    for line in [
        "policy.toml:6: Merges go through review.",
        "at most 10 calls in 1m of merge_*",
        "policy.toml:18",
        "keyword/projects  1 words",
        "policy.toml:31",
        "defaults.packages = freeze",
        "until 3000-01-01T00:00:00Z on mon, tue, wed, thu, fri, sat, sun from 00:00 to 24:00 (UTC+02:00)",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let built_in = json(&World::new(), &["policy", "show", "--json"]);
    assert_eq!(built_in["layers"][0]["layer"], "built-in");
}

#[test]
fn a_hypothetical_call_is_explained_layer_by_layer() {
    let world = World::new();
    world.user_policy(POLICY);
    let flag = world.write(
        "more.toml",
        "version = 1\n[[rule]]\nid = \"asked\"\neffect = \"ask\"\ntools = [\"*\"]\nreason = \"Ask.\"\n",
    );
    let to_main = explain(&world, &["--tool", "merge_it", "--args", "{\"base\": \"main\"}"]);
    assert_eq!(
        (&to_main["verdict"], &to_main["rule"], &to_main["layer"]),
        (&"deny".into(), &"no-merge".into(), &"user".into())
    );
    assert_eq!(to_main["layers"][0]["rules"][0]["line"], 6);
    let to_dev = explain(&world, &["--tool", "merge_it", "--args", "{\"base\": \"dev\"}"]);
    assert_eq!(
        (&to_dev["verdict"], &to_dev["layers"][0]["rules"][0]["holds"]),
        (&"allow".into(), &"no".into())
    );
    let without = explain(&world, &["--tool", "merge_it"]);
    assert_eq!(
        (&without["verdict"], &without["layers"][0]["rules"][0]["why"]),
        (&"deny".into(), &"there is no `base`".into())
    );
    let more = flag.display().to_string();
    let asked = explain(&world, &["--tool", "read", "--policy", &more]);
    assert_eq!(
        (&asked["verdict"], &asked["layer"], asked["layers"].as_array().map(Vec::len)),
        (&"ask".into(), &"--policy".into(), Some(2))
    );
    let text = stockade(
        &world,
        &["policy", "explain", "--server", GITHUB, "--tool", "merge_it", "--args", "{\"base\": \"main\"}"],
    );
    let text = text.stdout_text();
    assert!(
        text.starts_with("the tool merge_it: deny\n  by `no-merge` (user): Merges go through review"),
        "{text}"
    );
    assert_eq!(explain(&world, &[])["verdict"], "allow", "the start of the server");
}

#[test]
fn arguments_that_no_call_could_have_are_refused() {
    let world = World::new();
    for args in ["[1]", "{\"a\": 1, \"a\": 2}", "{\"a\": 1}, \"x\": {}", "{", "{} {}", "main"] {
        let finished = stockade(&world, &["policy", "explain", "--tool", "x", "--args", args]);
        assert_eq!(finished.code(), 64, "{args}: {finished:#?}");
        assert!(finished.stderr.contains("none that a call could have"), "{finished:#?}");
    }
}

#[test]
fn a_table_passes_or_shows_every_difference() {
    let world = World::new();
    world.write("policies/policy.toml", POLICY);
    let head = "version = 1\npolicies = [\"policy.toml\"]\n";
    let case = |base: &str, expect: &str| {
        format!(
            "[[test]]\nname = \"to {base}\"\nserver = [\"{GITHUB}\"]\ntool = \"merge_it\"\nargs = '{{\"base\": \"{base}\"}}'\nexpect = \"{expect}\"\n"
        )
    };
    let right = world.write(
        "policies/right.toml",
        &format!("{head}{}rule = \"no-merge\"\n{}", case("main", "deny"), case("dev", "allow")),
    );
    let passed = stockade(&world, &["policy", "test", &right.display().to_string()]);
    assert_eq!(
        (passed.code(), passed.stdout_text().as_str()),
        (0, "2 of 2 as the table says\n"),
        "{passed:#?}"
    );
    let wrong = world.write(
        "policies/wrong.toml",
        &format!("{head}{}{}rule = \"other\"\n", case("dev", "deny"), case("main", "deny")),
    );
    let failed = stockade(&world, &["policy", "test", &wrong.display().to_string()]);
    let text = failed.stdout_text();
    assert_eq!(failed.code(), 1, "{failed:#?}");
    for line in [
        "wrong.toml:3: to dev",
        "  expected  deny\n  decided   allow",
        "expected  deny by `other`\n  decided   deny by `no-merge`",
        "0 of 2",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let broken = world.write("policies/broken.toml", "version = 1\n[[test]]\nname = \"x\"\n");
    assert_eq!(stockade(&world, &["policy", "test", &broken.display().to_string()]).code(), 78);
}

/// A session as it is recorded, and a draft that forbids one of its calls and cannot be told about another.
#[test]
fn a_draft_is_tried_on_a_real_session() {
    let world = World::new();
    let calls = [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"a"}}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"who","arguments":{}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"repeat","arguments":{"unit":"a","times":2}}}"#,
    ];
    let words = ["run".into(), "--".into()].into_iter().chain(fixture_command("scripted.py", &[]));
    let mut session = world.stockade(words).stdin(Stdio::piped()).spawn().expect("stockade starts");
    let mut stdin = session.stdin.take().expect("a pipe");
    for call in calls {
        writeln!(stdin, "{call}").expect("it reads");
    }
    let answered = |id: &str| format!("\"id\": {id}");
    let mut answers = BufReader::new(session.stdout.take().expect("a pipe")).lines();
    let seen: Vec<String> =
        (0..calls.len()).map(|_| answers.next().expect("an answer").expect("a line")).collect();
    assert!(["1", "2", "3"].iter().all(|id| seen.concat().contains(&answered(id))), "{seen:?}");
    drop(stdin);
    assert_eq!(finish(session, DEADLINE).code(), 0);
    let rule = |id: &str, tool: &str, when: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\neffect = \"deny\"\ntools = [\"{tool}\"]\nreason = \"No.\"\n{when}\n"
        )
    };
    let by_user = "when = 'user != \"nobody-of-that-name\"'";
    let draft = format!(
        "version = 1\n{}{}",
        rule("who", "who", by_user),
        rule("long", "repeat", "when = 'args.times > 1'")
    );
    let draft = world.write("draft.toml", &draft).display().to_string();
    let report = json(&world, &["policy", "replay", "--policy", &draft, "--json"]);
    assert_eq!(
        (&report["same"], &report["changed"], &report["undecidable"]),
        (&1.into(), &1.into(), &1.into()),
        "{report}"
    );
    assert_eq!(
        (&report["changes"][0]["item"], &report["changes"][0]["was"]),
        (&"who".into(), &"allow".into())
    );
    assert_eq!(report["undecided"][0]["item"], "repeat");
}

/// What a policy says about a call is what becomes of it.
#[test]
fn a_condition_and_a_limit_hold_in_a_session() {
    let world = World::new();
    world.user_policy(
        "version = 1\n[[rule]]\nid = \"no-secret\"\neffect = \"deny\"\ntools = [\"echo\"]\nwhen = 'args.message == \"no\"'\n\
         reason = \"Not that.\"\n[[limit]]\nid = \"twice\"\ntools = [\"who\"]\ncalls = 2\nper = \"1d\"\nreason = \"Twice is enough.\"\n",
    );
    let calls = [
        ("echo", r#"{"message":"yes"}"#),
        ("echo", r#"{"message":"n\u006f"}"#),
        ("echo", r#"{"text":"no"}"#),
        ("who", "{}"),
        ("who", "{}"),
        ("who", "{}"),
    ];
    let words = ["run".into(), "--".into()].into_iter().chain(fixture_command("scripted.py", &[]));
    let mut session = world.stockade(words).stdin(Stdio::piped()).spawn().expect("stockade starts");
    let mut stdin = session.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(session.stdout.take().expect("a pipe")).lines();
    let mut denials = Vec::new();
    for (tool, arguments) in calls {
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
        );
        writeln!(stdin, "{call}").expect("it reads");
        denials.push(answers.next().expect("an answer").expect("a line").contains("Stockade"));
    }
    assert_eq!(denials, [false, true, true, false, false, true]);
    drop(stdin);
    finish(session, DEADLINE);
}

#[test]
fn a_draft_is_tried_on_what_was_recorded() {
    let world = World::new();
    let events = world.state().join("stockade/events");
    std::fs::create_dir_all(&events).expect("a directory");
    let record = |n: usize, tool: &str, access: &str, time: &str| {
        let body = format!(
            "{{\"v\":1,\"seq\":{n},\"id\":\"{n:04}\",\"time\":\"{time}\",\"kind\":\"message\",\"who\":{{\"user\":\"ada\",\"client\":{{}},\"server\":\"github\",\"identity\":[\"{GITHUB}\"]}},\"what\":{{\"access\":\"{access}\",\"direction\":\"to-server\",\"method\":\"tools/call\",\"item\":\"{tool}\"}}"
        );
        let crc = crc32(format!("{body}}}").as_bytes());
        format!("{body},\"crc\":\"{crc:08x}\"}}\n")
    };
    let now = "2999-01-01T00:00:00Z";
    let lines = [
        record(1, "read", "allow", now),
        record(2, "write", "allow", now),
        record(3, "merge_it", "allow", now),
        record(4, "write", "deny", now),
        record(5, "write", "allow", "2020-01-01T00:00:00Z"),
    ];
    std::fs::write(events.join("a.jsonl"), lines.concat()).expect("events");
    let draft = format!(
        "{POLICY}\n[[rule]]\nid = \"no-write\"\neffect = \"deny\"\ntools = [\"write\"]\nreason = \"No.\"\n"
    );
    let draft = world.write("draft.toml", &draft).display().to_string();
    let report = json(&world, &["policy", "replay", "--policy", &draft, "--json"]);
    assert_eq!(
        (&report["same"], &report["changed"], &report["undecidable"]),
        (&2.into(), &1.into(), &1.into()),
        "{report}"
    );
    assert_eq!(
        (&report["changes"][0]["item"], &report["changes"][0]["would_be"]),
        (&"write".into(), &"deny".into())
    );
    assert_eq!(report["undecided"][0]["item"], "merge_it");
    let text = stockade(&world, &["policy", "replay", "--policy", &draft]).stdout_text();
    assert!(text.contains("2 the same, 1 changed, 1 undecidable (arguments not recorded)"), "{text}");
    assert!(text.contains("github: tools/call write  allow → deny"), "{text}");
    assert_eq!(stockade(&world, &["policy", "replay", "--since", "yesterday"]).code(), 64);
}

/// CRC-32 of zlib and PNG, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[test]
fn a_project_forbids_and_never_allows() {
    let world = World::new();
    world.user_policy(POLICY);
    let rule = |effect: &str, tool: &str| {
        format!(
            "version = 1\n[[rule]]\nid = \"here\"\neffect = \"{effect}\"\ntools = [\"{tool}\"]\nreason = \"Here.\"\n"
        )
    };
    world.write("project/.stockade/policy.toml", &rule("deny", "read"));
    let read = explain(&world, &["--tool", "read"]);
    assert_eq!((&read["verdict"], &read["layer"]), (&"deny".into(), &"project".into()));
    world.write("project/.stockade/policy.toml", &rule("allow", "merge_it"));
    let merge = explain(&world, &["--tool", "merge_it", "--args", "{\"base\": \"main\"}"]);
    assert_eq!((&merge["verdict"], &merge["layer"]), (&"deny".into(), &"user".into()));
    world.write("project/.stockade/policy.toml", "nonsense");
    let broken = stockade(&world, &["policy", "show"]);
    assert_eq!(broken.code(), 78, "what cannot be read is not skipped: {broken:#?}");
}

#[test]
fn init_writes_once_and_explains_and_never_overwrites_in_silence() {
    let world = World::new();
    let path = world.root().join("config/stockade/policy.toml");
    let printed = stockade(&world, &["init", "--strict", "--print"]);
    assert!(printed.stdout_text().starts_with("# strict:") && !path.exists(), "{printed:#?}");
    let written = stockade(&world, &["init", "--observe"]);
    assert_eq!(written.code(), 0, "{written:#?}");
    assert!(
        written.stdout_text().contains("# Judge and record; what a rule below would have stopped"),
        "{written:#?}"
    );
    let mode = std::fs::metadata(&path).expect("the policy").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(json(&world, &["policy", "show", "--json"])["layers"][0]["mode"], "monitor");
    let mine = format!("{}# mine\n", std::fs::read_to_string(&path).expect("text"));
    std::fs::write(&path, &mine).expect("written");
    let refused = stockade(&world, &["init", "--strict"]);
    assert_eq!(refused.code(), 78, "{refused:#?}");
    assert!(refused.stderr.contains("there is a policy already"), "{refused:#?}");
    assert_eq!(std::fs::read_to_string(&path).expect("text"), mine);
    let replaced = stockade(&world, &["init", "--strict", "--replace"]);
    assert_eq!(replaced.code(), 0, "{replaced:#?}");
    let kept = std::fs::read_dir(path.parent().expect("a directory")).expect("its files");
    let kept =
        kept.map(|entry| entry.expect("an entry").path()).find(|file| *file != path).expect("the old one");
    assert_eq!(std::fs::read_to_string(kept).expect("text"), mine);
    assert_eq!(explain(&world, &[])["verdict"], "deny", "nobody approved this server");
    assert_eq!(stockade(&world, &["init", "--strict", "--observe"]).code(), 64);
}

#[test]
fn the_schema_is_the_one_in_the_repository() {
    let committed = crate::support::tests_dir().join("../docs/schema/policy.json");
    let committed = std::fs::read_to_string(committed).expect("docs/schema/policy.json");
    assert_eq!(stockade(&World::new(), &["policy", "schema"]).stdout_text(), committed);
}
