//! The last members of a line of which only both ends were kept: many SDKs write the id last.
//!
//! Read backwards. In a line that is JSON its last bracket closes the top object and stands outside of all strings. So
//! does what is read before it: a quote without a backslash in front begins or ends a string, and what is taken here
//! holds no backslash. Whatever else stands there ends the reading.

use super::LineEnds;
use super::glance::{Glance, TopEnd, echoable, glance};

/// What the end of a line tells.
#[derive(Default)]
struct Tail<'s> {
    ids: usize,
    id: Option<&'s [u8]>,
    is_call: bool,
}

/// The id under which a line can be answered, and whether it was a call. No id if the ends disagree, if the first
/// message of the line ended before, or if the line may be a call as well as an answer.
pub(super) fn glance_at_ends(ends: LineEnds<'_>) -> (Option<Vec<u8>>, bool) {
    let Glance { id, is_call, is_answer, ids, end } = glance(ends.prefix);
    if end == TopEnd::Seen {
        return (id, is_call);
    }
    let tail = tail(ends.suffix);
    let is_call = is_call || tail.is_call;
    let last = tail.id.filter(|_| tail.ids == 1).and_then(echoable);
    let id = match (ids, tail.ids) {
        (_, 0) => id,
        (0, _) => last.filter(|_| is_call || is_answer),
        _ => id.filter(|id| last.as_ref() == Some(id)),
    };
    (id, is_call)
}

fn tail(suffix: &[u8]) -> Tail<'_> {
    let mut tail = Tail::default();
    let Some(mut before) = suffix.trim_ascii_end().strip_suffix(b"}") else { return tail };
    while let Some((rest, key, value)) = last_member(before) {
        match key {
            b"id" => {
                tail.ids += 1;
                tail.id = Some(value);
            }
            b"method" if value.starts_with(b"\"") => tail.is_call = true,
            b"jsonrpc" => {}
            _ => break,
        }
        before = rest;
    }
    tail
}

/// The last member with its comma, if both key and value are simple: what stands before it, key and value.
fn last_member(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let text = text.trim_ascii_end();
    let (rest, value) = match text.last()? {
        b'"' => last_string(text)?,
        _ => last_number(text)?,
    };
    let rest = rest.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let (rest, key) = last_string(rest)?;
    let rest = rest.trim_ascii_end().strip_suffix(b",")?;
    Some((rest, &key[1..key.len() - 1], value))
}

/// The string at the end, quotes included, if it holds no escape.
fn last_string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_suffix(b"\"")?;
    let start = memchr::memrchr(b'"', inside)?;
    let (rest, string) = text.split_at(start);
    (!string.contains(&b'\\') && !rest.ends_with(b"\\")).then_some((rest, string))
}

fn last_number(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    (digits > 0).then(|| text.split_at(text.len() - digits))
}
