//! One direction after the other: read a line, ask the mediator, carry its actions out.

mod news;

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::fs::File;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use stockade_policy::mediator::{Action, Mediator, Now, Peer, Record, ServerEnd, Waiting};
use stockade_policy::wire::LineEnds;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::Sender;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

use super::backlog::Backlog;
use super::ending::Cause;
use super::ends::{Reader, Writer};
use super::in_force::InForce;
use super::lines::{Line, LineReader};
use super::recorder::Recorder;
use super::syncing::Syncing;
use crate::approvals::{self, Asked, Refused};
use crate::clients;
use crate::egress::CatchUp;
use crate::policies;
use crate::telemetry::{CallLine, CallsInFlight, EventLog, NetworkEvent};

/// More calls in flight than this are only counted.
const CALLS_SHOWN_MAX: usize = 8;

/// What both directions share. Nothing of it is held over an await but the writers, whose mutexes keep lines whole.
pub(super) struct Hub {
    mediator: RefCell<Mediator>,
    in_force: RefCell<InForce>,
    log: RefCell<EventLog>,
    to_client: Mutex<Option<Writer>>,
    to_server: Mutex<Option<Writer>>,
    forwarded: Cell<(u64, u64)>,
    started: Instant,
    broken: RefCell<Option<Cause>>,
    broke: Notify,
    dirty: Notify,
    urgent: Cell<bool>,
    /// A sync is on its way already: the next event need not ask again.
    sync_asked: Cell<bool>,
    syncing: Rc<Syncing>,
    progressed: Notify,
    answers_to_client: Backlog,
    answers_to_server: Backlog,
    recorder: Rc<Recorder>,
    broker: OnceCell<CatchUp>,
    notes: OnceCell<Sender<String>>,
}

impl Hub {
    pub(super) fn new(
        (mediator, in_force): (Mediator, InForce),
        log: EventLog,
        (to_client, to_server): (Writer, Writer),
        recorder: Rc<Recorder>,
    ) -> Self {
        Self {
            mediator: RefCell::new(mediator),
            in_force: RefCell::new(in_force),
            log: RefCell::new(log),
            to_client: Mutex::new(Some(to_client)),
            to_server: Mutex::new(Some(to_server)),
            forwarded: Cell::default(),
            started: Instant::now(),
            broken: RefCell::default(),
            broke: Notify::new(),
            dirty: Notify::new(),
            urgent: Cell::new(false),
            sync_asked: Cell::new(false),
            syncing: Rc::default(),
            progressed: Notify::new(),
            answers_to_client: Backlog::default(),
            answers_to_server: Backlog::default(),
            recorder,
            broker: OnceCell::new(),
            notes: OnceCell::new(),
        }
    }

    /// The broker, which has to be heard before an answer is passed on. The first one stays.
    pub(super) fn hears(&self, broker: CatchUp) {
        let _ = self.broker.set(broker);
    }

    /// Puts on record what jail and broker refused until now.
    pub(super) fn catch_up(&self) {
        self.recorder.catch_up(self);
        if let Some(broker) = self.broker.get() {
            broker.catch_up();
        }
    }

    /// Starts the task that reads one side until it ends, and the one that answers it.
    pub(super) fn start(self: Rc<Self>, from: Peer, source: Reader) -> JoinHandle<()> {
        let answering = Rc::clone(&self);
        tokio::task::spawn_local(async move { answering.answer(from).await });
        tokio::task::spawn_local(async move { self.pump(from, source).await })
    }

    /// Writes our own answers to a side.
    async fn answer(&self, to: Peer) {
        let backlog = self.backlog(to);
        loop {
            let line = backlog.next().await;
            self.write(to, &line).await;
            backlog.written(line.len());
        }
    }

    fn backlog(&self, to: Peer) -> &Backlog {
        match to {
            Peer::Client => &self.answers_to_client,
            Peer::Server => &self.answers_to_server,
        }
    }

