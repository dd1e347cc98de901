//! The launcher's side of the socket to a keeper.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use nix::sys::socket::MsgFlags;

use super::limits::{self, Place};
use super::link::{Heard, News, Order, hear, tell};
use super::{sys, tree};
use crate::{KeeperMessage, TreeEnd};

/// Keepers of this process that have not said that their tree is gone. When one is lost, what it left behind is told
/// from the trees of the others by this.
static KEEPERS: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// One keeper, as the launcher sees it.
#[derive(Debug)]
pub(crate) struct Session {
    socket: OwnedFd,
    keeper: i32,
    /// The server's main process, and the number of its group.
    server: i32,
    tree_end: TreeEnd,
    /// Where its cgroup stands, if it has one.
    cgroup: Option<Place>,
}

impl Session {
    /// The socket must be non-blocking.
    pub(crate) fn new(socket: OwnedFd, keeper: i32, server: i32, tree_end: TreeEnd) -> Self {
        KEEPERS.lock().unwrap_or_else(PoisonError::into_inner).push(keeper);
        Self { socket, keeper, server, tree_end, cgroup: None }
    }

    /// The tree has a cgroup below this one.
    pub(crate) fn with_cgroup(mut self, cgroup: Option<Place>) -> Self {
        self.cgroup = cgroup;
        self
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn keeper_pid(&self) -> i32 {
        self.keeper
    }

    pub(crate) fn receive(&self) -> io::Result<Option<KeeperMessage>> {
        Ok(match hear::<News>(&self.socket, MsgFlags::MSG_DONTWAIT)? {
            Heard::Nothing => None,
            Heard::Message(News::Ended(end)) => Some(KeeperMessage::Ended(end)),
            Heard::Message(News::LimitHit(limit)) => Some(KeeperMessage::LimitHit(limit)),
            Heard::Message(News::TreeGone) => {
                self.reap();
                Some(KeeperMessage::TreeGone)
            }
            Heard::Gone => {
                self.clear_away();
                Some(KeeperMessage::KeeperLost)
            }
        })
    }

    pub(crate) fn terminate(&self) -> io::Result<()> {
        tell(&self.socket, &Order::Terminate)
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        tell(&self.socket, &Order::Kill)
    }

    /// The keeper is gone without a word: its orphans are our children now, as we are a subreaper. A pid namespace
    /// dies with its PID 1, which dies with the keeper.
    fn clear_away(&self) {
        // The socket closes before the keeper's children get a new parent; they have one once it can be waited for.
        self.reap();
        if self.tree_end == TreeEnd::Kill {
            if let Some(place) = &self.cgroup {
                limits::clear_away(place, self.keeper);
            }
            let others = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
            tree::kill_filtered(self.server, &others);
        }
    }

    /// After its last word the keeper ends at once.
    fn reap(&self) {
        let _ = sys::wait(self.keeper, 0);
        self.forget();
    }

    fn forget(&self) {
        let mut keepers = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
        keepers.retain(|keeper| *keeper != self.keeper);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The keeper kills its tree when the socket closes; if it has ended already it is reaped here.
        let _ = sys::wait(self.keeper, libc::WNOHANG);
    }
}
