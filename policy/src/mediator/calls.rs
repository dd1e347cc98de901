//! Requests: may it be asked, and may these words go out?

use std::borrow::Cow;
use std::ops::Range;

use super::access::{AccessRuling, stricter};
use super::action::{Peer, Turn};
use super::catalogue::claim;
use super::clamp::Narrowed;
use super::content::{Judged, contains, named};
use super::denial::{Refused, Said, refusal};
use super::pending::{Entry, Era, Owner};
use super::record::{Record, RecordKind, built_in, shown, shown_id};
use super::reply;
use super::session::{Mediator, brief};
use super::subject::{ClientFeature, Named, Subject};
use super::tally::Dropped;
use crate::detect::Finding;
use crate::document::policy::UnknownMethods;
use crate::verdict::{Access, Content, Verdict};
use crate::wire::methods::{self, MethodKind};
use crate::wire::{Frame, Id, IdKey, Node};

/// Where the stateless revisions name themselves in each request's `_meta`.
const REVISION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_INFO_KEY: &str = "io.modelcontextprotocol/clientInfo";

/// A request, as far as a decision needs it.
struct Call<'f> {
    id: Id<'f>,
    key: IdKey,
    method: Cow<'static, str>,
    subject: Subject<'f>,
    era: Era,
}

/// Why a request is not even judged.
struct Obstacle {
    rule: &'static str,
    /// The code to answer with; `None` where an answer would be taken for another one's.
    code: Option<i32>,
    text: Cow<'static, str>,
}

impl Mediator {
    pub(super) fn request(
        &mut self,
        frame: &Frame<'_>,
        (id, method, params): (Id<'_>, &str, Option<Node>),
        turn: &mut Turn<'_>,
    ) {
        let known = methods::known(method, turn.direction(), MethodKind::Request);
        let meta = params.and_then(|params| frame.get(params, "_meta"));
        let era = match meta.and_then(|meta| frame.get(meta, REVISION_KEY)) {
            Some(_) => Era::Stateless,
            None => Era::Handshake,
        };
        let mut call = Call {
            id,
            key: id.key(),
            method: brief(&self.engine, method, known),
            subject: Subject::None,
            era,
        };
        if self.pending.get(turn.from.into(), &call.key).is_some() {
            let text = "a request with this id is still waiting for its answer".into();
            return self.turn_away(
                frame,
                &call,
                Obstacle { rule: "session/duplicate-id", code: None, text },
                turn,
            );
        }
        if let Some(answer) = self.nobody_there(turn.from, id.raw) {
            return self.answer_for_the_departed(frame, &call, answer, turn);
        }
        if known.is_none() && self.policy.unknown_methods() == UnknownMethods::Deny {
            let text = format!("no revision of the protocol knows the method `{}`", call.method).into();
            let obstacle = Obstacle { rule: "method/unknown", code: Some(reply::NO_METHOD), text };
            return self.turn_away(frame, &call, obstacle, turn);
        }
        if turn.from == Peer::Server && self.spoken.stateless && !self.spoken.handshake {
            let text = "in the stateless revisions servers send no requests".into();
            let obstacle = Obstacle { rule: "era/server-request", code: Some(reply::SHAPE), text };
            return self.turn_away(frame, &call, obstacle, turn);
        }
        let read = Subject::read(frame, (turn.from, &call.method), params);
        let narrowed = read.and_then(|subject| {
            call.subject = subject;
            self.narrowed(frame, (turn.from, &call.method), params, meta)
        });
        match narrowed {
            Ok(narrowed) => {
                if turn.from == Peer::Client {
                    self.spoken.stateless |= era == Era::Stateless;
                    self.learn_client(frame, &call.method, params, meta);
                }
                self.decide_call(frame, call, (params, narrowed), turn);
            }
            Err(text) => {
                let obstacle =
                    Obstacle { rule: "method/params", code: Some(reply::PARAMS), text: text.into() };
                self.turn_away(frame, &call, obstacle, turn);
            }
        }
    }

    /// What has to go from a request of the client before the server may hear of it.
    fn narrowed(
        &self,
        frame: &Frame<'_>,
        (from, method): (Peer, &str),
        params: Option<Node>,
        meta: Option<Node>,
    ) -> Result<Narrowed, &'static str> {
        match (from, method) {
            (Peer::Server, _) => Ok(Narrowed::default()),
            (Peer::Client, "subscriptions/listen") => {
                let mut narrowed = self.narrow_listen(frame, params)?;
                narrowed.edits.extend(self.clamp(frame, method, params, meta).edits);
                Ok(narrowed)
            }
            (Peer::Client, _) => Ok(self.clamp(frame, method, params, meta)),
        }
    }

