//! The mediator: what a session remembers, and where a line goes.

use std::sync::Arc;

use super::across::Trail;
use super::action::{Action, Now, Peer, SessionFacts, Turn, Waiting, Without};
use super::asked::note_told;
use super::catalogue::{Catalogue, Claims};
use super::ending::Endings;
use super::mint::Mint;
use super::outputs::Outputs;
use super::passed::Weighing;
use super::pending::{Entry, Era, Owner, Pending, Use};
use super::pins::Seen;
use super::record::{Record, RecordKind};
use super::restore::Restoring;
use super::rounds::Rounds;
use super::tally::Tally;
use super::tasks::Tasks;
use super::vault::Vault;
use crate::approvals::Approvals;
use crate::detect::{Engine, Finding, HashKey, Wanted};
use crate::rules::{self, Policy, UnixTime};
use crate::wire::{Direction, Frame, IdKey, Limits, Parser, Refusal, Shape};

/// After a frame of more than this the parser's buffers are given back.
const LARGE_FRAME_BYTES: usize = 256 << 10;

/// Judges every line of one session.
#[derive(Debug)]
pub struct Mediator {
    pub(super) policy: Arc<Policy>,
    pub(super) engine: Arc<Engine>,
    pub(super) facts: SessionFacts,
    pub(super) without: Without,
    pub(super) to_server: Limits,
    pub(super) to_client: Limits,
    /// What the policy asks about, to the server and to the client.
    pub(super) asked_about: (Wanted, Wanted),
    pub(super) parser: Parser,
    /// Kept from one message to the next for its memory alone.
    pub(super) findings: Vec<Finding>,
    pub(super) pending: Pending,
    pub(super) mint: Mint,
    pub(super) catalogue: Catalogue,
    pub(super) claims: Claims,
    pub(super) endings: Endings,
    pub(super) tally: Tally,
    pub(super) refusals: Vec<(Refusal, u64)>,
    pub(super) approvals: Approvals,
    /// The time on the clock that people read, if somebody says it.
    pub(super) unix_time: Option<UnixTime>,
    pub(super) spoken: Spoken,
    /// The revision that `initialize` settled has batches.
    pub(super) batches: bool,
    pub(super) limits: rules::Limits,
    pub(super) rounds: Rounds,
    pub(super) seen: Seen,
    pub(super) tasks: Tasks,
    pub(super) vault: Vault,
    pub(super) trail: Trail,
    pub(super) outputs: Outputs,
    pub(super) restoring: Restoring,
    /// What is known of the line at hand.
    pub(super) weighing: Weighing,
}

/// Which eras the client has spoken in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spoken {
    /// It sent `initialize`, and the server got it.
    pub(super) handshake: bool,
    /// It sent a request of the stateless era.
    pub(super) stateless: bool,
}

impl Mediator {
    /// A new session. `seed` is 128 random bits: our own ids are `stockade:` + hex of seed and a counter; refusal
    /// codes are derived from it as well.
    #[must_use]
    pub fn new(policy: Arc<Policy>, engine: Arc<Engine>, facts: SessionFacts, seed: [u8; 16]) -> Self {
        let mut mediator = Self {
            asked_about: (Wanted::default(), Wanted::default()),
            to_server: policy.frame_limits(Direction::ToServer),
            to_client: policy.frame_limits(Direction::ToClient),
            policy,
            engine,
            facts,
            without: Without::Nothing,
            parser: Parser::default(),
            findings: Vec::new(),
            pending: Pending::default(),
            mint: Mint::new(seed),
            catalogue: Catalogue::default(),
            claims: Claims::default(),
            endings: Endings::default(),
            tally: Tally::default(),
            refusals: Vec::new(),
            // Of no session yet, and so without effect: the launcher says which one this is.
            approvals: Approvals::new(String::new(), HashKey([0; 32])),
            unix_time: None,
            spoken: Spoken::default(),
            batches: false,
            limits: rules::Limits::default(),
            rounds: Rounds::default(),
            seen: Seen::default(),
            tasks: Tasks::default(),
            vault: Vault::default(),
            trail: Trail::default(),
            outputs: Outputs::default(),
            restoring: Restoring::Nothing,
            weighing: Weighing::default(),
        };
        mediator.ask_about();
        mediator
    }

    /// Takes one protection away: `demo --without` only.
    pub fn dangerously_without(&mut self, without: Without) {
        self.without = without;
        self.ask_about();
    }

    /// The time on the clock that people read: rules about times of day look at it. Without it they cannot be evaluated.
    pub fn set_unix_time(&mut self, now: UnixTime) {
        self.unix_time = Some(now);
    }

    /// The policy in force changed: from the next line on this one judges.
    pub fn set_policy(&mut self, policy: Arc<Policy>, engine: Arc<Engine>) {
        self.to_server = policy.frame_limits(Direction::ToServer);
        self.to_client = policy.frame_limits(Direction::ToClient);
        self.policy = policy;
        self.engine = engine;
        self.ask_about();
    }

    /// One line (without LF) from `from`. `actions` is cleared first. At most one `Forward…` among the actions, and
    /// none means that the line stops here.
    pub fn line(&mut self, from: Peer, line: &[u8], now: Now, actions: &mut Vec<Action>) {
        actions.clear();
        self.weigh_anew();
        let mut turn = Turn { from, bytes: line.len(), now, restored: 0, actions };
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if from == Peer::Server && !may_be_json(line) {
            return self.noise(line, &mut turn);
        }
        self.trail.begin(from.direction());
        // The frame borrows from the parser, so the parser leaves `self` for as long as the frame lives.
        let mut parser = std::mem::take(&mut self.parser);
        match parser.parse(line, from.direction(), self.limits(from)) {
            Ok(frame) if from == Peer::Client => self.sent_by_client(&frame, &mut turn),
            Ok(frame) => {
                self.note_literals(&frame);
                self.message(&frame, &mut turn);
            }
            Err(_) if self.without == Without::Wire => unchecked(&mut turn),
            Err(refused) => self.refused_line(&refused, line, &mut turn),
        }
        if line.len() > LARGE_FRAME_BYTES {
            parser.shrink();
        }
        self.parser = parser;
        note_told(actions);
        self.note_passed(actions);
    }

