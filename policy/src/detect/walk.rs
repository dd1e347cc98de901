//! Walks a message: hands each key, string and number to the stages, and turns their hits into findings.

use std::ops::Range;

use super::budget::Spent;
use super::context::{KeyContext, NameSet, inside};
use super::engine::{Engine, Wanted};
use super::finding::{Finding, Place, length_class};
use super::placeholder;
use super::stages::{Hit, Source, Stages, Subject};
use super::text::{RawCursor, decode};
use crate::wire::{Frame, Token, TokenKind};

/// One message under scan.
#[derive(Debug)]
pub(super) struct Walk<'e, 'o> {
    engine: &'e Engine,
    stages: Stages<'e>,
    findings: &'o mut Vec<Finding>,
    /// Decoded text of strings with escapes; its memory serves all of them.
    decoded: Vec<u8>,
}

/// Where a text stands in the frame.
#[derive(Debug)]
struct Origin<'f> {
    place: Place,
    token: Range<usize>,
    /// Offset of the text's first raw byte.
    base: usize,
    /// The raw bytes, if the text was decoded from them.
    escaped: Option<&'f [u8]>,
}

impl<'e, 'o> Walk<'e, 'o> {
    /// Findings are appended to `findings`.
    pub(super) fn new(engine: &'e Engine, wanted: &'e Wanted, findings: &'o mut Vec<Finding>) -> Self {
        Self { engine, stages: engine.stages(wanted), findings, decoded: Vec::new() }
    }

    /// Plain text.
    pub(super) fn plain(mut self, text: &[u8]) -> Result<(), Spent> {
        let subject = Subject { text, key: &[], names: &NameSet::default() };
        let scanned = self.stages.text(&subject);
        self.conclude(text, &Origin { place: Place::Text, token: 0..text.len(), base: 0, escaped: None });
        scanned
    }

    /// Every key, string and number of a frame.
    pub(super) fn frame(mut self, frame: &Frame<'_>) -> Result<(), Spent> {
        let mut context = KeyContext::default();
        let no_names = NameSet::default();
        for token in frame.tape {
            match token.kind {
                TokenKind::Key => {
                    self.string(frame, token, Subject { text: &[], key: &[], names: &no_names })?;
                    context.key(frame, token, self.stages.names);
                }
                TokenKind::String => {
                    context.value(token);
                    let subject = Subject { text: &[], key: context.key_text(), names: context.names() };
                    self.string(frame, token, subject)?;
                    context.string(frame, token, self.stages.names);
                }
                TokenKind::Number => {
                    context.value(token);
                    self.number(frame, token, &context)?;
                }
                TokenKind::Object | TokenKind::Array | TokenKind::Bool | TokenKind::Null => {
                    context.value(token)
                }
            }
        }
        Ok(())
    }

    /// A string or key: the raw bytes themselves where nothing is escaped, else their decoded text.
    fn string(&mut self, frame: &Frame<'_>, token: &Token, subject: Subject<'_>) -> Result<(), Spent> {
        let raw = inside(frame, token);
        let place = if token.kind == TokenKind::Key { Place::Key } else { Place::Text };
        let span = token.start as usize..token.end as usize;
        let base = span.start + 1;
        if !token.escaped {
            let scanned = self.stages.text(&Subject { text: raw, ..subject });
            self.conclude(raw, &Origin { place, token: span, base, escaped: None });
            return scanned;
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        decode(raw, &mut decoded);
        let scanned = self.stages.text(&Subject { text: &decoded, ..subject });
        self.conclude(&decoded, &Origin { place, token: span, base, escaped: Some(raw) });
        self.decoded = decoded;
        scanned
    }

    fn number(&mut self, frame: &Frame<'_>, token: &Token, context: &KeyContext<'_>) -> Result<(), Spent> {
        let span = token.start as usize..token.end as usize;
        let Some(text) = frame.bytes.get(span.clone()) else { return Ok(()) };
        let (key, names) = (context.key_text(), context.names());
        let scanned = self.stages.number(&Subject { text, key, names });
        self.conclude(text, &Origin { place: Place::Number, base: span.start, token: span, escaped: None });
        scanned
    }

    /// Turns the hits in a text into findings, in order of their place; also those that were found before the budget
    /// was used up.
    fn conclude(&mut self, text: &[u8], origin: &Origin<'_>) {
        if self.stages.hits.is_empty() {
            return;
        }
        merge_repeats(&mut self.stages.hits);
        let mut cursor = origin.escaped.map(RawCursor::new);
        for hit in &self.stages.hits {
            if placeholder::covers(text, &hit.span, |name| self.engine.is_placeholder_name(name)) {
                continue;
            }
            let within = cursor.as_mut().map_or_else(|| hit.span.clone(), |c| c.raw_span(&hit.span));
            let value = &text[hit.span.clone()];
            let chars = value.iter().filter(|b| *b & 0xc0 != 0x80).take(64).count();
            self.findings.push(Finding {
                detector: self.engine.name(hit.source),
                confidence: hit.confidence,
                place: origin.place,
                raw: origin.base + within.start..origin.base + within.end,
                token: origin.token.clone(),
                length_class: length_class(chars),
                hash: self.engine.hash(value),
            });
        }
    }
}

/// Sorts by place, and leaves out what lies within a hit of the same detector: two forms of one format, or a word
/// within a longer word of the same list. The surest of them counts.
fn merge_repeats(hits: &mut Vec<Hit>) {
    hits.sort_by(|a, b| (a.span.start, b.span.end).cmp(&(b.span.start, a.span.end)));
    let mut last: Vec<(Source, usize)> = Vec::new();
    let mut kept = 0;
    for index in 0..hits.len() {
        let hit = hits[index].clone();
        let seen = last.iter().position(|(source, _)| *source == hit.source);
        if let Some(at) = seen
            && hits[last[at].1].span.end >= hit.span.end
        {
            let outer = &mut hits[last[at].1];
            outer.confidence = outer.confidence.max(hit.confidence);
            continue;
        }
        match seen {
            Some(at) => last[at].1 = kept,
            None => last.push((hit.source, kept)),
        }
        hits[kept] = hit;
        kept += 1;
    }
    hits.truncate(kept);
}