    /// Both axes; then the request goes on or is answered here.
    fn decide_call(
        &mut self,
        frame: &Frame<'_>,
        call: Call<'_>,
        (params, narrowed): (Option<Node>, Narrowed),
        turn: &mut Turn<'_>,
    ) {
        let Narrowed { edits, ruling: narrower, is_empty } = narrowed;
        let AccessRuling { mut ruling, hidden } = self.may_use(frame, &call.subject, params);
        let is_listen = call.method == "subscriptions/listen";
        if let Some(narrower) = narrower.as_ref().filter(|_| is_listen && is_empty) {
            ruling = stricter(ruling, narrower.clone());
        }
        let about = (turn.direction(), &*call.method);
        let name = call.subject.items().next().map(|item| &*item.name);
        let petition = self.petition(frame, about, name, &mut ruling);
        let fixed = call.subject.fixed(frame);
        let scan = self.scan(frame, turn.direction());
        let is_narrowed = !edits.is_empty();
        let Judged { content, reason, would_have, rewritten, findings } = if is_narrowed {
            self.judge_edited(frame, edits, scan, (&fixed, turn.direction()))
        } else {
            self.judge(frame, scan, &fixed)
        };
        let mut verdict = Verdict {
            access: ruling.verdict,
            content,
            reason: if ruling.verdict == Access::Allow && content > Content::Pass {
                reason
            } else {
                ruling.reason
            },
            would_have: ruling.would_have.map(|(_, reason)| reason).or(would_have),
        };
        // Capabilities of the stateless era stand in every request; they are told of once, in the first.
        let tells = is_listen || matches!(&*call.method, "initialize" | "server/discover");
        if is_narrowed && tells && verdict.word() == "allow" {
            verdict.content = Content::Redact;
            verdict.reason = narrower.and_then(|ruling| ruling.reason);
        }
        let mut record = self.call_record(frame, &call, turn);
        if verdict.refuses() {
            let code = self.mint.code();
            let found = named(&findings);
            let what = self.shown_subject(&call, &fixed, &findings);
            let refused = Refused {
                id: call.id.raw,
                method: &call.method,
                era: call.era,
                from: turn.from,
                subject: &call.subject,
            };
            let said = Said { what: &what, hidden, found: &found, code: &code };
            turn.answer(refusal(&refused, &verdict, &said));
            record.code = Some(code);
        } else {
            record.rewritten |= rewritten.is_some();
            turn.forward(frame, rewritten);
        }
        record.note(frame, &self.engine, findings);
        let refuses = verdict.refuses();
        if let Some(approval) = petition.as_ref().and_then(|one| one.approval.as_deref()).filter(|_| !refuses)
        {
            self.approvals.spend(approval);
        }
        record.petition = petition;
        record.verdict = verdict;
        let item = record.item.as_deref().map(Box::from);
        turn.record(record);
        if !refuses {
            self.await_answer(call, item, turn);
        }
    }

