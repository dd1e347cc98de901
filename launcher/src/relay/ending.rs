//! How a session ends: who began it, what is waited for, and when waiting turns into SIGTERM and SIGKILL.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::Signal::SIGKILL;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use stockade_sandbox::{End, KeeperHandle, KeeperMessage, TreeLimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::pump::Hub;
use super::{DRAIN, end_words};
use crate::exit::Exit;

/// After the client closed its end and nothing is pending, the server may take this long to end by itself.
const QUIET_MS: u64 = 1_500;
/// The same while answers are still due; every answer begins it anew. A client that does not want to wait sends SIGTERM.
const ANSWERS_DUE_MS: u64 = 20_000;
/// After SIGTERM.
const TERM_MS: u64 = 1_000;
/// A server that reads nothing more, or whose client is gone.
const DEAF_MS: u64 = 500;

/// Why a session ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The client closed our stdin.
    ClientClosed,
    /// The client no longer reads our stdout.
    ClientGone,
    /// The server no longer reads its stdin.
    ServerDeaf,
    /// The server closed its stdout.
    ServerSilent,
    /// The server's main process ended.
    ServerEnded,
    /// We were sent a signal.
    Signal(&'static str),
    /// Events cannot be written and policy stops traffic then.
    LogStopped(String),
    /// The policy in force does not allow the server any more.
    PolicyStopped(String),
    /// The keeper died.
    KeeperLost,
    /// The tree is beyond a limit; the keeper is killing it.
    LimitHit(TreeLimit),
}

impl Cause {
    fn words(&self) -> String {
        match self {
            Self::ClientClosed => "the client closed its end".to_owned(),
            Self::ClientGone => "the client no longer reads".to_owned(),
            Self::ServerDeaf => "the server closed its input".to_owned(),
            Self::ServerSilent => "the server closed its output".to_owned(),
            Self::ServerEnded => "the server ended".to_owned(),
            Self::Signal(name) => format!("Stockade was sent {name}"),
            Self::LogStopped(why) | Self::PolicyStopped(why) => why.clone(),
            Self::KeeperLost => "the keeper of the jail died".to_owned(),
            Self::LimitHit(limit) => format!("the server was killed: {}", limit_words(*limit)),
        }
    }
}

pub(super) fn limit_words(limit: TreeLimit) -> &'static str {
    match limit {
        TreeLimit::Processes => "it had more processes than its profile's limit (`[limits] processes`)",
        TreeLimit::Memory => "it used more memory than its profile's limit (`[limits] memory`)",
        TreeLimit::CpuTime => "it used more processor time than its profile's limit (`[limits] cpu_seconds`)",
        TreeLimit::FileSize => "it wrote a larger file than its profile's limit (`[limits] file_size`)",
        TreeLimit::OpenPlace => {
            "a sensitive place appeared inside a granted directory and could not be closed"
        }
    }
}

/// Steps of sending the server away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It may end by itself.
    Waiting,
    /// It was sent SIGTERM.
    Terminated,
    /// Its tree was killed.
    Killed,
    /// The keeper, which did not do that, was killed too.
    Abandoned,
}

/// The end of one session.
pub(super) struct Ending<'s> {
    hub: Rc<Hub>,
    keeper: &'s KeeperHandle,
    cause: Option<Cause>,
    step: Step,
    deadline: Option<Instant>,
    /// Requests of the client that were unanswered when the deadline was set.
    waiting: usize,
    end: Option<End>,
    tree_gone: bool,
    lost: bool,
}

impl<'s> Ending<'s> {
    pub(super) fn new(hub: Rc<Hub>, keeper: &'s KeeperHandle) -> Self {
        Self {
            hub,
            keeper,
            cause: None,
            step: Step::Waiting,
            deadline: None,
            waiting: 0,
            end: None,
            tree_gone: false,
            lost: false,
        }
    }

    /// What the keeper says.
    pub(super) fn keeper_says(&mut self, message: KeeperMessage) {
        match message {
            KeeperMessage::Ended(end) => {
                self.end = Some(end);
                if matches!(self.cause, None | Some(Cause::ServerSilent | Cause::ServerDeaf)) {
                    self.cause = Some(Cause::ServerEnded);
                }
                // The tree is killed now, which closes its pipes; a client that does not read may hold the rest up.
                self.step = Step::Killed;
                self.deadline = Some(Instant::now() + DRAIN);
            }
            KeeperMessage::TreeGone => self.tree_gone = true,
            KeeperMessage::KeeperLost => {
                self.cause.get_or_insert(Cause::KeeperLost);
                self.lost |= !self.tree_gone;
                self.tree_gone = true;
                self.deadline = Some(Instant::now() + DRAIN);
            }
            KeeperMessage::LimitHit(limit) => self.cause = Some(Cause::LimitHit(limit)),
        }
    }

