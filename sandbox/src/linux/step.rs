//! The steps of building a jail, each small enough to travel from process to process as one byte.

use std::io;

use crate::SpawnError;

/// A step that can fail.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    ReadProc,
    Pipe,
    Socket,
    Fork,
    Setsid,
    Signals,
    DevNull,
    CloseFds,
    Subreaper,
    CloneNamespaces,
    Setgroups,
    UidMap,
    GidMap,
    DeathSignal,
    MountPrivate,
    MountProc,
    Capabilities,
    ForkServer,
    Stdio,
    Limits,
    Chdir,
    NoNewPrivs,
    LandlockRuleset,
    LandlockRule,
    LandlockRestrict,
    Seccomp,
    SeccompListener,
    NetworkUp,
    Doors,
    View,
    Execve,
    Hello,
    Keeper,
}

impl Step {
    const ALL: [Self; 33] = [
        Self::ReadProc,
        Self::Pipe,
        Self::Socket,
        Self::Fork,
        Self::Setsid,
        Self::Signals,
        Self::DevNull,
        Self::CloseFds,
        Self::Subreaper,
        Self::CloneNamespaces,
        Self::Setgroups,
        Self::UidMap,
        Self::GidMap,
        Self::DeathSignal,
        Self::MountPrivate,
        Self::MountProc,
        Self::Capabilities,
        Self::ForkServer,
        Self::Stdio,
        Self::Limits,
        Self::Chdir,
        Self::NoNewPrivs,
        Self::LandlockRuleset,
        Self::LandlockRule,
        Self::LandlockRestrict,
        Self::Seccomp,
        Self::SeccompListener,
        Self::NetworkUp,
        Self::Doors,
        Self::View,
        Self::Execve,
        Self::Hello,
        Self::Keeper,
    ];

    /// As shown to the user: the call, and what it was for.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReadProc => "reading /proc/self/stat",
            Self::Pipe => "pipe2",
            Self::Socket => "socketpair",
            Self::Fork => "fork",
            Self::Setsid => "setsid",
            Self::Signals => "setting up signals",
            Self::DevNull => "opening /dev/null",
            Self::CloseFds => "close_range",
            Self::Subreaper => "prctl(PR_SET_CHILD_SUBREAPER)",
            Self::CloneNamespaces => "clone into new namespaces",
            Self::Setgroups => "writing /proc/self/setgroups",
            Self::UidMap => "writing /proc/self/uid_map",
            Self::GidMap => "writing /proc/self/gid_map",
            Self::DeathSignal => "prctl(PR_SET_PDEATHSIG)",
            Self::MountPrivate => "making mounts private",
            Self::MountProc => "mounting a fresh /proc",
            Self::Capabilities => "dropping capabilities",
            Self::ForkServer => "fork of the server",
            Self::Stdio => "dup2 of stdin, stdout and stderr",
            Self::Limits => "setrlimit",
            Self::Chdir => "chdir to the working directory",
            Self::NoNewPrivs => "prctl(PR_SET_NO_NEW_PRIVS)",
            Self::LandlockRuleset => "landlock_create_ruleset",
            Self::LandlockRule => "landlock_add_rule",
            Self::LandlockRestrict => "landlock_restrict_self",
            Self::Seccomp => "seccomp(SECCOMP_SET_MODE_FILTER)",
            Self::SeccompListener => "seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER)",
            Self::NetworkUp => "setting up the loopback of the new network namespace",
            Self::Doors => "listening in the new network namespace",
            Self::View => "mounting the private view of the file tree",
            Self::Execve => "execve",
            Self::Hello => "starting the server (it was killed before execve)",
            Self::Keeper => "starting the keeper (it died)",
        }
    }

    /// Whether a backend that does without namespaces may still work when this step fails.
    pub(crate) fn is_of_namespaces(self) -> bool {
        matches!(
            self,
            Self::CloneNamespaces
                | Self::Setgroups
                | Self::UidMap
                | Self::GidMap
                | Self::MountPrivate
                | Self::MountProc
                | Self::NetworkUp
                | Self::Doors
                | Self::View
        )
    }

    /// The step of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|step| *step as u8 == byte)
    }
}

/// A step that failed, with the call's errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: i32,
}

impl Failure {
    pub(crate) fn new(step: Step, errno: i32) -> Self {
        Self { step, errno }
    }

    pub(crate) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }

    /// `mounting a fresh /proc: Operation not permitted (os error 1)`
    pub(crate) fn text(self) -> String {
        format!("{}: {}", self.step.name(), self.error())
    }
}

impl From<Failure> for SpawnError {
    fn from(failure: Failure) -> Self {
        Self::Step { step: failure.step.name(), source: failure.error() }
    }
}

/// Names the step that a failed call belongs to.
pub(crate) trait At<T> {
    /// The call's errno, and `step`.
    fn at(self, step: Step) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|error| {
            let errno = error.into().raw_os_error().unwrap_or(libc::EIO);
            Failure::new(step, errno)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_survives_the_way_through_a_byte_and_a_name() {
        for step in Step::ALL {
            assert_eq!(Step::from_byte(step as u8), Some(step));
            assert_eq!(Step::named(step.name()), Some(step));
        }
        assert_eq!(Step::from_byte(200), None);
    }
}
