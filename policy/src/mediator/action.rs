//! What goes into a session and what comes out of it.

use super::pins::Pins;
use super::record::{Record, RecordKind};
use crate::rules::OwnCredentials;
use crate::wire::Direction;

/// Milliseconds on a clock that never goes back; only differences are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now(pub u64);

/// Who stands at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// The AI application.
    Client,
    /// The MCP server.
    Server,
}

/// What the relay has to do, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Write the line as it came to the other peer.
    Forward,
    /// Write these bytes (without LF) to the other peer instead.
    ForwardRewritten(Vec<u8>),
    /// Write these bytes (without LF) to this peer: an answer or a notification of ours.
    Send(Peer, Vec<u8>),
    /// Put this on record.
    Record(Box<Record>),
}

/// How a server ended, for the answers that it still owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerEnd {
    /// `exit status 1`, `killed by signal 9 (SIGKILL)`.
    pub how: String,
    /// The masked end of its stderr, at most 2 KiB; empty if it said nothing.
    pub stderr_tail: String,
}

/// A request that waits for its answer, in the words of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// As [`Record::request_id`].
    pub id: String,
    /// As [`Record::method`].
    pub method: String,
    /// As [`Record::item`].
    pub item: Option<String>,
}

/// What is fixed for a session.
#[derive(Clone, Debug, Default)]
pub struct SessionFacts {
    /// Identities of the server: package URL first if known, then `file:sha256:…`.
    pub identities: Vec<String>,
    /// The name people know it by (config name or program).
    pub server_name: String,
    /// The client by its id, if the one who started us named it; else what it says of itself counts.
    pub client_name: Option<String>,
    /// Login name of the user.
    pub user: Option<String>,
    /// The user's groups, if they could be found out.
    pub groups: Option<Vec<String>>,
    /// Name of the machine.
    pub device: Option<String>,
    /// Directories that the server's jail grants, absolute; `None` where no jail bounds them. Roots of the client outside
    /// of them are taken out of what the server is told.
    pub roots_within: Option<Vec<String>>,
    /// Pins of this server's definitions that were approved before; empty where nothing was.
    pub pins: Pins,
    /// Credentials that are this server's own job.
    pub own: OwnCredentials,
}

/// Protections that the demo may take away, one at a time, to show that they matter. `run` always has all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// Nothing: the only value outside of the demo.
    Nothing,
    /// The strict grammar: lines that it refuses are forwarded as they are, unjudged. The others are judged as ever.
    Wire,
    /// Findings in messages (definitions are still inspected).
    Dlp,
}

impl Peer {
    /// The way that a line from this peer travels.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::Client => Direction::ToServer,
            Self::Server => Direction::ToClient,
        }
    }

    /// The one at the other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The word used in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// One line on its way: where it came from, when, and what is done about it so far.
pub(super) struct Turn<'t> {
    pub(super) from: Peer,
    /// Bytes of the line as it came.
    pub(super) bytes: usize,
    pub(super) now: Now,
    /// How many values were put back in it.
    pub(super) restored: usize,
    pub(super) actions: &'t mut Vec<Action>,
}

impl Turn<'_> {
    pub(super) fn direction(&self) -> Direction {
        self.from.direction()
    }

    /// Says something to the peer that the line came from.
    pub(super) fn answer(&mut self, line: Vec<u8>) {
        self.actions.push(Action::Send(self.from, line));
    }

    pub(super) fn send(&mut self, to: Peer, line: Vec<u8>) {
        self.actions.push(Action::Send(to, line));
    }

    pub(super) fn record(&mut self, mut record: Record) {
        let is_forwarded =
            matches!(record.kind, RecordKind::Call | RecordKind::Answer) && !record.verdict.refuses();
        if is_forwarded && self.restored > 0 {
            record.restored = self.restored;
            record.rewritten = true;
        }
        self.actions.push(Action::Record(Box::new(record)));
    }
}
