//! Runs the tests one after another and prints what libtest would.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};

use super::jail::{self, Backend};
use super::{
    doors, environment, files, kernel_surface, limits, listening, network, notify, processes, race, refusals,
    start_cost, suite, supervised, tree, view,
};

/// A test of one backend.
pub(crate) type Test = (&'static str, fn(Backend));

type Case = (Backend, &'static str, fn(Backend));

/// Names backends that this host is known not to have: `namespaces`, or several with commas. Their tests are left out,
/// those of any other that can't be had fail. A named one that works is a failure too: nobody should miss its tests.
const ABSENT: &str = "STOCKADE_TEST_ABSENT_BACKENDS";

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

    let hosts = BACKENDS.map(|backend| (backend, Has::of(backend)));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (backend, has) in &hosts {
        let backend = backend.word();
        match has {
            Has::It => {}
            Has::Known(why) => say(&format!("the tests of {backend} are left out, as {ABSENT} says: {why}")),
            Has::Not(why) => say(&format!(
                "{backend} can't be had on this host, so its tests fail: {why}\n\
                 (mend that, or name it in {ABSENT} to leave them out)"
            )),
            Has::Denied => {
                failed += 1;
                say(&format!("test {backend} is absent, as {ABSENT} says ... FAILED"));
            }
        }
    }
    for (backend, name, test) in tests() {
        let title = format!("{} {name}", backend.word());
        if !wanted.is_empty() && !wanted.iter().any(|word| title.contains(word.as_str())) {
            continue;
        }
        let has = hosts.iter().find(|(of, _)| *of == backend).map(|(_, has)| has);
        let passes = match has {
            Some(Has::Known(_)) => {
                skipped += 1;
                continue;
            }
            Some(Has::Not(_)) | None => false,
            Some(Has::It | Has::Denied) => catch_unwind(AssertUnwindSafe(|| test(backend))).is_ok(),
        };
        say(&format!("test {title} ... {}", if passes { "ok" } else { "FAILED" }));
        if passes { passed += 1 } else { failed += 1 }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    say(&format!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out"
    ));
    let second = if root && !as_user { again_as_user(words) } else { true };
    if failed == 0 && second { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const BACKENDS: [Backend; 3] = [Backend::Namespaces, Backend::Notify, Backend::Static];

/// Whether this host has a backend, found out by starting something in it.
enum Has {
    It,
    /// It doesn't, and somebody knows.
    Known(String),
    /// It should.
    Not(String),
    /// It does, and somebody says that it doesn't.
    Denied,
}

impl Has {
    fn of(backend: Backend) -> Self {
        match (jail::usable(backend), known_absent(backend)) {
            (Ok(()), false) => Self::It,
            (Ok(()), true) => Self::Denied,
            (Err(why), true) => Self::Known(why),
            (Err(why), false) => Self::Not(why),
        }
    }
}

/// Whether somebody says that this host has no such backend.
pub(crate) fn known_absent(backend: Backend) -> bool {
    let absent = std::env::var(ABSENT).unwrap_or_default();
    let named: Vec<&str> = absent.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    for word in &named {
        assert!(BACKENDS.iter().any(|backend| backend.word() == *word), "{ABSENT}: no backend {word}");
    }
    named.contains(&backend.word())
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
    for backend in BACKENDS {
        for (name, test) in files.into_iter().flatten() {
            all.push((backend, *name, *test));
        }
        // What only some backends have.
        let more: &[&[Test]] = match backend {
            Backend::Namespaces => &[view::ALONE, view::closed::TESTS, doors::TESTS, supervised::TESTS],
            Backend::Notify => &[supervised::TESTS, notify::TESTS, listening::TESTS, race::TESTS],
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
