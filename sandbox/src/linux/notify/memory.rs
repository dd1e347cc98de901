//! memfd_create(2): made here, sealed against being executed.

use std::sync::OnceLock;

use super::asked::Notification;
use super::reply::{CloseOnExec, Reply};
use super::sys;
use super::target::Trouble;
use crate::os::seccomp::{MFD_EXEC, MFD_NOEXEC_SEAL};

/// Whether it doesn't insist on an executable one.
pub(super) fn can_be_sealed(notification: &Notification) -> bool {
    notification.unsigned(1) & MFD_EXEC == 0
}

/// The file that is asked for, without its name, which only /proc shows.
pub(super) fn create(notification: &Notification) -> Result<Reply, Trouble> {
    if !kernel_can_seal() {
        return Err(Trouble::Errno(libc::ENOSYS));
    }
    let flags = notification.unsigned(1);
    let file = sys::memory_file(flags | MFD_NOEXEC_SEAL)?;
    let close = if flags & libc::MFD_CLOEXEC == 0 { CloseOnExec::No } else { CloseOnExec::Yes };
    Ok(Reply::Descriptor(file, close))
}

/// Linux 6.3. Before that the flag is EINVAL, as any mistake of the caller's is.
fn kernel_can_seal() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| sys::memory_file(MFD_NOEXEC_SEAL).is_ok())
}
