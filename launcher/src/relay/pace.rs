//! How fast the server's output is read. A server that floods us is read no faster than its profile says: its pipes fill, and
//! it waits, as it would for any reader that is slow. Nothing is lost.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::ends::Reader;
use super::recorder::Book;
use crate::telemetry::OutputLimited;

/// So much of the time that the limit allows may be used at once: what is limited is the average of a few seconds.
const BURST: Duration = Duration::from_secs(4);
/// Waiting is done in pieces, so that it ends soon when nothing is held back any more.
const PIECE: Duration = Duration::from_millis(100);
/// It is on record once in this time.
const WINDOW: Duration = Duration::from_secs(60);

/// The common pace of stdout and stderr.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    /// When all that was read would have come at the allowed pace; in the past if it came slower.
    due: Cell<Instant>,
    bytes: Cell<u64>,
    is_lifted: Cell<bool>,
    held: Notify,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u64) -> Rc<Self> {
        Rc::new(Self {
            bytes_per_second: bytes_per_second.max(1),
            due: Cell::new(Instant::now()),
            bytes: Cell::new(0),
            is_lifted: Cell::new(false),
            held: Notify::new(),
        })
    }

    /// The reader, at this pace.
    pub(super) fn of(self: &Rc<Self>, source: Reader) -> Reader {
        Box::new(Paced { source, pace: Rc::clone(self), waits: None })
    }

    /// Nobody is left who could write: what is in the pipes is little, and is not waited for.
    pub(super) fn lift(&self) {
        self.is_lifted.set(true);
    }

    /// Puts on record that output was held back. Never returns.
    pub(super) async fn record(self: Rc<Self>, book: Rc<impl Book>) {
        loop {
            self.held.notified().await;
            book.limited(&OutputLimited {
                what: "output",
                why: format!(
                    "stdout and stderr brought more than {} bytes a second over some seconds, and are read no faster",
                    self.bytes_per_second
                ),
                remedy: "if the server is right to write so much, raise `[limits] output` in its profile",
                bytes_per_second: self.bytes_per_second,
                bytes: self.bytes.get(),
                during: book.calls(),
            });
            sleep(WINDOW).await;
        }
    }

    fn took(&self, bytes: usize, now: Instant) {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.due.set(self.due.get().max(now) + cost);
        self.bytes.set(self.bytes.get().saturating_add(bytes as u64));
    }

    /// When the next read may be, if not now.
    fn next(&self, now: Instant) -> Option<Instant> {
        let ahead = self.due.get().saturating_duration_since(now);
        (ahead > BURST && !self.is_lifted.get()).then(|| now + (ahead - BURST).min(PIECE))
    }
}

struct Paced {
    source: Reader,
    pace: Rc<Pace>,
    waits: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(waits) = &mut self.waits {
                ready!(waits.as_mut().poll(cx));
                self.waits = None;
            }
            match self.pace.next(Instant::now()) {
                Some(until) => {
                    self.pace.held.notify_one();
                    self.waits = Some(Box::pin(sleep_until(until)));
                }
                None => break,
            }
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.source).poll_read(cx, buf))?;
        self.pace.took(buf.filled().len() - before, Instant::now());
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 1_000;

    #[test]
    fn the_average_is_kept_and_a_burst_is_free() {
        let pace = Pace::new(RATE);
        let start = Instant::now();
        let seconds = |n: u64| start + Duration::from_secs(n);
        assert_eq!(pace.next(start), None);
        pace.took(4_000, start);
        assert_eq!(pace.next(start), None, "as much as in four seconds");
        pace.took(1, start);
        assert_eq!(pace.next(start), Some(start + Duration::from_millis(1)));
        pace.took(2_000, start);
        assert_eq!(pace.next(start), Some(start + PIECE), "in pieces");
        assert_eq!(pace.next(seconds(3)), None, "what was not used in the meantime makes up for it");
        // A long silence gives no more than one burst.
        pace.took(4_000, seconds(1_000));
        assert_eq!(pace.next(seconds(1_000)), None);
        pace.took(1, seconds(1_000));
        assert!(pace.next(seconds(1_000)).is_some());
        pace.lift();
        assert_eq!(pace.next(seconds(1_000)), None);
    }

    #[test]
    fn a_source_that_never_ends_brings_its_rate_and_one_burst_over_both_streams() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (rate, began) = (1 << 20, Instant::now());
            let pace = Pace::new(rate);
            let mut both =
                [pace.of(Box::new(tokio::io::repeat(b'x'))), pace.of(Box::new(tokio::io::repeat(b'y')))];
            let mut chunk = vec![0; 1 << 10];
            // Six seconds' worth: four of them at once, two at the pace.
            for n in 0..6 << 10 {
                tokio::io::AsyncReadExt::read(&mut both[n % 2], &mut chunk).await.unwrap();
            }
            // However long it took: never more than the time allows, and a chunk.
            let allowed = (began.elapsed() + BURST).as_secs_f64() * 1048576.0 + 1024.0;
            assert!(pace.bytes.get() == 6 << 20 && 6_291_456.0 <= allowed, "{allowed}");
            tokio::time::timeout(Duration::from_secs(10), pace.held.notified()).await.expect("it was held");
        });
    }

    #[test]
    fn what_comes_within_the_burst_is_never_held() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let pace = Pace::new(256 << 20);
            let mut reader = pace.of(Box::new(tokio::io::repeat(b'x')));
            let mut chunk = vec![0; 64 << 10];
            while pace.bytes.get() < 32 << 20 {
                tokio::io::AsyncReadExt::read(&mut reader, &mut chunk).await.unwrap();
            }
            assert!(tokio::time::timeout(Duration::ZERO, pace.held.notified()).await.is_err());
        });
    }
}
