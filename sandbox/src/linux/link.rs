//! What the processes of a jail tell each other, one SEQPACKET datagram a message.

use std::io::IoSlice;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixCredentials, recv,
    recvmsg, send, sendmsg, setsockopt, socketpair, sockopt,
};

use super::known::Fallen;
use super::limits::{CgroupTold, Held};
use super::step::{Failure, Step};
use super::sys;
use crate::{Backend, End, TreeLimit};

/// From the keeper to the launcher, while the jail is being built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// One descriptor comes with it: the filter of this backend asks on it, from before execve on.
    Listener(Backend),
    /// As many descriptors come with it: the doors of the network namespace.
    Doors(DoorCounts),
    /// execve succeeded.
    Started(Started),
    /// Nothing runs. The first is what failed in the last backend that was tried.
    Failed(Backend, Failure),
}

/// How many descriptors of each kind come with a message, in this order; the socket to PID 1 is the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DoorCounts {
    pub(crate) tcp: u8,
    pub(crate) dns_udp: u8,
    pub(crate) dns_tcp: u8,
}

/// A server that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Started {
    /// In the launcher's pid namespace.
    pub(crate) server_pid: i32,
    /// The one that worked.
    pub(crate) backend: Backend,
    /// Those that did not, in the order in which they were tried.
    pub(crate) failed: Vec<Fallen>,
    /// What became of its cgroup.
    pub(crate) cgroup: CgroupTold,
    /// Indices into the ruleset's paths.
    pub(crate) skipped: Vec<u16>,
}

/// From the keeper to the launcher, later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Ended(End),
    TreeGone,
    LimitHit(TreeLimit),
}

/// From the launcher to the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Terminate,
    Kill,
}

/// From the server's process before execve, and from PID 1, to the keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Sent by the server's process; the pid comes with it as a credential.
    Hello,
    /// Indices of granted paths that don't exist.
    Skipped(Vec<u16>),
    /// Nothing will run.
    Failed(Failure),
    /// From PID 1: the server's main process ended.
    Ended(End),
    /// From PID 1, with as many descriptors and one more, the socket to itself: see [`DoorCounts`].
    Doors(DoorCounts),
    /// From the server's process, with one descriptor: the listener of its filter.
    Listener,
    /// From PID 1, with two descriptors: its user namespace and its mount namespace.
    View,
    /// From PID 1, with one descriptor: the list of the System V segments of its namespace.
    Segments,
}

/// No message is longer: 1 byte a tag, 16 of `Started`, and two a skipped path.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// More skipped paths than this are not listed.
const SKIPPED_MAX: usize = 16 * 1024;

/// A connected pair, both ends close-on-exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?)
}

/// Makes each message on this end carry its sender's pid, translated into our pid namespace.
pub(crate) fn receive_pids(socket: &OwnedFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::PassCred, &true)?)
}

/// What can be sent: a message that knows its bytes.
pub(crate) trait Message: Sized {
    fn encode(&self) -> Vec<u8>;
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// Sends one message; a peer that is gone is EPIPE, never a signal.
pub(crate) fn tell(socket: impl AsFd, message: &impl Message) -> io::Result<()> {
    let bytes = message.encode();
    retry(|| send(socket.as_fd().as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL)).map(drop)
}

/// As [`tell`], with descriptors.
pub(crate) fn tell_with(socket: impl AsFd, message: &impl Message, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = message.encode();
    let raw: Vec<i32> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let controls = [ControlMessage::ScmRights(&raw)];
    let fd = socket.as_fd().as_raw_fd();
    retry(|| sendmsg::<()>(fd, &[IoSlice::new(&bytes)], &controls, MsgFlags::MSG_NOSIGNAL, None)).map(drop)
}

/// What came out of a socket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<M> {
    /// A message.
    Message(M),
    /// None yet (a non-blocking socket only).
    Nothing,
    /// The other end is closed.
    Gone,
}

