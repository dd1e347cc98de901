//! From a fresh fork to the server's first instruction: what the server's own process does before execve.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::{set_no_new_privs, set_pdeathsig};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, setsid};

use super::bpf::Instruction;
use super::facts::Facts;
use super::link::{Status, tell};
use super::seccomp::{self, Filter, Group, HostIpc, Truncate};
use super::step::{At, Failure, Step};
use super::{capabilities, landlock, sys};
use crate::{Backend, Command, Limits, Network, PathRule, Ruleset, SpawnError, TreeEnd};

/// Everything that the forked processes need, made before the first fork.
#[derive(Debug)]
pub(crate) struct Launch {
    program: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
    paths: Option<Vec<PathRule>>,
    filters: Filters,
    /// Landlock's ABI, 0 for none.
    landlock_abi: u32,
    pub(crate) network: Network,
    pub(crate) limits: Limits,
    pub(crate) tree_end: TreeEnd,
    /// RLIMIT_NPROC counts our own namespace, so the keeper needn't.
    pub(crate) kernel_counts_processes: bool,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

#[derive(Debug)]
struct Filters {
    namespaces: Vec<Instruction>,
    alone: Vec<Instruction>,
}

/// The server's ends of its pipes.
#[derive(Debug)]
pub(crate) struct ServerEnds {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

impl Launch {
    /// Turns a command and a ruleset into what system calls take.
    pub(crate) fn new(command: &Command, ruleset: &Ruleset, facts: &Facts) -> Result<Self, SpawnError> {
        let text = |text: &OsStr| {
            CString::new(text.as_bytes()).map_err(|error| SpawnError::Step {
                step: "reading the command (a NUL byte in it)",
                source: error.into(),
            })
        };
        let mut env = Vec::with_capacity(ruleset.env.len());
        for (name, value) in &ruleset.env {
            let mut pair = name.clone();
            pair.push("=");
            pair.push(value);
            env.push(text(&pair)?);
        }
        Ok(Self {
            program: text(command.program.as_os_str())?,
            argv: command.argv.iter().map(|word| text(word)).collect::<Result<_, _>>()?,
            env,
            cwd: text(command.cwd.as_os_str())?,
            paths: ruleset.paths.clone(),
            filters: Filters {
                namespaces: filter(ruleset, facts, HostIpc::Private, Group::Free)?,
                alone: filter(ruleset, facts, HostIpc::Shared, Group::Kept)?,
            },
            landlock_abi: facts.landlock_abi(),
            network: ruleset.network,
            limits: ruleset.limits,
            tree_end: ruleset.tree_end,
            kernel_counts_processes: facts.process_limit_is_per_namespace(),
            uid: facts.uid,
            gid: facts.gid,
        })
    }

