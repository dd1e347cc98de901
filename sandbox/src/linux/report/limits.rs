//! Limits of the whole tree: who holds them, and how tightly.

use crate::os::facts::Facts;
use crate::os::limits::{Held, NoCgroup, NoPlace};
use crate::{Backend, Degree, Ruleset};

/// How far the limits of the tree hold, with what its cgroup bounds or why it has none.
pub(crate) fn limits(
    facts: &Facts,
    ruleset: &Ruleset,
    backend: Backend,
    cgroup: Result<Held, NoCgroup>,
) -> Degree {
    let held = cgroup.unwrap_or_default();
    let counted = backend == Backend::Namespaces && facts.process_limit_is_per_namespace();
    let mut missing = Vec::new();
    let mut why = Vec::new();
    let mut remedies = Vec::new();
    if ruleset.limits.memory_bytes.is_some() && !held.memory {
        missing.push(
            "memory is only measured, once a second and near the limit twenty times, and the tree killed above the \
             limit; what the kernel holds in pipes and sockets is not counted",
        );
    }
    if !counted && !held.tasks {
        missing.push(
            "processes and threads are only counted, once a second and near the limit twenty times, and the tree \
             killed above the limit",
        );
        why.push(uncounted(facts, backend));
        remedies.push(match (backend, facts.uid) {
            (_, 0) => "run as an ordinary user",
            (Backend::Static | Backend::Notify, _) => "use the namespaces backend",
            (Backend::Namespaces, _) => "use Linux 5.14 or newer",
        });
    }
    if missing.is_empty() {
        return Degree::Full;
    }
    match cgroup {
        Ok(_) => why.push("the cgroups above this session lack a controller".to_owned()),
        Err(NoCgroup::NoPlace(place)) => {
            let (reason, remedy) = no_place(place);
            why.push(reason.to_owned());
            remedies.push(remedy);
        }
        Err(NoCgroup::Failed(errno)) => {
            let error = std::io::Error::from_raw_os_error(errno);
            why.push(format!("the kernel refused a cgroup of its own (Linux {}): {error}", facts.kernel));
            remedies.push("use Linux 5.7 or newer, outside of containers that refuse clone3");
        }
    }
    Degree::Partial { missing: missing.join("; "), why: why.join("; "), remedy: remedies.join("; or ") }
}

fn uncounted(facts: &Facts, backend: Backend) -> String {
    match (backend, facts.uid) {
        (Backend::Static | Backend::Notify, _) => {
            "RLIMIT_NPROC counts every process of the user outside of a user namespace".to_owned()
        }
        (Backend::Namespaces, 0) => "the kernel exempts root from RLIMIT_NPROC".to_owned(),
        (Backend::Namespaces, _) => {
            format!("RLIMIT_NPROC counts every process of the user (Linux {})", facts.kernel)
        }
    }
}

/// Why, and what to do.
fn no_place(place: NoPlace) -> (&'static str, &'static str) {
    match place {
        NoPlace::NotMounted => (
            "cgroup version 2 is not mounted here",
            "boot with cgroup version 2 (systemd.unified_cgroup_hierarchy=1)",
        ),
        NoPlace::NoController => (
            "cgroup version 2 has no memory controller here",
            "boot with cgroup version 2 alone (systemd.unified_cgroup_hierarchy=1, and on some boards cgroup_enable=memory)",
        ),
        NoPlace::NotOurs => (
            "no cgroup above this session belongs to its user",
            "start the AI client below the user's systemd: systemd-run --user --scope CLIENT",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, ruleset};
    use super::*;
    use crate::Limits;

    const NOWHERE: Result<Held, NoCgroup> = Err(NoCgroup::NoPlace(NoPlace::NotOurs));

    fn with_memory() -> Ruleset {
        let plain = ruleset();
        Ruleset { limits: Limits { memory_bytes: Some(1 << 30), ..plain.limits }, ..plain }
    }

    #[test]
    fn a_cgroup_makes_every_limit_full() {
        let held = Held { memory: true, tasks: true };
        for backend in [Backend::Namespaces, Backend::Notify, Backend::Static] {
            assert_eq!(limits(&facts(Ok(7)), &with_memory(), backend, Ok(held)), Degree::Full);
        }
        // Where the kernel counts the processes itself it need not.
        let memory = Held { memory: true, tasks: false };
        assert_eq!(limits(&facts(Ok(7)), &with_memory(), Backend::Namespaces, Ok(memory)), Degree::Full);
        let partial = limits(&facts(Ok(7)), &with_memory(), Backend::Notify, Ok(memory));
        assert!(matches!(partial, Degree::Partial { missing, .. } if !missing.contains("memory")));
    }

    #[test]
    fn a_memory_limit_without_a_cgroup_is_partial_and_says_why() {
        for (cgroup, word, hint) in [
            (NOWHERE, "belongs to its user", "systemd-run --user"),
            (Err(NoCgroup::NoPlace(NoPlace::NotMounted)), "not mounted", "unified"),
            (Err(NoCgroup::NoPlace(NoPlace::NoController)), "no memory controller", "cgroup_enable"),
            (Err(NoCgroup::Failed(libc::EPERM)), "Operation not permitted", "clone3"),
        ] {
            let degree = limits(&facts(Ok(7)), &with_memory(), Backend::Namespaces, cgroup);
            let Degree::Partial { missing, why, remedy } = degree else { panic!("not partial") };
            assert!(missing.contains("memory") && !missing.contains("processes"), "{missing}");
            assert!(why.contains(word), "{why}");
            assert!(remedy.contains(hint), "{remedy}");
        }
    }

    #[test]
    fn no_memory_limit_misses_nothing() {
        assert_eq!(limits(&facts(Ok(7)), &ruleset(), Backend::Namespaces, NOWHERE), Degree::Full);
        let degree = limits(&facts(Ok(7)), &ruleset(), Backend::Static, NOWHERE);
        assert!(matches!(degree, Degree::Partial { missing, .. } if !missing.contains("memory")));
    }
}
