//! Moves lines between client and server, asking the mediator about each, and sees a session out.

mod backlog;
mod ending;
mod ends;
mod in_force;
mod lines;
mod pace;
mod plain;
mod pump;
mod recorder;
mod sink;
mod stderr;
mod syncing;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stockade_policy::mediator::{Peer, ServerEnd};
use stockade_sandbox::{End, KeeperHandle, KeeperMessage};
use tokio::io::{DuplexStream, Interest};
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep_until};

use crate::egress::{Broker, Served};
use crate::exit::Exit;
use crate::launch::Session;
use ending::{Cause, Ending};
use ends::{Own, Reader, Writer};
use pace::Pace;
use pump::Hub;
use recorder::Recorder;
use sink::Sink;

pub(crate) use in_force::{InForce, Judges, Source};
pub use plain::run as run_plain;

/// Where the client is.
#[derive(Debug)]
pub enum ClientEnd {
    /// Our own stdin and stdout.
    Stdio,
    /// In this process (`inspect`): the other half is held by the one who plays the client.
    Duplex(DuplexStream),
}

/// An event may wait this long until it is on disk; refusals do not wait.
const SYNC_AFTER: Duration = Duration::from_millis(200);
/// How often the policy is looked after while nobody says anything: a server that is no longer allowed must not stay because it is
/// quiet.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long what a client wrote before its server ended is still read and answered.
const LAST_WORDS: Duration = Duration::from_millis(5);
/// How long the rest of the server's output may take once its tree is gone.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs a session on a runtime of its own: see [`serve`]. Returns without waiting for a read of a terminal that cannot
/// be taken back (tokio reads those on a blocking thread).
///
/// # Errors
/// When the system has no resources for a runtime; the server is ended then.
pub fn run(session: Session) -> std::io::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(serve(session, ClientEnd::Stdio));
    runtime.shutdown_background();
    Ok(exit)
}

/// Relays until one side ends, and sees the other side and the whole tree out. Must run on a current-thread runtime
/// with everything enabled. Does not return before every process of the tree is gone.
pub async fn serve(session: Session, client: ClientEnd) -> Exit {
    match Relay::new(session, client) {
        Ok(relay) => tokio::task::LocalSet::new().run_until(relay.run()).await,
        Err(error) => {
            crate::error::Failure::new(
                crate::error::Kind::Software,
                "cannot relay between client and server",
            )
            .because(&error)
            .report();
            Exit::RunFailed
        }
    }
}

/// Everything that one session needs while it runs.
struct Relay {
    hub: Rc<Hub>,
    keeper: KeeperHandle,
    from_client: Reader,
    from_server: Reader,
    stderr: (Reader, Option<Writer>),
    pace: Rc<Pace>,
    /// Our stderr once more, for our own notes.
    notes: Option<Writer>,
    network: Served,
    engine: Arc<stockade_policy::detect::Engine>,
    recorder: Rc<Recorder>,
    tmp: std::path::PathBuf,
    /// Takes the container away when all this is dropped.
    _container: Option<crate::container::Guard>,
    /// Keeps our standard streams in the mode that polling needs.
    _own: Vec<Own>,
}

impl Relay {
    fn new(session: Session, client: ClientEnd) -> std::io::Result<Self> {
        let mut own = Vec::new();
        let has_stderr = matches!(client, ClientEnd::Stdio);
        let (from_client, to_client): (Reader, Writer) = match client {
            ClientEnd::Stdio => {
                let ((reader, a), (writer, b)) = (Own::stdin()?, Own::stdout()?);
                own.extend([a, b]);
                (reader, writer)
            }
            ClientEnd::Duplex(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                (Box::new(reader), Box::new(writer))
            }
        };
        let mut stderr = || -> std::io::Result<Option<Writer>> {
            if !has_stderr {
                return Ok(None);
            }
            let (writer, stream) = Own::stderr()?;
            own.push(stream);
            Ok(Some(writer))
        };
        let (stderr_out, notes) = (stderr()?, stderr()?);
        let jailed = session.jailed;
        let to_server = ends::server_writer(jailed.stdin)?;
        let recorder = Rc::new(Recorder::new(session.denials, Arc::clone(&session.engine)));
        let ends = (to_client, to_server);
        let pace = Pace::new(session.plan.output_bytes_per_second);
        Ok(Self {
            hub: Rc::new(Hub::new(
                (session.mediator, session.in_force),
                session.log,
                ends,
                Rc::clone(&recorder),
            )),
            keeper: jailed.keeper,
            from_client,
            from_server: pace.of(ends::server_reader(jailed.stdout)?),
            stderr: (pace.of(ends::server_reader(jailed.stderr)?), stderr_out),
            pace,
            notes,
            network: session.network,
            recorder,
            engine: session.engine,
            tmp: session.plan.session_tmp,
            _container: session.container,
            _own: own,
        })
    }

