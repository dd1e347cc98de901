//! What a host can enforce, for `doctor`.

use crate::{Enforcement, Knowledge};

/// What this host can enforce, found out by doing (a throw-away child), not by reading settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReport {
    /// `6.18.44`
    pub kernel: String,
    /// Landlock ABI of the kernel, 0 for none; the reason for none stands in `enforcement.fs`.
    pub landlock_abi: u32,
    /// Seccomp filters can be installed.
    pub seccomp: bool,
    /// User, pid, network, mount and IPC namespaces with a fresh /proc can be made; else the step that failed and why.
    pub namespaces: Result<(), String>,
    /// What starts may leave out: see [`Knowledge`].
    pub knowledge: Knowledge,
    /// Yama's ptrace_scope, if there is Yama.
    pub yama: Option<u8>,
    /// What a jail with nothing granted would enforce under the choice that was asked about.
    pub enforcement: Enforcement,
}
