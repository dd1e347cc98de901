//! The table of escape probes: each works bare, and in a jail none is open where it claims to be full.

use std::process::ExitCode;
use std::sync::OnceLock;

use stockade_sandbox::probes::measured_text;
use stockade_sandbox::probes::{
    Beside, Fenced, Kind, Measured, Options, Proof, SelfCommand, Verdict, play, prove,
};

use super::harness::{Test, known_absent, say};
use super::jail::{Backend, this_binary};

pub(crate) const TESTS: &[Test] = &[("no escape probe is open where the jail claims to be full", the_table)];

/// Probes that need not work bare, and when.
const NOT_EVERYWHERE: &[(&str, &str)] = &[
    ("G1-handle", "an ordinary user may open no handle"),
    ("G1-raw-disk", "an ordinary user may make no device, and a container none that opens"),
    ("G1-proc-kcore", "an ordinary user may not read it, and not every kernel has it"),
    ("G1-proc-core-pattern", "an ordinary user may not write it"),
    ("G1-proc-sys-write", "an ordinary user may not write it"),
    ("G1-proc-map-files", "an ordinary user may not follow these links"),
    ("G1m-chown", "an ordinary user may give no file away"),
    ("G1m-fanotify", "not every kernel lets an ordinary user watch"),
    ("G1-overlay", "a kernel may have none"),
    ("G1m-getxattr", "tmpfs has attributes of users since Linux 6.6"),
    ("G1m-setxattr", "tmpfs has attributes of users since Linux 6.6"),
    ("G1m-removexattr", "tmpfs has attributes of users since Linux 6.6"),
    ("G1m-readable-setxattr", "tmpfs has attributes of users since Linux 6.6"),
    ("G2-tcp-v6", "a host may have no IPv6"),
    ("G2-udp-v6", "a host may have no IPv6"),
    ("G2-mptcp", "a host may have no MPTCP"),
    ("G2-raw", "an ordinary user may make none"),
    ("G2-ping", "net.ipv4.ping_group_range"),
    ("G2-udp-lite", "a kernel may have none"),
    ("G2-sctp", "a kernel may have none"),
    ("G2-packet", "an ordinary user may make none"),
    ("G2-xdp", "an ordinary user may make none"),
    ("G2-vsock", "a kernel may have none"),
    ("G2-netlink-audit", "a kernel may have none"),
    ("G2-netlink-diag", "a kernel may have none"),
    ("G1-device-tun", "an ordinary user may not open it, and not every host has it"),
    ("G2-metadata", "only a cloud has it"),
    ("G2-io-uring", "kernel.io_uring_disabled"),
    ("G3-io-uring", "kernel.io_uring_disabled"),
    ("G1-io-uring", "kernel.io_uring_disabled"),
    ("G4-perf-attach", "kernel.perf_event_paranoid"),
    ("G4-process-madvise", "an ordinary user may not"),
    ("G4-proc-net", "an older kernel shows less"),
    ("G4-sched-setaffinity", "there may be one CPU"),
    ("G4-netlink-route", "a host may have no network"),
    ("G9-memfd-exec", "MFD_EXEC is there since Linux 6.3"),
    ("G4-migrate-pages", "a kernel may have none"),
    ("G4-move-pages", "a kernel may have none"),
    ("G4-sysv-memory", "a kernel may have none"),
    ("G4-sysv-messages", "a kernel may have none"),
    ("G4-sysv-semaphores", "a kernel may have none"),
    ("G4-message-queue", "a kernel may have none"),
    ("G4-key-read", "a session may not possess the user's keyring"),
    ("G4-key-search", "a session may not possess the user's keyring"),
    ("G4-terminal-type", "dev.tty.legacy_tiocsti"),
    ("G4-terminal-type-left", "dev.tty.legacy_tiocsti"),
    ("G6-bpf-map", "kernel.unprivileged_bpf_disabled"),
    ("G6-fsopen", "root alone may"),
    ("G6-fspick", "root alone may"),
    ("G6-move-mount", "root alone may"),
    ("G6-pivot-root", "root alone may"),
    ("G6-syslog", "kernel.dmesg_restrict"),
    ("G6-acct", "root alone may"),
    ("G6-swapon", "root alone may"),
    ("G6-swapoff", "root alone may"),
    ("G6-reboot", "root alone may"),
    ("G6-init-module", "root alone may, and a kernel may have none"),
    ("G6-finit-module", "root alone may, and a kernel may have none"),
    ("G6-delete-module", "root alone may, and a kernel may have none"),
    ("G6-kexec", "root alone may, and a kernel may have none"),
    ("G6-open-by-handle", "an older kernel lets root alone"),
    ("G6-settimeofday", "root alone may"),
    ("G6-sethostname", "root alone may"),
    ("G6-ioperm", "a kernel may have none"),
    ("G6-iopl", "a kernel may have none"),
    ("G6-x32", "few kernels have it"),
    ("G6-int80", "a kernel may have none"),
    ("G6-modify-ldt", "a kernel may have none"),
    ("G6-io-uring", "kernel.io_uring_disabled"),
    ("G6-io-uring-register", "kernel.io_uring_disabled"),
    ("G6-userfaultfd", "a kernel may have none"),
    ("G6-perf", "kernel.perf_event_paranoid"),
    ("G6-memfd-secret", "a kernel may have none"),
    ("G6-quotactl", "a kernel may have none"),
    ("G6-fanotify", "not every kernel lets an ordinary user watch"),
    ("G7-raise", "an ordinary user may not"),
    ("G7-core", "whoever starts the tests may have forbidden core dumps"),
    ("G9-memfd-chmod", "a sealed one can't be opened in any place"),
];

