//! Answers: only to requests that wait, once each, searched like everything else.

use std::borrow::Cow;

use super::access::stricter;
use super::action::{Peer, Turn};
use super::catalogue::{ItemKind, claim};
use super::content::{Judged, Scan, named};
use super::edit::Edit;
use super::lists::{List, ListKind, ambiguous};
use super::pending::{Entry, Owner, Use};
use super::record::{Record, RecordKind, built_in, shown_id};
use super::reply::{self, About};
use super::session::Mediator;
use super::tally::Dropped;
use super::tasks::Work;
use crate::rules::Ruling;
use crate::verdict::{Access, Verdict};
use crate::wire::{Frame, Id, IdKey, Node, Outcome};

const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// A list that cannot be filtered for sure.
const LIST_RULE: &str = "list/form";

/// What becomes of an answer beside the content axis.
#[derive(Default)]
struct Changes {
    edits: Vec<Edit>,
    /// What the record says of the edits.
    noted: Option<Verdict>,
    ruling: Option<Ruling<Access>>,
}

impl Mediator {
    pub(super) fn response(&mut self, frame: &Frame<'_>, id: Id<'_>, outcome: Outcome, turn: &mut Turn<'_>) {
        let key = id.key();
        let waiting = turn.from.other();
        let Some(entry) = self.pending.take(waiting.into(), &key) else {
            return self.unexpected(frame, &key, turn);
        };
        self.count_answer(&entry, turn);
        self.weigh_answer(self.tool_of(&entry, turn.from).map(|tool| Box::from(&*tool)));
        let mut record = self.answer_record(frame, &key, &entry, turn);
        let mut withheld = Vec::new();
        let list = match (turn.from, outcome) {
            (Peer::Server, Outcome::Result(result)) => {
                self.learn_server(frame, &entry, result);
                self.learn_batches(frame, &entry, result);
                if matches!(&*entry.method, "initialize" | "server/discover") {
                    withheld = self.pin_server(frame, result, turn);
                }
                ListKind::of(&entry.method).map(|kind| List { kind, result, era: entry.era })
            }
            _ => None,
        };
        let changes = match self.changes(frame, (list, &entry), (turn.from, outcome)) {
            Ok(changes) => changes,
            Err(why) => {
                let text = format!("the list of the {} was refused: {why}", turn.from.word());
                turn.send(waiting, reply::error(id.raw, reply::BAD_SERVER, &text, &[("rule", LIST_RULE)]));
                record.verdict = built_in(LIST_RULE, text.clone());
                record.refusal = Some(text);
                return turn.record(record);
            }
        };
        let mut scan = self.scan(frame, turn.direction());
        let mut edits = list.and_then(|list| self.filter(frame, list, &mut scan, turn)).unwrap_or_default();
        if let Some(List { kind: ListKind::Tools, result, .. }) = list {
            self.turn_page(frame, result, &entry);
        }
        edits.extend(changes.edits);
        edits.extend(withheld);
        let judged = self.judge_answer(frame, (&entry, outcome), (edits, scan), turn);
        let Judged { content, reason, would_have, rewritten, findings } = judged;
        let mut verdict = Verdict { access: Access::Allow, content, reason, would_have };
        if let Some(noted) = changes.noted.filter(|noted| noted.content > verdict.content) {
            verdict = Verdict { would_have: verdict.would_have, ..noted };
        }
        if let Some(ruling) = changes.ruling
            && (ruling.verdict != Access::Allow || verdict.reason.is_none())
        {
            verdict.access = ruling.verdict;
            verdict.reason = ruling.reason;
        }
        if verdict.refuses() {
            let code = self.mint.code();
            let line = self.withheld((id, &entry), &verdict, (&named(&findings), &code), turn.from);
            // A client's answer that is held back is answered to the server that asked, and the other way round.
            turn.send(waiting, line);
            record.code = Some(code);
        } else {
            record.rewritten |= rewritten.is_some();
            turn.forward(frame, rewritten);
            if let Outcome::Result(result) = outcome {
                self.remember_use(frame, result, &entry, waiting);
            }
        }
        record.note(frame, &self.engine, findings);
        record.verdict = verdict;
        self.note_failure((frame, outcome), &entry, &mut record);
        turn.record(record);
    }

