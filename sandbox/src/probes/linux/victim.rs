//! A process of the same user that has a secret in its environment, its memory, its command line and an open file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

/// Where its secret is.
pub(super) const VARIABLE: &str = "STOCKADE_PROVE_SECRET";
/// What it holds open.
pub(super) const FILE: &str = "STOCKADE_PROVE_FILE";
/// What a copied tool exits with.
pub(super) const TOOL_EXIT: u8 = super::tiny_elf::EXIT as u8;

/// Tells where it keeps things, and waits for the end of its stdin.
pub(super) fn suffer() -> u8 {
    match suffered() {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn suffered() -> io::Result<()> {
    let missing = |_| io::Error::from(io::ErrorKind::NotFound);
    let secret = std::env::var(VARIABLE).map_err(missing)?.into_bytes();
    let file = File::open(std::env::var_os(FILE).ok_or(io::ErrorKind::NotFound)?)?;
    // Waiting to be read by others is the point: not even the compiler may forget what is in it.
    let secret = std::hint::black_box(secret);
    let pid = std::process::id();
    let mut stdout = io::stdout();
    writeln!(stdout, "{pid} {} {} {}", super::sys::address(&secret), file.as_raw_fd(), secret.len())?;
    stdout.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    std::hint::black_box(&secret);
    Ok(())
}

/// What an attacker may have changed about a process, as the rest of the system sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Dead, stopped, traced, or none of these.
    pub(super) life: &'static str,
    nice: String,
    policy: String,
    cpus: String,
    limits: String,
    score: String,
    name: String,
    io: i64,
    memory: Vec<u8>,
}

impl Condition {
    /// Of the process with this secret at this address.
    pub(super) fn of(pid: i32, address: u64, length: usize) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let stat = read("stat");
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_ascii_whitespace().collect())
            .unwrap_or_default();
        let field = |index: usize| fields.get(index).copied().unwrap_or("").to_owned();
        let status = read("status");
        let line = |name: &str| {
            let found = status.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap_or("").trim().to_owned()
        };
        let life = match (fields.first().copied(), line("TracerPid:").as_str()) {
            (None | Some("Z" | "X"), _) => "dead",
            (Some("T"), _) => "stopped",
            (_, "0") => "alive",
            _ => "traced",
        };
        Self {
            life,
            nice: field(16),
            policy: field(38),
            cpus: line("Cpus_allowed_list:"),
            limits: read("limits"),
            score: read("oom_score_adj"),
            name: read("comm"),
            io: io_priority(pid),
            memory: memory(pid, address, length),
        }
    }

    /// What is different, if anything.
    pub(super) fn difference(&self, after: &Self) -> Option<String> {
        let pairs = [
            ("state", self.life, after.life),
            ("nice value", &self.nice, &after.nice),
            ("scheduling policy", &self.policy, &after.policy),
            ("CPUs", &self.cpus, &after.cpus),
            ("out-of-memory score", &self.score, &after.score),
            ("name", &self.name, &after.name),
        ];
        for (what, before, after) in pairs {
            if before != after {
                return Some(format!("the victim's {what}: {} instead of {}", after.trim(), before.trim()));
            }
        }
        if self.limits != after.limits {
            return Some("the victim's limits were changed".to_owned());
        }
        if self.io != after.io {
            return Some("the victim's I/O priority was changed".to_owned());
        }
        (self.memory != after.memory).then(|| "the victim's memory was changed".to_owned())
    }
}

fn io_priority(pid: i32) -> i64 {
    const WHO_PROCESS: i64 = 1;
    let who = [super::sys::Arg::Int(WHO_PROCESS), super::sys::Arg::Int(i64::from(pid))];
    super::sys::call(libc::SYS_ioprio_get, who).unwrap_or(-1)
}

fn memory(pid: i32, address: u64, length: usize) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; length];
    let read =
        File::open(format!("/proc/{pid}/mem")).and_then(|file| file.read_exact_at(&mut bytes, address));
    if read.is_ok() { bytes } else { Vec::new() }
}