    /// The request went on: its answer is waited for.
    fn await_answer(&mut self, call: Call<'_>, item: Option<Box<str>>, turn: &mut Turn<'_>) {
        self.spoken.handshake |= turn.from == Peer::Client && call.method == "initialize";
        let entry = Entry { method: call.method, item, at: turn.now, era: call.era };
        let owner = Owner::from(turn.from);
        if let Some((key, entry)) = self.pending.insert(owner, call.key, entry) {
            self.gave_up(owner, &key, &entry, turn);
        }
    }

    /// What a call is about, for our own answer: nothing that a rule names, and no secret, is repeated.
    fn shown_subject<'c>(
        &self,
        call: &'c Call<'_>,
        fixed: &[Range<usize>],
        findings: &[Finding],
    ) -> Cow<'c, str> {
        let Some(Named { name, .. }) = call.subject.items().next() else {
            return Cow::Borrowed(&*call.method);
        };
        let masked = shown(&self.engine, name);
        let holds_one = findings.iter().any(|found| fixed.iter().any(|fixed| contains(fixed, &found.raw)));
        // Not everything that a rule can name is masked: e-mail addresses and hidden text are not.
        if holds_one && name.starts_with(&masked) {
            return Cow::Borrowed("(a name that is not shown)");
        }
        Cow::Owned(masked)
    }

    fn turn_away(&mut self, frame: &Frame<'_>, call: &Call<'_>, obstacle: Obstacle, turn: &mut Turn<'_>) {
        let Obstacle { rule, code, text } = obstacle;
        if let Some(code) = code {
            turn.answer(reply::error(call.id.raw, code, &text, &[("rule", rule)]));
        }
        let mut record = self.call_record(frame, call, turn);
        record.verdict = built_in(rule, text.clone().into_owned());
        record.refusal = Some(text.into_owned());
        // Only a request under an id that waits is not answered.
        if code.is_none() {
            self.record_dropped(Dropped::DuplicateId, record, turn)
        } else {
            turn.record(record)
        }
    }

    fn answer_for_the_departed(
        &mut self,
        frame: &Frame<'_>,
        call: &Call<'_>,
        answer: Vec<u8>,
        turn: &mut Turn<'_>,
    ) {
        turn.answer(answer);
        let text = self.how_it_ended(turn.from);
        let mut record = self.call_record(frame, call, turn);
        record.kind = RecordKind::Synthesised;
        record.verdict = built_in("session/ended", text.clone());
        record.refusal = Some(text);
        turn.record(record);
    }

    fn call_record(&self, frame: &Frame<'_>, call: &Call<'_>, turn: &Turn<'_>) -> Record {
        let mut record = Record::new(RecordKind::Call, turn.direction(), turn.bytes);
        record.method = Some(call.method.clone().into_owned());
        record.item = match &call.subject {
            Subject::Feature(ClientFeature::Page(origin)) => {
                origin.as_deref().map(|it| shown(&self.engine, it))
            }
            Subject::Task(id) => Some(shown(&self.engine, id)),
            subject => subject.items().next().map(|item| shown(&self.engine, &item.name)),
        };
        record.request_id = Some(shown_id(&self.engine, &call.key));
        record.note_repairs(frame);
        record
    }

    /// Clients say who they are in `initialize`, or in every request.
    fn learn_client(&mut self, frame: &Frame<'_>, method: &str, params: Option<Node>, meta: Option<Node>) {
        let info = match method {
            "initialize" => params.and_then(|params| frame.get(params, "clientInfo")),
            _ if self.claims.client.is_some() => None,
            _ => meta.and_then(|meta| frame.get(meta, CLIENT_INFO_KEY)),
        };
        if let Some(claim) = info.and_then(|info| claim(frame, info, &self.engine)) {
            self.claims.client = Some(claim);
            let name = info.and_then(|info| frame.get(info, "name")).and_then(|name| frame.text(name));
            self.claims.client_name = name.map(|name| shown(&self.engine, &name).into());
        }
    }
}
