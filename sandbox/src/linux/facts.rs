//! What the kernel says about itself, read once before anything is forked. Nothing is changed by asking.

use nix::sys::utsname::uname;
use nix::unistd::{getegid, geteuid};

use super::landlock::ABI_MAX;
use super::sys;
use crate::weaken::{self, Weakness};

/// Facts about this host that decide what can be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// `6.18.44-generic`
    pub(crate) kernel: String,
    /// Landlock's ABI, or the errno of asking for it.
    pub(crate) landlock: Result<u32, i32>,
    /// Filters that return an errno and kill a process can be installed.
    pub(crate) seccomp: bool,
    /// Effective user.
    pub(crate) uid: u32,
    /// Effective group.
    pub(crate) gid: u32,
}

impl Facts {
    /// Asks the kernel.
    pub(crate) fn gather() -> Self {
        let kernel = uname()
            .map(|name| name.release().to_string_lossy().into_owned())
            .unwrap_or_else(|_| "of unknown version".to_owned());
        Self {
            kernel,
            landlock: landlock(),
            seccomp: sys::filter_action_available(libc::SECCOMP_RET_ERRNO)
                && sys::filter_action_available(libc::SECCOMP_RET_KILL_PROCESS),
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
        }
    }

    /// The ABI that can be used: what the kernel has and this crate knows. 0 is none.
    pub(crate) fn landlock_abi(&self) -> u32 {
        self.landlock.map_or(0, |abi| abi.min(ABI_MAX))
    }

    /// Whether RLIMIT_NPROC counts the processes of a user namespace alone (Linux 5.14), and holds for this user: the
    /// kernel exempts the host's root (`copy_process`, INIT_USER).
    pub(crate) fn process_limit_is_per_namespace(&self) -> bool {
        self.uid != 0 && self.version() >= (5, 14)
    }

    fn version(&self) -> (u32, u32) {
        let mut numbers = self.kernel.split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        (next(), next())
    }
}

fn landlock() -> Result<u32, i32> {
    if weaken::is_off(Weakness::Landlock) {
        return Err(libc::ENOSYS);
    }
    let abi = sys::landlock_abi().map_err(|error| error.raw_os_error().unwrap_or(libc::ENOSYS))?;
    Ok((1..abi).find(|old| weaken::is_off(Weakness::LandlockAfter(*old))).unwrap_or(abi))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_limit_needs_a_kernel_that_counts_per_namespace_and_a_user_that_is_not_root() {
        let facts = |kernel: &str, uid| Facts {
            kernel: kernel.to_owned(),
            landlock: Ok(7),
            seccomp: true,
            uid,
            gid: uid,
        };
        assert!(facts("5.14.0-427.el9", 1000).process_limit_is_per_namespace());
        assert!(facts("6.1.0-28-amd64", 1000).process_limit_is_per_namespace());
        assert!(!facts("5.10.0", 1000).process_limit_is_per_namespace());
        assert!(!facts("6.18.44", 0).process_limit_is_per_namespace());
        assert!(!facts("of unknown version", 1000).process_limit_is_per_namespace());
    }
}
