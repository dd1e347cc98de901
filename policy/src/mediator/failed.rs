//! Answers that report a failure, or are held back, with the arguments of their call: so that somebody can make it again and
//! find out why.

use super::pending::Entry;
use super::record::Record;
use super::session::Mediator;
use crate::approvals::one_spelling;
use crate::wire::{Frame, Node, Outcome};

/// Longer arguments are not kept: they wait with every request that waits.
const KEPT_BYTES_MAX: usize = 4096;

/// How an answer reports that what was asked for did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The tool ran and says so: `isError` (server/tools, "Error Handling").
    Tool,
    /// An error of JSON-RPC with this code; 0 if the code is no number that fits.
    Error(i64),
}

impl Failed {
    fn of(frame: &Frame<'_>, outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Result(result) => {
                let is_error = frame.get(result, "isError").and_then(|node| frame.boolean(node));
                (is_error == Some(true)).then_some(Self::Tool)
            }
            Outcome::Error(error) => {
                let code = frame.get(error, "code").and_then(|node| frame.bytes.get(frame.span(node)));
                let code = code.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
                Some(Self::Error(code.unwrap_or(0)))
            }
        }
    }
}

/// The arguments of a call of a tool, as long as its answer is waited for.
pub(super) fn arguments(frame: &Frame<'_>, method: &str, params: Option<Node>) -> Option<Box<[u8]>> {
    let arguments = frame.get(params.filter(|_| method == "tools/call")?, "arguments")?;
    kept(frame.bytes.get(frame.span(arguments))?)
}

/// Arguments, if they are short enough.
pub(super) fn kept(arguments: &[u8]) -> Option<Box<[u8]>> {
    (arguments.len() <= KEPT_BYTES_MAX).then(|| arguments.into())
}

impl Mediator {
    /// Notes that an answer reports a failure, or was held back, and then what its tool was called with, masked.
    pub(super) fn note_failure(
        &self,
        (frame, outcome): (&Frame<'_>, Outcome),
        entry: &Entry,
        record: &mut Record,
    ) {
        record.failed = Failed::of(frame, outcome);
        if record.failed.is_some() || record.verdict.refuses() {
            // One spelling, so that no escape hides a secret from the mask.
            let text = entry.arguments.as_deref().and_then(one_spelling);
            let text = text.and_then(|text| String::from_utf8(text).ok());
            record.arguments = text.map(|text| self.engine.mask(&text).into_owned());
        }
    }
}
