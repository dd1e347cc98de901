//! The unsafe calls: one operation a block, each wrapped so that the rest of the crate is safe.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::bpf::Instruction;
use crate::weaken::{self, Weakness};

/// Proof that this process has one thread, so that a forked copy may do anything (no lock of another thread is held in
/// it). Only code that starts no threads may keep one.
#[derive(Debug)]
pub(crate) struct SingleThreaded(());

/// Why there is no [`SingleThreaded`].
#[derive(Debug)]
pub(crate) enum NotSingleThreaded {
    /// So many threads run.
    Threads(usize),
    /// /proc can't be read.
    Unknown(io::Error),
}

impl SingleThreaded {
    /// Counts this process's threads.
    pub(crate) fn check() -> Result<Self, NotSingleThreaded> {
        let stat = fs::read_to_string("/proc/self/stat").map_err(NotSingleThreaded::Unknown)?;
        // proc_pid_stat(5): the name stands in parentheses and may hold any byte; num_threads is field 20, the 18th
        // after it.
        let threads = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(17))
            .and_then(|field| field.parse().ok())
            .ok_or_else(|| NotSingleThreaded::Unknown(io::ErrorKind::InvalidData.into()))?;
        if threads == 1 { Ok(Self(())) } else { Err(NotSingleThreaded::Threads(threads)) }
    }
}

/// On which side of a fork we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// In the new process.
    Child,
    /// In the old one, with the pid of the new one.
    Parent(i32),
}

/// fork(2).
pub(crate) fn fork(_proof: &SingleThreaded) -> io::Result<Side> {
    // SAFETY: the process has one thread (`_proof`), so no lock is held by a thread that is missing in the child.
    let pid = cerr(i64::from(unsafe { libc::fork() }))?;
    Ok(side(pid))
}

/// clone(2) used like fork, with the given CLONE_NEW* flags.
pub(crate) fn fork_into_namespaces(_proof: &SingleThreaded, flags: i32) -> io::Result<Side> {
    let flags = i64::from(flags | libc::SIGCHLD);
    // The order of the last two arguments differs between architectures; both are unused without their flags.
    // SAFETY: without CLONE_VM the child has its own copy of memory, with a null stack it goes on with ours as after
    // fork(2); the process has one thread (`_proof`), so no lock is held by a thread that is missing in the child.
    let pid = cerr(unsafe { libc::syscall(libc::SYS_clone, flags, 0i64, 0i64, 0i64, 0i64) })?;
    Ok(side(pid))
}

/// clone3(2) used like fork, with the given CLONE_NEW* flags; the child begins its life in this cgroup (Linux 5.7).
pub(crate) fn fork_into_cgroup(
    _proof: &SingleThreaded,
    flags: i32,
    cgroup: BorrowedFd<'_>,
) -> io::Result<Side> {
    const CLONE_INTO_CGROUP: u64 = 1 << 33;
    let arguments = libc::clone_args {
        flags: u64::from(flags.cast_unsigned()) | CLONE_INTO_CGROUP,
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: u64::from(cgroup.as_raw_fd().cast_unsigned()),
    };
    let size = size_of_val(&arguments);
    // SAFETY: the kernel reads `size` bytes of a structure that lives through the call; its pointers are null, so the
    // child goes on as after `fork_into_namespaces`, for the same reasons.
    let pid = cerr(unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size) })?;
    Ok(side(pid))
}

fn side(pid: i64) -> Side {
    match i32::try_from(pid) {
        Ok(0) | Err(_) => Side::Child,
        Ok(pid) => Side::Parent(pid),
    }
}

/// Ends this process at once: no destructor, no `atexit` function and no buffer of the process we were forked from
/// runs a second time here.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) takes any status and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// What waitpid(2) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// This child ended, with this wait status.
    Ended(i32, i32),
    /// There are children, none of which has ended.
    Running,
    /// There is no child.
    NoChild,
}

