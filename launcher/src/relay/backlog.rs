//! Answers of ours to the very peer whose line they answer. They wait in a queue with a writer of its own: a peer that
//! writes thousands of lines before it reads would otherwise wait for us, and we for it, for ever.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Beyond this the peer is not read until it has taken some.
const BYTES_MAX: usize = 1 << 20;
/// A peer that takes nothing for so long gets no further answers until it does: then it is read again, since what holds
/// it up may be that nobody reads it.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1_000 });

/// The queue of one peer.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    lines: RefCell<VecDeque<Vec<u8>>>,
    /// Of the lines in the queue and of the one that is being written.
    bytes: Cell<usize>,
    stalled: Cell<bool>,
    dropped: Cell<u64>,
    filled: Notify,
    taken: Notify,
}

impl Backlog {
    /// Queues a line, waiting for room if the peer is taking any.
    pub(super) async fn push(&self, line: Vec<u8>) {
        while self.bytes.get() >= BYTES_MAX {
            if self.stalled.get() || timeout(PATIENCE, self.taken.notified()).await.is_err() {
                self.stalled.set(true);
                self.dropped.set(self.dropped.get() + 1);
                return;
            }
        }
        self.bytes.set(self.bytes.get() + line.len());
        self.lines.borrow_mut().push_back(line);
        self.filled.notify_one();
    }

    /// The next line; [`Backlog::written`] has to follow.
    pub(super) async fn next(&self) -> Vec<u8> {
        loop {
            if let Some(line) = self.lines.borrow_mut().pop_front() {
                return line;
            }
            self.filled.notified().await;
        }
    }

    /// A line of so many bytes was written, or there is nobody to write it to.
    pub(super) fn written(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
        self.stalled.set(false);
        self.taken.notify_waiters();
    }

    /// Returns when everything was written.
    pub(super) async fn drained(&self) {
        loop {
            let taken = self.taken.notified();
            if self.bytes.get() == 0 {
                return;
            }
            taken.await;
        }
    }

    /// Lines that were thrown away.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.get()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        tokio::task::LocalSet::new().block_on(&runtime.unwrap(), test);
    }

    #[test]
    fn lines_come_out_in_order_and_the_end_is_noticed() {
        run(async {
            let backlog = Rc::new(Backlog::default());
            for n in 0..3_u8 {
                backlog.push(vec![n; 10]).await;
            }
            let writing = Rc::clone(&backlog);
            tokio::task::spawn_local(async move {
                for n in 0..3_u8 {
                    let line = writing.next().await;
                    assert_eq!(line, vec![n; 10]);
                    writing.written(line.len());
                }
            });
            backlog.drained().await;
            assert_eq!((backlog.bytes.get(), backlog.dropped()), (0, 0));
        });
    }

    #[test]
    fn a_peer_that_reads_slowly_gets_everything() {
        run(async {
            let backlog = Rc::new(Backlog::default());
            let writing = Rc::clone(&backlog);
            let lines = 300;
            let writer = tokio::task::spawn_local(async move {
                for _ in 0..lines {
                    let line = writing.next().await;
                    tokio::time::sleep(PATIENCE / 100).await;
                    writing.written(line.len());
                }
            });
            for _ in 0..lines {
                backlog.push(vec![0; 4096]).await;
            }
            writer.await.unwrap();
            assert_eq!(backlog.dropped(), 0);
        });
    }

    #[test]
    fn a_peer_that_does_not_read_holds_up_nobody_for_long_and_costs_no_memory() {
        run(async {
            let backlog = Backlog::default();
            for _ in 0..10_000 {
                backlog.push(vec![0; 1024]).await;
            }
            assert!(backlog.bytes.get() <= BYTES_MAX + 1024);
            assert_eq!(backlog.dropped(), 10_000 - BYTES_MAX as u64 / 1024);
            let line = backlog.next().await;
            backlog.written(line.len());
            backlog.push(vec![0; 10]).await;
            assert_eq!(backlog.dropped(), 10_000 - BYTES_MAX as u64 / 1024, "it reads again");
        });
    }
}
