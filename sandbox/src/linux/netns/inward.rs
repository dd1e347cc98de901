//! The way in: PID 1 of a network namespace makes sockets in it, and the launcher, outside of it, connects them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::InwardFamily;
use crate::os::link::{self, Heard, Message, hear_long, tell, tell_with};

/// PID 1 does nothing else but reap, so an answer takes microseconds. The server can't hold it up: it may not signal it.
const PATIENCE: Duration = Duration::from_secs(1);

/// From the launcher to PID 1, with one descriptor: the socket to answer on. Each request has its own, so that an answer
/// which comes too late is nobody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request(InwardFamily);

/// From PID 1, with the socket if the errno is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reply(i32);

/// The launcher's half: a non-blocking socket of the other namespace.
pub(crate) fn ask(init: &OwnedFd, family: InwardFamily) -> io::Result<OwnedFd> {
    let (ours, theirs) = link::pair()?;
    tell_with(init, &Request(family), &[theirs.as_fd()])?;
    drop(theirs);
    let mut fds = [PollFd::new(ours.as_fd(), PollFlags::POLLIN)];
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    loop {
        match poll(&mut fds, patience) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => break,
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let letter = hear_long::<Reply>(&ours)?;
    match letter.heard {
        Heard::Message(Reply(0)) => letter.fds.into_iter().next().ok_or(io::ErrorKind::InvalidData.into()),
        Heard::Message(Reply(errno)) => Err(io::Error::from_raw_os_error(errno)),
        Heard::Gone | Heard::Nothing => Err(io::Error::from_raw_os_error(libc::ECONNRESET)),
    }
}

/// Whether there may be more requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Open,
    Closed,
}

/// PID 1's half: answers one request, which must be there to be heard.
pub(crate) fn answer(inward: &OwnedFd) -> Line {
    let Ok(letter) = hear_long::<Request>(inward) else { return Line::Closed };
    let Heard::Message(Request(family)) = letter.heard else { return Line::Closed };
    let Some(to) = letter.fds.first() else { return Line::Open };
    let family = match family {
        InwardFamily::V4 => AddressFamily::Inet,
        InwardFamily::V6 => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    // Whoever asked is told, or gone.
    let _ = match socket(family, SockType::Stream, flags, None) {
        Ok(socket) => tell_with(to, &Reply(0), &[socket.as_fd()]),
        Err(errno) => tell(to, &Reply(errno as i32)),
    };
    Line::Open
}

impl Message for Request {
    fn encode(&self) -> Vec<u8> {
        vec![match self.0 {
            InwardFamily::V4 => 4,
            InwardFamily::V6 => 6,
        }]
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [4] => Some(Self(InwardFamily::V4)),
            [6] => Some(Self(InwardFamily::V6)),
            _ => None,
        }
    }
}

impl Message for Reply {
    fn encode(&self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(i32::from_le_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{SockaddrLike, SockaddrStorage, getsockname};

    use super::*;

    #[test]
    fn a_request_is_answered_with_a_socket_of_its_family() {
        let (init, launcher) = link::pair().expect("a pair");
        let answering = std::thread::spawn(move || {
            assert_eq!(answer(&init), Line::Open);
            assert_eq!(answer(&init), Line::Open);
            answer(&init)
        });
        for (family, number) in [(InwardFamily::V4, libc::AF_INET), (InwardFamily::V6, libc::AF_INET6)] {
            let socket = ask(&launcher, family).expect("a socket");
            let address = getsockname::<SockaddrStorage>(socket.as_raw_fd()).expect("an address");
            assert_eq!(address.family().map(|family| family as i32), Some(number));
        }
        drop(launcher);
        assert_eq!(answering.join().expect("no panic"), Line::Closed);
    }

    #[test]
    fn an_init_that_is_gone_is_an_error() {
        let (init, launcher) = link::pair().expect("a pair");
        drop(init);
        assert!(ask(&launcher, InwardFamily::V4).is_err());
        // Dead with a request in hand: its copy of the answering end goes with it.
        let (init, launcher) = link::pair().expect("a pair");
        let dying = std::thread::spawn(move || drop(hear_long::<Request>(&init)));
        assert!(ask(&launcher, InwardFamily::V6).is_err());
        dying.join().expect("no panic");
    }
}
