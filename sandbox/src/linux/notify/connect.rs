//! connect(2): the address is copied, the socket taken out of the process, and the call made here, on both.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use super::address::{self, BYTES_MAX, FAMILY_BYTES, Kind};
use super::asked::Notification;
use super::desk::{Grounds, Memories, Outcome};
use super::faces::Face;
use super::own::Own;
use super::reply::Reply;
use super::sys::{self, Side};
use super::target::{Target, Trouble};
use super::{datagram, pending, unix};
use crate::{Backend, Way, Wish};

/// Answers a connect.
pub(super) fn connect(
    grounds: &Grounds,
    memories: &mut Memories,
    target: &Target<'_>,
    notification: &Notification,
) -> Result<Outcome, Trouble> {
    let faces = &mut memories.faces;
    let (asked, socket) = arguments(target, notification)?;
    let kind = Kind::of(socket.as_fd())?;
    if kind.domain == libc::AF_UNIX {
        let cookie = sys::cookie(socket.as_fd())?;
        if let Some(Face::Datagram(of)) = faces.get(cookie) {
            let of = datagram::connect(of, &asked).map_err(Trouble::Errno)?;
            faces.put(cookie, Face::Datagram(of));
            return Ok(Outcome::Reply(Reply::Value(0)));
        }
        let to = unix::connect(grounds, &memories.bound, target, &asked)?;
        return pending::connect(notification, socket, to);
    }
    if !grounds.host_network() {
        // In a network namespace of its own every address is ours. Netlink is the kernel, where we may be more than it.
        return match kind.is_internet() {
            true if grounds.backend == Backend::Namespaces => {
                pending::connect(notification, socket, asked.into())
            }
            _ => Err(Trouble::Errno(libc::EACCES)),
        };
    }
    if !kind.is_tcp() {
        return Err(Trouble::Errno(libc::EACCES));
    }
    let to = match tcp(grounds, (target, &memories.own), (&socket, kind), &asked)? {
        Led::Again(address) => address,
        Led::Straight(address) => {
            if faces.have_relayed() {
                faces.forget(sys::cookie(socket.as_fd())?);
            }
            address
        }
        Led::Around(address, wish) => {
            faces.put(sys::cookie(socket.as_fd())?, Face::Relayed(wish.to));
            address
        }
    };
    pending::connect(notification, socket, to.into())
}

/// The address of the second and third argument, and the socket of the first.
pub(super) fn arguments(
    target: &Target<'_>,
    notification: &Notification,
) -> Result<(Vec<u8>, OwnedFd), Trouble> {
    let length = usize::try_from(notification.int(2)).map_err(|_| Trouble::Errno(libc::EINVAL))?;
    if !(FAMILY_BYTES..=BYTES_MAX).contains(&length) {
        return Err(Trouble::Errno(libc::EINVAL));
    }
    target.read_with_descriptor((notification.pointer(1), length), notification.int(0))
}

/// Where a TCP connection is led, as the socket's domain writes it.
enum Led {
    /// Where it leads already.
    Again(Vec<u8>),
    Straight(Vec<u8>),
    /// Through a relay.
    Around(Vec<u8>, Wish),
}

fn tcp(
    grounds: &Grounds,
    (target, own): (&Target<'_>, &Own),
    (socket, kind): (&OwnedFd, Kind),
    asked: &[u8],
) -> Result<Led, Trouble> {
    if address::family(asked) == Some(libc::AF_UNSPEC) {
        // "Dissolve the association", connect(2): of our copy, since the program's may name a family by now.
        return Ok(Led::Straight(asked.to_vec()));
    }
    if let Some(peer) = named(socket, Side::Peer).and_then(|peer| address::write(peer, kind.domain)) {
        // It is connected, which programs find out by asking again: what the kernel answers depends on whether it has
        // told them yet. The address can't matter any more, so it is the one that was granted.
        return Ok(Led::Again(peer));
    }
    let to = address::internet(asked, kind.domain).map_err(Trouble::Errno)?;
    let wish = Wish { to: address::canonical(to), program: target.program() };
    let unreachable = Trouble::Errno(libc::ENETUNREACH);
    if own.takes(wish.to) {
        return address::write(wish.to, kind.domain).map(Led::Straight).ok_or(unreachable);
    }
    match grounds.gatekeeper.connect(&wish) {
        Way::Refused(errno) => Err(Trouble::Errno(errno)),
        Way::Direct(address) => address::write(address, kind.domain).map(Led::Straight).ok_or(unreachable),
        Way::Relay(relay) => {
            let address = address::write(relay, kind.domain).ok_or(unreachable)?;
            let from = source(socket, kind.domain, relay)?;
            grounds.gatekeeper.relayed(from, &wish);
            Ok(Led::Around(address, wish))
        }
    }
}

/// The address from which the relay will see the connection come. Only the port is bound, so that a socket that fails
/// here can still be connected to somewhere else.
fn source(socket: &OwnedFd, domain: i32, relay: SocketAddr) -> Result<SocketAddr, Trouble> {
    const EINVAL: Trouble = Trouble::Errno(libc::EINVAL);
    let any = address::write(address::unspecified(domain), domain).unwrap_or_default();
    match sys::bind(socket.as_fd(), &any).map_err(Trouble::from) {
        // It has an address already, bind(2).
        Ok(()) | Err(EINVAL) => {}
        Err(other) => return Err(other),
    }
    let from = named(socket, Side::Local).filter(|from| from.port() != 0).ok_or(EINVAL)?;
    let from = address::canonical(from);
    let ip = if from.ip().is_unspecified() {
        address::loopback(address::canonical(relay).ip())
    } else {
        from.ip()
    };
    Ok((ip, from.port()).into())
}

/// One of an internet socket's names.
pub(super) fn named(socket: &OwnedFd, side: Side) -> Option<SocketAddr> {
    sys::name(socket.as_fd(), side).ok().and_then(|name| address::read(&name))
}
