//! How often the same thing is put on record: a server that is refused something may try it a thousand times a second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The same thing is recorded once in this time.
const WINDOW: Duration = Duration::from_secs(60);
/// Things told apart at one time; all others are one thing. Bounds memory and events a minute.
const KEYS_MAX: usize = 512;

/// Counts repetitions.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    windows: BTreeMap<String, Window>,
    suppressed: u64,
}

#[derive(Debug)]
struct Window {
    opened: Instant,
    suppressed: u64,
}

impl Limiter {
    /// Whether the thing is to be recorded now, and if so how often it was not since the last time.
    pub(super) fn admit(&mut self, key: &str, now: Instant) -> Option<u64> {
        if !self.windows.contains_key(key) && self.windows.len() >= KEYS_MAX {
            // What was suppressed in a window that is forgotten stands in the total.
            self.windows.retain(|_, window| now.duration_since(window.opened) < WINDOW);
        }
        let key = if self.windows.len() >= KEYS_MAX && !self.windows.contains_key(key) { "" } else { key };
        match self.windows.get_mut(key) {
            Some(window) if now.duration_since(window.opened) < WINDOW => {
                window.suppressed += 1;
                self.suppressed += 1;
                None
            }
            Some(window) => {
                window.opened = now;
                Some(std::mem::take(&mut window.suppressed))
            }
            None => {
                self.windows.insert(key.to_owned(), Window { opened: now, suppressed: 0 });
                Some(0)
            }
        }
    }

    /// How often [`Limiter::admit`] said no.
    pub(super) fn suppressed(&self) -> u64 {
        self.suppressed
    }
}

/// At most so many in a time, whatever they are.
#[derive(Debug)]
pub(super) struct Rate {
    most: usize,
    window: Duration,
    taken: std::collections::VecDeque<Instant>,
}

impl Rate {
    pub(super) fn new(most: usize, window: Duration) -> Self {
        Self { most, window, taken: std::collections::VecDeque::with_capacity(most) }
    }

    /// Takes one, if there is one left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        while self.taken.front().is_some_and(|first| now.duration_since(*first) >= self.window) {
            self.taken.pop_front();
        }
        let free = self.taken.len() < self.most;
        if free {
            self.taken.push_back(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_is_recorded_once_a_minute_with_the_number_of_repetitions() {
        let mut limiter = Limiter::default();
        let start = Instant::now();
        assert_eq!(limiter.admit("a", start), Some(0));
        assert_eq!(limiter.admit("a", start + Duration::from_secs(1)), None);
        assert_eq!(limiter.admit("b", start + Duration::from_secs(1)), Some(0));
        assert_eq!(limiter.admit("a", start + Duration::from_secs(59)), None);
        assert_eq!(limiter.admit("a", start + Duration::from_secs(60)), Some(2));
        assert_eq!(limiter.suppressed(), 2);
    }

    #[test]
    fn ever_new_things_are_one_thing_from_some_number_on() {
        let mut limiter = Limiter::default();
        let start = Instant::now();
        let admitted =
            (0..10_000).filter(|n| limiter.admit(&format!("name-{n}.example"), start).is_some()).count();
        assert_eq!(admitted, KEYS_MAX + 1);
        assert_eq!(limiter.suppressed(), 10_000 - KEYS_MAX as u64 - 1);
        assert!(limiter.windows.len() <= KEYS_MAX + 1);
        assert_eq!(limiter.admit("new", start + WINDOW), Some(0), "old windows make room");
    }

    #[test]
    fn a_rate_is_kept_and_recovers() {
        let mut rate = Rate::new(2, Duration::from_secs(60));
        let start = Instant::now();
        assert!(rate.take(start) && rate.take(start));
        assert!(!rate.take(start + Duration::from_secs(59)));
        assert!(rate.take(start + Duration::from_secs(60)));
    }
}
