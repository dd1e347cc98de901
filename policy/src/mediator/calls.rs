//! Requests: may it be asked, and may these words go out?

use std::borrow::Cow;
use std::ops::Range;

use super::action::{Peer, Turn};
use super::catalogue::{ItemKind, claim};
use super::content::{Judged, contains, named};
use super::pending::{Entry, Era, Owner};
use super::record::{Record, RecordKind, built_in, shown, shown_id};
use super::reply::{self, About};
use super::session::{Mediator, brief};
use super::tally::Dropped;
use crate::detect::Finding;
use crate::document::policy::UnknownMethods;
use crate::rules::{Item, Ruling};
use crate::verdict::{Access, Content, Verdict};
use crate::wire::methods::{self, MethodKind};
use crate::wire::{Frame, Id, IdKey, Node, NodeKind};

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

/// What a request is about.
enum Subject<'f> {
    /// Nothing that a rule could name.
    None,
    /// A tool or a prompt: access rules are asked.
    Item { kind: ItemKind, name: Cow<'f, str>, node: Node },
    /// A resource.
    Resource(Cow<'f, str>),
}

impl Subject<'_> {
    fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Item { name, .. } | Self::Resource(name) => Some(name),
        }
    }
}

/// Why a request is not even judged.
struct Obstacle {
    rule: &'static str,
    /// The code to answer with; `None` where an answer would be taken for another one's.
    code: Option<i32>,
    text: Cow<'static, str>,
}

/// The access axis, and whether the item is there at all for this client.
struct AccessRuling {
    ruling: Ruling<Access>,
    hidden: bool,
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
        if turn.from == Peer::Client {
            match subject(frame, &call.method, params) {
                Ok(found) => call.subject = found,
                Err(text) => {
                    let obstacle =
                        Obstacle { rule: "method/params", code: Some(reply::PARAMS), text: text.into() };
                    return self.turn_away(frame, &call, obstacle, turn);
                }
            }
            self.learn_client(frame, &call.method, params, meta);
        }
        self.decide_call(frame, call, turn);
    }

    /// Both axes; then the request goes on or is answered here.
    fn decide_call(&mut self, frame: &Frame<'_>, call: Call<'_>, turn: &mut Turn<'_>) {
        let AccessRuling { mut ruling, hidden } = self.may_use(&call.subject);
        let about = (turn.direction(), &*call.method);
        let petition = self.petition(frame, about, call.subject.name(), &mut ruling);
        let fixed = match &call.subject {
            Subject::Item { node, .. } => Some(frame.span(*node)),
            Subject::None | Subject::Resource(_) => None,
        };
        let scan = self.scan(frame, turn.direction());
        let Judged { content, reason, would_have, rewritten, findings } =
            self.judge(frame, scan, fixed.clone());
        let verdict = Verdict {
            access: ruling.verdict,
            content,
            reason: if ruling.verdict == Access::Allow && content > Content::Pass {
                reason
            } else {
                ruling.reason
            },
            would_have: ruling.would_have.map(|(_, reason)| reason).or(would_have),
        };
        let mut record = self.call_record(frame, &call, turn);
        if verdict.refuses() {
            let code = self.mint.code();
            let found = named(&findings);
            let what = self.shown_subject(&call, fixed, &findings);
            let answer = refusal(&call, &verdict, (&what, hidden), (&found, &code), turn.from);
            turn.answer(answer);
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
            let entry = Entry { method: call.method, item, at: turn.now, era: call.era };
            let owner = Owner::from(turn.from);
            if let Some((key, entry)) = self.pending.insert(owner, call.key, entry) {
                self.gave_up(owner, &key, &entry, turn);
            }
        }
    }

    /// What a call is about, for our own answer: nothing that a rule names, and no secret, is repeated.
    fn shown_subject<'c>(
        &self,
        call: &'c Call<'_>,
        fixed: Option<Range<usize>>,
        findings: &[Finding],
    ) -> Cow<'c, str> {
        let Subject::Item { name, .. } = &call.subject else { return Cow::Borrowed(&*call.method) };
        let masked = shown(&self.engine, name);
        let holds_one = findings.iter().any(|found| fixed.as_ref().is_some_and(|f| contains(f, &found.raw)));
        // Not everything that a rule can name is masked: e-mail addresses and hidden text are not.
        if holds_one && name.starts_with(&masked) {
            return Cow::Borrowed("(a name that is not shown)");
        }
        Cow::Owned(masked)
    }

    /// The policy's answer, and what was hidden for its definition.
    fn may_use(&self, subject: &Subject<'_>) -> AccessRuling {
        let Subject::Item { kind, name, .. } = subject else {
            let ruling = Ruling { verdict: Access::Allow, reason: None, would_have: None };
            return AccessRuling { ruling, hidden: false };
        };
        let item = match kind {
            ItemKind::Tool => Item::Tool(name),
            ItemKind::Prompt => Item::Prompt(name),
        };
        let mut ruling = self.policy.access(&self.facts.identities, item);
        if ruling.verdict == Access::Deny {
            return AccessRuling { ruling, hidden: self.catalogue.is_filtered(*kind) };
        }
        if let Some(reason) = self.catalogue.why_hidden(*kind, name) {
            ruling.verdict = Access::Deny;
            ruling.reason = Some(reason.clone());
            return AccessRuling { ruling, hidden: true };
        }
        AccessRuling { ruling, hidden: false }
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
            Subject::None => None,
            Subject::Item { name, .. } | Subject::Resource(name) => Some(shown(&self.engine, name)),
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
        }
    }
}

