//! G1 and G9 in `namespaces`: a view of the file tree in which nothing is that was not granted.

use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use tempfile::TempDir;

use super::harness::Test;
use super::jail::{Answer, Backend, Jail, outside};
use super::sys;

pub(crate) mod closed;

/// Of every backend; what there is no view for is what the view is for.
pub(crate) const TESTS: &[Test] = &[
    ("metadata outside of the grants can't be changed", metadata),
    ("native code in a writable grant runs by no way", native_code),
    ("a place that is granted for writing and execution has both", writing_and_execution),
    ("nested grants add up in any order", nested),
    ("a server starts where it was started, granted or not", working_directory),
    ("links on the way to a program and its arguments are there", links_on_the_way),
];

/// Of a backend that has a view.
pub(crate) const ALONE: &[Test] = &[
    ("what is not granted can't even be asked after", not_even_seen),
    ("without Landlock the view alone refuses every mechanism", without_landlock),
    ("the old root is gone", the_old_root),
    ("dev holds what was granted of it, and shared memory is private", devices),
    ("tmp is the server's own, with the grants in it", temporary_files),
    ("a brokered network comes with an etc hosts of its own", hosts),
    ("no mount can be changed from inside", mounts),
    ("where proc is masked, as in containers, namespaces are given up with the reason", masked_proc),
];

/// A directory of the test's own, without links in its path.
pub(crate) struct Place {
    _dir: TempDir,
    pub(crate) root: PathBuf,
}

impl Place {
    /// With these directories and, where a path has no slash at its end, files that hold their own path.
    pub(crate) fn new(paths: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().canonicalize().expect("a path");
        fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).expect("chmod");
        let place = Self { _dir: dir, root };
        for path in paths {
            place.make(path);
        }
        place
    }

    pub(crate) fn make(&self, path: &str) {
        let at = self.root.join(path);
        if path.ends_with('/') {
            fs::create_dir_all(at).expect("mkdir");
        } else {
            fs::create_dir_all(at.parent().expect("a parent")).expect("mkdir");
            fs::write(at, path).expect("write");
        }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        self.root.join(path).to_str().expect("a path").trim_end_matches('/').to_owned()
    }
}

/// No other backend has a view.
fn has_view(backend: Backend) -> bool {
    backend == Backend::Namespaces
}

fn not_even_seen(backend: Backend) {
    let place = Place::new(&["granted/text", "secret/key"]);
    let jail = Jail::new(backend).read(place.root.join("granted"));
    let secret = place.at("secret/key");
    for path in
        [&*secret, &place.at("secret"), "/root", "/home", "/var/log", "/boot", "/sys", "/proc", "/run"]
    {
        assert_eq!(jail.probe(&["stat", path]), Answer::Errno(libc::ENOENT), "{path}");
        assert!(outside(&["stat", path]).is_ok() || !fs::exists(path).unwrap_or(true), "{path}");
    }
    assert!(jail.probe(&["stat", &place.at("granted/text")]).is_ok());
    // The way to it is there and holds nothing else.
    let run = jail.shell(&format!("cd {} && pwd", place.root.display()));
    assert!(run.printed.contains(&format!("{}\n", place.root.display())), "{}", run.printed);
    assert_eq!(outside(&["list", &place.at("")]).text(), "2");
}

