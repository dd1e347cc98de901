//! What is found in one text, before it is known where in the message the text stands.

use std::ops::Range;

use super::finding::{Confidence, Place};
use super::stages::Source;
use super::tables::{DETECTORS, GENERIC};
use crate::wire::{Frame, Token, TokenKind};

/// So many findings that begin within one are compared with it.
const OVERLAPS_MAX: usize = 16;

/// A hit, with what is kept of its value.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) source: Source,
    pub(super) confidence: Confidence,
    pub(super) place: Place,
    pub(super) span: Range<usize>,
    pub(super) length_class: u8,
    pub(super) hash: [u8; 8],
}

impl Found {
    /// Whether only its place gives it away.
    pub(super) fn is_generic(&self) -> bool {
        matches!(self.source, Source::BuiltIn(detector) if GENERIC.contains(&detector))
    }

    /// Whether it is personal data.
    fn is_personal(&self) -> bool {
        matches!(self.source, Source::BuiltIn(detector) if DETECTORS[usize::from(detector)].name.starts_with("pii/"))
    }

    /// Whether it has a vendor's own format.
    fn is_format(&self) -> bool {
        match self.source {
            Source::BuiltIn(detector) => {
                !self.is_generic() && DETECTORS[usize::from(detector)].name.starts_with("secret/")
            }
            Source::List(_) => false,
            // It is known to be the value itself.
            Source::Planted(_) => true,
        }
    }
}

/// Sorts by place what was found from `from` on, and leaves out what lies within something found by the same detector:
/// two forms of one format, a word within a longer word of the same list, the same value read in two ways. The surest of
/// them counts.
pub(super) fn merge(found: &mut Vec<Found>, from: usize) {
    if found.len() < from + 2 {
        return;
    }
    found[from..].sort_by(|a, b| (a.span.start, b.span.end).cmp(&(b.span.start, a.span.end)));
    let mut last: Vec<(Source, usize)> = Vec::new();
    let mut kept = from;
    for index in from..found.len() {
        let (source, end) = (found[index].source, found[index].span.end);
        let seen = last.iter().position(|(known, _)| *known == source);
        if let Some(at) = seen
            && found[last[at].1].span.end >= end
        {
            let Found { confidence, place, span, .. } = found[index].clone();
            let outer = &mut found[last[at].1];
            outer.confidence = outer.confidence.max(confidence);
            // Who read the text as JSON knows best what stands there.
            if place == Place::Number && span == outer.span {
                outer.place = place;
            }
            continue;
        }
        match seen {
            Some(at) => last[at].1 = kept,
            None => last.push((source, kept)),
        }
        found.swap(kept, index);
        kept += 1;
    }
    found.truncate(kept);
    give_way(found, from);
    strictest(found, from);
}

/// Of personal data in one place the surest counts, of what is as sure the longest: what lies within a stricter finding
/// goes. What reaches further stays, for nothing else covers it; and so do several in one place that are as sure, for a
/// rule may be about any of them. `found` is sorted from `from` on: by start, the longer first.
fn strictest(found: &mut Vec<Found>, from: usize) {
    let within =
        |inner: &Range<usize>, outer: &Range<usize>| outer.start <= inner.start && inner.end <= outer.end;
    let personal: Vec<_> = (from..found.len()).filter(|index| found[*index].is_personal()).collect();
    let mut loses = vec![false; found.len() - from];
    for (place, index) in personal.iter().enumerate() {
        let outer = &found[*index];
        let begins_within = |other: &&usize| found[**other].span.start < outer.span.end;
        for other in personal[place + 1..].iter().take_while(begins_within).take(OVERLAPS_MAX) {
            let inner = &found[*other];
            let same = inner.span == outer.span;
            if same && inner.confidence > outer.confidence {
                loses[*index - from] = true;
            } else if within(&inner.span, &outer.span)
                && (inner.confidence < outer.confidence || (inner.confidence == outer.confidence && !same))
            {
                loses[*other - from] = true;
            }
        }
    }
    if loses.contains(&true) {
        let mut loses = loses.into_iter();
        let mut tail = found.split_off(from);
        tail.retain(|_| loses.next() == Some(false));
        found.append(&mut tail);
    }
}

/// A vendor's own format says more than the place of a value: what only its place gave away gives way to it, also where
/// the format shows in another reading alone. `found` is sorted from `from` on.
fn give_way(found: &mut Vec<Found>, from: usize) {
    let formats: Vec<Range<usize>> =
        found[from..].iter().filter(|one| one.is_format()).map(|one| one.span.clone()).collect();
    if formats.is_empty() {
        return;
    }
    let mut tail = found.split_off(from);
    tail.retain(|one| {
        let before = formats.partition_point(|format| format.start < one.span.end);
        // Formats that start before the end of it: few of them are longer than the ones behind them.
        !(one.is_generic()
            && formats[..before].iter().rev().take(4).any(|format| format.end > one.span.start))
    });
    found.append(&mut tail);
}

