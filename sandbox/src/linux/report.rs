//! What a jail enforces, worked out from facts alone and said in words: what is missing, why, and what helps.

use super::facts::Facts;
use super::known::Found;
use super::limits::{NoCgroup, NoPlace};
use super::step::{Failure, Step};
use crate::{Backend, Degree, Enforcement, Need, Network, PathRule, Required, Ruleset, SpawnError, TreeEnd};

pub(crate) use limits::limits;

/// Why `namespaces` was not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FellBack {
    pub(crate) failure: Failure,
    pub(crate) found: Found,
}

/// What `backend` enforces on this host under `ruleset`. `fell_back` says why `namespaces` was not to be had.
pub(crate) fn enforcement(
    facts: &Facts,
    ruleset: &Ruleset,
    backend: Backend,
    fell_back: Option<FellBack>,
) -> Enforcement {
    let case = Case { facts, ruleset, backend, fell_back };
    Enforcement {
        backend,
        landlock_abi: facts.landlock_abi(),
        fs: case.files(),
        metadata: case.metadata(),
        net: case.network(),
        unix: case.unix_sockets(),
        process: case.processes(),
        exec: case.native_code(),
        syscalls: case.system_calls(),
        limits: limits(facts, ruleset, backend, Err(NoCgroup::NoPlace(NoPlace::NotOurs))),
        env: case.environment(),
        skipped_paths: Vec::new(),
    }
}

/// What no jail at all enforces, for a backend that can't be had.
pub(crate) fn nothing(facts: &Facts, backend: Backend, failure: Failure) -> Enforcement {
    let why = namespaces_refused(facts, failure);
    let none = || Degree::None { why: why.clone(), remedy: namespaces_remedy(failure) };
    Enforcement {
        backend,
        landlock_abi: facts.landlock_abi(),
        fs: none(),
        metadata: none(),
        net: none(),
        unix: none(),
        process: none(),
        exec: none(),
        syscalls: none(),
        limits: none(),
        env: none(),
        skipped_paths: Vec::new(),
    }
}

/// What is seen of refused system calls: nothing without a listener, which `static` never has.
pub(crate) fn listener(enforcement: &mut Enforcement, present: bool) {
    if present || enforcement.backend == Backend::Static || enforcement.syscalls != Degree::Full {
        return;
    }
    enforcement.syscalls = Degree::Partial {
        missing: "nothing passes, but which calls are refused can't be seen".to_owned(),
        why: "the system call filter has no listener: whatever Stockade itself runs in listens already, or the kernel \
              is older than Linux 5.0"
            .to_owned(),
        remedy: "run Stockade outside of other sandboxes, on Linux 5.0 or newer".to_owned(),
    };
}

/// Whether a backend can carry what the ruleset grants at all.
pub(crate) fn carries(ruleset: &Ruleset, backend: Backend) -> Result<(), SpawnError> {
    let brokered = matches!(ruleset.network, Network::Brokered(_));
    if backend == Backend::Static && (brokered || !ruleset.unix.is_empty()) {
        return Err(SpawnError::NotEnforceable {
            guarantee: "network",
            why: "the static backend can grant no network and no Unix socket".to_owned(),
            remedy: "use namespaces or notify, or grant none".to_owned(),
        });
    }
    Ok(())
}

/// Whether everything that must be full is full.
pub(crate) fn check(enforcement: &Enforcement, required: Required) -> Result<(), SpawnError> {
    let guarantees = [
        ("files", &enforcement.fs, required.fs),
        ("network", &enforcement.net, required.net),
        ("process tree", &enforcement.process, required.process),
    ];
    for (guarantee, degree, need) in guarantees {
        let (why, remedy) = match (need, degree) {
            (Need::BestEffort, _) | (Need::Full, Degree::Full) => continue,
            (Need::Full, Degree::Partial { missing, why, remedy }) => {
                (format!("{why}; {missing}"), remedy.clone())
            }
            (Need::Full, Degree::None { why, remedy }) => (why.clone(), remedy.clone()),
        };
        return Err(SpawnError::NotEnforceable { guarantee, why, remedy });
    }
    Ok(())
}

/// Without a filter nothing of the network, the Unix sockets and the kernel's surface is closed.
pub(crate) fn no_seccomp(facts: &Facts) -> SpawnError {
    let (why, remedy) = seccomp_missing(facts);
    SpawnError::NotEnforceable { guarantee: "network", why, remedy }
}

