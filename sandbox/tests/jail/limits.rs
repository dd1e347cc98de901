//! G7: limits on every process, and on their number.

use super::harness::Test;
use super::hog;
use super::jail::{Answer, Backend, Jail, Run, eventually, host, outside, processes_with, this_binary};

pub(crate) const TESTS: &[Test] = &[
    ("limits are set on the server", the_limits),
    ("a file can't grow past its limit", file_size),
    ("a fork bomb ends the server, with the reason", a_fork_bomb),
    ("a program that takes too much memory ends the server, with the reason", a_hog),
    ("a daemon that takes too much memory ends the server, with the reason", a_hog_elsewhere),
    ("memory in files that nobody maps counts", hidden_memory),
    ("memory in segments that nobody has attached counts", hidden_segments),
    ("many processes that take a little each count together", many_small_ones),
    ("processes that come and go without pause hide no hog", a_storm),
    ("pages that processes share count once", shared_pages),
    ("a server that stays below its limit stays", below_the_limit),
    ("the end by a limit of one process is told as such", limits_of_one_process),
    ("the machine's own shortage takes the server first", first_to_go),
];

const MIB: u64 = 1 << 20;

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
    for (limit, expected) in [("bytes=4096", 4096), ("bytes=200000", 100_000)] {
        let jail = Jail::new(backend).write(&path).read("/dev/zero").option("--limit", limit);
        let run = jail.shell(&format!("head -c 100000 /dev/zero > {}/big", path.display()));
        assert!(run.line("tree").is_some(), "{}", run.printed);
        assert_eq!(std::fs::metadata(path.join("big")).expect("the file").len(), expected);
    }
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
        // Not always at the start of a line: the shell complains in pieces.
        assert!(run.printed.contains("@limit hit Processes\n"), "{}", run.printed);
        expect_soft_unless_in_cgroup(&run);
    }
    assert_eq!(run.expect("tree"), "gone");
    assert!(eventually(|| processes_with(&mark).is_empty()), "some are left");
}

/// Full where a cgroup holds the limits, else it is said who does.
fn expect_soft_unless_in_cgroup(run: &Run) {
    if host().expect("degree-limits") == "Full" {
        assert_eq!(run.expect("degree-limits"), "Full");
    } else {
        assert!(run.expect("degree-limits").starts_with("Partial"), "{}", run.printed);
    }
}

fn limited(backend: Backend, memory: u64) -> Jail {
    // What a program of one file may write is no limit of memory.
    Jail::new(backend).option("--limit", format!("memory={memory}")).option("--limit", "bytes=8388608")
}

#[track_caller]
fn expect_limit(run: &Run, limit: &str) {
    assert_eq!(run.expect("limit"), format!("hit {limit}"), "{}", run.printed);
    assert_eq!(run.expect("ended"), "Signalled(9)", "{}", run.printed);
    assert_eq!(run.expect("tree"), "gone");
}

#[track_caller]
fn expect_out_of_memory(run: &Run) {
    expect_limit(run, "Memory");
    assert!(!run.printed.contains("@ok"), "{}", run.printed);
    expect_soft_unless_in_cgroup(run);
}

/// The same outside of any jail works.
#[track_caller]
fn expect_it_works_outside(words: &[&str]) {
    assert!(outside(words).is_ok());
}

fn run_hog(jail: &Jail, words: &[&str]) -> Run {
    let binary = this_binary();
    let mut all = vec![binary.to_str().expect("a path"), "__probe", "hog"];
    all.extend(words);
    jail.run(&all)
}

fn a_hog(backend: Backend) {
    let bytes = (256 * MIB).to_string();
    let words = ["mapped", bytes.as_str()];
    expect_out_of_memory(&run_hog(&limited(backend, 64 * MIB), &words));
    expect_it_works_outside(&["hog", "mapped", &bytes]);
}

fn a_hog_elsewhere(backend: Backend) {
    let mark = format!("{}.75", 40_000 + std::process::id());
    let binary = this_binary();
    let script = format!(
        "(setsid {} __probe hog mapped {} &); sleep {mark}; echo unreachable",
        binary.display(),
        256 * MIB
    );
    let run = limited(backend, 64 * MIB).shell(&script);
    expect_out_of_memory(&run);
    assert_eq!(processes_with(&mark), Vec::<i32>::new(), "at the moment it is said to be gone");
}

