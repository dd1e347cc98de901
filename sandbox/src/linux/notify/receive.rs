//! What a program reads of its own sockets: names, and datagrams with their sender. Only what seems to be something else
//! than it is is answered here; for the rest the kernel does.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};

use super::address;
use super::asked::{Notification, Receive, Received};
use super::desk::Outcome;
use super::faces::{Datagram, Face, Faces};
use super::pending::Pending;
use super::reply::{Reply, Undecided};
use super::sys;
use super::target::{Memory, Target, Trouble};

/// No datagram is longer.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// UIO_MAXIOV is 1,024; nobody reads a datagram into so many pieces.
const PIECES_MAX: usize = 64;

/// Answers such a call.
pub(super) fn receive(
    faces: &Faces,
    target: &Target<'_>,
    notification: &Notification,
    call: Receive,
) -> Result<Outcome, Trouble> {
    let foreign = |call: &Receive| Ok(Outcome::Reply(Reply::Undecided(Undecided::foreign(call))));
    // What can't be taken out of the process (it isn't dumpable), or is no socket, is none of ours.
    let socket = match target.descriptor(notification.int(0)) {
        Ok(socket) => socket,
        Err(Trouble::Gone) => return Err(Trouble::Gone),
        Err(Trouble::Errno(_)) => return foreign(&call),
    };
    let face = sys::cookie(socket.as_fd()).ok().and_then(|cookie| faces.get(cookie));
    let name = match (face, call.what) {
        (None, _) | (Some(Face::Relayed(_)), Received::LocalName) => return foreign(&call),
        (Some(Face::Relayed(_)), Received::Datagram | Received::Message) => return foreign(&call),
        (Some(Face::Relayed(peer)), Received::PeerName) => match relayed(&socket, peer) {
            Some(name) => name,
            None => return foreign(&call),
        },
        (Some(Face::Datagram(datagram)), Received::LocalName) => datagram.local_name(),
        (Some(Face::Datagram(datagram)), Received::PeerName) => {
            datagram.peer_name().ok_or(Trouble::Errno(libc::ENOTCONN))?
        }
        (Some(Face::Datagram(datagram)), Received::Datagram | Received::Message) => {
            return match take(target, notification, &socket, &call, datagram) {
                Err(Trouble::Errno(libc::EAGAIN)) if waits(&socket, &call, notification)? => {
                    Pending::receive(notification, socket, call, datagram).map(Outcome::Wait)
                }
                other => other.map(Outcome::Reply),
            };
        }
    };
    let memory = target.memory()?;
    write_name(target, &memory, (notification.pointer(1), notification.pointer(2)), &name)?;
    Ok(Outcome::Reply(Reply::Value(0)))
}

/// The peer of a connection that a relay carries on: while it stands, whom it was made to.
fn relayed(socket: &OwnedFd, peer: std::net::SocketAddr) -> Option<Vec<u8>> {
    sys::name(socket.as_fd(), sys::Side::Peer).ok()?;
    let domain = sys::option(socket.as_fd(), libc::SO_DOMAIN).ok()?;
    address::write(peer, domain)
}

/// Whether the caller wants to wait for a datagram.
fn waits(socket: &OwnedFd, call: &Receive, notification: &Notification) -> Result<bool, Trouble> {
    let flags = flags_of(call, notification);
    if flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE) != 0 {
        return Ok(false);
    }
    let flags = nix::fcntl::fcntl(socket, nix::fcntl::FcntlArg::F_GETFL)?;
    Ok(flags & libc::O_NONBLOCK == 0)
}

fn flags_of(call: &Receive, notification: &Notification) -> i32 {
    match call.what {
        Received::Message => notification.int(2),
        _ => notification.int(3),
    }
}