fn seccomp_missing(facts: &Facts) -> (String, String) {
    let why = format!("seccomp filters are not available (Linux {})", facts.kernel);
    let remedy = "use a kernel built with CONFIG_SECCOMP_FILTER, Linux 4.14 or newer, and a container engine that \
                  lets seccomp(2) through";
    (why, remedy.to_owned())
}

/// `namespaces` was asked for by name, or is the only backend that would do, and a step of it failed.
pub(crate) fn no_namespaces(facts: &Facts, failure: Failure) -> SpawnError {
    SpawnError::NotEnforceable {
        guarantee: "process tree",
        why: namespaces_refused(facts, failure),
        remedy: namespaces_remedy(failure),
    }
}

/// Why `namespaces` can't be had here.
pub(crate) fn namespaces_refused(facts: &Facts, failure: Failure) -> String {
    format!("namespaces are not usable (Linux {}): {}", facts.kernel, failure.text())
}

fn namespaces_remedy(failure: Failure) -> String {
    match failure.step {
        Step::MountProc | Step::MountPrivate => {
            "inside a container parts of /proc are masked: run outside of it, or start it with \
             --security-opt systempaths=unconfined; on Ubuntu 23.10 and newer AppArmor may refuse the \
             mount: allow it for this program, or set kernel.apparmor_restrict_unprivileged_userns=0"
        }
        _ => {
            "allow unprivileged user namespaces: user.max_user_namespaces above 0, \
             kernel.unprivileged_userns_clone=1 (Debian), \
             kernel.apparmor_restrict_unprivileged_userns=0 or an AppArmor profile for this program (Ubuntu), \
             and a container engine that lets clone(CLONE_NEWUSER) through"
        }
    }
    .to_owned()
}

/// One jail on one host.
#[derive(Clone, Copy)]
struct Case<'a> {
    facts: &'a Facts,
    ruleset: &'a Ruleset,
    backend: Backend,
    fell_back: Option<FellBack>,
}

