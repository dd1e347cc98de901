//! As much of io_uring(7) as it takes to do one operation after another.

use std::io;
use std::os::fd::RawFd;

use super::sys::{Arg, Mapping, call};

pub(super) const OPENAT: u8 = 18;
pub(super) const READ: u8 = 22;
pub(super) const SEND: u8 = 26;
pub(super) const CONNECT: u8 = 16;
pub(super) const SOCKET: u8 = 45;

const OFF_CQ_RING: i64 = 0x800_0000;
const OFF_SQES: i64 = 0x1000_0000;
const GETEVENTS: i64 = 1;
const PAGE: usize = 4096;

/// An operation, as `struct io_uring_sqe` has it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Operation {
    pub(super) opcode: u8,
    pub(super) fd: RawFd,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) length: u32,
    pub(super) flags: u32,
}

/// A ring with room for one operation.
#[derive(Debug)]
pub(super) struct Ring {
    fd: i64,
    submissions: Mapping,
    completions: Mapping,
    entries: Mapping,
    /// Offsets into the rings.
    at: Offsets,
    done: u32,
}

#[derive(Clone, Copy, Debug)]
struct Offsets {
    tail: usize,
    array: usize,
    head_of_completions: usize,
    completions: usize,
}

impl Ring {
    /// io_uring_setup(2) and its three mappings.
    pub(super) fn new() -> io::Result<Self> {
        // struct io_uring_params is 120 bytes: ten numbers, then two structures of offsets.
        let mut params = [0u8; 120];
        let fd = call(libc::SYS_io_uring_setup, [Arg::Int(1), Arg::Out(&mut params)])?;
        let number = |index: usize| {
            let bytes = params.iter().skip(index * 4).take(4).rev();
            bytes.fold(0usize, |number, byte| number << 8 | usize::from(*byte))
        };
        let map = |offset| {
            let access = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
            Mapping::at_offset(i32::try_from(fd).unwrap_or(-1), PAGE, access, offset)
        };
        // sq_off begins at byte 40: head, tail, ring_mask, ring_entries, flags, dropped, array; cq_off at byte 80: head,
        // tail, ring_mask, ring_entries, overflow, cqes.
        let at = Offsets {
            tail: number(11),
            array: number(16),
            head_of_completions: number(20),
            completions: number(25),
        };
        Ok(Self {
            fd,
            submissions: map(0)?,
            completions: map(OFF_CQ_RING)?,
            entries: map(OFF_SQES)?,
            at,
            done: 0,
        })
    }

    /// Does one operation and gives its result.
    pub(super) fn run(&mut self, operation: Operation) -> io::Result<i32> {
        let mut entry = vec![operation.opcode, 0, 0, 0];
        entry.extend(operation.fd.to_ne_bytes());
        entry.extend(operation.offset.to_ne_bytes());
        entry.extend(operation.address.to_ne_bytes());
        entry.extend(operation.length.to_ne_bytes());
        entry.extend(operation.flags.to_ne_bytes());
        entry.resize(64, 0);
        self.entries.write(0, &entry);
        self.submissions.set_number(self.at.array, 0);
        self.submissions.set_number(self.at.tail, self.done.wrapping_add(1));
        let [none, size] = [0, 0].map(Arg::Int);
        let enter = [Arg::Int(self.fd), Arg::Int(1), Arg::Int(1), Arg::Int(GETEVENTS), none, size];
        call(libc::SYS_io_uring_enter, enter)?;
        // With room for one submission there is room for two completions, each a cookie, the result and flags.
        let slot = self.done as usize % 2;
        let result = self.completions.number(self.at.completions + slot * 16 + 8).cast_signed();
        self.done = self.done.wrapping_add(1);
        self.completions.set_number(self.at.head_of_completions, self.done);
        if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
    }
}
