//! From a fresh fork to the server's first instruction: what the server's own process does before execve.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::{set_no_new_privs, set_pdeathsig};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, setsid};

use super::bpf::Instruction;
use super::facts::Facts;
use super::limits::{self, NoPlace, Place};
use super::link::{Status, tell, tell_with};
use super::seccomp::{self, Filter, Group, HostIpc, Listener, Sockets, Truncate, UnixSockets};
use super::step::{At, Failure, Step};
use super::view::{self, Scene};
use super::{capabilities, landlock, sys};
use crate::weaken::{self, Weakness};
use crate::{Backend, Command, Files, Limits, Network, PathRule, Ruleset, SpawnError, TreeEnd, UnixReach};

/// Everything that the forked processes need, made before the first fork.
#[derive(Debug)]
pub(crate) struct Launch {
    program: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
    pub(crate) files: Option<Files>,
    /// Unix sockets that may be connected to.
    sockets: Vec<PathBuf>,
    filters: Filters,
    /// Landlock's ABI, 0 for none.
    landlock_abi: u32,
    pub(crate) network: Network,
    pub(crate) limits: Limits,
    pub(crate) tree_end: TreeEnd,
    /// RLIMIT_NPROC counts our own namespace, so the keeper needn't.
    pub(crate) kernel_counts_processes: bool,
    /// Where a cgroup for the tree can stand.
    pub(crate) cgroup: Result<Place, NoPlace>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// One a way of carrying the jail. They are assembled by the process that installs one: that takes as long as a fork, and
/// of these only one is needed.
#[derive(Debug)]
struct Filters {
    namespaces: Filter,
    notify: Filter,
    alone: Filter,
}

/// What of a jail goes with it: indices of grants that were skipped, and the listener of its filter.
#[derive(Debug, Default)]
pub(crate) struct Confined {
    pub(crate) skipped: Vec<u16>,
    pub(crate) listener: Option<OwnedFd>,
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
            files: ruleset.files.clone(),
            sockets: ruleset
                .unix
                .iter()
                .filter(|rule| rule.reach == UnixReach::Socket)
                .map(|rule| rule.path.clone())
                .collect(),
            filters: Filters {
                namespaces: filter(ruleset, facts, Backend::Namespaces, Listener::Present),
                notify: filter(ruleset, facts, Backend::Notify, Listener::Present),
                alone: filter(ruleset, facts, Backend::Static, Listener::Absent),
            },
            landlock_abi: facts.landlock_abi(),
            network: ruleset.network.clone(),
            limits: ruleset.limits,
            tree_end: ruleset.tree_end,
            kernel_counts_processes: facts.process_limit_is_per_namespace(),
            cgroup: limits::find_place(),
            uid: facts.uid,
            gid: facts.gid,
        })
    }

    /// The grants of a backend: with a mount namespace what is closed in them is masked there.
    pub(crate) fn grants(&self, backend: Backend) -> Option<&[PathRule]> {
        self.files.as_ref().map(|files| match backend {
            Backend::Namespaces => files.wide.as_slice(),
            Backend::Notify | Backend::Static => files.narrow.as_slice(),
        })
    }

    /// Directories whose names a backend lets be listed beside its grants.
    fn listed(&self, backend: Backend) -> &[PathBuf] {
        match (&self.files, backend) {
            (Some(files), Backend::Notify | Backend::Static) => &files.listed,
            _ => &[],
        }
    }

    /// What the view of `namespaces` is made for; `None` if every file is open.
    pub(crate) fn scene(&self) -> Option<Scene<'_>> {
        let path = |text: &CString| Path::new(OsStr::from_bytes(text.as_bytes())).to_owned();
        let cwd = Path::new(OsStr::from_bytes(self.cwd.as_bytes()));
        let arguments = self.argv.iter().skip(1).map(path);
        Some(Scene {
            files: self.files.as_ref()?,
            sockets: self.sockets.clone(),
            grain: if self.landlock_abi > 0 { view::Grain::Coarse } else { view::Grain::Exact },
            cwd,
            words: [path(&self.program)].into_iter().chain(view::paths_in(cwd, arguments)).collect(),
            hosts: match self.network {
                Network::Brokered(_) => view::Hosts::Localhost,
                Network::None | Network::DangerousHost => view::Hosts::AsItIs,
            },
        })
    }

    /// Landlock and seccomp on this process, for good.
    pub(crate) fn confine(&self, backend: Backend) -> Result<Confined, Failure> {
        set_no_new_privs().at(Step::NoNewPrivs)?;
        let mut confined = Confined::default();
        if self.landlock_abi > 0 {
            let request = landlock::Request {
                paths: self.grants(backend),
                listed: self.listed(backend),
                network: landlock::Reach::of(&self.network, backend),
                abi: self.landlock_abi,
            };
            let mut prepared = landlock::prepare(request)?;
            confined.skipped = std::mem::take(&mut prepared.skipped);
            landlock::enforce(prepared)?;
        } else if let Some(paths) = self.grants(backend) {
            confined.skipped = landlock::skipped(paths);
        }
        confined.listener = self.install(backend)?;
        Ok(confined)
    }

    fn install(&self, backend: Backend) -> Result<Option<OwnedFd>, Failure> {
        let filters = &self.filters;
        match backend {
            Backend::Static => {
                sys::install_filter(&assembled(filters.alone)?).at(Step::Seccomp).map(|()| None)
            }
            Backend::Notify => sys::install_filter_with_listener(&assembled(filters.notify)?)
                .at(Step::SeccompListener)
                .map(Some),
            Backend::Namespaces => match sys::install_filter_with_listener(&assembled(filters.namespaces)?) {
                Ok(listener) => Ok(Some(listener)),
                // EBUSY: whoever sandboxed us listens already, and there is one listener a process. ENOSYS, EINVAL: Linux
                // before 5.0.
                Err(_) => {
                    let deaf = Filter { listener: Listener::Absent, ..filters.namespaces };
                    sys::install_filter(&assembled(deaf)?).at(Step::Seccomp).map(|()| None)
                }
            },
        }
    }
}

