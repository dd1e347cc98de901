//! A server that does honest work.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use serde_json::json;

use super::{BACKENDS, Call, alone, check, driven, evidence, granted, install, learn, proposal};
use crate::support::World;

/// A proxy for HTTPS that leads every host to a server which sends back in capitals what it gets.
fn outside() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has room");
    let address = listener.local_addr().expect("an address");
    let serve = |mut stream: TcpStream| -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        stream.write_all(text.to_uppercase().as_bytes())
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A world with a project under git, notes and a secret at home.
fn world() -> World {
    let world = World::new();
    world.write("project/data.txt", "data");
    world.write("project/second.txt", "second");
    world.write("project/out/old.txt", "old");
    world.write("home/notes/x", "a note");
    world.write("home/notes/y", "another note");
    world.write("home/.ssh/canary", "a key");
    world.write("home/.bashrc", "# mine");
    world.write("project/.env", "TOKEN=x");
    let mut git = Command::new("git");
    git.args(["init", "-q"]);
    world.dress(&mut git);
    assert!(git.status().expect("git starts").success());
    world
}

fn honest(world: &World) -> Vec<Call> {
    let at = |below: &str| world.root().join(below).display().to_string();
    vec![
        ("read", json!({ "path": at("project/data.txt") })),
        ("read", json!({ "path": at("home/notes/x") })),
        ("write", json!({ "path": at("project/out/new.txt"), "text": "new" })),
        ("talk", json!({ "host": "api.stockade-test.invalid", "port": 443, "send": "hello" })),
        ("run", json!({ "words": ["git", "-C", at("project"), "rev-parse", "--is-inside-work-tree"] })),
    ]
}

fn forbidden(world: &World) -> Vec<Call> {
    let at = |below: &str| world.root().join(below).display().to_string();
    vec![
        ("read", json!({ "path": at("home/.ssh/canary") })),
        ("read", json!({ "path": at("project/.env") })),
        ("write", json!({ "path": at("home/.bashrc"), "text": "echo" })),
        ("talk", json!({ "host": "127.0.0.1", "port": 443, "send": "x" })),
    ]
}

/// Whether something stands in a comment as a line that a person may uncomment.
fn text_of_asides(text: &str, what: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("# { path = ") && line.contains(what))
}

const HONEST: [&str; 5] = ["data", "a note", "written", "HELLO", "true"];