    /// The content axis of an answer.
    fn judge_answer(
        &mut self,
        frame: &Frame<'_>,
        (entry, outcome): (&Entry, Outcome),
        (edits, scan): (Vec<Edit>, Scan),
        turn: &Turn<'_>,
    ) -> Judged {
        let (state, is_result) = match outcome {
            Outcome::Result(result) => {
                (frame.get(result, "requestState").map(|state| frame.span(state)), true)
            }
            Outcome::Error(_) => (None, false),
        };
        let fixed = (state.as_slice(), turn.direction());
        let judged = match edits.is_empty() {
            true => self.judge(frame, scan, fixed),
            false => self.judge_edited(frame, edits, scan, fixed),
        };
        let tool = self.tool_of(entry, turn.from).filter(|_| is_result);
        self.fit_output(judged, tool.as_deref())
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

    /// What the access axis and the grants of the jail say about an answer.
    fn changes(
        &self,
        frame: &Frame<'_>,
        (list, entry): (Option<List>, &Entry),
        (from, outcome): (Peer, Outcome),
    ) -> Result<Changes, &'static str> {
        let mut changes = Changes::default();
        if let Some(why) = list.and_then(|list| ambiguous(frame, list)) {
            return Err(why);
        }
        let result = match outcome {
            Outcome::Result(result) => result,
            Outcome::Error(error) => {
                changes.ruling = if from == Peer::Server { self.may_point_to(frame, error) } else { None };
                return Ok(changes);
            }
        };
        match (from, &*entry.method) {
            (Peer::Client, "roots/list") => {
                let roots = self.bound_roots(frame, result);
                changes.noted = roots.verdict();
                changes.edits = roots.edits;
            }
            (_, "tasks/list") => changes.edits = self.filter_tasks(frame, result, from.other())?,
            (
                Peer::Server,
                "tools/call" | "prompts/get" | "resources/read" | "tasks/get" | "tasks/result",
            ) => {
                let target = match &entry.is_for {
                    Use::Call(target) => Some(&**target),
                    Use::Nothing | Use::Feature(_) | Use::Task(_) | Use::Page(_) | Use::Listening(_) => None,
                };
                changes.ruling = self.may_continue(frame, result, target);
            }
            _ => {}
        }
        if let Use::Task(id) = &entry.is_for {
            // The policy may have changed since the answer was asked for, which may be long ago.
            let ruling = self.may_follow_task(from.other(), id);
            changes.ruling = Some(match changes.ruling.take() {
                Some(known) => stricter(known, ruling),
                None => ruling,
            });
        }
        Ok(changes)
    }

    /// What later messages will refer to.
    fn remember_use(&mut self, frame: &Frame<'_>, result: Node, entry: &Entry, owner: Peer) {
        match &entry.is_for {
            Use::Call(target) => {
                self.await_round(frame, result, target);
                let work = Work::Item(target.kind, target.name.clone());
                self.note_task(frame, result, owner, work);
            }
            Use::Feature(feature) => self.note_task(frame, result, owner, Work::Feature(feature.clone())),
            Use::Nothing | Use::Task(_) | Use::Page(_) | Use::Listening(_) => {}
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

    /// The tool of the server that an answer is the result of.
    fn tool_of<'e>(&'e self, entry: &'e Entry, from: Peer) -> Option<Cow<'e, str>> {
        if from == Peer::Client {
            return None;
        }
        match (&*entry.method, &entry.is_for) {
            ("tools/call", Use::Call(target)) => Some(Cow::Borrowed(&*target.name)),
            ("tools/call", _) => Some(Cow::Borrowed(entry.item.as_deref().unwrap_or_default())),
            ("tasks/result", Use::Task(id)) => match self.tasks.get(Peer::Client, id) {
                Some(Work::Item(ItemKind::Tool, name)) => Some(Cow::Borrowed(&**name)),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the one who asked gets in the place of an answer that is held back.
    fn withheld(
        &self,
        (id, entry): (Id<'_>, &Entry),
        verdict: &Verdict,
        (found, code): (&str, &str),
        from: Peer,
    ) -> Vec<u8> {
        let what = match &entry.item {
            Some(item) => item,
            None => &*entry.method,
        };
        let text = reply::sentence(verdict, About { what, answer: true, found, code });
        if self.tool_of(entry, from).is_some() {
            reply::tool_denial(id.raw, entry.era, verdict, &text, code)
        } else {
            reply::denial(id.raw, verdict, &text, code)
        }
    }
}