    /// A request of our own to the server: `params` is JSON. Sends it and returns its id; the answer ends here, on
    /// record, and never reaches the client.
    pub fn ask_server(
        &mut self,
        method: &'static str,
        params: &str,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> String {
        actions.clear();
        let id = self.mint.id();
        let line = format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"{method}","params":{params}}}"#);
        let entry = Entry {
            method: method.into(),
            item: None,
            at: now,
            era: Era::Handshake,
            is_for: Use::Nothing,
            counted: None,
            arguments: None,
        };
        let mut turn = Turn { from: Peer::Client, bytes: line.len(), now, restored: 0, actions };
        turn.send(Peer::Server, line.into_bytes());
        let key = IdKey::Text(id.as_str().into());
        if let Some((key, entry)) = self.pending.insert(Owner::Stockade, key, entry) {
            self.gave_up(Owner::Stockade, &key, &entry, &mut turn);
        }
        id
    }

    /// The detectors whose findings matter in this direction.
    pub(super) fn wanted(&self, direction: Direction) -> &Wanted {
        match direction {
            Direction::ToServer => &self.asked_about.0,
            Direction::ToClient => &self.asked_about.1,
        }
    }

    fn ask_about(&mut self) {
        let wanted = |direction| {
            self.engine.wanted(|detector| {
                (self.without != Without::Dlp || detector.starts_with("injection/"))
                    && self.policy.asks_about(&self.facts.identities, direction, detector)
            })
        };
        self.asked_about = (wanted(Direction::ToServer), wanted(Direction::ToClient));
    }

    /// Longest line that the relay may buffer from `from`.
    #[must_use]
    pub fn frame_bytes_max(&self, from: Peer) -> usize {
        self.limits(from).frame_bytes_max
    }

    /// Requests of `owner` that are waiting for an answer.
    #[must_use]
    pub fn pending(&self, owner: Peer) -> usize {
        self.pending.len(owner.into())
    }

    /// Requests of `owner` that wait for an answer, oldest first: the first `most` of them, and how many there are in all.
    /// Subscriptions are none of them, since they wait for as long as a session lasts.
    #[must_use]
    pub fn waiting(&self, owner: Peer, most: usize) -> (Vec<Waiting>, usize) {
        let mut all = self.pending.oldest_first(owner.into());
        all.retain(|(_, entry)| entry.method != "subscriptions/listen");
        let waiting = |(key, entry): &(&IdKey, &Entry)| Waiting {
            id: super::record::shown_id(&self.engine, key),
            method: entry.method.to_string(),
            item: entry.item.as_deref().map(str::to_owned),
        };
        (all.iter().take(most).map(waiting).collect(), all.len())
    }

    /// Names that the peers gave themselves: (client name and version, server name and version). Claims only.
    #[must_use]
    pub fn claims(&self) -> (Option<&str>, Option<&str>) {
        (self.claims.client.as_deref(), self.claims.server.as_deref())
    }

    /// What refused lines are called in statistics.
    #[must_use]
    pub fn refusals(&self) -> &[(Refusal, u64)] {
        &self.refusals
    }

    pub(super) fn limits(&self, from: Peer) -> &Limits {
        match from {
            Peer::Client => &self.to_server,
            Peer::Server => &self.to_client,
        }
    }

    pub(super) fn message(&mut self, frame: &Frame<'_>, turn: &mut Turn<'_>) {
        match &frame.shape {
            Shape::Request { id, method, params } => self.request(frame, (*id, method, *params), turn),
            Shape::Notification { method, params } => self.notification(frame, method, *params, turn),
            Shape::Response { id, outcome } => self.response(frame, *id, *outcome, turn),
        }
    }
}

impl Turn<'_> {
    /// Lets the frame go on, as it came if nothing was changed in it.
    pub(super) fn forward(&mut self, frame: &Frame<'_>, rewritten: Option<Vec<u8>>) {
        let is_whole = frame.repairs == crate::wire::Repairs::default() && frame.bytes.len() == self.bytes;
        let as_it_came = is_whole && self.restored == 0;
        self.actions.push(match rewritten {
            Some(bytes) => Action::ForwardRewritten(bytes),
            None if as_it_came => Action::Forward,
            None => Action::ForwardRewritten(frame.bytes.to_vec()),
        });
    }
}

/// A method for a record and for the table: borrowed if we know it, else cut.
pub(super) fn brief(
    engine: &Engine,
    method: &str,
    known: Option<&'static str>,
) -> std::borrow::Cow<'static, str> {
    match known {
        Some(name) => name.into(),
        None => super::record::shown(engine, method).into(),
    }
}

/// Whether a line of the server can be a message at all: banners and logs on stdout begin with something else. A
/// byte order mark may stand before a message; the grammar refuses it, under the message's id.
fn may_be_json(line: &[u8]) -> bool {
    let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[' | 0xEF))
}

/// `--without wire`: what the grammar cannot read goes on, and nothing can be said of it but its length.
fn unchecked(turn: &mut Turn<'_>) {
    let kind = match turn.from {
        Peer::Client => RecordKind::Call,
        Peer::Server => RecordKind::Answer,
    };
    turn.actions.push(Action::Forward);
    turn.record(Record::new(kind, turn.direction(), turn.bytes));
}