fn metadata(backend: Backend) {
    let place = Place::new(&["seen/text", "secret/key", "work/own"]);
    let jail = Jail::new(backend).read(place.root.join("seen")).write(place.root.join("work"));
    for path in ["seen/text", "secret/key"] {
        for deed in [&["chmod", "%", "600"][..], &["touch", "%"], &["attribute", "%"]] {
            let path = place.at(path);
            let words: Vec<&str> = deed.iter().map(|word| if *word == "%" { &*path } else { word }).collect();
            let answer = jail.probe(&words);
            match backend {
                Backend::Namespaces => {
                    assert!(
                        matches!(answer, Answer::Errno(libc::EROFS | libc::ENOENT)),
                        "{words:?}: {answer:?}"
                    );
                }
                // Landlock has no right for metadata: this is what the view is for.
                Backend::Notify | Backend::Static => assert!(answer.is_ok(), "{words:?}: {answer:?}"),
            }
            assert!(outside(&words).is_ok(), "{words:?}");
        }
    }
    assert!(jail.probe(&["chmod", &place.at("work/own"), "600"]).is_ok());
    assert!(jail.probe(&["touch", &place.at("work/own")]).is_ok());
    if nix::unistd::geteuid().is_root() && has_view(backend) {
        // In a directory of the system that is shown whole.
        let answer = jail.probe(&["chmod", "/etc/hostname", "644"]);
        assert!(matches!(answer, Answer::Errno(libc::EROFS | libc::ENOENT)), "{answer:?}");
    }
}

/// Where the kernel has no Landlock, mounts have to do.
fn exact(jail: Jail) -> Jail {
    jail.option("--launcher", "without-landlock").option("--require", "nothing")
}

fn without_landlock(backend: Backend) {
    super::files::every_mechanism_in(backend, exact);
    let jail = exact(Jail::new(backend)).read("/etc/passwd");
    let run = jail.run(&["/bin/true"]);
    assert_eq!(run.expect("abi"), "0");
    assert_eq!(run.expect("ended"), "Exited(0)");
    assert!(jail.probe(&["read", "/etc/passwd"]).is_ok());
    for path in ["/etc/hostname", "/etc/shadow", "/etc/ssh", "/proc", "/var/lib"] {
        assert_eq!(jail.probe(&["stat", path]), Answer::Errno(libc::ENOENT), "{path}");
    }
    assert_eq!(jail.probe(&["append", "/etc/passwd"]), root_or_not(libc::EROFS, libc::EACCES));
    assert!(jail.probe(&["stat", "/bin/sh"]).is_ok(), "links of the root are there");
    let place = Place::new(&["work/own", "seen/text"]);
    fs::copy("/bin/true", place.root.join("work/program")).expect("copy");
    let jail = jail.write(place.root.join("work")).read(place.root.join("seen")).read("/no/such");
    assert!(jail.probe(&["write", &place.at("work/own")]).is_ok());
    assert_eq!(jail.probe(&["write", &place.at("seen/text")]), Answer::Errno(libc::EROFS));
    assert_eq!(jail.probe(&["exec", &place.at("work/program")]), Answer::Errno(libc::EACCES));
    assert_eq!(jail.run(&["/bin/true"]).expect("skipped"), "/no/such");
}

fn root_or_not(root: i32, user: i32) -> Answer {
    Answer::Errno(if nix::unistd::geteuid().is_root() { root } else { user })
}

/// The loader and a library that no program of the tests uses.
fn loader_and_library() -> (PathBuf, PathBuf) {
    let find = |dirs: &[&str], name: &str| {
        let found = dirs.iter().map(|dir| PathBuf::from(dir).join(name)).find(|path| path.exists());
        found.unwrap_or_else(|| panic!("no {name}"))
    };
    let machine = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let loader = match std::env::consts::ARCH {
        "x86_64" => "ld-linux-x86-64.so.2",
        _ => "ld-linux-aarch64.so.1",
    };
    (find(&["/lib64", "/lib"], loader), find(&[&machine, "/usr/lib64", "/usr/lib"], "libresolv.so.2"))
}

