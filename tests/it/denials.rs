//! What a jail denied is found again: what was tried, by which program, and lines of a profile that allow it.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, World, drive, finish, fixture_command, python, raw_driver, stockade_bin};

const DEADLINE: Duration = Duration::from_secs(60);
/// Backends whose supervisor hears of what is denied.
const BACKENDS: [&str; 2] = ["namespaces", "notify"];

fn ended(mut command: Command) -> Finished {
    finish(command.spawn().expect("it starts"), DEADLINE)
}

fn stockade<W: Into<OsString>>(world: &World, words: &[&str], more: impl IntoIterator<Item = W>) -> Finished {
    let words = words.iter().map(OsString::from).chain(more.into_iter().map(Into::into));
    ended(world.stockade(words))
}

/// `stockade jail --observe … -- sh -c SCRIPT`
fn observed(world: &World, backend: &str, script: &str) -> Finished {
    stockade(world, &["jail", "--backend", backend, "--observe", "--"], ["/bin/sh", "-c", script])
}

/// What `log --denied --json` says of all servers.
fn denied(world: &World) -> Vec<Value> {
    let log = stockade(world, &["log", "--denied", "--json"], [] as [&str; 0]);
    assert_eq!(log.code(), 0, "{log:#?}");
    let servers: Vec<Value> =
        log.stdout_text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    servers.iter().flat_map(|server| server["denied"].as_array().expect("a list").clone()).collect()
}

/// The denial of this thing, and no other of it.
fn the_denial<'d>(denied: &'d [Value], what: &str) -> &'d Value {
    let found: Vec<&Value> = denied.iter().filter(|one| one["what"] == what).collect();
    assert_eq!(found.len(), 1, "{what}: {denied:#?}");
    found[0]
}

/// The lines for a profile that all denials of the world lead to.
fn fragment(world: &World) -> String {
    let log = stockade(world, &["log", "--denied", "--json"], [] as [&str; 0]);
    let server: Value = serde_json::from_str(log.stdout_text().trim()).expect("one server");
    server["fragment"].as_str().unwrap_or_else(|| panic!("no fragment: {server:#}")).to_owned()
}

#[test]
fn a_denied_file_is_named_with_its_program_and_the_proposed_lines_allow_it() {
    for backend in BACKENDS {
        let world = World::new();
        let notes = world.write("data/notes.txt", "a note\n");
        let script = format!("/bin/cat {}; /bin/cat {}; true", notes.display(), notes.display());
        let inside = observed(&world, backend, &script);
        assert_eq!((inside.code(), &*inside.stdout_text()), (0, ""), "{backend}: {inside:#?}");
        let found = denied(&world);
        let denial = the_denial(&found, notes.to_str().expect("text"));
        assert_eq!((&denial["kind"], &denial["count"]), (&json!("file"), &json!(2)), "{backend}: {denial:#}");
        assert_eq!(denial["evidence"], "inferred", "{denial:#}");
        assert!(denial["program"].as_str().expect("a program").ends_with("/cat"), "{denial:#}");

        let lines = fragment(&world);
        let file = world.write("lines.toml", &lines);
        let checked = stockade(&world, &["profile", "check"], [&file]);
        assert_eq!(checked.code(), 0, "{checked:#?}\n{lines}");
        let profile = format!("name = \"mine\"\ndescription = \"Mine\"\nextends = \"default\"\n\n{lines}");
        world.write("config/stockade/profiles/mine.toml", &profile);
        let words = ["jail", "--backend", backend, "--profile", "mine", "--", "/bin/cat"];
        let allowed = stockade(&world, &words, [&notes]);
        assert_eq!(
            allowed.stdout_text(),
            "a note\n",
            "{backend}: the lines do not allow it: {allowed:#?}\n{lines}"
        );
    }
}