/// What a request of the client is about, or why that cannot be said. A name that is not a string would be read one
/// way by one server and another way by the next.
fn subject<'f>(frame: &Frame<'f>, method: &str, params: Option<Node>) -> Result<Subject<'f>, &'static str> {
    let member = |key| params.and_then(|params| frame.get(params, key));
    let named = |kind, holder: Option<Node>| {
        let node = holder.and_then(|holder| frame.get(holder, "name"))?;
        frame.text(node).map(|name| Subject::Item { kind, name, node })
    };
    let arguments_fit = match member("arguments").map(|arguments| frame.kind(arguments)) {
        None | Some(NodeKind::Object | NodeKind::Null) => true,
        Some(_) => false,
    };
    match method {
        "tools/call" | "prompts/get" if !arguments_fit => Err("`params.arguments` has to be an object"),
        "tools/call" => {
            named(ItemKind::Tool, params).ok_or("`params.name` has to be the tool's name, a string")
        }
        "prompts/get" => {
            named(ItemKind::Prompt, params).ok_or("`params.name` has to be the prompt's name, a string")
        }
        "completion/complete" => {
            let reference = member("ref");
            let kind = reference.and_then(|reference| frame.get(reference, "type"));
            let kind =
                kind.and_then(|kind| frame.text(kind)).ok_or("`params.ref.type` has to be a string")?;
            // Whatever type it says: a reference with a name may be read as that of a prompt.
            match named(ItemKind::Prompt, reference) {
                None if kind == "ref/prompt" => {
                    Err("`params.ref.name` has to be the prompt's name, a string")
                }
                prompt => Ok(prompt.unwrap_or(Subject::None)),
            }
        }
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" | "resources/directory/read" => {
            let uri = member("uri").and_then(|uri| frame.text(uri));
            Ok(uri.map_or(Subject::None, Subject::Resource))
        }
        _ => Ok(Subject::None),
    }
}

/// How a refusal looks to the one who asked.
fn refusal(
    call: &Call<'_>,
    verdict: &Verdict,
    (what, hidden): (&str, bool),
    (found, code): (&str, &str),
    from: Peer,
) -> Vec<u8> {
    let id = call.id.raw;
    if from == Peer::Server && call.method == "elicitation/create" {
        return reply::decline(id);
    }
    if let (true, Subject::Item { kind, .. }) = (hidden && verdict.access == Access::Deny, &call.subject) {
        let kind = match kind {
            ItemKind::Tool => "tool",
            ItemKind::Prompt => "prompt",
        };
        let rule = verdict.reason.as_ref().map_or("built-in", |reason| &reason.rule);
        let message = format!("Unknown {kind}: {what}");
        return reply::error(id, reply::PARAMS, &message, &[("rule", rule), ("code", code)]);
    }
    let text = reply::sentence(verdict, About { what, answer: false, found, code });
    if from == Peer::Client && call.method == "tools/call" {
        reply::tool_denial(id, call.era, verdict, &text, code)
    } else {
        reply::denial(id, verdict, &text, code)
    }
}
