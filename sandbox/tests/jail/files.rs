//! G1: files outside of the granted paths can't be reached, by any of these mechanisms.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::harness::Test;
use super::jail::{Answer, Backend, Jail, outside, this_binary};

pub(crate) const TESTS: &[Test] = &[
    ("files outside of the grants are out of reach by every mechanism", every_mechanism),
    ("a granted directory can be used fully, but not executed from", the_grant_works),
    ("a read grant reads and does not write", a_read_grant),
    ("a file grant gives that file alone", a_file_grant),
    ("where names may be listed, no file can be opened, and a private view shows nothing", names_alone),
    ("proc is the jail's own in namespaces and never a way out", proc_is_no_way_out),
    ("a symbolic link in a grant gives nothing", a_link_as_a_grant),
    ("missing grants are skipped and named", missing_grants),
    ("without a file fence the same probes pass", no_fence),
];

/// `work` is granted for writing, `seen` for reading, `secret` not at all.
struct Place {
    _dir: TempDir,
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().canonicalize().expect("a path");
        for name in ["work", "seen", "secret", "secret/empty"] {
            fs::create_dir(root.join(name)).expect("mkdir");
        }
        for name in ["work/own", "seen/text", "secret/key"] {
            fs::write(root.join(name), name).expect("write");
        }
        // By the loader, so that executing it needs nothing but the right to.
        let program = root.join("secret/program");
        fs::copy("/bin/true", &program).expect("copy");
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("chmod");
        fs::copy("/bin/true", root.join("work/program")).expect("copy");
        Self { _dir: dir, root }
    }

    fn path(&self, name: &str) -> String {
        self.root.join(name).to_str().expect("a path").to_owned()
    }

    fn jail(&self, backend: Backend) -> Jail {
        Jail::new(backend).write(self.root.join("work")).read(self.root.join("seen")).read("/proc")
    }
}

/// Probes of `secret`, with the mechanism's name. `%` is the place's root.
const MECHANISMS: &[&[&str]] = &[
    &["read", "%/secret/key"],
    &["list", "%/secret"],
    &["write", "%/secret/key"],
    &["append", "%/secret/key"],
    &["truncate", "%/secret/key"],
    &["open-truncating", "%/secret/key"],
    &["create", "%/secret/new"],
    &["create", "%/beside"],
    &["tmpfile", "%/secret"],
    &["mkdir", "%/secret/new"],
    &["rmdir", "%/secret/empty"],
    &["unlink", "%/secret/key"],
    &["fifo", "%/secret/fifo"],
    &["symlink", "%/work/own", "%/secret/link"],
    &["rename", "%/secret/key", "%/work/stolen"],
    &["rename", "%/work/own", "%/secret/planted"],
    &["rename", "%/secret/key", "%/secret/renamed"],
    &["link", "%/secret/key", "%/work/stolen"],
    &["link", "%/work/own", "%/secret/planted"],
    &["read-hard-link", "%/secret/key", "%/work/hard"],
    &["read-through-link", "%/secret/key", "%/work/soft"],
    &["read-then-exchange", "%/secret/key", "%/work/own"],
    &["exec", "%/secret/program"],
    &["exec-by-fd", "%/secret/program"],
    &["read", "/proc/self/root%/secret/key"],
    &["read", "%/work/../secret/key"],
];

fn every_mechanism(backend: Backend) {
    every_mechanism_in(backend, |jail| jail);
}

pub(crate) fn every_mechanism_in(backend: Backend, with: fn(Jail) -> Jail) {
    for mechanism in MECHANISMS {
        let inside = Place::new();
        let before = snapshot(&inside.root);
        let answer = with(inside.jail(backend)).probe(&words(mechanism, &inside));
        let Answer::Errno(errno) = answer else { panic!("{mechanism:?} in the jail: {answer:?}") };
        let refused = [libc::EACCES, libc::EPERM, libc::EXDEV].contains(&errno);
        // With a view of its own it does not even see them.
        let unseen =
            backend == Backend::Namespaces && [libc::ENOENT, libc::EROFS, libc::EBUSY].contains(&errno);
        assert!(refused || unseen, "{mechanism:?} in the jail: {errno}");
        let after = snapshot(&inside.root);
        let ours = |name: &String| !name.contains("/work/soft");
        assert!(after.iter().filter(|name| ours(name)).eq(before.iter()), "{mechanism:?} left a trace");

        let free = Place::new();
        let answer = outside(&words(mechanism, &free));
        assert!(answer.is_ok(), "{mechanism:?} outside: {answer:?}");
    }
}

