//! Rows of a table whose values stand in different strings of one message: `{"name": "…", "ssn": "…"}`.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::budget::Spent;
use super::super::context::inside;
use super::super::finding::{Confidence, Finding, Place};
use super::super::text::RawCursor;
use super::search::{NEAR_BYTES, Sighting};
use crate::wire::{Frame, Token, TokenKind};

/// What is remembered of the strings that were walked.
#[derive(Debug, Default)]
pub(in crate::detect) struct Rows {
    /// The next text is a token's own, not another reading of it.
    is_own_text: bool,
    /// What was seen in it.
    edges: Vec<Sighting>,
    near: VecDeque<Seen>,
    /// Places of values of one row.
    found: Vec<Row>,
}

/// A value, with its place in the message.
#[derive(Clone, Debug)]
struct Seen {
    sighting: Sighting,
    token: Range<usize>,
    place: Place,
}

/// One value of a row.
#[derive(Debug)]
pub(in crate::detect) struct Row {
    pub(in crate::detect) table: usize,
    pub(in crate::detect) confidence: Confidence,
    pub(in crate::detect) raw: Range<usize>,
    pub(in crate::detect) token: Range<usize>,
    pub(in crate::detect) place: Place,
}

impl Rows {
    /// A token begins.
    pub(in crate::detect) fn begin(&mut self) {
        self.is_own_text = true;
    }

    /// Takes what was seen in a text, if it is the token's own.
    pub(in crate::detect) fn take(&mut self, edges: &mut Vec<Sighting>) {
        if std::mem::take(&mut self.is_own_text) {
            std::mem::swap(&mut self.edges, edges);
        }
        edges.clear();
    }

    /// A token ends: looks for rows that its values and those of the tokens before are of.
    pub(in crate::detect) fn join(
        &mut self,
        frame: &Frame<'_>,
        token: &Token,
        mut row_of: impl FnMut(&Sighting, &Sighting) -> Result<Option<Confidence>, Spent>,
    ) -> Result<(), Spent> {
        if self.edges.is_empty() {
            return Ok(());
        }
        let mut edges = std::mem::take(&mut self.edges);
        // The cursor goes forward only.
        edges.sort_by_key(|seen| seen.span.start);
        to_raw(frame, token, &mut edges);
        let begin = token.start as usize;
        while self.near.front().is_some_and(|front| front.sighting.span.end + NEAR_BYTES < begin) {
            self.near.pop_front();
        }
        let (span, place) = (token.start as usize..token.end as usize, place_of(token));
        for sighting in edges {
            let mut seen = Seen { sighting, token: span.clone(), place };
            for other in &mut self.near {
                let far = other.sighting.span.end + NEAR_BYTES < seen.sighting.span.start;
                // Within one token they were looked at before.
                if far || other.token == seen.token || other.sighting.folded == seen.sighting.folded {
                    continue;
                }
                if let Some(sure) = row_of(&other.sighting, &seen.sighting)? {
                    for one in [&mut *other, &mut seen] {
                        if one.sighting.reported < Some(sure) {
                            one.sighting.reported = Some(sure);
                            self.found.push(one.row(sure));
                        }
                    }
                }
            }
            self.near.push_back(seen);
        }
        Ok(())
    }

    /// Adds what was found to the findings of the message, in order of its place.
    pub(in crate::detect) fn finish(
        self,
        findings: &mut Vec<Finding>,
        from: usize,
        finding: impl Fn(Row) -> Finding,
    ) {
        if self.found.is_empty() {
            return;
        }
        findings.extend(self.found.into_iter().map(finding));
        let mut tail = findings.split_off(from);
        tail.sort_by(|a, b| {
            let place = |one: &Finding| (one.raw.start, usize::MAX - one.raw.end);
            place(a).cmp(&place(b)).then(b.confidence.cmp(&a.confidence))
        });
        // A value of two rows, or one that was found within its string as well.
        tail.dedup_by(|later, kept| later.raw == kept.raw && later.detector == kept.detector);
        findings.append(&mut tail);
    }
}

impl Seen {
    fn row(&self, confidence: Confidence) -> Row {
        Row {
            table: self.sighting.table,
            confidence,
            raw: self.sighting.span.clone(),
            token: self.token.clone(),
            place: self.place,
        }
    }
}

fn place_of(token: &Token) -> Place {
    match token.kind {
        TokenKind::Key => Place::Key,
        TokenKind::Number => Place::Number,
        _ => Place::Text,
    }
}

/// From places in a token's text to places in the message.
fn to_raw(frame: &Frame<'_>, token: &Token, edges: &mut [Sighting]) {
    let base = token.start as usize + usize::from(token.kind != TokenKind::Number);
    let mut cursor = RawCursor::new(inside(frame, token));
    for seen in edges {
        let within = if token.escaped { cursor.raw_span(&seen.span) } else { seen.span.clone() };
        seen.span = base + within.start..base + within.end;
    }
}
