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

    /// Whether waiting for a call of the tree ends with the tree (seccomp_unotify(2), SECCOMP_IOCTL_NOTIF_RECV, Linux 6.11).
    pub(crate) fn receiving_ends(&self) -> bool {
        self.version() >= (6, 11)
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

    fn facts(kernel: &str, uid: u32) -> Facts {
        Facts { kernel: kernel.to_owned(), landlock: Ok(7), seccomp: true, uid, gid: uid }
    }

    #[test]
    fn a_kernel_that_may_let_the_supervisor_wait_for_ever_is_not_trusted_to_end_it() {
        for (kernel, ends) in [
            ("6.18.44", true),
            ("6.11.0-29-generic", true),
            ("7.0-rc1", true),
            ("6.10.14", false),
            ("6.8.0-1065-azure", false),
            ("6.1.0-28-amd64", false),
            ("of unknown version", false),
        ] {
            assert_eq!(facts(kernel, 1000).receiving_ends(), ends, "{kernel}");
        }
    }

    #[test]
    fn the_process_limit_needs_a_kernel_that_counts_per_namespace_and_a_user_that_is_not_root() {
        assert!(facts("5.14.0-427.el9", 1000).process_limit_is_per_namespace());
        assert!(facts("6.1.0-28-amd64", 1000).process_limit_is_per_namespace());
        assert!(!facts("5.10.0", 1000).process_limit_is_per_namespace());
        assert!(!facts("6.18.44", 0).process_limit_is_per_namespace());
        assert!(!facts("of unknown version", 1000).process_limit_is_per_namespace());
    }
}
