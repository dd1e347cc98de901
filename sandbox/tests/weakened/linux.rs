//! The table: which probes, in which backend, without what.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use stockade_sandbox::Backend::{self, Namespaces, Static};
use stockade_sandbox::probes::{
    Guarantee, Kind, ProveError, SelfCommand, Verdict, claims, play, table, weakened,
};
use stockade_sandbox::{Degree, Enforcement};

/// What is taken out of a jail, and which probes have to work then.
struct Case<'a> {
    backend: Backend,
    /// Parts of the jail, by the words of the crate's `weak`.
    parts: &'a [&'a str],
    /// System calls about which the filter says nothing.
    calls: &'static [libc::c_long],
    ids: &'a [&'a str],
}

const fn part(
    backend: Backend,
    parts: &'static [&'static str],
    ids: &'static [&'static str],
) -> Case<'static> {
    Case { backend, parts, calls: &[], ids }
}

const fn call(calls: &'static [libc::c_long], ids: &'static [&'static str]) -> Case<'static> {
    Case { backend: Static, parts: &[], calls, ids }
}

impl Case<'static> {
    /// Where several controls stand behind one another.
    const fn and(mut self, parts: &'static [&'static str]) -> Self {
        self.parts = parts;
        self
    }
}

const CASES: &[Case<'static>] = &[
    part(Static, &["landlock"], &["G1-open-rdonly", "G1-list", "G1-exec", "G1-write", "G1-unlink"]),
    part(Static, &["landlock"], &["G1-sensitive-read", "G4-kill", "G9-exec"]),
    part(Static, &["landlock", "capabilities"], &["G4-proc-environ", "G4-proc-mem-write"]),
    part(Namespaces, &["view"], &["G1m-stat", "G1m-chmod", "G9-dlopen", "G9-mmap"]),
    part(Namespaces, &["ipc"], &["G4-sysv-memory"]),
    part(Namespaces, &["ipc", "landlock"], &["G4-message-queue"]),
    part(Static, &["descriptors"], &["G5-left-file-read", "G5-left-connection"]),
    part(Namespaces, &["descriptors"], &["G5-left-file-read"]),
    part(Static, &["environment"], &["G5-variable-cloud", "G5-proc-self-environ"]),
    part(Static, &["limits"], &["G7-open-files", "G7-file-size"]),
    part(Namespaces, &["limits"], &["G7-open-files"]),
    part(Static, &["tree"], &["G8-setsid", "G8-double-fork"]),
    call(
        &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register],
        &["G6-io-uring"],
    ),
    call(&[libc::SYS_userfaultfd], &["G6-userfaultfd"]),
    call(&[libc::SYS_open_tree], &["G6-open-tree"]),
    call(&[libc::SYS_unshare], &["G6-unshare-user"]),
    call(&[libc::SYS_clone3], &["G6-clone3-user"]),
    call(&[libc::SYS_personality], &["G6-personality"]),
    call(&[libc::SYS_fchmod], &["G6-set-id-fchmod"]),
    call(&[libc::SYS_memfd_create], &["G9-memfd"]),
    call(&[libc::SYS_shmat], &["G4-sysv-memory"]),
    call(&[libc::SYS_socket], &["G3-stream", "G2-netlink-diag"]),
    call(&[libc::SYS_socketpair], &["G3-pair-sendto"]),
    call(&[libc::SYS_socket], &["G2-tcp", "G2-udp-sendto", "G3-abstract"]).and(&["landlock"]),
    call(&[libc::SYS_process_vm_readv], &["G4-process-vm-readv"]).and(&["landlock", "capabilities"]),
    call(&[libc::SYS_ptrace], &["G4-ptrace-seize"]).and(&["landlock", "capabilities"]),
];