/// Receives one message, blocking if the socket does and `flags` don't say MSG_DONTWAIT.
pub(crate) fn hear<M: Message>(socket: impl AsFd, flags: MsgFlags) -> io::Result<Heard<M>> {
    let mut buffer = [0; 256];
    match retry(|| recv(socket.as_fd().as_raw_fd(), &mut buffer, flags)) {
        Ok(0) => Ok(Heard::Gone),
        Ok(length) => Ok(buffer.get(..length).and_then(M::decode).map_or(Heard::Gone, Heard::Message)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Heard::Nothing),
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => Ok(Heard::Gone),
        Err(error) => Err(error),
    }
}

/// A message of any length, and what came with it.
#[derive(Debug)]
pub(crate) struct Letter<M> {
    pub(crate) heard: Heard<M>,
    /// Its sender's pid; 0 without [`receive_pids`].
    pub(crate) pid: i32,
    pub(crate) fds: Vec<OwnedFd>,
}

/// Receives one message of any length, blocking.
pub(crate) fn hear_long<M: Message>(socket: impl AsFd) -> io::Result<Letter<M>> {
    /// SCM_MAX_FD
    const FDS_MAX: usize = 253;
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    let mut space = nix::cmsg_space!(UnixCredentials, [i32; FDS_MAX]);
    let fd = socket.as_fd().as_raw_fd();
    let mut letter = Letter { heard: Heard::Gone, pid: 0, fds: Vec::new() };
    let length = {
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let received = retry(|| {
            let message = recvmsg::<()>(fd, &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
            for control in message.cmsgs()? {
                match control {
                    ControlMessageOwned::ScmCredentials(sender) => letter.pid = sender.pid(),
                    ControlMessageOwned::ScmRights(fds) => letter.fds.extend(fds.into_iter().map(sys::adopt)),
                    _ => {}
                }
            }
            Ok(message.bytes)
        });
        match received {
            Ok(length) => length,
            Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => 0,
            Err(error) => return Err(error),
        }
    };
    if let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) {
        letter.heard = M::decode(bytes).map_or(Heard::Gone, Heard::Message);
    }
    Ok(letter)
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

impl Message for Outcome {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Started(started) => {
                let mut bytes = vec![0, backend_byte(started.backend)];
                bytes.extend(started.server_pid.to_le_bytes());
                bytes.extend(fallen_bytes(&started.failed));
                bytes.extend(cgroup_bytes(started.cgroup));
                bytes.extend(index_bytes(&started.skipped));
                bytes
            }
            Self::Failed(backend, failure) => {
                let mut bytes = vec![1, backend_byte(*backend)];
                bytes.extend(failure_bytes(*failure));
                bytes
            }
            Self::Listener(backend) => vec![2, backend_byte(*backend)],
            Self::Doors(counts) => vec![3, counts.tcp, counts.dns_udp, counts.dns_tcp],
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0, backend, rest @ ..] => {
                let (pid, rest) = rest.split_first_chunk()?;
                let (failed, rest) = fallen_from(rest)?;
                let (cgroup, rest) = rest.split_first_chunk()?;
                Some(Self::Started(Started {
                    server_pid: i32::from_le_bytes(*pid),
                    backend: backend_from(*backend)?,
                    failed,
                    cgroup: cgroup_from(*cgroup),
                    skipped: indices_from(rest),
                }))
            }
            [1, backend, rest @ ..] => {
                let failure = failure_from(rest.try_into().ok()?)?;
                Some(Self::Failed(backend_from(*backend)?, failure))
            }
            [2, backend] => Some(Self::Listener(backend_from(*backend)?)),
            [3, tcp, dns_udp, dns_tcp] => {
                Some(Self::Doors(DoorCounts { tcp: *tcp, dns_udp: *dns_udp, dns_tcp: *dns_tcp }))
            }
            _ => None,
        }
    }
}

