//! Calls of the mount API (Linux 5.2, mount_setattr 5.12) and of statx that have no safe form elsewhere.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use crate::os::sys::adopt;

// include/uapi/linux/mount.h; libc has them for glibc alone.
pub(super) const ATTR_RDONLY: u64 = 0x1;
pub(super) const ATTR_NOSUID: u64 = 0x2;
pub(super) const ATTR_NODEV: u64 = 0x4;
pub(super) const ATTR_NOEXEC: u64 = 0x8;
const OPEN_TREE_CLONE: i64 = 1;
const MOVE_MOUNT_F_EMPTY_PATH: i64 = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: i64 = 0x40;
const AT_RECURSIVE: i64 = 0x8000;
const FSOPEN_CLOEXEC: i64 = 1;
const FSMOUNT_CLOEXEC: i64 = 1;
const FSCONFIG_SET_STRING: i64 = 1;
const FSCONFIG_CMD_CREATE: i64 = 6;
const O_CLOEXEC: i64 = libc::O_CLOEXEC as i64;
const EMPTY_PATH: i64 = libc::AT_EMPTY_PATH as i64;

/// How much of a tree of mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// One mount.
    One,
    /// With those below it. What is inherited from the host has to stay together (MNT_LOCKED).
    All,
}

impl Depth {
    fn flag(self) -> i64 {
        match self {
            Self::One => 0,
            Self::All => AT_RECURSIVE,
        }
    }
}

/// A copy of what is mounted at and below a place, itself mounted nowhere yet.
pub(super) fn copy_of(place: BorrowedFd<'_>, depth: Depth) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | O_CLOEXEC | EMPTY_PATH | depth.flag();
    let (fd, path) = (i64::from(place.as_raw_fd()), c"".as_ptr());
    // SAFETY: the path is a static empty string; the kernel writes nothing.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, fd, path, flags) })
}

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Adds attributes to a mount; those of the host stay as they are, which is why none is ever cleared.
pub(super) fn restrict(mount: BorrowedFd<'_>, set: u64, depth: Depth) -> io::Result<()> {
    let attr = MountAttr { set, clear: 0, propagation: 0, userns_fd: 0 };
    let flags = EMPTY_PATH | depth.flag();
    let (fd, path, from) = (i64::from(mount.as_raw_fd()), c"".as_ptr(), &raw const attr);
    // SAFETY: the path is a static empty string; `from` points to a `struct mount_attr` of the size that is given, which
    // lives through the call and is only read.
    let result =
        unsafe { libc::syscall(libc::SYS_mount_setattr, fd, path, flags, from, size_of::<MountAttr>()) };
    checked(result).map(drop)
}

/// Mounts what is mounted nowhere, or what `mount` is the root of, on `place`. Follows nothing: both are what they are.
pub(super) fn mount_on(mount: BorrowedFd<'_>, place: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    let (from, to, path) = (mount.as_raw_fd(), i64::from(place.as_raw_fd()), c"".as_ptr());
    // SAFETY: both paths are a static empty string; the kernel writes nothing.
    checked(unsafe { libc::syscall(libc::SYS_move_mount, from, path, to, path, flags) }).map(drop)
}

/// A new file system, mounted nowhere yet.
pub(super) fn new_filesystem(
    kind: &CStr,
    options: &[(&CStr, &CStr)],
    attributes: u64,
) -> io::Result<OwnedFd> {
    // SAFETY: `kind` ends in NUL and is only read.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })?;
    let fd = i64::from(context.as_raw_fd());
    for (name, value) in options {
        let (name, value) = (name.as_ptr(), value.as_ptr());
        // SAFETY: both end in NUL and are only read.
        checked(unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_SET_STRING, name, value, 0i64) })?;
    }
    let none = ptr::null::<libc::c_char>();
    // SAFETY: this command takes neither name nor value.
    checked(unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, none, none, 0i64) })?;
    // SAFETY: takes three integers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes.cast_signed()) })
}

/// Whether a mount begins at this file (`STATX_ATTR_MOUNT_ROOT`, Linux 5.8).
pub(super) fn is_mount_root(file: BorrowedFd<'_>) -> io::Result<bool> {
    const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;
    // SAFETY: a statx structure is integers, for which zero is a value.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    let (fd, path) = (i64::from(file.as_raw_fd()), c"".as_ptr());
    // SAFETY: the path is a static empty string; `found` is a live statx structure for the kernel to write to.
    let result = unsafe { libc::syscall(libc::SYS_statx, fd, path, EMPTY_PATH, 0i64, &raw mut found) };
    checked(result)?;
    Ok(found.stx_attributes & STATX_ATTR_MOUNT_ROOT != 0)
}

fn owned(result: i64) -> io::Result<OwnedFd> {
    checked(result).map(|fd| adopt(i32::try_from(fd).unwrap_or(-1)))
}

fn checked(result: i64) -> io::Result<i64> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
