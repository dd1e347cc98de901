//! The unsafe calls of this folder.

use std::io;
use std::mem::MaybeUninit;

/// Bytes of memory that is shared or belongs to a tmpfs, of the whole host, and of swap in use: sysinfo(2).
pub(super) fn shared_and_swapped() -> io::Result<u64> {
    let mut info = MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: the kernel writes one `struct sysinfo`, which is what `info` has room for.
    if unsafe { libc::sysinfo(info.as_mut_ptr()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so every field is written; all are integers, for which zeroes would be valid too.
    let info = unsafe { info.assume_init() };
    let swapped = info.totalswap.saturating_sub(info.freeswap);
    Ok(info.sharedram.saturating_add(swapped).saturating_mul(u64::from(info.mem_unit)))
}
