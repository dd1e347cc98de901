//! Socket addresses, as the kernel reads and writes them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::BorrowedFd;

use super::sys;

/// `struct sockaddr_storage`: no address is longer.
pub(super) const BYTES_MAX: usize = 128;
/// `struct sockaddr_in6` before it had a scope (RFC 2133), which the kernel still takes.
const V6_BYTES_MIN: usize = 24;
const V4_BYTES: usize = 16;
/// Of `struct sockaddr_un` before the path.
pub(super) const FAMILY_BYTES: usize = 2;

/// What a socket really is, asked of it and not of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) domain: i32,
    pub(super) kind: i32,
    pub(super) protocol: i32,
}

impl Kind {
    /// ENOTSOCK for anything else.
    pub(super) fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self {
            domain: sys::option(socket, libc::SO_DOMAIN)?,
            kind: sys::option(socket, libc::SO_TYPE)?,
            protocol: sys::option(socket, libc::SO_PROTOCOL)?,
        })
    }

    pub(super) fn is_tcp(self) -> bool {
        self.is_internet() && self.kind == libc::SOCK_STREAM && self.protocol == libc::IPPROTO_TCP
    }

    pub(super) fn is_internet(self) -> bool {
        matches!(self.domain, libc::AF_INET | libc::AF_INET6)
    }
}

/// The family at its beginning; `None` if it is too short for one.
pub(super) fn family(address: &[u8]) -> Option<i32> {
    address.first_chunk().map(|bytes| i32::from(u16::from_ne_bytes(*bytes)))
}

/// An address for a socket of this domain, or the errno that the kernel has for it.
pub(super) fn internet(address: &[u8], domain: i32) -> Result<SocketAddr, i32> {
    let family = family(address).ok_or(libc::EINVAL)?;
    let length = if domain == libc::AF_INET6 { V6_BYTES_MIN } else { V4_BYTES };
    if address.len() < length {
        return Err(libc::EINVAL);
    }
    if family != domain {
        return Err(libc::EAFNOSUPPORT);
    }
    read(address).ok_or(libc::EAFNOSUPPORT)
}

/// As the kernel writes them.
pub(super) fn read(address: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*address.get(2..)?.first_chunk()?);
    match family(address)? {
        libc::AF_INET => {
            let ip: [u8; 4] = *address.get(4..)?.first_chunk()?;
            Some(SocketAddrV4::new(ip.into(), port).into())
        }
        libc::AF_INET6 => {
            let flow = u32::from_ne_bytes(*address.get(4..)?.first_chunk()?);
            let ip: [u8; 16] = *address.get(8..)?.first_chunk()?;
            let scope = address.get(24..).and_then(|rest| rest.first_chunk());
            let scope = scope.map_or(0, |bytes| u32::from_ne_bytes(*bytes));
            Some(SocketAddrV6::new(ip.into(), port, flow, scope).into())
        }
        _ => None,
    }
}

/// For a socket of this domain; `None` if it can't have it.
pub(super) fn write(address: SocketAddr, domain: i32) -> Option<Vec<u8>> {
    let (family, port) = ((domain as u16).to_ne_bytes(), address.port().to_be_bytes());
    let mut bytes = Vec::with_capacity(28);
    bytes.extend(family);
    bytes.extend(port);
    match (domain, address) {
        (libc::AF_INET, SocketAddr::V4(v4)) => {
            bytes.extend(v4.ip().octets());
            bytes.extend([0; 8]);
        }
        (libc::AF_INET6, SocketAddr::V4(v4)) => {
            bytes.extend([0; 4]);
            bytes.extend(v4.ip().to_ipv6_mapped().octets());
            bytes.extend([0; 4]);
        }
        (libc::AF_INET6, SocketAddr::V6(v6)) => {
            bytes.extend(v6.flowinfo().to_ne_bytes());
            bytes.extend(v6.ip().octets());
            bytes.extend(v6.scope_id().to_ne_bytes());
        }
        _ => return None,
    }
    Some(bytes)
}

/// `::ffff:10.0.0.1` is 10.0.0.1: a rule for the one must be one for the other.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match (address.ip().to_canonical(), address) {
        (IpAddr::V4(v4), _) => SocketAddrV4::new(v4, address.port()).into(),
        (IpAddr::V6(_), v6) => v6,
    }
}

/// No address and no port, of this domain.
pub(super) fn unspecified(domain: i32) -> SocketAddr {
    match domain {
        libc::AF_INET6 => (Ipv6Addr::UNSPECIFIED, 0).into(),
        _ => (Ipv4Addr::UNSPECIFIED, 0).into(),
    }
}

/// The loopback address of this one's family.
pub(super) fn loopback(of: IpAddr) -> IpAddr {
    match of {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn what_is_written_is_read() {
        for (text, domain) in [
            ("10.1.2.3:443", libc::AF_INET),
            ("[2001:db8::1]:53", libc::AF_INET6),
            ("[fe80::1%3]:80", libc::AF_INET6),
        ] {
            let address = v6(text);
            let bytes = write(address, domain).expect("fits");
            assert_eq!(internet(&bytes, domain), Ok(address));
        }
        let mapped = write(v6("10.1.2.3:443"), libc::AF_INET6).expect("fits");
        let read = internet(&mapped, libc::AF_INET6).expect("reads");
        assert_eq!(read.to_string(), "[::ffff:10.1.2.3]:443");
        assert_eq!(canonical(read), v6("10.1.2.3:443"));
        assert_eq!(write(v6("[::1]:1"), libc::AF_INET), None);
    }

    #[test]
    fn odd_lengths_and_families_get_the_kernels_errno() {
        let v4 = write(v6("10.1.2.3:443"), libc::AF_INET).expect("fits");
        for length in 0..V4_BYTES {
            assert_eq!(internet(&v4[..length], libc::AF_INET), Err(libc::EINVAL), "{length}");
        }
        // Longer than need be is fine.
        let mut long = v4.clone();
        long.resize(BYTES_MAX, 7);
        assert_eq!(internet(&long, libc::AF_INET), Ok(v6("10.1.2.3:443")));
        assert_eq!(internet(&long, libc::AF_INET6), Err(libc::EAFNOSUPPORT));
        // Without a scope.
        let bytes = write(v6("[2001:db8::1]:53"), libc::AF_INET6).expect("fits");
        assert_eq!(internet(&bytes[..24], libc::AF_INET6), Ok(v6("[2001:db8::1]:53")));
        assert_eq!(internet(&bytes[..23], libc::AF_INET6), Err(libc::EINVAL));
        let unspecified = [0u8; 16];
        assert_eq!(internet(&unspecified, libc::AF_INET), Err(libc::EAFNOSUPPORT));
    }
}
