//! What earlier starts found out about this host's backends, kept until the next boot: a host that forbids user namespaces
//! need not be asked again at every start.
//!
//! Only failures are kept, and only for the situation in which they happened: another boot, container, user, executable
//! or setting is another key, for which nothing is known. The file lies in the state directory, which no server can reach.
//! Whoever can write it is the user himself, and could at worst make a start choose a weaker backend, which the start
//! then says; what a profile requires is required all the same.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stockade_sandbox::{Backend, BackendFailure, Knowledge};

/// Its name in the state directory.
const NAME: &str = "backends.json";
/// Raised when the meaning of a field changes: other versions are not believed.
const VERSION: u32 = 1;
const BYTES_MAX: u64 = 64 << 10;

/// What is known, and where it is kept.
#[derive(Debug)]
pub struct BackendMemory {
    path: PathBuf,
    known: Knowledge,
}

/// The situation in which something was found out: names of facts with what they were, `None` for what isn't there.
type Key = BTreeMap<String, Option<String>>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    situation: Key,
    failures: Vec<KeptFailure>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptFailure {
    backend: String,
    step: String,
    errno: i32,
}

impl BackendMemory {
    /// What is known in this situation: nothing, if the file can't be read, is torn, or isn't the user's alone.
    pub fn open(state_dir: &Path) -> Self {
        Self::open_in(state_dir, situation)
    }

    /// On a host that carries everything there is no file, and its situation is not asked for.
    fn open_in(state_dir: &Path, situation: impl FnOnce() -> Option<Key>) -> Self {
        let path = state_dir.join(NAME);
        let kept = read(&path).filter(|kept| situation().is_some_and(|now| kept.situation == now));
        let known = Knowledge::new(kept.map_or_else(Vec::new, believed));
        Self { path, known }
    }

    /// What a start may leave out.
    pub fn known(&self) -> &Knowledge {
        &self.known
    }

    /// Keeps what a start has found out, if it is something new; what succeeds is not worth a file. A host without room for
    /// it is asked again next time.
    pub fn keep(&self, learnt: &Knowledge) {
        if !learnt.is_empty() && *learnt != self.known {
            let _ = self.write(learnt, situation());
        }
    }

    /// Whatever was known: this is how it is. `doctor` has asked the host itself.
    pub fn replace(&self, found: &Knowledge) {
        if found.is_empty() {
            let _ = fs::remove_file(&self.path);
        } else {
            let _ = self.write(found, situation());
        }
    }

    /// Nothing, if this boot can't be told from another one.
    fn write(&self, learnt: &Knowledge, situation: Option<Key>) -> io::Result<()> {
        let Some(situation) = situation else { return Ok(()) };
        let failure = |failure: &BackendFailure| KeptFailure {
            backend: failure.backend.word().to_owned(),
            step: failure.step.clone(),
            errno: failure.errno,
        };
        let failures = learnt.failures().iter().map(failure).collect();
        let text = serde_json::to_vec(&Kept { version: VERSION, situation, failures })?;
        // Several launchers may start at once: each writes a file of its own, and the last one counts.
        let own = self.path.with_extension(format!("{}.new", std::process::id()));
        // What a launcher of our number left there when it was killed.
        let _ = fs::remove_file(&own);
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&own);
        let written = created.and_then(|mut file| file.write_all(&text));
        written.and_then(|()| fs::rename(&own, &self.path)).inspect_err(|_| {
            let _ = fs::remove_file(&own);
        })
    }
}

fn read(path: &Path) -> Option<Kept> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let facts = file.metadata().ok()?;
    let is_ours = facts.uid() == nix::unistd::geteuid().as_raw() && facts.mode() & 0o022 == 0;
    if !facts.is_file() || !is_ours || facts.len() > BYTES_MAX {
        return None;
    }
    let mut text = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice::<Kept>(&text).ok().filter(|kept| kept.version == VERSION)
}

/// The fence looks once more whether each could have been learnt.
fn believed(kept: Kept) -> Vec<BackendFailure> {
    let failures = kept.failures.into_iter();
    failures
        .filter_map(|failure| {
            let backend = Backend::named(&failure.backend)?;
            Some(BackendFailure { backend, step: failure.step, errno: failure.errno })
        })
        .collect()
}

/// Settings by which a host forbids namespaces, and which can be changed while it runs.
const SETTINGS: &[&str] = &[
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/user/max_mnt_namespaces",
    "/proc/sys/user/max_net_namespaces",
    "/proc/sys/user/max_pid_namespaces",
    "/proc/sys/user/max_ipc_namespaces",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/kernel/yama/ptrace_scope",
    "/proc/self/attr/current",
];
const NAMESPACES: &[&str] = &["user", "mnt", "pid", "net", "ipc", "cgroup"];
/// Of /proc/self/status: who we are to the kernel, and how many filters stand over us.
const STATUS: &[&str] = &["Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Seccomp_filters"];

/// Everything that decides whether a backend can be had here. `None` without the boot, which makes all of it hold.
fn situation() -> Option<Key> {
    let text = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let boot = text("/proc/sys/kernel/random/boot_id").filter(|id| !id.is_empty())?;
    let mut key = Key::from([("boot".to_owned(), Some(boot))]);
    let mut add = |name: &str, fact: Option<String>| key.insert(name.to_owned(), fact);
    add("kernel", text("/proc/sys/kernel/osrelease"));
    for path in SETTINGS {
        add(path, text(path));
    }
    for name in NAMESPACES {
        let link = fs::read_link(format!("/proc/self/ns/{name}"));
        add(name, link.ok().map(|link| link.to_string_lossy().into_owned()));
    }
    let status = text("/proc/self/status").unwrap_or_else(String::new);
    let field = |name: &str| {
        status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
    };
    for name in STATUS {
        add(name, field(name));
    }
    // Filters can't be told apart, but whoever starts a service or a container under one gives it a cgroup too.
    if field("Seccomp").as_deref() != Some("0") {
        add("cgroups", text("/proc/self/cgroup"));
    }
    // A process in a chroot can make no user namespace.
    add("root", File::open("/").and_then(|root| root.metadata()).ok().map(|root| place(&root)));
    // Security modules go by the executable.
    let executable = std::env::current_exe().ok();
    add("path", executable.map(|path| path.to_string_lossy().into_owned()));
    add("executable", fs::metadata("/proc/self/exe").ok().map(|facts| identity(&facts)));
    Some(key)
}

fn place(facts: &fs::Metadata) -> String {
    format!("{}:{}", facts.dev(), facts.ino())
}

fn identity(facts: &fs::Metadata) -> String {
    let (seconds, nanoseconds) = (facts.ctime(), facts.ctime_nsec());
    format!("{} {} bytes, changed {seconds}.{nanoseconds:09}", place(facts), facts.len())
}

#[cfg(test)]
mod tests;
