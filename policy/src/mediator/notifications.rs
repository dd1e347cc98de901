//! Notifications: judged like requests, but nobody can be answered.

use super::access::{When, stricter};
use super::action::{Peer, Turn};
use super::catalogue::ItemKind;
use super::pending::Owner;
use super::record::{Record, RecordKind, built_in, shown_id};
use super::session::{Mediator, brief};
use super::subject::ClientFeature;
use super::tally::Dropped;
use crate::document::policy::UnknownMethods;
use crate::rules::Arguments;
use crate::verdict::{Access, Verdict};
use crate::wire::methods::{self, MethodKind};
use crate::wire::{Frame, IdKey, Node};

const CANCELLED: &str = "notifications/cancelled";

/// A cancellation and the request that it ends.
struct Cancellation {
    owner: Owner,
    key: IdKey,
}

impl Mediator {
    pub(super) fn notification(
        &mut self,
        frame: &Frame<'_>,
        method: &str,
        params: Option<Node>,
        turn: &mut Turn<'_>,
    ) {
        let known = methods::known(method, turn.direction(), MethodKind::Notification);
        let mut record = Record::new(RecordKind::Notification, turn.direction(), turn.bytes);
        record.method = Some(brief(&self.engine, method, known).into_owned());
        record.note_repairs(frame);
        if self.is_over(turn.from) {
            return self.drop_with(record, "session/ended", self.how_it_ended(turn.from), turn);
        }
        if known.is_none() && self.policy.unknown_methods() == UnknownMethods::Deny {
            let text = "no revision of the protocol knows this notification".to_owned();
            return self.drop_with(record, "method/unknown", text, turn);
        }
        if let Some((rule, why)) = self.unwelcome(frame, (turn.from, known), params) {
            return self.drop_with(record, rule, why, turn);
        }
        let mut cancels = None;
        if known == Some(CANCELLED) {
            match self.cancellation(frame, params, turn.from) {
                Ok(cancellation) => {
                    record.request_id = Some(shown_id(&self.engine, &cancellation.key));
                    cancels = Some(cancellation);
                }
                Err(why) => return self.drop_with(record, "session/cancelled", why.to_owned(), turn),
            }
        }
        let scan = self.scan(frame, turn.direction());
        let judged = self.judge(frame, scan, (&[], turn.direction()));
        record.verdict = Verdict {
            access: Access::Allow,
            content: judged.content,
            reason: judged.reason,
            would_have: judged.would_have,
        };
        record.note(frame, &self.engine, judged.findings);
        if record.verdict.refuses() {
            record.code = Some(self.mint.code());
        } else {
            record.rewritten |= judged.rewritten.is_some();
            // Only a cancellation that is passed on ends the request: the table says what is true on the wire.
            if let Some(Cancellation { owner, key }) = cancels {
                drop(self.pending.take(owner, &key));
            }
            turn.forward(frame, judged.rewritten);
        }
        turn.record(record);
    }

    /// Why the policy lets nobody hear of this.
    fn unwelcome(
        &self,
        frame: &Frame<'_>,
        (from, known): (Peer, Option<&'static str>),
        params: Option<Node>,
    ) -> Option<(&'static str, String)> {
        let ruling = match known? {
            "notifications/tasks" | "notifications/tasks/status" => {
                let id = params.and_then(|params| frame.get(params, "taskId")).and_then(|id| frame.text(id));
                // News of a task go to whoever asked for it.
                let task = id.map(|id| self.may_follow_task(from.other(), &id));
                let Some(task) = task else { return Some(("method/params", "it names no task".to_owned())) };
                let asked = params.and_then(|params| self.may_continue(frame, params, None));
                asked.into_iter().fold(task, stricter)
            }
            "notifications/roots/list_changed" => self.may_ask(&ClientFeature::Roots, When::Now),
            "notifications/resources/updated" => {
                let uri = params.and_then(|params| frame.get(params, "uri"));
                let Some(uri) = uri.and_then(|uri| frame.text(uri)) else {
                    return Some(("method/params", "it names no resource".to_owned()));
                };
                self.may_use_item(ItemKind::Resource, &uri, Arguments::Unknown).ruling
            }
            _ => return None,
        };
        if ruling.verdict == Access::Allow {
            return None;
        }
        let why = ruling.reason.map(|reason| format!("rule `{}`: {}", reason.rule, reason.text));
        Some(("access/notification", why.unwrap_or_else(|| "the policy does not allow it".to_owned())))
    }

    fn drop_with(&mut self, mut record: Record, rule: &'static str, why: String, turn: &mut Turn<'_>) {
        record.verdict = built_in(rule, why.clone());
        record.refusal = Some(why);
        self.record_dropped(Dropped::Notification, record, turn);
    }

    /// Which pending request a cancellation is about. A peer cancels its own requests; a server also ends a
    /// subscription of the client this way (2026-07-28, cancellation). The handshake cannot be cancelled.
    fn cancellation(
        &self,
        frame: &Frame<'_>,
        params: Option<Node>,
        from: Peer,
    ) -> Result<Cancellation, &'static str> {
        let id = params.and_then(|params| frame.get(params, "requestId"));
        let key = id.and_then(|id| key_of(frame, id)).ok_or("it names no request")?;
        if let Some(entry) = self.pending.get(from.into(), &key) {
            if from == Peer::Client && entry.method == "initialize" {
                return Err("a client may not cancel `initialize`");
            }
            return Ok(Cancellation { owner: from.into(), key });
        }
        let subscription = self.pending.get(Owner::Client, &key).filter(|_| from == Peer::Server);
        if subscription.is_some_and(|entry| entry.method == "subscriptions/listen") {
            return Ok(Cancellation { owner: Owner::Client, key });
        }
        Err("no request with this id is waiting")
    }
}

/// The id that a value is, if it is one.
fn key_of(frame: &Frame<'_>, value: Node) -> Option<IdKey> {
    if let Some(text) = frame.text(value) {
        return Some(IdKey::Text(text.into()));
    }
    let raw = std::str::from_utf8(&frame.bytes[frame.span(value)]).ok()?;
    raw.parse().ok().map(IdKey::Number)
}
