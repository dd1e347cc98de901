//! Measures a tree now and then: seldom while it is far from its limits, often when it is near.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;

use super::Bounds;
use super::memory::Gauge;
use crate::TreeLimit;
use crate::os::tree::{self, Life, Process};

/// While far below every limit: what an idle session costs.
const FAR: Duration = Duration::from_secs(1);
const MIDDLE: Duration = Duration::from_millis(250);
const NEAR: Duration = Duration::from_millis(50);
/// Measuring may take this part of a processor's time.
const COST_PARTS: u32 = 20;

#[derive(Debug)]
pub(super) struct Watchdog<'a> {
    bounds: Bounds,
    gauge: Gauge<'a>,
    due: Instant,
    percent: u64,
}

impl<'a> Watchdog<'a> {
    pub(super) fn new(bounds: Bounds, segments: Option<&'a OwnedFd>, now: Instant) -> Self {
        // A program does most of its growing when it starts.
        Self { bounds, gauge: Gauge::new(segments), due: now + MIDDLE, percent: 0 }
    }

    /// When the next look is to be taken.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Until then, rounded up.
    pub(super) fn timeout(&self, now: Instant) -> PollTimeout {
        let left = self.due.saturating_duration_since(now) + Duration::from_micros(999);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    /// The limit that what stands below `root` has passed.
    pub(super) fn look(&mut self, root: i32) -> Option<TreeLimit> {
        let start = Instant::now();
        let processes = tree::descendants(root, &[]);
        let mut percent = 0;
        if let Some(limit) = self.bounds.tasks {
            let tasks = tasks(&processes, root);
            if tasks > limit {
                return Some(TreeLimit::Processes);
            }
            percent = percent_of(tasks, limit);
        }
        if let Some(limit) = self.bounds.memory_bytes {
            let used = self.gauge.used(&processes, limit);
            if used > limit {
                return Some(TreeLimit::Memory);
            }
            percent = percent.max(percent_of(used, limit));
        }
        let now = Instant::now();
        self.due = now + pause(self.percent, percent, now - start);
        self.percent = percent;
        None
    }
}

/// Threads. Zombies count, since the machine has so many pids and no more, but not those that wait for us or our PID 1.
fn tasks(processes: &[Process], root: i32) -> u64 {
    let ours = |process: &&Process| process.life == Life::Zombie && process.parent == root;
    processes.iter().filter(|process| !ours(process)).map(|process| process.threads).sum()
}

fn percent_of(used: u64, limit: u64) -> u64 {
    used.saturating_mul(100) / limit.max(1)
}

/// Until the next look, from how full the tree was at the last two and what this one cost.
fn pause(before: u64, now: u64, cost: Duration) -> Duration {
    // Where it will be if it goes on growing like that.
    let soon = now.saturating_add(now.saturating_sub(before));
    let wanted = match soon {
        0..50 => FAR,
        50..75 => MIDDLE,
        _ => NEAR,
    };
    wanted.max(cost * COST_PARTS).min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_rare_far_from_a_limit_and_frequent_near_it() {
        let cheap = Duration::from_micros(100);
        assert_eq!(pause(10, 10, cheap), FAR);
        assert_eq!(pause(60, 60, cheap), MIDDLE);
        assert_eq!(pause(80, 80, cheap), NEAR);
        assert_eq!(pause(0, 40, cheap), NEAR, "it grows fast");
        assert_eq!(pause(90, 20, cheap), FAR, "it has shrunk");
    }

    #[test]
    fn dear_looks_are_rarer_but_never_so_rare_that_a_tree_can_buy_itself_time() {
        assert_eq!(pause(90, 90, Duration::from_millis(10)), Duration::from_millis(200));
        assert_eq!(pause(90, 90, Duration::from_secs(3)), FAR);
    }

    #[test]
    fn a_timeout_never_ends_before_the_look_is_due() {
        let now = Instant::now();
        let watchdog = Watchdog::new(Bounds::default(), None, now);
        assert_eq!(watchdog.timeout(now), PollTimeout::from(250u16));
        assert_eq!(watchdog.timeout(now + Duration::from_micros(500)), PollTimeout::from(250u16));
        assert_eq!(watchdog.timeout(now + FAR), PollTimeout::ZERO);
    }

    #[test]
    fn a_limit_of_nothing_is_full() {
        assert_eq!(percent_of(5, 0), 500);
        assert_eq!(percent_of(u64::MAX, 1), u64::MAX);
    }
}
