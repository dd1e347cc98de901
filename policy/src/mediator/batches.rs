//! Batches: several messages in one line, which one revision of the protocol has. Each goes on, or not, on a line of its own, as
//! whoever may send a batch also may send them: so each has one decision, one record and one answer.

use serde_json::value::RawValue;

use super::pending::Entry;
use super::session::Mediator;
use crate::wire::{Frame, Node};

/// The one revision that has batches (its "Base Protocol", "Batching").
const REVISION: &str = "2025-03-26";
/// More messages in one line are no batch.
const MESSAGES_MAX: usize = 256;

impl Mediator {
    /// The messages of a line (without LF) that is a batch, in a session that may have any; each is to be judged as a line. `None`
    /// of any other line: the grammar says what is wrong with it.
    #[must_use]
    pub fn batch<'l>(&self, line: &'l [u8]) -> Option<Vec<&'l str>> {
        if !self.batches || line.trim_ascii_start().first() != Some(&b'[') {
            return None;
        }
        let messages: Vec<&RawValue> = serde_json::from_slice(line).ok()?;
        let messages: Vec<&str> = messages.into_iter().map(RawValue::get).collect();
        let is_batch = (1..=MESSAGES_MAX).contains(&messages.len());
        (is_batch && messages.iter().all(|message| message.starts_with('{'))).then_some(messages)
    }

    /// What the server's answer to `initialize` settled.
    pub(super) fn learn_batches(&mut self, frame: &Frame<'_>, entry: &Entry, result: Node) {
        if &*entry.method == "initialize" {
            let version = frame.get(result, "protocolVersion").and_then(|node| frame.text(node));
            self.batches = version.as_deref() == Some(REVISION);
        }
    }
}
