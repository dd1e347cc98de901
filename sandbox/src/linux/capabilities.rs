//! Giving up every capability, so that a jail started by root, or by uid 0 of a namespace, has none after execve.

use super::step::{Failure, Step};
use super::sys::{self, CapabilityData};
use crate::weaken::{self, Weakness};

// include/uapi/linux/securebits.h, each with its lock one bit above.
const NOROOT: u64 = 0b11;
const NO_CAP_AMBIENT_RAISE: u64 = 0b11 << 6;

/// Clears the effective, permitted, inheritable, ambient and, where allowed, the bounding set.
///
/// What is cleared here stays cleared: with no_new_privs, execve gives a process no capability that it didn't have
/// before (`cap_bprm_creds_from_file`). The bounding set and SECBIT_NOROOT stop it once more, but need CAP_SETPCAP.
pub(crate) fn give_up() -> Result<(), Failure> {
    if weaken::is_off(Weakness::Capabilities) {
        return Ok(());
    }
    for capability in 0..64 {
        // EINVAL is beyond the last capability of this kernel, EPERM a process that has no CAP_SETPCAP.
        if sys::prctl(libc::PR_CAPBSET_DROP, capability, 0).is_err() {
            break;
        }
    }
    let _ = sys::prctl(libc::PR_SET_SECUREBITS, NOROOT | NO_CAP_AMBIENT_RAISE, 0);
    let clear_all = u64::from(libc::PR_CAP_AMBIENT_CLEAR_ALL.cast_unsigned());
    let _ = sys::prctl(libc::PR_CAP_AMBIENT, clear_all, 0);

    let failed =
        |error: std::io::Error| Failure::new(Step::Capabilities, error.raw_os_error().unwrap_or(libc::EPERM));
    sys::clear_capabilities().map_err(failed)?;
    if sys::capabilities().map_err(failed)? == [CapabilityData::default(); 2] {
        Ok(())
    } else {
        Err(Failure::new(Step::Capabilities, libc::EPERM))
    }
}