/// Probes that make a user namespace of their own, without which they can't even be tried.
const IN_A_NAMESPACE: &[&str] = &[
    "G1-bind-mount",
    "G1-chroot",
    "G1-chroot-up",
    "G1-open-tree",
    "G6-clone-user",
    "G6-clone3-user",
    "G6-unshare-cgroup",
    "G6-unshare-ipc",
    "G6-unshare-mount",
    "G6-unshare-net",
    "G6-unshare-pid",
    "G6-unshare-time",
    "G6-unshare-user",
    "G6-unshare-uts",
    "G8-pid-namespace",
];

/// `__prove WORDS`: a part of it. `__prove page` prints the page of the guarantees.
pub(crate) fn part(words: &[String]) -> ExitCode {
    let words: Vec<std::ffi::OsString> = words.iter().map(Into::into).collect();
    play(&words).into()
}

fn the_table(backend: Backend) {
    static PROOF: OnceLock<Proof> = OnceLock::new();
    let proof = PROOF.get_or_init(everywhere);
    let backend = match backend {
        Backend::Namespaces => stockade_sandbox::Backend::Namespaces,
        Backend::Notify => stockade_sandbox::Backend::Notify,
        Backend::Static => stockade_sandbox::Backend::Static,
    };
    let fenced = proof.fenced.iter().find(|fenced| fenced.backend == backend);
    let fenced = fenced.unwrap_or_else(|| panic!("there is no such jail: {:?}", proof.left_out));
    let mut objections: Vec<String> = not_working_bare(proof);
    let here = |of: &stockade_sandbox::Backend| *of == backend;
    let broken = proof.broken().into_iter().filter(|(of, _)| here(of));
    objections.extend(broken.map(|(_, cell)| format!("claimed Full: {cell:?}")));
    let void = proof.void().into_iter().filter(|(of, ..)| here(of));
    objections.extend(void.map(|(_, id, how)| format!("{id} is granted: {how}")));
    let doubtful = proof.doubtful().into_iter().filter(|(of, ..)| here(of));
    objections.extend(doubtful.map(|(_, id, how)| format!("{id}: {how}")));
    assert!(objections.is_empty(), "\n{}", objections.join("\n"));
    summary(proof, fenced);
}

/// The same for every backend: bare and in each, once.
fn everywhere() -> Proof {
    let this = SelfCommand { program: this_binary(), words: vec!["__prove".into()] };
    let only = std::env::var("STOCKADE_PROBES").map(|words| words.split(',').map(str::to_owned).collect());
    let options =
        Options { this, backends: Vec::new(), only: only.unwrap_or_default(), beside: Beside::default() };
    let proof = prove(&options).expect("the probes can be run");
    if std::env::var_os("STOCKADE_PROBES_SHOW").is_some() {
        say(&measured_text(&proof));
    }
    proof
}

fn not_working_bare(proof: &Proof) -> Vec<String> {
    let none_here = known_absent(Backend::Namespaces);
    let need_not = |id: &str| {
        NOT_EVERYWHERE.iter().any(|(known, _)| *known == id) || (none_here && IN_A_NAMESPACE.contains(&id))
    };
    let fails = |id: &str| !proof.bare.get(id).is_some_and(Verdict::is_open);
    let unexpected = proof.probes.iter().filter(|probe| fails(probe.id) && !need_not(probe.id));
    unexpected
        .map(|probe| format!("{} does not work bare: {:?}", probe.id, proof.bare.get(probe.id)))
        .collect()
}

fn summary(proof: &Proof, fenced: &Fenced) {
    let works = proof.applicable(Kind::Attack).count();
    let all = proof.probes.iter().filter(|probe| probe.kind == Kind::Attack).count();
    say(&format!("  {works} of {all} probes work bare here"));
    for cell in proof.cells(fenced) {
        let open = match &cell.measured {
            Measured::Partial { open, .. } | Measured::None { open } => open.join(" "),
            Measured::Full { .. } | Measured::Nothing => continue,
        };
        say(&format!("  {} {}, open: {open}", cell.guarantee.id(), cell.claim.word()));
    }
}
