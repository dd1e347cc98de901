//! G3, G4, G6 and G9 where somebody listens: granted Unix sockets, memory files, and what is told of refused calls.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;

use super::harness::{Test, say};
use super::jail::{Answer, Backend, Jail, outside};

pub(crate) const TESTS: &[Test] = &[
    ("a granted Unix socket is reached, by any path, and no other", granted_socket),
    ("a server's own Unix sockets are its own", own_sockets),
    ("who connects to a busy Unix socket waits for its turn", a_busy_socket),
    ("files of memory are never executed", memory_files),
    ("what is refused is told", told),
    ("opened files are told when they are observed", observed),
];

/// Sockets of other programs, and a private directory.
struct Place {
    dir: tempfile::TempDir,
    _listeners: Vec<UnixListener>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("chmod");
        for name in ["run", "work", "private"] {
            std::fs::create_dir(dir.path().join(name)).expect("mkdir");
        }
        let listen = |name: &str| UnixListener::bind(dir.path().join(name)).expect("bind");
        let listeners = ["run/granted", "run/other", "work/foreign"].map(listen).into();
        Self { dir, _listeners: listeners }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().expect("a path").join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a path").to_owned()
    }

    fn jail(&self, backend: Backend) -> Jail {
        Jail::new(backend)
            .write(self.path("work"))
            .write(self.path("private"))
            .read(self.path("run"))
            .option("--unix", format!("socket={}", self.text("run/granted")))
            .option("--unix", format!("below={}", self.text("private")))
    }
}

fn granted_socket(backend: Backend) {
    let place = Place::new();
    let jail = place.jail(backend);
    let granted = place.text("run/granted");
    std::os::unix::fs::symlink(place.path("run"), place.path("work/link")).expect("symlink");
    for path in [&granted, &place.text("work/link/granted"), &place.text("run/../run/./granted")] {
        let (answer, run) = jail.probed(&["unix", path]);
        assert!(answer.is_ok(), "{path}: {}", run.printed);
    }
    assert!(jail.clone().option("--cwd", place.path("run")).probe(&["unix", "granted"]).is_ok());
    for path in ["run/other", "work/foreign", "work/link/other", "run", "work/nothing", "run/nothing"] {
        let path = place.text(path);
        let (answer, run) = jail.probed(&["unix", &path]);
        assert_eq!(answer, Answer::Errno(libc::EACCES), "{path}");
        assert!(run.expect("denied").starts_with(&format!("unix {path} by ")), "{}", run.printed);
    }
    for path in ["run/other", "work/foreign"] {
        assert!(outside(&["unix", &place.text(path)]).is_ok());
    }
    // Granted, but not there: that may be said.
    std::fs::remove_file(&granted).expect("remove");
    assert_eq!(jail.probe(&["unix", &granted]), Answer::Errno(libc::ENOENT));
    // There again, as another file.
    let again = UnixListener::bind(&granted).expect("bind");
    assert!(jail.probe(&["unix", &granted]).is_ok());
    drop(again);
    assert_eq!(jail.probe(&["unix", &granted]), Answer::Errno(libc::ECONNREFUSED));
}

