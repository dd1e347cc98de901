//! How much one session may hold open at a time. Everything that a server opens through us costs descriptors of ours, and
//! a launcher that has none left serves nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What the three kinds may have, and what they cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Connections that are carried at one time, both ways: two descriptors each.
    pub(super) connections: usize,
    /// Connections that wait for their turn: one each.
    pub(super) waiting: usize,
    /// Far ends of what programs take for UDP sockets: one each.
    pub(super) resolvers: usize,
}

/// Where there are descriptors enough.
const FULL: Room = Room { connections: 384, waiting: 1_024, resolvers: 1_024 };
/// For everything else: calls that wait at the supervisor (256), questions to name servers (128), the log, the doors.
const OTHERS: usize = 640;
/// What we ask of the system if it allows more than we have.
const WANTED: u64 = 4_096;
/// How long a connection waits for its turn while as many as there may be are open. Clients give up after about as long.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 1_000 } else { 30_000 });

impl Room {
    /// What fits into this process. Its soft limit of descriptors (mostly 1,024) is raised first, as far as that needs no
    /// right; the server has a limit of its own.
    pub(super) fn of_process() -> Self {
        // Without a limit to be had, the least is assumed.
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Self::within(0) };
        let wanted = WANTED.min(hard);
        let raised = soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
        Self::within(if raised { wanted } else { soft })
    }

    /// What fits into so many descriptors: all of it, or shares of what is left for us; never nothing.
    fn within(descriptors: u64) -> Self {
        let free = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(OTHERS);
        if free >= FULL.descriptors() {
            return FULL;
        }
        Self {
            connections: (free / 4).clamp(16, FULL.connections),
            waiting: (free / 4).clamp(16, FULL.waiting),
            resolvers: (free / 4).clamp(16, FULL.resolvers),
        }
    }

    fn descriptors(self) -> usize {
        2 * self.connections + self.waiting + self.resolvers
    }
}

/// Counts what is held until it is dropped, on whatever thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Count(Arc<AtomicUsize>);

/// One of what a [`Count`] counts.
#[derive(Debug)]
pub(super) struct Held(Arc<AtomicUsize>);

impl Count {
    /// So many are held.
    pub(super) fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more.
    pub(super) fn hold(&self) -> Held {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(Arc::clone(&self.0))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connections in turn: as many as there is room for are carried, some wait, and the others are refused.
#[derive(Debug)]
pub(super) struct Turns {
    room: Room,
    free: Arc<Semaphore>,
    waiting: Count,
}

/// Where a connection stands.
#[derive(Debug)]
pub(super) enum Turn {
    /// It is carried as long as this is held.
    Now(OwnedSemaphorePermit),
    /// It waits.
    Later(Held),
    /// As many wait as may.
    Never,
}

impl Turns {
    pub(super) fn new(room: Room) -> Self {
        Self { room, free: Arc::new(Semaphore::new(room.connections)), waiting: Count::default() }
    }

    /// The turn of a connection that has come. Known at once, so that a thousand that come together are counted.
    pub(super) fn next(&self) -> Turn {
        match Arc::clone(&self.free).try_acquire_owned() {
            Ok(turn) => Turn::Now(turn),
            Err(_) if self.waiting.now() < self.room.waiting => Turn::Later(self.waiting.hold()),
            Err(_) => Turn::Never,
        }
    }

    /// Returns when the turn has come.
    ///
    /// # Errors
    /// Why there is no room.
    pub(super) async fn come(&self, turn: Turn) -> Result<OwnedSemaphorePermit, String> {
        let more = match turn {
            Turn::Now(turn) => return Ok(turn),
            Turn::Later(_waits) => match timeout(PATIENCE, Arc::clone(&self.free).acquire_owned()).await {
                Ok(Ok(turn)) => return Ok(turn),
                _ => format!("none of them ended within {} seconds", PATIENCE.as_secs()),
            },
            Turn::Never => format!("{} more are waiting", self.room.waiting),
        };
        Err(format!("{} connections are open already, and {more}", self.room.connections))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_limit_is_it_is_kept_as_soon_as_there_is_room_at_all() {
        for descriptors in [1_024, 2_048, 3_000, 3_455, 3_456, 4_096, u64::MAX] {
            let room = Room::within(descriptors);
            assert!(room.descriptors() + OTHERS <= usize::try_from(descriptors).unwrap_or(usize::MAX));
            assert!(room.connections >= 90, "{descriptors}: {room:?}");
        }
        assert_eq!(Room::within(3_456), FULL);
        assert_ne!(Room::within(3_455), FULL);
        assert_eq!(Room::within(0).connections, 16, "a session without any would be none");
    }

    #[test]
    fn what_is_dropped_is_held_no_longer() {
        let count = Count::default();
        let (one, other) = (count.hold(), count.hold());
        drop(one);
        assert_eq!(count.now(), 1);
        drop(other);
        assert_eq!(count.now(), 0);
    }
}
