//! The loopback of a fresh network namespace, set up by rtnetlink(7) messages of our own.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use super::OWN_ADDRESSES;
use crate::os::step::{At, Failure, Step};

/// Which addresses lead to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// IPv4 ones; this host has no IPv6.
    V4,
    /// All.
    Both,
}

/// The loopback is the first interface of every namespace.
const LOOPBACK: u32 = 1;

/// Brings the loopback up, gives it addresses, and routes every other address to it.
pub(super) fn every_address_is_ours() -> Result<Reach, Failure> {
    let (v4, v6) = OWN_ADDRESSES;
    let wishes = [
        up(),
        own_address(v4.into()),
        every_address(libc::AF_INET),
        own_address(v6.into()),
        every_address(libc::AF_INET6),
    ];
    let kinds = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, kinds, SockProtocol::NetlinkRoute)
        .at(Step::NetworkUp)?;
    let mut batch = Vec::new();
    for (sequence, wish) in (0u32..).zip(&wishes) {
        batch.extend(wish.message(sequence));
    }
    // Carried out one after another, each with an answer, before send returns.
    send(socket.as_raw_fd(), &batch, MsgFlags::empty()).at(Step::NetworkUp)?;
    let answers = answers(&socket, wishes.len())?;
    for errno in answers.iter().take(3) {
        if *errno != 0 {
            return Err(Failure::new(Step::NetworkUp, *errno));
        }
    }
    Ok(if answers.iter().all(|errno| *errno == 0) { Reach::Both } else { Reach::V4 })
}

/// A request without its header.
#[derive(Debug)]
struct Wish {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

const HEADER_BYTES: usize = 16;

impl Wish {
    /// `struct nlmsghdr` and the body, whose parts are all multiples of four bytes.
    fn message(&self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(HEADER_BYTES + self.body.len()).unwrap_or(u32::MAX);
        let flags = self.flags | number(libc::NLM_F_REQUEST | libc::NLM_F_ACK);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.body.len());
        bytes.extend(length.to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes()); // the kernel's port
        bytes.extend(&self.body);
        bytes
    }

    /// A new object, not one that is there already.
    fn create(kind: u16, body: Vec<u8>) -> Self {
        Self { kind, flags: number(libc::NLM_F_CREATE | libc::NLM_F_EXCL), body }
    }
}

/// `struct ifinfomsg`
fn up() -> Wish {
    let up = libc::IFF_UP.cast_unsigned();
    let mut body = vec![byte(libc::AF_UNSPEC), 0, 0, 0];
    for word in [LOOPBACK, up, up] {
        body.extend(word.to_ne_bytes());
    }
    Wish { kind: libc::RTM_NEWLINK, flags: 0, body }
}

/// `struct ifaddrmsg`
fn own_address(address: IpAddr) -> Wish {
    // Of no use on a loopback, and without it an IPv6 address can't be used for its first second.
    let no_duplicate_detection = libc::IFA_F_NODAD as u8;
    let (family, octets, flags) = match address {
        IpAddr::V4(address) => (libc::AF_INET, address.octets().to_vec(), 0),
        IpAddr::V6(address) => (libc::AF_INET6, address.octets().to_vec(), no_duplicate_detection),
    };
    let prefix_bits = byte(octets.len() as i32 * 8);
    let mut body = vec![byte(family), prefix_bits, flags, libc::RT_SCOPE_UNIVERSE];
    body.extend(LOOPBACK.to_ne_bytes());
    for kind in [libc::IFA_LOCAL, libc::IFA_ADDRESS] {
        body.extend(attribute(kind, &octets));
    }
    Wish::create(libc::RTM_NEWADDR, body)
}

/// `struct rtmsg`: what `ip route add local default dev lo` says.
fn every_address(family: i32) -> Wish {
    let (whole, none) = (0, 0);
    let mut body = vec![
        byte(family),
        whole,
        none,
        none,
        libc::RT_TABLE_LOCAL,
        libc::RTPROT_STATIC,
        libc::RT_SCOPE_HOST,
        libc::RTN_LOCAL,
    ];
    body.extend(0u32.to_ne_bytes());
    body.extend(attribute(libc::RTA_OIF, &LOOPBACK.to_ne_bytes()));
    Wish::create(libc::RTM_NEWROUTE, body)
}

/// `struct rtattr` and a payload that needs no padding.
fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: usize = 4;
    let length = number((HEADER_BYTES + payload.len()) as i32);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes
}

/// One errno a request, 0 for done.
fn answers(socket: &OwnedFd, count: usize) -> Result<Vec<i32>, Failure> {
    let mut answers = Vec::new();
    let mut buffer = [0u8; 4096];
    while answers.len() < count {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).at(Step::NetworkUp)?;
        let before = answers.len();
        answers.extend(errnos(buffer.get(..length).unwrap_or_default()));
        if answers.len() == before {
            return Err(Failure::new(Step::NetworkUp, libc::EBADMSG));
        }
    }
    Ok(answers)
}

/// The errors of the `NLMSG_ERROR` messages in one datagram, which come in the order of the requests.
fn errnos(mut bytes: &[u8]) -> Vec<i32> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_ne_bytes(*length) as usize;
        let Some((kind, _)) = rest.split_first_chunk::<2>() else { break };
        let error = bytes.get(HEADER_BYTES..length).and_then(|body| body.first_chunk::<4>());
        if let Some(error) = error
            && i32::from(u16::from_ne_bytes(*kind)) == libc::NLMSG_ERROR
        {
            found.push(-i32::from_ne_bytes(*error));
        }
        let Some(next) = bytes.get(length.next_multiple_of(4)..).filter(|_| length > 0) else { break };
        bytes = next;
    }
    found
}

/// Flags and lengths of netlink are small and positive.
fn number(value: i32) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// So are families and prefixes.
fn byte(value: i32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_its_own_length_and_asks_for_an_answer() {
        for wish in [up(), own_address(OWN_ADDRESSES.1.into()), every_address(libc::AF_INET)] {
            let bytes = wish.message(7);
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(bytes[..4], u32::try_from(bytes.len()).expect("short").to_ne_bytes());
            assert_eq!(bytes[8..12], 7u32.to_ne_bytes());
            let flags = u16::from_ne_bytes([bytes[6], bytes[7]]);
            assert_eq!(i32::from(flags) & libc::NLM_F_ACK, libc::NLM_F_ACK);
        }
    }

    #[test]
    fn answers_are_read_in_order_and_what_is_cut_short_is_none() {
        let answer = |errno: i32| {
            let mut body = (-errno).to_ne_bytes().to_vec();
            body.extend([0; 16]);
            Wish { kind: number(libc::NLMSG_ERROR), flags: 0, body }.message(0)
        };
        let mut two = answer(0);
        two.extend(answer(libc::EPERM));
        assert_eq!(errnos(&two), [0, libc::EPERM]);
        assert_eq!(errnos(&two[..40]), [0]);
        assert_eq!(errnos(&two[..17]), [] as [i32; 0]);
        assert_eq!(errnos(&[0; 32]), [] as [i32; 0]);
    }
}
