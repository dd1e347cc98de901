//! G1: places that stay closed inside a wider grant, whatever happens to them while the server runs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, ChildStdin, Stdio};

use super::{Place, exact};
use crate::os::harness::Test;
use crate::os::jail::{Answer, Backend, Jail, eventually, outside};

pub(crate) const TESTS: &[Test] = &[
    ("a closed place is empty inside a wider grant", closed_entirely),
    ("a file whose contents are closed shows a text that says so, and nothing else", closed_contents),
    ("a place closed for writing can be read and not changed", closed_for_writing),
    ("a closed place that is a link is closed", closed_links),
    ("a grant inside a closed place is open", grants_inside),
    ("a closed place can't be left behind by renaming what holds it", renamed_from_inside),
    ("a closed place that appears later is closed", appears_later),
    ("a closed place that the host replaces is closed again", replaced_by_the_host),
    ("a server whose closed places can't be watched is ended", not_to_be_watched),
    ("what the host puts in the way of a closed place is closed too", way_replaced_by_the_host),
];

const ALL: &[&str] = &[
    "home/own",
    "home/.ssh/key",
    "home/.netrc",
    "home/.config/gh/token",
    "home/.git/hooks/pre",
    "home/.git/config",
    "home/.cargo/bin",
    "home/.cargo/credentials",
];

/// `home` is granted for writing, with places in it that stay closed.
fn jail(backend: Backend, place: &Place) -> Jail {
    let mut jail = Jail::new(backend).write(place.root.join("home"));
    for path in ["home/.ssh", "home/.netrc", "home/.config/gh", "home/.cargo/credentials", "home/.late"] {
        jail = jail.option("--close", place.at(path));
    }
    for path in ["home/.git/hooks", "home/.git/config", "home/.cargo", "home/.vscode"] {
        jail = jail.option("--close-writing", place.at(path));
    }
    jail
}

/// With Landlock and without it.
fn both(jail: Jail) -> [Jail; 2] {
    [jail.clone(), exact(jail)]
}

#[track_caller]
fn refused(jail: &Jail, words: &[&str]) {
    let answer = jail.probe(words);
    // A file masks a link, so that what seemed to be below it is not in a directory.
    let refused =
        [libc::EACCES, libc::EROFS, libc::EBUSY, libc::ENOENT, libc::EPERM, libc::EXDEV, libc::ENOTDIR];
    assert!(matches!(answer, Answer::Errno(errno) if refused.contains(&errno)), "{words:?}: {answer:?}");
    assert!(outside(words).is_ok(), "{words:?} outside");
}

fn closed_entirely(backend: Backend) {
    for which in [0, 1] {
        let place = Place::new(ALL);
        let jail = &both(jail(backend, &place))[which];
        assert!(jail.probe(&["write", &place.at("home/own")]).is_ok());
        refused(jail, &["read", &place.at("home/.ssh/key")]);
        refused(jail, &["list", &place.at("home/.ssh")]);
        refused(jail, &["chmod", &place.at("home/.ssh"), "700"]);
        refused(jail, &["create", &place.at("home/.ssh/new")]);
        refused(jail, &["read", &place.at("home/.netrc")]);
        refused(jail, &["link", &place.at("home/.netrc"), &place.at("home/copy")]);
        refused(jail, &["read", &place.at("home/.config/gh/token")]);
        refused(jail, &["read", &place.at("home/.cargo/credentials")]);
        refused(jail, &["unlink", &place.at("home/.netrc")]);
        refused(jail, &["rename", &place.at("home/.ssh"), &place.at("home/moved")]);
    }
}

fn closed_contents(backend: Backend) {
    for which in [0, 1] {
        let place = Place::new(&["project/own", "project/.env", "project/dir/.env.d/key"]);
        let env = place.at("project/.env");
        let jail = Jail::new(backend).write(place.root.join("project")).option("--close-contents", &env);
        let late = place.at("project/.env.late");
        let jail =
            jail.option("--close-contents", place.at("project/dir/.env.d")).option("--close-contents", &late);
        let jail = &both(jail)[which];
        assert!(outside(&["read", &env]).text() == "project/.env");
        let shown = jail.probe(&["read", &env]).text();
        assert!(shown.lines().all(|line| line.starts_with("# ")) && shown.contains("jail"), "{shown}");
        for words in [
            &["write", &env][..],
            &["append", &env],
            &["unlink", &env],
            &["chmod", &env, "666"],
            &["link", &env, &place.at("project/copy")],
            &["rename", &place.at("project/own"), &env],
            // A directory has no text to stand in its place.
            &["read", &place.at("project/dir/.env.d/key")],
            &["list", &place.at("project/dir/.env.d")],
        ] {
            let answer = jail.probe(words);
            assert!(matches!(answer, Answer::Errno(_)), "{words:?}: {answer:?}");
        }
        assert_eq!(fs::read_to_string(&env).expect("read"), "project/.env");
        let mut shell = Shell::start(jail);
        for file in [&env, &late] {
            for round in 0..3 {
                fs::write(place.root.join("new"), format!("secret {round}")).expect("write");
                fs::rename(place.root.join("new"), file).expect("rename");
                shell.is_stopped(&format!("grep -q secret {file}"));
                assert!(shell.works(&format!("grep -q jail {file}")));
            }
        }
    }
}

