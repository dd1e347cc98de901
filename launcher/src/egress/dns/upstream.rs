//! Questions that the system's resolver has no call for (SRV, TXT), put to the host's own name servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::outside::Failure;
use super::reply::{Reply, read};
use super::wire::{Kind, query};

/// resolv.conf(5): more are not looked at.
const SERVERS_MAX: usize = 3;
/// For one server, over one way.
const PATIENCE: Duration = Duration::from_secs(3);
const DNS_PORT: u16 = 53;

/// Asks one server after the other.
pub(super) async fn ask(servers: &[SocketAddr], name: &str, kind: Kind) -> Result<Reply, Failure> {
    let mut last = Failure::NoServer;
    for server in servers {
        match ask_one(*server, name, kind).await {
            // NOERROR and "no such name" are answers, anything else may be known better elsewhere.
            Ok(reply) if matches!(reply.code, 0 | 3) => return Ok(reply),
            Ok(reply) => last = Failure::Code { server: *server, code: reply.code },
            Err(source) => last = Failure::Server { server: *server, source: source.into() },
        }
    }
    Err(last)
}

/// The name servers of a resolv.conf(5); without any, the one on this machine.
pub(super) fn servers(resolv_conf: &Path) -> Vec<SocketAddr> {
    // Without the file libc asks the machine itself, and so do we.
    let text = std::fs::read_to_string(resolv_conf).unwrap_or_default();
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == "nameserver").then(|| server(words.next()?))?
    });
    let mut servers: Vec<_> = named.take(SERVERS_MAX).collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
    }
    servers
}

/// `10.0.0.1`, `fe80::1%eth0`
fn server(text: &str) -> Option<SocketAddr> {
    let (address, scope) = text.split_once('%').map_or((text, None), |(a, scope)| (a, Some(scope)));
    match (address.parse().ok()?, scope) {
        (address, None) => Some((address, DNS_PORT).into()),
        (IpAddr::V4(_), Some(_)) => None,
        (IpAddr::V6(v6), Some(scope)) => {
            let index = scope.parse().ok().or_else(|| nix::net::if_::if_nametoindex(scope).ok())?;
            Some(SocketAddrV6::new(v6, DNS_PORT, 0, index).into())
        }
    }
}

async fn ask_one(server: SocketAddr, name: &str, kind: Kind) -> io::Result<Reply> {
    // The first bytes of a random UUID are random: with the port that the kernel chooses, what RFC 5452 asks for.
    let random = uuid::Uuid::new_v4();
    let [high, low, ..] = *random.as_bytes();
    let query = query(u16::from_be_bytes([high, low]), name, kind).ok_or(io::ErrorKind::InvalidInput)?;
    let reply = timeout(PATIENCE, by_datagram(server, &query)).await??;
    if reply.is_truncated {
        return timeout(PATIENCE, by_stream(server, &query)).await?;
    }
    Ok(reply)
}

async fn by_datagram(server: SocketAddr, query: &[u8]) -> io::Result<Reply> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Connected, it hears that server alone, and of ports that nobody listens on.
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut bytes = [0; 4096];
    loop {
        let length = socket.recv(&mut bytes).await?;
        // What does not belong to the question may be forged: the true reply may still come.
        if let Some(reply) = bytes.get(..length).and_then(|bytes| read(query, bytes)) {
            return Ok(reply);
        }
    }
}

async fn by_stream(server: SocketAddr, query: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await?;
    read(query, &bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