#[test]
fn every_kind_of_access_gets_the_list_that_it_belongs_to() {
    for backend in BACKENDS {
        let world = World::new();
        let data = world.write("files/data/x/a.txt", "a\n");
        let tool = world.write("files/data/bin/tool", "#!/bin/sh\nexit 0\n");
        std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
        let new = world.root().join("files/data/x/new.txt");
        let script = format!(
            "echo b >> {}; echo c > {}; {}; perl -e 'opendir(D, \"{}\")'; true",
            data.display(),
            new.display(),
            tool.display(),
            world.root().join("files/data").display()
        );
        assert_eq!(observed(&world, backend, &script).code(), 0);
        let found = denied(&world);
        let place = |path: &std::path::Path| {
            let denial = the_denial(&found, path.to_str().expect("text"));
            denial["fragment"].as_str().unwrap_or_else(|| panic!("{denial:#}")).to_owned()
        };
        assert!(place(&data).starts_with("[fs]\nwrite"), "{backend}: {found:#?}");
        assert!(place(&new).starts_with("[fs]\nwrite") && place(&new).contains("data/x\""), "{found:#?}");
        assert!(place(&tool).starts_with("[fs]\nexec"), "{backend}: {found:#?}");
        assert!(place(&world.root().join("files/data")).starts_with("[fs]\nread"), "{backend}: {found:#?}");
        assert!(!new.exists());
    }
}

#[test]
fn a_sensitive_place_is_named_and_no_line_is_proposed_for_it() {
    for backend in BACKENDS {
        let world = World::new();
        let key = world.write("home/.ssh/id_rsa", "key material\n");
        observed(&world, backend, &format!("cat {}; true", key.display()));
        let found = denied(&world);
        let denial = the_denial(&found, key.to_str().expect("text"));
        assert!(denial["fragment"].is_null(), "{denial:#}");
        assert!(denial["instead"].as_str().expect("a way").contains("holds credentials"), "{denial:#}");
    }
}

#[test]
fn what_is_granted_or_not_there_is_no_denial() {
    for backend in BACKENDS {
        let world = World::new();
        let nothing = world.root().join("nothing/here");
        let script = format!(
            "cat /etc/passwd >/dev/null; cat {}; echo x > \"$HOME/own\"; cat \"$HOME/own\"; echo y > \"$TMPDIR/t\"; true",
            nothing.display()
        );
        let inside = observed(&world, backend, &script);
        assert_eq!(inside.stdout_text(), "x\n", "{backend}: {inside:#?}");
        let found = denied(&world);
        let files: Vec<&Value> = found.iter().filter(|one| one["kind"] == "file").collect();
        assert!(files.is_empty(), "{backend}: {files:#?}");
    }
}

#[test]
fn python_and_its_packages_are_denied_nothing_at_their_start() {
    for backend in BACKENDS {
        let world = World::new();
        let words = fixture_command("probe.py", &["[]"]);
        let ran = stockade(&world, &["jail", "--backend", backend, "--observe", "--"], words);
        assert_eq!(ran.code(), 0, "{ran:#?}");
        let found = denied(&world);
        assert!(found.iter().all(|one| one["kind"] != "file"), "{backend}: {found:#?}");
    }
}

#[test]
fn without_observing_files_are_not_on_record_and_that_is_said() {
    let world = World::new();
    let notes = world.write("data/notes.txt", "a note\n");
    let script = format!("true; cat {}", notes.display());
    let ran = stockade(&world, &["jail", "--"], ["/bin/sh", "-c", &script]);
    assert_eq!(ran.code(), 1, "{ran:#?}");
    assert!(denied(&world).is_empty());
    let log = stockade(&world, &["log", "--denied"], [] as [&str; 0]);
    assert!(log.stderr.contains("no denials on record"), "{log:#?}");
    assert!(log.stderr.contains("Landlock refuses without telling"), "{log:#?}");
}