fn closed_for_writing(backend: Backend) {
    for which in [0, 1] {
        let place = Place::new(ALL);
        let jail = &both(jail(backend, &place))[which];
        assert_eq!(jail.probe(&["read", &place.at("home/.git/hooks/pre")]).text(), "home/.git/hooks/pre");
        assert_eq!(jail.probe(&["read", &place.at("home/.git/config")]).text(), "home/.git/config");
        assert!(jail.probe(&["create", &place.at("home/.git/index")]).is_ok());
        refused(jail, &["write", &place.at("home/.git/hooks/pre")]);
        refused(jail, &["create", &place.at("home/.git/hooks/post")]);
        refused(jail, &["append", &place.at("home/.git/config")]);
        refused(jail, &["chmod", &place.at("home/.git/config"), "777"]);
        refused(jail, &["rename", &place.at("home/own"), &place.at("home/.git/config")]);
        fs::write(place.root.join("home/own"), "").expect("write");
        refused(jail, &["unlink", &place.at("home/.git/config")]);
        refused(jail, &["create", &place.at("home/.cargo/new")]);
    }
}

fn closed_links(backend: Backend) {
    let place = Place::new(&["home/own", "home/real/key"]);
    symlink("real", place.root.join("home/.ssh")).expect("symlink");
    symlink("own", place.root.join("home/.git-config")).expect("symlink");
    let jail = Jail::new(backend).write(place.root.join("home"));
    // The launcher closes a link and what it leads to.
    let jail = jail.option("--close", place.at("home/.ssh")).option("--close", place.at("home/real"));
    let jail = jail.option("--close-writing", place.at("home/.git-config"));
    refused(&jail, &["read", &place.at("home/.ssh/key")]);
    refused(&jail, &["read", &place.at("home/real/key")]);
    refused(&jail, &["unlink", &place.at("home/.git-config")]);
    symlink("own", place.root.join("home/.git-config")).expect("symlink");
    refused(&jail, &["rename", &place.at("home/own"), &place.at("home/.git-config")]);
}

fn grants_inside(backend: Backend) {
    let place =
        Place::new(&["home/.state/secret", "home/.state/servers/one/own", "home/.state/servers/two/own"]);
    let jail = Jail::new(backend).write(place.root.join("home")).option("--close", place.at("home/.state"));
    let jail = jail.write(place.root.join("home/.state/servers/one"));
    for jail in both(jail) {
        assert!(jail.probe(&["write", &place.at("home/.state/servers/one/own")]).is_ok());
        for path in ["home/.state/secret", "home/.state/servers/two/own"] {
            refused(&jail, &["read", &place.at(path)]);
        }
        refused(&jail, &["list", &place.at("home/.state")]);
        assert!(!jail.probe(&["create", &place.at("home/.state/new")]).is_ok());
    }
}

fn renamed_from_inside(backend: Backend) {
    let place = Place::new(ALL);
    let jail = jail(backend, &place);
    refused(&jail, &["rename", &place.at("home/.git"), &place.at("home/.git2")]);
    fs::rename(place.root.join("home/.git2"), place.root.join("home/.git")).expect("rename");
    let run = jail.shell(&format!(
        "cd {}; mv .git old; mkdir .git; mkdir .git/hooks; echo evil > .git/hooks/pre; mv .config old",
        place.at("home")
    ));
    assert_eq!(
        fs::read_to_string(place.root.join("home/.git/hooks/pre")).expect("read"),
        "home/.git/hooks/pre"
    );
    assert!(run.printed.contains("busy"), "{}", run.printed);
    assert!(!place.root.join("home/old").exists());
    // What holds no closed place can be renamed.
    fs::create_dir(place.root.join("home/dir")).expect("mkdir");
    assert!(jail.probe(&["rename", &place.at("home/dir"), &place.at("home/dir2")]).is_ok());
}