fn words(mechanism: &[&str], place: &Place) -> Vec<&'static str> {
    let root = place.path("").trim_end_matches('/').to_owned();
    mechanism.iter().map(|word| &*word.replace('%', &root).leak()).collect()
}

/// Every file below, with its contents.
fn snapshot(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("list").flatten() {
            let kind = entry.file_type().expect("a type");
            let text = if kind.is_file() { fs::read(entry.path()).expect("read") } else { Vec::new() };
            found.push(format!("{} {} {text:02x?}", entry.path().display(), kind.is_file()));
            if kind.is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

fn the_grant_works(backend: Backend) {
    let place = Place::new();
    let jail = place.jail(backend);
    let at = |name: &str| place.path(name);
    for mechanism in [
        vec!["read".to_owned(), at("work/own")],
        vec!["list".to_owned(), at("work")],
        vec!["write".to_owned(), at("work/own")],
        vec!["truncate".to_owned(), at("work/own")],
        vec!["open-truncating".to_owned(), at("work/own")],
        vec!["create".to_owned(), at("work/new")],
        vec!["tmpfile".to_owned(), at("work")],
        vec!["mkdir".to_owned(), at("work/dir")],
        // Across directories: REFER, which package managers need.
        vec!["rename".to_owned(), at("work/new"), at("work/dir/new")],
        vec!["link".to_owned(), at("work/dir/new"), at("work/hard")],
        vec!["symlink".to_owned(), at("work/hard"), at("work/soft")],
        vec!["fifo".to_owned(), at("work/fifo")],
        vec!["unlink".to_owned(), at("work/hard")],
    ] {
        let words: Vec<&str> = mechanism.iter().map(String::as_str).collect();
        let answer = jail.probe(&words);
        assert!(answer.is_ok(), "{mechanism:?}: {answer:?}");
    }
    assert_eq!(jail.probe(&["exec", &at("work/program")]), Answer::Errno(libc::EACCES));
    assert!(outside(&["exec", &at("work/program")]).is_ok());
}

fn a_read_grant(backend: Backend) {
    let place = Place::new();
    let jail = place.jail(backend);
    let text = place.path("seen/text");
    assert_eq!(jail.probe(&["read", &text]).text(), "seen/text");
    for mechanism in ["write", "append", "truncate", "open-truncating", "unlink"] {
        let answer = jail.probe(&[mechanism, &text]);
        assert!(matches!(answer, Answer::Errno(libc::EACCES | libc::EROFS)), "{mechanism}: {answer:?}");
    }
    assert_eq!(fs::read_to_string(&text).expect("read"), "seen/text");
}

fn names_alone(backend: Backend) {
    let place = Place::new();
    let secret = place.path("secret");
    let jail = Jail::new(backend).write(place.path("work")).option("--list", &secret);
    let listed = jail.probe(&["list", &secret]);
    // A view is made of its grants, and names are none.
    assert_eq!(listed.is_ok(), backend != Backend::Namespaces, "{listed:?}");
    assert_eq!(jail.probe(&["list", &place.path("secret/empty")]).is_ok(), listed.is_ok());
    for words in [
        &["read", &place.path("secret/key")][..],
        &["write", &place.path("secret/key")],
        &["create", &place.path("secret/new")],
        &["unlink", &place.path("secret/key")],
        &["exec", &place.path("secret/program")],
        &["link", &place.path("secret/key"), &place.path("work/key")],
        &["rename", &place.path("secret/key"), &place.path("work/key")],
        &["list", &place.path("seen")],
    ] {
        let answer = jail.probe(words);
        assert!(matches!(answer, Answer::Errno(_)), "{words:?}: {answer:?}");
    }
    assert!(outside(&["read", &place.path("secret/key")]).is_ok());
}

fn a_file_grant(backend: Backend) {
    let place = Place::new();
    let jail = Jail::new(backend).write(place.path("work/own"));
    assert!(jail.probe(&["write", &place.path("work/own")]).is_ok());
    assert_eq!(jail.probe(&["list", &place.path("work")]), Answer::Errno(libc::EACCES));
    let answer = jail.probe(&["create", &place.path("work/new")]);
    assert!(matches!(answer, Answer::Errno(libc::EACCES | libc::EROFS)), "{answer:?}");
}

fn proc_is_no_way_out(backend: Backend) {
    let place = Place::new();
    let jail = place.jail(backend);
    let me = std::process::id();
    for name in ["environ", "maps", "mem", "fd/0", "root/etc/hostname", "cwd"] {
        let path = format!("/proc/{me}/{name}");
        let probe = if name == "cwd" { "list" } else { "read" };
        let answer = jail.probe(&[probe, &path]);
        match backend {
            // Another process by that number may be in the jail, but not this one.
            Backend::Namespaces => assert_eq!(answer, Answer::Errno(libc::ENOENT), "{path}"),
            Backend::Notify | Backend::Static => assert_eq!(answer, Answer::Errno(libc::EACCES), "{path}"),
        }
    }
    assert!(outside(&["read", &format!("/proc/{me}/environ")]).is_ok());
    // The jail's own is readable, and in namespaces PID 1 is ours: not to be looked into.
    assert!(jail.probe(&["read", "/proc/self/maps"]).is_ok());
    for name in ["environ", "maps", "root/etc/hostname"] {
        let answer = jail.probe(&["read", &format!("/proc/1/{name}")]);
        assert_eq!(answer, Answer::Errno(libc::EACCES), "/proc/1/{name}");
    }
    let cmdline = jail.probe(&["read", "/proc/1/comm"]).text();
    if backend == Backend::Namespaces {
        assert_eq!(cmdline, "stockade-init");
        assert_eq!(jail.probe(&["read", "/proc/sys/kernel/ns_last_pid"]).text(), "2");
    }
}

fn a_link_as_a_grant(backend: Backend) {
    let place = Place::new();
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(place.root.join(target), place.root.join(name)).expect("symlink");
    };
    link("secret", "work/last");
    link("", "work/above");
    // What a server with a write grant on `work` can put there between the launcher's look and the next start.
    for granted in ["work/last", "work/above/secret", "work/above/secret/key"] {
        let granted = place.path(granted);
        for access in ["--read", "--exec", "--write"] {
            let jail = Jail::new(backend).option(access, &granted);
            let answer = jail.probe(&["read", &place.path("secret/key")]);
            let refused = matches!(answer, Answer::Errno(libc::EACCES | libc::ENOENT));
            assert!(refused, "{access} {granted}: {answer:?}");
            assert_eq!(jail.run(&["/bin/true"]).expect("skipped"), granted);
        }
        assert!(outside(&["stat", &granted]).is_ok(), "{granted}");
    }
    let jail = Jail::new(backend).read(place.root.join("secret"));
    assert!(jail.probe(&["read", &place.path("secret/key")]).is_ok(), "by its own name");
}

fn missing_grants(backend: Backend) {
    let run = Jail::new(backend).read("/no/such").run(&["/bin/true"]);
    assert_eq!(run.expect("skipped"), "/no/such");
    assert_eq!(run.expect("ended"), "Exited(0)");
}

fn no_fence(backend: Backend) {
    let place = Place::new();
    let jail = Jail::new(backend).option("--danger", "files").option("--require", "nothing");
    assert!(jail.probe(&["read", &place.path("secret/key")]).is_ok());
    assert!(jail.probe(&["create", &place.path("secret/new")]).is_ok());
    let run = jail.run(&[this_binary().to_str().expect("a path"), "__probe", "env"]);
    assert!(run.expect("degree-fs").starts_with("None"), "{}", run.printed);
}
