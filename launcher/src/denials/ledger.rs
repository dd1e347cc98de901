//! What was refused in this session, so far: heard on the supervisor's thread, judged and written on the session's.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stockade_sandbox::{Access, Denial, Opened, Program};
use tokio::sync::Notify;

use super::court::{Court, Ruled};
use super::meaning::means;
use super::propose::remedy;
use super::record::Entry;
use super::tried::Tried;

/// The same denial is written once in this time, with a count.
const WINDOW: Duration = Duration::from_secs(60);
/// Denials told apart in one session; what comes beyond is counted alone.
const ENTRIES_MAX: usize = 500;
/// Opens that wait for their judgement.
const QUEUE_MAX: usize = 8_192;
/// Judged at one go: each takes some 10 µs, and nobody's lines may wait for long.
const BATCH: usize = 256;
/// Judgements kept, so that a file that is opened again costs nothing.
const JUDGED_MAX: usize = 65_536;

/// Denials of one session.
#[derive(Debug, Default)]
pub struct Ledger {
    state: Mutex<State>,
    news: Notify,
    /// Something was refused since somebody looked.
    fresh: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Opened>,
    judged: HashMap<(PathBuf, Access), Option<Ruled>>,
    entries: BTreeMap<(Tried, Option<PathBuf>), Known>,
    /// Denials and opens that nobody could take any more.
    lost: u64,
}

/// One denial: what it means once that is known, and how often it happened.
#[derive(Debug)]
struct Known {
    ruled: Option<Ruled>,
    unwritten: u64,
    written_at: Option<Instant>,
}

impl Ledger {
    /// Something was refused. Returns at once.
    pub fn denied(&self, denial: Denial) {
        let news = self.state().count(Tried::from(denial.what), None, denial.program);
        if news == News::Some {
            self.fresh.store(true, Ordering::Release);
        }
        self.tell(news);
    }

    /// A file was opened or executed. Returns at once.
    pub fn opened(&self, opened: Opened) {
        let mut state = self.state();
        let news = match state.judged.get(&(opened.path.clone(), opened.access)) {
            Some(None) => News::None,
            Some(Some(ruled)) => {
                let ruled = ruled.clone();
                state.count(ruled.tried.clone(), Some(ruled), opened.program)
            }
            None if state.queue.len() < QUEUE_MAX => {
                state.queue.push_back(opened);
                News::Some
            }
            None => {
                state.lost += 1;
                News::None
            }
        };
        drop(state);
        self.tell(news);
    }

    /// Returns when there is something to judge or to write since the last call, now or in a minute.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether something was refused since the last call that may have to be written. Costs next to nothing.
    pub fn take_fresh(&self) -> bool {
        self.fresh.load(Ordering::Relaxed) && self.fresh.swap(false, Ordering::Acquire)
    }

    /// Judges some of what was opened, which looks at the file system; `true` if more is waiting.
    pub fn judge(&self, court: &Court) -> bool {
        for _ in 0..BATCH {
            let Some(opened) = self.state().queue.pop_front() else { return false };
            let ruled = court.judge(&opened);
            let mut state = self.state();
            if state.judged.len() >= JUDGED_MAX {
                state.judged.clear();
            }
            state.judged.insert((opened.path, opened.access), ruled.clone());
            if let Some(ruled) = ruled {
                state.count(ruled.tried.clone(), Some(ruled), opened.program);
            }
        }
        true
    }

    /// What is to be written now: what is new, and what happened again and was written a minute ago.
    pub fn due(&self, court: &Court, now: Instant) -> Vec<Entry> {
        self.take(court, |known| known.written_at.is_none_or(|at| now.duration_since(at) >= WINDOW), now)
    }

    /// At the end: whatever was not written yet.
    pub fn rest(&self, court: &Court, now: Instant) -> Vec<Entry> {
        self.take(court, |_| true, now)
    }

    /// When something that happened again is to be written.
    pub fn next_due(&self) -> Option<Instant> {
        let state = self.state();
        let waiting = state.entries.values().filter(|known| known.unwritten > 0);
        waiting.filter_map(|known| known.written_at.map(|at| at + WINDOW)).min()
    }

    /// How much was not taken, since the last call.
    pub fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.state().lost)
    }

    fn take(&self, court: &Court, due: impl Fn(&Known) -> bool, now: Instant) -> Vec<Entry> {
        let mut state = self.state();
        let waiting = state.entries.iter_mut().filter(|(_, known)| known.unwritten > 0 && due(known));
        let entry = |((tried, program), known): (&(Tried, Option<PathBuf>), &mut Known)| {
            known.written_at = Some(now);
            let (why, remedy) = match &known.ruled {
                Some(ruled) => (ruled.why.clone(), ruled.remedy.clone()),
                None => (means(tried), remedy(tried, None, court.places())),
            };
            let count = std::mem::take(&mut known.unwritten);
            Entry { tried: tried.clone(), why, remedy, program: program.clone(), count, last: None }
        };
        waiting.map(entry).collect()
    }

    fn tell(&self, news: News) {
        if news == News::Some {
            self.news.notify_one();
        }
    }

    /// A panic elsewhere leaves counts that are good enough.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, tried: Tried, ruled: Option<Ruled>, program: Program) -> News {
        let key = (tried, program.path);
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(&key) {
            self.lost += 1;
            return News::None;
        }
        let known = self.entries.entry(key).or_insert(Known { ruled, unwritten: 0, written_at: None });
        known.unwritten += 1;
        // What is repeated changes nothing about when it is written.
        if known.unwritten == 1 { News::Some } else { News::None }
    }
}

/// Whether somebody has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    Some,
}

#[cfg(test)]
mod tests;
