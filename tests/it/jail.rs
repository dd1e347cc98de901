//! `stockade jail`: any program in the jail that `run` would make, its bytes unchanged, nobody between.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::{
    Finished, World, finish, fixture_command, processes_with, raw_driver, stockade_bin, wait_until,
};

const DEADLINE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(10);
const BACKENDS: [&str; 3] = ["namespaces", "notify", "static"];

/// `stockade jail FLAGS… -- COMMAND…`
fn jail<W: Into<OsString>>(world: &World, flags: &[&str], command: impl IntoIterator<Item = W>) -> Command {
    let head = ["jail"].iter().chain(flags).chain(&["--"]).map(OsString::from);
    world.stockade(head.chain(command.into_iter().map(Into::into)))
}

fn ended(mut command: Command) -> Finished {
    finish(command.spawn().expect("it starts"), DEADLINE)
}

fn shell(world: &World, flags: &[&str], script: &str) -> Finished {
    ended(jail(world, flags, ["/bin/sh", "-c", script]))
}

/// The events of the world, oldest first.
fn events(world: &World) -> Vec<Value> {
    let log = ended(world.stockade(["log", "--json"]));
    log.stdout_text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Ten million bytes that compress badly and hold every value, line ends and NUL included.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..10_000_000).map(next).collect()
}

#[test]
fn the_programs_own_end_is_the_exit_code() {
    let world = World::new();
    for backend in BACKENDS {
        for code in [0, 1, 7, 127, 255] {
            let finished = shell(&world, &["--backend", backend], &format!("exit {code}"));
            assert_eq!(finished.code(), code, "{backend}: {finished:#?}");
        }
        for signal in [6, 9, 11, 15] {
            let finished = shell(&world, &["--backend", backend], &format!("kill -{signal} $$"));
            assert_eq!(finished.code(), 128 + signal, "{backend}: {finished:#?}");
        }
    }
}

#[test]
fn what_cannot_be_started_ends_as_env_1_has_it() {
    let world = World::new();
    let text = world.write("project/notes.txt", "not a program\n");
    let cases: [(Vec<OsString>, i32); 4] = [
        (vec!["--".into(), "/no/such/program".into()], 127),
        (vec!["--".into(), text.into_os_string()], 126),
        (vec!["--profile".into(), "nobody-wrote-this".into(), "--".into(), "/bin/true".into()], 125),
        (vec!["--no-such-flag".into(), "--".into(), "/bin/true".into()], 125),
    ];
    for (words, code) in cases {
        let failed = ended(world.stockade([OsString::from("jail")].into_iter().chain(words)));
        assert_eq!(failed.code(), code, "{failed:#?}");
        assert_eq!(failed.stdout_text(), "");
        assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
    }
}

#[test]
fn ten_million_bytes_pass_unchanged_in_and_out() {
    let world = World::new();
    let noise = noise();
    for (script, take_stderr) in [("cat", false), ("cat >&2", true)] {
        let mut command = jail(&world, &[], ["/bin/sh", "-c", script]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let sent = noise.clone();
        let feeding = std::thread::spawn(move || stdin.write_all(&sent).expect("all is taken"));
        let mut from: Box<dyn Read> = if take_stderr {
            Box::new(child.stderr.take().expect("a pipe"))
        } else {
            Box::new(child.stdout.take().expect("a pipe"))
        };
        let mut got = Vec::new();
        from.read_to_end(&mut got).expect("all is read");
        feeding.join().expect("it was fed");
        assert!(child.wait().expect("it ends").success());
        assert!(
            got == noise,
            "{script}: {} bytes came, {} were sent, or they differ",
            got.len(),
            noise.len()
        );
    }
}

#[test]
fn files_as_standard_streams_work_as_well() {
    let world = World::new();
    let noise = noise();
    let (source, target) = (world.root().join("in"), world.root().join("out"));
    std::fs::write(&source, &noise).unwrap();
    let mut command = jail(&world, &[], ["/bin/cat"]);
    command.stdin(std::fs::File::open(&source).unwrap()).stdout(std::fs::File::create(&target).unwrap());
    assert_eq!(ended(command).code(), 0);
    assert!(std::fs::read(&target).unwrap() == noise, "what was written differs");
}

#[test]
fn a_slow_reader_gets_everything_although_the_program_has_ended() {
    let world = World::new();
    let mut command = jail(&world, &[], ["/bin/sh", "-c", "head -c 3000000 /dev/zero; echo end >&2"]);
    let mut child = command.spawn().expect("it starts");
    let mut said = [0; 4];
    let mut stdout = child.stdout.take().expect("a pipe");
    // The pipes between hold some hundred KiB: the program is still writing, and goes on only as we read.
    let read_first = stdout.read(&mut said).expect("something comes");
    std::thread::sleep(Duration::from_millis(300));
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).expect("the rest comes");
    assert_eq!(read_first + rest.len(), 3_000_000);
    assert_eq!(finish(child, SOON).code(), 0);
}

