//! Starting a server: facts, the choice of a backend, the fork of the keeper, and its answer.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::pipe2;

use super::child::{Launch, ServerEnds};
use super::facts::Facts;
use super::keeper::{self, Attempts, Post};
use super::known::{self, Fallen, Found};
use super::limits::{CgroupTold, Held, NoCgroup};
use super::link::{self, DoorCounts, Heard, Outcome, Started, hear_long};
use super::notify::{self, Waiting};
use super::report::{self, FellBack};
use super::session::Session;
use super::step::{At, Failure, Step};
use super::sys::{self, NotSingleThreaded, Side, SingleThreaded};
use crate::{
    Backend, BackendChoice, Command, Gatekeeper, Inward, Jailed, KeeperHandle, Knowledge, Network, OpenDoors,
    Ruleset, SpawnError, Supervisor, TreeEnd,
};

/// Starts `command` under `ruleset`. Must be called before any thread starts (the keeper is forked from us); a thread of
/// our own, the supervisor, runs afterwards.
///
/// # Errors
/// When a required guarantee cannot be had, or a step fails: then nothing runs.
pub fn spawn(
    command: &Command,
    ruleset: &Ruleset,
    gatekeeper: Arc<dyn Gatekeeper>,
) -> Result<Jailed, SpawnError> {
    spawn_knowing(command, ruleset, gatekeeper, &Knowledge::default())
}

/// As [`spawn`], leaving out backends that are known to fail on this host: [`Jailed::knowledge`] of an earlier start.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_knowing(
    command: &Command,
    ruleset: &Ruleset,
    gatekeeper: Arc<dyn Gatekeeper>,
    known: &Knowledge,
) -> Result<Jailed, SpawnError> {
    let proof = single_threaded()?;
    let facts = Facts::gather();
    let mut attempts = attempts(&facts, ruleset)?;
    let left_out = known::leave_out(&mut attempts, ruleset.backend, known);
    let launch = Launch::new(command, ruleset, &facts)?;
    let pipes = Pipes::new()?;
    let (ours, theirs) = link::pair().at(Step::Socket)?;
    // Orphans of a keeper that was killed become our children, not init's.
    set_child_subreaper(true).at(Step::Subreaper)?;

    let keeper = {
        // No signal may reach the keeper before it has stopped listening to them.
        let _blocked = BlockedSignals::new()?;
        match sys::fork(&proof).at(Step::Fork)? {
            Side::Child => {
                drop((ours, pipes.ours));
                let post = Post { launcher: theirs, server: pipes.servers, attempts };
                keeper::run(post, &launch, &proof)
            }
            Side::Parent(keeper) => keeper,
        }
    };
    drop((theirs, pipes.servers));

    match birth(&ours, ruleset, &facts, &gatekeeper) {
        Ok(birth) => {
            let started = birth.started;
            let mut enforcement = enforced(&facts, ruleset, (&started, &left_out));
            enforcement.limits = report::limits(&facts, ruleset, started.backend, cgroup(&launch, &started));
            report::listener(&mut enforcement, birth.supervisor.is_some());
            fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).at(Step::Socket)?;
            let place = launch.cgroup.ok().filter(|_| started.cgroup.held != Held::default());
            let session = Session::new(ours, keeper, started.server_pid, ruleset.tree_end).with_cgroup(place);
            let OurEnds { stdin, stdout, stderr } = pipes.ours;
            let keeper = KeeperHandle::new(session, started.server_pid);
            let (doors, supervisor) = (birth.doors, birth.supervisor);
            let attempts = known::attempts(&left_out, &started.failed, started.backend);
            let knowledge = known::learnt(&left_out, &started.failed);
            Ok(Jailed { stdin, stdout, stderr, keeper, doors, supervisor, enforcement, attempts, knowledge })
        }
        Err((backend, failure)) => {
            let _ = sys::wait(keeper, 0);
            Err(refusal(command, &facts, backend, failure))
        }
    }
}