    /// The pumps are tasks of their own: a side that does not read must hold up nothing but its own lines.
    async fn run(self) -> Exit {
        let hub = self.hub;
        let sink = Rc::new(Sink::new(Rc::clone(&hub), Arc::clone(&self.engine), self.notes));
        hub.tells(sink.notes());
        let watch = ending::Signals::new().and_then(|signals| {
            Ok((signals, keeper_socket(&self.keeper)?, Broker::start(self.network, sink)?))
        });
        let (mut signals, keeper_ready, broker) = match watch {
            Ok(watch) => watch,
            Err(error) => {
                let what = "cannot watch over the server";
                crate::error::Failure::new(crate::error::Kind::Software, what).because(&error).report();
                return Exit::RunFailed;
            }
        };
        hub.hears(broker.catching_up());
        let seen = Rc::new(RefCell::new(stderr::Seen::default()));
        let mut to_server = Rc::clone(&hub).start(Peer::Client, self.from_client);
        let mut to_client = Rc::clone(&hub).start(Peer::Server, self.from_server);
        let (errors, errors_out) = self.stderr;
        let mut to_stderr =
            tokio::task::spawn_local(stderr::pump(errors, errors_out, self.engine, Rc::clone(&seen)));
        let recording = Rc::clone(&self.recorder).start(Rc::clone(&hub));
        let pacing = tokio::task::spawn_local(Rc::clone(&self.pace).record(Rc::clone(&hub)));
        let mut ending = Ending::new(Rc::clone(&hub), &self.keeper);
        let mut sync_at: Option<Instant> = None;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let (mut reads_client, mut reads_server, mut reads_stderr) = (true, true, true);
        while !ending.tree_gone() || reads_server || reads_stderr {
            let deadline = ending.deadline();
            tokio::select! {
                _ = &mut to_server, if reads_client => {
                    reads_client = false;
                    ending.begin(Cause::ClientClosed);
                }
                _ = &mut to_client, if reads_server => {
                    reads_server = false;
                    ending.begin(Cause::ServerSilent);
                }
                _ = &mut to_stderr, if reads_stderr => reads_stderr = false,
                message = next_message(&self.keeper, &keeper_ready), if !ending.tree_gone() => hear(&mut ending, message, &self.pace),
                name = signals.next() => ending.begin(Cause::Signal(name)),
                cause = hub.broken() => ending.begin(cause),
                _ = looks.tick() => hub.look_meanwhile(),
                () = hub.wants_sync() => {
                    let due = Instant::now() + if hub.urgent() { Duration::ZERO } else { SYNC_AFTER };
                    sync_at = Some(sync_at.map_or(due, |at| at.min(due)));
                }
                () = sleep_until(sync_at.unwrap_or_else(Instant::now)), if sync_at.is_some() => {
                    sync_at = None;
                    hub.sync();
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    if ending.escalate() { break }
                }
            }
        }
        broker.end().await;
        let how = ending.how_server_ended();
        let end = ServerEnd { how: how.clone(), stderr_tail: seen.borrow().tail() };
        // A client that does not read its answers is not waited for for ever.
        let _ =
            tokio::time::timeout(DRAIN, last_words(&hub, &end, reads_client.then_some(&mut to_server))).await;
        recording.abort();
        pacing.abort();
        self.recorder.finish(&*hub).await;
        record_end(&hub, &ending, how, &seen.borrow());
        let _ = std::fs::remove_dir_all(&self.tmp);
        ending.exit()
    }
}

/// Once nobody is left who could write, the rest is read as fast as it can be.
fn hear(ending: &mut Ending<'_>, message: KeeperMessage, pace: &Pace) {
    ending.keeper_says(message);
    if ending.tree_gone() {
        pace.lift();
    }
}

fn record_end(hub: &Hub, ending: &Ending<'_>, how: String, seen: &stderr::Seen) {
    let end = crate::telemetry::SessionEnd {
        why: ending.why(),
        server: how,
        exit: ending.exit().code(),
        forwarded: hub.forwarded(),
        stderr_bytes: seen.amounts(),
        answers_dropped: hub.answers_dropped(),
    };
    hub.append("session.end", &end);
    hub.sync_now();
}

/// The server is gone: what the client asked, and what it wrote before it could know, is answered.
async fn last_words(hub: &Hub, end: &ServerEnd, to_server: Option<&mut tokio::task::JoinHandle<()>>) {
    hub.catch_up();
    hub.server_ended(end).await;
    if let Some(reading) = to_server {
        let silence = async { while tokio::time::timeout(LAST_WORDS, hub.progress()).await.is_ok() {} };
        tokio::select! {
            _ = reading => {}
            () = silence => {}
        }
    }
    hub.flush().await;
}

/// The keeper's socket, to be polled: of tokio's types the datagram socket fits a packet socket, whose packets
/// [`KeeperHandle::receive`] reads.
fn keeper_socket(keeper: &KeeperHandle) -> std::io::Result<UnixDatagram> {
    let socket = std::os::unix::net::UnixDatagram::from(keeper.fd().try_clone_to_owned()?);
    socket.set_nonblocking(true)?;
    UnixDatagram::from_std(socket)
}

/// The keeper's next message; a failing socket means that the keeper is lost.
async fn next_message(keeper: &KeeperHandle, socket: &UnixDatagram) -> KeeperMessage {
    let receive = || keeper.receive()?.ok_or_else(|| std::io::ErrorKind::WouldBlock.into());
    loop {
        if socket.readable().await.is_err() {
            return KeeperMessage::KeeperLost;
        }
        match socket.try_io(Interest::READABLE, receive) {
            Ok(message) => return message,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return KeeperMessage::KeeperLost,
        }
    }
}

/// How a process ended, in words.
fn end_words(end: End) -> String {
    match end {
        End::Exited(code) => format!("exit status {code}"),
        End::Signalled(signal) => match nix::sys::signal::Signal::try_from(signal) {
            Ok(name) => format!("killed by signal {signal} ({name})"),
            Err(_) => format!("killed by signal {signal}"),
        },
    }
}