fn hidden_memory(backend: Backend) {
    let bytes = (256 * MIB).to_string();
    let run = run_hog(&limited(backend, 64 * MIB), &["files", &bytes]);
    if hog::has_files_in_memory() {
        expect_out_of_memory(&run);
    } else {
        assert!(run.printed.contains("@errno"), "a kernel before 6.3 has none for a jail: {}", run.printed);
    }
    expect_it_works_outside(&["hog", "files", &bytes]);
}

fn hidden_segments(backend: Backend) {
    let bytes = (256 * MIB).to_string();
    let run = run_hog(&limited(backend, 64 * MIB), &["segments", &bytes]);
    if backend == Backend::Namespaces {
        expect_out_of_memory(&run);
    } else {
        // Segments of the host would outlive the tree: there are none.
        assert!(run.printed.contains("@errno"), "{}", run.printed);
    }
    // Outside many of them would stay: one is enough to show that they can be had.
    assert!(outside(&["hog", "a-segment"]).is_ok());
}

fn many_small_ones(backend: Backend) {
    let bytes = (24 * MIB).to_string();
    // It looks for its own program there.
    let jail = |limit| limited(backend, limit).read("/proc");
    expect_out_of_memory(&run_hog(&jail(96 * MIB), &["processes", "8", &bytes]));
    let run = run_hog(&jail(512 * MIB), &["processes", "8", &bytes]);
    assert!(run.printed.contains("@ok") && run.line("limit").is_none(), "{}", run.printed);
}

fn a_storm(backend: Backend) {
    let mark = format!("{}.5", 40_000 + std::process::id());
    let binary = this_binary();
    let script = format!(
        "{0} __probe hares 8 {mark}; exec {0} __probe hog mapped-for-long {1}",
        binary.display(),
        256 * MIB
    );
    let jail = limited(backend, 64 * MIB).option("--limit", "processes=1000");
    expect_limit(&jail.shell(&script), "Memory");
    assert_eq!(processes_with(&mark), Vec::<i32>::new(), "at the moment it is said to be gone");
}

fn shared_pages(backend: Backend) {
    let bytes = (64 * MIB).to_string();
    let run = run_hog(&limited(backend, 128 * MIB), &["shared-by-fork", "8", &bytes]);
    assert!(run.printed.contains("@ok") && run.line("limit").is_none(), "{}", run.printed);
}

fn below_the_limit(backend: Backend) {
    let bytes = (48 * MIB).to_string();
    let ways: &[&str] = if hog::has_files_in_memory() { &["mapped", "files"] } else { &["mapped"] };
    for way in ways {
        let run = run_hog(&limited(backend, 96 * MIB), &[way, &bytes]);
        assert!(run.printed.contains("@ok") && run.line("limit").is_none(), "{}", run.printed);
        assert_eq!(run.expect("ended"), "Exited(0)");
    }
}

fn limits_of_one_process(backend: Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().canonicalize().expect("a path");
    let jail = Jail::new(backend)
        .write(&path)
        .read("/dev/zero")
        .option("--limit", "bytes=4096")
        .option("--limit", "cpu=1");
    let run = jail.shell("while :; do :; done");
    assert_eq!(
        (run.expect("limit"), run.expect("ended")),
        ("hit CpuTime", "Signalled(24)"),
        "{}",
        run.printed
    );
    let run = jail.shell(&format!("exec head -c 100000 /dev/zero > {}/big", path.display()));
    assert_eq!(
        (run.expect("limit"), run.expect("ended")),
        ("hit FileSize", "Signalled(25)"),
        "{}",
        run.printed
    );
    // An end by other signals, or of a child, is no limit's.
    for script in ["kill -SEGV $$", "kill -KILL $$", "(while :; do :; done); exit 3"] {
        let run = jail.shell(script);
        assert_eq!(run.line("limit"), None, "{script}: {}", run.printed);
    }
}

fn first_to_go(backend: Backend) {
    let jail = Jail::new(backend).read("/proc");
    let score = jail.probe(&["read", "/proc/self/oom_score_adj"]).text();
    assert_eq!(score, "1000");
    let lower = jail.probe(&["append", "/proc/self/oom_score_adj"]);
    assert!(matches!(lower, Answer::Errno(_)), "{lower:?}");
    assert!(outside(&["append", "/proc/self/oom_score_adj"]).is_ok());
}
