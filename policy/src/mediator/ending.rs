//! The end of a peer: whoever still waits for it gets an answer, once.

use super::action::{Action, Now, Peer, ServerEnd, Turn};
use super::pending::{Entry, Owner, PENDING_MAX};
use super::record::{Record, RecordKind, built_in, shown_id};
use super::reply;
use super::session::Mediator;
use crate::wire::IdKey;

/// Who is gone.
#[derive(Debug, Default)]
pub(super) struct Endings {
    server: Option<ServerEnd>,
    session: Option<String>,
}

impl Mediator {
    /// The server is gone: every request that the client still waits for is answered with an error.
    pub fn server_ended(&mut self, end: &ServerEnd, now: Now, actions: &mut Vec<Action>) {
        actions.clear();
        let mut turn = Turn { from: Peer::Server, bytes: 0, now, restored: 0, actions };
        self.endings.server.get_or_insert_with(|| end.clone());
        self.release(Peer::Client, &mut turn);
        // Nobody is left to read what the client might still answer, or to answer us.
        drop(self.pending.drain(Owner::Server));
        drop(self.pending.drain(Owner::Stockade));
        self.dropped_totals(&mut turn);
    }

    /// The client is gone or the session is being ended: every request that either peer still waits for is answered
    /// with an error, so that the server can end cleanly, and a client that is still there (SIGTERM) knows.
    pub fn client_ended(&mut self, why: &str, now: Now, actions: &mut Vec<Action>) {
        actions.clear();
        let mut turn = Turn { from: Peer::Client, bytes: 0, now, restored: 0, actions };
        self.endings.session.get_or_insert_with(|| why.to_owned());
        self.release(Peer::Server, &mut turn);
        self.release(Peer::Client, &mut turn);
        drop(self.pending.drain(Owner::Stockade));
        self.dropped_totals(&mut turn);
    }

    /// What a request from `from` gets at once, because nobody is there to answer it.
    pub(super) fn nobody_there(&self, from: Peer, id: &[u8]) -> Option<Vec<u8>> {
        let Endings { server, session } = &self.endings;
        match (from, server, session) {
            (Peer::Client, Some(end), _) => {
                let message = format!("the MCP server ended ({}) before it answered", end.how);
                let tail = [("stderr", end.stderr_tail.as_str())];
                let data = if end.stderr_tail.is_empty() { &[][..] } else { &tail[..] };
                Some(reply::error(id, reply::BAD_SERVER, &message, data))
            }
            (_, _, Some(why)) => {
                let message =
                    format!("the session ended ({why}) before the {} answered", from.other().word());
                Some(reply::error(id, reply::ENDED, &message, &[]))
            }
            (_, _, None) => None,
        }
    }

    /// Whether nobody is left to read what `from` says.
    pub(super) fn is_over(&self, from: Peer) -> bool {
        self.endings.session.is_some() || (from == Peer::Client && self.endings.server.is_some())
    }

    /// A full table gave up its oldest request.
    pub(super) fn gave_up(&mut self, owner: Owner, key: &IdKey, entry: &Entry, turn: &mut Turn<'_>) {
        let waited_ms = turn.now.0.saturating_sub(entry.at.0);
        let text = format!(
            "no answer came within {} s, and {PENDING_MAX} newer requests are waiting",
            waited_ms / 1000
        );
        let answer = |text: &str| reply::error(&reply::id_json(key), reply::TOO_MANY, text, &[]);
        match owner {
            Owner::Client => turn.send(Peer::Client, answer(&text)),
            Owner::Server => turn.send(Peer::Server, answer(&text)),
            Owner::Stockade => {}
        }
        let record = self.synthesised(owner, key, entry, turn);
        turn.record(Record {
            verdict: built_in("session/too-many-pending", text.clone()),
            refusal: Some(text),
            ..record
        });
    }

    /// Answers everything that `peer` waits for, oldest first.
    fn release(&mut self, peer: Peer, turn: &mut Turn<'_>) {
        for (key, entry) in self.pending.drain(peer.into()) {
            let Some(answer) = self.nobody_there(peer, &reply::id_json(&key)) else { continue };
            turn.send(peer, answer);
            let text = self.how_it_ended(peer);
            let record = self.synthesised(peer.into(), &key, &entry, turn);
            turn.record(Record {
                verdict: built_in("session/ended", text.clone()),
                refusal: Some(text),
                ..record
            });
        }
    }

    /// For records: without the tail of stderr, which the log has anyway.
    pub(super) fn how_it_ended(&self, waiting: Peer) -> String {
        match (waiting, &self.endings.server, &self.endings.session) {
            (Peer::Client, Some(end), _) => format!("the MCP server ended ({})", end.how),
            (_, _, Some(why)) => format!("the session ended ({why})"),
            (_, _, None) => "the other side ended".to_owned(),
        }
    }

    fn synthesised(&self, owner: Owner, key: &IdKey, entry: &Entry, turn: &Turn<'_>) -> Record {
        let direction = match owner {
            Owner::Client | Owner::Stockade => Peer::Server.direction(),
            Owner::Server => Peer::Client.direction(),
        };
        let mut record = Record::new(RecordKind::Synthesised, direction, 0);
        record.method = Some(entry.method.clone().into_owned());
        record.item = entry.item.as_deref().map(str::to_owned);
        record.request_id = Some(shown_id(&self.engine, key));
        record.duration_ms = Some(turn.now.0.saturating_sub(entry.at.0));
        record
    }
}

impl Mediator {
    /// The client has said its last word but still reads: what the server asked it gets an answer now, what it asked the
    /// server may still be answered.
    pub fn client_said_all(&mut self, now: Now, actions: &mut Vec<Action>) {
        actions.clear();
        let mut turn = Turn { from: Peer::Client, bytes: 0, now, restored: 0, actions };
        for (key, entry) in self.pending.drain(Owner::Server) {
            let text = "the client closed its end before it answered";
            turn.send(Peer::Server, reply::error(&reply::id_json(&key), reply::ENDED, text, &[]));
            let record = self.synthesised(Owner::Server, &key, &entry, &turn);
            let verdict = built_in("session/ended", text.to_owned());
            turn.record(Record { verdict, refusal: Some(text.to_owned()), ..record });
        }
    }
}
