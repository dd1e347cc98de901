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

/// A place that stays closed inside a wider grant. It need not exist yet: `namespaces` closes it when it appears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedPlace {
    /// Absolute, without links.
    pub path: PathBuf,
    /// To what.
    pub closed: Closed,
}

/// What a closed place is closed to, the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closed {
    /// Everything.
    Entirely,
    /// What the file holds, and writing. Where there is a mount namespace, a text that says so stands in its place: programs
    /// that look for a file of settings end when they find one that they may not read. Elsewhere, and for a directory, the
    /// same as `Entirely`.
    Contents,
    /// Writing: other programs obey what is written there.
    ForWriting,
}

/// The files of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Granted paths, as wide as they were asked for: what `namespaces` shows.
    pub wide: Vec<PathRule>,
    /// What stays closed inside of `wide`: `namespaces` masks it.
    pub closed: Vec<ClosedPlace>,
    /// The same grants without anything closed in them (the other children of a directory instead of the directory): all
    /// that backends without a mount namespace can do.
    pub narrow: Vec<PathRule>,
    /// Directories in which, and below which, those backends let names be listed although files are granted one by one.
    /// A place that is [`Closed::Entirely`] must not lie below: its names would be open.
    pub listed: Vec<PathBuf>,
    /// A directory of the server's own that `namespaces` shows as /tmp and /var/tmp.
    pub scratch: Option<PathBuf>,
}

impl Files {
    /// Grants with nothing closed in them.
    #[must_use]
    pub fn plain(grants: Vec<PathRule>) -> Self {
        Self { wide: grants.clone(), closed: Vec::new(), narrow: grants, listed: Vec::new(), scratch: None }
    }
}

/// The ways out (and in) of a tree whose network is brokered: see [`Gatekeeper`](crate::Gatekeeper).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doors {
    /// TCP ports that lead out; at most [`Doors::PORTS_MAX`]. `namespaces` listens on each inside; any other is refused
    /// at once.
    pub ports: Vec<u16>,
    /// TCP ports on which the server may be reached from the host's loopback, or [`Doors::ANY_PORT`]; at most
    /// [`Doors::LISTEN_MAX`]. In any case the tree reaches what it itself listens on.
    pub listen: Vec<u16>,
}

impl Doors {
    /// In [`Doors::listen`]: a port of the kernel's choice, for the tree itself. In `namespaces` that is in a network of its
    /// own and needs no grant; in `notify` it is on the host's loopback, where others could find it too.
    pub const ANY_PORT: u16 = 0;
    /// Two descriptors a port have to fit into one message (SCM_MAX_FD is 253).
    pub const PORTS_MAX: usize = 100;
    /// As many as any server needs.
    pub const LISTEN_MAX: usize = 16;
}

/// Unix sockets that may be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixRule {
    /// Absolute, without links.
    pub path: PathBuf,
    /// Which.
    pub reach: UnixReach,
}

/// Which sockets a [`UnixRule`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnixReach {
    /// The socket at the path.
    Socket,
    /// Every socket below the directory: the server's own, in its private directories.
    Below,
}

/// What is told to the [`Gatekeeper`](crate::Gatekeeper) beyond network and Unix sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observe {
    /// System calls that the filter refuses and no honest program makes often.
    Refused,
    /// These, and every file that is opened or executed (about 70 µs each): for diagnosis.
    Files,
}

/// The network of the whole tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// None at all: no socket but `socketpair`.
    None,
    /// Where every connection leads is asked of the [`Gatekeeper`](crate::Gatekeeper).
    Brokered(Doors),
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
    /// Processes and threads of the tree: RLIMIT_NPROC inside our own user namespace, else cgroup v2 where one can be had,
    /// else the keeper counts and kills (soft).
    pub processes: u64,
    /// RLIMIT_CPU, seconds per process; `None` for no limit.
    pub cpu_seconds: Option<u64>,
    /// Memory of the whole tree in bytes, without the page cache: cgroup v2 where one can be had, else the keeper measures
    /// and kills (soft). `None` for no limit.
    pub memory_bytes: Option<u64>,
}

/// Which mechanism carries the jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendChoice {
    /// `namespaces` where usable, else `notify`; `static` if neither is and nothing is granted that needs them.
    Auto,
    /// User, pid, network, mount and IPC namespaces under Landlock and seccomp; refuse where they can't be had.
    Namespaces,
    /// Landlock and seccomp, with a supervisor that connects on the server's behalf (seccomp user notification).
    Notify,
    /// Landlock and seccomp alone: no network and no Unix socket can be granted.
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
    pub files: Option<Files>,
    /// Network.
    pub network: Network,
    /// Unix sockets that may be connected to.
    pub unix: Vec<UnixRule>,
    /// What is told beyond that.
    pub observe: Observe,
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
