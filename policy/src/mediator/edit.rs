//! Changes of a line: what goes, what comes in its place. Everything else stays byte for byte.

use std::borrow::Cow;
use std::ops::Range;

use crate::wire::{Frame, Node};

/// A replacement of a part of the line; an insertion has an empty range.
pub(super) type Edit = (Range<usize>, Cow<'static, str>);

/// `bytes` with edits that do not overlap.
pub(super) fn splice(bytes: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut spliced = Vec::with_capacity(bytes.len() + 64);
    let mut from = 0;
    for (range, text) in edits {
        spliced.extend_from_slice(bytes.get(from..range.start).unwrap_or_default());
        spliced.extend_from_slice(text.as_bytes());
        from = range.end;
    }
    spliced.extend_from_slice(bytes.get(from..).unwrap_or_default());
    spliced
}

/// What has to go so that exactly the kept elements (or members) stay, each with what stood before it: one that goes
/// takes the comma behind it along, and those behind the last kept one the comma before them.
pub(super) fn removals(spans: &[Range<usize>], keep: &[bool]) -> Vec<Edit> {
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Vec::new() };
    let Some(last_kept) = keep.iter().rposition(|kept| *kept) else {
        return vec![(first.start..last.end, Cow::Borrowed(""))];
    };
    let mut edits: Vec<Edit> = Vec::new();
    for ((span, next), _) in
        spans.iter().zip(&spans[1..]).zip(keep).take(last_kept).filter(|(_, kept)| !**kept)
    {
        edits.push((span.start..next.start, Cow::Borrowed("")));
    }
    if let Some(kept) = spans.get(last_kept).filter(|kept| kept.end < last.end) {
        edits.push((kept.end..last.end, Cow::Borrowed("")));
    }
    edits
}

/// All elements of an array; `None` if the tape leaves some out (short numbers deep inside), so that what stands between
/// two others is not known.
pub(super) fn elements(frame: &Frame<'_>, array: Node) -> Option<Vec<Node>> {
    let Range { start, end } = frame.span(array);
    let elements: Vec<Node> = frame.elements(array).collect();
    let mut at = start + 1;
    for (index, element) in elements.iter().enumerate() {
        let span = frame.span(*element);
        let commas = usize::from(index > 0);
        if !is_gap(frame.bytes.get(at..span.start)?, commas) {
            return None;
        }
        at = span.end;
    }
    is_gap(frame.bytes.get(at..end - 1)?, 0).then_some(elements)
}

/// White space, and so many commas.
fn is_gap(bytes: &[u8], commas: usize) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b','))
        && bytes.iter().filter(|byte| **byte == b',').count() == commas
}

/// What has to go so that an object loses the members whose (decoded) keys `goes` names.
pub(super) fn without_members(frame: &Frame<'_>, object: Node, goes: impl Fn(&str) -> bool) -> Vec<Edit> {
    let mut spans = Vec::new();
    let mut keep = Vec::new();
    for (key, token, value) in frame.members(object) {
        spans.push(token.start as usize..frame.span(value).end);
        keep.push(!goes(&key));
    }
    if keep.contains(&false) { removals(&spans, &keep) } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Direction, Limits, Parser};

    #[test]
    fn members_leave_with_one_comma_each() {
        for (before, after) in [
            (r#"{"a":1,"b":2,"c":3}"#, r#"{"b":2}"#),
            (r#"{ "a" : {"b":1} , "b" : 2 }"#, r#"{ "b" : 2 }"#),
            (r#"{"a":1,"c":[]}"#, r#"{}"#),
            (r#"{"\u0061":1,"d":0,"c":[]}"#, r#"{"d":0}"#),
            (r#"{"d":0}"#, r#"{"d":0}"#),
            (r#"{}"#, r#"{}"#),
        ] {
            let line = format!(r#"{{"jsonrpc":"2.0","method":"x","id":1,"params":{before}}}"#);
            let mut parser = Parser::default();
            let frame =
                parser.parse(line.as_bytes(), Direction::ToServer, &Limits::of(Direction::ToServer)).unwrap();
            let edits = without_members(&frame, frame.body().unwrap(), |key| matches!(key, "a" | "c"));
            let expected = format!(r#"{{"jsonrpc":"2.0","method":"x","id":1,"params":{after}}}"#);
            assert_eq!(String::from_utf8(splice(line.as_bytes(), edits)).unwrap(), expected);
        }
    }
}
