//! What the filter asks, by the number of the call.

use crate::os::bpf::low_half;

/// One call that waits for an answer: seccomp_unotify(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notification {
    pub(super) id: u64,
    /// Of the thread, in our pid namespace.
    pub(super) tid: i32,
    pub(super) number: u32,
    pub(super) arguments: [u64; 6],
}

impl Notification {
    /// An argument that holds a pointer.
    pub(super) fn pointer(&self, place: usize) -> u64 {
        self.arguments.get(place).copied().unwrap_or(0)
    }

    /// An argument of which the kernel reads 32 bits.
    pub(super) fn int(&self, place: usize) -> i32 {
        self.unsigned(place).cast_signed()
    }

    /// The same, unsigned.
    pub(super) fn unsigned(&self, place: usize) -> u32 {
        low_half(self.pointer(place))
    }
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Socket,
    Connect,
    Bind,
    Listen,
    /// setsockopt(2)
    Set,
    MemoryFile,
    /// The kernel only fills the caller's memory.
    Receive(Receive),
    /// Nothing: somebody looks on.
    File(FileCall),
    /// Nothing: it is refused, and told.
    Told,
}

/// A call by which a program reads what its own socket holds, and nothing else. There is one only where [`Asked::of`] finds
/// it: who holds one may let the call go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Receive {
    pub(super) what: Received,
    sealed: Sealed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// getsockname(2)
    LocalName,
    /// getpeername(2)
    PeerName,
    /// recvfrom(2)
    Datagram,
    /// recvmsg(2)
    Message,
}

/// A call that opens or executes a file, which is none of the supervisor's business. There is one only where
/// [`Asked::of`] finds it: who holds one may let the call go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileCall {
    pub(super) how: Opens,
    sealed: Sealed,
}

/// How a call names a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opens {
    /// open(2): path, flags
    Open,
    /// openat(2): directory, path, flags
    OpenAt,
    /// creat(2): path
    Create,
    /// execve(2): path
    Execute,
    /// execveat(2): directory, path
    ExecuteAt,
}

#[derive(Debug, PartialEq, Eq)]
struct Sealed;

impl Asked {
    /// Every number that is in none of these lists is refused.
    pub(super) fn of(number: u32) -> Self {
        let receive = |what| Self::Receive(Receive { what, sealed: Sealed });
        let file = |how| Self::File(FileCall { how, sealed: Sealed });
        match libc::c_long::from(number) {
            libc::SYS_socket => Self::Socket,
            libc::SYS_connect => Self::Connect,
            libc::SYS_bind => Self::Bind,
            libc::SYS_listen => Self::Listen,
            libc::SYS_setsockopt => Self::Set,
            libc::SYS_memfd_create => Self::MemoryFile,
            libc::SYS_getsockname => receive(Received::LocalName),
            libc::SYS_getpeername => receive(Received::PeerName),
            libc::SYS_recvfrom => receive(Received::Datagram),
            libc::SYS_recvmsg => receive(Received::Message),
            libc::SYS_openat => file(Opens::OpenAt),
            libc::SYS_execve => file(Opens::Execute),
            libc::SYS_execveat => file(Opens::ExecuteAt),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open => file(Opens::Open),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_creat => file(Opens::Create),
            _ => Self::Told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_that_open_or_receive_can_ever_go_on() {
        let goes_on = |number| matches!(Asked::of(number), Asked::Receive(_) | Asked::File(_));
        let found: Vec<u32> = (0..100_000).filter(|&number| goes_on(number)).collect();
        let mut expected = vec![
            libc::SYS_getsockname,
            libc::SYS_getpeername,
            libc::SYS_recvfrom,
            libc::SYS_recvmsg,
            libc::SYS_openat,
            libc::SYS_execve,
            libc::SYS_execveat,
        ];
        #[cfg(target_arch = "x86_64")]
        expected.extend([libc::SYS_open, libc::SYS_creat]);
        expected.sort_unstable();
        assert_eq!(found, expected.iter().map(|&number| number as u32).collect::<Vec<_>>());
    }

    #[test]
    fn the_upper_half_of_an_int_is_not_read() {
        let arguments = [0xffff_ffff_0000_0007, u64::MAX, 0, 0, 0, 0];
        let notification = Notification { id: 1, tid: 1, number: 0, arguments };
        assert_eq!(notification.int(0), 7);
        assert_eq!(notification.int(1), -1);
    }
}