fn own_sockets(backend: Backend) {
    let place = Place::new();
    let jail = place.jail(backend);
    let (answer, run) = jail.probed(&["sockets", "unix-own", &place.text("private/own")]);
    assert!(answer.is_ok(), "{}", run.printed);
    assert!(place.path("private/own").exists());
    let relative = jail.clone().option("--cwd", place.path("private"));
    assert!(relative.probe(&["sockets", "unix-own", "relative"]).is_ok());
    // It is nobody's any more, and its place is taken.
    assert_eq!(
        jail.probe(&["sockets", "unix-own", &place.text("private/own")]),
        Answer::Errno(libc::EADDRINUSE)
    );
    // Somebody else's socket doesn't become its own, neither by a link nor by being moved.
    let link = place.text("private/link");
    let words = ["sockets", "unix-link", &place.text("work/foreign"), &link];
    assert_eq!(jail.probe(&words), Answer::Errno(libc::EACCES));
    if backend == Backend::Notify {
        let words = ["sockets", "unix-move", &place.text("work/foreign"), &place.text("private/moved")];
        let (answer, run) = jail.probed(&words);
        assert_eq!(answer, Answer::Errno(libc::EACCES));
        assert!(place.path("private/moved").exists(), "it could be moved");
        assert!(run.expect("denied").starts_with("unix "), "{}", run.printed);
        // Neither are there sockets where none are granted.
        let words = ["sockets", "unix-own", &place.text("work/new")];
        assert_eq!(jail.probe(&words), Answer::Errno(libc::EACCES));
        assert!(!place.path("work/new").exists());
    }
    // Abstract names are the host's without a network namespace.
    let name = format!("stockade-{}-{}", backend.word(), std::process::id());
    let own = jail.probe(&["sockets", "abstract-own", &name]);
    match backend {
        Backend::Namespaces => assert!(own.is_ok(), "{own:?}"),
        _ => assert_eq!(own, Answer::Errno(libc::EACCES)),
    }
    let at = SocketAddr::from_abstract_name(&name).expect("a name");
    let _listener = UnixListener::bind_addr(&at).expect("bind");
    assert!(!jail.probe(&["sockets", "abstract", &name]).is_ok());
    assert!(outside(&["sockets", "abstract", &name]).is_ok());
}

fn a_busy_socket(backend: Backend) {
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
    };
    use std::os::fd::AsRawFd;
    let place = Place::new();
    let path = place.path("run/granted");
    std::fs::remove_file(&path).expect("remove");
    let fresh = |flags| socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
    let address = UnixAddr::new(&path).expect("an address");
    let listener = fresh(SockFlag::SOCK_CLOEXEC);
    bind(listener.as_raw_fd(), &address).expect("bind");
    listen(&listener, Backlog::new(0).expect("fits")).expect("listen");
    let mut guests = Vec::new();
    loop {
        let guest = fresh(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
        if connect(guest.as_raw_fd(), &address).is_err() {
            break;
        }
        guests.push(guest);
    }
    let binary = super::jail::this_binary();
    let words = [binary.to_str().expect("a path"), "__probe", "unix", path.to_str().expect("a path")];
    let mut launcher = place.jail(backend).launcher(&words).spawn().expect("starts");
    super::tree::first_line(&mut launcher, "server");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(launcher.try_wait().expect("a status").is_none(), "it waits");
    let listener = UnixListener::from(listener);
    for _ in 0..=guests.len() {
        listener.accept().expect("a guest");
    }
    assert!(launcher.wait().expect("ends").success());
}

fn memory_files(backend: Backend) {
    const NOEXEC_SEAL: u32 = 8;
    const EXEC: u32 = 16;
    let jail = Jail::new(backend).read("/proc").option("--limit", "bytes=10000000");
    assert_eq!(outside(&["sockets", "memory-file", "0"]).text(), "true seals 1");
    if matches!(outside(&["sockets", "memory-file", "8"]), Answer::Errno(libc::EINVAL)) {
        say("  Linux before 6.3: files of memory can't be sealed against execution");
        assert_eq!(jail.probe(&["sockets", "memory-file", "0"]), Answer::Errno(libc::ENOSYS));
        return;
    }
    for flags in [0, libc::MFD_CLOEXEC, libc::MFD_ALLOW_SEALING, NOEXEC_SEAL] {
        let answer = jail.probe(&["sockets", "memory-file", &flags.to_string()]);
        assert_eq!(answer, Answer::Errno(libc::EACCES), "{flags}");
    }
    let (answer, run) = jail.probed(&["sockets", "memory-file", &EXEC.to_string()]);
    assert_eq!(answer, Answer::Errno(libc::EACCES));
    assert!(run.expect("denied").starts_with("call memfd_create"), "{}", run.printed);
    assert!(outside(&["sockets", "memory-file", &EXEC.to_string()]).is_ok());
    // It is a file like any other but for that, with the caller's flags.
    let call = libc::SYS_memfd_create.to_string();
    assert!(jail.probe(&["syscall", &call, "0", "1"]).is_ok());
    assert_eq!(jail.probe(&["syscall", &call, "0", "0x100"]), Answer::Errno(libc::EINVAL));
    let script = "
import os, fcntl
for flags, inherited in ((0, True), (os.MFD_CLOEXEC, False)):
    fd = os.memfd_create('x', flags)
    assert (fcntl.fcntl(fd, fcntl.F_GETFD) == 0) == inherited
    assert os.write(fd, b'text') == 4 and os.pread(fd, 9, 0) == b'text'
    assert os.fstat(fd).st_mode & 0o111 == 0
    try: os.fchmod(fd, 0o755); assert False
    except PermissionError: pass
print('held')
";
    let run = jail.run(&["/usr/bin/python3", "-c", script]);
    assert!(run.printed.contains("held\n"), "{}", run.printed);
}

