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
}

/// Reads the keys of the top object as far as they go. Strings and inner containers are stepped over whole, so an
/// `"id"` in there is not taken for the message's own.
pub(super) fn glance(bytes: &[u8]) -> Glance {
    let mut seen = Glance::default();
    let mut ids = 0usize;
    let mut member = object_start(bytes);
    while let Some(at) = member.and_then(|from| key_start(bytes, from)) {
        let Some(key_end) = string_end(bytes, at) else { break };
        let colon = blank_end(bytes, key_end);
        if bytes.get(colon) != Some(&b':') {
            member = Some(key_end);
            continue;
        }
        let value = blank_end(bytes, colon + 1);
        let end = value_end(bytes, value);
        match decoded_key(&bytes[at + 1..key_end - 1]) {
            Some("id") => {
                ids += 1;
                seen.id = end.and_then(|end| echoable(&bytes[value..end]));
            }
            Some("method") => seen.is_call = true,
            _ => {}
        }
        member = end;
    }
    if ids > 1 {
        seen.id = None;
    }
    seen
}

/// One past the bracket of the top object. A byte order mark or other odd bytes in front are stepped over.
fn object_start(bytes: &[u8]) -> Option<usize> {
    let is_ahead = |byte: &&u8| byte.is_ascii_whitespace() || !byte.is_ascii();
    let at = bytes.iter().take_while(is_ahead).count();
    (bytes.get(at) == Some(&b'{')).then_some(at + 1)
}

/// The quote of the next key; what should not stand before it is stepped over.
fn key_start(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'}' => return None,
            b'{' | b'[' => at = skip::value_end(bytes, at)?,
            _ => at += 1,
        }
    }
}

fn decoded_key(inside: &[u8]) -> Option<&'static str> {
    let key = string::unescape(std::str::from_utf8(inside).ok()?);
    names::ENVELOPE.iter().copied().find(|known| *known == key)
}

/// The id as it can be written into an answer; `None` if some client could not read it there.
fn echoable(raw: &[u8]) -> Option<Vec<u8>> {
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