fn native_code(backend: Backend) {
    let place = Place::new(&["work/", "programs/"]);
    let (loader, library) = loader_and_library();
    for dir in ["work", "programs"] {
        fs::copy("/bin/true", place.root.join(dir).join("program")).expect("copy");
        fs::copy(&library, place.root.join(dir).join("library.so")).expect("copy");
    }
    let jail = Jail::new(backend).write(place.root.join("work")).exec(place.root.join("programs"));
    let jail = jail.read("/proc");
    let loader = loader.to_str().expect("a path").to_owned();
    let ways = |dir: &str| {
        [
            vec!["exec".to_owned(), place.at(&format!("{dir}/program"))],
            vec!["run".to_owned(), loader.clone(), place.at(&format!("{dir}/program"))],
            vec!["load".to_owned(), place.at(&format!("{dir}/library.so"))],
        ]
    };
    for (way, control) in ways("work").iter().zip(&ways("programs")) {
        let words: Vec<&str> = way.iter().map(String::as_str).collect();
        let answer = jail.probe(&words);
        // Landlock stops execve alone.
        let stopped = has_view(backend) || words.first() == Some(&"exec");
        assert_eq!(answer.is_ok(), !stopped, "{words:?}: {answer:?}");
        assert!(outside(&words).is_ok(), "{words:?}");
        let words: Vec<&str> = control.iter().map(String::as_str).collect();
        assert!(jail.probe(&words).is_ok(), "{words:?}");
    }
    // By the filter, without a view too: a memfd is made sealed against execution, or not at all.
    assert_eq!(jail.probe(&["exec-in-memory"]), Answer::Errno(libc::EACCES));
    assert!(outside(&["exec-in-memory"]).is_ok());
}

fn writing_and_execution(backend: Backend) {
    let place = Place::new(&["work/own"]);
    fs::copy("/bin/true", place.root.join("work/program")).expect("copy");
    let jail = Jail::new(backend).write(place.root.join("work")).exec(place.root.join("work"));
    assert!(jail.probe(&["write", &place.at("work/own")]).is_ok());
    assert!(jail.probe(&["exec", &place.at("work/program")]).is_ok());
}

fn nested(backend: Backend) {
    let place = Place::new(&["a/own", "a/b/own", "a/b/c/own", "a/b/c/d/own"]);
    fs::copy("/bin/true", place.root.join("a/b/c/d/program")).expect("copy");
    let grant = |jail: Jail, which: usize| match which {
        0 => jail.read(place.root.join("a")),
        1 => jail.write(place.root.join("a/b")),
        2 => jail.read(place.root.join("a/b/c")),
        _ => jail.exec(place.root.join("a/b/c/d")),
    };
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let jail = order.into_iter().fold(Jail::new(backend), grant);
        assert!(!jail.probe(&["write", &place.at("a/own")]).is_ok());
        for path in ["a/b/own", "a/b/c/own", "a/b/c/d/own"] {
            assert!(jail.probe(&["write", &place.at(path)]).is_ok(), "{path} {order:?}");
        }
        assert!(jail.probe(&["exec", &place.at("a/b/c/d/program")]).is_ok(), "{order:?}");
    }
}

fn the_old_root(backend: Backend) {
    let place = Place::new(&["granted/text", "secret"]);
    let jail = Jail::new(backend).read(place.root.join("granted")).read("/proc");
    let secret = place.at("secret");
    for way in ["/..", "/../..", "/proc/self/root", "/proc/self/root/..", "/proc/1/root", "/proc/self/cwd/.."]
    {
        let answer = jail.probe(&["read", &format!("{way}{secret}")]);
        assert!(matches!(answer, Answer::Errno(libc::ENOENT | libc::EACCES)), "{way}: {answer:?}");
    }
    for way in ["/..", "/proc/self/root", "/proc/self/root/.."] {
        assert!(outside(&["read", &format!("{way}{secret}")]).is_ok(), "{way}");
    }
    // Every mount is one of ours, and none shows the root of the host's tree.
    let mounts = jail.probe(&["read", "/proc/self/mountinfo"]).text();
    let host = fs::metadata("/").map(|root| std::os::unix::fs::MetadataExt::dev(&root)).expect("stat");
    let host = format!(" {}:{} / ", nix::sys::stat::major(host), nix::sys::stat::minor(host));
    assert!(!mounts.contains(&host), "{mounts}");
    assert!(fs::read_to_string("/proc/self/mountinfo").expect("mountinfo").contains(&host));
    assert!(!mounts.contains("secret"), "{mounts}");
    // PID 1 and the server hold nothing of it either.
    assert_eq!(jail.probe(&["fds"]).text(), "0 1 2");
    assert_eq!(jail.probe(&["create", "/planted"]), Answer::Errno(libc::EROFS));
    assert_eq!(exact(jail).probe(&["create", "/planted"]), Answer::Errno(libc::EROFS));
}

