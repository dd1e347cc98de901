//! Runs the tests one after another and prints what libtest would.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};

use super::jail::{self, Backend};
use super::{
    doors, environment, files, kernel_surface, limits, network, notify, processes, race, refusals,
    start_cost, suite, supervised, tree, view,
};

/// A test of one backend.
pub(crate) type Test = (&'static str, fn(Backend));

type Case = (Backend, &'static str, fn(Backend));

/// Runs every test whose name holds one of the words that aren't flags.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    if words.iter().any(|word| word == "--list") {
        for (backend, name, _) in tests() {
            say(&format!("{} {name}: test", backend.word()));
        }
        return ExitCode::SUCCESS;
    }
    let as_user = words.iter().any(|word| word == "--as-user");
    let root = nix::unistd::geteuid().is_root();
    say(&format!("\nrunning {} jail tests as {}", tests().len(), whoami(root)));

    let namespaces = jail::namespaces_usable();
    if let Err(why) = &namespaces {
        say(&format!("no namespaces here, their tests are skipped: {why}"));
    }
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (backend, name, test) in tests() {
        let title = format!("{} {name}", backend.word());
        if !wanted.is_empty() && !wanted.iter().any(|word| title.contains(word.as_str())) {
            continue;
        }
        if backend == Backend::Namespaces && namespaces.is_err() {
            skipped += 1;
            continue;
        }
        let result = catch_unwind(AssertUnwindSafe(|| test(backend)));
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        say(&format!("test {title} ... {word}"));
        if result.is_ok() { passed += 1 } else { failed += 1 }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    say(&format!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out"
    ));
    let second = if root && !as_user { again_as_user(words) } else { true };
    if failed == 0 && second { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tests() -> Vec<Case> {
    let files = [
        files::TESTS,
        view::TESTS,
        network::TESTS,
        processes::TESTS,
        environment::TESTS,
        kernel_surface::TESTS,
        limits::TESTS,
        tree::TESTS,
        refusals::TESTS,
        start_cost::TESTS,
        suite::TESTS,
    ];
    let mut all = Vec::new();
    for backend in [Backend::Namespaces, Backend::Notify, Backend::Static] {
        for (name, test) in files.into_iter().flatten() {
            all.push((backend, *name, *test));
        }
        // What only some backends have.
        let more: &[&[Test]] = match backend {
            Backend::Namespaces => &[view::ALONE, view::closed::TESTS, doors::TESTS, supervised::TESTS],
            Backend::Notify => &[supervised::TESTS, notify::TESTS, race::TESTS],
            Backend::Static => &[],
        };
        for (name, test) in more.iter().copied().flatten() {
            all.push((backend, *name, *test));
        }
    }
    all
}

/// The same binary, from a place that everyone can read, as the user that owns nothing.
fn again_as_user(words: &[String]) -> bool {
    const NOBODY: u32 = 65534;
    let place = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).expect("chmod");
    let copy = place.path().join("jail-tests");
    std::fs::copy(std::env::current_exe().expect("our path"), &copy).expect("copy");
    Command::new(copy)
        .args(words)
        .arg("--as-user")
        .env("HOME", "/tmp")
        .current_dir("/tmp")
        .uid(NOBODY)
        .gid(NOBODY)
        .status()
        .expect("starts")
        .success()
}

fn whoami(root: bool) -> &'static str {
    if root { "root" } else { "an ordinary user" }
}

/// A line on stdout.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
