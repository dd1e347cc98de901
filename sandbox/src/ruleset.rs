//! Grants as plain data: what the kernel is told.

use std::ffi::OsString;
use std::path::PathBuf;

/// What may be done below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Read files, list directories.
    Read,
    /// Read, list, execute.
    ReadExecute,
    /// Read, list, create, write, truncate, rename, link, remove. Never execute.
    ReadWrite,
}

/// One granted path; a path that is missing, or a link, is skipped and reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// Absolute and canonical. Links are not followed: a path with a symbolic link anywhere in it is skipped and
    /// reported, since what it leads to may have changed after the caller's look at it.
    pub path: PathBuf,
    /// What.
    pub access: Access,
}

/// The network of the whole tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// None at all: no socket but `socketpair`.
    None,
    /// The host's, unfiltered. Nothing but `demo --without net` asks for this.
    DangerousHost,
}

/// Limits on every process of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// RLIMIT_NOFILE
    pub open_files: u64,
    /// RLIMIT_FSIZE, bytes
    pub file_bytes: u64,
    /// Processes and threads of the tree: RLIMIT_NPROC inside our own user namespace; in `static` the keeper counts
    /// and kills (soft).
    pub processes: u64,
    /// RLIMIT_CPU, seconds per process; `None` for no limit.
    pub cpu_seconds: Option<u64>,
}

/// Which mechanism carries the jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendChoice {
    /// `namespaces` where usable, else `static`.
    Auto,
    /// User, pid, network, mount and IPC namespaces under Landlock and seccomp; refuse where they can't be had.
    Namespaces,
    /// Landlock and seccomp alone.
    Static,
}

/// How much of a guarantee the start insists on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Less than full stops the start.
    Full,
    /// What is missing is reported.
    BestEffort,
}

/// Which guarantees must be full for the start to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Required {
    /// Files.
    pub fs: Need,
    /// Network.
    pub net: Need,
    /// Other processes and the end of the tree.
    pub process: Need,
}

/// What happens to the processes that a server leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeEnd {
    /// Killed and reaped.
    Kill,
    /// Left alone: `demo --without tree` only.
    DangerousLeave,
}

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Absolute path of the executable.
    pub program: PathBuf,
    /// argv, argv[0] included.
    pub argv: Vec<OsString>,
    /// Working directory inside the jail.
    pub cwd: PathBuf,
}

/// Everything that one jail is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    /// Granted paths; `None` is no file-system fence at all (`demo --without fs` only).
    pub paths: Option<Vec<PathRule>>,
    /// Network.
    pub network: Network,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Limits.
    pub limits: Limits,
    /// Which mechanism.
    pub backend: BackendChoice,
    /// What must be full.
    pub required: Required,
    /// What happens to what the server leaves behind.
    pub tree_end: TreeEnd,
}
