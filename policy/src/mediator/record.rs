//! What the log learns of a decision: capped, and masked before it leaves this room.

use std::borrow::Cow;
use std::ops::Range;

use super::action::Turn;
use super::asked::Petition;
use super::failed::Failed;
use super::passed::{PassedOver, Weight};
use crate::detect::{Engine, Finding, Place};
use crate::verdict::{Access, Reason, Verdict};
use crate::wire::{Direction, Frame, IdKey, TokenKind};

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// A request was decided (forwarded or refused).
    Call,
    /// An answer was decided.
    Answer,
    /// A notification was decided.
    Notification,
    /// A line was refused or dropped before it could be a message.
    Refused,
    /// An answer was made up by us (server died, session ended, table full).
    Synthesised,
    /// A tool definition had a finding or was hidden.
    Definition,
}

/// One decision, for the log. Never holds a matched value.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it is about.
    pub kind: RecordKind,
    /// Which way the message was going.
    pub direction: Direction,
    /// Decoded method (of the request, for answers); at most 128 characters.
    pub method: Option<String>,
    /// Tool or prompt name or resource URI; at most 128 characters, masked.
    pub item: Option<String>,
    /// The id as JSON text; at most 64 characters.
    pub request_id: Option<String>,
    /// Outcome.
    pub verdict: Verdict,
    /// Why the grammar or the session table refused it.
    pub refusal: Option<String>,
    /// Findings, at most 32.
    pub findings: Vec<Finding>,
    /// JSON Pointers of those findings, in the same order.
    pub pointers: Vec<String>,
    /// What was done about those findings, in the same order, where it is known of each.
    pub weights: Vec<Option<Weight>>,
    /// How many findings there were in all.
    pub findings_total: usize,
    /// What was found and went on all the same.
    pub passed: PassedOver,
    /// Bytes of the line as it came.
    pub bytes: usize,
    /// The line was rewritten (redacted, filtered or repaired) before it was forwarded.
    pub rewritten: bool,
    /// Redacted values that were put back for the server that they came from.
    pub restored: usize,
    /// Line separators, surrogates and invalid UTF-8 repaired in it.
    pub repaired: u32,
    /// Answers: milliseconds since the request was forwarded.
    pub duration_ms: Option<u64>,
    /// Refusals: the short code that the user can ask about (`4F2K`).
    pub code: Option<String>,
    /// A rule asks about it: by which approval it passed, if it did.
    pub petition: Option<Petition>,
    /// Answers: that they report a failure.
    pub failed: Option<Failed>,
    /// Of such an answer, or one that is held back, what its tool was called with, masked: not for the log.
    pub arguments: Option<String>,
    /// Refusals: the very text that the peer got, which holds nothing that is not masked.
    pub told: Option<String>,
}

/// Longest name on record, in characters.
pub(super) const NAME_CHARS_MAX: usize = 128;
const ID_CHARS_MAX: usize = 64;
const FINDINGS_MAX: usize = 32;
const POINTER_CHARS_MAX: usize = 256;
/// Longer texts are not masked and cut but only measured: a cut must never run through a secret that a detector
/// would have known as a whole.
const SHOWN_BYTES_MAX: usize = 4096;

impl Record {
    /// A record with nothing on it yet but where it belongs.
    pub(super) fn new(kind: RecordKind, direction: Direction, bytes: usize) -> Self {
        Self {
            kind,
            direction,
            method: None,
            item: None,
            request_id: None,
            verdict: Verdict::CLEAR,
            refusal: None,
            findings: Vec::new(),
            pointers: Vec::new(),
            weights: Vec::new(),
            findings_total: 0,
            passed: PassedOver::default(),
            bytes,
            rewritten: false,
            restored: 0,
            repaired: 0,
            duration_ms: None,
            code: None,
            petition: None,
            failed: None,
            arguments: None,
            told: None,
        }
    }

    /// A line that went no further for a reason of the grammar or of the session table.
    pub(super) fn refused(turn: &Turn<'_>, rule: &'static str, text: String) -> Self {
        let mut record = Self::new(RecordKind::Refused, turn.direction(), turn.bytes);
        record.verdict = built_in(rule, text.clone());
        record.refusal = Some(text);
        record
    }

    /// Notes findings with their places, the first 32 of them.
    pub(super) fn note(&mut self, frame: &Frame<'_>, engine: &Engine, findings: Vec<Finding>) {
        self.findings_total += findings.len();
        for finding in findings.into_iter().take(FINDINGS_MAX - self.findings.len().min(FINDINGS_MAX)) {
            self.pointers.push(pointer(frame, engine, &finding));
            self.findings.push(finding);
        }
    }

    /// Notes what was repaired in the line.
    pub(super) fn note_repairs(&mut self, frame: &Frame<'_>) {
        let repairs = frame.repairs;
        self.repaired = repairs.separators.saturating_add(repairs.surrogates).saturating_add(repairs.utf8);
        self.rewritten |= self.repaired > 0;
    }
}

/// The verdict for a line that a built-in rule stops.
pub(super) fn built_in(rule: impl Into<Cow<'static, str>>, text: String) -> Verdict {
    let reason = Reason { rule: rule.into(), text: text.into(), layer: "built-in".into() };
    Verdict { access: Access::Deny, reason: Some(reason), ..Verdict::CLEAR }
}

/// A name as it may be shown: masked, then cut.
pub(super) fn shown(engine: &Engine, name: &str) -> String {
    if name.len() > SHOWN_BYTES_MAX {
        return format!("(a name of {} bytes)", name.len());
    }
    cut(&engine.mask(name), NAME_CHARS_MAX).to_owned()
}

/// An id as it may be shown: JSON text, masked, cut.
pub(super) fn shown_id(engine: &Engine, key: &IdKey) -> String {
    match key {
        IdKey::Number(number) => number.to_string(),
        IdKey::Text(text) if text.len() > SHOWN_BYTES_MAX => format!("(an id of {} bytes)", text.len()),
        IdKey::Text(text) => {
            let quoted = super::reply::json_string(&engine.mask(text));
            cut(&quoted, ID_CHARS_MAX).to_owned()
        }
    }
}

/// The first `chars` characters of `text`.
pub(super) fn cut(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

/// Where a finding stands. The keys on the way are text of the message, so the pointer is masked like all of it;
/// of a finding in a key only the object that holds the key is named.
fn pointer(frame: &Frame<'_>, engine: &Engine, finding: &Finding) -> String {
    let pointer = frame.pointer(found_at(frame, finding));
    if pointer.len() > SHOWN_BYTES_MAX {
        return format!("(a pointer of {} bytes)", pointer.len());
    }
    cut(&engine.mask(&pointer), POINTER_CHARS_MAX).to_owned()
}

/// The byte whose pointer is the finding's.
pub(super) fn found_at(frame: &Frame<'_>, finding: &Finding) -> usize {
    match finding.place {
        Place::Key => object_around(frame, &finding.token),
        Place::Text | Place::Number => finding.raw.start,
    }
}

/// First byte of the innermost object around a key.
fn object_around(frame: &Frame<'_>, key: &Range<usize>) -> usize {
    let before = frame.tape.partition_point(|token| (token.start as usize) < key.start);
    let object = frame.tape[..before]
        .iter()
        .rev()
        .find(|token| token.kind == TokenKind::Object && token.end as usize >= key.end);
    object.map_or(0, |token| token.start as usize)
}
