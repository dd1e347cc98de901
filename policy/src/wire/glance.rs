//! A tolerant look at a line that is refused: under which id can it be answered, and was it a call?

use super::names;
use super::normalise::escape_separators;
use super::skip::{blank_end, string_end, value_end};
use super::string::{self, Controls};
use super::{number, skip};

/// Longest string id that is echoed, quotes included.
const ID_STRING_BYTES_MAX: usize = 1024;

/// Longest number id that is echoed.
const ID_NUMBER_BYTES_MAX: usize = 32;

/// What could be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Glance {
    /// Raw JSON of the id, if the top level holds exactly one and a client can read it back.
    pub(super) id: Option<Vec<u8>>,
    /// The top level holds a method.
    pub(super) is_call: bool,
    /// The top level holds a result or an error.
    pub(super) is_answer: bool,
    /// How many ids the top level holds.
    pub(super) ids: usize,
    /// Whether all of it was seen.
    pub(super) end: TopEnd,
}

/// Whether the top object ends within the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TopEnd {
    /// It does, or there is none.
    #[default]
    Seen,
    /// It was left open where the bytes end.
    Cut,
}

/// Reads the keys of the top object as far as they go. Strings and inner containers are stepped over whole, so an
/// `"id"` in there is not taken for the message's own.
pub(super) fn glance(bytes: &[u8]) -> Glance {
    let mut seen = Glance::default();
    let mut member = object_start(bytes);
    let is_object = member.is_some();
    while let Some(from) = member {
        let Next::Key(at) = key_start(bytes, from) else { break };
        let Some(key_end) = string_end(bytes, at) else {
            member = None;
            break;
        };
        let colon = blank_end(bytes, key_end);
        if bytes.get(colon) != Some(&b':') {
            member = Some(key_end);
            continue;
        }
        let value = blank_end(bytes, colon + 1);
        let end = value_end(bytes, value);
        match decoded_key(&bytes[at + 1..key_end - 1]) {
            Some("id") => {
                seen.ids += 1;
                seen.id = end.and_then(|end| echoable(&bytes[value..end]));
            }
            Some("method") => seen.is_call = true,
            Some("result" | "error") => seen.is_answer = true,
            _ => {}
        }
        member = end;
    }
    if seen.ids > 1 {
        seen.id = None;
    }
    if is_object && member.is_none_or(|from| key_start(bytes, from) == Next::Cut) {
        seen.end = TopEnd::Cut;
    }
    seen
}

/// One past the bracket of the top object. A byte order mark or other odd bytes in front are stepped over.
fn object_start(bytes: &[u8]) -> Option<usize> {
    let is_ahead = |byte: &&u8| byte.is_ascii_whitespace() || !byte.is_ascii();
    let at = bytes.iter().take_while(is_ahead).count();
    (bytes.get(at) == Some(&b'{')).then_some(at + 1)
}

/// What stands next in the top object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A key, whose quote stands here.
    Key(usize),
    /// Its end.
    Close,
    /// The end of the bytes.
    Cut,
}

/// The quote of the next key; what should not stand before it is stepped over.
fn key_start(bytes: &[u8], from: usize) -> Next {
    let mut at = from;
    loop {
        match bytes.get(at) {
            None => return Next::Cut,
            Some(b'"') => return Next::Key(at),
            Some(b'}') => return Next::Close,
            Some(b'{' | b'[') => match skip::value_end(bytes, at) {
                Some(end) => at = end,
                None => return Next::Cut,
            },
            Some(_) => at += 1,
        }
    }
}

fn decoded_key(inside: &[u8]) -> Option<&'static str> {
    let key = string::unescape(std::str::from_utf8(inside).ok()?);
    names::ENVELOPE.iter().copied().find(|known| *known == key)
}

/// The id as it can be written into an answer; `None` if some client could not read it there.
pub(super) fn echoable(raw: &[u8]) -> Option<Vec<u8>> {
    let is_whole = match raw.first()? {
        b'"' if raw.len() <= ID_STRING_BYTES_MAX => {
            string::scan(raw, 0, Controls::Possible).is_ok_and(|string| string.end == raw.len())
        }
        b'"' => false,
        _ if raw.len() <= ID_NUMBER_BYTES_MAX => number::scan(raw, 0).is_ok_and(|end| end == raw.len()),
        _ => false,
    };
    let text = std::str::from_utf8(raw).ok().filter(|_| is_whole)?;
    Some(escape_separators(text).into_bytes())
}
