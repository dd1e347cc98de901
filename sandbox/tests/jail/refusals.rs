//! What can't be started is refused with the reason, and nothing is left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::harness::Test;
use super::jail::{Backend, Jail, Run, host, this_binary};

pub(crate) const TESTS: &[Test] = &[
    ("a program that isn't there is not found", not_found),
    ("a program that can't be executed is told from one that isn't there", not_executable),
    ("a working directory that isn't there is a failed step", no_directory),
    ("a launcher with threads is refused", threads),
    ("a tree that must be gone for sure needs namespaces", process_required),
    ("auto takes namespaces and says what it took", auto),
    ("auto falls back where namespaces are refused, and says why", fallback),
    ("what is known to fail is not tried again, and said so", known),
    ("knowledge can neither refuse a start nor weaken one that insists", poisoned),
    ("a launcher that guards its memory can still build a jail", guarded),
    ("dangers are refused where a guarantee must be full", dangers),
];

#[track_caller]
fn refused(run: &Run, start: &str) {
    let error = run.expect("error");
    assert!(error.starts_with(start), "{error}");
    assert_eq!(run.expect("left"), "Err(ECHILD)", "a child is left");
}

fn not_found(backend: Backend) {
    refused(&Jail::new(backend).run(&["/usr/bin/no-such-program"]), "not-found no such program");
}

fn not_executable(backend: Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().canonicalize().expect("a path");
    let file = |name: &str, text: &str, mode| {
        let path = root.join(name);
        fs::write(&path, text).expect("write");
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("chmod");
        path.to_str().expect("a path").to_owned()
    };
    let jail = Jail::new(backend).exec(&root);
    for (name, text, mode, reason) in [
        ("plain", "no program", 0o644, "Permission denied"),
        ("format", "\x7fNOT", 0o755, "Exec format error"),
        ("interpreter", "#!/no/such/interpreter\n", 0o755, "No such file"),
    ] {
        let run = jail.run(&[file(name, text, mode)]);
        refused(&run, "not-executable cannot execute");
        assert!(run.expect("error").contains(reason), "{}", run.printed);
    }
    // Executable, but not granted.
    let run = Jail::new(backend).run(&[file("ungranted", "#!/bin/sh\n", 0o755)]);
    refused(&run, "not-executable cannot execute");
}

fn no_directory(backend: Backend) {
    let run = Jail::new(backend).option("--cwd", "/no/such").run(&["/bin/true"]);
    refused(&run, "step chdir to the working directory failed No such file");
}

fn threads(backend: Backend) {
    let run = Jail::new(backend).option("--launcher", "threaded").run(&["/bin/true"]);
    assert!(run.expect("error").starts_with("threaded"), "{}", run.printed);
    assert!(run.expect("error").contains("(2 are running)"), "{}", run.printed);
}

fn process_required(backend: Backend) {
    let run = Jail::new(backend).option("--require", "process").run(&["/bin/true"]);
    match backend {
        Backend::Namespaces => {
            assert_eq!(run.expect("degree-process"), "Full");
            assert_eq!(run.expect("ended"), "Exited(0)");
        }
        Backend::Notify | Backend::Static => {
            refused(&run, "not-enforceable this host cannot enforce process tree");
        }
    }
}

fn auto(backend: Backend) {
    let run = Jail::bare("auto").exec("/usr").exec("/bin").exec("/lib").exec("/lib64").run(&["/bin/true"]);
    assert_eq!(run.expect("ended"), "Exited(0)");
    let usable = super::jail::namespaces_usable().is_ok();
    assert_eq!(run.expect("backend"), if usable { "namespaces" } else { "notify" });
    let run = Jail::new(backend).run(&["/bin/true"]);
    assert_eq!(run.expect("backend"), backend.word());
    if backend != Backend::Namespaces {
        assert!(run.expect("degree-process").starts_with("Partial"));
    }
}

fn dangers(backend: Backend) {
    for (danger, guarantee) in [("files", "files"), ("network", "network")] {
        let run = Jail::new(backend).option("--danger", danger).run(&["/bin/true"]);
        refused(&run, &format!("not-enforceable this host cannot enforce {guarantee}"));
    }
}

