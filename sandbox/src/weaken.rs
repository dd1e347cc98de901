//! Controls that a test takes out of a jail, one after another, to see that the probes notice: a probe that stays stopped
//! without its control was never stopped by it.
//!
//! Nothing can be taken out of what is shipped: there, [`is_off`] is `false` for every control, and the feature that lets a
//! test say otherwise doesn't compile without debug assertions.

#[cfg(all(feature = "weaken", not(debug_assertions)))]
compile_error!("the feature `weaken` switches protections off, and is for tests alone");

/// A control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// Landlock, as on a kernel without it.
    Landlock,
    /// What Landlock has learnt after this version of its interface.
    LandlockAfter(u32),
    /// The filter's rule about the system call of this number.
    Call(u32),
    /// The closing of inherited descriptors.
    Descriptors,
    /// Resource limits.
    Limits,
    /// The private view of the file tree.
    View,
    /// The IPC namespace.
    IpcNamespace,
    /// The giving up of capabilities.
    Capabilities,
}

/// Whether a control has been taken out.
#[cfg(not(feature = "weaken"))]
pub(crate) const fn is_off(_control: Weakness) -> bool {
    false
}

#[cfg(feature = "weaken")]
static OFF: std::sync::OnceLock<Vec<Weakness>> = std::sync::OnceLock::new();

/// Whether a control has been taken out.
#[cfg(feature = "weaken")]
pub(crate) fn is_off(control: Weakness) -> bool {
    OFF.get().is_some_and(|off| off.contains(&control))
}

/// Takes controls out of every jail that this process makes from now on; once.
#[cfg(feature = "weaken")]
pub(crate) fn take_out(controls: Vec<Weakness>) {
    // A second list would be ignored, so that a test which gives one finds its probes stopped, and fails.
    let _ = OFF.set(controls);
}
