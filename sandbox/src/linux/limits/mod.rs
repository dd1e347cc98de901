//! Limits of the whole tree: a cgroup of its own where one can be had, else what the keeper measures.

mod cgroup;
mod memory;
mod place;
#[expect(unsafe_code, reason = "sysinfo(2) has no safe form that shows shared memory")]
mod sys;
mod watchdog;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::poll::PollTimeout;

pub(crate) use cgroup::{Leaf, Room, clear_away};
pub(crate) use memory::show_segments;
pub(crate) use place::{NoPlace, Place, find as find_place};
use watchdog::Watchdog;

use super::child::Launch;
use crate::{Backend, End, TreeLimit};

/// The kernel wakes nobody when a cgroup loses its controllers (tried on Linux 6.12), so this is looked for.
const LEAF_CHECK_MS: u16 = 5_000;

/// What has to be bounded beyond what rlimits hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) memory_bytes: Option<u64>,
    /// Threads of the server's tree, without our PID 1.
    pub(crate) tasks: Option<u64>,
}

impl Bounds {
    /// For one backend: where RLIMIT_NPROC counts the tree alone, tasks need nothing more.
    pub(crate) fn of(launch: &Launch, backend: Backend) -> Self {
        let counted = backend == Backend::Namespaces && launch.kernel_counts_processes;
        let tasks = (!counted).then_some(launch.limits.processes);
        Self { memory_bytes: launch.limits.memory_bytes, tasks }
    }

    fn are_none(self) -> bool {
        self == Self::default()
    }

    /// What a cgroup that holds `held` leaves to the keeper.
    fn without(self, held: Held) -> Self {
        Self {
            memory_bytes: self.memory_bytes.filter(|_| !held.memory),
            tasks: self.tasks.filter(|_| !held.tasks),
        }
    }
}

/// What a cgroup bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) memory: bool,
    pub(crate) tasks: bool,
}

/// What became of the cgroup of one tree, told to the launcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CgroupTold {
    pub(crate) held: Held,
    /// The call that failed, 0 for none.
    pub(crate) errno: i32,
}

/// Why a tree has no cgroup of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCgroup {
    /// Nowhere to make one.
    NoPlace(NoPlace),
    /// The kernel refused, with this errno.
    Failed(i32),
}

/// Notices when a tree passes a limit.
#[derive(Debug)]
pub(crate) struct Guard<'a> {
    bounds: Bounds,
    /// SIGXCPU is the end of a limit only if there is one.
    cpu_is_limited: bool,
    leaf: Option<&'a Leaf>,
    segments: Option<&'a OwnedFd>,
    watchdog: Option<Watchdog<'a>>,
}

impl<'a> Guard<'a> {
    /// From now on. `segments` is what [`show_segments`] has shown.
    pub(crate) fn new(
        launch: &Launch,
        backend: Backend,
        leaf: Option<&'a Leaf>,
        segments: Option<&'a OwnedFd>,
    ) -> Self {
        let bounds = Bounds::of(launch, backend);
        let left = bounds.without(leaf.map(Leaf::held).unwrap_or_default());
        let cpu_is_limited = launch.limits.cpu_seconds.is_some();
        let watchdog = (!left.are_none()).then(|| Watchdog::new(left, segments, Instant::now()));
        Self { bounds, cpu_is_limited, leaf, segments, watchdog }
    }

    /// Descriptors with POLLPRI when a limit of the cgroup is reached.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.leaf.into_iter().flat_map(Leaf::events).map(AsFd::as_fd)
    }

    /// How long to wait for news before the next [`Guard::look`].
    pub(crate) fn timeout(&self) -> PollTimeout {
        match (&self.watchdog, self.leaf) {
            (Some(watchdog), _) => watchdog.timeout(Instant::now()),
            (None, Some(_)) => PollTimeout::from(LEAF_CHECK_MS),
            (None, None) => PollTimeout::NONE,
        }
    }

    /// The limit that what stands below `root` has passed. Measures only when it is time to.
    pub(crate) fn look(&mut self, root: i32) -> Option<TreeLimit> {
        if let Some(leaf) = self.leaf {
            match leaf.hit() {
                Ok(None) => {}
                Ok(limit) => return limit,
                Err(_) => {
                    // Whoever manages the cgroups has taken its controllers away: the keeper measures again.
                    self.leaf = None;
                    self.watchdog = Some(Watchdog::new(self.bounds, self.segments, Instant::now()));
                }
            }
        }
        let watchdog = self.watchdog.as_mut()?;
        if Instant::now() < watchdog.due() { None } else { watchdog.look(root) }
    }

    /// The limit that was behind the end of the main process.
    pub(crate) fn behind(&self, end: End) -> Option<TreeLimit> {
        match end {
            End::Signalled(libc::SIGXCPU) if self.cpu_is_limited => Some(TreeLimit::CpuTime),
            End::Signalled(libc::SIGXFSZ) => Some(TreeLimit::FileSize),
            End::Signalled(libc::SIGKILL) => self
                .leaf
                .and_then(|leaf| leaf.hit().ok().flatten())
                .filter(|limit| *limit == TreeLimit::Memory),
            End::Signalled(_) | End::Exited(_) => None,
        }
    }
}