    /// Begins the end. Only the first cause counts, but a signal hurries any other.
    pub(super) fn begin(&mut self, cause: Cause) {
        let first = self.cause.is_none();
        let hurry = matches!(
            cause,
            Cause::Signal(_) | Cause::LogStopped(_) | Cause::PolicyStopped(_) | Cause::ClientGone
        );
        if !first && (!hurry || self.step != Step::Waiting) {
            return;
        }
        if let Cause::LogStopped(why) = &cause {
            crate::error::Failure::new(crate::error::Kind::Software, "the session was stopped")
                .cause(why.clone())
                .hint("make room in the state directory; the policy's `full_disk = \"drop-oldest\"` would let traffic go on")
                .report();
        }
        if let Cause::PolicyStopped(why) = &cause {
            crate::error::Failure::new(crate::error::Kind::Permission, "the session was stopped")
                .cause(why.clone())
                .hint("whoever writes that policy can allow the server again; start it anew then")
                .report();
        }
        let words = cause.words();
        match &cause {
            Cause::ClientClosed => {
                let hub = Rc::clone(&self.hub);
                tokio::task::spawn_local(async move { hub.client_said_all().await });
                self.waiting = self.hub.client_waits();
                self.wait(if self.waiting > 0 { ANSWERS_DUE_MS } else { QUIET_MS });
            }
            Cause::ClientGone => {
                self.end_session(words);
                self.step = Step::Waiting;
                self.wait(DEAF_MS);
            }
            // Normally the server's output ends because it ended, which the keeper is about to say.
            Cause::ServerDeaf | Cause::ServerSilent => self.wait(DEAF_MS),
            Cause::Signal(_) | Cause::LogStopped(_) | Cause::PolicyStopped(_) => {
                self.end_session(words);
                self.terminate();
            }
            Cause::ServerEnded | Cause::KeeperLost | Cause::LimitHit(_) => {}
        }
        if first || hurry {
            self.cause = Some(cause);
        }
    }

    /// When [`Ending::escalate`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The deadline has passed. `true`: nothing more is waited for.
    pub(super) fn escalate(&mut self) -> bool {
        if self.tree_gone && (self.end.is_some() || self.lost) {
            return true;
        }
        match self.step {
            // Answers came since: the others may come too. Whatever else the server says does not keep a session alive.
            Step::Waiting
                if self.cause == Some(Cause::ClientClosed) && self.hub.client_waits() < self.waiting =>
            {
                self.waiting = self.hub.client_waits();
                self.wait(if self.waiting > 0 { ANSWERS_DUE_MS } else { QUIET_MS });
            }
            Step::Waiting => {
                if self.cause == Some(Cause::ClientClosed) {
                    self.end_session("the client closed its end, and the server did not answer".to_owned());
                }
                self.terminate();
            }
            Step::Terminated => {
                self.step = Step::Killed;
                self.deadline = Some(Instant::now() + DRAIN);
                // A keeper that cannot be reached has ended, and says so by its end of the socket.
                let _ = self.keeper.kill();
            }
            Step::Killed => {
                // A keeper that is stopped or stuck: without it, what it held comes to us, and is killed by `receive`.
                self.step = Step::Abandoned;
                self.deadline = Some(Instant::now() + DRAIN);
                let _ = kill(Pid::from_raw(self.keeper.keeper_pid()), SIGKILL);
            }
            Step::Abandoned => return true,
        }
        false
    }

    /// No process of the tree is left.
    pub(super) fn tree_gone(&self) -> bool {
        self.tree_gone
    }

    /// How the server ended, in words.
    pub(super) fn how_server_ended(&self) -> String {
        match (self.end, &self.cause) {
            (_, Some(cause @ Cause::LimitHit(_))) => cause.words(),
            (Some(end), _) => end_words(end),
            (None, Some(cause)) => cause.words(),
            (None, None) => "unknown".to_owned(),
        }
    }

    /// Why the session ended, in words.
    pub(super) fn why(&self) -> String {
        let why = self.cause.as_ref().map_or_else(|| "unknown".to_owned(), Cause::words);
        if self.tree_gone { why } else { format!("{why}; processes of the server may be left") }
    }

    /// The exit code: the server's own, unless the session was stopped by us.
    pub(super) fn exit(&self) -> Exit {
        match (self.end, &self.cause) {
            _ if !self.tree_gone => Exit::RunFailed,
            (_, Some(Cause::LogStopped(_) | Cause::PolicyStopped(_) | Cause::KeeperLost)) | (None, _) => {
                Exit::RunFailed
            }
            (Some(End::Exited(code)), _) => Exit::Server(u8::try_from(code & 0xff).unwrap_or(u8::MAX)),
            (Some(End::Signalled(signal)), _) => Exit::Server(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        }
    }

    /// Answers everything that is pending, without waiting for anybody who does not read.
    fn end_session(&self, why: String) {
        let hub = Rc::clone(&self.hub);
        tokio::task::spawn_local(async move { hub.session_ends(&why).await });
    }

    fn wait(&mut self, ms: u64) {
        if self.step == Step::Waiting {
            self.deadline = Some(Instant::now() + Duration::from_millis(ms));
        }
    }

    fn terminate(&mut self) {
        self.step = Step::Terminated;
        self.deadline = Some(Instant::now() + Duration::from_millis(TERM_MS));
        let _ = self.keeper.terminate();
    }
}

/// The signals that end a session.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}
