//! Requests: may it be asked, and may these words go out?

use std::borrow::Cow;
use std::ops::Range;

use super::access::{AccessRuling, stricter};
use super::action::{Peer, Turn};
use super::announce::opted;
use super::asked::Petition;
use super::catalogue::claim;
use super::clamp::{Narrowed, declares_tasks};
use super::content::{Judged, contains, named};
use super::denial::{Refused, Said, refusal};
use super::failed;
use super::pending::{Entry, Era, Owner, Use};
use super::record::{Record, RecordKind, built_in, shown, shown_id};
use super::reply;
use super::rounds::{Continued, Mark, Target, mark_of_arguments};
use super::session::{Mediator, brief};
use super::sightings::cursor;
use super::subject::{ClientFeature, Named, Subject};
use super::tally::Dropped;
use crate::detect::Finding;
use crate::document::policy::UnknownMethods;
use crate::rules::Ruling;
use crate::verdict::{Access, Content, Verdict};
use crate::wire::methods::{self, MethodKind};
use crate::wire::{Frame, Id, IdKey, Node};

/// Where the stateless revisions name themselves in each request's `_meta`.
const REVISION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_INFO_KEY: &str = "io.modelcontextprotocol/clientInfo";

const TASK_UNKNOWN: &str = "task/unknown";

/// A request, as far as a decision needs it.
struct Call<'f> {
    id: Id<'f>,
    key: IdKey,
    method: Cow<'static, str>,
    subject: Subject<'f>,
    era: Era,
    /// The round that it continues.
    continued: Option<Continued>,
}

/// Why a request is not even judged.
pub(super) struct Obstacle {
    pub(super) rule: &'static str,
    /// The code to answer with; `None` where an answer would be taken for another one's.
    pub(super) code: Option<i32>,
    pub(super) text: Cow<'static, str>,
}

impl Obstacle {
    /// In the stateless era a request may be none at all, whatever it lacks besides: clients take another code for the
    /// sign that a server knows the method.
    fn in_era(self, call: &Call<'_>, declares_tasks: bool) -> Self {
        match call.era {
            Era::Stateless if methods::was_removed(&call.method) => Self {
                rule: "method/removed",
                code: Some(reply::NO_METHOD),
                text: format!("since 2026-07-28 there is no method `{}`", call.method).into(),
            },
            Era::Stateless if self.rule == TASK_UNKNOWN && !declares_tasks => Self {
                code: Some(reply::UNDECLARED),
                text: "the client did not declare that it knows tasks".into(),
                ..self
            },
            _ => self,
        }
    }
}

