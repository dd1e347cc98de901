//! What programs take for UDP sockets: one end of a connected pair, whose other end is the resolver.
//!
//! A real one could be told to send anywhere by memory that no filter can look at. Whatever a program writes into this
//! one, and to whomever, comes out at the resolver. What resolvers (glibc, musl, c-ares, Go) look at besides the data is
//! acted here: connect, bind, and the names of both ends.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket as new_socket, socketpair};

use super::address;
use super::asked::Notification;
use super::desk::Grounds;
use super::faces::{Datagram, Face, Faces};
use super::reply::{CloseOnExec, Reply};
use super::sys::{self, Side, Waits};
use super::target::{Target, Trouble};

const FLAGS: i32 = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;

/// Whether a socket(2) asks for UDP: the filter asks about refused ones too.
pub(super) fn is_meant(notification: &Notification) -> bool {
    matches!(notification.int(0), libc::AF_INET | libc::AF_INET6)
        && notification.int(1) & !FLAGS == libc::SOCK_DGRAM
        && matches!(notification.int(2), 0 | libc::IPPROTO_UDP)
}

/// Gives the program its end.
pub(super) fn socket(
    grounds: &Grounds,
    faces: &mut Faces,
    target: &Target<'_>,
    notification: &Notification,
) -> Result<Reply, Trouble> {
    grounds.gatekeeper.resolver_room(&target.program()).map_err(Trouble::Errno)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    let asked = notification.int(1);
    if asked & libc::SOCK_NONBLOCK == 0 {
        sys::set_waits(&theirs, Waits::Yes)?;
    }
    let datagram = Datagram { domain: notification.int(0), local: None, peer: None };
    faces.put(sys::cookie(theirs.as_fd())?, Face::Datagram(datagram));
    grounds.gatekeeper.resolver(ours);
    let close = if asked & libc::SOCK_CLOEXEC == 0 { CloseOnExec::No } else { CloseOnExec::Yes };
    Ok(Reply::Descriptor(theirs, close))
}

/// connect(2) of such a socket, or its errno.
///
/// A UDP socket of our own is connected in its stead, which sends nothing: so the program learns which addresses have a
/// route and from where, by which getaddrinfo(3) sorts its answers. (A success for all of them without a source address
/// makes glibc abort.)
pub(super) fn connect(datagram: Datagram, asked: &[u8]) -> Result<Datagram, i32> {
    let domain = datagram.domain;
    if address::family(asked) == Some(libc::AF_UNSPEC) {
        return Ok(Datagram { domain, local: None, peer: None });
    }
    let peer = address::internet(asked, domain)?;
    let local = route(peer, domain)?;
    let port = datagram.local.map(|local| local.port());
    let local = SocketAddr::new(local.ip(), port.unwrap_or(local.port()));
    Ok(Datagram { domain, local: Some(local), peer: Some(peer) })
}

fn route(to: SocketAddr, domain: i32) -> Result<SocketAddr, i32> {
    let errno = |error: std::io::Error| error.raw_os_error().unwrap_or(libc::ENETUNREACH);
    let family = if domain == libc::AF_INET6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let probe =
        new_socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).map_err(|errno| errno as i32)?;
    let bytes = address::write(to, domain).ok_or(libc::EAFNOSUPPORT)?;
    sys::connect(probe.as_fd(), &bytes).map_err(errno)?;
    let local = sys::name(probe.as_fd(), Side::Local).map_err(errno)?;
    address::read(&local).ok_or(libc::ENETUNREACH)
}

/// bind(2) of such a socket, or its errno. Nothing will ever arrive there but answers of the resolver.
pub(super) fn bind(datagram: Datagram, cookie: u64, asked: &[u8]) -> Result<Datagram, i32> {
    if datagram.local.is_some() {
        return Err(libc::EINVAL);
    }
    let mut local = address::internet(asked, datagram.domain)?;
    if local.port() == 0 {
        local.set_port(port(cookie));
    }
    Ok(Datagram { local: Some(local), ..datagram })
}

/// As if taken from /proc/sys/net/ipv4/ip_local_port_range.
fn port(cookie: u64) -> u16 {
    const FIRST: u64 = 32_768;
    const COUNT: u64 = 28_232;
    u16::try_from(FIRST + cookie % COUNT).unwrap_or(u16::MAX)
}

impl Datagram {
    /// What getsockname(2) says.
    pub(super) fn local_name(self) -> Vec<u8> {
        self.written(self.local.unwrap_or(address::unspecified(self.domain)))
    }

    /// What getpeername(2) says, if it is connected.
    pub(super) fn peer_name(self) -> Option<Vec<u8>> {
        self.peer.map(|peer| self.written(peer))
    }

    /// Who seems to have sent what arrived. Without a connection (musl makes none) nobody knows where the query was sent
    /// to, so it was the first name server.
    pub(super) fn sender(self) -> Vec<u8> {
        self.peer_name().unwrap_or_else(|| self.written(first_name_server()))
    }

    fn written(self, address: SocketAddr) -> Vec<u8> {
        address::write(address, self.domain).unwrap_or_default()
    }
}

/// resolv.conf(5): without one, it is the local host.
fn first_name_server() -> SocketAddr {
    const PORT: u16 = 53;
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_else(|_| String::new());
    let mut servers = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()?.parse::<IpAddr>().ok())?
    });
    (servers.next().unwrap_or(Ipv4Addr::LOCALHOST.into()), PORT).into()
}
