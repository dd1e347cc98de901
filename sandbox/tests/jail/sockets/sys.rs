//! Raw socket calls: addresses that no safe interface would pass on.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// connect(2) with these bytes and this length, which may be a lie.
pub(crate) fn connect(fd: RawFd, address: &[u8; 128], length: u32) -> io::Result<()> {
    // SAFETY: the kernel reads at most 128 bytes, as many as there are; longer lengths are refused before it reads.
    cerr(unsafe { libc::connect(fd, address.as_ptr().cast(), length) })
}

/// bind(2), likewise.
pub(crate) fn bind(fd: RawFd, address: &[u8; 128], length: u32) -> io::Result<()> {
    // SAFETY: as in `connect`.
    cerr(unsafe { libc::bind(fd, address.as_ptr().cast(), length) })
}

/// sendto(2) to this address.
pub(crate) fn send_to(fd: RawFd, flags: i32, address: &[u8; 128], length: u32) -> io::Result<()> {
    let (data, to) = (b"x".as_ptr().cast(), address.as_ptr().cast());
    // SAFETY: the kernel reads one byte of data, and at most 128 of the address, as many as there are.
    let sent = unsafe { libc::sendto(fd, data, 1, flags, to, length) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// setsockopt(2) with bytes.
pub(crate) fn set_option(fd: RawFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let (from, length) = (value.as_ptr().cast(), value.len() as libc::socklen_t);
    // SAFETY: the kernel reads `length` bytes, as many as the slice has.
    cerr(unsafe { libc::setsockopt(fd, level, name, from, length) })
}

/// memfd_create(2)
pub(crate) fn memory_file(flags: u32) -> io::Result<RawFd> {
    // SAFETY: the name is a string with its NUL.
    let fd = unsafe { libc::syscall(libc::SYS_memfd_create, c"probe".as_ptr(), flags) };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(fd as RawFd) }
}

/// dup2(2), over a descriptor that nobody owns.
pub(crate) fn put(file: BorrowedFd<'_>, number: RawFd) {
    // SAFETY: `number` is one that the race program opened for this and never gave to an owner.
    let _ = unsafe { libc::dup2(file.as_raw_fd(), number) };
}

/// An IPv4 address whose port changes under the kernel's eyes.
#[repr(C)]
pub(crate) struct Flipping {
    family: u16,
    port: AtomicU16,
    ip: [u8; 4],
    zero: [u8; 8],
}

impl Flipping {
    pub(crate) fn loopback(port: u16) -> Self {
        let port = AtomicU16::new(port.to_be());
        Self { family: libc::AF_INET as u16, port, ip: [127, 0, 0, 1], zero: [0; 8] }
    }

    pub(crate) fn set(&self, port: u16) {
        self.port.store(port.to_be(), Ordering::Relaxed);
    }

    pub(crate) fn connect(&self, fd: RawFd) -> io::Result<()> {
        let from = (&raw const *self).cast();
        // SAFETY: the kernel reads 16 bytes, the size of the structure; that another thread stores to the atomic
        // meanwhile is the point.
        cerr(unsafe { libc::connect(fd, from, 16) })
    }
}

/// Runs `child` in a process that shares this one's memory, as vfork(2) does, and with `extra` flags more of it. Its result
/// is an errno, or 0.
pub(crate) fn in_vfork(child: extern "C" fn(*mut libc::c_void) -> i32, extra: i32) -> io::Result<i32> {
    const STACK_BYTES: usize = 256 * 1024;
    let mut stack = vec![0u8; STACK_BYTES];
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | extra;
    // SAFETY: the stack is ours, lives until the child has ended (CLONE_VFORK: we don't go on before), and grows down
    // from its end, which a large allocation aligns to 16 bytes.
    let pid = unsafe { libc::clone(child, top.cast(), flags, std::ptr::null_mut()) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut status = 0;
    // SAFETY: `status` is a live int.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    if waited < 0 { Err(io::Error::last_os_error()) } else { Ok(libc::WEXITSTATUS(status)) }
}

/// fork(2): `child` runs in the new process, whose number is the result.
pub(crate) fn fork_and(child: impl FnOnce()) -> io::Result<i32> {
    // SAFETY: the probe has one thread here, so no lock is held by a thread that is missing in the child.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            child();
            // SAFETY: takes an integer and never returns.
            unsafe { libc::_exit(0) }
        }
        pid => Ok(pid),
    }
}

pub(crate) fn tcp() -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?)
}

/// A supervisor as it must not be: looks at the address, decides, and lets the call go on. Runs until the listener has
/// nobody left.
pub(crate) fn serve_carelessly(listener: &OwnedFd, granted: u16) -> io::Result<()> {
    const RECV: u64 = 0xc050_2100;
    const SEND: u64 = 0xc018_2101;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    loop {
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE)?;
        if !fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN)) {
            return Ok(());
        }
        // SAFETY: a structure of integers.
        let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one such structure.
        if unsafe { libc::ioctl(listener.as_raw_fd(), RECV as libc::Ioctl, &raw mut asked) } != 0 {
            continue;
        }
        let mut bytes = [0u8; 16];
        let remote = nix::sys::uio::RemoteIoVec { base: asked.data.args[1] as usize, len: 16 };
        let pid = nix::unistd::Pid::from_raw(asked.pid.cast_signed());
        let mut local = [io::IoSliceMut::new(&mut bytes)];
        let read = nix::sys::uio::process_vm_readv(pid, &mut local, &[remote]);
        // Decisions take their time.
        std::thread::yield_now();
        let is_granted = read == Ok(16) && bytes[2..4] == granted.to_be_bytes();
        let mut answer = libc::seccomp_notif_resp { id: asked.id, val: 0, error: -libc::EACCES, flags: 0 };
        if is_granted {
            answer.error = 0;
            answer.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
        }
        // SAFETY: the kernel reads one such structure.
        let _ = unsafe { libc::ioctl(listener.as_raw_fd(), SEND as libc::Ioctl, &raw const answer) };
    }
}

/// A filter that asks about connect and nothing else.
pub(crate) fn ask_about_connect() -> io::Result<OwnedFd> {
    const NEW_LISTENER: i64 = 1 << 3;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let program = [
        step(0x20, 0, 0, 0), // the call's number
        step(0x15, 0, 1, libc::SYS_connect as u32),
        step(0x06, 0, 0, 0x7fc0_0000), // SECCOMP_RET_USER_NOTIF
        step(0x06, 0, 0, 0x7fff_0000), // SECCOMP_RET_ALLOW
    ];
    let filter = libc::sock_fprog { len: 4, filter: program.as_ptr().cast_mut() };
    nix::sys::prctl::set_no_new_privs()?;
    let mode = i64::from(libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: `filter` names four instructions, which the kernel copies.
    let fd = unsafe { libc::syscall(libc::SYS_seccomp, mode, NEW_LISTENER, &raw const filter) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(own(fd as RawFd))
}

/// Owns a descriptor that the kernel has just given to us.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: by this function's contract it is open, new, and known to nobody else.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn cerr(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