fn devices(backend: Backend) {
    let mark = format!("/dev/shm/stockade-{}-{}", std::process::id(), nix::unistd::geteuid());
    fs::write(&mark, "host").expect("write");
    let jail = Jail::new(backend).write("/dev/zero").read("/dev");
    let run = jail.shell("cd /dev; echo *; echo x > null; head -c 3 zero | wc -c");
    assert!(
        run.printed.contains("fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n"),
        "{}",
        run.printed
    );
    assert!(run.printed.contains("\n3\n"), "{}", run.printed);
    let disk = fs::read_dir("/sys/block").into_iter().flatten().flatten().next();
    if let Some(disk) = disk.map(|disk| format!("/dev/{}", disk.file_name().display())) {
        assert_eq!(jail.probe(&["stat", &disk]), Answer::Errno(libc::ENOENT), "{disk}");
    }
    let jail = Jail::new(backend).write("/dev/null").write("/dev/shm").write("/dev/ptmx").write("/dev/pts");
    assert_eq!(jail.probe(&["read", &mark]), Answer::Errno(libc::ENOENT));
    assert!(jail.probe(&["create", &mark]).is_ok());
    assert_eq!(fs::read_to_string(&mark).expect("read"), "host");
    assert!(outside(&["read", &mark]).is_ok());
    fs::remove_file(&mark).expect("unlink");
    assert!(jail.probe(&["append", "/dev/ptmx"]).is_ok());
    // By name alone: nothing else is there.
    assert_eq!(Jail::new(backend).probe(&["stat", "/dev/zero"]), Answer::Errno(libc::ENOENT));
    assert_eq!(exact(Jail::new(backend)).probe(&["stat", "/dev/zero"]), Answer::Errno(libc::ENOENT));
    assert!(exact(Jail::new(backend)).probe(&["write", "/dev/null"]).is_ok());
}

fn temporary_files(backend: Backend) {
    let place = Place::new(&["scratch/", "granted/text", "secret"]);
    let mark = format!("/tmp/stockade-{}-{}", std::process::id(), nix::unistd::geteuid());
    fs::write(&mark, "host").expect("write");
    let jail = Jail::new(backend).write(place.root.join("scratch")).read(place.root.join("granted"));
    // Without a directory of its own there is none.
    assert_eq!(jail.probe(&["read", &mark]), Answer::Errno(libc::ENOENT));
    assert!(!jail.probe(&["create", "/tmp/new"]).is_ok());
    assert!(jail.probe(&["stat", "/var/tmp"]).is_ok());
    assert_eq!(exact(Jail::new(backend)).probe(&["stat", &mark]), Answer::Errno(libc::ENOENT));
    assert!(exact(Jail::new(backend)).probe(&["list", "/tmp"]).is_ok());

    let jail = jail.option("--scratch", place.at("scratch"));
    assert_eq!(jail.probe(&["read", &mark]), Answer::Errno(libc::ENOENT));
    assert!(jail.probe(&["create", &mark]).is_ok());
    assert_eq!(fs::read_to_string(&mark).expect("read"), "host");
    assert!(jail.probe(&["create", "/var/tmp/new"]).is_ok());
    assert!(place.root.join("scratch/new").exists());
    // The test's own directory lies in /tmp, and so does the grant.
    assert_eq!(jail.probe(&["read", &place.at("granted/text")]).text(), "granted/text");
    assert_eq!(jail.probe(&["read", &place.at("secret")]), Answer::Errno(libc::ENOENT));
    fs::copy("/bin/true", place.root.join("scratch/program")).expect("copy");
    assert_eq!(jail.probe(&["exec", "/tmp/program"]), Answer::Errno(libc::EACCES));
    assert_eq!(exact(jail).probe(&["exec", "/tmp/program"]), Answer::Errno(libc::EACCES));
    assert!(outside(&["read", &mark]).is_ok());
    fs::remove_file(&mark).expect("unlink");
    // What a server left there for the next start: a link in the way of a grant.
    let place = Place::new(&["scratch/", "granted/text", "secret/key"]);
    let below = place.root.strip_prefix("/tmp").expect("in /tmp");
    symlink(place.root.join("secret"), place.root.join("scratch").join(below)).expect("symlink");
    let jail = Jail::new(backend).write(place.root.join("scratch")).read(place.root.join("granted"));
    let run = jail.option("--scratch", place.at("scratch")).run(&["/bin/true"]);
    assert_eq!(run.expect("ended"), "Exited(0)", "{}", run.printed);
    assert!(run.printed.contains(&format!("@skipped {}", place.at("granted"))), "{}", run.printed);
}

