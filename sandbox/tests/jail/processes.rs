//! G4: other processes can't be influenced, and nothing in a jail holds a capability.

use std::process::{Child, Command};

use super::harness::Test;
use super::jail::{Answer, Backend, Jail, outside};

pub(crate) const TESTS: &[Test] = &[
    ("another process can neither be signalled nor looked into", another_process),
    ("no capability is left, whoever started it", no_capability),
    ("the keeper can't be read by the user's own processes", the_keeper_is_closed),
];

struct Victim(Child);

impl Victim {
    fn new() -> Self {
        Self(Command::new("sleep").arg("60").spawn().expect("sleep starts"))
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn another_process(backend: Backend) {
    let victim = Victim::new();
    let pid = victim.pid();
    let jail = Jail::new(backend);
    let call = |number: libc::c_long| number.to_string();
    const PTRACE_SEIZE: &str = "0x4206";
    let probes: [(&str, Vec<String>, &[i32]); 5] = [
        ("kill", vec![call(libc::SYS_kill), pid.clone(), "18".into()], &[libc::EPERM, libc::ESRCH]),
        ("ptrace", vec![call(libc::SYS_ptrace), PTRACE_SEIZE.into(), pid.clone()], &[libc::EPERM]),
        ("process_vm_readv", vec![call(libc::SYS_process_vm_readv), pid.clone()], &[libc::EPERM]),
        ("kcmp", vec![call(libc::SYS_kcmp), pid.clone(), pid.clone()], &[libc::EPERM]),
        ("prlimit", vec![call(libc::SYS_prlimit64), pid.clone(), "7".into()], &[libc::EPERM]),
    ];
    for (name, words, errnos) in probes {
        let words: Vec<&str> = ["syscall"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let answer = jail.probe(&words);
        assert!(matches!(answer, Answer::Errno(errno) if errnos.contains(&errno)), "{name}: {answer:?}");
        assert!(outside(&words).is_ok(), "{name} outside: {:?}", outside(&words));
    }
}

fn no_capability(backend: Backend) {
    let jail = Jail::new(backend).read("/proc");
    for field in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        let text = jail.probe(&["status", field]).text();
        assert_eq!(text, "0000000000000000", "{field}");
    }
    let bounding = jail.probe(&["status", "CapBnd"]).text();
    if nix::unistd::geteuid().is_root() || backend == Backend::Namespaces {
        assert_eq!(bounding, "0000000000000000");
    }
    assert_eq!(jail.probe(&["status", "NoNewPrivs"]).text(), "1");
    assert_eq!(jail.probe(&["status", "Seccomp"]).text(), "2");
    // The user stays who it is, in both backends.
    let uid = nix::unistd::geteuid().to_string();
    let uids = jail.probe(&["status", "Uid"]).text();
    assert!(uids.split_whitespace().all(|one| one == uid), "{uids}");
}

fn the_keeper_is_closed(backend: Backend) {
    let jail = Jail::new(backend);
    let mut launcher = jail.launcher(&["/bin/sleep", "60"]).spawn().expect("starts");
    let keeper = super::tree::first_line(&mut launcher, "keeper");
    if !nix::unistd::geteuid().is_root() {
        let answer = outside(&["read", &format!("/proc/{keeper}/environ")]);
        assert_eq!(answer, Answer::Errno(libc::EACCES));
    }
    let status = std::fs::read_to_string(format!("/proc/{keeper}/status")).expect("status");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    super::harness::say(&format!("  keeper resident: {}", resident.unwrap_or("?").trim()));
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
}
