//! What a container holds, as far as its engine can be believed.

use stockade_sandbox::{Backend, Degree, Enforcement};

use super::judge::Network;
use super::start::Contained;
use crate::plan::Plan;

/// The report of a container. Full is what the command line asks of the engine and every engine gives.
/// `backend` carries the jail of the engine's own program; see [`carrier`].
pub fn enforcement(contained: &Contained, backend: Backend) -> Enforcement {
    let later = "what appears in a mounted directory after the start, such as a new `.env`";
    let by_mounts = |missing: &str| match contained.mounts {
        false => Degree::Full,
        true => {
            partial(missing, "a container's mounts are made once", "mount directories that hold no secrets")
        }
    };
    Enforcement {
        backend,
        landlock_abi: 0,
        fs: by_mounts(later),
        metadata: by_mounts(later),
        net: match contained.network {
            Network::None => Degree::Full,
            Network::Bridge => partial(
                "which hosts it reaches: names are not checked, private addresses are open, nothing is recorded",
                "the container's network is the engine's",
                "a profile without network, or the server without a container",
            ),
        },
        unix: by_mounts("sockets in mounted directories"),
        process: partial(
            "the end of the container, if the launcher is killed and the server does not end with its input",
            "containers are children of the engine, not of the launcher",
            "`docker ps --filter name=stockade-` shows what is left",
        ),
        exec: Degree::None {
            why: "a container may execute what it writes".to_owned(),
            remedy: "`--read-only` in its command line".to_owned(),
        },
        syscalls: partial(
            "system calls that the engine's filter lets through",
            "the filter is the engine's own, and wider than Stockade's",
            "an engine with a stronger runtime: `--runtime runsc`",
        ),
        limits: partial(
            "open files, the size of files and time of the processor",
            "the engine is asked for limits of processes and memory",
            "`--ulimit` and `--cpus` in its command line",
        ),
        env: Degree::Full,
        skipped_paths: Vec::new(),
    }
}

/// What carries a server's jail, in a word.
pub fn carrier(plan: &Plan, enforcement: &Enforcement) -> &'static str {
    if plan.container.is_some() { "container" } else { enforcement.backend.word() }
}

fn partial(missing: &str, why: &str, remedy: &str) -> Degree {
    Degree::Partial { missing: missing.to_owned(), why: why.to_owned(), remedy: remedy.to_owned() }
}
