//! What this host can enforce, found out by doing it in throw-away children.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};

use super::child::Launch;
use super::facts::Facts;
use super::known::{self, Found};
use super::limits::{NoCgroup, Place};
use super::link::{self, Heard, Status, hear_long, tell};
use super::report::FellBack;
use super::step::{At, Failure, Step};
use super::sys::{self, Side, SingleThreaded};
use super::{namespaces, report, spawn};
use crate::{
    Backend, BackendChoice, Command, Degree, Enforcement, Files, HostReport, Limits, Need, Network, Observe,
    Required, Ruleset, SpawnError, TreeEnd,
};

/// Finds out what this host can enforce. Must be called before any thread starts.
///
/// # Errors
/// When even a throw-away child cannot be made.
pub fn probe(choice: BackendChoice) -> Result<HostReport, SpawnError> {
    let proof = spawn::single_threaded()?;
    let mut facts = Facts::gather();
    let ruleset = nothing_granted(choice);
    let command = Command { program: "/".into(), argv: Vec::new(), cwd: "/".into() };

    let launch = Launch::new(&command, &ruleset, &facts)?;
    let confined = tried(&proof, 0, |_| launch.confine(Backend::Static).map(drop))?;
    if let Err(failure) = confined {
        // The kernel says that it can, but something between it and us refuses.
        match failure.step {
            Step::Seccomp => facts.seccomp = false,
            _ => facts.landlock = Err(failure.errno),
        }
    }
    let flags = namespaces::flags(&ruleset.network);
    let namespaces = tried(&proof, flags, |keeper| namespaces::settle(&launch, keeper).map(drop));
    let namespaces = match namespaces {
        Ok(tried) => tried,
        Err(SpawnError::Step { step, source }) if step == Step::Fork.name() => {
            let errno = source.raw_os_error().unwrap_or(libc::EPERM);
            Err(Failure::new(Step::CloneNamespaces, errno))
        }
        Err(error) => return Err(error),
    };

    Ok(HostReport {
        kernel: facts.kernel.clone(),
        landlock_abi: facts.landlock.unwrap_or(0),
        seccomp: facts.seccomp,
        enforcement: enforcement(&facts, &ruleset, namespaces, &launch),
        knowledge: known::learnt(
            &[],
            namespaces.err().map(|failure| (Backend::Namespaces, failure)).as_slice(),
        ),
        namespaces: namespaces.map_err(|failure| report::namespaces_refused(&facts, failure)),
        yama: fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
            .ok()
            .and_then(|scope| scope.trim().parse().ok()),
    })
}

fn enforcement(
    facts: &Facts,
    ruleset: &Ruleset,
    namespaces: Result<(), Failure>,
    launch: &Launch,
) -> Enforcement {
    let mut enforcement = match (ruleset.backend, namespaces) {
        (BackendChoice::Notify, _) => report::enforcement(facts, ruleset, Backend::Notify, None),
        (BackendChoice::Static, _) => report::enforcement(facts, ruleset, Backend::Static, None),
        (_, Ok(())) => report::enforcement(facts, ruleset, Backend::Namespaces, None),
        (BackendChoice::Auto, Err(failure)) => {
            let fell_back = FellBack { failure, found: Found::Now };
            report::enforcement(facts, ruleset, Backend::Notify, Some(fell_back))
        }
        (BackendChoice::Namespaces, Err(failure)) => report::nothing(facts, Backend::Namespaces, failure),
    };
    if !matches!(enforcement.limits, Degree::None { .. }) {
        let cgroup = launch.cgroup.as_ref().map(Place::offers).map_err(|why| NoCgroup::NoPlace(*why));
        let limits = Limits { memory_bytes: Some(1 << 30), ..ruleset.limits };
        let limited = Ruleset { limits, ..ruleset.clone() };
        enforcement.limits = report::limits(facts, &limited, enforcement.backend, cgroup);
    }
    enforcement
}

fn nothing_granted(backend: BackendChoice) -> Ruleset {
    Ruleset {
        files: Some(Files::plain(Vec::new())),
        network: Network::None,
        unix: Vec::new(),
        observe: Observe::Refused,
        env: Vec::new(),
        limits: Limits {
            open_files: 1024,
            file_bytes: 1 << 30,
            processes: 64,
            cpu_seconds: None,
            memory_bytes: None,
        },
        backend,
        required: Required { fs: Need::BestEffort, net: Need::BestEffort, process: Need::BestEffort },
        tree_end: TreeEnd::Kill,
    }
}

/// Does `attempt` in a child that is thrown away, in the given new namespaces.
fn tried(
    proof: &SingleThreaded,
    flags: i32,
    attempt: impl FnOnce(BorrowedFd<'_>) -> Result<(), Failure>,
) -> Result<Result<(), Failure>, SpawnError> {
    let (ours, theirs) = link::pair().at(Step::Socket)?;
    let child = match sys::fork_into_namespaces(proof, flags).at(Step::Fork)? {
        Side::Child => {
            drop(ours);
            let failed = attempt(theirs.as_fd()).err();
            let told = match failed {
                None => tell(&theirs, &Status::Hello),
                Some(failure) => tell(&theirs, &Status::Failed(failure)),
            };
            sys::exit_now(i32::from(told.is_err()))
        }
        Side::Parent(child) => child,
    };
    drop(theirs);
    let verdict = loop {
        match hear_long::<Status>(&ours).at(Step::Socket).map(|letter| letter.heard) {
            Ok(Heard::Message(Status::Hello)) => break Ok(Ok(())),
            Ok(Heard::Message(Status::Failed(failure))) => break Ok(Err(failure)),
            // What a keeper would be given.
            Ok(Heard::Message(_)) => {}
            Ok(Heard::Nothing | Heard::Gone) => break Ok(Err(Failure::new(Step::Hello, libc::ECHILD))),
            Err(failure) => break Err(failure.into()),
        }
    };
    let _ = sys::wait(child, 0);
    verdict
}