/// What the keeper says until the server runs.
struct Birth {
    started: Started,
    doors: Option<OpenDoors>,
    supervisor: Option<Supervisor>,
}

/// Waits for the keeper's answer. One that dies without an answer has left nothing behind: its children die with it.
fn birth(
    socket: &OwnedFd,
    ruleset: &Ruleset,
    facts: &Facts,
    gatekeeper: &Arc<dyn Gatekeeper>,
) -> Result<Birth, (Backend, Failure)> {
    let (mut doors, mut supervisor) = (None, None);
    let lost = |errno| (Backend::Static, Failure::new(Step::Keeper, errno));
    loop {
        let letter =
            hear_long::<Outcome>(socket).map_err(|error| lost(error.raw_os_error().unwrap_or(libc::EIO)))?;
        let mut fds = letter.fds.into_iter();
        match letter.heard {
            Heard::Message(Outcome::Started(started)) => return Ok(Birth { started, doors, supervisor }),
            Heard::Message(Outcome::Failed(backend, failure)) => return Err((backend, failure)),
            Heard::Message(Outcome::Doors(counts)) => {
                doors = Some(open_doors(counts, fds).ok_or(lost(libc::EBADMSG))?);
            }
            Heard::Message(Outcome::Listener(backend)) => {
                let post = notify::Post {
                    listener: fds.next().ok_or(lost(libc::EBADMSG))?,
                    backend,
                    doors: match &ruleset.network {
                        Network::Brokered(doors) => Some(doors.clone()),
                        Network::None | Network::DangerousHost => None,
                    },
                    unix: ruleset.unix.clone(),
                    observe: ruleset.observe,
                    waiting: if facts.receiving_ends() { Waiting::Received } else { Waiting::Polled },
                };
                let started = notify::start(post, Arc::clone(gatekeeper)).at(Step::SeccompListener);
                supervisor = Some(started.map_err(|failure| (backend, failure))?);
            }
            Heard::Gone | Heard::Nothing => return Err(lost(libc::ECHILD)),
        }
    }
}

fn open_doors(counts: DoorCounts, mut fds: impl Iterator<Item = OwnedFd>) -> Option<OpenDoors> {
    let mut some = |count: u8| fds.by_ref().take(usize::from(count)).collect::<Vec<_>>();
    let tcp = some(counts.tcp).into_iter().map(TcpListener::from).collect();
    let dns_udp = some(counts.dns_udp).into_iter().map(UdpSocket::from).collect();
    let dns_tcp = some(counts.dns_tcp).into_iter().map(TcpListener::from).collect();
    Some(OpenDoors { tcp, dns_udp, dns_tcp, inward: Inward(fds.next()?) })
}

/// The proof that forking is safe.
pub(super) fn single_threaded() -> Result<SingleThreaded, SpawnError> {
    SingleThreaded::check().map_err(|error| match error {
        NotSingleThreaded::Threads(threads) => SpawnError::Threaded { threads },
        NotSingleThreaded::Unknown(source) => SpawnError::Step { step: Step::ReadProc.name(), source },
    })
}