#[test]
fn what_was_learnt_lets_the_server_do_the_same_and_nothing_more() {
    for backend in BACKENDS {
        let world = world();
        let proxy = format!("http://{}", outside());
        let env = [("https_proxy", proxy.as_str())];
        let calls: Vec<Call> = honest(&world).into_iter().chain(forbidden(&world)).collect();
        let (answers, said) = driven(&world, &env, &["learn", "--backend", backend], &calls);
        assert_eq!(answers[..5], HONEST, "{backend}: {said}");
        for (answer, call) in answers[5..].iter().zip(&calls[5..]) {
            let refused = ["ENOENT", "EACCES", "EPERM", "EROFS", "ECONNREFUSED", "ECONNRESET"];
            // Of a `.env` there is a text in its place where there is a mount namespace.
            let kept = |answer: &str| {
                call.1["path"].as_str().is_some_and(|path| path.ends_with(".env"))
                    && answer.starts_with("# The jail")
            };
            assert!(refused.contains(&answer.as_str()) || kept(answer), "{backend}: {call:?} → {answer}");
        }
        assert_eq!(std::fs::read_to_string(world.home().join(".bashrc")).unwrap(), "# mine", "{backend}");
        assert!(text_of_asides(&proposal(&world), "home}/.ssh/canary"), "{backend}: {}", proposal(&world));
        assert!(said.contains("ordinary files of yours are open to it"), "{said}");

        let text = proposal(&world);
        check(&world, &text);
        let lists = granted(&text);
        assert!(lists["read"].contains(&"${workspace}/data.txt".to_owned()), "{backend}: {text}");
        assert!(lists["read"].contains(&"${home}/notes/x".to_owned()), "{backend}: {text}");
        assert_eq!(lists["write"], ["${workspace}/out"], "{backend}: {text}");
        assert_eq!(lists["allow"], ["api.stockade-test.invalid:443"], "{backend}: {text}");
        assert_eq!((lists["exec"].len(), lists["pass"].len()), (0, 0), "{backend}: {text}");
        assert!(lists.values().flatten().all(|one| !one.contains(".ssh") && !one.contains(".env")), "{text}");
        // Which call it was is told by the time, and so is not asserted.
        let told = |line: &str| {
            line.contains("data.txt")
                && line.contains("read once by python3")
                && line.contains("in 1 run, first during ")
        };
        assert!(text.lines().any(told), "{backend}: {text}");

        // The file has to be new to be created.
        std::fs::remove_file(world.project().join("out/new.txt")).unwrap();
        install(&world, &text);
        let name = toml::from_str::<toml::Value>(&text).unwrap()["name"].as_str().unwrap().to_owned();
        let second = world.project().join("second.txt").display().to_string();
        let other = world.home().join("notes/y").display().to_string();
        let more = [("read", json!({ "path": second })), ("read", json!({ "path": other }))];
        let calls: Vec<Call> = calls.into_iter().chain(more).collect();
        let (answers, said) =
            driven(&world, &env, &["run", "--backend", backend, "--profile", &name], &calls);
        assert_eq!(answers[..5], HONEST, "{backend}: {said}\n{text}");
        for answer in &answers[5..] {
            assert!(!["a key", "TOKEN=x", "second", "another note"].contains(&answer.as_str()), "{answer}");
        }
        // Below /tmp, which is the jail's own, it may write there what nobody outside sees.
        assert_eq!(std::fs::read_to_string(world.home().join(".bashrc")).unwrap(), "# mine", "{backend}");
    }
}

#[test]
fn several_runs_add_up_and_what_was_tried_before_is_told_with_its_numbers() {
    let world = world();
    let at = |below: &str| world.root().join(below).display().to_string();
    learn(&world, "namespaces", &[("read", json!({ "path": at("home/notes/x") }))]);
    let first = proposal(&world);
    assert!(!granted(&first)["read"].contains(&"${workspace}/data.txt".to_owned()));
    let twice = json!({ "path": at("home/notes/x") });
    learn(
        &world,
        "notify",
        &[("read", twice.clone()), ("read", twice), ("read", json!({ "path": at("project/data.txt") }))],
    );
    assert_eq!(evidence(&world).len(), 2);
    let text = proposal(&world);
    let lists = granted(&text);
    assert_eq!(lists["read"], ["${home}/notes/x", "${workspace}/data.txt"], "{text}");
    assert!(text.contains("read 3 times") && text.contains("in 2 runs"), "{text}");
    check(&world, &text);
    let forgotten = alone(&world, &["--forget"]);
    assert_eq!(forgotten.code(), 0, "{forgotten:#?}");
    let nothing = alone(&world, &["--propose"]);
    assert!(nothing.stderr.contains("nothing was learnt"), "{nothing:#?}");
}

#[test]
fn many_files_of_a_directory_are_the_directory_and_a_few_are_themselves() {
    let world = World::new();
    let mut calls: Vec<Call> = Vec::new();
    for n in 0..6 {
        let path = world.write(&format!("home/papers/{n}.md"), "text");
        calls.push(("read", json!({ "path": path })));
    }
    for name in ["a", "b"] {
        let path = world.write(&format!("home/few/{name}"), "text");
        calls.push(("read", json!({ "path": path })));
    }
    for n in 0..6 {
        let path = world.write(&format!("home/{n}.txt"), "text");
        calls.push(("read", json!({ "path": path })));
    }
    learn(&world, "namespaces", &calls);
    let text = proposal(&world);
    let read = &granted(&text)["read"];
    assert!(read.contains(&"${home}/papers".to_owned()), "{text}");
    assert!(
        read.contains(&"${home}/few/a".to_owned()) && !read.contains(&"${home}/few".to_owned()),
        "{text}"
    );
    assert!(
        read.contains(&"${home}/0.txt".to_owned()) && !read.contains(&"${home}".to_owned()),
        "home is never one: {text}"
    );
    check(&world, &text);
}