/// The parts are played by this program, too.
pub(crate) fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some((role, rest)) = words.split_first()
        && role == "__prove"
    {
        return play(rest).into();
    }
    let (mut noticed, mut missed) = (0, Vec::new());
    for case in CASES {
        match played(case) {
            Ok(verdicts) => {
                for id in case.ids {
                    match verdicts.get(id) {
                        Some(Verdict::Open { .. }) => noticed += 1,
                        other => missed.push(format!("{} {id}: {other:?}", case.backend.word())),
                    }
                }
            }
            // On this host there is no such backend; the other cases remain.
            Err(ProveError::Part { why, .. }) if case.backend == Namespaces => {
                say(&format!("left out: {why}"))
            }
            Err(error) => missed.push(format!("{error}: {:?}", std::error::Error::source(&error))),
        }
    }
    missed.extend(broken_on_older_kernels());
    let (failed, verdict) = (missed.len(), if missed.is_empty() { "ok" } else { "FAILED" });
    for line in missed {
        say(&format!("not as it should be: {line}"));
    }
    say(&format!(
        "\ntest result: {verdict}. {noticed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    ));
    let second = !nix::unistd::geteuid().is_root() || again_as_user();
    if failed == 0 && noticed >= 20 && second { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The same binary, from a place that everyone can read, as the user that owns nothing.
fn again_as_user() -> bool {
    const NOBODY: u32 = 65534;
    let place = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).expect("chmod");
    let copy = place.path().join("weakened-tests");
    std::fs::copy(std::env::current_exe().expect("our path"), &copy).expect("copy");
    let mut command = Command::new(copy);
    command.env("HOME", "/tmp").current_dir("/tmp").uid(NOBODY).gid(NOBODY);
    command.status().expect("starts").success()
}

/// The other way round: what is claimed on kernels with an older Landlock, or none, with the rights of which jails are
/// made here. Does anything pass where `Full` is claimed?
fn broken_on_older_kernels() -> Vec<String> {
    let mut broken = Vec::new();
    for claimed in claims().iter().filter(|claimed| claimed.landlock_abi < 7) {
        let part = match claimed.landlock_abi {
            0 => "landlock".to_owned(),
            abi => format!("landlock-after {abi}"),
        };
        for enforcement in &claimed.enforcements {
            let ids: Vec<&str> = full(enforcement).collect();
            let case = Case { backend: enforcement.backend, parts: &[&part], calls: &[], ids: &ids };
            match played(&case) {
                Ok(verdicts) => broken.extend(
                    verdicts
                        .iter()
                        .filter(|(_, verdict)| verdict.is_open())
                        .map(|(id, verdict)| format!("{} {part} {id}: {verdict:?}", case.backend.word())),
                ),
                Err(ProveError::Part { why, .. }) => say(&format!("{} left out: {why}", case.backend.word())),
                Err(error) => broken.push(error.to_string()),
            }
        }
    }
    broken
}

/// The attacks on what is claimed in full. Limits and ends take seconds each, and ask nothing of Landlock.
fn full(enforcement: &Enforcement) -> impl Iterator<Item = &'static str> {
    let attacks = table().into_iter().filter(|probe| probe.kind == Kind::Attack);
    attacks
        .filter(|probe| !matches!(probe.guarantee, Guarantee::Limits | Guarantee::Tree))
        .filter(|probe| *probe.guarantee.degree(enforcement) == Degree::Full)
        .map(|probe| probe.id)
}

fn played(case: &Case<'_>) -> Result<BTreeMap<&'static str, Verdict>, ProveError> {
    let program =
        std::env::current_exe().map_err(|source| ProveError::Stage { what: "our own path", source })?;
    let this = SelfCommand { program, words: vec!["__prove".into()] };
    let calls: Vec<String> = case.calls.iter().map(|call| format!("call {call}")).collect();
    let words: Vec<&str> = case.parts.iter().copied().chain(calls.iter().map(String::as_str)).collect();
    weakened(&this, case.backend, &words, case.ids)
}

fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