fn told(backend: Backend) {
    let jail = Jail::new(backend);
    let call = |number: libc::c_long| number.to_string();
    let cases: [(Vec<String>, &str, i32); 8] = [
        (vec![call(libc::SYS_ptrace), "0".into()], "call ptrace by ", libc::EPERM),
        (vec![call(libc::SYS_process_vm_readv), "1".into()], "call process_vm_readv by ", libc::EPERM),
        (vec![call(libc::SYS_unshare), "0x10000000".into()], "call unshare by ", libc::EPERM),
        (vec![call(libc::SYS_clone), "0x10000011".into()], "call clone (new namespaces) by ", libc::EPERM),
        (vec![call(libc::SYS_bpf), "99".into()], "call bpf by ", libc::EPERM),
        (vec![call(libc::SYS_keyctl), "0".into()], "call keyctl by ", libc::EPERM),
        (
            vec![call(libc::SYS_socket), "17".into(), "3".into()],
            "socket AF_PACKET SOCK_RAW by ",
            libc::EAFNOSUPPORT,
        ),
        (
            vec![call(libc::SYS_socket), "2".into(), "1".into()],
            "socket AF_INET SOCK_STREAM by ",
            libc::EACCES,
        ),
    ];
    for (words, expected, errno) in cases {
        let words: Vec<&str> = ["syscall"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let (answer, run) = jail.probed(&words);
        assert_eq!(answer, Answer::Errno(errno), "{expected}");
        let denied = run.expect("denied");
        assert!(denied.starts_with(expected), "{denied}");
        assert!(denied.ends_with(super::jail::this_binary().to_str().expect("a path")), "{denied}");
    }
    // What runtimes probe all the time is refused without a word.
    let (_, run) = jail.probed(&["syscall", &call(libc::SYS_io_uring_setup), "1", "0"]);
    assert_eq!(run.line("denied"), None);
}

fn observed(backend: Backend) {
    let place = Place::new();
    std::fs::write(place.path("work/text"), "seen").expect("write");
    let jail = place.jail(backend).option("--observe", "files").option("--cwd", place.path("work"));
    let run = jail.shell("cat text > new; cat nothing; cat ../run/secret");
    assert_eq!(run.expect("ended"), "Exited(1)", "{}", run.printed);
    assert_eq!(std::fs::read_to_string(place.path("work/new")).expect("read"), "seen", "it runs as ever");
    let opened = run.lines("opened");
    let work = place.text("work");
    for expected in [
        format!("Read true {work}/text by "),
        format!("ReadWrite true {work}/new by "),
        format!("Read false {work}/nothing by "),
        format!("Read false {work}/../run/secret by "),
    ] {
        assert!(opened.iter().any(|line| line.starts_with(&expected)), "{expected}: {opened:#?}");
    }
    assert!(opened.iter().any(|line| line.starts_with("ReadExecute true ") && line.contains("/cat by ")));
    // The first is the server's own.
    let sh = PathBuf::from("/bin/sh");
    assert!(
        opened.iter().any(|line| line.starts_with(&format!("ReadExecute true {}", sh.display()))),
        "{opened:#?}"
    );
    // What is observed is still refused.
    assert_eq!(jail.probe(&["read", "/etc/passwd"]), Answer::Errno(libc::EACCES));
}