#[test]
fn without_a_client_only_what_was_asked_for_is_called() {
    let world = world();
    let silent = alone(&world, &["--alone"]);
    assert_eq!(silent.code(), 0, "{silent:#?}");
    assert!(silent.stderr.contains("none was called"), "{silent:#?}");
    check(&world, &silent.stdout_text());
    assert!(granted(&silent.stdout_text())["read"].is_empty(), "{silent:#?}");
    let call = format!("read={}", json!({ "path": world.home().join("notes/x") }));
    let called = alone(&world, &["--call", &call]);
    assert_eq!(called.code(), 0, "{called:#?}");
    assert_eq!(granted(&called.stdout_text())["read"], ["${home}/notes/x"], "{called:#?}");
    let wrong = alone(&world, &["--call", "read={\"path\": \"/nowhere\"}"]);
    assert_eq!(wrong.code(), 1, "{wrong:#?}");
}

#[test]
fn variables_of_the_source_are_mentioned_and_never_granted() {
    let world = World::new();
    let seen = driven(&world, &[("LEARNER_TOKEN", "hush")], &["learn"], &[("variables", json!({}))]);
    assert!(!seen.0[0].contains("LEARNER_TOKEN"), "the environment stays closed: {seen:?}");
    let text = proposal(&world);
    assert!(granted(&text)["pass"].is_empty(), "{text}");
    assert!(text.contains("# \"LEARNER_TOKEN\", # "), "{text}");
    let given = driven(
        &world,
        &[("LEARNER_TOKEN", "hush")],
        &["learn", "--env", "LEARNER_TOKEN"],
        &[("variables", json!({}))],
    );
    assert!(given.0[0].contains("LEARNER_TOKEN"), "{given:?}");
    let text = proposal(&world);
    assert_eq!(granted(&text)["pass"], ["LEARNER_TOKEN"], "{text}");
    assert!(!text.contains("hush"), "no value is written down");
}

#[test]
fn what_cannot_be_seen_is_said() {
    let world = world();
    let path = world.home().join("notes/x");
    learn(&world, "static", &[("read", json!({ "path": path }))]);
    let text = proposal(&world);
    assert!(text.contains("all files in 1 run"), "{text}");
    assert!(granted(&text)["read"].is_empty(), "{text}");
}

#[test]
fn a_policy_that_forbids_flags_forbids_learning() {
    let world = World::new();
    world.user_policy("version = 1\n[defaults]\ngrants_by_flag = \"deny\"\n");
    let finished = alone(&world, &["--alone"]);
    assert_ne!(finished.code(), 0, "{finished:#?}");
    assert!(finished.stderr.contains("forbids `learn`"), "{finished:#?}");
}

#[test]
fn a_port_that_was_tried_is_open_in_the_next_run() {
    let world = World::new();
    let call = || [("talk", json!({ "host": "1.1.1.1", "port": 4444, "send": "x" }))];
    let (first, _) = learn(&world, "notify", &call());
    assert_eq!(first, ["EACCES"], "the port is not among the usual ones");
    let text = proposal(&world);
    assert!(
        granted(&text)["allow"].is_empty() && text.contains("# { host = \"1.1.1.1\", port = 4444"),
        "{text}"
    );
    learn(&world, "notify", &call());
    // Nobody answers in a sandbox without a network; what counts is that it was let out.
    assert_eq!(granted(&proposal(&world))["allow"], ["1.1.1.1:4444"]);
}
