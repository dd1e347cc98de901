//! What the fence asks and tells its caller while a server runs.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{Access, OwnedFd};

/// Decides where connections lead, and hears of what was refused. Called on the supervisor's thread: every method has to
/// return at once, without waiting for anything.
pub trait Gatekeeper: Send + Sync + Debug {
    /// `notify`: where a TCP connection to `wish.to` leads.
    fn connect(&self, wish: &Wish) -> Way;

    /// `notify`: the connection from this local address, about to be made to a [`Way::Relay`], is for this wish.
    fn relayed(&self, from: SocketAddr, wish: &Wish);

    /// `notify`: whether there is room for one more [`Gatekeeper::resolver`], which costs a descriptor as long as the program
    /// keeps its end open; asked before it is made.
    ///
    /// # Errors
    /// The errno that socket(2) gives the program instead.
    fn resolver_room(&self, program: &Program) -> Result<(), i32> {
        let _ = program;
        Ok(())
    }

    /// `notify`: the far end of what a program takes for a UDP socket, a non-blocking SEQPACKET socket. Each message that
    /// comes out of it is one datagram to a name server, each one put in is its answer; an empty one is no end.
    fn resolver(&self, end: OwnedFd);

    /// Something was refused.
    fn denied(&self, denial: Denial);

    /// With [`Observe::Files`](crate::Observe): a program opened, or tried to open, this file. Nothing was decided by it:
    /// Landlock judges afterwards.
    fn opened(&self, opened: Opened);
}

/// A connection that a program asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Where to; v4-mapped addresses are IPv4 ones here.
    pub to: SocketAddr,
    /// Who.
    pub program: Program,
}

/// A process of the tree, as far as it can be named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Process id in our pid namespace.
    pub pid: i32,
    /// Its executable, if it could still be read.
    pub path: Option<PathBuf>,
}

/// Where a connection leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Straight to this address.
    Direct(SocketAddr),
    /// To this listener of ours on loopback, which carries it on; [`Gatekeeper::relayed`] says before for whom.
    Relay(SocketAddr),
    /// Nowhere: the program gets this errno.
    Refused(i32),
}

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// By which program.
    pub program: Program,
    /// What.
    pub what: Denied,
}

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// A system call of the deny list.
    SystemCall {
        /// `ptrace`
        name: &'static str,
    },
    /// A socket of this family and kind.
    Socket {
        /// `AF_PACKET`, or its number.
        family: String,
        /// `SOCK_RAW`, or its number.
        kind: String,
    },
    /// A Unix socket at this path, or of this abstract name (with `@` in front).
    UnixSocket {
        /// Where.
        path: PathBuf,
    },
    /// Listening on this TCP port.
    Listen {
        /// Which.
        port: u16,
    },
}

/// A file that was opened or executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// By which program.
    pub program: Program,
    /// Absolute, as the program meant it (links not followed).
    pub path: PathBuf,
    /// How.
    pub access: Access,
    /// Whether the file exists, asked afterwards.
    pub exists: bool,
}

/// Lets nothing out and hears nothing: for jails without network.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClosedGate;

impl Gatekeeper for ClosedGate {
    fn connect(&self, _wish: &Wish) -> Way {
        const EACCES: i32 = 13;
        Way::Refused(EACCES)
    }

    fn relayed(&self, _from: SocketAddr, _wish: &Wish) {}

    fn resolver(&self, _end: OwnedFd) {}

    fn denied(&self, _denial: Denial) {}

    fn opened(&self, _opened: Opened) {}
}