impl Message for Status {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello => vec![0],
            Self::Skipped(indices) => {
                let mut bytes = vec![1];
                bytes.extend(index_bytes(indices));
                bytes
            }
            Self::Failed(failure) => {
                let mut bytes = vec![2];
                bytes.extend(failure_bytes(*failure));
                bytes
            }
            Self::Ended(end) => {
                let mut bytes = vec![3];
                bytes.extend(end_bytes(*end));
                bytes
            }
            Self::Doors(counts) => vec![4, counts.tcp, counts.dns_udp, counts.dns_tcp],
            Self::Listener => vec![5],
            Self::View => vec![6],
            Self::Segments => vec![7],
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0] => Some(Self::Hello),
            [1, rest @ ..] => Some(Self::Skipped(indices_from(rest))),
            [2, rest @ ..] => Some(Self::Failed(failure_from(rest.try_into().ok()?)?)),
            [3, rest @ ..] => Some(Self::Ended(end_from(rest.try_into().ok()?)?)),
            [4, tcp, dns_udp, dns_tcp] => {
                Some(Self::Doors(DoorCounts { tcp: *tcp, dns_udp: *dns_udp, dns_tcp: *dns_tcp }))
            }
            [5] => Some(Self::Listener),
            [6] => Some(Self::View),
            [7] => Some(Self::Segments),
            _ => None,
        }
    }
}

impl Message for News {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ended(end) => {
                let mut bytes = vec![0];
                bytes.extend(end_bytes(*end));
                bytes
            }
            Self::TreeGone => vec![1],
            Self::LimitHit(limit) => vec![2, limit_byte(*limit)],
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0, rest @ ..] => Some(Self::Ended(end_from(rest.try_into().ok()?)?)),
            [1] => Some(Self::TreeGone),
            [2, limit] => Some(Self::LimitHit(limit_from(*limit)?)),
            _ => None,
        }
    }
}

impl Message for Order {
    fn encode(&self) -> Vec<u8> {
        vec![match self {
            Self::Terminate => 0,
            Self::Kill => 1,
        }]
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0] => Some(Self::Terminate),
            [1] => Some(Self::Kill),
            _ => None,
        }
    }
}

/// A number, and as many failures. There are three backends.
fn fallen_bytes(failed: &[Fallen]) -> impl Iterator<Item = u8> {
    let one =
        |(backend, failure): &Fallen| [backend_byte(*backend)].into_iter().chain(failure_bytes(*failure));
    let count = u8::try_from(failed.len()).unwrap_or(u8::MAX);
    [count].into_iter().chain(failed.iter().take(usize::from(count)).flat_map(one))
}

fn fallen_from(bytes: &[u8]) -> Option<(Vec<Fallen>, &[u8])> {
    let (count, mut rest) = bytes.split_first()?;
    let mut failed = Vec::new();
    for _ in 0..*count {
        let ([backend, failure @ ..], after) = rest.split_first_chunk::<6>()?;
        failed.push((backend_from(*backend)?, failure_from(*failure)?));
        rest = after;
    }
    Some((failed, rest))
}

fn failure_bytes(failure: Failure) -> [u8; 5] {
    let [a, b, c, d] = failure.errno.to_le_bytes();
    [failure.step as u8, a, b, c, d]
}

fn failure_from([step, errno @ ..]: [u8; 5]) -> Option<Failure> {
    Some(Failure::new(Step::from_byte(step)?, i32::from_le_bytes(errno)))
}

fn cgroup_bytes(CgroupTold { held, errno }: CgroupTold) -> [u8; 5] {
    let [a, b, c, d] = errno.to_le_bytes();
    [u8::from(held.memory) | u8::from(held.tasks) << 1, a, b, c, d]
}

fn cgroup_from([held, errno @ ..]: [u8; 5]) -> CgroupTold {
    let held = Held { memory: held & 1 != 0, tasks: held & 2 != 0 };
    CgroupTold { held, errno: i32::from_le_bytes(errno) }
}

fn end_bytes(end: End) -> [u8; 5] {
    let (tag, value) = match end {
        End::Exited(code) => (0, code),
        End::Signalled(signal) => (1, signal),
    };
    let [a, b, c, d] = value.to_le_bytes();
    [tag, a, b, c, d]
}

fn end_from([tag, value @ ..]: [u8; 5]) -> Option<End> {
    let value = i32::from_le_bytes(value);
    match tag {
        0 => Some(End::Exited(value)),
        1 => Some(End::Signalled(value)),
        _ => None,
    }
}