    /// A side that cannot be read any more has ended.
    async fn pump(&self, from: Peer, source: Reader) {
        let bytes_max = || self.mediator.borrow().frame_bytes_max(from);
        let mut lines = LineReader::new(source, bytes_max());
        let mut actions = Vec::new();
        loop {
            lines.set_limit(bytes_max());
            let Ok(line) = lines.next().await else { return };
            // What was done before the server wrote this was done while its call was in flight; and what was done before the
            // client asks for something else was not done for that.
            self.catch_up();
            self.look().await;
            match &line {
                Line::Whole => {
                    let whole = lines.bytes();
                    let batch = self.mediator.borrow().batch(without_lf(whole));
                    match batch {
                        None => self.line((from, whole), &mut actions).await,
                        Some(messages) => {
                            for message in messages {
                                self.line((from, &[message.as_bytes(), b"\n"].concat()), &mut actions).await;
                            }
                        }
                    }
                }
                Line::Oversize { prefix, suffix, bytes } => {
                    let ends = LineEnds { prefix, suffix };
                    let judge = |mediator: &mut Mediator, now, actions: &mut _| {
                        mediator.oversize(from, ends, *bytes, now, actions);
                    };
                    self.act((from, &[]), &mut actions, judge).await;
                }
                Line::Unterminated(rest) => {
                    let judge = |mediator: &mut Mediator, now, actions: &mut _| {
                        mediator.unterminated(from, rest, now, actions);
                    };
                    self.act((from, &[]), &mut actions, judge).await;
                }
                Line::End => return,
            }
            self.progressed.notify_one();
        }
    }

    /// One message on a line of its own, with its LF.
    async fn line(&self, (from, whole): (Peer, &[u8]), actions: &mut Vec<Action>) {
        let line = without_lf(whole);
        let judge = |mediator: &mut Mediator, now, actions: &mut _| mediator.line(from, line, now, actions);
        self.act((from, whole), actions, judge).await;
    }

    /// Judges and carries out what was judged. Nothing is awaited but writing: what judges is what the record says.
    async fn act(
        &self,
        (from, whole): (Peer, &[u8]),
        actions: &mut Vec<Action>,
        judge: impl FnOnce(&mut Mediator, Now, &mut Vec<Action>),
    ) {
        let (now, policy) = (self.now(), self.in_force.borrow().hash());
        if let Some(now) = policies::unix_now() {
            self.mediator.borrow_mut().set_unix_time(now);
        }
        judge(&mut self.mediator.borrow_mut(), now, actions);
        // What is pinned is on the disk before the client sees it.
        let kept = self.in_force.borrow_mut().keep_definitions(&mut self.mediator.borrow_mut());
        self.carry_out((from, &policy), whole, actions).await;
        if let Some(news) = kept {
            self.tell(news).await;
        }
    }

    /// The client has said all: what the server asked it is answered, and its stdin is closed.
    pub(super) async fn client_said_all(&self) {
        let mut actions = Vec::new();
        let policy = self.in_force.borrow().hash();
        self.mediator.borrow_mut().client_said_all(self.now(), &mut actions);
        self.carry_out((Peer::Client, &policy), &[], &mut actions).await;
        self.close_server().await;
    }

    /// The session is being ended: everything pending is answered on both sides, and the server's stdin is closed.
    pub(super) async fn session_ends(&self, why: &str) {
        let mut actions = Vec::new();
        let policy = self.in_force.borrow().hash();
        self.mediator.borrow_mut().client_ended(why, self.now(), &mut actions);
        self.carry_out((Peer::Client, &policy), &[], &mut actions).await;
        self.close_server().await;
    }

    /// The policy changed: the client is told of lists that look different now.
    async fn announce(&self) {
        let mut actions = Vec::new();
        let policy = self.in_force.borrow().hash();
        self.mediator.borrow_mut().announce(self.now(), &mut actions);
        self.carry_out((Peer::Server, &policy), &[], &mut actions).await;
    }

