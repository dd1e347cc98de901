//! The unsafe calls of the supervisor: one operation a block.

use std::ffi::OsStr;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::asked::Notification;
use super::reply::Words;
use crate::os::sys::adopt;

// include/uapi/linux/seccomp.h: `_IOWR('!', 0, struct seccomp_notif)` and so on. The size is part of each number, so a
// kernel with other structures would refuse the number.
const NOTIF_RECV: u64 = 0xc050_2100;
const NOTIF_SEND: u64 = 0xc018_2101;
const NOTIF_ID_VALID: u64 = 0x4008_2102;
const NOTIF_ADDFD: u64 = 0x4018_2103;
const NOTIF_SET_FLAGS: u64 = 0x4008_2104;

/// The next notification. ENOENT: the one that woke us is gone, its process was killed.
pub(super) fn receive(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    // SAFETY: a structure of integers, for which zero is a value; the kernel insists on zeros.
    let mut notification: libc::seccomp_notif = unsafe { mem::zeroed() };
    let into = &raw mut notification;
    // SAFETY: the kernel writes one `struct seccomp_notif`, whose size is in the number, to `into`, which lives through
    // the call.
    cerr(i64::from(unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_RECV as libc::Ioctl, into) }))?;
    Ok(Notification {
        id: notification.id,
        tid: notification.pid.cast_signed(),
        number: notification.data.nr.cast_unsigned(),
        arguments: notification.data.args,
    })
}

/// Answers. ENOENT: nobody waits for it any more.
pub(super) fn send(listener: BorrowedFd<'_>, id: u64, words: Words) -> io::Result<()> {
    let response = libc::seccomp_notif_resp { id, val: words.value, error: words.error, flags: words.flags };
    let from = &raw const response;
    // SAFETY: the kernel reads one `struct seccomp_notif_resp`, whose size is in the number; it lives through the call.
    cerr(i64::from(unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_SEND as libc::Ioctl, from) })).map(drop)
}

/// Whether the call still waits: then its process and thread are the ones that asked.
pub(super) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    /// Before Linux 5.8 the number said that the kernel writes, which it didn't.
    const NOTIF_ID_VALID_WRONG_DIR: u64 = 0x8008_2102;
    [NOTIF_ID_VALID, NOTIF_ID_VALID_WRONG_DIR].into_iter().any(|number| {
        let from = &raw const id;
        // SAFETY: the kernel reads one u64, which lives through the call.
        unsafe { libc::ioctl(listener.as_raw_fd(), number as libc::Ioctl, from) == 0 }
    })
}

/// Asks the kernel to run whoever waits on the processor of whoever wakes him, as they take turns
/// (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`, Linux 6.6).
pub(super) fn take_turns(listener: BorrowedFd<'_>) {
    const SYNC_WAKE_UP: u64 = 1;
    // SAFETY: takes its argument by value.
    let _ = unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_SET_FLAGS as libc::Ioctl, SYNC_WAKE_UP) };
}

/// What happens to the call when a descriptor was put into its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It returns the descriptor (`SECCOMP_ADDFD_FLAG_SEND`, Linux 5.14).
    Answer,
    /// It goes on waiting.
    Wait,
}

/// Puts a copy of `fd` into the process that waits for `id`; its number there.
pub(super) fn add_descriptor(
    listener: BorrowedFd<'_>,
    id: u64,
    fd: BorrowedFd<'_>,
    flags: i32,
    then: Then,
) -> io::Result<i32> {
    let request = libc::seccomp_notif_addfd {
        id,
        flags: match then {
            Then::Answer => libc::SECCOMP_ADDFD_FLAG_SEND as u32,
            Then::Wait => 0,
        },
        srcfd: fd.as_raw_fd().cast_unsigned(),
        newfd: 0,
        newfd_flags: flags.cast_unsigned(),
    };
    let from = &raw const request;
    // SAFETY: the kernel reads one `struct seccomp_notif_addfd`, whose size is in the number, and takes a reference of
    // its own to `fd`, which is open through the call.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_ADDFD as libc::Ioctl, from) };
    cerr(i64::from(result)).map(int)
}

