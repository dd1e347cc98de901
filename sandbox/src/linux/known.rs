//! What is left out because it is known to fail, and which failures are worth knowing.

use std::fs;

use super::keeper::Attempts;
use super::step::{Failure, Step};
use crate::{Attempt, Attempted, Backend, BackendChoice, BackendFailure, Knowledge};

/// A backend and why it does not carry the jail.
pub(crate) type Fallen = (Backend, Failure);

/// When a backend was found not to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// At this start.
    Now,
    /// At an earlier one.
    Before,
}

/// Takes out of `attempts` what is known to fail on this host. Never the last one, so that what is known can't refuse a
/// start; and nothing that was asked for by name.
pub(crate) fn leave_out(attempts: &mut Attempts, choice: BackendChoice, known: &Knowledge) -> Vec<Fallen> {
    let mut left_out = Vec::new();
    if choice != BackendChoice::Auto {
        return left_out;
    }
    while let [first, _, ..] = attempts.as_slice()
        && let Some(failure) = failure_of(known, *first)
    {
        left_out.push((*first, failure));
        attempts.remove(0);
    }
    left_out
}

/// What was done, in order.
pub(crate) fn attempts(left_out: &[Fallen], failed: &[Fallen], carries: Backend) -> Vec<Attempt> {
    let skipped = left_out.iter().map(|(backend, failure)| Attempt {
        backend: *backend,
        result: Attempted::Skipped { why: failure.text() },
    });
    let failed = failed.iter().map(|(backend, failure)| Attempt {
        backend: *backend,
        result: Attempted::Failed { why: failure.text() },
    });
    let carries = Attempt { backend: carries, result: Attempted::Carries };
    skipped.chain(failed).chain([carries]).collect()
}

/// What is known after a start: what was left out is still believed, the rest was found out.
pub(crate) fn learnt(left_out: &[Fallen], failed: &[Fallen]) -> Knowledge {
    let mut knowledge = Knowledge::default();
    for (backend, failure) in left_out.iter().chain(failed) {
        if is_of_the_host(*backend, *failure) {
            knowledge.learn(BackendFailure {
                backend: *backend,
                step: failure.step.name().to_owned(),
                errno: failure.errno,
            });
        }
    }
    knowledge
}

/// What was kept is only believed where it could have been learnt.
fn failure_of(known: &Knowledge, backend: Backend) -> Option<Failure> {
    let of_it = known.failures().iter().filter(|known| known.backend == backend);
    let mut failures = of_it.filter_map(|known| Some(Failure::new(Step::named(&known.step)?, known.errno)));
    failures.find(|failure| is_of_the_host(backend, *failure))
}

/// Whether every start on this host will fail in the same way: a step that asks for nothing that a ruleset could change,
/// and an error that doesn't pass by itself, as those of a busy machine do (EAGAIN, ENOMEM, EMFILE).
fn is_of_the_host(backend: Backend, failure: Failure) -> bool {
    let of_the_host = match backend {
        Backend::Namespaces => matches!(
            failure.step,
            Step::CloneNamespaces
                | Step::Setgroups
                | Step::UidMap
                | Step::GidMap
                | Step::MountPrivate
                | Step::MountProc
        ),
        // EBUSY, another listener, is not among the errors below: that is of the process that started us.
        Backend::Notify => failure.step == Step::SeccompListener,
        Backend::Static => false,
    };
    of_the_host
        && match failure.errno {
            libc::EPERM | libc::EACCES | libc::EINVAL | libc::ENOSYS | libc::EUSERS => true,
            // Too many, which passes, unless none are allowed at all.
            libc::ENOSPC => {
                fs::read_to_string("/proc/sys/user/max_user_namespaces").is_ok_and(|most| most.trim() == "0")
            }
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Failure = Failure { step: Step::CloneNamespaces, errno: libc::EPERM };
    const ALL: [Backend; 3] = [Backend::Namespaces, Backend::Notify, Backend::Static];

    fn known(fallen: &[Fallen]) -> Knowledge {
        learnt(&[], fallen)
    }

    #[test]
    fn what_is_known_to_fail_is_left_out_and_stays_known() {
        let mut attempts = ALL.to_vec();
        let left_out =
            leave_out(&mut attempts, BackendChoice::Auto, &known(&[(Backend::Namespaces, REFUSED)]));
        assert_eq!(left_out, [(Backend::Namespaces, REFUSED)]);
        assert_eq!(attempts, [Backend::Notify, Backend::Static]);
        assert_eq!(learnt(&left_out, &[]), known(&[(Backend::Namespaces, REFUSED)]));
    }

    #[test]
    fn a_backend_that_was_asked_for_by_name_is_tried_whatever_is_known() {
        let mut attempts = vec![Backend::Namespaces];
        let known = known(&[(Backend::Namespaces, REFUSED)]);
        for choice in [BackendChoice::Namespaces, BackendChoice::Auto] {
            assert_eq!(leave_out(&mut attempts, choice, &known), []);
            assert_eq!(attempts, [Backend::Namespaces]);
        }
    }

    #[test]
    fn the_last_backend_is_tried_whatever_is_known() {
        let listener = Failure::new(Step::SeccompListener, libc::ENOSYS);
        let known = known(&[(Backend::Namespaces, REFUSED), (Backend::Notify, listener)]);
        assert_eq!(known.failures().len(), 2);
        let mut attempts = vec![Backend::Namespaces, Backend::Notify];
        assert_eq!(leave_out(&mut attempts, BackendChoice::Auto, &known).len(), 1);
        assert_eq!(attempts, [Backend::Notify]);
    }

    #[test]
    fn only_what_every_start_would_meet_is_learnt() {
        for (backend, step, errno) in [
            // Another ruleset, another view.
            (Backend::Namespaces, Step::View, libc::EPERM),
            (Backend::Namespaces, Step::Doors, libc::EACCES),
            (Backend::Namespaces, Step::NetworkUp, libc::EPERM),
            // It passes.
            (Backend::Namespaces, Step::CloneNamespaces, libc::EAGAIN),
            (Backend::Namespaces, Step::CloneNamespaces, libc::ENOMEM),
            (Backend::Notify, Step::SeccompListener, libc::EBUSY),
            // Nothing is weaker.
            (Backend::Static, Step::Seccomp, libc::EPERM),
        ] {
            assert!(
                known(&[(backend, Failure::new(step, errno))]).is_empty(),
                "{backend:?} {step:?} {errno}"
            );
        }
    }

    #[test]
    fn nothing_is_believed_that_could_not_have_been_learnt() {
        for (step, errno) in [("execve", libc::EPERM), ("clone into new namespaces", libc::EAGAIN), ("", 0)] {
            let failure = BackendFailure { backend: Backend::Namespaces, step: step.to_owned(), errno };
            let mut attempts = ALL.to_vec();
            assert_eq!(leave_out(&mut attempts, BackendChoice::Auto, &Knowledge::new(vec![failure])), []);
            assert_eq!(attempts, ALL);
        }
    }
}