/// Whether the call uses up something of a limit, and what stands against it already.
#[derive(Clone, Copy)]
enum Spending<'r> {
    Nothing(Option<&'r Ruling<Access>>),
    Call(Option<&'r Ruling<Access>>),
}

/// What the access axis says about a call.
struct Permission {
    ruling: Ruling<Access>,
    hidden: bool,
    petition: Option<Petition>,
    /// Mark of the arguments, if a person approved the call, now or in an earlier round.
    approved: Option<Mark>,
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
            continued: None,
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
        match self.understand(frame, &mut call, (turn.from, params, meta)) {
            Ok(narrowed) => {
                if turn.from == Peer::Client {
                    self.spoken.stateless |= era == Era::Stateless;
                    self.learn_client(frame, &call.method, params, meta);
                }
                self.decide_call(frame, call, (params, narrowed), turn);
            }
            Err(obstacle) => {
                let obstacle = obstacle.in_era(&call, declares_tasks(frame, meta));
                self.turn_away(frame, &call, obstacle, turn)
            }
        }
    }

    /// What the request is about and what it continues, or why that cannot be said.
    fn understand<'f>(
        &self,
        frame: &Frame<'f>,
        call: &mut Call<'f>,
        (from, params, meta): (Peer, Option<Node>, Option<Node>),
    ) -> Result<Narrowed, Obstacle> {
        let form = |text: &'static str| Obstacle {
            rule: "method/params",
            code: Some(reply::PARAMS),
            text: text.into(),
        };
        call.subject = Subject::read(frame, (from, &call.method), params).map_err(form)?;
        if let Subject::Task(id) = &call.subject
            && self.tasks.get(from, id).is_none()
        {
            let text = "Unknown task: no call of this session made it".into();
            return Err(Obstacle { rule: TASK_UNKNOWN, code: Some(reply::PARAMS), text });
        }
        if let (true, Subject::Item(item)) = (may_have_rounds(&call.method), &call.subject) {
            call.continued = self.continued(frame, (item.kind, &item.name), params)?;
        }
        self.narrowed(frame, (from, &call.method), params, meta).map_err(form)
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
            (Peer::Client, _) => {
                let mut narrowed = self.clamp(frame, method, params, meta);
                narrowed.edits.extend(self.narrow_responses(frame, params)?);
                Ok(narrowed)
            }
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
        let is_listen = call.method == "subscriptions/listen";
        let refused = narrower.as_ref().filter(|_| is_listen && is_empty);
        let mut fixed = call.subject.fixed(frame);
        // A server takes its own state as it gave it, or not at all.
        fixed.extend(
            params.and_then(|params| frame.get(params, "requestState")).map(|state| frame.span(state)),
        );
        let scan = self.scan(frame, turn.direction());
        let is_narrowed = !edits.is_empty();
        let Judged { content, reason, would_have, rewritten, findings } = if is_narrowed {
            self.judge_edited(frame, edits, scan, (&fixed, turn.direction()))
        } else {
            self.judge(frame, scan, (&fixed, turn.direction()))
        };
        let refused = match content {
            // What is not sent uses up nothing.
            Content::Block => Spending::Nothing(refused),
            _ => Spending::Call(refused),
        };
        let Permission { ruling, hidden, petition, approved } =
            self.permission(frame, (&call, params), refused, turn);
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
        let narrower = narrower.and_then(|ruling| ruling.reason).filter(|_| is_narrowed && tells);
        if narrower.is_some() && verdict.word() == "allow" {
            verdict.content = Content::Redact;
            verdict.reason = narrower;
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
            self.await_answer((frame, params), call, (item, approved), turn);
        }
    }

    /// The access axis: the policy, its limits, and the people who approve.
    fn permission(
        &mut self,
        frame: &Frame<'_>,
        (call, params): (&Call<'_>, Option<Node>),
        spending: Spending<'_>,
        turn: &Turn<'_>,
    ) -> Permission {
        // What is not to run may always be stopped.
        let subject = if call.method == "tasks/cancel" { &Subject::None } else { &call.subject };
        let AccessRuling { mut ruling, hidden } = self.may_use(frame, (turn.from, subject), params);
        let (Spending::Nothing(refused) | Spending::Call(refused)) = spending;
        if let Some(refused) = refused {
            ruling = stricter(ruling, refused.clone());
        }
        let arguments = || mark_of_arguments(frame, params);
        let continued = call.continued.and_then(|it| it.approved).filter(|mark| *mark == arguments());
        if ruling.verdict == Access::Ask && continued.is_some() {
            // The same call goes on: whoever approved it is not asked again.
            ruling.verdict = Access::Allow;
        }
        let about = (turn.direction(), &*call.method);
        let item = call.subject.items().next();
        let name = item.map(|item| &*item.name);
        let mut petition = self.petition(frame, about, name, &mut ruling);
        // A later round is the same call.
        let counts = matches!(spending, Spending::Call(_)) && call.continued.is_none();
        if let Subject::Item(named) = &call.subject
            && counts
            && ruling.verdict == Access::Allow
            && let Some(limit) = self.charge(&call.method, named, turn)
        {
            ruling = stricter(ruling, limit);
            petition = self.petition(frame, about, name, &mut ruling).or(petition);
        }
        let by_approval = petition.as_ref().is_some_and(|petition| petition.approval.is_some());
        let approved = if by_approval { Some(arguments()) } else { continued };
        Permission { ruling, hidden, petition, approved }
    }

    /// The request went on: its answer is waited for.
    fn await_answer(
        &mut self,
        (frame, params): (&Frame<'_>, Option<Node>),
        call: Call<'_>,
        (item, approved): (Option<Box<str>>, Option<Mark>),
        turn: &mut Turn<'_>,
    ) {
        self.spoken.handshake |= turn.from == Peer::Client && call.method == "initialize";
        if let Some(continued) = &call.continued {
            self.rounds.close(continued);
        }
        let counted = match &call.subject {
            Subject::Item(named) => self.counted(named, turn.from),
            _ => None,
        };
        let has_task = params.is_some_and(|params| frame.get(params, "task").is_some());
        let can_go_on = call.era == Era::Stateless || has_task;
        let is_for = match call.subject {
            Subject::Item(Named { kind, name, .. }) if can_go_on && may_have_rounds(&call.method) => {
                let round = call.continued.map_or(0, |continued| continued.round);
                Use::Call(Box::new(Target { kind, name: name.into(), round, approved }))
            }
            Subject::Feature(feature) => Use::Feature(feature),
            Subject::Task(id) => Use::Task(id.into()),
            Subject::None if turn.from == Peer::Client && call.method == "tools/list" => {
                Use::Page(params.and_then(|params| cursor(frame, params, "cursor")))
            }
            Subject::None if call.method == "subscriptions/listen" => Use::Listening(opted(frame, params)),
            Subject::Item(_) | Subject::None | Subject::Reference { .. } => Use::Nothing,
        };
        let arguments = match self.arguments_as_sent() {
            None => failed::arguments(frame, &call.method, params),
            Some(sent) => sent.filter(|_| call.method == "tools/call").and_then(failed::kept),
        };
        let entry =
            Entry { method: call.method, item, at: turn.now, era: call.era, is_for, counted, arguments };
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
            turn.answer(match code {
                reply::UNDECLARED => reply::undeclared_tasks(call.id.raw, &text, rule),
                _ => reply::error(call.id.raw, code, &text, &[("rule", rule)]),
            });
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

/// Calls that a server may answer with questions, or with a task.
fn may_have_rounds(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}
