//! Writes down what the jail refused, as it is heard: new things at once, the same again once a minute with a count.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stockade_policy::detect::Engine;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::SYNC_AFTER;
use super::pump::Hub;
use crate::launch::Denials;
use crate::telemetry::{CallsInFlight, Denied, DeniedLost, EventLog, NetworkEvent, OutputLimited, Stopped};

/// How long the supervisor may take to say its last words once the tree is gone.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Where events go.
pub(super) trait Book {
    /// Writes one denial.
    fn denied(&self, denied: &Denied);
    /// Writes how much was not taken.
    fn lost(&self, lost: &DeniedLost);
    /// Writes that output was held back.
    fn limited(&self, limited: &OutputLimited);
    /// Writes an event of the network.
    fn network(&self, event: &NetworkEvent);
    /// Requests of the client that the server is working on.
    fn calls(&self) -> CallsInFlight;
}

impl Book for Hub {
    fn denied(&self, denied: &Denied) {
        self.append("denied", denied);
    }

    fn lost(&self, lost: &DeniedLost) {
        self.append("denied.lost", lost);
    }

    fn limited(&self, limited: &OutputLimited) {
        self.append("limit.output", limited);
    }

    fn network(&self, event: &NetworkEvent) {
        Self::network(self, event);
    }

    fn calls(&self) -> CallsInFlight {
        Self::calls(self)
    }
}

/// A log without a mediator; keeps the first failure.
#[derive(Debug)]
pub(super) struct PlainBook {
    log: RefCell<EventLog>,
    stopped: RefCell<Option<Stopped>>,
    /// Told when there is a failure.
    pub(super) broken: tokio::sync::Notify,
    /// Told when something was written that may reach the disk later.
    unsynced: tokio::sync::Notify,
}

impl PlainBook {
    pub(super) fn new(log: EventLog) -> Self {
        let (broken, unsynced) = Default::default();
        Self { log: RefCell::new(log), stopped: RefCell::new(None), broken, unsynced }
    }

    /// Writes an event and has it on disk before anything else happens: this session has nobody waiting.
    pub(super) fn append<T: serde::Serialize>(&self, kind: &'static str, what: &T) {
        self.write(|log| log.append(kind, what));
        self.sync();
    }

    /// Brings to the disk what may reach it later, a moment after it was written. Runs until it is aborted.
    pub(super) async fn keep_synced(&self) -> ! {
        loop {
            self.unsynced.notified().await;
            sleep(SYNC_AFTER).await;
            self.sync();
        }
    }

    fn write(&self, event: impl FnOnce(&mut EventLog) -> Result<(), Stopped>) {
        let mut log = self.log.borrow_mut();
        if let Err(stopped) = event(&mut log) {
            self.stopped.borrow_mut().get_or_insert(stopped);
            self.broken.notify_one();
        }
    }

    fn sync(&self) {
        if let Some(file) = self.log.borrow_mut().take_unsynced() {
            // What cannot be synced was written all the same.
            let _ = file.sync_data();
        }
    }

    /// Why the log stopped, if it did.
    pub(super) fn take_stopped(&self) -> Option<Stopped> {
        self.stopped.borrow_mut().take()
    }
}

impl Book for PlainBook {
    fn denied(&self, denied: &Denied) {
        self.append("denied", denied);
    }

    fn lost(&self, lost: &DeniedLost) {
        self.append("denied.lost", lost);
    }

    fn limited(&self, limited: &OutputLimited) {
        self.append("limit.output", limited);
    }

    /// Refusals have nobody waiting; whatever is allowed can come by the thousand, and the program waits for the processor.
    fn network(&self, event: &NetworkEvent) {
        self.write(|log| event.append_to(log));
        match event {
            NetworkEvent::Refused(_) | NetworkEvent::DnsRefused(_) => self.sync(),
            _ => self.unsynced.notify_one(),
        }
    }

    fn calls(&self) -> CallsInFlight {
        CallsInFlight::default()
    }
}

/// Hears, judges, writes.
#[derive(Debug)]
pub(super) struct Recorder {
    denials: Denials,
    engine: Arc<Engine>,
}

impl Recorder {
    pub(super) fn new(denials: Denials, engine: Arc<Engine>) -> Self {
        Self { denials, engine }
    }

    /// A task that writes until it is aborted. It costs nothing while nothing is refused.
    pub(super) fn start(self: Rc<Self>, book: Rc<impl Book + 'static>) -> JoinHandle<()> {
        tokio::task::spawn_local(async move {
            loop {
                self.wait().await;
                // Asked before anything else is done: the answer to the call may be on its way already.
                let during = book.calls();
                self.judge().await;
                self.write(&*book, Rest::Waits, &during);
            }
        })
    }

    /// Writes at once what was refused and is not written yet, before anything else becomes of the calls in flight.
    pub(super) fn catch_up(&self, book: &impl Book) {
        if self.denials.ledger.take_fresh() {
            self.write(book, Rest::Waits, &book.calls());
        }
    }

    /// At the end, when no process of the tree is left: writes the rest.
    pub(super) async fn finish(&self, book: &impl Book) {
        let deadline = Instant::now() + LAST_WORDS;
        let busy = || self.denials.supervisor.as_ref().is_some_and(|supervisor| !supervisor.has_ended());
        while busy() && Instant::now() < deadline {
            sleep(Duration::from_millis(1)).await;
        }
        self.judge().await;
        self.write(book, Rest::Written, &book.calls());
    }

    async fn wait(&self) {
        let ledger = &self.denials.ledger;
        match ledger.next_due() {
            None => ledger.news().await,
            Some(due) => tokio::select! {
                () = ledger.news() => {}
                () = sleep_until(due.into()) => {}
            },
        }
    }

    async fn judge(&self) {
        while self.denials.ledger.judge(&self.denials.court) {
            tokio::task::yield_now().await;
        }
    }

    fn write(&self, book: &impl Book, rest: Rest, during: &CallsInFlight) {
        let Denials { ledger, court, .. } = &self.denials;
        let now = std::time::Instant::now();
        let entries = match rest {
            Rest::Waits => ledger.due(court, now),
            Rest::Written => ledger.rest(court, now),
        };
        let mask = |text: &str| self.engine.mask(text).into_owned();
        for entry in entries {
            book.denied(&entry.event(&mask, during, court.places()));
        }
        let count = ledger.take_lost();
        if count > 0 {
            book.lost(&DeniedLost { count });
        }
    }
}

/// What becomes of denials that happened again within a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// They are written when the minute is over.
    Waits,
    /// The session ends, and so they are written now.
    Written,
}
