//! The launcher's half of a brokered network, as small as it can be: it says where everyone wanted to go.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg, sendmsg,
};
use stockade_sandbox::{Inward, InwardFamily, OpenDoors};

use super::harness::say;

/// Serves every door on a thread of its own; gives the way in.
pub(crate) fn serve(doors: OpenDoors) -> Inward {
    say(&format!("@doors {} {} {}", doors.tcp.len(), doors.dns_udp.len(), doors.dns_tcp.len()));
    for listener in doors.tcp.into_iter().chain(doors.dns_tcp) {
        thread::spawn(move || greet(&listener));
    }
    for socket in doors.dns_udp {
        thread::spawn(move || answer(&socket));
    }
    doors.inward
}

/// What a server says that listens on this port of its own loopback.
pub(crate) fn visit(inward: &Inward, port: u16) -> io::Result<String> {
    let mut said = String::new();
    for (family, address) in
        [(InwardFamily::V4, "127.0.0.1"), (InwardFamily::V6, "::1")].map(|(family, ip)| {
            let ip: IpAddr = ip.parse().expect("an address");
            (family, SocketAddr::new(ip, port))
        })
    {
        let mut stream = connected(inward.socket(family)?, address)?;
        stream.read_to_string(&mut said)?;
    }
    Ok(said)
}

fn connected(socket: OwnedFd, to: SocketAddr) -> io::Result<TcpStream> {
    let fd = socket.as_raw_fd();
    let result = match to {
        SocketAddr::V4(to) => nix::sys::socket::connect(fd, &SockaddrIn::from(to)),
        SocketAddr::V6(to) => nix::sys::socket::connect(fd, &SockaddrIn6::from(to)),
    };
    match result {
        // On a loopback the handshake is over before the call returns.
        Ok(()) | Err(nix::errno::Errno::EINPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn greet(listener: &TcpListener) {
    listener.set_nonblocking(false).expect("fcntl");
    while let Ok((mut stream, _)) = listener.accept() {
        let wanted = stream.local_addr().expect("an address");
        let _ = write!(stream, "door of {wanted}");
    }
}

/// Answers from where the query was sent to, else a connected client does not hear it.
fn answer(socket: &UdpSocket) {
    socket.set_nonblocking(false).expect("fcntl");
    let mut query = [0; 512];
    loop {
        let mut space = nix::cmsg_space!(libc::in6_pktinfo);
        let mut slices = [IoSliceMut::new(&mut query)];
        let fd = socket.as_raw_fd();
        let Ok(message) = recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut space), MsgFlags::empty())
        else {
            return;
        };
        let (length, from) = (message.bytes, message.address.expect("a sender"));
        let info = message.cmsgs().expect("control messages").next().expect("the destination");
        let (wanted, v4, v6): (IpAddr, _, _) = match info {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let wanted = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
                let from =
                    libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: info.ipi_addr, ipi_addr: info.ipi_addr };
                (wanted.into(), Some(from), None)
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                let wanted = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                (wanted.into(), None, Some(libc::in6_pktinfo { ipi6_ifindex: 0, ..info }))
            }
            other => panic!("{other:?}"),
        };
        let reply = reply(&query[..length], wanted);
        let control = match (&v4, &v6) {
            (Some(info), _) => ControlMessage::Ipv4PacketInfo(info),
            (_, Some(info)) => ControlMessage::Ipv6PacketInfo(info),
            (None, None) => unreachable!("one of them was matched"),
        };
        let sent = sendmsg(fd, &[IoSlice::new(&reply)], &[control], MsgFlags::empty(), Some(&from));
        if let Err(error) = sent {
            say(&format!("@unanswered {wanted} {error}"));
        }
    }
}

/// To a DNS question for an address, one; to anything else, where it was sent to.
fn reply(query: &[u8], wanted: IpAddr) -> Vec<u8> {
    const HEADER_BYTES: usize = 12;
    let Some(question) = query.get(HEADER_BYTES..) else { return format!("door of {wanted}").into_bytes() };
    let name_bytes = question.iter().position(|byte| *byte == 0).expect("a name") + 1;
    let question = &question[..name_bytes + 4];
    let kind = u16::from_be_bytes([question[name_bytes], question[name_bytes + 1]]);
    let address: &[u8] = match kind {
        1 => &[198, 18, 0, 7],
        28 => &[0x20, 0x01, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
        _ => &[],
    };
    // RFC 1035: the query's id, response and recursion available, one question, and an answer if there is one.
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(!address.is_empty()), 0, 0, 0, 0]);
    reply.extend(question);
    if !address.is_empty() {
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 1, 0, u8::try_from(address.len()).expect("short")]);
        reply.extend(address);
    }
    reply
}
