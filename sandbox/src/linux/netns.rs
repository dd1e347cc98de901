//! A network namespace in which every address leads to us: "local default dev lo" (AnyIP) makes the kernel deliver
//! whatever is sent anywhere to listeners of ours, with the address that was meant still on it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, SockaddrIn6, bind, listen, setsockopt, socket,
    sockopt,
};

use super::link::{self, DoorCounts};
use super::step::{At, Failure, Step};
use crate::Doors;

pub(crate) mod inward;
mod netlink;
#[expect(unsafe_code, reason = "socket options that nix lacks")]
mod sys;

/// What [`open`] opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// How many of each.
    pub(crate) counts: DoorCounts,
    /// In the order of the counts; the launcher's end of `inward` is the last.
    pub(crate) fds: Vec<OwnedFd>,
    /// For PID 1, which answers on it.
    pub(crate) inward: OwnedFd,
}

const DNS_PORT: u16 = 53;

/// Addresses of the loopback's own, beside 127.0.0.1 and ::1. AI_ADDRCONFIG asks for one that is not a loopback
/// address, or else looks no name up. Both lie in ranges that lead nowhere (RFC 2544, RFC 5180).
const OWN_ADDRESSES: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(198, 18, 0, 1), Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 1));

/// Brings up the loopback, to which every address leads; needs CAP_NET_ADMIN in this namespace.
pub(crate) fn lead_back() -> Result<(), Failure> {
    netlink::every_address_is_ours().map(drop)
}

/// Brings up the loopback and opens the doors; needs CAP_NET_ADMIN and CAP_NET_BIND_SERVICE in this namespace.
///
/// TCP port 53 is the name server's whether it is granted or not. IPv6 is best effort: a host may have none.
pub(crate) fn open(doors: &Doors) -> Result<Opened, Failure> {
    let families = match netlink::every_address_is_ours()? {
        netlink::Reach::Both => &[Family::V4, Family::V6][..],
        netlink::Reach::V4 => &[Family::V4],
    };
    let ports: BTreeSet<u16> =
        doors.ports.iter().copied().filter(|port| ![0, DNS_PORT].contains(port)).collect();
    if ports.len() > Doors::PORTS_MAX {
        return Err(Failure::new(Step::Doors, libc::E2BIG));
    }
    let mut fds = Vec::new();
    let mut counts = DoorCounts::default();
    for port in ports {
        for family in families {
            fds.push(family.listener(port)?);
            counts.tcp += 1;
        }
    }
    for family in families {
        fds.push(family.name_server()?);
        counts.dns_udp += 1;
    }
    for family in families {
        fds.push(family.listener(DNS_PORT)?);
        counts.dns_tcp += 1;
    }
    let (inward, launchers) = link::pair().at(Step::Doors)?;
    fds.push(launchers);
    Ok(Opened { counts, fds, inward })
}

/// One socket a family, not one for both: what is accepted names an IPv4 address as one, and no option decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn socket(self, kind: SockType) -> Result<OwnedFd, Failure> {
        let family = match self {
            Self::V4 => AddressFamily::Inet,
            Self::V6 => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(family, kind, flags, None).at(Step::Doors)?;
        if self == Self::V6 {
            setsockopt(&socket, sockopt::Ipv6V6Only, &true).at(Step::Doors)?;
        }
        Ok(socket)
    }

    fn bind(self, socket: &OwnedFd, port: u16) -> Result<(), Failure> {
        let fd = socket.as_raw_fd();
        match self {
            Self::V4 => bind(fd, &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))),
            Self::V6 => bind(fd, &SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0))),
        }
        .at(Step::Doors)
    }

    fn listener(self, port: u16) -> Result<OwnedFd, Failure> {
        let socket = self.socket(SockType::Stream)?;
        self.bind(&socket, port)?;
        listen(&socket, Backlog::MAXCONN).at(Step::Doors)?;
        Ok(socket)
    }

    /// Tells with each query where it was sent to, so that the answer can leave from there.
    fn name_server(self) -> Result<OwnedFd, Failure> {
        let socket = self.socket(SockType::Datagram)?;
        match self {
            Self::V4 => sys::set_option(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
            // Without IPV6_FREEBIND an answer from an address that no interface has is EINVAL; IPv4 needs no such thing.
            Self::V6 => sys::set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
                .and_then(|()| sys::set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_FREEBIND, 1)),
        }
        .at(Step::Doors)?;
        self.bind(&socket, DNS_PORT)?;
        Ok(socket)
    }
}
