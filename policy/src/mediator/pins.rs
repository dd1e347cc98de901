//! Pins of tool definitions: what a server says about its tools is text for the model, and may change after somebody
//! looked at it. A pin is a hash over the whole definition in one spelling, whatever the order of its members.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::action::Turn;
use super::record::{Record, RecordKind, cut};
use super::session::Mediator;
use crate::approvals::one_spelling;
use crate::rules::Ruling;
use crate::verdict::{Access, Content, Reason};
use crate::wire::{Frame, Node};

/// Most tools whose pins are kept.
const PINNED_MAX: usize = 4096;

/// Longest name that is kept.
const NAME_BYTES_MAX: usize = 256;

/// A definition that differs from its pin.
pub(super) const CHANGED_RULE: &str = "definition/changed";

/// Pins of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Of `serverInfo` and `instructions`: hex SHA-256.
    pub server: Option<String>,
    /// Of each tool by its name: hex SHA-256.
    pub tools: BTreeMap<String, String>,
}

/// What this session has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// As first seen: where nothing was approved before, that is what later definitions are held against.
    first: Pins,
    /// As last seen.
    last: Pins,
    changed: BTreeSet<Box<str>>,
}

impl Seen {
    pub(super) fn is_changed(&self, tool: &str) -> bool {
        !self.changed.is_empty() && self.changed.contains(tool)
    }
}

impl Mediator {
    /// The pins of all definitions seen in this session, as last seen: for whoever stores them.
    #[must_use]
    pub fn pins(&self) -> &Pins {
        &self.seen.last
    }

    /// Holds a tool's definition against its pin.
    pub(super) fn pin_tool(&mut self, name: &str, definition: &[u8]) {
        let known = self.seen.last.tools.contains_key(name);
        if name.len() > NAME_BYTES_MAX || (!known && self.seen.last.tools.len() >= PINNED_MAX) {
            return;
        }
        let pin = pin(definition);
        let first = self.seen.first.tools.entry(name.to_owned()).or_insert_with(|| pin.clone());
        let approved = self.facts.pins.tools.get(name).unwrap_or(first);
        if *approved == pin {
            self.seen.changed.remove(name);
        } else {
            self.seen.changed.insert(name.into());
        }
        self.seen.last.tools.insert(name.to_owned(), pin);
    }

    /// Holds what a server says of itself against its pin. A change is recorded: versions change, and so may the
    /// instructions that come with them.
    pub(super) fn pin_server(&mut self, frame: &Frame<'_>, result: Node, turn: &mut Turn<'_>) {
        let raw = |key| frame.get(result, key).and_then(|node| frame.bytes.get(frame.span(node)));
        let (info, instructions) = (raw("serverInfo"), raw("instructions"));
        let pin = pin(&[b"[", info.unwrap_or(b"null"), b",", instructions.unwrap_or(b"null"), b"]"].concat());
        let first = self.seen.first.server.get_or_insert_with(|| pin.clone());
        let approved = self.facts.pins.server.as_ref().unwrap_or(first);
        if *approved != pin {
            let mut record = Record::new(RecordKind::Definition, turn.direction(), turn.bytes);
            record.verdict.content = Content::Monitor;
            record.verdict.reason = Some(changed_reason("the server's name, version or instructions differ"));
            record.item = self.claims.server.as_deref().map(|claim| cut(claim, NAME_BYTES_MAX).to_owned());
            turn.record(record);
        }
        self.seen.last.server = Some(pin);
    }

    /// What the policy says about a tool whose definition changed.
    pub(super) fn about_change(&self, tool: &str) -> Option<Ruling<Access>> {
        self.seen.is_changed(tool).then(|| {
            let ruling = self.policy.changed_tools();
            let say = |reason: Reason| Reason {
                layer: reason.layer,
                ..changed_reason("the definition of this tool differs")
            };
            Ruling {
                verdict: ruling.verdict,
                reason: Some(
                    ruling.reason.map_or_else(|| changed_reason("the definition of this tool differs"), say),
                ),
                would_have: ruling.would_have.map(|(verdict, reason)| (verdict, say(reason))),
            }
        })
    }
}

fn changed_reason(what: &str) -> Reason {
    let text = format!("{what} from what was approved or first seen");
    Reason { rule: CHANGED_RULE.into(), text: text.into(), layer: "built-in".into() }
}

/// Of what cannot be put in order, the very bytes count.
fn pin(json: &[u8]) -> String {
    let spelling = one_spelling(json);
    let digest = Sha256::digest(spelling.as_deref().unwrap_or(json));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is left of a name when case, separators and digits that look like letters are the same to a hasty reader.
/// (Names with other than plain letters need a rule of their own.)
pub(super) fn skeleton(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | '.'))
        .map(|c| match c.to_ascii_lowercase() {
            '0' => 'o',
            '1' | 'i' => 'l',
            lower => lower,
        })
        .collect()
}