/// pidfd_open(2), close-on-exec.
pub(super) fn pidfd_open(pid: i32, flags: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers.
    let fd = cerr(unsafe { libc::syscall(libc::SYS_pidfd_open, i64::from(pid), i64::from(flags)) })?;
    Ok(adopt(int(fd)))
}

/// pidfd_getfd(2), Linux 5.6: the same open file as `fd` there.
pub(super) fn pidfd_getfd(pidfd: BorrowedFd<'_>, fd: RawFd) -> io::Result<OwnedFd> {
    let (pidfd, fd) = (i64::from(pidfd.as_raw_fd()), i64::from(fd));
    // SAFETY: takes three integers.
    let fd = cerr(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd, fd, 0i64) })?;
    Ok(adopt(int(fd)))
}

/// What a link leads to that is open itself (O_PATH and O_NOFOLLOW).
pub(super) fn link_target(link: BorrowedFd<'_>) -> io::Result<PathBuf> {
    let mut short = [0; 256];
    let target = read_link(link, &mut short)?;
    if target.len() < 256 {
        return Ok(OsStr::from_bytes(target).into());
    }
    // It may have been cut. /proc has none that are longer than this (ENAMETOOLONG).
    let mut long = [0; libc::PATH_MAX as usize];
    Ok(OsStr::from_bytes(read_link(link, &mut long)?).into())
}

/// readlinkat(2) without a path, Linux 2.6.39.
fn read_link<'b>(link: BorrowedFd<'_>, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let (fd, into, length) = (link.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the path is an empty string with its NUL; the kernel writes at most `length` bytes, the size of the buffer.
    let length = cerr(unsafe { libc::readlinkat(fd, c"".as_ptr(), into, length) } as i64)?;
    Ok(buffer.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default())
}

/// Whether this thread is the first of its process: tgkill(2) with signal 0 looks for nothing else.
pub(super) fn leads_its_process(tid: i32) -> bool {
    let tid = i64::from(tid);
    // SAFETY: takes three integers; signal 0 is never sent.
    match cerr(unsafe { libc::syscall(libc::SYS_tgkill, tid, tid, 0i64) }) {
        Ok(_) => true,
        Err(error) => error.raw_os_error() == Some(libc::EPERM),
    }
}

/// connect(2) with this very address.
pub(super) fn connect(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let (from, length) = (address.as_ptr().cast(), socklen(address));
    // SAFETY: the kernel reads `length` bytes from `from`, as many as the slice has.
    cerr(i64::from(unsafe { libc::connect(socket.as_raw_fd(), from, length) })).map(drop)
}

/// bind(2) with this very address.
pub(super) fn bind(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let (from, length) = (address.as_ptr().cast(), socklen(address));
    // SAFETY: the kernel reads `length` bytes from `from`, as many as the slice has.
    cerr(i64::from(unsafe { libc::bind(socket.as_raw_fd(), from, length) })).map(drop)
}

/// listen(2).
pub(super) fn listen(socket: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: takes two integers.
    cerr(i64::from(unsafe { libc::listen(socket.as_raw_fd(), backlog) })).map(drop)
}

/// Which of a connection's two names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// getsockname(2)
    Local,
    /// getpeername(2)
    Peer,
}

/// One of a socket's names, as the kernel writes it.
pub(super) fn name(socket: BorrowedFd<'_>, side: Side) -> io::Result<Vec<u8>> {
    let mut buffer = [0u8; 128];
    let mut length: libc::socklen_t = 128;
    let (fd, into, size) = (socket.as_raw_fd(), buffer.as_mut_ptr().cast(), &raw mut length);
    let result = match side {
        // SAFETY: the kernel writes at most `length` bytes, the size of the buffer, and then the length.
        Side::Local => unsafe { libc::getsockname(fd, into, size) },
        // SAFETY: as above.
        Side::Peer => unsafe { libc::getpeername(fd, into, size) },
    };
    cerr(i64::from(result))?;
    Ok(buffer.get(..length as usize).unwrap_or(&buffer).to_vec())
}