/// Fits what was found in a text, from `from` on, to the strings and numbers of the JSON that the text is: so that it
/// stays JSON when the findings are replaced.
pub(super) fn settle(found: &mut Vec<Found>, from: usize, json: &Frame<'_>) {
    if found.len() > from {
        let mut tail = found.split_off(from);
        tail.retain_mut(|found| {
            let Some((span, place)) = settled(&found.span, json) else { return false };
            (found.span, found.place) = (span, place);
            true
        });
        found.append(&mut tail);
    }
}

fn settled(span: &Range<usize>, json: &Frame<'_>) -> Option<(Range<usize>, Place)> {
    let ends_behind = |at: usize| json.tape.partition_point(|t| (t.start as usize) <= at);
    // The token that it starts in; what starts with a bracket, a quote or a comma starts in the next string or number.
    let next = ends_behind(span.start);
    let holds = |index: &usize| {
        let token = &json.tape[*index];
        is_leaf(token) && token.end as usize > span.start
    };
    let first = next.checked_sub(1).filter(holds).or_else(|| {
        (next..json.tape.len())
            .take_while(|index| (json.tape[*index].start as usize) < span.end)
            .find(|index| is_leaf(&json.tape[*index]))
    });
    let Some(first) = first else { return Some((span.clone(), Place::Text)) };
    let token = &json.tape[first];
    if token.kind == TokenKind::Number {
        return Some((token.start as usize..token.end as usize, Place::Number));
    }
    let inside = token.start as usize + 1..(token.end as usize).saturating_sub(1);
    let last = ends_behind(span.end.saturating_sub(1)).checked_sub(1)?;
    let end = if last > first && joins(&json.tape[first..=last]) {
        let last = &json.tape[last];
        span.end.min((last.end as usize).saturating_sub(1)).max(last.start as usize + 1)
    } else {
        span.end.min(inside.end)
    };
    let start = escape_around(json.bytes, span.start.clamp(inside.start, inside.end)).start;
    let end = escape_around(json.bytes, end).end;
    (start < end).then_some((start..end, Place::Text))
}

fn is_leaf(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Key | TokenKind::String | TokenKind::Number)
}

/// Whether it is still JSON if what stands from within the first of these strings to within the last one goes.
fn joins(tokens: &[Token]) -> bool {
    let [first, .., last] = tokens else { return false };
    first.kind == TokenKind::String
        && last.kind == TokenKind::String
        && tokens
            .iter()
            .all(|t| t.depth == first.depth && !matches!(t.kind, TokenKind::Object | TokenKind::Array))
}

/// The escape that `at` cuts in two, or nothing at `at`.
fn escape_around(text: &[u8], at: usize) -> Range<usize> {
    // The longest escape is a pair of `\u` escapes, which may be cut between the two.
    for back in 1..=5 {
        let Some(start) = at.checked_sub(back) else { break };
        if text[start] == b'\\' {
            let before = text[..start].iter().rev().take_while(|b| **b == b'\\').count();
            let len = if text.get(start + 1) == Some(&b'u') { 6 } else { 2 };
            if before % 2 == 0 && start + len > at {
                return start..(start + len).min(text.len());
            }
        }
    }
    at..at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::nested;

    fn place_of(text: &str, part: &str) -> Option<(String, Place)> {
        let mut tape = Vec::new();
        let json = nested::frame(text, &mut tape).expect("it is JSON");
        let start = text.find(part).expect("the part is in the text");
        settled(&(start..start + part.len()), &json).map(|(span, place)| (text[span].to_owned(), place))
    }

    #[test]
    fn a_finding_keeps_within_its_string_or_takes_its_number() {
        let text = r#"{"a": "x\ny", "n": [12345, "p","q"], "e": "\u0041\\"}"#;
        let is = |part: &str, expected: &str, place| {
            assert_eq!(place_of(text, part), Some((expected.to_owned(), place)), "{part}");
        };
        is("x\\", "x\\n", Place::Text);
        is("ny\", \"n\"", "\\ny", Place::Text);
        is("\"a\": \"x", "a", Place::Text);
        is(": \"x", "x", Place::Text);
        is("234", "12345", Place::Number);
        is("p\",\"q", "p\",\"q", Place::Text);
        is("0041\\", "\\u0041\\\\", Place::Text);
        is("{\"a", "a", Place::Text);
    }

    #[test]
    fn what_stands_in_no_string_stays() {
        assert_eq!(place_of("[true, {}]", "true"), Some(("true".to_owned(), Place::Text)));
    }
}