fn working_directory(backend: Backend) {
    let place = Place::new(&["here/text", "real/deep/"]);
    symlink(place.root.join("real"), place.root.join("link")).expect("symlink");
    for (cwd, says) in [("here", "here"), ("real/deep", "real/deep"), ("link/deep", "real/deep")] {
        let jail = Jail::new(backend).option("--cwd", place.at(cwd));
        let run = jail.run(&["/bin/pwd"]);
        assert!(run.printed.contains(&format!("{}\n", place.at(says))), "{}", run.printed);
        assert!(!jail.shell("cat text").printed.contains("here/text"));
        if has_view(backend) {
            let run = exact(jail).shell("echo *; echo x > new");
            assert!(run.printed.contains("*\n"), "{}", run.printed);
            assert!(!place.root.join(cwd).join("new").exists());
        }
    }
    // One that is closed can be started in too, and is empty.
    let jail = Jail::new(backend).write(&place.root).option("--close", place.at("real"));
    let run = jail.option("--cwd", place.at("real/deep")).run(&["/bin/true"]);
    assert_eq!(run.expect("ended"), "Exited(0)");
}

fn links_on_the_way(backend: Backend) {
    let place = Place::new(&["apps/one/text", "elsewhere/"]);
    fs::copy("/bin/cat", place.root.join("apps/one/program")).expect("copy");
    symlink("../apps/one", place.root.join("elsewhere/app")).expect("symlink");
    symlink(place.root.join("elsewhere/app/program"), place.root.join("start")).expect("symlink");
    let jail = Jail::new(backend).exec(place.root.join("apps/one"));
    let run = jail.run(&[place.at("start"), place.at("elsewhere/app/text")]);
    assert!(run.printed.contains("apps/one/text"), "{}", run.printed);
    let run = jail.run(&["/bin/echo".to_owned(), format!("--file={}", place.at("elsewhere/app/text"))]);
    assert_eq!(run.expect("ended"), "Exited(0)");
    // A link leads nowhere that is not granted.
    symlink("/etc/shadow", place.root.join("shadow")).expect("symlink");
    let run = jail.run(&["/bin/cat".to_owned(), place.at("shadow")]);
    assert!(
        run.printed.contains("Permission denied") || run.printed.contains("No such file"),
        "{}",
        run.printed
    );
}

fn hosts(backend: Backend) {
    let jail = Jail::new(backend).read("/etc/hosts");
    let text = fs::read_to_string("/etc/hosts").expect("read");
    assert_eq!(jail.probe(&["read", "/etc/hosts"]).text(), text.trim().replace('\n', " "));
    for jail in [jail.clone(), exact(jail)] {
        let own = jail.option("--port", "443").probe(&["read", "/etc/hosts"]).text();
        assert_eq!(own, "127.0.0.1 localhost ::1 localhost ip6-localhost ip6-loopback");
    }
    // Name servers as on the host, without what makes a resolver ask for other names.
    let Ok(text) = fs::read_to_string("/etc/resolv.conf") else { return };
    let jail = Jail::new(backend).read("/etc/resolv.conf");
    assert_eq!(jail.probe(&["read", "/etc/resolv.conf"]).text(), text.trim().replace('\n', " "));
    let own = jail.option("--port", "443").probe(&["read", "/etc/resolv.conf"]).text();
    assert_eq!(own.matches("nameserver").count(), text.matches("nameserver").count(), "{own}");
    assert!(["search ", "domain ", "ndots"].iter().all(|word| !own.contains(word)), "{own}");
}

