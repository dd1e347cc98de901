//! bind(2) and listen(2) in the host's network: only on granted ports, and only on the loopback.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use super::address::{self, Kind};
use super::asked::Notification;
use super::connect::{arguments, named};
use super::desk::{Grounds, Memories};
use super::faces::Face;
use super::reply::Reply;
use super::sys::{self, Side};
use super::target::{Target, Trouble};
use super::{datagram, unix};
use crate::{Denial, Denied, Doors};

/// Answers a bind.
pub(super) fn bind(
    grounds: &Grounds,
    memories: &mut Memories,
    target: &Target<'_>,
    notification: &Notification,
) -> Result<Reply, Trouble> {
    let faces = &mut memories.faces;
    let (asked, socket) = arguments(target, notification)?;
    let kind = Kind::of(socket.as_fd())?;
    let cookie = sys::cookie(socket.as_fd())?;
    if let Some(Face::Datagram(of)) = faces.get(cookie) {
        let of = datagram::bind(of, cookie, &asked).map_err(Trouble::Errno)?;
        faces.put(cookie, Face::Datagram(of));
        return Ok(Reply::Value(0));
    }
    match kind.domain {
        libc::AF_UNIX => {
            unix::bind(grounds, &mut memories.bound, target, (&socket, &asked))?;
            return Ok(Reply::Value(0));
        }
        // What getifaddrs(3) does. The kernel takes no one's privileges for it: this family may be listened to by all
        // (NL_CFG_F_NONROOT_RECV).
        libc::AF_NETLINK if kind.protocol == libc::NETLINK_ROUTE => {
            sys::bind(socket.as_fd(), &asked)?;
            return Ok(Reply::Value(0));
        }
        _ => {}
    }
    if !kind.is_tcp() {
        return Err(Trouble::Errno(libc::EACCES));
    }
    let wanted = address::internet(&asked, kind.domain).map_err(Trouble::Errno)?;
    // Without a port, some connect from where they have bound to. Nobody comes in: see `listen`.
    if wanted.port() == 0 {
        sys::bind(socket.as_fd(), &asked)?;
        return Ok(Reply::Value(0));
    }
    let own = granted(grounds, wanted.port()).then(|| on_loopback(wanted, &socket)).flatten();
    let Some(own) = own.and_then(|own| address::write(own, kind.domain)) else {
        return Err(refused(grounds, target, wanted.port()));
    };
    sys::bind(socket.as_fd(), &own)?;
    Ok(Reply::Value(0))
}

/// Answers a listen. It takes a port of its own if there was no bind, and is never asked about by Landlock.
pub(super) fn listen(
    grounds: &Grounds,
    memories: &mut Memories,
    target: &Target<'_>,
    notification: &Notification,
) -> Result<Reply, Trouble> {
    let socket = target.descriptor(notification.int(0))?;
    let kind = Kind::of(socket.as_fd())?;
    // A Unix socket has a name only by us.
    if kind.domain != libc::AF_UNIX {
        let local = named(&socket, Side::Local).filter(|_| kind.is_tcp());
        let local = local.ok_or(Trouble::Errno(libc::EOPNOTSUPP))?;
        let granted = granted(grounds, local.port()) || (local.port() != 0 && granted_any(grounds));
        if !(granted && address::canonical(local).ip().is_loopback()) {
            return Err(refused(grounds, target, local.port()));
        }
        memories.own.add(socket.as_fd(), local.port())?;
    }
    sys::listen(socket.as_fd(), notification.int(1))?;
    Ok(Reply::Value(0))
}

/// Whether a setsockopt(2) is about IPV6_V6ONLY: the filter asks about refused ones too.
pub(super) fn is_ipv6_only(notification: &Notification) -> bool {
    (notification.int(1), notification.int(2)) == (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)
}

/// Answers it. What only seems to be a UDP socket has no such option, and needs none.
pub(super) fn set_ipv6_only(
    memories: &Memories,
    target: &Target<'_>,
    notification: &Notification,
) -> Result<Reply, Trouble> {
    let value = match notification.int(4) {
        // As much as an int, of which the kernel reads no more.
        4..=i32::MAX => target.read(notification.pointer(3), 4)?,
        _ => return Err(Trouble::Errno(libc::EINVAL)),
    };
    let value = value.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    let socket = target.descriptor(notification.int(0))?;
    match memories.faces.get(sys::cookie(socket.as_fd())?) {
        Some(Face::Datagram(_)) => {}
        Some(Face::Relayed(_)) | None => sys::set_ipv6_only(socket.as_fd(), value)?,
    }
    Ok(Reply::Value(0))
}

fn granted(grounds: &Grounds, port: u16) -> bool {
    port != 0 && grounds.listen.as_ref().is_some_and(|ports| ports.contains(&port))
}

/// Whether it may listen on a port of the kernel's choice. It has one that is not granted by no other way: see `bind`.
fn granted_any(grounds: &Grounds) -> bool {
    grounds.listen.as_ref().is_some_and(|ports| ports.contains(&Doors::ANY_PORT))
}

/// Where it listens instead; nowhere if it wants another address than the loopback or all of them.
fn on_loopback(wanted: SocketAddr, socket: &OwnedFd) -> Option<SocketAddr> {
    let ip = match wanted.ip() {
        // An IPv6 socket that takes both families can have only one loopback: the one of the two that is written out in
        // redirect URLs (RFC 8252, section 7.3), while `localhost` is tried as both.
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) if !sys::is_ipv6_only(socket.as_fd()) => Ipv4Addr::LOCALHOST.into(),
        ip if ip.to_canonical().is_unspecified() => address::loopback(ip.to_canonical()),
        ip if ip.to_canonical().is_loopback() => ip,
        _ => return None,
    };
    Some((ip, wanted.port()).into())
}

fn refused(grounds: &Grounds, target: &Target<'_>, port: u16) -> Trouble {
    let program = target.program();
    grounds.gatekeeper.denied(Denial { program, what: Denied::Listen { port } });
    Trouble::Errno(libc::EACCES)
}