/// Takes one datagram out of the pair and gives it to the program, with the sender's name. EAGAIN: there is none yet.
pub(super) fn take(
    target: &Target<'_>,
    notification: &Notification,
    socket: &OwnedFd,
    call: &Receive,
    datagram: Datagram,
) -> Result<Reply, Trouble> {
    let flags = flags_of(call, notification);
    if flags & libc::MSG_ERRQUEUE != 0 {
        // There are never errors queued.
        return Err(Trouble::Errno(libc::EAGAIN));
    }
    // Read first what a bad pointer would make fail, so that no datagram is lost by it.
    let memory = target.memory()?;
    let plan = Plan::of(target, notification, call)?;
    let room: usize = plan.pieces.iter().map(|(_, length)| *length).sum();
    let mut buffer = vec![0; room.min(DATAGRAM_BYTES_MAX)];
    let kept = flags & (libc::MSG_PEEK | libc::MSG_TRUNC);
    let how = MsgFlags::from_bits_truncate(kept | libc::MSG_TRUNC) | MsgFlags::MSG_DONTWAIT;
    let whole = recv(socket.as_raw_fd(), &mut buffer, how)?;
    if whole == 0 && has_ended(socket) {
        return Err(Trouble::Errno(libc::ECONNREFUSED));
    }
    let length = whole.min(buffer.len());
    let mut rest = buffer.get(..length).unwrap_or_default();
    for (address, room) in &plan.pieces {
        let (piece, after) = rest.split_at(rest.len().min(*room));
        memory.write(*address, piece)?;
        rest = after;
    }
    if let Some(header) = plan.header {
        header.write(&memory, whole > length)?;
    }
    if let Some(name) = plan.name {
        write_name(target, &memory, name, &datagram.sender())?;
    }
    let told = if flags & libc::MSG_TRUNC != 0 { whole } else { length };
    Ok(Reply::Value(i64::try_from(told).unwrap_or(i64::MAX)))
}

/// Whether nobody is at the other end: an empty datagram looks the same.
fn has_ended(socket: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    let ended = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| events.contains(PollFlags::POLLHUP));
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|_| fds.iter().any(ended))
}

/// Where a datagram goes.
struct Plan {
    pieces: Vec<(u64, usize)>,
    /// Pointers to the sender's name and to its length.
    name: Option<(u64, u64)>,
    header: Option<Header>,
}

impl Plan {
    fn of(target: &Target<'_>, notification: &Notification, call: &Receive) -> Result<Self, Trouble> {
        if call.what != Received::Message {
            let length = usize::try_from(notification.pointer(2)).unwrap_or(usize::MAX);
            return Ok(Self {
                pieces: vec![(notification.pointer(1), length.min(DATAGRAM_BYTES_MAX))],
                name: Some((notification.pointer(4), notification.pointer(5))),
                header: None,
            });
        }
        let header = Header { at: notification.pointer(1) };
        let words = header.read(target)?;
        let [name, _, pieces, count, ..] = words;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > PIECES_MAX {
            return Err(Trouble::Errno(libc::EMSGSIZE));
        }
        // struct iovec: a pointer and a length.
        let bytes = target.read(pieces, count * 16)?;
        let words: Vec<u64> = bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        let pieces = words.as_chunks().0.iter().map(|[at, length]| {
            (*at, usize::try_from(*length).unwrap_or(usize::MAX).min(DATAGRAM_BYTES_MAX))
        });
        let name = (name != 0).then_some((name, header.at + Header::NAME_LENGTH));
        Ok(Self { pieces: pieces.collect(), name, header: Some(header) })
    }
}

/// `struct msghdr` of a 64-bit program (the filter lets no other run): name, its length (4 bytes and 4 of padding),
/// pieces, their number, control data, its length, flags (4 bytes).
#[derive(Clone, Copy)]
struct Header {
    at: u64,
}

impl Header {
    const NAME_LENGTH: u64 = 8;
    const CONTROL_LENGTH: u64 = 40;
    const FLAGS: u64 = 48;

    fn read(self, target: &Target<'_>) -> Result<[u64; 7], Trouble> {
        let bytes = target.read(self.at, 56)?;
        let (words, _) = bytes.as_chunks();
        let mut header = [0; 7];
        for (into, word) in header.iter_mut().zip(words) {
            *into = u64::from_ne_bytes(*word);
        }
        Ok(header)
    }

    /// There is never control data.
    fn write(self, memory: &Memory, is_cut: bool) -> Result<(), Trouble> {
        let flags = if is_cut { libc::MSG_TRUNC } else { 0 };
        memory.write(self.at + Self::CONTROL_LENGTH, &0u64.to_ne_bytes())?;
        memory.write(self.at + Self::FLAGS, &flags.to_ne_bytes())
    }
}

/// As much of a name as there is room for, and its length (`move_addr_to_user` of net/socket.c).
fn write_name(
    target: &Target<'_>,
    memory: &Memory,
    (name_at, length_at): (u64, u64),
    name: &[u8],
) -> Result<(), Trouble> {
    let room = target.read(length_at, 4)?;
    let room = room.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    let room = usize::try_from(room).map_err(|_| Trouble::Errno(libc::EINVAL))?;
    memory.write(name_at, name.get(..room.min(name.len())).unwrap_or_default())?;
    let length = u32::try_from(name.len()).unwrap_or(0);
    memory.write(length_at, &length.to_ne_bytes())
}
