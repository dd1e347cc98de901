//! What time it is, on the clock that people read and on the one that nobody sets.

use std::io;
use std::sync::OnceLock;

use nix::time::{ClockId, clock_gettime};
use stockade_policy::approvals::Moment;

use crate::host;

/// Now.
///
/// # Errors
/// Where the kernel tells no boot from another: no approval counts there.
pub(crate) fn moment() -> io::Result<Moment> {
    // clock_getres(2): CLOCK_BOOTTIME goes on while the machine sleeps, and cannot be set.
    let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    let boot_ms = part(since_boot.tv_sec()) * 1000 + part(since_boot.tv_nsec()) / 1_000_000;
    Ok(Moment { unix_ms: host::now().as_millisecond(), boot: boot()?, boot_ms })
}

/// Which boot this is (random(4)).
fn boot() -> io::Result<String> {
    static BOOT: OnceLock<String> = OnceLock::new();
    if let Some(known) = BOOT.get() {
        return Ok(known.clone());
    }
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let id = text.trim();
    if id.is_empty() {
        return Err(io::Error::other("the kernel does not say which boot this is"));
    }
    Ok(BOOT.get_or_init(|| id.to_owned()).clone())
}