fn filter(ruleset: &Ruleset, facts: &Facts, backend: Backend, listener: Listener) -> Filter {
    Filter {
        sockets: Sockets::of(&ruleset.network, backend),
        unix: UnixSockets::of(&ruleset.unix, backend),
        host_ipc: if backend == Backend::Namespaces { HostIpc::Private } else { HostIpc::Shared },
        truncate: match facts.landlock_abi() {
            1 | 2 if ruleset.files.is_some() => Truncate::Filter,
            _ => Truncate::Landlock,
        },
        group: if backend == Backend::Namespaces { Group::Free } else { Group::Kept },
        listener,
        observe: ruleset.observe,
    }
}

/// Nothing of a host or a ruleset can make that fail: the tests do it for every filter there is.
fn assembled(filter: Filter) -> Result<Vec<Instruction>, Failure> {
    seccomp::program(filter).map_err(|_| Failure::new(Step::Seccomp, libc::EINVAL))
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
    let confined = launch.confine(backend)?;
    // The start goes on without being heard if the keeper is gone: then we are killed anyway.
    if !confined.skipped.is_empty() {
        let _ = tell(status, &Status::Skipped(confined.skipped));
    }
    if let Some(listener) = &confined.listener {
        // Neither send nor sendmsg with these arguments asks the listener anything.
        let _ = tell_with(status, &Status::Listener, &[listener.as_fd()]);
    }
    Ok(())
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
    if weaken::is_off(Weakness::Limits) {
        return Ok(());
    }
    let most = launch.limits;
    if backend != Backend::Namespaces {
        // There PID 1 has done so: /proc can't be written any more.
        limits::go_first();
    }
    at_most(Resource::RLIMIT_CORE, 0, 0)?;
    at_most(Resource::RLIMIT_NOFILE, most.open_files, most.open_files)?;
    at_most(Resource::RLIMIT_FSIZE, most.file_bytes, most.file_bytes)?;
    if let Some(seconds) = most.cpu_seconds {
        // SIGXCPU at the soft limit can be caught; SIGKILL at the hard one can't.
        at_most(Resource::RLIMIT_CPU, seconds, seconds.saturating_add(1))?;
    }
    if backend == Backend::Namespaces && launch.kernel_counts_processes {
        // One more for our PID 1, which runs under the same user in the same namespace.
        let processes = most.processes.saturating_add(1);
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
