//! Where the broker's events go: into the book of the session, and to the user on our stderr.

use std::rc::Rc;
use std::sync::Arc;

use stockade_policy::detect::Engine;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::ends::Writer;
use super::recorder::Book;
use crate::egress::EventSink;
use crate::telemetry::{CallsInFlight, NetworkEvent};

/// Notes that wait for a reader of our stderr; more of them are dropped, since they are on record as well.
const NOTES_MAX: usize = 64;

/// The sink of one session.
pub(super) struct Sink<B> {
    book: Rc<B>,
    engine: Arc<Engine>,
    notes: Sender<String>,
}

impl<B: Book> Sink<B> {
    /// `stderr` is our own; `None` where somebody else writes on it. To be called inside a `LocalSet`.
    pub(super) fn new(book: Rc<B>, engine: Arc<Engine>, stderr: Option<Writer>) -> Self {
        let (notes, arriving) = channel(NOTES_MAX);
        if let Some(stderr) = stderr {
            tokio::task::spawn_local(write(stderr, arriving));
        }
        Self { book, engine, notes }
    }
}

impl<B> Sink<B> {
    /// Where lines for the user go.
    pub(super) fn notes(&self) -> Sender<String> {
        self.notes.clone()
    }
}

impl<B: Book> EventSink for Sink<B> {
    fn record(&self, event: &NetworkEvent) {
        self.book.network(event);
    }

    fn calls(&self) -> CallsInFlight {
        self.book.calls()
    }

    fn masked(&self, text: &str) -> String {
        self.engine.mask(text).into_owned()
    }

    fn tell(&self, line: String) {
        // Nobody waits for a terminal or a pipe that nobody reads.
        let _ = self.notes.try_send(line);
    }
}

async fn write(mut stderr: Writer, mut arriving: Receiver<String>) {
    while let Some(note) = arriving.recv().await {
        if stderr.write_all(note.as_bytes()).await.is_err() || stderr.flush().await.is_err() {
            return;
        }
    }
}
