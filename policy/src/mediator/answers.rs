//! Answers: only to requests that wait, once each, searched like everything else.

use super::action::{Peer, Turn};
use super::catalogue::claim;
use super::content::{Judged, named};
use super::lists::{List, ListKind, ambiguous};
use super::pending::{Entry, Owner};
use super::record::{Record, RecordKind, built_in, shown_id};
use super::reply::{self, About};
use super::roots::RootEdits;
use super::session::Mediator;
use super::tally::Dropped;
use crate::verdict::{Access, Verdict};
use crate::wire::{Frame, Id, IdKey, Node, Outcome};

const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// A list that cannot be filtered for sure.
const LIST_RULE: &str = "list/form";

impl Mediator {
    pub(super) fn response(&mut self, frame: &Frame<'_>, id: Id<'_>, outcome: Outcome, turn: &mut Turn<'_>) {
        let key = id.key();
        let waiting = turn.from.other();
        let Some(entry) = self.pending.take(waiting.into(), &key) else {
            return self.unexpected(frame, &key, turn);
        };
        let mut record = self.answer_record(frame, &key, &entry, turn);
        let list = match (turn.from, outcome) {
            (Peer::Server, Outcome::Result(result)) => {
                self.learn_server(frame, &entry, result);
                ListKind::of(&entry.method).map(|kind| List { kind, result, era: entry.era })
            }
            _ => None,
        };
        if let Some(why) = list.and_then(|list| ambiguous(frame, list)) {
            let text = format!("the list of the server was refused: {why}");
            turn.send(waiting, reply::error(id.raw, reply::BAD_SERVER, &text, &[("rule", LIST_RULE)]));
            record.verdict = built_in(LIST_RULE, text.clone());
            record.refusal = Some(text);
            return turn.record(record);
        }
        let mut scan = self.scan(frame, turn.direction());
        let roots = self.roots_of(frame, &entry, (turn.from, outcome));
        let mut edits = list.and_then(|list| self.filter(frame, list, &mut scan, turn)).unwrap_or_default();
        let bounded = roots.verdict();
        edits.extend(roots.edits);
        let judged = match edits.is_empty() {
            true => self.judge(frame, scan, &[]),
            false => self.judge_edited(frame, edits, scan, (&[], turn.direction())),
        };
        let Judged { content, reason, would_have, rewritten, findings } = judged;
        let mut verdict = Verdict { access: Access::Allow, content, reason, would_have };
        if let Some(bounded) = bounded.filter(|bounded| bounded.content > verdict.content) {
            verdict = Verdict { would_have: verdict.would_have, ..bounded };
        }
        if verdict.refuses() {
            let code = self.mint.code();
            let line = withheld(id, &entry, &verdict, (&named(&findings), &code), turn.from);
            // A client's answer that is held back is answered to the server that asked, and the other way round.
            turn.send(waiting, line);
            record.code = Some(code);
        } else {
            record.rewritten |= rewritten.is_some();
            turn.forward(frame, rewritten);
        }
        record.note(frame, &self.engine, findings);
        record.verdict = verdict;
        turn.record(record);
    }

    /// An answer that nobody waits for: one of ours, or one to a request that was denied, cancelled, given up,
    /// answered already or never made.
    fn unexpected(&mut self, frame: &Frame<'_>, key: &IdKey, turn: &mut Turn<'_>) {
        let ours = (turn.from == Peer::Server).then(|| self.pending.take(Owner::Stockade, key)).flatten();
        if let Some(entry) = ours {
            let record = self.answer_record(frame, key, &entry, turn);
            return turn.record(record);
        }
        let text = "no request with this id is waiting for an answer".to_owned();
        let mut record = Record::new(RecordKind::Answer, turn.direction(), turn.bytes);
        record.request_id = Some(shown_id(&self.engine, key));
        record.verdict = built_in("session/unknown-id", text.clone());
        record.refusal = Some(text);
        self.record_dropped(Dropped::Unexpected, record, turn);
    }

    /// What has to go from an answer to `roots/list`.
    fn roots_of(&self, frame: &Frame<'_>, entry: &Entry, (from, outcome): (Peer, Outcome)) -> RootEdits {
        match outcome {
            Outcome::Result(result) if from == Peer::Client && entry.method == "roots/list" => {
                self.bound_roots(frame, result)
            }
            _ => RootEdits::default(),
        }
    }

    fn answer_record(&self, frame: &Frame<'_>, key: &IdKey, entry: &Entry, turn: &Turn<'_>) -> Record {
        let mut record = Record::new(RecordKind::Answer, turn.direction(), turn.bytes);
        record.method = Some(entry.method.clone().into_owned());
        record.item = entry.item.as_deref().map(str::to_owned);
        record.request_id = Some(shown_id(&self.engine, key));
        record.duration_ms = Some(turn.now.0.saturating_sub(entry.at.0));
        record.note_repairs(frame);
        record
    }

    /// Servers say who they are in their answer to `initialize`, or in the `_meta` of every result.
    fn learn_server(&mut self, frame: &Frame<'_>, entry: &Entry, result: Node) {
        let introduces = matches!(&*entry.method, "initialize" | "server/discover");
        if self.claims.server.is_some() && !introduces {
            return;
        }
        let direct = if introduces { frame.get(result, "serverInfo") } else { None };
        let info = direct.or_else(|| frame.get(frame.get(result, "_meta")?, SERVER_INFO_KEY));
        if let Some(claim) = info.and_then(|info| claim(frame, info, &self.engine)) {
            self.claims.server = Some(claim);
        }
    }
}

/// What the one who asked gets in the place of an answer that is held back.
fn withheld(
    id: Id<'_>,
    entry: &Entry,
    verdict: &Verdict,
    (found, code): (&str, &str),
    from: Peer,
) -> Vec<u8> {
    let what = match &entry.item {
        Some(item) => item,
        None => &*entry.method,
    };
    let text = reply::sentence(verdict, About { what, answer: true, found, code });
    if from == Peer::Server && entry.method == "tools/call" {
        reply::tool_denial(id.raw, entry.era, verdict, &text, code)
    } else {
        reply::denial(id.raw, verdict, &text, code)
    }
}