impl Case<'_> {
    /// `Landlock ABI 3 (Linux 6.2.0)`
    fn landlock(&self) -> String {
        let kernel = &self.facts.kernel;
        match self.facts.landlock {
            Ok(abi) => format!("Landlock ABI {abi} (Linux {kernel})"),
            Err(libc::EOPNOTSUPP) => format!("Landlock is off at boot (Linux {kernel})"),
            Err(libc::ENOSYS) => format!("this kernel has no Landlock (Linux {kernel})"),
            Err(errno) => {
                let error = std::io::Error::from_raw_os_error(errno);
                format!("Landlock is not available (Linux {kernel}): {error}")
            }
        }
    }

    fn landlock_remedy(&self) -> String {
        match self.facts.landlock {
            Err(libc::EOPNOTSUPP) => "add landlock to the lsm= list of the kernel command line",
            _ => "use Linux 6.2 or newer with CONFIG_SECURITY_LANDLOCK",
        }
        .to_owned()
    }

    fn files(&self) -> Degree {
        if self.ruleset.files.is_none() {
            return Degree::None {
                why: "the ruleset leaves every file open".to_owned(),
                remedy: "give it a list of granted paths".to_owned(),
            };
        }
        match self.facts.landlock_abi() {
            // The private view shows nothing else, and what may not be written is mounted read-only.
            0 if self.backend == Backend::Namespaces => Degree::Full,
            0 => Degree::None { why: self.landlock(), remedy: self.landlock_remedy() },
            1 if self.backend != Backend::Namespaces => Degree::Partial {
                missing: "truncation is closed by the system call filter alone".to_owned(),
                why: self.landlock(),
                remedy: self.landlock_remedy(),
            },
            // Below ABI 3 truncation is closed by the filter, completely: see `system_calls`.
            _ => Degree::Full,
        }
    }

    fn metadata(&self) -> Degree {
        match self.files() {
            none @ Degree::None { .. } => none,
            _ if self.backend == Backend::Namespaces => Degree::Full,
            _ => Degree::Partial {
                missing: "whether a file exists, its size, owner and times can be seen, it can be watched, and the \
                          mode, times and extended attributes of the user's own files can be changed"
                    .to_owned(),
                why: format!("{} has no right for metadata", self.landlock()),
                remedy: "use the namespaces backend".to_owned(),
            },
        }
    }

    fn network(&self) -> Degree {
        match self.ruleset.network {
            Network::None | Network::Brokered(_) => self.filtered(),
            Network::DangerousHost => hosts_network(),
        }
    }

    fn unix_sockets(&self) -> Degree {
        // The filter refuses every socket but connected pairs, whatever Landlock's ABI.
        self.network()
    }

    /// What the system call filter gives.
    fn filtered(&self) -> Degree {
        if self.facts.seccomp {
            return Degree::Full;
        }
        let (why, remedy) = seccomp_missing(self.facts);
        Degree::None { why, remedy }
    }

    fn processes(&self) -> Degree {
        if self.ruleset.tree_end == TreeEnd::DangerousLeave {
            return Degree::None {
                why: "the ruleset leaves processes alone that the server leaves behind".to_owned(),
                remedy: "let the tree be killed at the end".to_owned(),
            };
        }
        if self.backend == Backend::Namespaces {
            return Degree::Full;
        }
        let mut missing = vec![
            "what the server has started survives when launcher and keeper are killed at the same moment",
            "the scheduling of the user's other processes can be changed",
            "names and addresses of the host's network interfaces can be read",
        ];
        if grants_proc(self.ruleset.files.as_ref().map(|files| files.narrow.as_slice())) {
            missing.push(
                "which other processes there are, their names and command lines, and the host's connections can be read \
                 in /proc",
            );
        }
        if self.facts.landlock_abi() == 0 {
            missing.push("the user's other processes can be looked into through /proc (Landlock stops that)");
        }
        if self.facts.landlock_abi() < 6 {
            missing.push("the user's other processes can be sent signals (Landlock ABI 6 stops that)");
        }
        let (why, remedy) = match self.fell_back {
            Some(FellBack { failure, found: Found::Now }) => {
                (namespaces_refused(self.facts, failure), namespaces_remedy(failure))
            }
            Some(FellBack { failure, found: Found::Before }) => (
                format!("{} (found at an earlier start)", namespaces_refused(self.facts, failure)),
                format!(
                    "{}; if that has changed since, `stockade doctor` looks again",
                    namespaces_remedy(failure)
                ),
            ),
            None => (
                format!("the {} backend has no pid namespace", self.backend.word()),
                "use the namespaces backend".to_owned(),
            ),
        };
        Degree::Partial { missing: missing.join("; "), why, remedy }
    }

    fn environment(&self) -> Degree {
        if self.backend == Backend::Namespaces || self.facts.landlock_abi() > 0 {
            return Degree::Full;
        }
        Degree::Partial {
            missing: "the environment of whoever started the server can be read in /proc".to_owned(),
            why: self.landlock(),
            remedy: self.landlock_remedy(),
        }
    }

    fn native_code(&self) -> Degree {
        let landlock = self.files();
        match (landlock, self.backend) {
            (none @ Degree::None { .. }, _) => none,
            // Mounts that can be written to are noexec, and memfd_create gives no file that can be executed.
            (_, Backend::Namespaces) => Degree::Full,
            (_, Backend::Notify | Backend::Static) => Degree::Partial {
                missing: "a file that the server wrote runs through the loader (ld.so FILE), as a library (dlopen, \
                          LD_PRELOAD, LD_LIBRARY_PATH) or mapped executable"
                    .to_owned(),
                why: format!("{} asks about execution in execve alone", self.landlock()),
                remedy: "use the namespaces backend".to_owned(),
            },
        }
    }

    fn system_calls(&self) -> Degree {
        match (self.facts.landlock_abi(), &self.ruleset.files) {
            (1 | 2, Some(_)) => Degree::Partial {
                missing: "nothing passes, but truncate(2) is refused in granted paths too".to_owned(),
                why: format!("{} has no right for truncation", self.landlock()),
                remedy: "use Linux 6.2 or newer".to_owned(),
            },
            _ => self.filtered(),
        }
    }
}

fn hosts_network() -> Degree {
    Degree::None {
        why: "the ruleset asks for the host's network".to_owned(),
        remedy: "ask for no network".to_owned(),
    }
}

/// Whether a grant covers or lies in /proc.
fn grants_proc(paths: Option<&[PathRule]>) -> bool {
    paths.is_none_or(|rules| {
        rules.iter().any(|rule| rule.path.starts_with("/proc") || rule.path.as_os_str() == "/")
    })
}

mod limits;
#[cfg(test)]
mod tests;
