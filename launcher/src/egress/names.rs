//! DNS as the jail speaks it: over UDP and TCP at the doors, and over what a program takes for a UDP socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg};
use stockade_policy::egress::NameRuling;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};

use super::broker::{Counted, Inner};
use super::dns::{self, DnsOutcome};

/// Questions at one time; more are not answered, as UDP allows.
const QUESTIONS_MAX: usize = 128;
/// Longest question over UDP: what resolvers announce for themselves (EDNS) is about answers, a question is short.
const QUESTION_BYTES_MAX: usize = 4096;
/// A DNS connection over TCP on which nothing happens for so long is closed (RFC 7766, 6.2.3).
const TCP_IDLE: Duration = Duration::from_secs(30);

/// How a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Datagram,
    Stream,
}

/// One question from anywhere → its answer; `None`: none is given.
async fn answer(inner: &Inner, question: &[u8], by: By) -> Option<Vec<u8>> {
    if inner.questions.get() >= QUESTIONS_MAX {
        return None;
    }
    let _turn = Counted::in_(&inner.questions);
    let (judge, outside) = (&inner.shared.judge, &inner.outside);
    let (answer, outcome) = match by {
        By::Datagram => dns::answer(question, judge, outside).await,
        By::Stream => dns::answer_on_stream(question, judge, outside).await,
    };
    match outcome {
        DnsOutcome::Refused(refusal) if is_made_up(inner, &refusal.what) => inner.ledger.dns_made_up(),
        DnsOutcome::Refused(refusal) => inner.ledger.dns_refused(&refusal),
        DnsOutcome::Failed { name, why } => inner.ledger.dns_failed(&name, why),
        DnsOutcome::Resolved { .. } | DnsOutcome::Nothing => {}
    }
    (!answer.is_empty()).then_some(answer)
}

/// Whether a resolver made this name of one that it may ask for, or that is on record as refused: the program never asked
/// for it.
fn is_made_up(inner: &Inner, name: &str) -> bool {
    let granted = |name: &str| {
        let judge = inner.shared.judge.lock();
        judge.is_ok_and(|mut judge| judge.name(name) == NameRuling::Resolve)
    };
    inner.searched.borrow().made_of(name).any(|asked| granted(asked) || inner.ledger.has_refused(asked))
}

/// The UDP door: the answer leaves from the address that was asked.
pub(super) async fn serve_udp(inner: Rc<Inner>, socket: UdpSocket) {
    let socket = Rc::new(socket);
    loop {
        let Ok(asked) = socket.async_io(Interest::READABLE, || receive(&socket)).await else {
            // An ICMP error of an earlier answer; anything that lasts must not turn into a busy loop.
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let (serving, socket) = (Rc::clone(&inner), Rc::clone(&socket));
        inner.spawn(async move {
            if let Some(answer) = answer(&serving, &asked.question, By::Datagram).await {
                // Who asked may be gone by now, or not reading: as with any name server, the answer is lost then.
                let _ = send(&socket, &answer, &asked);
            }
        });
    }
}

/// A question that came over UDP.
struct Asked {
    question: Vec<u8>,
    from: SockaddrStorage,
    /// The address that was asked, and the interface.
    of: Option<(IpAddr, u32)>,
}

fn receive(socket: &impl AsFd) -> io::Result<Asked> {
    let mut bytes = [0; QUESTION_BYTES_MAX];
    let mut control = nix::cmsg_space!(libc::in6_pktinfo, libc::in_pktinfo);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let raw = socket.as_fd().as_raw_fd();
    let message = recvmsg::<SockaddrStorage>(raw, &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let of = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some((IpAddr::V4(u32::from_be(info.ipi_addr.s_addr).into()), 0))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some((IpAddr::V6(info.ipi6_addr.s6_addr.into()), info.ipi6_ifindex))
        }
        _ => None,
    });
    let from = message.address.ok_or(io::ErrorKind::InvalidData)?;
    let question = message.iovs().flatten().copied().collect();
    Ok(Asked { question, from, of })
}

fn send(socket: &impl AsFd, answer: &[u8], asked: &Asked) -> io::Result<()> {
    let (v4, v6);
    let control = match asked.of {
        Some((IpAddr::V4(address), _)) => {
            let source = libc::in_addr { s_addr: address.to_bits().to_be() };
            v4 = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: source };
            Some(ControlMessage::Ipv4PacketInfo(&v4))
        }
        Some((IpAddr::V6(address), interface)) => {
            v6 = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                ipi6_ifindex: interface,
            };
            Some(ControlMessage::Ipv6PacketInfo(&v6))
        }
        None => None,
    };
    let raw = socket.as_fd().as_raw_fd();
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg(raw, &[IoSlice::new(answer)], control.as_slice(), flags, Some(&asked.from))?;
    Ok(())
}

/// The TCP door (RFC 7766). glibc writes two questions at once.
pub(super) async fn serve_tcp(inner: &Inner, mut stream: TcpStream) {
    // The end of such a connection is no event: its questions are what counts.
    let _ = converse(inner, &mut stream).await;
}

async fn converse(inner: &Inner, stream: &mut TcpStream) -> io::Result<()> {
    loop {
        let asked = tokio::time::timeout(TCP_IDLE, async {
            let length = stream.read_u16().await?;
            let mut question = vec![0; length.into()];
            stream.read_exact(&mut question).await?;
            io::Result::Ok(question)
        });
        let question = asked.await??;
        let Some(answer) = answer(inner, &question, By::Stream).await else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let whole = [&length.to_be_bytes(), answer.as_slice()].concat();
        tokio::time::timeout(TCP_IDLE, stream.write_all(&whole)).await??;
    }
}

/// The far end of what a program takes for a UDP socket; ends when the program's end is closed, and with the first datagram
/// that is no question.
pub(super) async fn serve_packets(inner: Rc<Inner>, socket: UnixDatagram) {
    let socket = Rc::new(socket);
    let mut bytes = vec![0; QUESTION_BYTES_MAX];
    loop {
        let Ok(ready) = socket.ready(Interest::READABLE).await else { return };
        match socket.try_recv(&mut bytes) {
            // An empty datagram looks like the end, which it is only once the other end is closed.
            Ok(0) if ready.is_read_closed() => return,
            // The runtime has to hear of the close before we can.
            Ok(0) => tokio::task::yield_now().await,
            Ok(length) => {
                let question = bytes.get(..length).unwrap_or_default().to_vec();
                if let Some(kind) = dns::other_protocol(&question) {
                    // Nothing would ever answer it: gone, the program falls back to TCP at once, and our end is free.
                    inner.ledger.no_question(kind);
                    return;
                }
                let (serving, socket) = (Rc::clone(&inner), Rc::clone(&socket));
                inner.spawn(async move {
                    if let Some(answer) = answer(&serving, &question, By::Datagram).await {
                        // As over UDP: an answer that finds no room is lost.
                        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                        let _ = nix::sys::socket::send(socket.as_raw_fd(), &answer, flags);
                    }
                });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