    /// The server is gone: the client gets the answers that it owes.
    pub(super) async fn server_ended(&self, end: &ServerEnd) {
        let mut actions = Vec::new();
        let policy = self.in_force.borrow().hash();
        self.mediator.borrow_mut().server_ended(end, self.now(), &mut actions);
        self.carry_out((Peer::Server, &policy), &[], &mut actions).await;
    }

    /// Returns when a line was handled.
    pub(super) async fn progress(&self) {
        self.progressed.notified().await;
    }

    /// Requests of the client that wait for the server.
    pub(super) fn client_waits(&self) -> usize {
        self.mediator.borrow().pending(Peer::Client)
    }

    /// Lines forwarded to the server and to the client.
    pub(super) fn forwarded(&self) -> (u64, u64) {
        self.forwarded.get()
    }

    /// Returns when a writer broke or the log stopped traffic.
    pub(super) async fn broken(&self) -> Cause {
        loop {
            if let Some(cause) = self.broken.borrow_mut().take() {
                return cause;
            }
            self.broke.notified().await;
        }
    }

    /// Returns when an event was written that is not on disk yet.
    pub(super) async fn wants_sync(&self) {
        self.dirty.notified().await;
    }

    /// Whether one of these events was a refusal.
    pub(super) fn urgent(&self) -> bool {
        self.urgent.replace(false)
    }

    /// Brings what was written to the disk, on a thread of its own: a message must not wait for it.
    pub(super) fn sync(self: &Rc<Self>) {
        self.sync_asked.set(false);
        let hub = Rc::clone(self);
        self.syncing.start(move || {
            let file = hub.log.borrow_mut().take_unsynced()?;
            Some(move || sync_file(&file))
        });
    }

    /// The same, waiting for it.
    pub(super) fn sync_now(&self) {
        if let Some(file) = self.log.borrow_mut().take_unsynced() {
            sync_file(&file);
        }
    }

    /// Puts an event of the network on record.
    pub(super) fn network(&self, event: &NetworkEvent) {
        let appended = event.append_to(&mut self.log_now());
        match appended {
            Ok(()) => self.to_be_synced(event.is_urgent()),
            Err(stopped) => self.breaks(Cause::LogStopped(stopped.to_string())),
        }
    }

    /// Requests of the client that the server is working on.
    pub(super) fn calls(&self) -> CallsInFlight {
        let (waiting, ambiguous) = self.mediator.borrow().waiting(Peer::Client, CALLS_SHOWN_MAX);
        let line = |Waiting { id, method, item }| CallLine { id, method, item };
        CallsInFlight { calls: waiting.into_iter().map(line).collect(), ambiguous }
    }

    /// Answers of ours that were thrown away, since nobody read them.
    pub(super) fn answers_dropped(&self) -> u64 {
        self.answers_to_client.dropped() + self.answers_to_server.dropped()
    }

    /// Writes an event that is not a decision.
    pub(super) fn append<T: Serialize>(&self, kind: &'static str, what: &T) {
        let appended = self.log_now().append(kind, what);
        if let Err(stopped) = appended {
            self.breaks(Cause::LogStopped(stopped.to_string()));
        }
    }

    /// Pushes out what a buffered writer still holds.
    pub(super) async fn flush(&self) {
        self.answers_to_client.drained().await;
        for writer in [&self.to_client, &self.to_server] {
            if let Some(writer) = &mut *writer.lock().await {
                let _ = writer.flush().await;
            }
        }
    }

    async fn close_server(&self) {
        self.answers_to_server.drained().await;
        if let Some(mut writer) = self.to_server.lock().await.take() {
            let _ = writer.shutdown().await;
        }
    }

