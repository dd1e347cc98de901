//! `stockade bisect`: servers that lack one thing in the jail, and whether that thing is named.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, World, drive, finish, fixture_command, raw_driver, stockade_bin};

const DEADLINE: Duration = Duration::from_secs(240);

/// A break that is there on purpose.
struct Seeded<'a> {
    call: Value,
    layer: &'a str,
    /// What the lines that mend it hold; empty for a break that no grant mends.
    mend: &'a [&'a str],
}

fn seeded<'a>(call: Value, layer: &'a str, mend: &'a [&'a str]) -> Seeded<'a> {
    Seeded { call, layer, mend }
}

fn bisect(world: &World, call: &Value, env: &[(&str, &str)]) -> Finished {
    let mut words: Vec<std::ffi::OsString> =
        ["bisect", "--yes", "--json", "--call"].iter().map(Into::into).collect();
    words.push(format!("do={call}").into());
    words.push("--".into());
    words.extend(fixture_command("breakable.py", &[]));
    let mut command = world.stockade(words);
    command.envs(env.iter().copied());
    finish(command.spawn().expect("stockade starts"), DEADLINE)
}

/// Every break is found in its layer, and what mends it is named, with nothing besides.
fn all_are_found(world: &World, breaks: &[Seeded<'_>], env: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for one in breaks {
        let finished = bisect(world, &one.call, env);
        let report: Value = serde_json::from_slice(&finished.stdout).unwrap_or_default();
        let finding = &report["findings"][0];
        let lines = finding["mend"].as_str().unwrap_or_default();
        let named = one.mend.iter().all(|part| lines.contains(part));
        let exact = one.mend.is_empty() == lines.is_empty();
        let grants = lines.matches("path =").count() + lines.matches("host =").count();
        if finished.code() != 1
            || finding["layer"] != one.layer
            || !named
            || !exact
            || grants > one.mend.len()
            || (!lines.is_empty() && report["mended"] != true)
        {
            wrong.push(format!(
                "{}: expected {} {:?}\n{report:#}\n{}",
                one.call, one.layer, one.mend, finished.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong\n{}", wrong.len(), breaks.len(), wrong.join("\n"));
}

#[test]
fn a_server_that_lacks_nothing_is_said_to_lack_nothing() {
    let world = World::new();
    let finished = bisect(&world, &json!({}), &[]);
    let report: Value = serde_json::from_slice(&finished.stdout).expect("JSON");
    assert_eq!((finished.code(), &report["findings"]), (0, &json!([])), "{report:#}");
    assert_eq!(report["steps"].as_array().map(Vec::len), Some(7), "{report:#}");
}

#[test]
fn a_call_that_fails_bare_is_not_ours() {
    let world = World::new();
    let finished = bisect(&world, &json!({ "read": "/nowhere/at/all" }), &[]);
    let report: Value = serde_json::from_slice(&finished.stdout).expect("JSON");
    assert_eq!((finished.code(), &report["findings"]), (1, &json!([])), "{report:#}");
    assert_eq!(report["bare"]["is"], "tool-error");
}

#[test]
fn nothing_is_started_bare_without_consent() {
    let world = World::new();
    let mark = world.root().join("started");
    let script = format!("touch {}", mark.display());
    let finished = finish(
        world.stockade(["bisect", "--", "/bin/sh", "-c", &script]).spawn().expect("stockade starts"),
        DEADLINE,
    );
    assert_eq!(finished.code(), 77, "{finished:#?}");
    assert!(finished.stderr.contains("--yes"), "{finished:#?}");
    assert!(!mark.exists(), "it was started all the same");
}

#[test]
fn variables_are_named() {
    let env = [
        ("API_TOKEN", "1"),
        ("DATABASE_URL", "2"),
        ("GITHUB_TOKEN", "3"),
        ("MY_SETTING", "4"),
        ("NODE_OPTIONS_X", "5"),
        ("PROXY_HOST", "6"),
        ("ZONE", "7"),
    ];
    let layer = "environment";
    all_are_found(
        &World::new(),
        &[
            seeded(json!({ "env": "API_TOKEN" }), layer, &["\"API_TOKEN\""]),
            seeded(json!({ "env": "DATABASE_URL" }), layer, &["\"DATABASE_URL\""]),
            seeded(json!({ "env": "GITHUB_TOKEN" }), layer, &["\"GITHUB_TOKEN\""]),
            seeded(json!({ "env": "MY_SETTING" }), layer, &["\"MY_SETTING\""]),
            seeded(json!({ "env": "ZONE" }), layer, &["\"ZONE\""]),
            seeded(json!({ "env": "PROXY_HOST" }), layer, &["\"PROXY_HOST\""]),
            seeded(json!({ "env": "API_TOKEN,ZONE" }), layer, &["\"API_TOKEN\"", "\"ZONE\""]),
        ],
        &env,
    );
}

#[test]
fn files_are_named() {
    let world = World::new();
    let path = |name: &str| world.root().join(name).display().to_string();
    let notes = world.write("home/notes/a.txt", "x").display().to_string();
    let other = world.write("home/notes/b.txt", "x").display().to_string();
    let key = world.write("home/.ssh/id_ed25519", "x").display().to_string();
    let dotenv = world.write("project/.env", "x").display().to_string();
    let source = world.write("project/main.rs", "x").display().to_string();
    let tool = world.write("home/bin/tool", "#!/bin/sh\nexit 0\n").display().to_string();
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).expect("an executable");
    let new = path("home/notes/new.txt");
    let folder = path("home/notes");
    let layer = "files";
    all_are_found(
        &world,
        &[
            seeded(json!({ "read": notes }), layer, &["a.txt"]),
            seeded(json!({ "read": format!("{notes},{other}") }), layer, &["a.txt", "b.txt"]),
            seeded(json!({ "listing": folder }), layer, &["/notes\""]),
            seeded(json!({ "write": notes }), layer, &["write = "]),
            seeded(json!({ "write": new }), layer, &["write = "]),
            seeded(json!({ "write": source }), layer, &["main.rs"]),
            seeded(json!({ "execute": tool }), layer, &["exec = "]),
            seeded(json!({ "read": key }), layer, &[]),
            seeded(json!({ "read": dotenv }), layer, &[]),
            seeded(json!({ "read": "/var/lib/dpkg/status" }), layer, &["/var/lib/dpkg/status"]),
        ],
        &[],
    );
}

#[test]
fn destinations_and_sockets_are_named() {
    let world = World::new();
    let listen = |address: &str| TcpListener::bind(address).expect("a port of this machine");
    let (one, two) = (listen("127.0.0.1:0"), listen("127.0.0.1:0"));
    let port = |listener: &TcpListener| listener.local_addr().expect("its address").port().to_string();
    let (first, second) = (port(&one), port(&two));
    let socket = world.root().join("home/service.sock");
    let _socket = UnixListener::bind(&socket).expect("a socket");
    let layer = "network";
    all_are_found(
        &world,
        &[
            seeded(json!({ "connect": first }), layer, &[&first]),
            seeded(json!({ "connect": second }), layer, &[&second]),
            seeded(json!({ "named": first }), layer, &[&first]),
            seeded(json!({ "connect": first, "named": second }), layer, &[&first, &second]),
            seeded(json!({ "unix": socket.display().to_string() }), layer, &["service.sock"]),
        ],
        &[],
    );
}

#[test]
fn limits_are_named() {
    let layer = "limits";
    all_are_found(
        &World::new(),
        &[
            seeded(json!({ "files": "8300" }), layer, &["open_files"]),
            seeded(json!({ "files": "9000" }), layer, &["open_files"]),
            seeded(json!({ "grow": "5368709120" }), layer, &["file_size"]),
            seeded(json!({ "limit": "RLIMIT_FSIZE" }), layer, &["file_size"]),
            seeded(json!({ "processes": "1100" }), layer, &["processes"]),
        ],
        &[],
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn system_calls_are_told_from_the_rest() {
    let layer = "system calls";
    all_are_found(
        &World::new(),
        &[
            seeded(json!({ "call": "248,0,0,0,0,0" }), layer, &[]), // add_key
            seeded(json!({ "call": "250,0x7fff,0,0,0,0" }), layer, &[]), // keyctl
            seeded(json!({ "call": "425,0,0" }), layer, &[]),       // io_uring_setup
            seeded(json!({ "call": "323,0xff" }), layer, &[]),      // userfaultfd
            seeded(json!({ "call": "101,0x4206,0x7ffffff,0,0" }), layer, &[]), // ptrace
            seeded(json!({ "call": "272,0x80000000" }), layer, &[]), // unshare
        ],
        &[],
    );
}

#[test]
fn answers_that_the_strict_grammar_refuses_are_told_from_the_rest() {
    let layer = "relay";
    all_are_found(
        &World::new(),
        &[
            seeded(json!({ "say": "duplicate" }), layer, &[]),
            seeded(json!({ "say": "lookalike" }), layer, &[]),
            seeded(json!({ "say": "long" }), layer, &[]),
            seeded(json!({ "say": "version" }), layer, &[]),
            seeded(json!({ "say": "both" }), layer, &[]),
        ],
        &[],
    );
}

#[test]
fn what_the_policy_stops_is_told_from_what_the_jail_stops() {
    let layer = "policy and DLP";
    // Invisible characters, which the default policy refuses in answers.
    all_are_found(&World::new(), &[seeded(json!({ "say": "hidden" }), layer, &[])], &[]);
    let refusing = |policy: &str, call: Value| {
        let world = World::new();
        world.user_policy(policy);
        all_are_found(&world, &[seeded(call, layer, &[])], &[]);
    };
    refusing(
        "version = 1\n[[rule]]\nid = \"no-do\"\neffect = \"deny\"\ntools = [\"do\"]\nreason = \"not this one\"\n",
        json!({}),
    );
    refusing(
        "version = 1\n[[rule]]\nid = \"no-server\"\neffect = \"deny\"\nservers = [\"*\"]\nreason = \"none\"\n",
        json!({}),
    );
    // A made-up key of the right form.
    let key = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    refusing(
        "version = 1\n[[dlp]]\nid = \"keys\"\ndetect = [\"secret/*\"]\ndirection = \"both\"\nconfidence = \"low\"\naction = \"block\"\nreason = \"no keys\"\n",
        json!({ "nothing": key }),
    );
}

/// A session with one call of `do`; the answer's event as `log` shows it.
fn one_call(world: &World, arguments: &Value) -> Value {
    let params = json!({ "name": "do", "arguments": arguments });
    let steps = json!([
        { "handshake": true },
        { "send": { "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params } },
        { "await": 1, "within": 60 },
    ]);
    let script = world.write("script.json", &steps.to_string());
    let mut command = raw_driver("converse.py");
    command.arg(script).arg("--").arg(stockade_bin()).args(["run", "--id", "cursor/breakable", "--"]);
    command.args(fixture_command("breakable.py", &[]));
    let outcome = drive(world, command, Vec::<String>::new(), DEADLINE);
    assert!(outcome["late"].is_null(), "{outcome:#}");
    let log = world.stockade(["log", "--json"]).spawn().expect("stockade starts");
    let log = finish(log, DEADLINE).stdout_text();
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut answers = events.filter(|one| one["kind"] == "answer" && one["what"]["method"] == "tools/call");
    answers.next_back().expect("the answer is on record")
}

fn of_event(world: &World, id: &str, command: &[std::ffi::OsString]) -> Finished {
    let mut words: Vec<std::ffi::OsString> =
        ["bisect", "--yes", "--json", "--event", id].iter().map(Into::into).collect();
    if !command.is_empty() {
        words.push("--".into());
        words.extend_from_slice(command);
    }
    finish(world.stockade(words).spawn().expect("stockade starts"), DEADLINE)
}

#[test]
fn a_call_that_failed_is_taken_from_the_record() {
    let world = World::new();
    let file = world.write("elsewhere/notes.md", "12345");
    let event = one_call(&world, &json!({ "read": file }));
    let id = event["id"].as_str().expect("an id");
    assert_eq!((&event["what"]["failed"], &event["what"]["verdict"]), (&json!("tool"), &json!("allow")));
    assert!(!event.to_string().contains("notes.md"), "the log holds arguments: {event:#}");
    let story = finish(world.stockade(["why", id]).spawn().expect("stockade starts"), DEADLINE).stdout_text();
    assert!(story.contains("came back with an error") && story.contains("bisect --event"), "{story}");

    let named = of_event(&world, id, &fixture_command("breakable.py", &[]));
    let report: Value = serde_json::from_slice(&named.stdout).unwrap_or_default();
    assert_eq!((named.code(), &report["findings"][0]["layer"]), (1, &json!("files")), "{named:#?}");
    let mend = report["findings"][0]["mend"].as_str().unwrap_or_default();
    assert!(mend.contains("notes.md"), "{report:#}");

    // By its client's config alone.
    let unknown = of_event(&world, id, &[]);
    assert!(unknown.code() == 64 && unknown.stderr.contains("no client's config"), "{unknown:#?}");
    let words: Vec<String> =
        fixture_command("breakable.py", &[]).iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let entry = json!({ "mcpServers": { "breakable": { "command": words[0], "args": words[1..] } } });
    world.write("home/.cursor/mcp.json", &entry.to_string());
    let found = of_event(&world, id, &[]);
    let report: Value = serde_json::from_slice(&found.stdout).unwrap_or_default();
    assert_eq!((found.code(), &report["findings"][0]["layer"]), (1, &json!("files")), "{found:#?}");
}

#[test]
fn a_call_is_not_made_again_with_other_arguments_than_it_had() {
    let world = World::new();
    let command = fixture_command("breakable.py", &[]);
    let key = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let masked = one_call(&world, &json!({ "read": format!("/nowhere/{key}") }));
    let refused = of_event(&world, masked["id"].as_str().expect("an id"), &command);
    assert!(refused.code() == 64 && refused.stderr.contains("are masked"), "{refused:#?}");
    let fine = one_call(&world, &json!({}));
    assert!(fine["what"]["failed"].is_null(), "{fine:#}");
    let refused = of_event(&world, fine["id"].as_str().expect("an id"), &command);
    assert!(refused.code() == 64 && refused.stderr.contains("are not kept"), "{refused:#?}");
    let kept =
        std::fs::read_dir(world.root().join("state/stockade/approvals/asked")).expect("kept").flatten();
    let kept: Vec<String> = kept.map(|one| std::fs::read_to_string(one.path()).expect("text")).collect();
    assert!(kept.len() == 1 && kept[0].contains("[REDACTED:") && !kept[0].contains(&key), "{kept:?}");
}