fn mounts(backend: Backend) {
    let place = Place::new(&["seen/text"]);
    let jail = Jail::new(backend).read(place.root.join("seen")).read("/proc");
    let seen = place.at("seen");
    for words in [
        &["/bin/mount", "-o", "remount,bind,rw", &seen][..],
        &["/bin/mount", "-o", "remount,rw", "/"],
        &["/bin/umount", &seen],
        &["/bin/umount", "-l", "/proc"],
        &["/usr/bin/unshare", "-Urm", "/bin/true"],
        &["/usr/bin/nsenter", "-t", "1", "-m", "/bin/true"],
    ] {
        if fs::exists(words[0]).unwrap_or(false) {
            let run = jail.run(words);
            // Not asked by the line: what the program complains of may stand in front.
            let ended = run.printed.contains("@ended ") && !run.printed.contains("@ended Exited(0)");
            assert!(ended, "{words:?}: {}", run.printed);
        }
    }
    assert_eq!(exact(jail).probe(&["write", &place.at("seen/text")]), Answer::Errno(libc::EROFS));
    assert!(outside(&["write", &place.at("seen/text")]).is_ok());
}

fn masked_proc(backend: Backend) {
    // Only root can mask it.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let jail = Jail::bare("auto")
        .exec("/usr")
        .exec("/bin")
        .exec("/lib")
        .exec("/lib64")
        .option("--require", "nothing");
    let run = |jail: &Jail, before: &str| {
        let launcher = jail.launcher(&["/bin/true"]);
        let script = format!("{before} exec \"$@\"");
        let mut command = Command::new("/usr/bin/unshare");
        command.args(["-m", "--propagation", "private", "/bin/sh", "-c", &script, "sh"]);
        let output = command.arg(launcher.get_program()).args(launcher.get_args()).output();
        super::jail::Run::from(output.expect("starts"))
    };
    let masked = run(&jail, "mount -t tmpfs none /proc/bus &&");
    assert_ne!(masked.expect("backend"), backend.word());
    assert!(masked.expect("degree-process").contains("mounting a fresh /proc"), "{}", masked.printed);
    assert_eq!(run(&jail, "").expect("backend"), backend.word());
}

/// The probes of this file.
pub(crate) fn deed(name: &str, words: &[&str]) -> io::Result<String> {
    match (name, words) {
        ("touch", [path]) => {
            let now = TimeSpec::UTIME_NOW;
            utimensat(nix::fcntl::AT_FDCWD, *path, &now, &now, UtimensatFlags::FollowSymlink)?;
        }
        ("attribute", [path]) => sys::set_attribute(&CString::new(*path)?)?,
        ("load", [path]) => sys::load_library(&CString::new(*path)?)?,
        ("run", [program, arguments @ ..]) => {
            let status = Command::new(program).args(arguments).status()?;
            if !status.success() {
                return Err(io::Error::from_raw_os_error(libc::EACCES));
            }
        }
        ("exec-in-memory", []) => {
            let name = c"program";
            let flags = nix::sys::memfd::MFdFlags::empty();
            let mut file = fs::File::from(nix::sys::memfd::memfd_create(name, flags)?);
            file.write_all(&fs::read("/bin/true")?)?;
            let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
            let copy = file.try_clone()?;
            // A program that is open for writing can't be executed: opened again, and closed.
            let reader = fs::File::open(&path)?;
            drop((file, copy));
            Command::new(format!("/proc/{}/fd/{}", std::process::id(), reader.as_raw_fd())).status()?;
        }
        other => panic!("unknown probe {other:?}"),
    }
    Ok(String::new())
}
