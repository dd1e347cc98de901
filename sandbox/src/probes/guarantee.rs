//! What is promised, and by what it is kept.

use crate::{Degree, Enforcement};

/// A promise of the jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guarantee {
    /// Files outside of the grants.
    Files,
    /// Modes, owners, times, attributes and the existence of files outside of the grants.
    Metadata,
    /// Network.
    Network,
    /// Unix sockets.
    UnixSockets,
    /// Other processes.
    Processes,
    /// Environment and inherited descriptors.
    Environment,
    /// Kernel surface.
    Surface,
    /// Limits.
    Limits,
    /// The end of the tree.
    Tree,
    /// Native code from writable places.
    NativeCode,
}

impl Guarantee {
    /// In the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Files,
        Self::Metadata,
        Self::Network,
        Self::UnixSockets,
        Self::Processes,
        Self::Environment,
        Self::Surface,
        Self::Limits,
        Self::Tree,
        Self::NativeCode,
    ];

    /// What the ids of its probes begin with.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Files => "G1",
            Self::Metadata => "G1m",
            Self::Network => "G2",
            Self::UnixSockets => "G3",
            Self::Processes => "G4",
            Self::Environment => "G5",
            Self::Surface => "G6",
            Self::Limits => "G7",
            Self::Tree => "G8",
            Self::NativeCode => "G9",
        }
    }

    /// As shown.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Files => "files outside of the grants",
            Self::Metadata => "metadata of such files",
            Self::Network => "network",
            Self::UnixSockets => "Unix sockets",
            Self::Processes => "other processes",
            Self::Environment => "environment and inherited files",
            Self::Surface => "kernel surface",
            Self::Limits => "limits",
            Self::Tree => "the end of the tree",
            Self::NativeCode => "native code from writable places",
        }
    }

    /// How far a jail says that it holds.
    #[must_use]
    pub fn degree(self, enforcement: &Enforcement) -> &Degree {
        match self {
            Self::Files => &enforcement.fs,
            Self::Metadata => &enforcement.metadata,
            Self::Network => &enforcement.net,
            Self::UnixSockets => &enforcement.unix,
            Self::Processes | Self::Tree => &enforcement.process,
            Self::Environment => &enforcement.env,
            Self::Surface => &enforcement.syscalls,
            Self::Limits => &enforcement.limits,
            Self::NativeCode => &enforcement.exec,
        }
    }
}

/// What stops a probe. Several: each backend has its own, or one stands behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// A right of Landlock that was not granted, or its domain around ptrace, signals and abstract sockets.
    Landlock,
    /// A rule of the system call filter.
    Seccomp,
    /// The supervisor that answers the filter's questions.
    Supervisor,
    /// The private, mostly read-only view of the file tree.
    View,
    /// A pid namespace of its own.
    PidNamespace,
    /// A network namespace of its own.
    NetNamespace,
    /// An IPC namespace of its own.
    IpcNamespace,
    /// A resource limit of the kernel's.
    Rlimit,
    /// The keeper, which counts and kills.
    Keeper,
    /// A session of its own, an environment and descriptors made from nothing.
    Hygiene,
    /// Capabilities and no_new_privs.
    Privileges,
}

impl Control {
    /// As shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Landlock => "Landlock",
            Self::Seccomp => "seccomp",
            Self::Supervisor => "supervisor",
            Self::View => "view",
            Self::PidNamespace => "pid namespace",
            Self::NetNamespace => "network namespace",
            Self::IpcNamespace => "IPC namespace",
            Self::Rlimit => "rlimit",
            Self::Keeper => "keeper",
            Self::Hygiene => "hygiene",
            Self::Privileges => "privileges",
        }
    }
}
