//! TCP sockets on which the tree itself listens: in the host's network it may connect to those, as in one of its own.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use nix::sys::stat::fstat;

/// How many are remembered. Nobody tells us of a close(2), so the oldest go first; to one that is forgotten the way is
/// that of any other address.
const OWN_MAX: usize = 256;

/// State of a socket that listens, in /proc/net/tcp (include/net/tcp_states.h).
const TCP_LISTEN: &str = "0A";

/// Which they are.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Inode and port. No two sockets share an inode as long as both are there (sockfs).
    sockets: VecDeque<(u64, u16)>,
}

impl Own {
    /// One of the tree's sockets listens.
    pub(super) fn add(&mut self, socket: BorrowedFd<'_>, port: u16) -> io::Result<()> {
        let inode = fstat(socket)?.st_ino;
        if !self.sockets.contains(&(inode, port)) {
            self.sockets.push_back((inode, port));
        }
        if self.sockets.len() > OWN_MAX {
            self.sockets.pop_front();
        }
        Ok(())
    }

    /// Whether a connection to this address is taken by one of them: on the loopback, and by nobody else's. The kernel is
    /// asked each time, since a port changes hands. If its tables cannot be read, no.
    ///
    /// Between this answer and the connection the tree can give the port up; who then takes it, on a port on which the
    /// profile lets the tree listen, is connected to.
    pub(super) fn takes(&self, to: SocketAddr) -> bool {
        if !to.ip().is_loopback() || !self.sockets.iter().any(|(_, port)| *port == to.port()) {
            return false;
        }
        let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(std::fs::read_to_string);
        let [Ok(v4), Ok(v6)] = tables else { return false };
        let mut listeners =
            v4.lines().chain(v6.lines()).filter_map(listener).filter(|(at, _)| hears(*at, to));
        let is_own = |(_, inode): (SocketAddr, u64)| self.sockets.contains(&(inode, to.port()));
        listeners.next().is_some_and(is_own) && listeners.all(is_own)
    }
}

/// Whether a socket that listens at `at` may take a connection to `to`.
fn hears(at: SocketAddr, to: SocketAddr) -> bool {
    let ip = at.ip().to_canonical();
    at.port() == to.port() && (ip == to.ip() || ip.is_unspecified())
}

/// Address and inode of a line about a socket that listens: `sl local remote st queues timer retransmits uid timeout inode`,
/// proc_pid_net(5).
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    let mut words = line.split_ascii_whitespace();
    let local = words.nth(1)?;
    if words.nth(1)? != TCP_LISTEN {
        return None;
    }
    let inode = words.nth(5)?.parse().ok()?;
    let (ip, port) = local.split_once(':')?;
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes()).into(),
        32 => {
            let mut bytes = [0; 16];
            for (n, part) in bytes.chunks_exact_mut(4).enumerate() {
                // Words of 32 bits as this machine keeps them.
                let word = u32::from_str_radix(ip.get(n * 8..n * 8 + 8)?, 16).ok()?;
                part.copy_from_slice(&word.to_ne_bytes());
            }
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(((ip, u16::from_str_radix(port, 16).ok()?).into(), inode))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_are_read_as_the_kernel_writes_them() {
        let v4 = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 x";
        assert_eq!(listener(v4), Some(("127.0.0.1:8080".parse().unwrap(), 4242)));
        let v6 = "   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 77 1";
        assert_eq!(listener(v6), Some(("[::1]:8080".parse().unwrap(), 77)));
        assert_eq!(listener(&v4.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener("  sl  local_address rem_address   st tx_queue rx_queue tr"), None);
    }

    #[test]
    fn a_port_that_changed_hands_is_not_ones_own() {
        let own_one = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = own_one.local_addr().unwrap();
        let mut own = Own::default();
        assert!(!own.takes(to), "nobody told of it");
        own.add(own_one.as_fd(), to.port()).unwrap();
        assert!(own.takes(to));
        assert!(!own.takes(([127, 0, 0, 2], to.port()).into()), "it does not listen there");
        assert!(!own.takes(([192, 0, 2, 1], to.port()).into()));
        drop(own_one);
        assert!(!own.takes(to), "nobody listens");
        let _others = TcpListener::bind(to).unwrap();
        assert!(!own.takes(to), "somebody else listens");
    }
}
