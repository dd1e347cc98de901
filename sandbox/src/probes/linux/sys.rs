//! Raw system calls: what the probes try.

use std::ffi::CStr;
use std::io;
use std::ptr::{self, NonNull};

/// One argument of a system call.
#[derive(Debug)]
pub(super) enum Arg<'a> {
    /// A number, a null pointer, a descriptor.
    Int(i64),
    /// A path or a name.
    Text(&'a CStr),
    /// What the kernel reads.
    In(&'a [u8]),
    /// What the kernel writes to.
    Out(&'a mut [u8]),
}

/// A system call, made by a process that lives for this one deed.
///
/// What an argument points to must be as long as this call takes it to be, which the deed sees to: it gives the length of
/// the buffer as the length argument, or a structure of the size that the call's manual page says. Pointers inside of such
/// a structure come from [`address`] and [`address_mut`] of buffers that outlive the call.
pub(super) fn call<const N: usize>(number: libc::c_long, arguments: [Arg<'_>; N]) -> io::Result<i64> {
    let mut all = [0i64; 6];
    for (place, argument) in all.iter_mut().zip(arguments) {
        *place = match argument {
            Arg::Int(number) => number,
            Arg::Text(text) => text.as_ptr() as i64,
            Arg::In(bytes) => bytes.as_ptr() as i64,
            Arg::Out(bytes) => bytes.as_mut_ptr() as i64,
        };
    }
    let [a, b, c, d, e, f] = all;
    // SAFETY: every pointer among the arguments comes from a slice or a text that is borrowed for the whole call, for
    // writing only if it was borrowed mutably, and is as long as the call takes it to be (the contract above).
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    cerr(result)
}

/// Where a buffer is, to stand in a structure for the kernel.
pub(super) fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr() as u64
}

/// As [`address`], for what the kernel writes to.
pub(super) fn address_mut(bytes: &mut [u8]) -> u64 {
    bytes.as_mut_ptr() as u64
}

/// getpid through the 32-bit entry of the kernel.
#[cfg(target_arch = "x86_64")]
pub(super) fn getpid_of_i386() -> i64 {
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

/// Memory of our own, mapped by mmap(2) or shmat(2); never unmapped, since the process that maps it is thrown away.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// mmap(2) of `length` bytes; `fd` is -1 for anonymous memory.
    pub(super) fn new(fd: i32, length: usize, protection: i32, flags: i32) -> io::Result<Self> {
        Self::at_offset(fd, length, (protection, flags), 0)
    }

    /// As [`Mapping::new`], from an offset into the file.
    pub(super) fn at_offset(
        fd: i32,
        length: usize,
        (protection, flags): (i32, i32),
        offset: i64,
    ) -> io::Result<Self> {
        // SAFETY: with a null address and without MAP_FIXED (no caller passes it) the kernel chooses a place where
        // nothing of ours is.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, fd, offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Self::from_kernel(start, length)
    }

    /// shmat(2), of a segment that is at least `length` bytes long.
    pub(super) fn of_segment(id: i32, length: usize, flags: i32) -> io::Result<Self> {
        // SAFETY: with a null address the kernel chooses a place where nothing of ours is.
        let start = unsafe { libc::shmat(id, ptr::null(), flags) };
        if start as isize == -1 {
            return Err(io::Error::last_os_error());
        }
        Self::from_kernel(start, length)
    }

    fn from_kernel(start: *mut libc::c_void, length: usize) -> io::Result<Self> {
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, length })
    }

    /// mprotect(2) of all of it.
    pub(super) fn protect(&self, protection: i32) -> io::Result<()> {
        // SAFETY: the range is this mapping, to which no reference is held; what was compiled doesn't lie in it.
        let result = unsafe { libc::mprotect(self.start.as_ptr().cast(), self.length, protection) };
        cerr(i64::from(result)).map(drop)
    }

    /// A copy of what is there.
    pub(super) fn bytes(&self, from: usize, length: usize) -> Vec<u8> {
        let mut copy = vec![0; length];
        assert!(from.checked_add(length).is_some_and(|end| end <= self.length), "beyond the mapping");
        // SAFETY: the range lies in the mapping (asserted), which was mapped readable by every caller that reads; no
        // reference to it exists, and `add` stays in the same mapping.
        let start = unsafe { self.start.as_ptr().add(from) };
        // SAFETY: both are `length` bytes long, and a fresh vector doesn't overlap a mapping.
        unsafe { ptr::copy_nonoverlapping(start, copy.as_mut_ptr(), length) };
        copy
    }

    /// Writes there.
    pub(super) fn write(&self, to: usize, bytes: &[u8]) {
        assert!(to.checked_add(bytes.len()).is_some_and(|end| end <= self.length), "beyond the mapping");
        // SAFETY: the range lies in the mapping (asserted), so `add` stays in it.
        let start = unsafe { self.start.as_ptr().add(to) };
        // SAFETY: as asserted the mapping is long enough; every caller that writes mapped it writable, and `bytes`, being
        // a Rust value, lies outside of it.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len()) };
    }

    /// A number that the kernel may change meanwhile.
    pub(super) fn number(&self, at: usize) -> u32 {
        assert!(at.is_multiple_of(4) && at.checked_add(4).is_some_and(|end| end <= self.length));
        // SAFETY: in the mapping and aligned (asserted; a mapping begins at a page).
        let place = unsafe { self.start.as_ptr().add(at) }.cast::<u32>();
        // SAFETY: `place` is aligned and mapped readable; volatile, since the kernel writes there too.
        unsafe { place.read_volatile() }
    }

    /// Sets such a number.
    pub(super) fn set_number(&self, at: usize, value: u32) {
        assert!(at.is_multiple_of(4) && at.checked_add(4).is_some_and(|end| end <= self.length));
        // SAFETY: in the mapping and aligned (asserted; a mapping begins at a page).
        let place = unsafe { self.start.as_ptr().add(at) }.cast::<u32>();
        // SAFETY: `place` is aligned and mapped writable; volatile, since the kernel reads there too.
        unsafe { place.write_volatile(value) };
    }

    /// Runs what was written to it: a function of the C ABI that takes nothing and gives an int.
    pub(super) fn run(&self) -> i32 {
        // SAFETY: the one caller has written a whole function of this ABI (`tiny_elf::FUNCTION`) to the start of the
        // mapping and made it executable; a mapping begins at a page, so it is aligned.
        let function: extern "C" fn() -> i32 = unsafe { std::mem::transmute(self.start.as_ptr()) };
        function()
    }
}

/// dlopen(3), of a library whose constructors do nothing to us.
pub(super) fn load_library(path: &CStr) -> io::Result<()> {
    // SAFETY: `path` is a C string; the deeds load copies of the system's libm, which has no constructors of its own, and
    // end right after.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    if !library.is_null() {
        return Ok(());
    }
    // SAFETY: after a dlopen that failed, dlerror gives a C string that lives until the next call of it in this thread.
    let why = unsafe { libc::dlerror() };
    if why.is_null() {
        return Err(io::Error::other("dlopen failed without a reason"));
    }
    // SAFETY: not null, and a C string by dlerror(3); it is copied before anything else happens.
    let why = unsafe { CStr::from_ptr(why) };
    Err(io::Error::other(why.to_string_lossy().into_owned()))
}

/// The errno of a call that returned -1.
fn cerr(result: i64) -> io::Result<i64> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
