//! G5: the environment is what the ruleset says, and no descriptor but 0, 1 and 2 is inherited.

use super::harness::Test;
use super::jail::{Backend, Jail};

pub(crate) const TESTS: &[Test] = &[
    ("the environment is exactly the ruleset's", the_environment),
    ("no descriptor but three pipes is inherited", descriptors),
    ("the working directory and argv are what was asked for", place_and_words),
    ("ignored and blocked signals of the launcher don't reach the server", signals),
];

fn the_environment(backend: Backend) {
    let jail = Jail::new(backend).option("--env", "GRANTED=yes it is");
    let binary = super::jail::this_binary();
    let binary = binary.to_str().expect("a path");
    let output = jail
        .launcher(&[binary, "__probe", "env"])
        .env("AWS_SECRET_ACCESS_KEY", "a-secret")
        .env("LD_PRELOAD", "")
        .output()
        .expect("starts");
    let run = super::jail::Run::from(output);
    assert_eq!(run.expect("ok"), "GRANTED=yes it is PATH=/usr/bin:/bin");
}

fn descriptors(backend: Backend) {
    let jail = Jail::new(backend).option("--launcher", "leak").read("/proc");
    assert_eq!(jail.probe(&["fds"]).text(), "0 1 2");
    let run = jail.shell("readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2");
    assert_eq!(run.printed.matches("pipe:[").count(), 3, "{}", run.printed);
    if backend == Backend::Namespaces {
        // PID 1 is a copy of the launcher, and must hold none of its files either.
        let mut launcher = jail.launcher(&["/bin/sleep", "60"]).spawn().expect("starts");
        let server = super::tree::first_line(&mut launcher, "server");
        if nix::unistd::geteuid().is_root() {
            let init = parent_of(&server);
            let open = std::fs::read_dir(format!("/proc/{init}/fd")).expect("its descriptors");
            assert_eq!(open.count(), 4, "three of /dev/null and the socket to the keeper");
        }
        launcher.kill().expect("kill");
        launcher.wait().expect("wait");
    }
}

pub(crate) fn parent_of(pid: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.expect("a parent").trim().to_owned()
}

fn place_and_words(backend: Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().canonicalize().expect("a path");
    let jail = Jail::new(backend).read(&path).option("--cwd", &path);
    let run = jail.run(&["/bin/sh", "-c", "pwd; echo \"$1|$2\"", "sh", "one two", ""]);
    assert!(run.printed.contains(path.to_str().expect("a path")), "{}", run.printed);
    assert!(run.printed.contains("one two|\n"), "{}", run.printed);
}

fn signals(backend: Backend) {
    let jail = Jail::new(backend).read("/proc");
    for field in ["SigBlk", "SigIgn"] {
        // Rust's runtime ignores SIGPIPE in the launcher; sh reports what it was given.
        let run = jail.shell(&format!("grep ^{field}: /proc/self/status"));
        assert!(run.printed.contains("0000000000000000"), "{field}: {}", run.printed);
    }
}
