//! What stands only across messages: a secret whose first half came with one text and whose second half comes with the next,
//! over content blocks, over a progress notification and a result, over two calls.

use std::collections::BTreeMap;
use std::ops::Range;

use super::session::Mediator;
use crate::detect::{Confidence, Finding, Place, decode};
use crate::wire::{Direction, Frame, Node, NodeKind, Outcome, Shape};

/// Most of a text's end that is remembered, and of the next text's start that is looked at.
const PIECE_BYTES_MAX: usize = 512;
/// What is remembered of the text before a run that reaches the end: names and words that give a value away.
const BEFORE_BYTES: usize = 48;
/// Fewer bytes of a value on either side of the cut are no finding.
const PART_BYTES_MIN: usize = 4;
/// Most streams of one direction: arguments are told apart by their names.
const STREAMS_MAX: usize = 32;

/// The ends of the texts that went by, by stream.
#[derive(Default)]
pub(super) struct Trail {
    to_server: Ends,
    to_client: Ends,
}

/// Ends before the line at hand, and with it.
#[derive(Clone, Default)]
struct Ends {
    before: BTreeMap<Box<str>, Vec<u8>>,
    after: BTreeMap<Box<str>, Vec<u8>>,
    /// Whether the line at hand is in `after`.
    is_noted: bool,
}

/// One text of a message.
#[derive(Clone, Copy)]
struct Piece<'f> {
    raw: &'f [u8],
    /// The token in the frame, quotes included.
    token: (usize, usize),
}

impl Trail {
    /// A line in this direction begins: what the last one left is what comes before it.
    pub(super) fn begin(&mut self, direction: Direction) {
        let ends = self.ends(direction);
        if ends.is_noted {
            ends.before.clone_from(&ends.after);
            ends.is_noted = false;
        }
    }

    fn ends(&mut self, direction: Direction) -> &mut Ends {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

/// Shows nothing of the texts.
impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trail").finish_non_exhaustive()
    }
}

impl Mediator {
    /// Appends what is found across the start of this message's texts; the finding is of the part that stands in this message.
    /// What is unsure, or has a finding of its own there, is left out.
    pub(super) fn scan_across(
        &mut self,
        frame: &Frame<'_>,
        direction: Direction,
        findings: &mut Vec<Finding>,
    ) {
        if self.engine.is_nothing(self.wanted(direction)) {
            return;
        }
        let mut ends = std::mem::take(self.trail.ends(direction));
        if ends.is_noted {
            // The same line once more, rewritten.
            ends.after.clone_from(&ends.before);
        }
        let from = findings.len();
        each_text(frame, |stream, node| {
            let Range { start, end } = frame.span(node);
            let Some(raw) = frame.bytes.get(start + 1..end - 1).filter(|raw| !raw.is_empty()) else { return };
            ends.is_noted = true;
            let piece = Piece { raw, token: (start, end) };
            if let Some(end) = ends.after.get_mut(stream) {
                self.scan_cut((end, direction), piece, findings);
                extend(end, raw);
            } else if ends.after.len() < STREAMS_MAX {
                let mut end = Vec::new();
                extend(&mut end, raw);
                ends.after.insert(stream.into(), end);
            }
        });
        *self.trail.ends(direction) = ends;
        if findings.len() > from {
            findings.sort_by_key(|finding| finding.raw.start);
        }
    }

