//! What a waiting call is told.
//!
//! A call that goes on is carried out by the kernel with whatever its pointers and descriptors then hold, which another
//! thread may have changed since they were looked at. So the flag for it stands here, once, behind a token that can be had
//! for two kinds of call only: neither asked for a decision.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::asked::{FileCall, Receive};
use super::sys::{self, Then};

/// An answer.
#[derive(Debug)]
pub(super) enum Reply {
    /// It returns this.
    Value(i64),
    /// It fails with this errno.
    Errno(i32),
    /// It returns a new descriptor.
    Descriptor(OwnedFd, CloseOnExec),
    /// The kernel carries it out.
    Undecided(Undecided),
}

/// Whether a descriptor is closed by execve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseOnExec {
    Yes,
    No,
}

/// Proof that nothing was decided about a call.
#[derive(Debug)]
pub(super) struct Undecided(());

impl Undecided {
    /// Somebody only looks on: Landlock judges the call when it runs.
    pub(super) fn observed(_call: &FileCall) -> Self {
        Self(())
    }

    /// A program reads from a socket that is not one end of a pair of ours. If it swaps the descriptor now, it reads from
    /// another socket of its own.
    pub(super) fn foreign(_call: &Receive) -> Self {
        Self(())
    }
}

/// As `struct seccomp_notif_resp` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) value: i64,
    pub(super) error: i32,
    pub(super) flags: u32,
}

impl Words {
    fn value(value: i64) -> Self {
        Self { value, error: 0, flags: 0 }
    }

    /// An errno that is none would be a success.
    fn errno(errno: i32) -> Self {
        const MAX_ERRNO: i32 = 4095;
        let errno = if (1..=MAX_ERRNO).contains(&errno) { errno } else { libc::EACCES };
        Self { value: 0, error: -errno, flags: 0 }
    }

    fn undecided(_proof: &Undecided) -> Self {
        Self { value: 0, error: 0, flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 }
    }
}

/// Sends it. Nobody waits any more if the process was killed meanwhile, which is nobody's concern.
pub(super) fn send(listener: BorrowedFd<'_>, id: u64, reply: &Reply) {
    let words = match reply {
        Reply::Value(value) => Words::value(*value),
        Reply::Errno(errno) => Words::errno(*errno),
        Reply::Undecided(proof) => Words::undecided(proof),
        Reply::Descriptor(fd, close) => match hand_over(listener, id, fd, *close) {
            Ok(None) => return,
            Ok(Some(number)) => Words::value(i64::from(number)),
            // EMFILE, most likely: what the call itself would have said.
            Err(error) => Words::errno(error.raw_os_error().unwrap_or(libc::EMFILE)),
        },
    };
    let _ = sys::send(listener, id, words);
}

/// The number of the descriptor, if the call still has to be told.
fn hand_over(listener: BorrowedFd<'_>, id: u64, fd: &OwnedFd, close: CloseOnExec) -> io::Result<Option<i32>> {
    let flags = match close {
        CloseOnExec::Yes => libc::O_CLOEXEC,
        CloseOnExec::No => 0,
    };
    match sys::add_descriptor(listener, id, fd.as_fd(), flags, Then::Answer) {
        // Linux 5.9 to 5.13 don't know the flag.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            sys::add_descriptor(listener, id, fd.as_fd(), flags, Then::Wait).map(Some)
        }
        other => other.map(|_| None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_errno_is_taken_for_a_success() {
        for errno in [0, -1, -13, 4096, i32::MIN, i32::MAX] {
            assert_eq!(Words::errno(errno), Words { value: 0, error: -libc::EACCES, flags: 0 });
        }
        assert_eq!(Words::errno(libc::ENOENT).error, -libc::ENOENT);
    }

    /// The type allows it in one place; this looks that there is no second way.
    #[test]
    fn the_flag_that_lets_a_call_go_on_stands_in_one_line_of_the_supervisor() {
        const SOURCES: &[(&str, &str)] = &[
            ("address", include_str!("address.rs")),
            ("asked", include_str!("asked.rs")),
            ("bound", include_str!("bound.rs")),
            ("callers", include_str!("callers.rs")),
            ("connect", include_str!("connect.rs")),
            ("datagram", include_str!("datagram.rs")),
            ("desk", include_str!("desk.rs")),
            ("faces", include_str!("faces.rs")),
            ("listen", include_str!("listen.rs")),
            ("memory", include_str!("memory.rs")),
            ("mod", include_str!("mod.rs")),
            ("observe", include_str!("observe.rs")),
            ("own", include_str!("own.rs")),
            ("pending", include_str!("pending.rs")),
            ("receive", include_str!("receive.rs")),
            ("reply", include_str!("reply.rs")),
            ("sys", include_str!("sys.rs")),
            ("target", include_str!("target.rs")),
            ("told", include_str!("told.rs")),
            ("unix", include_str!("unix.rs")),
        ];
        let count = |word: &str| {
            let production = |text: &'static str| text.split("#[cfg(test)]").next().unwrap_or(text);
            SOURCES.iter().map(|(_, text)| production(text).matches(word).count()).sum::<usize>()
        };
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/linux/notify"));
        if let Ok(files) = files {
            let rust = files.flatten().filter(|file| file.path().extension().is_some_and(|it| it == "rs"));
            assert_eq!(rust.count(), SOURCES.len(), "a file of the supervisor is not looked at here");
        }
        assert_eq!(count("FLAG_CONTINUE"), 1);
        assert_eq!(count("Undecided(())"), 1, "its declaration");
        assert_eq!(count("Undecided::observed("), 1);
        assert_eq!(count("Undecided::foreign("), 1);
        // Bare numbers for flags would be a way too.
        assert_eq!(count("flags: 1"), 0);
    }
}