    /// `whole` is the line as it came, with its LF; `policy` names what judged it.
    async fn carry_out(&self, (from, policy): (Peer, &str), whole: &[u8], actions: &mut Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Forward => {
                    self.count(from);
                    self.write(from.other(), whole).await;
                }
                Action::ForwardRewritten(mut bytes) => {
                    self.count(from);
                    bytes.push(b'\n');
                    self.write(from.other(), &bytes).await;
                }
                Action::Send(to, mut bytes) => {
                    bytes.push(b'\n');
                    if to == from {
                        self.backlog(to).push(bytes).await;
                    } else {
                        self.write(to, &bytes).await;
                    }
                }
                Action::Record(record) => self.record(&record, policy),
            }
        }
    }

    fn record(&self, record: &Record, policy: &str) {
        self.keep_arguments(
            record.petition.as_ref().and_then(|one| one.arguments.as_deref()),
            record.code.as_deref(),
        );
        let mut log = self.log.borrow_mut();
        log.under(policy);
        let contradiction = {
            let mediator = self.mediator.borrow();
            let says = mediator.claims().0.filter(|says| log.client_says(Some(says)));
            says.and_then(|says| clients::against_info(log.client_id(), says))
        };
        if let Some(contradiction) = contradiction
            && let Err(stopped) = log.append("client.contradiction", &contradiction)
        {
            return self.breaks(Cause::LogStopped(stopped.to_string()));
        }
        match log.decision(record) {
            Ok(urgent) => {
                self.keep_arguments(record.arguments.as_deref(), Some(log.last_id()));
                if let Some(asked) = Asked::of(record, &log) {
                    self.in_force.borrow_mut().ask(asked);
                } else if let Some(refused) = Refused::of(record, &log) {
                    self.in_force.borrow_mut().tell(refused);
                }
                self.to_be_synced(urgent);
            }
            Err(stopped) => self.breaks(Cause::LogStopped(stopped.to_string())),
        }
    }

    /// What a person will want to see who is asked about a call, or wants to know why it failed.
    fn keep_arguments(&self, arguments: Option<&str>, name: Option<&str>) {
        if let (Some(arguments), Some(name)) = (arguments, name) {
            let force = self.in_force.borrow();
            // Without them the person decides by the hash, or gives them again, and is told so.
            let _ = approvals::keep_arguments(force.state_dir(), (force.session(), name), arguments);
        }
    }

    /// The log, for what is decided now.
    fn log_now(&self) -> RefMut<'_, EventLog> {
        let mut log = self.log.borrow_mut();
        log.under(&self.in_force.borrow().hash());
        log
    }

    fn to_be_synced(&self, urgent: bool) {
        if urgent {
            self.urgent.set(true);
        }
        if !self.sync_asked.replace(true) || urgent {
            self.dirty.notify_one();
        }
    }

    fn count(&self, from: Peer) {
        let (to_server, to_client) = self.forwarded.get();
        self.forwarded.set(match from {
            Peer::Client => (to_server + 1, to_client),
            Peer::Server => (to_server, to_client + 1),
        });
    }

    async fn write(&self, to: Peer, bytes: &[u8]) {
        let (writer, cause) = match to {
            Peer::Client => (&self.to_client, Cause::ClientGone),
            Peer::Server => (&self.to_server, Cause::ServerDeaf),
        };
        let mut writer = writer.lock().await;
        let Some(open) = &mut *writer else { return };
        let written: io::Result<()> = async {
            open.write_all(bytes).await?;
            open.flush().await
        }
        .await;
        if written.is_err() {
            *writer = None;
            self.breaks(cause);
        }
    }

    fn breaks(&self, cause: Cause) {
        self.broken.borrow_mut().get_or_insert(cause);
        self.broke.notify_one();
    }

    fn now(&self) -> Now {
        Now(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

fn without_lf(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// A failing sync is not reported: the write itself was, and the next one will be.
fn sync_file(file: &Arc<File>) {
    let _ = file.sync_data();
}