/// An option of SOL_SOCKET that is an `int`.
pub(super) fn option(socket: BorrowedFd<'_>, name: i32) -> io::Result<i32> {
    get_option(socket, (libc::SOL_SOCKET, name), 0)
}

/// Whether an IPv6 socket takes no IPv4 addresses (IPV6_V6ONLY).
pub(super) fn is_ipv6_only(socket: BorrowedFd<'_>) -> bool {
    get_option(socket, (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY), 0i32).is_ok_and(|only| only != 0)
}

/// IPV6_V6ONLY
pub(super) fn set_ipv6_only(socket: BorrowedFd<'_>, value: i32) -> io::Result<()> {
    let (from, length) = ((&raw const value).cast(), mem::size_of::<i32>() as libc::socklen_t);
    let (fd, level, name) = (socket.as_raw_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY);
    // SAFETY: the kernel reads `length` bytes, the size of `value`, which lives through the call.
    cerr(i64::from(unsafe { libc::setsockopt(fd, level, name, from, length) })).map(drop)
}

/// SO_COOKIE: a number that no other socket has had since boot.
pub(super) fn cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    const SO_COOKIE: i32 = 57;
    get_option(socket, (libc::SOL_SOCKET, SO_COOKIE), 0u64)
}

/// SO_SNDTIMEO or SO_RCVTIMEO; `None` is for ever.
pub(super) fn timeout(socket: BorrowedFd<'_>, name: i32) -> io::Result<Option<Duration>> {
    let none = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let time = get_option(socket, (libc::SOL_SOCKET, name), none)?;
    let seconds = Duration::from_secs(time.tv_sec.try_into().unwrap_or(0));
    let time = seconds + Duration::from_micros(time.tv_usec.try_into().unwrap_or(0));
    Ok((time > Duration::ZERO).then_some(time))
}

/// Types of which any bytes are a value.
trait Plain: Copy {}
impl Plain for i32 {}
impl Plain for u64 {}
impl Plain for libc::timeval {}

fn get_option<T: Plain>(socket: BorrowedFd<'_>, option: (i32, i32), mut value: T) -> io::Result<T> {
    let (fd, (level, name)) = (socket.as_raw_fd(), option);
    let mut length = mem::size_of::<T>() as libc::socklen_t;
    let (into, size) = ((&raw mut value).cast(), &raw mut length);
    // SAFETY: the kernel writes at most `length` bytes, the size of `value`, of which any bytes are a value (`Plain`).
    cerr(i64::from(unsafe { libc::getsockopt(fd, level, name, into, size) }))?;
    Ok(value)
}

/// Whether calls on this open file wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Yes,
    No,
}

/// FIONBIO: sets or clears O_NONBLOCK and leaves the other flags alone.
pub(super) fn set_waits(file: impl AsFd, waits: Waits) -> io::Result<()> {
    let value: libc::c_int = match waits {
        Waits::Yes => 0,
        Waits::No => 1,
    };
    let from = &raw const value;
    // SAFETY: FIONBIO reads one int, which lives through the call.
    cerr(i64::from(unsafe { libc::ioctl(file.as_fd().as_raw_fd(), libc::FIONBIO, from) })).map(drop)
}

/// memfd_create(2), close-on-exec on our side.
pub(super) fn memory_file(flags: u32) -> io::Result<OwnedFd> {
    let flags = i64::from(flags | libc::MFD_CLOEXEC);
    // SAFETY: the name is a string with its NUL, which lives as long as the program.
    let fd = cerr(unsafe { libc::syscall(libc::SYS_memfd_create, c"memory".as_ptr(), flags) })?;
    Ok(adopt(int(fd)))
}

fn socklen(address: &[u8]) -> libc::socklen_t {
    // No address is longer than 128 bytes.
    address.len() as libc::socklen_t
}

fn int(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(-1)
}

/// The errno of a call that returned -1.
fn cerr(result: i64) -> io::Result<i64> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