/// waitpid(2) for `pid` (or any, with -1). nix's version fails on a process that was killed by a real-time signal.
pub(crate) fn wait(pid: i32, flags: i32) -> io::Result<Waited> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a live, writable c_int for the whole call.
        let result = cerr(i64::from(unsafe { libc::waitpid(pid, &raw mut status, flags) }));
        match result {
            Ok(0) => return Ok(Waited::Running),
            Ok(pid) => return Ok(Waited::Ended(i32::try_from(pid).unwrap_or(0), status)),
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(Waited::NoChild),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Sets a signal to be ignored.
pub(crate) fn ignore_signal(signal: i32) -> io::Result<()> {
    set_disposition(signal, libc::SIG_IGN)
}

/// Sets a signal to its default.
pub(crate) fn default_signal(signal: i32) -> io::Result<()> {
    set_disposition(signal, libc::SIG_DFL)
}

/// Every signal to its default, for a program that expects a fresh start.
pub(crate) fn default_signals() {
    for signal in 1..=64 {
        // SIGKILL and SIGSTOP can't be set, and need not be.
        let _ = default_signal(signal);
    }
}

/// rt_sigaction(2) itself: libc keeps signals 32 and 33 for its threads, and passes them on ignored if they came so.
fn set_disposition(signal: i32, disposition: libc::sighandler_t) -> io::Result<()> {
    // The kernel's `struct sigaction` begins with the handler; its flags, restorer and mask are zero here, in whatever
    // order an architecture has them.
    let action: [u64; 4] = [disposition as u64, 0, 0, 0];
    const MASK_BYTES: usize = 8;
    let (signal, none) = (i64::from(signal), ptr::null_mut::<u64>());
    let from = action.as_ptr();
    // SAFETY: `from` points to 32 bytes, which is as long as the kernel's structure, and lives through the call; with a
    // null third argument nothing is written. Callers pass SIG_IGN or SIG_DFL, so no code of ours is run by a signal.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, from, none, MASK_BYTES) };
    cerr(result).map(drop)
}

/// Closes every descriptor from 3 on but those in `keep`. Only for a process that owns nothing else: one that was just
/// forked and never returns into the code it was forked from.
pub(crate) fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    if weaken::is_off(Weakness::Descriptors) {
        return Ok(());
    }
    let mut kept: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(*fd).ok()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept.into_iter().chain([u32::MAX]) {
        if first < fd && !close_range(first, fd - 1)? {
            return close_listed(keep);
        }
        first = first.max(fd.saturating_add(1));
    }
    Ok(())
}

/// Whether the kernel has close_range(2) (Linux 5.9).
fn close_range(first: u32, last: u32) -> io::Result<bool> {
    let (first, last) = (i64::from(first), i64::from(last));
    // SAFETY: takes three integers. The descriptors belong to values of the process that we were forked from; by the
    // contract of `close_all_but` no such value is used or dropped in this process.
    let result = cerr(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0i64) });
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(false),
        Err(error) => Err(error),
    }
}

fn close_listed(keep: &[RawFd]) -> io::Result<()> {
    let mut open: Vec<RawFd> = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        if let Some(fd) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            open.push(fd);
        }
    }
    for fd in open.into_iter().filter(|fd| *fd > 2 && !keep.contains(fd)) {
        // SAFETY: as in `close_range`; one of them was the directory itself and is closed already, which is EBADF.
        let _ = unsafe { libc::close(fd) };
    }
    Ok(())
}

/// The Landlock ABI of the running kernel.
pub(crate) fn landlock_abi() -> io::Result<u32> {
    const LANDLOCK_CREATE_RULESET_VERSION: i64 = 1;
    let (none, size) = (ptr::null::<libc::c_void>(), 0usize);
    let version = LANDLOCK_CREATE_RULESET_VERSION;
    // SAFETY: with the VERSION flag the kernel takes a null attribute of size 0 and only returns a number.
    let result = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, size, version) };
    cerr(result).map(|abi| u32::try_from(abi).unwrap_or(0))
}

/// Installs a seccomp filter on this thread, for good. Needs no_new_privs.
pub(crate) fn install_filter(program: &[Instruction]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let filter = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    let (operation, flags) = (i64::from(libc::SECCOMP_SET_MODE_FILTER), 0i64);
    // SAFETY: `filter` points to `len` instructions that outlive the call; `Instruction` is repr(C) with the fields of
    // `struct sock_filter`; the kernel copies the program and writes nothing.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const filter) };
    cerr(result).map(drop)
}

