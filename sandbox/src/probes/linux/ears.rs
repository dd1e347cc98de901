//! The listeners outside: whatever reaches them is remembered.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr as NixUnixAddr, accept4, bind, listen,
    recv, send, socket,
};

/// What a granted listener says to whoever comes.
pub(super) const GREETING: &str = "granted";

/// Where the listeners are.
#[derive(Clone, Debug, Default)]
pub(super) struct Ports {
    pub(super) tcp4: u16,
    pub(super) tcp6: Option<u16>,
    pub(super) udp4: u16,
    pub(super) udp6: Option<u16>,
    /// The one that may be granted.
    pub(super) granted: u16,
}

/// What a descriptor is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Connections come out of it.
    Accept,
    /// The same, and each is greeted.
    Greet,
    /// Datagrams come out of it.
    Datagrams,
    /// A connection.
    Connection,
}

/// Everything that listens.
#[derive(Debug)]
pub(super) struct Ears {
    pub(super) ports: Ports,
    /// Name of the abstract stream socket; the datagram one has `-dgram` behind it.
    pub(super) abstract_name: String,
    heard: Arc<Mutex<Vec<u8>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Paths of the sockets below these directories.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) closed: PathBuf,
    pub(super) read: PathBuf,
    pub(super) write: PathBuf,
}

impl Ears {
    /// Listens everywhere.
    pub(super) fn new(places: &Places, name: &str) -> io::Result<Self> {
        let mut fds = Vec::new();
        let ports = inet(&mut fds)?;
        let abstract_name = format!("stockade-prove-{name}");
        unix(&mut fds, places, &abstract_name)?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("ears".to_owned()).spawn({
            let (heard, over) = (Arc::clone(&heard), Arc::clone(&over));
            move || hear(fds, &heard, &over)
        })?;
        Ok(Self { ports, abstract_name, heard, over, thread: Some(thread) })
    }

    /// Whether this was heard.
    pub(super) fn heard(&self, message: &[u8]) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.windows(message.len()).any(|window| window == message)
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn inet(fds: &mut Vec<(OwnedFd, Use)>) -> io::Result<Ports> {
    let v4 = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    let v6 = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0));
    let mut ports = Ports::default();
    let tcp = TcpListener::bind(v4)?;
    ports.tcp4 = tcp.local_addr()?.port();
    fds.push((tcp.into(), Use::Accept));
    let udp = UdpSocket::bind(v4)?;
    ports.udp4 = udp.local_addr()?.port();
    fds.push((udp.into(), Use::Datagrams));
    let granted = TcpListener::bind(v4)?;
    ports.granted = granted.local_addr()?.port();
    fds.push((granted.into(), Use::Greet));
    // A host without IPv6 has none of these.
    if let (Ok(tcp), Ok(udp)) = (TcpListener::bind(v6), UdpSocket::bind(v6)) {
        ports.tcp6 = Some(tcp.local_addr()?.port());
        ports.udp6 = Some(udp.local_addr()?.port());
        fds.push((tcp.into(), Use::Accept));
        fds.push((udp.into(), Use::Datagrams));
    }
    Ok(ports)
}

fn unix(fds: &mut Vec<(OwnedFd, Use)>, places: &Places, name: &str) -> io::Result<()> {
    for path in [
        places.closed.join("socket"),
        places.closed.join("docker.sock"),
        places.read.join("socket"),
        places.write.join("socket"),
    ] {
        fds.push((UnixListener::bind(path)?.into(), Use::Accept));
    }
    fds.push((UnixListener::bind(places.closed.join("granted"))?.into(), Use::Greet));
    for path in [places.closed.join("datagrams"), places.write.join("datagrams")] {
        fds.push((UnixDatagram::bind(path)?.into(), Use::Datagrams));
    }
    fds.push((seqpacket(&places.closed.join("seqpacket"))?, Use::Accept));
    let stream = UnixAddr::from_abstract_name(name)?;
    fds.push((UnixListener::bind_addr(&stream)?.into(), Use::Accept));
    let datagrams = UnixAddr::from_abstract_name(format!("{name}-dgram"))?;
    fds.push((UnixDatagram::bind_addr(&datagrams)?.into(), Use::Datagrams));
    Ok(())
}

fn seqpacket(path: &Path) -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    bind(fd.as_raw_fd(), &NixUnixAddr::new(path)?)?;
    listen(&fd, Backlog::new(8)?)?;
    Ok(fd)
}

fn hear(mut fds: Vec<(OwnedFd, Use)>, heard: &Mutex<Vec<u8>>, over: &AtomicBool) {
    const TURN: Duration = Duration::from_millis(50);
    while !over.load(Ordering::Relaxed) {
        let mut polled: Vec<PollFd<'_>> =
            fds.iter().map(|(fd, _)| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
        let timeout = PollTimeout::try_from(TURN).unwrap_or(PollTimeout::ZERO);
        if poll(&mut polled, timeout).is_err() {
            continue;
        }
        let ready: Vec<bool> = polled.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let mut new = Vec::new();
        let mut index = 0;
        fds.retain(|(fd, purpose)| {
            let is_ready = ready.get(index).copied().unwrap_or(false);
            index += 1;
            !is_ready || serve(fd, *purpose, heard, &mut new)
        });
        fds.extend(new);
    }
}

/// Whether the descriptor is of use any longer.
fn serve(fd: &OwnedFd, purpose: Use, heard: &Mutex<Vec<u8>>, new: &mut Vec<(OwnedFd, Use)>) -> bool {
    if matches!(purpose, Use::Accept | Use::Greet) {
        if let Ok(connection) = accept4(fd.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            let connection = crate::os::sys::adopt(connection);
            if purpose == Use::Greet {
                let _ = send(connection.as_raw_fd(), GREETING.as_bytes(), MsgFlags::MSG_NOSIGNAL);
            }
            new.push((connection, Use::Connection));
        }
        return true;
    }
    let mut buffer = [0; 4096];
    match recv(fd.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
        Ok(0) if purpose == Use::Connection => false,
        Ok(length) => {
            let bytes = buffer.get(..length).unwrap_or(&[]);
            heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            true
        }
        Err(_) => purpose != Use::Connection,
    }
}
