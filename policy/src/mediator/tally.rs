//! Lines that are dropped: on record one by one up to a number, then only counted. No peer may fill the user's disk, or
//! push what matters out of the log, with lines that go nowhere.

use super::action::{Peer, Turn};
use super::record::{Record, RecordKind, built_in};
use super::session::Mediator;

/// Dropped lines of one kind and peer that are recorded one by one in a session.
const RECORDED_MAX: u64 = 100;

/// Why a line was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// No message, and no id that could be read.
    Noise,
    /// The grammar refused it.
    Refused,
    /// An answer that nobody was waiting for.
    Unexpected,
    /// A request under an id that was still waiting.
    DuplicateId,
    /// A notification that nobody could use.
    Notification,
}

const KINDS: [Dropped; 5] =
    [Dropped::Noise, Dropped::Refused, Dropped::Unexpected, Dropped::DuplicateId, Dropped::Notification];
const PEERS: [Peer; 2] = [Peer::Client, Peer::Server];

/// The dropped lines of a session, by kind and peer: a flood of one kind hides no other.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: [[Count; PEERS.len()]; KINDS.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    lines: u64,
    /// The number of lines that the last total spoke of.
    said: u64,
}

impl Dropped {
    fn rule(self) -> &'static str {
        match self {
            Self::Noise => "wire/noise",
            Self::Refused => "wire/refused",
            Self::Unexpected => "session/unknown-id",
            Self::DuplicateId => "session/duplicate-id",
            Self::Notification => "session/dropped-notification",
        }
    }

    /// `lines of the server were no messages`
    fn total(self, peer: &str) -> String {
        match self {
            Self::Noise => format!("lines of the {peer} were no messages"),
            Self::Refused => format!("lines of the {peer} were refused by the grammar"),
            Self::Unexpected => format!("answers of the {peer} came that nobody was waiting for"),
            Self::DuplicateId => format!("requests of the {peer} came under an id that was still waiting"),
            Self::Notification => format!("notifications of the {peer} were dropped"),
        }
    }
}

impl Tally {
    /// Counts a line; false when it is one of too many to be recorded.
    pub(super) fn admits(&mut self, kind: Dropped, from: Peer) -> bool {
        let count = &mut self.counts[kind as usize][from as usize];
        count.lines += 1;
        count.lines <= RECORDED_MAX
    }
}

impl Mediator {
    /// Puts a dropped line on record, unless there are too many of its kind.
    pub(super) fn record_dropped(&mut self, kind: Dropped, record: Record, turn: &mut Turn<'_>) {
        if self.tally.admits(kind, turn.from) {
            turn.record(record);
        }
    }

    /// At an end: how many lines were dropped beyond those on record. Says nothing twice.
    pub(super) fn dropped_totals(&mut self, turn: &mut Turn<'_>) {
        for kind in KINDS {
            for peer in PEERS {
                let count = &mut self.tally.counts[kind as usize][peer as usize];
                if count.lines <= RECORDED_MAX.max(count.said) {
                    continue;
                }
                count.said = count.lines;
                let text = format!(
                    "{} {}; the first {RECORDED_MAX} are on record",
                    count.lines,
                    kind.total(peer.word())
                );
                let mut record = Record::new(RecordKind::Refused, peer.direction(), 0);
                record.verdict = built_in(kind.rule(), text.clone());
                record.refusal = Some(text);
                turn.record(record);
            }
        }
    }
}
