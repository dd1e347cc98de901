//! The thread whose call waits: its memory, its descriptors, its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::asked::Notification;
use super::callers::{self, Caller, Callers};
use super::sys;
use crate::Program;

/// Why a call can't be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody waits for it any more.
    Gone,
    /// It fails.
    Errno(i32),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl From<nix::errno::Errno> for Trouble {
    fn from(errno: nix::errno::Errno) -> Self {
        Self::Errno(errno as i32)
    }
}

/// A thread that waits.
///
/// Its number may be another's as soon as it is killed. So what is taken by number is only used once the notification was
/// found to be waiting afterwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    listener: BorrowedFd<'a>,
    callers: &'a Callers,
    id: u64,
    tid: i32,
}

impl<'a> Target<'a> {
    pub(super) fn new(listener: BorrowedFd<'a>, callers: &'a Callers, notification: &Notification) -> Self {
        Self { listener, callers, id: notification.id, tid: notification.tid }
    }

    /// Of its memory, `length` bytes, which are a page's part at most.
    pub(super) fn read(&self, address: u64, length: usize) -> Result<Vec<u8>, Trouble> {
        let read = self.read_by_number(address, length);
        self.still_waits()?;
        read
    }

    /// As [`Target::read`] and [`Target::descriptor`], looking once for both whether it still waits.
    pub(super) fn read_with_descriptor(
        &self,
        (address, length): (u64, usize),
        fd: i32,
    ) -> Result<(Vec<u8>, OwnedFd), Trouble> {
        let read = self.read_by_number(address, length);
        // Which looks, whatever came of the reading, and fails if there was nobody to be read.
        let socket = match self.descriptor(fd) {
            Err(Trouble::Gone) => return Err(Trouble::Gone),
            other => other,
        };
        Ok((read?, socket?))
    }

    /// A string without its NUL, of at most PATH_MAX bytes.
    pub(super) fn read_string(&self, address: u64) -> Result<Vec<u8>, Trouble> {
        const PAGE_BYTES: u64 = 4096;
        const PATH_MAX: usize = 4096;
        let mut text = Vec::new();
        let mut at = address;
        while text.len() < PATH_MAX {
            // Not past the end of a page: the next one may not be there.
            let left = (PAGE_BYTES - at % PAGE_BYTES) as usize;
            let piece = self.read(at, left.min(PATH_MAX - text.len()))?;
            if let Some(end) = piece.iter().position(|byte| *byte == 0) {
                text.extend(piece.get(..end).unwrap_or_default());
                return Ok(text);
            }
            at = at.checked_add(piece.len() as u64).ok_or(Trouble::Errno(libc::EFAULT))?;
            text.extend(piece);
        }
        Err(Trouble::Errno(libc::ENAMETOOLONG))
    }

    /// Its memory, to write to: once opened it is that of this process and no other's.
    pub(super) fn memory(&self) -> Result<Memory, Trouble> {
        let file = OpenOptions::new().write(true).open(format!("/proc/{}/mem", self.tid));
        self.still_waits()?;
        Ok(Memory(file?))
    }

    /// The open file behind one of its descriptors, whatever the number stands for a moment later.
    pub(super) fn descriptor(&self, fd: i32) -> Result<OwnedFd, Trouble> {
        let known = self.callers.known(self.tid).map(|caller| caller.descriptor(fd));
        let taken = match known {
            Some(Err(error)) if error.raw_os_error() == Some(libc::ESRCH) => None,
            other => other,
        };
        if let Some(taken) = taken {
            self.still_waits()?;
            return Ok(taken?);
        }
        let caller = Caller::find(self.tid);
        self.still_waits()?;
        let caller = caller?;
        self.callers.remember(&caller);
        Ok(caller.descriptor(fd)?)
    }

    /// Who it is.
    pub(super) fn program(&self) -> Program {
        // Not looked up by number: see `Caller`.
        if let Some((pid, path)) = self.callers.known(self.tid).and_then(|caller| caller.program()) {
            return Program { pid, path: Some(path) };
        }
        Program { pid: callers::process(self.tid), path: self.link("exe").ok() }
    }

    /// A link of /proc: `exe`, `cwd`, `fd/3`.
    pub(super) fn link(&self, name: &str) -> Result<PathBuf, Trouble> {
        let link = fs::read_link(self.proc(name));
        self.still_waits()?;
        Ok(link?)
    }

    /// Its root directory.
    pub(super) fn root(&self) -> Result<File, Trouble> {
        let root = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(self.proc("root"));
        self.still_waits()?;
        Ok(root?)
    }

    /// The mask that it creates files with.
    pub(super) fn umask(&self) -> Option<u32> {
        let status = fs::read_to_string(self.proc("status")).ok()?;
        u32::from_str_radix(callers::field(&status, "Umask:")?, 8).ok()
    }

    fn proc(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.tid).into()
    }

    /// Whoever has its number now.
    fn read_by_number(&self, address: u64, length: usize) -> Result<Vec<u8>, Trouble> {
        let mut bytes = vec![0; length];
        let base = usize::try_from(address).map_err(|_| Trouble::Errno(libc::EFAULT))?;
        let read = process_vm_readv(
            Pid::from_raw(self.tid),
            &mut [IoSliceMut::new(&mut bytes)],
            &[RemoteIoVec { base, len: length }],
        );
        if read? == length { Ok(bytes) } else { Err(Trouble::Errno(libc::EFAULT)) }
    }

    fn still_waits(&self) -> Result<(), Trouble> {
        if sys::is_waiting(self.listener, self.id) { Ok(()) } else { Err(Trouble::Gone) }
    }
}

/// The memory of one process.
#[derive(Debug)]
pub(super) struct Memory(File);

impl Memory {
    /// All of `bytes`, or EFAULT.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Trouble> {
        self.0.write_all_at(bytes, address).map_err(|_| Trouble::Errno(libc::EFAULT))
    }
}
