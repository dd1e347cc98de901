//! Exit codes and what is said when a start fails.

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::{call, converse};
use crate::support::{Finished, World, finish, fixture_command};

fn run(world: &World, words: &[&str]) -> Finished {
    let words = ["run"].iter().chain(words).map(OsString::from);
    ended(&mut world.stockade(words))
}

fn ended(command: &mut Command) -> Finished {
    finish(command.spawn().expect("stockade starts"), Duration::from_secs(60))
}

/// Nothing on stdout, a heading, a way on.
fn is_clear(failed: &Finished) {
    assert_eq!(failed.stdout_text(), "", "stdout holds the protocol alone");
    assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
    assert!(failed.stderr.contains("hint: "), "no way on: {}", failed.stderr);
    for word in ["panicked", "RUST_BACKTRACE", "Err("] {
        assert!(!failed.stderr.contains(word), "talk for programmers: {}", failed.stderr);
    }
}

#[test]
fn the_servers_exit_code_is_passed_through() {
    for code in [0, 1, 7, 124, 255] {
        let world = World::new();
        let steps = json!([{"handshake": true}, call(1, "exit", json!({"code": code})), {"await": 1}]);
        let outcome = converse(&world, &steps, &[], fixture_command("scripted.py", &[]));
        assert_eq!(outcome["code"], code, "{outcome}");
    }
}

#[test]
fn the_servers_signal_is_passed_through_as_a_shell_does() {
    for signal in [6, 9, 11, 15] {
        let world = World::new();
        let steps = json!([{"handshake": true}, call(1, "signal", json!({"number": signal})), {"await": 1}]);
        let outcome = converse(&world, &steps, &[], fixture_command("scripted.py", &[]));
        assert_eq!(outcome["code"], 128 + signal, "{outcome}");
    }
}

#[test]
fn a_program_that_says_nothing_ends_with_its_own_code() {
    let world = World::new();
    for (program, code) in [("/bin/true", 0), ("/bin/false", 1)] {
        let finished = run(&world, &["--", program]);
        assert_eq!(finished.code(), code, "{program}: {}", finished.stderr);
        assert_eq!(finished.stdout_text(), "");
    }
}

#[test]
fn a_missing_program_is_127() {
    let world = World::new();
    for program in ["/no/such/program", "no-such-program-anywhere", "./neither"] {
        let failed = run(&world, &["--", program]);
        assert_eq!(failed.code(), 127, "{program}: {}", failed.stderr);
        assert!(failed.stderr.contains(program.trim_start_matches("./")), "{}", failed.stderr);
        is_clear(&failed);
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_126() {
    let world = World::new();
    let text = world.write("project/notes.txt", "not a program\n");
    let failed = run(&world, &["--", text.to_str().expect("a path in UTF-8")]);
    assert_eq!(failed.code(), 126, "{}", failed.stderr);
    is_clear(&failed);
    let failed = run(&world, &["--", world.project().to_str().expect("a path in UTF-8")]);
    assert_eq!(failed.code(), 126, "a directory: {}", failed.stderr);
    is_clear(&failed);
}

#[test]
fn a_missing_command_is_125_and_says_what_to_write() {
    let world = World::new();
    for words in [&[][..], &["--"], &["--profile"], &["--no-such-flag", "--", "/bin/true"]] {
        let failed = run(&world, words);
        assert_eq!(failed.code(), 125, "{words:?}: {}", failed.stderr);
        assert_eq!(failed.stdout_text(), "");
        assert!(failed.stderr.contains("--help"), "{words:?}: {}", failed.stderr);
    }
}

const WRONG_POLICY: &str = r#"version = 1
mode = "enforced"

[[rule]]
id = "a"
effect = "denied"
tool = ["x"]
reason = "typos"

[[dlp]]
id = "b"
detect = ["sekret/*"]
action = "redact"
"#;

/// One mistake a line, each with line and column, and nothing was started.
fn tells_all_mistakes(failed: &Finished, file: &str, places: &[&str]) {
    for place in places {
        assert!(failed.stderr.contains(&format!("{file}:{place}:")), "no {place}: {}", failed.stderr);
    }
    is_clear(failed);
}

#[test]
fn all_mistakes_of_a_policy_are_told_with_line_and_column() {
    let world = World::new();
    let policy = world.write("team.toml", WRONG_POLICY);
    let file = policy.to_str().expect("a path in UTF-8");
    let places = ["2:8", "6:10", "7:1", "12:11"];
    let failed = run(&world, &["--policy", file, "--", "/bin/true"]);
    assert_eq!(failed.code(), 125);
    tells_all_mistakes(&failed, file, &places);

    let checked = ended(&mut world.stockade(["policy", "check", file]));
    assert!(matches!(checked.code(), 1), "{}: {}", checked.code(), checked.stderr);
    let said = format!("{}{}", checked.stdout_text(), checked.stderr);
    for place in places {
        assert!(said.contains(&format!("{file}:{place}:")), "no {place}: {said}");
    }
}

#[test]
fn a_users_policy_with_mistakes_stops_the_start_as_well() {
    let world = World::new();
    world.user_policy(WRONG_POLICY);
    let failed = run(&world, &["--", "/bin/true"]);
    assert_eq!(failed.code(), 125, "{}", failed.stderr);
    assert!(failed.stderr.contains("policy.toml:2:8:"), "{}", failed.stderr);
    is_clear(&failed);
}

#[test]
fn a_policy_that_is_not_there_stops_the_start() {
    let world = World::new();
    let failed = run(&world, &["--policy", "/no/such/policy.toml", "--", "/bin/true"]);
    assert_eq!(failed.code(), 125, "{}", failed.stderr);
    assert!(failed.stderr.contains("/no/such/policy.toml"), "{}", failed.stderr);
    is_clear(&failed);
}

#[test]
fn all_mistakes_of_a_profile_are_told_with_line_and_column() {
    let world = World::new();
    let profile =
        "name = \"mine\"\nextends = \"no-such-base\"\n\n[fs]\nread = [{ path = \"relative\" }]\nreed = []\n";
    world.write("config/stockade/profiles/mine.toml", profile);
    let failed = run(&world, &["--profile", "mine", "--", "/bin/true"]);
    assert_eq!(failed.code(), 125, "{}", failed.stderr);
    for line in ["mine.toml:5:", "mine.toml:6:1:"] {
        assert!(failed.stderr.contains(line), "no {line}: {}", failed.stderr);
    }
    is_clear(&failed);
}

#[test]
fn an_unknown_profile_stops_the_start() {
    let world = World::new();
    let failed = run(&world, &["--profile", "nobody-wrote-this", "--", "/bin/true"]);
    assert_eq!(failed.code(), 125, "{}", failed.stderr);
    assert!(failed.stderr.contains("nobody-wrote-this"), "{}", failed.stderr);
    is_clear(&failed);
}
