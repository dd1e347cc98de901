//! Raw system calls: what a probe tries.

use std::ffi::CStr;
use std::io;
use std::time::{Duration, Instant};

/// One system call with integer arguments.
///
/// Callers pass null or zero for every pointer, so that a kernel which lets the call through answers EFAULT or EINVAL.
pub(crate) fn raw(number: i64, arguments: [u64; 6]) -> io::Result<i64> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: no argument points into our memory (see above), so the kernel can't write to it.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Makes the landlock calls of this process fail as on a kernel without them. Needs no_new_privs.
pub(crate) fn refuse_landlock() -> io::Result<()> {
    const LOAD_NUMBER: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS; the number is the first word of seccomp_data
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let number = u32::try_from(libc::SYS_landlock_create_ruleset).expect("small");
    let refused = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    let mut steps = [
        step(LOAD_NUMBER, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, number),
        step(RETURN, 0, 0, refused),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: steps.as_mut_ptr() };
    let (operation, flags) = (i64::from(libc::SECCOMP_SET_MODE_FILTER), 0i64);
    // SAFETY: `program` points to four instructions, which live through the call and are only read.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const program) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sets the extended attribute `user.stockade`.
pub(crate) fn set_attribute(path: &CStr) -> io::Result<()> {
    let (name, value) = (c"user.stockade", c"x");
    // SAFETY: both names end in NUL; one byte of `value` is read.
    let result = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), 1, 0) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Loads a library into this process.
pub(crate) fn load_library(path: &CStr) -> io::Result<()> {
    // SAFETY: the tests give it a copy of a system library, whose constructors may run in any process.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    if library.is_null() { Err(io::Error::from_raw_os_error(libc::EACCES)) } else { Ok(()) }
}

/// A chain of processes, each of which forks the next, leaves its session if it may, and ends at once. Comes back in
/// the process that began it; the chain ends by itself at `until`.
pub(crate) fn start_hares(until: Instant) -> io::Result<()> {
    if !fork()? {
        return Ok(());
    }
    while Instant::now() < until {
        let _ = nix::unistd::setsid();
        // Refused at the limit of processes: the chain ends.
        if !fork().unwrap_or(false) {
            break;
        }
    }
    exit_now()
}

/// What becomes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Left,
    Removed,
}

/// A System V segment of this size, filled, that nobody has attached any more.
pub(crate) fn fill_segment(bytes: usize, then: Segment) -> io::Result<()> {
    // SAFETY: makes a new segment and touches no memory of ours.
    let id = unsafe { libc::shmget(libc::IPC_PRIVATE, bytes, 0o600) };
    if id == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: with a null address the kernel chooses a free range, so nothing of ours is replaced.
    let place = unsafe { libc::shmat(id, std::ptr::null(), 0) };
    if place.addr() == usize::MAX {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `place` is the start of `bytes` writable bytes that nobody else refers to.
    unsafe { place.cast::<u8>().write_bytes(1, bytes) };
    // SAFETY: `place` came from shmat, and nothing refers to the range.
    if unsafe { libc::shmdt(place) } == -1 {
        return Err(io::Error::last_os_error());
    }
    if then == Segment::Removed {
        // SAFETY: with IPC_RMID the kernel reads no buffer.
        unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
    Ok(())
}

/// Children with copies of our memory, which they leave as it is.
pub(crate) fn fork_sleepers(count: usize, time: Duration) -> io::Result<()> {
    for _ in 0..count {
        if fork()? {
            std::thread::sleep(time);
            exit_now()
        }
    }
    Ok(())
}

/// Whether we are the child.
fn fork() -> io::Result<bool> {
    // SAFETY: a probe has one thread, so no lock is held by a thread that is missing in the child.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(pid == 0),
    }
}

fn exit_now() -> ! {
    // SAFETY: _exit(2) takes any status and touches no memory of ours.
    unsafe { libc::_exit(0) }
}

/// getpid through the 32-bit entry of the kernel.
#[cfg(target_arch = "x86_64")]
pub(crate) fn getpid_of_i386() -> i64 {
    let result: i64;
    // SAFETY: call 20 of the i386 table is getpid, which takes nothing and touches no memory; the entry clobbers
    // r8 to r11 on old kernels, as declared.
    unsafe {
        core::arch::asm!(
            "int 0x80",
            inlateout("rax") 20i64 => result,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result
}
