//! A program in its jail without a mediator: bytes through, unchanged, until it ends.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stockade_sandbox::{End, KeeperHandle, KeeperMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixDatagram;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::ending::{Signals, limit_words};
use super::ends::{self, Own, Reader, Writer};
use super::pace::Pace;
use super::recorder::{PlainBook, Recorder};
use super::sink::Sink;
use super::{end_words, keeper_socket, next_message};
use crate::egress::Broker;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::launch::Fenced;
use crate::telemetry::JailEnd;

/// Read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// After a first signal to us; a second one kills at once.
const TERM: Duration = Duration::from_secs(5);

/// Relays until the program and all that it started are gone, and everything that they wrote has been passed on.
///
/// # Errors
/// When the system has no resources for it; the program is ended then.
pub fn run(fenced: Fenced) -> io::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    let exit = runtime.block_on(tasks.run_until(serve(fenced)));
    // A read of a terminal cannot be taken back, and is not waited for.
    runtime.shutdown_background();
    exit
}

async fn serve(fenced: Fenced) -> io::Result<Exit> {
    let Fenced { plan, engine, jailed, log, denials, network, container: _container, .. } = fenced;
    let mut signals = Signals::new()?;
    let ready = keeper_socket(&jailed.keeper)?;
    let ((stdin, _a), (stdout, _b), (stderr, _c)) = (Own::stdin()?, Own::stdout()?, Own::stderr()?);
    let counts: [Rc<Cell<u64>>; 3] = Default::default();
    let start = |from, to, n: usize| tokio::task::spawn_local(pump(from, to, Rc::clone(&counts[n])));
    let feeding = start(stdin, ends::server_writer(jailed.stdin)?, 0);
    let pace = Pace::new(plan.output_bytes_per_second);
    let outputs = [
        start(pace.of(ends::server_reader(jailed.stdout)?), stdout, 1),
        start(pace.of(ends::server_reader(jailed.stderr)?), stderr, 2),
    ];
    let book = Rc::new(PlainBook::new(log));
    let pacing = tokio::task::spawn_local(Rc::clone(&pace).record(Rc::clone(&book)));
    // Our stderr is the program's, byte for byte; what was refused is told when it has ended.
    let sink = Sink::new(Rc::clone(&book), Arc::clone(&engine), None);
    let broker = Broker::start(network, Rc::new(sink))?;
    let recorder = Rc::new(Recorder::new(denials, engine));
    let recording = Rc::clone(&recorder).start(Rc::clone(&book));
    let kept = Rc::clone(&book);
    let syncing = tokio::task::spawn_local(async move { kept.keep_synced().await });

    let mut life = Life::default();
    life.watch(&jailed.keeper, &ready, &mut signals, &book).await;
    pace.lift();
    // All pipes end with the tree. Who reads ours may take any time for the rest; a signal says that nobody will.
    tokio::select! {
        () = finished(outputs) => {}
        name = signals.next() => life.why = Some(format!("Stockade was sent {name}")),
    }
    feeding.abort();
    recording.abort();
    pacing.abort();
    syncing.abort();
    broker.end().await;
    recorder.finish(&*book).await;
    let exit = life.exit();
    let why = life.why.unwrap_or_else(|| "the program ended".to_owned());
    let server = life.end.map_or_else(|| "unknown".to_owned(), end_words);
    book.append(
        "session.end",
        &JailEnd { why, server, exit: exit.code(), bytes: counts.map(|count| count.get()) },
    );
    let _ = std::fs::remove_dir_all(&plan.session_tmp);
    Ok(exit)
}

/// Copies until one side ends. What the other side is then left with is what a pipe between two programs would leave it
/// with: end of file, or SIGPIPE.
async fn pump(mut from: Reader, mut to: Writer, count: Rc<Cell<u64>>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(bytes @ 1..) = from.read(&mut chunk).await {
        count.set(count.get() + bytes as u64);
        let Some(read) = chunk.get(..bytes) else { return };
        if to.write_all(read).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

async fn finished(tasks: [JoinHandle<()>; 2]) {
    for task in tasks {
        // A pump that panicked has ended too.
        let _ = task.await;
    }
}

/// What is known of the program's end.
#[derive(Debug, Default)]
struct Life {
    end: Option<End>,
    lost: bool,
    stopped: bool,
    /// Why it ended, if not by itself.
    why: Option<String>,
}

impl Life {
    /// Returns when no process of the tree is left.
    async fn watch(
        &mut self,
        keeper: &KeeperHandle,
        ready: &UnixDatagram,
        signals: &mut Signals,
        book: &PlainBook,
    ) {
        let mut kill_at: Option<Instant> = None;
        loop {
            tokio::select! {
                message = next_message(keeper, ready) => match message {
                    KeeperMessage::Ended(end) => self.end = Some(end),
                    KeeperMessage::TreeGone => return,
                    KeeperMessage::KeeperLost => {
                        self.lost = true;
                        report("the keeper of the jail died", "the program was ended with it");
                        return;
                    }
                    KeeperMessage::LimitHit(limit) => {
                        let why = format!("the program was killed: {}", limit_words(limit));
                        report(&why, "raise the limit in a profile, if the program is right to need more");
                        self.why = Some(why);
                    }
                },
                name = signals.next() => {
                    self.why = Some(format!("Stockade was sent {name}"));
                    // A keeper that cannot be reached has ended, and says so by its end of the socket.
                    let _ = if kill_at.is_none() { keeper.terminate() } else { keeper.kill() };
                    kill_at = Some(Instant::now() + TERM);
                }
                () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    let _ = keeper.kill();
                    kill_at = Some(Instant::now() + TERM);
                }
                () = book.broken.notified() => {
                    let why = book.take_stopped().map_or_else(String::new, |stopped| stopped.to_string());
                    report("the program was stopped", &why);
                    self.stopped = true;
                    self.why = Some(why);
                    let _ = keeper.kill();
                    kill_at = Some(Instant::now() + TERM);
                }
            }
        }
    }

    /// The program's own code, unless it was stopped by us for a reason of ours.
    fn exit(&self) -> Exit {
        match self.end {
            _ if self.lost || self.stopped => Exit::RunFailed,
            Some(End::Exited(code)) => Exit::Server(u8::try_from(code & 0xff).unwrap_or(u8::MAX)),
            Some(End::Signalled(signal)) => Exit::Server(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
            None => Exit::RunFailed,
        }
    }
}

fn report(what: &str, hint: &str) {
    Failure::new(Kind::Software, what).hint(hint).report();
}
