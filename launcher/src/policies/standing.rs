//! Who asks, and on which machine: what conditions of rules may look at besides the call.

use nix::unistd::{User, getuid};
use stockade_policy::rules::{Circumstances, UnixTime};

use super::groups;
use crate::host;

/// What stays the same for a session. Whatever cannot be told stays unknown, and conditions that ask for it refuse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Login name.
    pub user: Option<String>,
    /// Groups.
    pub groups: Option<Vec<String>>,
    /// Name of the machine.
    pub device: Option<String>,
}

impl Standing {
    /// Of whoever runs us, on this machine.
    pub fn gather() -> Self {
        let uid = getuid();
        let user = User::from_uid(uid).ok().flatten().map(|user| user.name);
        let device = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let device = device.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Self { user, groups: groups::of_user(uid).ok(), device }
    }

    /// What is known now, before there is a call.
    pub fn circumstances(&self) -> Circumstances<'_> {
        Circumstances {
            user: self.user.as_deref(),
            groups: self.groups.as_deref(),
            device: self.device.as_deref(),
            now: now(),
            ..Circumstances::default()
        }
    }
}

/// The time of day; `None` before 1970.
pub fn now() -> Option<UnixTime> {
    u64::try_from(host::now().as_millisecond()).ok().map(UnixTime)
}
