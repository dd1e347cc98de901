//! The way in: what the host's loopback connects to on a granted port reaches the server's own listener.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

use stockade_sandbox::{Inward, InwardFamily};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::broker::Inner;
use super::carry::{Cut, Ended, Tally, carry, reset};
use super::room::Turn;
use crate::error::{Failure, Kind};
use crate::telemetry::NetInbound;

/// Listeners on the host's loopback, bound before the session begins.
#[derive(Debug, Default)]
pub struct Inbound {
    listeners: Vec<(u16, std::net::TcpListener)>,
}

impl Inbound {
    /// Binds the granted ports on 127.0.0.1, and on ::1 where there is one.
    ///
    /// # Errors
    /// A port that is taken: whoever has it would get what is meant for the server.
    pub fn bind(ports: &[u16]) -> Result<Self, Failure> {
        let mut listeners = Vec::new();
        for &port in ports {
            let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            for address in addresses {
                match std::net::TcpListener::bind((address, port)) {
                    Ok(listener) => listeners.push((port, listener)),
                    Err(error) if address.is_ipv6() && is_without_ipv6(&error) => {}
                    Err(error) => return Err(taken(SocketAddr::new(address, port), &error)),
                }
            }
        }
        Ok(Self { listeners })
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    use nix::errno::Errno::{EADDRNOTAVAIL, EAFNOSUPPORT};
    error.raw_os_error().is_some_and(|code| code == EADDRNOTAVAIL as i32 || code == EAFNOSUPPORT as i32)
}

fn taken(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::new(Kind::Config, format!("cannot listen on {address} for the server")).because(error).hint(format!(
        "its profile grants it port {} (`[net] listen`): end the program that has the port, or grant another one",
        address.port()
    ))
}

/// Serves all of them.
pub(super) fn serve(inner: &Rc<Inner>, inbound: Inbound, inward: Inward) -> io::Result<()> {
    let inward = Rc::new(inward);
    for (port, listener) in inbound.listeners {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        inner.spawn(accept(Rc::clone(inner), listener, port, Rc::clone(&inward)));
    }
    Ok(())
}

async fn accept(inner: Rc<Inner>, listener: TcpListener, port: u16, inward: Rc<Inward>) {
    loop {
        match listener.accept().await {
            Ok((outside, _)) => {
                let (serving, inward, turn) = (Rc::clone(&inner), Rc::clone(&inward), inner.turns.next());
                inner.spawn(async move { lead_in(&serving, outside, (port, turn), &inward).await });
            }
            Err(_) => tokio::time::sleep(super::broker::PAUSE).await,
        }
    }
}

async fn lead_in(inner: &Inner, outside: TcpStream, (port, turn): (u16, Turn), inward: &Inward) {
    let began = Instant::now();
    let bytes = Bytes::default();
    let turn = inner.turns.come(turn).await;
    let inside = match &turn {
        Ok(_) => {
            connect(inward, port).await.map_err(|error| format!("the server cannot be reached: {error}"))
        }
        Err(why) => Err(why.clone()),
    };
    let ended = match inside {
        Ok(inside) => {
            let _ = (inside.set_nodelay(true), outside.set_nodelay(true));
            match carry(outside, inside, &[], &bytes, &inner.buffers).await {
                Ended::Closed => "closed".to_owned(),
                Ended::Reset | Ended::Cut => "reset".to_owned(),
                Ended::Stale => "half closed and silent".to_owned(),
            }
        }
        Err(why) => {
            reset(&outside);
            why
        }
    };
    inner.ledger.inbound(NetInbound {
        port,
        bytes_in: bytes.into_server.get(),
        bytes_out: bytes.out_of_server.get(),
        duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        ended,
    });
}

/// The server may listen on either of its loopback addresses.
async fn connect(inward: &Inward, port: u16) -> io::Result<TcpStream> {
    let v4 = (inward.socket(InwardFamily::V4)?, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let refused = match join(v4).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => error,
        outcome => return outcome,
    };
    let Ok(socket) = inward.socket(InwardFamily::V6) else { return Err(refused) };
    join((socket, SocketAddr::from((Ipv6Addr::LOCALHOST, port)))).await
}

async fn join((socket, to): (std::os::fd::OwnedFd, SocketAddr)) -> io::Result<TcpStream> {
    let socket = std::net::TcpStream::from(socket);
    socket.set_nonblocking(true)?;
    TcpSocket::from_std_stream(socket).connect(to).await
}

#[derive(Debug, Default)]
struct Bytes {
    into_server: std::cell::Cell<u64>,
    out_of_server: std::cell::Cell<u64>,
}

impl Tally for Bytes {
    fn up(&self, bytes: usize) -> Result<(), Cut> {
        self.into_server.set(self.into_server.get() + bytes as u64);
        Ok(())
    }

    fn down(&self, bytes: usize) {
        self.out_of_server.set(self.out_of_server.get() + bytes as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_a_clear_error() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let failure = Inbound::bind(&[port]).unwrap_err().to_string();
        assert!(
            failure.contains(&format!("127.0.0.1:{port}")) && failure.contains("[net] listen"),
            "{failure}"
        );
        drop(other);
        let bound = Inbound::bind(&[port]).unwrap();
        assert!(bound.listeners.iter().all(|(of, _)| *of == port) && !bound.listeners.is_empty());
    }
}
