//! The process between launcher and server: it builds the jail, reports its end, and leaves nothing behind.
//!
//! Forked from the launcher before any thread starts. When its socket to the launcher closes, in whatever way, the
//! whole tree is killed.

use std::fs::OpenOptions;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sys::prctl::{set_child_subreaper, set_dumpable, set_name};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, setsid};

use super::child::{self, Launch, ServerEnds};
use super::known::Fallen;
use super::limits::Room;
use super::link::{self, DoorCounts, Heard, Outcome, Started, Status, hear_long, tell, tell_with};
use super::namespaces::{self, InitEnds};
use super::step::{At, Failure, Step};
use super::sys::{self, Side, SingleThreaded};
use crate::{Backend, End};
use watch::{Tree, Why};

mod watch;

/// Which backends to try, the best first; at least one. Another one is tried when a step fails that it does without.
pub(crate) type Attempts = Vec<Backend>;

/// What the keeper is given.
#[derive(Debug)]
pub(crate) struct Post {
    /// Its end of the socket to the launcher.
    pub(crate) launcher: OwnedFd,
    /// The server's ends of its pipes.
    pub(crate) server: ServerEnds,
    /// Which backends to try.
    pub(crate) attempts: Attempts,
}

/// All of the keeper's life.
pub(crate) fn run(post: Post, launch: &Launch, proof: &SingleThreaded) -> ! {
    // A panic must not unwind into the launcher's frames below us, of which this process holds a copy.
    let lived = catch_unwind(AssertUnwindSafe(|| keep(post, launch, proof)));
    sys::exit_now(if lived.is_ok() { 0 } else { 70 })
}

/// From a wait status.
pub(crate) fn end_from_wait(status: i32) -> End {
    if libc::WIFSIGNALED(status) {
        End::Signalled(libc::WTERMSIG(status))
    } else {
        End::Exited(libc::WEXITSTATUS(status))
    }
}

fn keep(post: Post, launch: &Launch, proof: &SingleThreaded) {
    let Post { launcher, server, attempts } = post;
    let started = settle(&launcher, &server)
        .map_err(|failure| (attempts.first().copied().unwrap_or(Backend::Static), failure))
        .and_then(|()| {
            let ends = Ends { launcher: &launcher, server: &server };
            start(&attempts, ends, launch, proof)
        });
    let tree = match started {
        Ok((tree, started)) => {
            // From here on the server runs as the same user: /proc/<keeper>/mem and fd must not be its. Before, the
            // writing of the uid map needed us dumpable.
            let _ = set_dumpable(false);
            // If the launcher is gone, `watch` finds its socket closed.
            let _ = tell(&launcher, &Outcome::Started(started));
            tree
        }
        Err((backend, failure)) => {
            let _ = tell(&launcher, &Outcome::Failed(backend, failure));
            return;
        }
    };
    drop(server);
    // Out of the reach of the terminal's job control. Only now, since a new session is a new scheduling group
    // (sched_autogroup), which on a busy machine waits for its turn: milliseconds that the start need not take.
    let _ = setsid();
    #[cfg(target_env = "gnu")]
    sys::trim_heap();
    let watched = tree.watch(&launcher, launch, proof);
    if watched.is_err() {
        // No way to hear anything any more: as if the launcher were gone.
        tree.finish(&launcher, launch.tree_end, Why::LauncherGone);
    }
}

/// Deaf to the launcher's signals, and without its descriptors.
fn settle(launcher: &OwnedFd, server: &ServerEnds) -> Result<(), Failure> {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE, libc::SIGQUIT, libc::SIGTSTP] {
        sys::ignore_signal(signal).at(Step::Signals)?;
    }
    // Ignored, as a launcher may have inherited it, children would vanish without a status.
    sys::default_signal(libc::SIGCHLD).at(Step::Signals)?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None).at(Step::Signals)?;
    set_child_subreaper(true).at(Step::Subreaper)?;
    let _ = set_name(c"stockade-keeper");
    // The client waits for the end of the launcher's stdout; a copy of ours would hold it open.
    let null = OpenOptions::new().read(true).write(true).open("/dev/null").at(Step::DevNull)?;
    dup2_stdin(&null).at(Step::DevNull)?;
    dup2_stdout(&null).at(Step::DevNull)?;
    dup2_stderr(&null).at(Step::DevNull)?;
    drop(null);
    let keep = [launcher, &server.stdin, &server.stdout, &server.stderr].map(AsRawFd::as_raw_fd);
    sys::close_all_but(&keep).at(Step::CloseFds)
}

/// What a start needs of the keeper's own.
#[derive(Clone, Copy)]
struct Ends<'a> {
    launcher: &'a OwnedFd,
    server: &'a ServerEnds,
}

