//! G7: limits on every process, and on their number.

use super::harness::Test;
use super::jail::{Backend, Jail, eventually, processes_with};

pub(crate) const TESTS: &[Test] = &[
    ("limits are set on the server", the_limits),
    ("a file can't grow past its limit", file_size),
    ("a fork bomb ends the server, with the reason", a_fork_bomb),
];

fn the_limits(backend: Backend) {
    let jail = Jail::new(backend)
        .option("--limit", "files=77")
        .option("--limit", "bytes=4096")
        .option("--limit", "cpu=33");
    assert_eq!(jail.probe(&["limit", "files"]).text(), "77 77");
    assert_eq!(jail.probe(&["limit", "bytes"]).text(), "4096 4096");
    assert_eq!(jail.probe(&["limit", "cpu"]).text(), "33 34");
    assert_eq!(jail.probe(&["limit", "core"]).text(), "0 0");
}

fn file_size(backend: Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().canonicalize().expect("a path");
    let jail = Jail::new(backend).write(&path).option("--limit", "bytes=4096");
    let run = jail.shell(&format!("head -c 100000 /dev/zero > {}/big", path.display()));
    assert!(run.line("tree").is_some(), "{}", run.printed);
    let written = std::fs::metadata(path.join("big")).expect("the file").len();
    assert!(written <= 4096, "{written}");
}

fn a_fork_bomb(backend: Backend) {
    let mark = format!("{}.25", 40_000 + std::process::id());
    let hard = backend == Backend::Namespaces && !nix::unistd::geteuid().is_root();
    let jail = Jail::new(backend).option("--limit", "processes=12");
    // Twenty daemons of their own sessions; the thirteenth fork fails where the kernel counts.
    let script = format!(
        "i=0; while [ $i -lt 20 ]; do setsid sleep {mark} & i=$((i+1)); done; sleep {mark}; echo unreachable"
    );
    let run = jail.shell(&script);
    assert!(!run.printed.contains("unreachable"), "{}", run.printed);
    if hard {
        assert!(run.printed.contains("Cannot fork"), "{}", run.printed);
        assert_eq!(run.expect("degree-limits"), "Full");
    } else {
        assert_eq!(run.expect("limit"), "hit Processes", "{}", run.printed);
        assert!(run.expect("degree-limits").starts_with("Partial"));
    }
    assert_eq!(run.expect("tree"), "gone");
    assert!(eventually(|| processes_with(&mark).is_empty()), "some are left");
}