#[test]
fn a_reader_that_goes_away_ends_the_program_as_a_pipe_does() {
    let world = World::new();
    let mut child = jail(&world, &[], ["/usr/bin/yes"]).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0; 100]).expect("something comes");
    drop(stdout);
    assert_eq!(finish(child, SOON).code(), 128 + 13);
}

#[test]
fn a_program_that_reads_nothing_ends_although_stdin_stays_open_and_full() {
    let world = World::new();
    let mut child = jail(&world, &[], ["/bin/true"]).stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let feeding = std::thread::spawn(move || {
        // More than the pipes hold: the write fails when nobody is left to read.
        let _ = stdin.write_all(&[b'x'; 4 << 20]);
        stdin
    });
    assert_eq!(finish(child, SOON).code(), 0);
    drop(feeding.join());
}

#[test]
fn the_end_of_stdin_reaches_the_program_and_ends_nothing_else() {
    let world = World::new();
    let finished = shell(&world, &[], "cat; sleep 2; echo still here");
    assert_eq!((finished.code(), &*finished.stdout_text()), (0, "still here\n"), "{finished:#?}");
}

#[test]
fn a_terminal_gives_its_lines_and_the_program_has_none() {
    let world = World::new();
    let mut command = raw_driver("terminal.py");
    command.args(
        jail(&world, &[], ["/bin/sh", "-c", "read line; echo \"got $line\"; test -t 0 || echo none"])
            .get_args(),
    );
    world.dress(&mut command);
    command.env("STOCKADE", stockade_bin());
    let finished = ended(command);
    let shown = finished.stdout_text();
    assert!(shown.contains("got a line") && shown.contains("none"), "{finished:#?}");
}

#[test]
fn a_signal_to_us_ends_the_program_and_all_that_it_left_behind() {
    let world = World::new();
    for (trap, code) in [("", 143), ("trap '' TERM; ", 137)] {
        for backend in BACKENDS {
            let mark = format!("stockade-jail-{}-{backend}-{code}", std::process::id());
            let script =
                format!("{trap}sh -c 'trap \"\" TERM; setsid sleep 300' {mark} & echo ready; sleep 300");
            let mut child =
                jail(&world, &["--backend", backend], ["/bin/sh", "-c", &script]).spawn().expect("it starts");
            let mut word = [0; 6];
            child.stdout.as_mut().expect("a pipe").read_exact(&mut word).expect("it says so");
            assert!(wait_until(SOON, || !processes_with(&mark).is_empty()), "nothing was left behind");
            let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
            kill(pid, Signal::SIGTERM).expect("it can be sent");
            let finished = finish(child, SOON);
            assert_eq!(finished.code(), code, "{backend}: {finished:#?}");
            assert!(wait_until(SOON, || processes_with(&mark).is_empty()), "{backend}: something is left");
        }
    }
}

#[test]
fn what_the_program_leaves_behind_ends_with_it() {
    let world = World::new();
    for backend in BACKENDS {
        let mark = format!("stockade-left-{}-{backend}", std::process::id());
        let script = format!(
            "sh -c 'trap \"\" HUP TERM; sleep 300; sleep 1' {mark} >/dev/null 2>&1 & sleep 0.1; exit 3"
        );
        let finished = shell(&world, &["--backend", backend], &script);
        assert_eq!(finished.code(), 3, "{backend}: {finished:#?}");
        assert!(processes_with(&mark).is_empty(), "{backend}: something is left");
    }
}

#[test]
fn files_and_environment_are_as_in_run() {
    let world = World::new();
    let secret = world.write("home/.ssh/id_rsa", "key material\n");
    let notes = world.write("notes/a.txt", "a note\n");
    let script = format!("cat {}; cat {}; env", secret.display(), notes.display());
    let bare = |command: &mut Command| {
        world.dress(command);
        command.env("A_TOKEN", "tokenvalue").env("GIVEN", "givenvalue");
    };
    let mut outside = Command::new("/bin/sh");
    outside.args(["-c", &script]);
    bare(&mut outside);
    let outside = ended(outside).stdout_text();
    for (part, why) in [("key material", "file"), ("a note", "file"), ("tokenvalue", "variable")] {
        assert!(outside.contains(part), "the {why} is not there without a jail either: it proves nothing");
    }
    let grant = notes.parent().expect("a directory").to_str().expect("text");
    for backend in BACKENDS {
        let flags = ["--backend", backend, "--grant-read", grant, "--env", "GIVEN", "--env", "SET=setvalue"];
        let mut command = jail(&world, &flags, ["/bin/sh", "-c", &script]);
        bare(&mut command);
        let inside = ended(command);
        let (said, complaints) = (inside.stdout_text(), &inside.stderr);
        assert!(!said.contains("key material") && !said.contains("tokenvalue"), "{backend}: {inside:#?}");
        assert!(complaints.contains("id_rsa"), "{backend}: {inside:#?}");
        for part in ["a note", "GIVEN=givenvalue", "SET=setvalue"] {
            assert!(said.contains(part), "{backend}: no {part}: {inside:#?}");
        }
    }
}