fn start(
    attempts: &[Backend],
    ends: Ends<'_>,
    launch: &Launch,
    proof: &SingleThreaded,
) -> Result<(Tree, Started), Fallen> {
    let mut failed = Vec::new();
    let mut left = attempts.iter().peekable();
    while let Some(&backend) = left.next() {
        match Tree::start(backend, ends, launch, proof) {
            Ok((tree, birth)) => {
                if let Some((counts, fds)) = &birth.doors {
                    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
                    let sent = tell_with(ends.launcher, &Outcome::Doors(*counts), &fds);
                    sent.at(Step::Doors).map_err(|failure| (backend, failure))?;
                }
                return Ok(tree.started(failed, birth.skipped));
            }
            Err(failure) if left.peek().is_some() && can_do_without(backend, failure.step) => {
                failed.push((backend, failure));
            }
            Err(failure) => return Err((backend, failure)),
        }
    }
    Err((Backend::Static, Failure::new(Step::Keeper, libc::EINVAL)))
}

/// Whether a weaker backend may work where this step of `backend` failed.
fn can_do_without(backend: Backend, step: Step) -> bool {
    match backend {
        Backend::Namespaces => step.is_of_namespaces(),
        Backend::Notify => step == Step::SeccompListener,
        Backend::Static => false,
    }
}

impl Tree {
    fn start(
        backend: Backend,
        ends: Ends<'_>,
        launch: &Launch,
        proof: &SingleThreaded,
    ) -> Result<(Self, Birth), Failure> {
        let mut room = Room::make(launch, backend);
        let (status, status_theirs) = link::pair().at(Step::Socket)?;
        link::receive_pids(&status).at(Step::Socket)?;
        let (root, report) = match backend {
            Backend::Static | Backend::Notify => match room.fork(proof, 0).at(Step::Fork)? {
                Side::Child => {
                    // Our end of it would hide the keeper's death: a socket is at its end once all of them are closed.
                    drop(status);
                    child::become_server(launch, backend, ends.server, status_theirs.as_fd())
                }
                Side::Parent(pid) => (pid, None),
            },
            Backend::Namespaces => {
                let (report, report_theirs) = link::pair().at(Step::Socket)?;
                let flags = namespaces::flags(&launch.network);
                let side = room.fork(proof, flags).at(Step::CloneNamespaces)?;
                match side {
                    Side::Child => {
                        drop((status, report));
                        let status = status_theirs.as_fd();
                        let ends = InitEnds { server: ends.server, status, report: &report_theirs };
                        namespaces::run_init(launch, &ends, proof)
                    }
                    Side::Parent(pid) => (pid, Some(report)),
                }
            }
        };
        drop(status_theirs);
        match until_exec(&status, backend, ends.launcher) {
            Ok(mut birth) => {
                let view = std::mem::take(&mut birth.view);
                let (server, segments) = (birth.server, birth.segments.take());
                Ok((Self { backend, root, server, report, room, view, segments }, birth))
            }
            Err(failure) => {
                let _ = kill(Pid::from_raw(root), Signal::SIGKILL);
                let _ = sys::wait(root, 0);
                Err(failure)
            }
        }
    }

    fn started(self, failed: Vec<Fallen>, skipped: Vec<u16>) -> (Self, Started) {
        let (server_pid, backend) = (self.server, self.backend);
        let cgroup = self.room.told();
        (self, Started { server_pid, backend, failed, cgroup, skipped })
    }
}

/// What the keeper hears while a server is being born.
#[derive(Debug)]
struct Birth {
    server: i32,
    /// Indices of grants.
    skipped: Vec<u16>,
    doors: Option<(DoorCounts, Vec<OwnedFd>)>,
    /// User and mount namespace, if places in them are closed.
    view: Vec<OwnedFd>,
    /// The System V segments of its namespace.
    segments: Option<OwnedFd>,
}

/// Hears the server's process until it closes its end, which execve does for it. The listener is passed on at once: execve
/// itself may ask it.
fn until_exec(status: &OwnedFd, backend: Backend, launcher: &OwnedFd) -> Result<Birth, Failure> {
    let mut birth = Birth { server: 0, skipped: Vec::new(), doors: None, view: Vec::new(), segments: None };
    loop {
        let letter = hear_long::<Status>(status).at(Step::Socket)?;
        match letter.heard {
            Heard::Message(Status::Hello) => birth.server = letter.pid,
            Heard::Message(Status::Skipped(indices)) => birth.skipped = indices,
            Heard::Message(Status::Failed(failure)) => return Err(failure),
            Heard::Message(Status::Segments) => birth.segments = letter.fds.into_iter().next(),
            Heard::Message(Status::Doors(counts)) => birth.doors = Some((counts, letter.fds)),
            Heard::Message(Status::View) => birth.view = letter.fds,
            Heard::Message(Status::Listener) => {
                let fds: Vec<_> = letter.fds.iter().map(AsFd::as_fd).collect();
                tell_with(launcher, &Outcome::Listener(backend), &fds).at(Step::SeccompListener)?;
            }
            Heard::Message(Status::Ended(_)) | Heard::Nothing => {}
            Heard::Gone => break,
        }
    }
    if birth.server > 0 { Ok(birth) } else { Err(Failure::new(Step::Hello, libc::ECHILD)) }
}