/// Which backends may be tried, the best first: those that can carry what the ruleset grants, and satisfy what it requires.
fn attempts(facts: &Facts, ruleset: &Ruleset) -> Result<Attempts, SpawnError> {
    if !facts.seccomp {
        return Err(report::no_seccomp(facts));
    }
    let leaves = ruleset.tree_end == TreeEnd::DangerousLeave;
    let wanted: &[Backend] = match ruleset.backend {
        BackendChoice::Namespaces if leaves => {
            return Err(SpawnError::NotEnforceable {
                guarantee: "process tree",
                why: "a pid namespace takes every process with it, but the ruleset leaves them alone"
                    .to_owned(),
                remedy: "use another backend, or let the tree be killed".to_owned(),
            });
        }
        BackendChoice::Auto if leaves => &[Backend::Notify, Backend::Static],
        BackendChoice::Auto => &[Backend::Namespaces, Backend::Notify, Backend::Static],
        BackendChoice::Namespaces => &[Backend::Namespaces],
        BackendChoice::Notify => &[Backend::Notify],
        BackendChoice::Static => &[Backend::Static],
    };
    let mut refused = None;
    let mut attempts = Attempts::new();
    for &backend in wanted {
        let enforcement = report::enforcement(facts, ruleset, backend, None);
        match report::carries(ruleset, backend).and_then(|()| report::check(&enforcement, ruleset.required)) {
            Ok(()) => attempts.push(backend),
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    match refused {
        Some(error) if attempts.is_empty() => Err(error),
        _ => Ok(attempts),
    }
}

fn enforced(
    facts: &Facts,
    ruleset: &Ruleset,
    (started, left_out): (&Started, &[Fallen]),
) -> crate::Enforcement {
    let before = left_out.iter().map(|fallen| (Found::Before, fallen));
    let fallen = before.chain(started.failed.iter().map(|fallen| (Found::Now, fallen)));
    let mut of_namespaces = fallen.filter(|(_, (backend, _))| *backend == Backend::Namespaces);
    let fell_back = of_namespaces.next().map(|(found, (_, failure))| FellBack { failure: *failure, found });
    let mut enforcement = report::enforcement(facts, ruleset, started.backend, fell_back);
    let paths = match (&ruleset.files, started.backend) {
        (None, _) => &[][..],
        (Some(files), Backend::Namespaces) => &files.wide,
        (Some(files), Backend::Notify | Backend::Static) => &files.narrow,
    };
    enforcement.skipped_paths = started
        .skipped
        .iter()
        .filter_map(|index| paths.get(usize::from(*index)))
        .map(|rule| rule.path.clone())
        .collect();
    enforcement
}

fn cgroup(launch: &Launch, started: &Started) -> Result<Held, NoCgroup> {
    match (launch.cgroup.as_ref(), started.cgroup) {
        (Err(why), _) => Err(NoCgroup::NoPlace(*why)),
        (Ok(_), CgroupTold { errno: 0, held }) => Ok(held),
        (Ok(_), CgroupTold { errno, .. }) => Err(NoCgroup::Failed(errno)),
    }
}

fn refusal(command: &Command, facts: &Facts, backend: Backend, failure: Failure) -> SpawnError {
    if failure.step == Step::Execve {
        let program = command.program.clone();
        // ENOENT is also what a script gets whose interpreter is missing.
        if failure.errno == libc::ENOENT && !program.exists() {
            return SpawnError::NotFound { program };
        }
        return SpawnError::NotExecutable { program, source: failure.error() };
    }
    if backend == Backend::Namespaces && failure.step.is_of_namespaces() {
        return report::no_namespaces(facts, failure);
    }
    failure.into()
}

#[derive(Debug)]
struct OurEnds {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// Three pipes: terminals and sockets of ours never reach a server.
#[derive(Debug)]
struct Pipes {
    ours: OurEnds,
    servers: ServerEnds,
}

/// Fewer wake-ups for large messages than with the kernel's 64 KiB. An ordinary user may have 64 MiB of such pipes
/// (`pipe-user-pages-soft`), then the kernel refuses and the pipe stays as it is.
const PIPE_BYTES: i32 = 256 * 1024;

impl Pipes {
    fn new() -> Result<Self, Failure> {
        let (servers_stdin, stdin) = pipe()?;
        let (stdout, servers_stdout) = pipe()?;
        let (stderr, servers_stderr) = pipe()?;
        let servers = ServerEnds { stdin: servers_stdin, stdout: servers_stdout, stderr: servers_stderr };
        Ok(Self { ours: OurEnds { stdin, stdout, stderr }, servers })
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Failure> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC).at(Step::Pipe)?;
    let _ = fcntl(write.as_fd(), FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    Ok((read, write))
}

/// Every signal blocked until this is dropped.
struct BlockedSignals(SigSet);

impl BlockedSignals {
    fn new() -> Result<Self, Failure> {
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))
            .map_err(io::Error::from)
            .at(Step::Signals)?;
        Ok(Self(before))
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None);
    }
}