    /// Looks at the cut between the end of what went by and a text. Values are made of bytes that need no escape, so the raw
    /// bytes are the text as far as a run reaches.
    fn scan_cut(&self, (end, direction): (&[u8], Direction), piece: Piece<'_>, findings: &mut Vec<Finding>) {
        let start = &piece.raw[..piece.raw.len().min(PIECE_BYTES_MAX)];
        let run = start.iter().position(|byte| !is_run(*byte)).unwrap_or(start.len());
        if run < PART_BYTES_MIN || !end.last().is_some_and(|byte| is_run(*byte)) {
            return;
        }
        // What is remembered may begin within a character.
        let before = String::from_utf8_lossy(end);
        let joined = format!("{before}{}", String::from_utf8_lossy(&piece.raw[..run]));
        let mut across = Vec::new();
        // So short a text spends no budget; if it did, what was found until then counts.
        let wanted = self.wanted(direction);
        let _end = self.engine.scan_text_for(wanted, &joined, &mut across);
        if across.is_empty() {
            return;
        }
        let mut complete = Vec::new();
        let _end = self.engine.scan_text_for(wanted, &before, &mut complete);
        let cut = before.len();
        for found in across {
            // What was whole before is not continued by whatever comes next.
            if complete.iter().any(|known| overlaps(&known.raw, &found.raw)) {
                continue;
            }
            let is_across = found.raw.start + PART_BYTES_MIN <= cut && cut + PART_BYTES_MIN <= found.raw.end;
            if !is_across || found.confidence < Confidence::High {
                continue;
            }
            let (start, end) = piece.token;
            let raw = start + 1..start + 1 + (found.raw.end - cut);
            if !findings.iter().any(|known| overlaps(&known.raw, &raw)) {
                findings.push(Finding { raw, token: start..end, place: Place::Continued, ..found });
            }
        }
    }
}

/// The texts of a message that a reader would put one behind the other, with the stream that each belongs to.
fn each_text(frame: &Frame<'_>, mut see: impl FnMut(&str, Node)) {
    let mut see = |stream: &str, node: Option<Node>| {
        if let Some(node) = node.filter(|node| frame.kind(*node) == NodeKind::String) {
            see(stream, node);
        }
    };
    match &frame.shape {
        Shape::Request { params: Some(params), .. } => {
            let arguments = frame.get(*params, "arguments");
            if let Some(arguments) = arguments.filter(|it| frame.kind(*it) == NodeKind::Object) {
                for (name, _, value) in frame.members(arguments) {
                    see(&name, Some(value));
                }
            }
        }
        Shape::Notification { params: Some(params), .. } => {
            for member in ["message", "data"] {
                see("", frame.get(*params, member));
            }
        }
        Shape::Response { outcome: Outcome::Result(result), .. } => {
            for member in ["content", "contents", "messages"] {
                let list = frame.get(*result, member).filter(|list| frame.kind(*list) == NodeKind::Array);
                for one in list.into_iter().flat_map(|list| frame.elements(list)) {
                    see("", text_of(frame, one));
                }
            }
        }
        Shape::Request { .. } | Shape::Notification { .. } | Shape::Response { .. } => {}
    }
}

/// The text of a content block, of what a resource holds, or of a prompt's message.
fn text_of(frame: &Frame<'_>, one: Node) -> Option<Node> {
    let is_object = |node: &Node| frame.kind(*node) == NodeKind::Object;
    let one = Some(one).filter(is_object)?;
    let inner = ["content", "resource"].into_iter().find_map(|inner| frame.get(one, inner));
    frame.get(inner.filter(is_object).unwrap_or(one), "text")
}

/// Keeps the end of what went by: a run that reaches it, and a little before.
fn extend(end: &mut Vec<u8>, raw: &[u8]) {
    let mut from = raw.len().saturating_sub(PIECE_BYTES_MAX + BEFORE_BYTES);
    let backslashes = raw[..from].iter().rev().take_while(|byte| **byte == b'\\').count();
    // Not from within an escape; what is cut of a longer one is but a few digits.
    from += backslashes % 2;
    decode(&raw[from.min(raw.len())..], end);
    let last = &end[end.len().saturating_sub(PIECE_BYTES_MAX)..];
    let run = last.iter().rposition(|byte| !is_run(*byte)).map_or(last.len(), |at| last.len() - at - 1);
    // Without a run there is no cut to look at.
    let kept = if run == 0 { 0 } else { (run + BEFORE_BYTES).min(end.len()) };
    end.drain(..end.len() - kept);
}

/// Bytes that values are made of.
fn is_run(byte: u8) -> bool {
    RUN[usize::from(byte)]
}

const RUN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let one = byte as u8;
        table[byte] = one.is_ascii_alphanumeric()
            || matches!(one, b'-' | b'_' | b'.' | b'+' | b'/' | b'=' | b':' | b'@');
        byte += 1;
    }
    table
};

fn overlaps(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}