#[test]
fn refused_calls_and_sockets_are_on_record_in_every_run() {
    let world = World::new();
    let place = world.root().join("socket");
    let _listener = UnixListener::bind(&place).unwrap();
    let place = place.to_str().expect("text").to_owned();
    // PTRACE_TRACEME by number; AF_PACKET 17, SOCK_RAW 3.
    let attempts = json!([
        ["unix", "unix", place],
        ["packet", "socket", 17, 3, 0],
        ["bpf", "syscall", if cfg!(target_arch = "x86_64") { 321 } else { 280 }, 0, 0, 0],
    ]);
    let words = fixture_command("probe.py", &[&attempts.to_string()]);
    for backend in BACKENDS {
        let inside = stockade(&world, &["run", "--backend", backend, "--"], words.clone());
        assert!(!inside.stderr.contains("\"done\""), "{backend}: {inside:#?}");
        assert_eq!(inside.stdout_text(), "", "stdout holds the protocol alone");
        let found = denied(&world);
        let call = the_denial(&found, "bpf");
        assert_eq!(
            (&call["kind"], &call["evidence"]),
            (&json!("system-call"), &json!("refused")),
            "{call:#}"
        );
        assert!(call["fragment"].is_null() && call["instead"].is_string(), "{call:#}");
        assert!(found.iter().any(|one| one["kind"] == "socket"), "{backend}: {found:#?}");
        for one in &found {
            assert!(one["program"].as_str().is_some_and(|program| program.contains("python")), "{one:#}");
        }
    }
}

#[test]
fn a_refusal_is_tied_to_the_call_that_was_in_flight() {
    const AF_PACKET: i32 = 17;
    for backend in BACKENDS {
        let world = World::new();
        let call = |id: u8, tool: &str, arguments: Value| {
            json!({"send": {"jsonrpc": "2.0", "id": id, "method": "tools/call",
                "params": {"name": tool, "arguments": arguments}}})
        };
        let steps = json!([
            {"handshake": true},
            call(1, "echo", json!({"message": "x"})), {"await": 1},
            call(2, "socket", json!({"family": AF_PACKET, "kind": 3})), {"await": 2},
        ]);
        let script = world.write("script.json", &steps.to_string()).into_os_string();
        let mut words = vec![script, "--".into(), stockade_bin().into_os_string()];
        words.extend(["run", "--backend", backend, "--"].map(OsString::from));
        words.extend(fixture_command("scripted.py", &[]));
        let outcome = drive(&world, raw_driver("converse.py"), words, DEADLINE);
        let log = stockade(&world, &["log", "--json"], [] as [&str; 0]).stdout_text();
        let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let denied: Vec<&Value> = events.iter().filter(|event| event["kind"] == "denied").collect();
        assert_eq!(denied.len(), 1, "{backend}: {denied:#?}\n{outcome:#}");
        let calls = &denied[0]["what"]["during"]["calls"];
        assert_eq!(calls.as_array().map(Vec::len), Some(1), "{backend}: {:#}", denied[0]);
        assert_eq!(
            (&calls[0]["method"], &calls[0]["item"]),
            (&json!("tools/call"), &json!("socket")),
            "{calls:#}"
        );
    }
}

#[test]
fn the_end_of_a_jail_says_what_was_denied_where_somebody_reads_it() {
    let world = World::new();
    let notes = world.write("data/notes.txt", "a note\n");
    let script = format!("cat {} 2>/dev/null; true", notes.display());
    let silent = observed(&world, "notify", &script);
    assert_eq!(silent.stderr, "", "nobody asked");
    let told = stockade(
        &world,
        &["jail", "--backend", "notify", "--observe", "--denials", "--"],
        ["/bin/sh", "-c", &script],
    );
    for part in ["denied (1)", notes.to_str().expect("text"), "[fs]", "read = [", "Not seen:"] {
        assert!(told.stderr.contains(part), "no {part}: {told:#?}");
    }
    let told = stockade(&world, &["jail", "--denials", "--"], ["/bin/true"]);
    assert!(told.stderr.contains("nothing was seen to be denied"), "{told:#?}");
    assert!(told.stderr.contains("--observe"), "what was not looked for is said: {told:#?}");
}

