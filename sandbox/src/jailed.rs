//! A running server in its jail, seen from the launcher.

use std::io;
use std::net::{TcpListener, UdpSocket};

use crate::os::Session;
use crate::{Attempt, BorrowedFd, Enforcement, Knowledge, OwnedFd};

/// How the server's main process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `exit(n)`
    Exited(i32),
    /// A signal.
    Signalled(i32),
}

/// A limit of the whole tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeLimit {
    /// [`Limits::processes`](crate::Limits)
    Processes,
    /// [`Limits::memory_bytes`](crate::Limits)
    Memory,
    /// A sensitive place appeared inside a grant and could not be closed.
    OpenPlace,
    /// [`Limits::cpu_seconds`](crate::Limits), by the server's main process.
    CpuTime,
    /// [`Limits::file_bytes`](crate::Limits), by the server's main process.
    FileSize,
}

/// What the keeper says, in this order: `LimitHit` if a limit ends the session, at most one `Ended`, then `TreeGone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeeperMessage {
    /// The tree is beyond this limit, and is being killed (or the kernel has done so).
    LimitHit(TreeLimit),
    /// The main process of the server ended; what it left behind is being killed.
    Ended(End),
    /// No process of the tree is left (with [`TreeEnd::DangerousLeave`](crate::TreeEnd): it is left alone). The last
    /// message: don't call [`KeeperHandle::receive`] again.
    TreeGone,
    /// The keeper itself died (EOF on its socket) before it said `TreeGone`. The launcher has killed what it could
    /// reach. The last message.
    KeeperLost,
}

/// Sockets made inside the server's network namespace, where every address is local (`local default dev lo`).
#[derive(Debug)]
pub struct OpenDoors {
    /// One or two (IPv4, IPv6) a granted port; the local address of what they accept is where the program wanted to go.
    pub tcp: Vec<TcpListener>,
    /// UDP port 53, with IP_PKTINFO or IPV6_RECVPKTINFO on: the answer has to leave from where the query went to.
    pub dns_udp: Vec<UdpSocket>,
    /// TCP port 53.
    pub dns_tcp: Vec<TcpListener>,
    /// The way in.
    pub inward: Inward,
}

/// Makes sockets inside the server's network namespace, by way of its PID 1.
#[derive(Debug)]
pub struct Inward(pub(crate) OwnedFd);

impl Inward {
    /// A non-blocking TCP socket that, connected to 127.0.0.1 (or ::1), reaches the server's own listener. Waits for PID 1
    /// to make it, microseconds as a rule and a second at most.
    ///
    /// # Errors
    /// When PID 1 is gone, or out of descriptors.
    pub fn socket(&self, family: InwardFamily) -> io::Result<OwnedFd> {
        crate::os::inward_socket(&self.0, family)
    }
}

/// Address family of a socket that leads in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InwardFamily {
    /// AF_INET
    V4,
    /// AF_INET6
    V6,
}

/// The thread that answers what the system call filter asks. It ends by itself when no process of the tree is left.
#[derive(Debug)]
pub struct Supervisor {
    pub(crate) thread: std::thread::JoinHandle<()>,
}

impl Supervisor {
    /// Whether it has ended, which before the end of the tree means that every call that asks fails with ENOSYS.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

/// The launcher's end of the socket to the keeper. Dropping it makes the keeper kill the tree.
#[derive(Debug)]
pub struct KeeperHandle {
    session: Session,
    server_pid: i32,
}

impl KeeperHandle {
    #[cfg(target_os = "linux")]
    pub(crate) fn new(session: Session, server_pid: i32) -> Self {
        Self { session, server_pid }
    }

    /// Readable when there is a message; already non-blocking.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.session.fd()
    }

    /// Pid of the keeper, in our pid namespace.
    #[must_use]
    pub fn keeper_pid(&self) -> i32 {
        self.session.keeper_pid()
    }

    /// Pid of the server's main process, in our pid namespace.
    #[must_use]
    pub fn server_pid(&self) -> i32 {
        self.server_pid
    }

    /// The next message; `None` if there is none yet. Once the keeper is lost, this takes as long as killing what it
    /// left behind.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn receive(&self) -> io::Result<Option<KeeperMessage>> {
        self.session.receive()
    }

    /// SIGTERM to the server's process group.
    ///
    /// # Errors
    /// When the keeper is gone.
    pub fn terminate(&self) -> io::Result<()> {
        self.session.terminate()
    }

    /// Kill the whole tree now.
    ///
    /// # Errors
    /// When the keeper is gone.
    pub fn kill(&self) -> io::Result<()> {
        self.session.kill()
    }
}

/// A started server.
#[derive(Debug)]
pub struct Jailed {
    /// Write end of its stdin.
    pub stdin: OwnedFd,
    /// Read end of its stdout.
    pub stdout: OwnedFd,
    /// Read end of its stderr.
    pub stderr: OwnedFd,
    /// The keeper.
    pub keeper: KeeperHandle,
    /// The doors of its network namespace, in `namespaces` with [`Network::Brokered`](crate::Network).
    pub doors: Option<OpenDoors>,
    /// Thread that answers the filter's questions; ends with the last process of the tree.
    pub supervisor: Option<Supervisor>,
    /// What was enforced.
    pub enforcement: Enforcement,
    /// Which backends were tried for it, the best first; the last one carries it.
    pub attempts: Vec<Attempt>,
    /// What is known of the host now: for the next [`spawn_knowing`](crate::spawn_knowing).
    pub knowledge: Knowledge,
}