/// Installs a seccomp filter on this thread, for good, and gives the descriptor on which its notifications arrive
/// (`SECCOMP_FILTER_FLAG_NEW_LISTENER`, Linux 5.0; close-on-exec). EBUSY: a filter of this thread has one already.
pub(crate) fn install_filter_with_listener(program: &[Instruction]) -> io::Result<OwnedFd> {
    // Without it (Linux 5.19) a signal takes a call back that the supervisor is carrying out already.
    const WAIT_KILLABLE_RECV: i64 = 1 << 5;
    const NEW_LISTENER: i64 = 1 << 3;
    match listening_filter(program, NEW_LISTENER | WAIT_KILLABLE_RECV) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => listening_filter(program, NEW_LISTENER),
        other => other,
    }
}

fn listening_filter(program: &[Instruction], flags: i64) -> io::Result<OwnedFd> {
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let filter = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    let operation = i64::from(libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: as in `install_filter`; the flags only change what is returned.
    let fd = cerr(unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const filter) })?;
    Ok(adopt(i32::try_from(fd).unwrap_or(-1)))
}

/// Owns a descriptor that the kernel has just given to this process (by a control message, or as a return value).
pub(crate) fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: by this function's contract the descriptor is open, new, and known to nobody else.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Whether the kernel takes filters with this action (`SECCOMP_GET_ACTION_AVAIL`, Linux 4.14).
pub(crate) fn filter_action_available(action: u32) -> bool {
    let (operation, flags) = (i64::from(libc::SECCOMP_GET_ACTION_AVAIL), 0i64);
    // SAFETY: the kernel reads one u32 from `action`, which lives through the call.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const action) };
    result == 0
}

/// The three capability sets, as capget(2) and capset(2) of version 3 lay them out.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CapabilityData {
    pub(crate) effective: u32,
    pub(crate) permitted: u32,
    pub(crate) inheritable: u32,
}

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

const CAPABILITY_HEADER: CapabilityHeader = CapabilityHeader { version: 0x2008_0522, pid: 0 };

/// Our capabilities, low and high half.
pub(crate) fn capabilities() -> io::Result<[CapabilityData; 2]> {
    let mut header = CAPABILITY_HEADER;
    let mut data = [CapabilityData::default(); 2];
    let (header, into) = (&raw mut header, data.as_mut_ptr());
    // SAFETY: version 3 of the header makes the kernel write exactly two elements; both live through the call.
    cerr(unsafe { libc::syscall(libc::SYS_capget, header, into) })?;
    Ok(data)
}

/// Gives up every capability.
pub(crate) fn clear_capabilities() -> io::Result<()> {
    let mut header = CAPABILITY_HEADER;
    let data = [CapabilityData::default(); 2];
    let (header, from) = (&raw mut header, data.as_ptr());
    // SAFETY: version 3 of the header makes the kernel read exactly two elements; both live through the call.
    cerr(unsafe { libc::syscall(libc::SYS_capset, header, from) }).map(drop)
}

/// prctl(2) with integers only.
pub(crate) fn prctl(option: i32, second: u64, third: u64) -> io::Result<i64> {
    // SAFETY: callers pass options whose arguments are integers, so the kernel follows no pointer.
    cerr(i64::from(unsafe { libc::prctl(option, second, third, 0u64, 0u64) }))
}

/// Sets one of the allocator's parameters.
#[cfg(target_env = "gnu")]
pub(crate) fn mallopt(parameter: i32, value: i32) {
    // SAFETY: takes two integers; an unknown parameter is refused by glibc and changes nothing.
    let _ = unsafe { libc::mallopt(parameter, value) };
}

/// Gives free heap pages back to the kernel.
#[cfg(target_env = "gnu")]
pub(crate) fn trim_heap() {
    // SAFETY: takes one integer and only releases memory that the allocator holds as free.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// The errno of a call that returned -1.
fn cerr(result: i64) -> io::Result<i64> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
