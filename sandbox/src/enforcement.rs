//! What was really enforced, in words that can be shown and matched on.

/// How far one guarantee holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Degree {
    /// As promised.
    Full,
    /// Parts are missing.
    Partial {
        /// What passes.
        missing: String,
        /// Why, with the kernel version or setting.
        why: String,
        /// What to do about it.
        remedy: String,
    },
    /// Not at all.
    None {
        /// Why.
        why: String,
        /// What to do about it.
        remedy: String,
    },
}

/// The mechanism that carries the jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// User, pid, network, mount and IPC namespaces, Landlock, seccomp.
    Namespaces,
    /// Landlock, seccomp, and a supervisor that acts on seccomp user notifications.
    Notify,
    /// Landlock and seccomp.
    Static,
}

impl Backend {
    /// The word used in events and reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Notify => "notify",
            Self::Static => "static",
        }
    }

    /// The backend of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Namespaces, Self::Notify, Self::Static].into_iter().find(|backend| backend.word() == word)
    }
}

/// The report of one jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforcement {
    /// The mechanism.
    pub backend: Backend,
    /// Landlock ABI in force (0: none).
    pub landlock_abi: u32,
    /// Files outside of the grants: what is in them, and which there are in a directory.
    pub fs: Degree,
    /// Their modes, owners, times and attributes, and whether a path exists.
    pub metadata: Degree,
    /// Network.
    pub net: Degree,
    /// Unix sockets.
    pub unix: Degree,
    /// Other processes, and the end of the tree.
    pub process: Degree,
    /// Native code from writable places.
    pub exec: Degree,
    /// Kernel surface.
    pub syscalls: Degree,
    /// Limits.
    pub limits: Degree,
    /// Environment and inherited file descriptors.
    pub env: Degree,
    /// Granted paths that do not exist and were skipped.
    pub skipped_paths: Vec<std::path::PathBuf>,
}

impl Enforcement {
    /// Guarantees by name, in the order in which they are shown.
    #[must_use]
    pub fn guarantees(&self) -> [(&'static str, &Degree); 9] {
        [
            ("fs", &self.fs),
            ("metadata", &self.metadata),
            ("net", &self.net),
            ("unix", &self.unix),
            ("process", &self.process),
            ("exec", &self.exec),
            ("syscalls", &self.syscalls),
            ("limits", &self.limits),
            ("env", &self.env),
        ]
    }
}