fn backend_byte(backend: Backend) -> u8 {
    match backend {
        Backend::Namespaces => 0,
        Backend::Static => 1,
        Backend::Notify => 2,
    }
}

fn limit_byte(limit: TreeLimit) -> u8 {
    match limit {
        TreeLimit::Processes => 0,
        TreeLimit::Memory => 1,
        TreeLimit::OpenPlace => 2,
        TreeLimit::CpuTime => 3,
        TreeLimit::FileSize => 4,
    }
}

fn limit_from(byte: u8) -> Option<TreeLimit> {
    match byte {
        0 => Some(TreeLimit::Processes),
        1 => Some(TreeLimit::Memory),
        2 => Some(TreeLimit::OpenPlace),
        3 => Some(TreeLimit::CpuTime),
        4 => Some(TreeLimit::FileSize),
        _ => None,
    }
}

fn backend_from(byte: u8) -> Option<Backend> {
    match byte {
        0 => Some(Backend::Namespaces),
        1 => Some(Backend::Static),
        2 => Some(Backend::Notify),
        _ => None,
    }
}

fn index_bytes(indices: &[u16]) -> impl Iterator<Item = u8> {
    indices.iter().take(SKIPPED_MAX).flat_map(|index| index.to_le_bytes())
}

fn indices_from(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survives<M: Message + PartialEq + std::fmt::Debug>(message: M) {
        assert_eq!(M::decode(&message.encode()), Some(message));
    }

    #[test]
    fn every_message_survives_the_way() {
        let failure = Failure::new(Step::MountProc, libc::EPERM);
        survives(Outcome::Started(Started {
            server_pid: 123_456,
            backend: Backend::Static,
            failed: vec![(Backend::Namespaces, failure), (Backend::Notify, failure)],
            cgroup: CgroupTold { held: Held { memory: false, tasks: true }, errno: libc::EBUSY },
            skipped: vec![0, 7, 65_535],
        }));
        survives(Outcome::Started(Started {
            server_pid: 2,
            backend: Backend::Namespaces,
            failed: Vec::new(),
            cgroup: CgroupTold { held: Held { memory: true, tasks: false }, errno: 0 },
            skipped: Vec::new(),
        }));
        survives(Outcome::Failed(Backend::Namespaces, failure));
        survives(Status::Hello);
        survives(Status::Skipped(vec![3, 500]));
        survives(Status::Failed(failure));
        survives(Status::Ended(End::Signalled(9)));
        survives(News::Ended(End::Exited(255)));
        survives(News::TreeGone);
        for limit in [
            TreeLimit::Processes,
            TreeLimit::Memory,
            TreeLimit::OpenPlace,
            TreeLimit::CpuTime,
            TreeLimit::FileSize,
        ] {
            survives(News::LimitHit(limit));
        }
        survives(Outcome::Listener(Backend::Notify));
        let counts = DoorCounts { tcp: 200, dns_udp: 2, dns_tcp: 1 };
        survives(Outcome::Doors(counts));
        survives(Status::Doors(counts));
        survives(Status::Listener);
        survives(Status::View);
        survives(Status::Segments);
        survives(Order::Terminate);
        survives(Order::Kill);
        assert_eq!(Order::decode(&[]), None);
        assert_eq!(News::decode(&[0, 1]), None);
    }

    #[test]
    fn a_closed_peer_is_told_from_silence() {
        let (ours, theirs) = pair().expect("socketpair");
        let heard = hear::<Order>(&ours, MsgFlags::MSG_DONTWAIT).expect("recv");
        assert_eq!(heard, Heard::Nothing);
        tell(&theirs, &Order::Kill).expect("send");
        drop(theirs);
        let heard = hear::<Order>(&ours, MsgFlags::MSG_DONTWAIT).expect("recv");
        assert_eq!(heard, Heard::Message(Order::Kill));
        let heard = hear::<Order>(&ours, MsgFlags::MSG_DONTWAIT).expect("recv");
        assert_eq!(heard, Heard::Gone);
    }
}