/// In a jail, where namespaces are refused by the filter: also the proof that jails nest.
fn fallback(backend: Backend) {
    let binary = this_binary();
    let binary = binary.to_str().expect("a path");
    let outer = Jail::new(backend).read("/proc");
    let inner = |wanted: &str, program: &[&str]| {
        let mut words = vec![binary, "__jail", "--backend", wanted];
        for path in ["/usr", "/bin", "/lib", "/lib64"] {
            words.extend(["--exec", path]);
        }
        words.push("--");
        words.extend(program);
        outer.run(&words)
    };
    let run = inner("auto", &["/bin/sh", "-c", "echo inner"]);
    if host().expect("landlock") == "0" {
        // There is nothing to fall back on that would keep files closed.
        refused(&run, "not-enforceable this host cannot enforce");
        assert!(run.printed.contains("namespaces are not usable"), "{}", run.printed);
        assert!(!run.printed.contains("inner\n"), "{}", run.printed);
        return;
    }
    assert!(run.printed.contains("inner\n"), "{}", run.printed);
    let lines: Vec<&str> = run.printed.lines().filter(|line| line.contains("@backend")).collect();
    // There is one listener a process: where ours listens already, nobody else can.
    let expected = if backend == Backend::Static { "@backend notify" } else { "@backend static" };
    assert_eq!(lines.last(), Some(&expected), "{}", run.printed);
    assert!(run.printed.contains("namespaces are not usable"), "{}", run.printed);
    assert!(run.printed.contains("clone into new namespaces"), "{}", run.printed);
    // By name it is refused, with the reason.
    let run = inner("namespaces", &["/bin/true"]);
    refused(&run, "not-enforceable this host cannot enforce process tree: namespaces are not usable");
    if backend != Backend::Static {
        let run = inner("notify", &["/bin/true"]);
        refused(&run, "step seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER) failed Device or resource busy");
    }
}

const KNOWN: &str = "namespaces:1:clone into new namespaces";

fn known(backend: Backend) {
    let binary = this_binary();
    let binary = binary.to_str().expect("a path");
    // In a jail, where namespaces are refused by the filter.
    let outer = Jail::new(backend).read("/proc");
    let inner = |known: &[String]| {
        let mut words = vec![binary.to_owned(), "__jail".to_owned()];
        let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
        option("--backend", "auto");
        for path in ["/usr", "/bin", "/lib", "/lib64"] {
            option("--exec", path);
        }
        for known in known {
            option("--known", known);
        }
        words.extend(["--", "/bin/true"].map(str::to_owned));
        let run = outer.run(&words);
        // The first word with an `@` is the outer launcher's own.
        let of = |word: &str| {
            let mut lines = run.printed.lines().filter_map(|line| line.strip_prefix('@'));
            let lines = lines.by_ref().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let attempts = of("attempt").into_iter().skip(1).collect::<Vec<_>>();
        let why = of("degree-process").pop().expect("the inner one's");
        (attempts, of("learnt"), why, of("backend").pop().expect("the inner one's"))
    };
    let (attempts, learnt, why, first) = inner(&[]);
    assert!(attempts[0].starts_with("namespaces Failed"), "{attempts:?}");
    assert_eq!(learnt, [KNOWN], "another listener is no fact about the host");
    assert!(!why.contains("earlier start"), "{why}");

    let (attempts, again, why, second) = inner(&learnt);
    assert!(attempts[0].starts_with("namespaces Skipped"), "{attempts:?}");
    assert!(attempts[0].contains("clone into new namespaces"), "{attempts:?}");
    assert_eq!((again, second), (learnt, first));
    assert!(why.contains("namespaces are not usable") && why.contains("found at an earlier start"), "{why}");
    assert!(why.contains("stockade doctor"), "{why}");
}

/// What is known may be forged by whoever can write where it is kept.
fn poisoned(backend: Backend) {
    let auto = || {
        let jail = Jail::bare("auto").exec("/usr").exec("/bin").exec("/lib").exec("/lib64");
        jail.option("--known", KNOWN).option("--known", "notify:38:seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER)")
    };
    let run = auto().run(&["/bin/true"]);
    assert_eq!((run.expect("backend"), run.expect("ended")), ("static", "Exited(0)"));
    assert!(run.expect("degree-process").starts_with("Partial"), "{}", run.printed);
    // Without a weaker one that would do, the host is asked itself.
    let run = auto().option("--require", "process").run(&["/bin/true"]);
    match super::jail::usable(Backend::Namespaces) {
        Ok(()) => {
            assert_eq!((run.expect("backend"), run.expect("degree-process")), ("namespaces", "Full"));
            assert_eq!(run.lines("learnt"), Vec::<&str>::new());
        }
        Err(_) => refused(&run, "not-enforceable this host cannot enforce process tree"),
    }
    let run = auto().option("--net", "out=443").run(&["/bin/true"]);
    assert_eq!(run.expect("backend"), "notify", "static carries no network");
    // So it is by name.
    let run = Jail::new(backend).option("--known", KNOWN).run(&["/bin/true"]);
    assert_eq!(run.expect("backend"), backend.word());
    // What could not have been learnt is not believed.
    let run = Jail::bare("auto").exec("/usr").exec("/bin").exec("/lib").exec("/lib64");
    let run = run.option("--known", "namespaces:11:clone into new namespaces").run(&["/bin/true"]);
    assert!(!run.expect("attempt").contains("Skipped"), "{}", run.printed);
}

fn guarded(backend: Backend) {
    let run = Jail::new(backend).option("--launcher", "guarded").run(&["/bin/true"]);
    assert_eq!(run.expect("ended"), "Exited(0)", "{}", run.printed);
}