    /// Landlock and seccomp on this process, for good. Tells which grants were skipped.
    pub(crate) fn confine(&self, backend: Backend, skipped: impl FnOnce(Vec<u16>)) -> Result<(), Failure> {
        set_no_new_privs().at(Step::NoNewPrivs)?;
        if self.landlock_abi > 0 {
            let request = landlock::Request {
                paths: self.paths.as_deref(),
                network: self.network,
                abi: self.landlock_abi,
            };
            let mut prepared = landlock::prepare(request)?;
            skipped(std::mem::take(&mut prepared.skipped));
            landlock::enforce(prepared)?;
        }
        let filter = match backend {
            Backend::Namespaces => &self.filters.namespaces,
            Backend::Static => &self.filters.alone,
        };
        sys::install_filter(filter).at(Step::Seccomp)
    }
}

fn filter(
    ruleset: &Ruleset,
    facts: &Facts,
    host_ipc: HostIpc,
    group: Group,
) -> Result<Vec<Instruction>, SpawnError> {
    let truncate = match facts.landlock_abi() {
        1 | 2 if ruleset.paths.is_some() => Truncate::Filter,
        _ => Truncate::Landlock,
    };
    seccomp::program(Filter { network: ruleset.network, host_ipc, truncate, group }).map_err(|error| {
        SpawnError::Step {
            step: "assembling the system call filter",
            source: std::io::Error::other(error.to_string()),
        }
    })
}

/// Becomes the server, or says on `status` why not and exits. Everything that this process holds but the pipes and
/// `status` is closed; `status` closes itself at execve.
pub(crate) fn become_server(
    launch: &Launch,
    backend: Backend,
    ends: &ServerEnds,
    status: BorrowedFd<'_>,
) -> ! {
    let failure = match enter(launch, backend, ends, status) {
        Ok(()) => exec(launch),
        Err(failure) => failure,
    };
    let _ = tell(status, &Status::Failed(failure));
    sys::exit_now(127)
}

fn enter(
    launch: &Launch,
    backend: Backend,
    ends: &ServerEnds,
    status: BorrowedFd<'_>,
) -> Result<(), Failure> {
    die_with_parent(status)?;
    setsid().at(Step::Setsid)?;
    fresh_signals()?;
    dup2_stdin(&ends.stdin).at(Step::Stdio)?;
    dup2_stdout(&ends.stdout).at(Step::Stdio)?;
    dup2_stderr(&ends.stderr).at(Step::Stdio)?;
    sys::close_all_but(&[status.as_raw_fd()]).at(Step::CloseFds)?;
    limit(launch, backend)?;
    chdir(launch.cwd.as_c_str()).at(Step::Chdir)?;
    capabilities::give_up()?;
    tell(status, &Status::Hello).at(Step::Hello)?;
    launch.confine(backend, |skipped| {
        if !skipped.is_empty() {
            // The start goes on without the list if the keeper is gone: then we are killed anyway.
            let _ = tell(status, &Status::Skipped(skipped));
        }
    })
}

/// SIGKILL when the process that forked us ends. `keeper` is a socket to the keeper: if it is gone already, no signal
/// would come.
pub(crate) fn die_with_parent(keeper: BorrowedFd<'_>) -> Result<(), Failure> {
    set_pdeathsig(Signal::SIGKILL).at(Step::DeathSignal)?;
    let mut fds = [PollFd::new(keeper.as_fd(), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).at(Step::DeathSignal)?;
    let [fd] = fds;
    match fd.revents() {
        Some(events) if events.is_empty() => Ok(()),
        _ => Err(Failure::new(Step::DeathSignal, libc::ESRCH)),
    }
}

/// Ignored and blocked signals pass through execve.
fn fresh_signals() -> Result<(), Failure> {
    sys::default_signals();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).at(Step::Signals)
}

fn limit(launch: &Launch, backend: Backend) -> Result<(), Failure> {
    let limits = launch.limits;
    at_most(Resource::RLIMIT_CORE, 0, 0)?;
    at_most(Resource::RLIMIT_NOFILE, limits.open_files, limits.open_files)?;
    at_most(Resource::RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes)?;
    if let Some(seconds) = limits.cpu_seconds {
        // SIGXCPU at the soft limit can be caught; SIGKILL at the hard one can't.
        at_most(Resource::RLIMIT_CPU, seconds, seconds.saturating_add(1))?;
    }
    if backend == Backend::Namespaces && launch.kernel_counts_processes {
        // One more for our PID 1, which runs under the same user in the same namespace.
        let processes = limits.processes.saturating_add(1);
        at_most(Resource::RLIMIT_NPROC, processes, processes)?;
    }
    Ok(())
}

/// A limit that is stricter already stays.
fn at_most(resource: Resource, soft: u64, hard: u64) -> Result<(), Failure> {
    let (_, allowed) = getrlimit(resource).at(Step::Limits)?;
    setrlimit(resource, soft.min(allowed), hard.min(allowed)).at(Step::Limits)
}

/// Comes back only with the reason why it failed.
fn exec(launch: &Launch) -> Failure {
    match execve(&launch.program, &launch.argv, &launch.env) {
        Ok(never) => match never {},
        Err(errno) => Failure::new(Step::Execve, errno as i32),
    }
}