#[test]
fn nothing_is_reached_over_the_network() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let attempts = json!([["connect", "tcp", "127.0.0.1", listener.local_addr().unwrap().port()]]);
    let words = fixture_command("probe.py", &[&attempts.to_string()]);
    let mut outside = Command::new(&words[0]);
    outside.args(&words[1..]);
    world.dress(&mut outside);
    assert!(ended(outside).stderr.contains("\"done\""), "it fails without a jail too: it proves nothing");
    for backend in BACKENDS {
        let inside = ended(jail(&world, &["--backend", backend], words.clone()));
        assert!(
            inside.stderr.contains("PROBE") && !inside.stderr.contains("\"done\""),
            "{backend}: {inside:#?}"
        );
    }
}

#[test]
fn explain_prints_the_plan_and_starts_nothing() {
    let world = World::new();
    let mark = world.root().join("started");
    let script = format!("touch {}", mark.display());
    let grant = world.project();
    let grant = grant.to_str().expect("text");
    let explained = shell(&world, &["--explain", "--grant-write", grant], &script);
    assert_eq!(explained.code(), 0, "{explained:#?}");
    for part in ["Profile", "default", grant, "--grant-write"] {
        assert!(explained.stdout_text().contains(part), "no {part}: {explained:#?}");
    }
    assert!(!mark.exists() && events(&world).is_empty(), "something was started");
    // The same words in `run` give the same plan.
    let run =
        ended(world.stockade(["run", "--explain", "--grant-write", grant, "--", "/bin/sh", "-c", &script]));
    let same = |finished: &Finished| -> Vec<String> {
        // Temporary directories differ between any two plans.
        finished.stdout_text().lines().filter(|line| !line.contains("/tmp/")).map(str::to_owned).collect()
    };
    assert_eq!(same(&explained), same(&run));
}

#[test]
fn what_is_explained_is_what_is_done_shim_and_all() {
    let world = World::new();
    let explained = shell(&world, &["--explain"], "true").stdout_text();
    assert!(
        explained.contains("/shim") && explained.contains("hands web pages to the browser"),
        "{explained}"
    );
    let state = world.state().join("servers");
    assert!(!state.exists(), "explaining makes nothing");
    let names = explained.split("Environment (names)\n").nth(1).expect("a section");
    let mut names: Vec<&str> =
        names.lines().take_while(|line| line.starts_with("  ")).map(str::trim).collect();
    names.sort_unstable();
    assert!(names.contains(&"BROWSER") && names.contains(&"STOCKADE_OPEN"), "{explained}");
    assert_eq!(shell(&world, &[], "true").code(), 0);
    let start = events(&world).into_iter().find(|event| event["kind"] == "session.start").expect("a start");
    let mut given: Vec<&str> =
        start["what"]["env_names"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    given.sort_unstable();
    assert_eq!(names, given);
    // Every place that the plan names is the one that it got, the shim's among them.
    let shim = explained.lines().find(|line| line.contains("/shim")).expect("a line");
    let dir = shim.split_whitespace().find(|word| word.contains("/shim")).expect("a path");
    assert!(std::path::Path::new(dir).join("xdg-open").exists(), "{shim}");
}

#[test]
fn a_policy_forbids_grants_and_programs_here_too() {
    let world = World::new();
    world.user_policy("version = 1\n[defaults]\ngrants_by_flag = \"deny\"\n");
    let grant = world.project();
    let refused = shell(&world, &["--grant-read", grant.to_str().expect("text")], "echo ran");
    assert_eq!((refused.code(), &*refused.stdout_text()), (125, ""), "{refused:#?}");
    assert!(refused.stderr.contains("--grant-read"), "{refused:#?}");
    assert_eq!(shell(&world, &[], "exit 0").code(), 0, "without a grant it runs");
    world.user_policy(
        "version = 1\n[[rule]]\nid = \"none\"\neffect = \"deny\"\nservers = [\"*\"]\nreason = \"Nothing runs here\"\n",
    );
    let refused = shell(&world, &[], "echo ran");
    assert_eq!((refused.code(), &*refused.stdout_text()), (125, ""), "{refused:#?}");
    assert!(refused.stderr.contains("Nothing runs here"), "{refused:#?}");
}

#[test]
fn the_session_is_on_record_as_one_without_a_mediator() {
    let world = World::new();
    let finished = shell(&world, &[], "echo four; exit 5");
    assert_eq!((finished.code(), &*finished.stderr), (5, ""), "Stockade itself says nothing");
    let events = events(&world);
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds.first(), Some(&"session.start"), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&"session.end"), "{kinds:?}");
    assert_eq!(events[0]["what"]["mediated"], false, "{:#}", events[0]);
    let end = &events[events.len() - 1]["what"];
    assert_eq!((&end["exit"], &end["bytes"][1]), (&json!(5), &json!(5)), "{end:#}");
    assert_eq!(end["server"], "exit status 5", "{end:#}");
    // Its temporary directory is gone.
    let left = Command::new("find")
        .arg(world.state())
        .args(["-path", "*/stockade/tmp/*"])
        .output()
        .expect("find runs");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}