#[test]
fn inspect_shows_what_its_server_was_denied_and_what_cannot_be_seen() {
    let world = World::new();
    let notes = world.write("data/notes.txt", "a note\n");
    let attempts = json!([["notes", "read", notes.to_str().expect("text")]]);
    let words = fixture_command("probe.py", &[&attempts.to_string()]);
    let report = stockade(&world, &["inspect", "--json", "--"], words.clone());
    let report: Value = serde_json::from_slice(&report.stdout).unwrap_or_else(|_| panic!("{report:#?}"));
    let found = report["denials"]["denied"].as_array().expect("a list");
    let denial = the_denial(found, notes.to_str().expect("text"));
    assert!(denial["fragment"].as_str().expect("lines").contains("notes.txt"), "{denial:#}");
    assert!(report["denials"]["not_seen"].as_str().expect("text").contains("Not seen"), "{report:#}");
    let text = stockade(&world, &["inspect", "--"], words).stdout_text();
    for part in ["Denied by the jail (1)", "notes.txt", "read = [", "Not seen:", "exec"] {
        assert!(text.contains(part), "no {part}: {text}");
    }
}

#[test]
fn denials_are_grouped_by_server_and_only_the_last_sessions_count() {
    let world = World::new();
    let (one, other) = (world.write("data/one", "1\n"), world.write("data/other", "2\n"));
    let jail = |words: &[&str], program: &str, path: &str| {
        let words: Vec<&str> = ["jail"].iter().chain(words).chain(&["--", program]).copied().collect();
        // As one word, so that the command line names no path, which would be granted.
        stockade(&world, &words, ["-c", &format!("open('{path}')")]);
    };
    let python = python();
    let (python, copy) = (python.to_str().expect("text"), world.root().join("project/other-server"));
    std::os::unix::fs::symlink(python, &copy).unwrap();
    let observed = ["--backend", "notify", "--observe"];
    jail(&observed, python, one.to_str().expect("text"));
    jail(&observed, copy.to_str().expect("text"), other.to_str().expect("text"));
    let log =
        stockade(&world, &["log", "--denied", "--server", "other-server"], [] as [&str; 0]).stdout_text();
    assert!(log.contains("data/other") && !log.contains("data/one"), "{log}");
    for _ in 0..10 {
        jail(&[], python, "/dev/null");
    }
    let found = denied(&world);
    assert!(!found.iter().any(|denial| denial["what"] == one.to_str().expect("text")), "{found:#?}");
}

#[test]
fn a_refused_destination_stands_with_the_others() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    world.write(
        "config/stockade/profiles/mine.toml",
        "name = \"mine\"\ndescription = \"Mine\"\nextends = \"default\"\n\n[net]\nallow = [{ host = \"granted.example\", port = 443, reason = \"a test\" }]\n",
    );
    let attempts = json!([["connect", "tcp", "127.0.0.1", port]]);
    let words = fixture_command("probe.py", &[&attempts.to_string()]);
    for backend in BACKENDS {
        let flags = ["jail", "--backend", backend, "--profile", "mine", "--"];
        let inside = stockade(&world, &flags, words.clone());
        assert!(inside.stderr.contains("PROBE") && !inside.stderr.contains("\"done\""), "{inside:#?}");
    }
    let found = denied(&world);
    let denial =
        found.iter().find(|one| one["what"].as_str().is_some_and(|what| what.starts_with("127.0.0.1")));
    let denial = denial.unwrap_or_else(|| panic!("{found:#?}"));
    let lines = denial["fragment"].as_str().expect("lines");
    let file = world.write("lines.toml", lines);
    assert_eq!(stockade(&world, &["profile", "check"], [&file]).code(), 0, "{lines}");
}

