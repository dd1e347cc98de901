//! Which backends a start tried, and what a caller may remember of it. Plain data.

use crate::Backend;

/// One backend of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub backend: Backend,
    /// What came of it.
    pub result: Attempted,
}

/// What came of trying a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempted {
    /// It carries the jail.
    Carries,
    /// A step of it failed.
    Failed {
        /// The step, and the error.
        why: String,
    },
    /// It was not tried, because it is known to fail: see [`Knowledge`].
    Skipped {
        /// The step that failed earlier, and the error.
        why: String,
    },
}

impl Attempted {
    /// The word used in events.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Carries => "carries",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
        }
    }
}

/// A backend that failed for a reason of the host, which the next start will meet again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendFailure {
    /// Which.
    pub backend: Backend,
    /// Name of the step that failed.
    pub step: String,
    /// The error of its call.
    pub errno: i32,
}

/// What is known of a host: which backends it does not carry. Only failures, since a backend that is said to work is
/// carried out and looked at all the same.
///
/// [`spawn_knowing`](crate::spawn_knowing) leaves out what is known to fail, but only under
/// [`BackendChoice::Auto`](crate::BackendChoice), and never the last backend that is left: so what is known saves time and
/// can't refuse a start. It can lead to a weaker backend than the host could have; the [`Enforcement`](crate::Enforcement)
/// says so as ever. Whoever keeps it must keep it from the servers, and forget it when the host has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    failures: Vec<BackendFailure>,
}

impl Knowledge {
    /// From what was kept.
    #[must_use]
    pub fn new(failures: Vec<BackendFailure>) -> Self {
        Self { failures }
    }

    /// To be kept.
    #[must_use]
    pub fn failures(&self) -> &[BackendFailure] {
        &self.failures
    }

    /// Whether nothing is known to fail.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    /// One failure more; the newest of a backend counts.
    #[cfg(target_os = "linux")]
    pub(crate) fn learn(&mut self, failure: BackendFailure) {
        self.failures.retain(|known| known.backend != failure.backend);
        self.failures.push(failure);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_newest_failure_of_a_backend_counts() {
        let failure = |backend, errno| BackendFailure { backend, step: "clone".to_owned(), errno };
        let mut knowledge = Knowledge::default();
        assert!(knowledge.is_empty());
        knowledge.learn(failure(Backend::Namespaces, 1));
        knowledge.learn(failure(Backend::Notify, 1));
        knowledge.learn(failure(Backend::Namespaces, 22));
        let expected = [failure(Backend::Notify, 1), failure(Backend::Namespaces, 22)];
        assert_eq!(knowledge.failures(), expected);
    }
}
