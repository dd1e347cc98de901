//! What sockets seem to be whose kernel names would tell something else: ends of our pairs that programs take for UDP
//! sockets, and connections that are carried on by a relay.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

/// How many are remembered. Nobody tells us of a close(2), so the oldest go first; one that is forgotten shows what it
/// is, which harms nobody but its program.
const FACES_MAX: usize = 4096;

/// What a socket seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// A UDP socket. In truth it is one end of a pair, of AF_UNIX.
    Datagram(Datagram),
    /// A TCP connection to this address.
    Relayed(SocketAddr),
}

/// What a program believes of its UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    /// AF_INET or AF_INET6
    pub(super) domain: i32,
    pub(super) local: Option<SocketAddr>,
    pub(super) peer: Option<SocketAddr>,
}

/// By cookie, which no socket ever shares (SO_COOKIE).
#[derive(Debug, Default)]
pub(super) struct Faces {
    by_cookie: HashMap<u64, Face>,
    order: VecDeque<u64>,
    have_relayed: bool,
}

impl Faces {
    pub(super) fn get(&self, cookie: u64) -> Option<Face> {
        self.by_cookie.get(&cookie).copied()
    }

    /// Whether there ever was a connection that is carried on by a relay.
    pub(super) fn have_relayed(&self) -> bool {
        self.have_relayed
    }

    /// It is what it seems to be again.
    pub(super) fn forget(&mut self, cookie: u64) {
        if self.by_cookie.remove(&cookie).is_some() {
            self.order.retain(|one| *one != cookie);
        }
    }

    pub(super) fn put(&mut self, cookie: u64, face: Face) {
        self.have_relayed |= matches!(face, Face::Relayed(_));
        if self.by_cookie.insert(cookie, face).is_none() {
            self.order.push_back(cookie);
        }
        if self.order.len() > FACES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_cookie.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut faces = Faces::default();
        let relayed = |port: u16| Face::Relayed(([10, 0, 0, 1], port).into());
        for cookie in 0..FACES_MAX as u64 + 10 {
            faces.put(cookie, relayed(1));
        }
        assert_eq!(faces.get(9), None);
        assert_eq!(faces.get(10), Some(relayed(1)));
        faces.put(11, relayed(2));
        assert_eq!(faces.get(11), Some(relayed(2)));
        assert_eq!(faces.by_cookie.len(), FACES_MAX);
        faces.forget(12);
        assert_eq!(faces.get(12), None);
        faces.put(12, relayed(3));
        assert_eq!(faces.order.len(), FACES_MAX);
    }
}