#[test]
fn glibcs_question_to_nscd_is_on_record_and_not_listed() {
    let script = "import socket\n\
                  for path in ('/var/run/nscd/socket', '/run/other.sock'):\n    \
                      try: socket.socket(socket.AF_UNIX).connect(path)\n    \
                      except OSError: pass";
    for backend in BACKENDS {
        let world = World::new();
        let lines =
            "name = \"mine\"\ndescription = \"Mine\"\nextends = \"default\"\n\n[unix]\nprivate = true\n";
        world.write("config/stockade/profiles/mine.toml", lines);
        let words = ["jail", "--backend", backend, "--profile", "mine", "--denials", "--"];
        let program = python();
        let ran = stockade(&world, &words, [program.to_str().expect("text"), "-c", script]);
        let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("denied (1)") && said.contains("/run/other.sock"), "{backend}: {said}");
        assert!(said.contains("Not listed: 1 attempt to reach nscd"), "{backend}: {said}");
        assert!(!said.contains("nscd/socket"), "{backend}: {said}");
        let server = stockade(&world, &["log", "--denied", "--json"], [] as [&str; 0]).stdout_text();
        let server: Value = serde_json::from_str(server.trim()).expect("one server");
        assert_eq!(server["denied"].as_array().expect("a list").len(), 1, "{server:#}");
        assert_eq!(server["noise"][0]["what"], "/var/run/nscd/socket", "{server:#}");
        assert!(server["noise"][0]["fragment"].is_null(), "{server:#}");
        assert!(!server["fragment"].as_str().unwrap_or("").contains("nscd"), "{server:#}");
        let log = stockade(&world, &["log", "--json"], [] as [&str; 0]).stdout_text();
        assert!(log.contains("/var/run/nscd/socket"), "it is on record: {log}");
    }
}

#[test]
fn inspect_says_what_it_does_not_list() {
    let world = World::new();
    let lines = "name = \"mine\"\ndescription = \"Mine\"\nextends = \"default\"\n\n[unix]\nprivate = true\n";
    world.write("config/stockade/profiles/mine.toml", lines);
    let attempts = json!([["nscd", "unix", "/var/run/nscd/socket"]]);
    let words = fixture_command("probe.py", &[&attempts.to_string()]);
    let report = stockade(&world, &["inspect", "--profile", "mine", "--"], words).stdout_text();
    let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(report.contains("Denied by the jail (0)"), "{report}");
    assert!(report.contains("Not listed: 1 attempt to reach nscd"), "{report}");
}

#[test]
fn a_program_that_the_server_could_have_written_is_refused_by_name_of_that_rule() {
    for backend in BACKENDS {
        let world = World::new();
        // It runs where the server cannot write: `sh` copies it to its own home and to its own /tmp.
        let script = "mkdir -p \"$HOME/bin\"; for to in \"$HOME/bin/tool\" \"$TMPDIR/tool\"; do \
                      cat /bin/true > $to; chmod 755 $to; $to && echo ran; done; true";
        let ran = observed(&world, backend, script);
        assert_eq!(ran.stdout_text(), "", "{backend}: {ran:#?}");
        let found = denied(&world);
        let tools: Vec<&Value> = found
            .iter()
            .filter(|one| one["what"].as_str().is_some_and(|what| what.ends_with("/tool")))
            .collect();
        assert_eq!(tools.len(), 2, "{backend}: {found:#?}");
        for tool in tools {
            assert!(tool["why"].as_str().expect("a reason").contains("(W^X)"), "{backend}: {tool:#}");
            let instead = tool["instead"].as_str().expect("a way out");
            assert!(instead.contains("`[fs] exec`") && !instead.contains("read"), "{backend}: {tool:#}");
            assert!(tool["fragment"].is_null(), "{tool:#}");
        }
        // The way out that it names is one. The directory has to be there at the start, as the first run leaves it.
        let lines = "name = \"mine\"\ndescription = \"Mine\"\nextends = \"default\"\n\n[fs]\n\
                     exec = [{ path = \"${state}/home/bin\", reason = \"a test\" }]\n";
        world.write("config/stockade/profiles/mine.toml", lines);
        let words = ["jail", "--backend", backend, "--profile", "mine", "--"];
        let script = "mkdir -p \"$HOME/bin\"; cd \"$HOME/bin\"; cat /bin/true > tool; chmod 755 tool; ./tool && echo ran";
        stockade(&world, &words, ["/bin/sh", "-c", script]);
        let ran = stockade(&world, &words, ["/bin/sh", "-c", script]);
        assert_eq!(ran.stdout_text(), "ran\n", "{backend}: {ran:#?}");
    }
}