/// A server that tries what it is told, line by line.
struct Shell {
    launcher: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Shell {
    fn start(jail: &Jail) -> Self {
        // Input of the launcher is passed on to the server.
        let jail = jail.clone().option("--launcher", "talk");
        let words = ["/bin/sh", "-c", "echo ready; while read -r line; do eval \"$line\"; done"];
        let mut launcher =
            jail.launcher(&words).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let input = launcher.stdin.take().expect("a pipe");
        let output = BufReader::new(launcher.stdout.take().expect("a pipe"));
        let mut shell = Self { launcher, input, output };
        shell.line("ready");
        shell
    }

    /// The next line that begins so.
    fn line(&mut self, start: &str) -> String {
        let mut line = String::new();
        while !line.starts_with(start) {
            line.clear();
            assert!(self.output.read_line(&mut line).expect("a line") > 0, "the launcher is gone");
        }
        line.trim().to_owned()
    }

    /// Whether a command works inside.
    fn works(&mut self, command: &str) -> bool {
        writeln!(self.input, "if {{ {command} ; }} >/dev/null 2>&1; then echo =yes; else echo =no; fi")
            .expect("written");
        self.line("=") == "=yes"
    }

    /// Waits until a command does not work inside any more.
    #[track_caller]
    fn is_stopped(&mut self, command: &str) {
        assert!(eventually(|| !self.works(command)), "{command} works");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
    }
}

fn appears_later(backend: Backend) {
    let place = Place::new(&["home/own"]);
    let mut shell = Shell::start(&jail(backend, &place));
    let home = place.root.join("home");
    // Directories and files, alone and on the way to one.
    fs::create_dir(home.join(".ssh")).expect("mkdir");
    fs::write(home.join(".ssh/key"), "secret").expect("write");
    shell.is_stopped(&format!("cat {}", place.at("home/.ssh/key")));
    fs::write(home.join(".netrc"), "secret").expect("write");
    shell.is_stopped(&format!("cat {}", place.at("home/.netrc")));
    fs::create_dir_all(home.join(".config/gh")).expect("mkdir");
    fs::write(home.join(".config/gh/token"), "secret").expect("write");
    shell.is_stopped(&format!("cat {}", place.at("home/.config/gh/token")));
    fs::create_dir_all(home.join(".git/hooks")).expect("mkdir");
    shell.is_stopped(&format!("touch {}", place.at("home/.git/hooks/pre")));
    // What holds them is pinned now.
    shell.is_stopped(&format!("mv {0}/.git {0}/x && mv {0}/x {0}/.git", place.at("home")));
    // By the server itself: its own, and closed from then on.
    shell.works(&format!("mkdir {}", place.at("home/.vscode")));
    shell.is_stopped(&format!("touch {}", place.at("home/.vscode/tasks.json")));
    assert!(shell.works(&format!("touch {}", place.at("home/own"))));
    assert!(outside(&["read", &place.at("home/.ssh/key")]).is_ok());
}

fn replaced_by_the_host(backend: Backend) {
    let place = Place::new(ALL);
    let mut shell = Shell::start(&jail(backend, &place));
    let home = place.root.join("home");
    for path in ["home/.netrc", "home/.git/config"] {
        for round in 0..5 {
            // As editors and git write a file: beside it, and renamed over it.
            fs::write(home.join("new"), format!("secret {round}")).expect("write");
            fs::rename(home.join("new"), place.root.join(path)).expect("rename");
            let deed = if path == "home/.netrc" { "cat" } else { "echo evil >>" };
            shell.is_stopped(&format!("{deed} {}", place.at(path)));
        }
    }
    fs::rename(home.join(".ssh"), home.join("away")).expect("rename");
    fs::create_dir(home.join(".ssh")).expect("mkdir");
    fs::write(home.join(".ssh/key"), "secret").expect("write");
    shell.is_stopped(&format!("cat {}", place.at("home/.ssh/key")));
    assert!(shell.works(&format!("touch {}", place.at("home/own"))));
}

fn way_replaced_by_the_host(backend: Backend) {
    let place = Place::new(ALL);
    let mut shell = Shell::start(&jail(backend, &place));
    let home = place.root.join("home");
    fs::rename(home.join(".git"), home.join("away")).expect("rename");
    fs::create_dir(home.join(".git")).expect("mkdir");
    fs::create_dir(home.join(".git/hooks")).expect("mkdir");
    shell.is_stopped(&format!("touch {}", place.at("home/.git/hooks/pre")));
    fs::write(home.join(".git/config"), "new").expect("write");
    shell.is_stopped(&format!("echo evil >> {}", place.at("home/.git/config")));
    assert!(shell.works(&format!("touch {}", place.at("home/.git/index"))));
}

fn not_to_be_watched(backend: Backend) {
    if nix::unistd::geteuid().is_root() {
        return;
    }
    let place = Place::new(&["home/.config/own"]);
    let jail = jail(backend, &place);
    // Directories that may be searched and not be read. Root may read them.
    fs::set_permissions(place.root.join("home/.config"), PermissionsExt::from_mode(0o311)).expect("chmod");
    let run = jail.run(&["/bin/sleep", "60"]);
    fs::set_permissions(place.root.join("home/.config"), PermissionsExt::from_mode(0o755)).expect("chmod");
    assert_eq!(run.expect("limit"), "hit OpenPlace");
    assert_eq!(run.expect("ended"), "Signalled(9)");
    assert_eq!(jail.run(&["/bin/true"]).expect("ended"), "Exited(0)");
}
