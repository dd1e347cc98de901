//! Socket options by number.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// setsockopt(2) of an option that takes an int.
pub(super) fn set_option(socket: &OwnedFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let (from, length) = (&raw const value, size_of::<i32>() as libc::socklen_t);
    // SAFETY: the kernel reads `length` bytes, all of `value`, which lives through the call.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, from.cast(), length) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
