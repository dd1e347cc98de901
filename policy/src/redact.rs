//! Rewrites findings in place: only the raw bytes of the finding change, everything else stays byte for byte.

use std::borrow::Cow;

use crate::detect::{Confidence, Engine, Finding, Place, ScanEnd, quote};
use crate::wire::{Direction, Frame, Limits, Parser, Repairs};

/// Why a frame cannot be redacted and has to be blocked instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRedactable {
    /// A number cannot become a placeholder without changing its type.
    #[error("the finding stands in a number, which a placeholder would turn into text")]
    Number,
    /// A key names a member: changing it changes the structure.
    #[error("the finding stands in an object key")]
    Key,
    /// The rewritten frame still holds a finding.
    #[error("the rewritten message still holds a finding")]
    NotClean,
}

/// The frame's bytes with each finding of `findings` replaced by its placeholder; overlapping findings merge
/// (the first detector names the placeholder). A value that was found encoded takes the whole encoded run along. In
/// JSON that stands in a string, a number becomes a string of that JSON. The result is scanned again and must be clean
/// of the detectors redacted.
///
/// # Errors
/// When a finding stands where no placeholder may, or the result is not clean.
pub fn redact(frame: &Frame<'_>, findings: &[&Finding], engine: &Engine) -> Result<Vec<u8>, NotRedactable> {
    for finding in findings {
        match finding.place {
            Place::Text => {}
            Place::Key => return Err(NotRedactable::Key),
            Place::Number if quote(frame, finding).is_some() => {}
            Place::Number => return Err(NotRedactable::Number),
        }
    }
    let rewritten = splice(frame, findings);
    if is_clean(&rewritten, findings, engine) { Ok(rewritten) } else { Err(NotRedactable::NotClean) }
}

/// The bytes with each run of overlapping findings replaced by the placeholder of the first of them.
fn splice(frame: &Frame<'_>, findings: &[&Finding]) -> Vec<u8> {
    let bytes = frame.bytes;
    let mut sorted = findings.to_vec();
    sorted.sort_by_key(|f| (f.raw.start, std::cmp::Reverse(f.raw.end)));
    let mut out = Vec::with_capacity(bytes.len());
    let mut done = 0;
    for finding in sorted {
        if finding.raw.start >= done {
            let quote = quote(frame, finding).map_or(Cow::Borrowed(""), Cow::Owned);
            out.extend_from_slice(&bytes[done..finding.raw.start]);
            out.extend_from_slice(quote.as_bytes());
            out.extend_from_slice(finding.placeholder().as_bytes());
            out.extend_from_slice(quote.as_bytes());
        }
        done = done.max(finding.raw.end);
    }
    out.extend_from_slice(&bytes[done..]);
    out
}

/// Whether the result is still a message, and none of the detectors that were redacted finds anything in it that is
/// as sure as what was redacted.
fn is_clean(rewritten: &[u8], redacted: &[&Finding], engine: &Engine) -> bool {
    // The frame passed its own limits before; a placeholder may be longer than the value.
    let limits = Limits { frame_bytes_max: usize::MAX, depth_max: u8::MAX, values_max: usize::MAX };
    let mut parser = Parser::default();
    let Ok(frame) = parser.parse(rewritten, Direction::ToClient, &limits) else { return false };
    if frame.repairs != Repairs::default() {
        return false;
    }
    let mut least: Vec<(&str, Confidence)> = Vec::new();
    for finding in redacted {
        match least.iter_mut().find(|(detector, _)| *detector == finding.detector) {
            Some((_, confidence)) => *confidence = finding.confidence.min(*confidence),
            None => least.push((&finding.detector, finding.confidence)),
        }
    }
    let mut again = Vec::new();
    let wanted = engine.wanted(|detector| least.iter().any(|(named, _)| *named == detector));
    let end = engine.scan_for(&wanted, &frame, &mut again);
    let raised = |f: &Finding| {
        least.iter().any(|(detector, confidence)| *detector == f.detector && f.confidence >= *confidence)
    };
    end == ScanEnd::Complete && !again.iter().any(raised)
}
