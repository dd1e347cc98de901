//! A running server in its jail, seen from the launcher.

use std::io;

use crate::os::Session;
use crate::{BorrowedFd, Enforcement, OwnedFd};

/// How the server's main process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `exit(n)`
    Exited(i32),
    /// A signal.
    Signalled(i32),
}

/// What the keeper says, in this order: `LimitHit` if a limit ends the session, at most one `Ended`, then `TreeGone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeeperMessage {
    /// The tree has more processes and threads than [`Limits::processes`](crate::Limits) allows, and is being killed.
    LimitHit,
    /// The main process of the server ended; what it left behind is being killed.
    Ended(End),
    /// No process of the tree is left (with [`TreeEnd::DangerousLeave`](crate::TreeEnd): it is left alone). The last
    /// message: don't call [`KeeperHandle::receive`] again.
    TreeGone,
    /// The keeper itself died (EOF on its socket) before it said `TreeGone`. The launcher has killed what it could
    /// reach. The last message.
    KeeperLost,
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
    /// What was enforced.
    pub enforcement: Enforcement,
}
