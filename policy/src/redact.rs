//! Rewrites findings in place: only the raw bytes of the finding change, everything else stays byte for byte.

use std::borrow::Cow;
use std::fmt;

use crate::detect::{Confidence, Engine, Finding, Place, ScanEnd, decode, quote};
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

/// A frame without its findings, and what was taken out of it.
#[derive(Debug)]
pub struct Redaction {
    /// The frame's bytes with placeholders.
    pub bytes: Vec<u8>,
    /// What the placeholders stand for, in order of their place.
    pub replaced: Vec<Replaced>,
}

/// What a placeholder stands for. Holds the value, so its `Debug` shows the placeholder alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Replaced {
    /// `[REDACTED:github-pat:3fa9c1d2]`
    pub placeholder: String,
    /// The decoded text of the string that it stands in the stead of.
    pub text: String,
    /// Decoded text that was put around the placeholder: the quotes of what was a number of JSON in a string.
    pub quote: String,
    /// What was found in it: detectors, and the keyed hashes of the values.
    pub found: Vec<(Cow<'static, str>, [u8; 8])>,
}

impl fmt::Debug for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Replaced").field(&self.placeholder).finish()
    }
}

/// The frame's bytes with each finding of `findings` replaced by its placeholder; overlapping findings merge
/// (the first detector names the placeholder). A value that was found encoded takes the whole encoded run along. In
/// JSON that stands in a string, a number becomes a string of that JSON. The result is scanned again and must be clean
/// of the detectors redacted, but for values that `may_stay`.
///
/// # Errors
/// When a finding stands where no placeholder may, or the result is not clean.
pub fn redact(
    frame: &Frame<'_>,
    findings: &[&Finding],
    engine: &Engine,
    may_stay: impl Fn(&Finding) -> bool,
) -> Result<Redaction, NotRedactable> {
    for finding in findings {
        match finding.place {
            Place::Text => {}
            Place::Key => return Err(NotRedactable::Key),
            Place::Number if quote(frame, finding).is_some() => {}
            Place::Number => return Err(NotRedactable::Number),
        }
    }
    let redaction = splice(frame, findings, engine);
    let is_clean = is_clean(&redaction.bytes, findings, engine, may_stay);
    if is_clean { Ok(redaction) } else { Err(NotRedactable::NotClean) }
}

/// The bytes with each run of overlapping findings replaced by one placeholder.
fn splice(frame: &Frame<'_>, findings: &[&Finding], engine: &Engine) -> Redaction {
    let bytes = frame.bytes;
    let mut sorted = findings.to_vec();
    sorted.sort_by_key(|f| (f.raw.start, std::cmp::Reverse(f.raw.end)));
    let mut out = Vec::with_capacity(bytes.len());
    let mut replaced = Vec::new();
    let mut done = 0;
    let mut rest = sorted.as_slice();
    while let Some(first) = rest.first() {
        let mut end = first.raw.end;
        let overlapping = rest.iter().take_while(|finding| {
            let overlaps = finding.raw.start < end;
            end = end.max(if overlaps { finding.raw.end } else { end });
            overlaps
        });
        // A finding without any length is still one.
        let (run, others) = rest.split_at(overlapping.count().max(1));
        rest = others;
        let quote = quote(frame, first).map_or(Cow::Borrowed(""), Cow::Owned);
        let one = replacement(&bytes[first.raw.start..end], run, (&quote, engine));
        out.extend_from_slice(&bytes[done..first.raw.start]);
        out.extend_from_slice(quote.as_bytes());
        out.extend_from_slice(one.placeholder.as_bytes());
        out.extend_from_slice(quote.as_bytes());
        replaced.push(one);
        done = end;
    }
    out.extend_from_slice(&bytes[done..]);
    Redaction { bytes: out, replaced }
}

/// What stands in the stead of a run of overlapping findings. Its hash is that of all that it replaces, so that it can be
/// put back: the same value in another encoding, or with more around it, has another placeholder.
fn replacement(raw: &[u8], run: &[&Finding], (quote, engine): (&str, &Engine)) -> Replaced {
    let (text, quote) = (decoded(raw), decoded(quote.as_bytes()));
    let mut hashed = text.clone().into_bytes();
    if !quote.is_empty() {
        hashed.push(0);
        hashed.extend_from_slice(quote.as_bytes());
    }
    let detector = run.first().map_or("", |first| &*first.detector);
    Replaced {
        placeholder: engine.placeholder(detector, &hashed),
        found: run.iter().map(|finding| (finding.detector.clone(), finding.hash)).collect(),
        quote,
        text,
    }
}

/// The text of a part of a string. A frame is UTF-8, and findings do not cut characters.
fn decoded(raw: &[u8]) -> String {
    let mut text = Vec::new();
    decode(raw, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether the result is still a message, and none of the detectors that were redacted finds anything in it that is
/// as sure as what was redacted.
fn is_clean(
    rewritten: &[u8],
    redacted: &[&Finding],
    engine: &Engine,
    may_stay: impl Fn(&Finding) -> bool,
) -> bool {
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
        let named = |(detector, confidence): &(&str, Confidence)| {
            *detector == f.detector && f.confidence >= *confidence
        };
        least.iter().any(named) && !may_stay(f)
    };
    end == ScanEnd::Complete && !again.iter().any(raised)
}
