//! What a rule asks about: its marks for the log, the approval that lets it pass, and what the refused one was told.

use super::action::Action;
use super::record::{Record, cut};
use super::session::Mediator;
use crate::approvals::{self, Approvals, Asked};
use crate::rules::Ruling;
use crate::verdict::{Access, Reason};
use crate::wire::{Direction, Frame};

/// Longer arguments are not shown to a person, only measured: a cut must never run through a secret.
const READ_BYTES_MAX: usize = 64 << 10;
const SHOWN_CHARS_MAX: usize = 4096;
const TOLD_CHARS_MAX: usize = 2048;

/// A request that a rule asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Petition {
    /// Its marks: keyed hashes.
    pub asked: Asked,
    /// The approval that let it pass.
    pub approval: Option<String>,
    /// Its arguments for the person who decides, masked: not for the log.
    pub arguments: Option<String>,
}

impl Mediator {
    /// The approvals of this session, to be told of new ones and of the time.
    pub fn approvals(&mut self) -> &mut Approvals {
        &mut self.approvals
    }

    /// The pause of this server, if one holds.
    #[must_use]
    pub fn pause(&self) -> Option<&approvals::Approval> {
        self.approvals.pause(self.identities())
    }

    /// What the server is known by.
    #[must_use]
    pub fn identities(&self) -> &[String] {
        &self.facts.identities
    }

    /// Asks the approvals where the policy asks a person. Only the access axis changes, and only from `ask` to `allow`.
    pub(super) fn petition(
        &self,
        frame: &Frame<'_>,
        (direction, method): (Direction, &str),
        name: Option<&str>,
        ruling: &mut Ruling<Access>,
    ) -> Option<Petition> {
        if ruling.verdict != Access::Ask {
            return None;
        }
        let params = frame.body().map(|body| frame.span(body)).and_then(|span| frame.bytes.get(span));
        let params = params.unwrap_or(b"{}");
        let asked = self.approvals.marks((direction, method), name, params);
        let found = self.approvals.find(&self.facts.identities, &asked);
        if let Some(one) = found {
            ruling.verdict = Access::Allow;
            ruling.reason = ruling.reason.take().map(|reason| Reason {
                text: format!("{} approved it (approval {})", one.by, one.id).into(),
                ..reason
            });
        }
        let approval = found.map(|one| one.id.clone());
        // People are shown what the client sent: what was put back is theirs to see in the file alone.
        let sent = self.params_as_sent().unwrap_or(params);
        let arguments = if approval.is_none() { self.shown_arguments(sent) } else { None };
        Some(Petition { asked, approval, arguments })
    }

    /// Arguments in one spelling, so that no escape hides a secret from the mask.
    fn shown_arguments(&self, params: &[u8]) -> Option<String> {
        if params.len() > READ_BYTES_MAX {
            return Some(format!("(not shown: a request of {} bytes)", params.len()));
        }
        let text = approvals::readable(params)?;
        let masked = self.engine.mask(&text);
        let shown = cut(&masked, SHOWN_CHARS_MAX);
        Some(if shown.len() < masked.len() { format!("{shown}…") } else { shown.to_owned() })
    }
}

/// Puts on each refusal's record what its peer was told: the very text, since `why` must not guess.
pub(super) fn note_told(actions: &mut [Action]) {
    let mut said: Option<String> = None;
    for action in actions {
        match action {
            Action::Send(_, line) => said = told(line),
            Action::Record(record) if is_refusal(record) => record.told = said.take(),
            Action::Forward | Action::ForwardRewritten(_) | Action::Record(_) => {}
        }
    }
}

fn is_refusal(record: &Record) -> bool {
    record.verdict.refuses() || record.refusal.is_some()
}

/// The sentence in an answer of ours.
fn told(line: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(line).ok()?;
    let sentence = [
        answer.pointer("/error/message"),
        answer.pointer("/result/content/0/text"),
        answer.pointer("/result/action"),
    ];
    let text = sentence.into_iter().flatten().find_map(serde_json::Value::as_str)?;
    Some(cut(text, TOLD_CHARS_MAX).to_owned())
}
