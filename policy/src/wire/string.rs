//! JSON strings: where they end, whether their escapes are sound, and what they say.

use std::borrow::Cow;

use memchr::memchr2;

use super::refusal::{Fault, Refusal};

/// A string that was read to its closing quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StringEnd {
    /// One past the closing quote.
    pub(super) end: usize,
    /// A backslash stands in it.
    pub(super) escaped: bool,
}

/// Whether raw control characters have to be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controls {
    /// There is none in the whole text.
    Absent,
    /// There may be some.
    Possible,
}

/// Reads the string whose opening quote stands at `start`.
pub(super) fn scan(bytes: &[u8], start: usize, controls: Controls) -> Result<StringEnd, Fault> {
    let mut at = start + 1;
    let mut escaped = false;
    let end = loop {
        match next_special(bytes, at) {
            None => return Err(Fault::new(Refusal::Syntax, bytes.len())),
            Some(found) if bytes[found] == b'"' => break found + 1,
            Some(backslash) => {
                escaped = true;
                at = escape_end(bytes, backslash)?;
            }
        }
    };
    if controls == Controls::Possible
        && let Some(found) = first_control(&bytes[start..end])
    {
        return Err(Fault::new(Refusal::ControlCharacter, start + found));
    }
    Ok(StringEnd { end, escaped })
}

/// The decoded text between the quotes. Borrowed if there is no backslash in it.
pub(super) fn unescape(inside: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut text = String::with_capacity(inside.len());
    unescape_into(inside, &mut text);
    Cow::Owned(text)
}

/// Appends the decoded text between the quotes.
pub(super) fn unescape_into(inside: &str, text: &mut String) {
    let mut rest = inside;
    while let Some(backslash) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..backslash]);
        let (character, length) = unescape_one(&rest.as_bytes()[backslash..]);
        text.push(character);
        rest = rest.get(backslash + length..).unwrap_or("");
    }
    text.push_str(rest);
}

/// Offset of the first byte below 0x20.
pub(super) fn first_control(bytes: &[u8]) -> Option<usize> {
    // Folding without a branch lets the compiler use vectors; `position` alone looks at one byte a time.
    const BLOCK: usize = 64;
    let mut blocks = bytes.chunks_exact(BLOCK);
    let clean = blocks
        .by_ref()
        .take_while(|block| !block.iter().fold(false, |found, &byte| found | (byte < 0x20)))
        .count();
    let from = clean * BLOCK;
    bytes[from..].iter().position(|&byte| byte < 0x20).map(|found| from + found)
}

/// The escape `\uXXXX` at `at`: its code unit; `None` if it is anything else.
pub(super) fn unicode_escape(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0u16, |unit, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some((unit << 4) | u16::try_from(value).ok()?)
    })
}

/// The first half of a surrogate pair.
pub(super) fn is_high(unit: u16) -> bool {
    (0xD800..0xDC00).contains(&unit)
}

/// The second half of a surrogate pair.
pub(super) fn is_low(unit: u16) -> bool {
    (0xDC00..0xE000).contains(&unit)
}

/// The next quote or backslash at or after `at`.
#[inline]
fn next_special(bytes: &[u8], at: usize) -> Option<usize> {
    // Most strings, and most distances between two escapes, are shorter than what a vector search costs to start.
    const NEAR: usize = 16;
    let near = bytes.get(at..(at + NEAR).min(bytes.len()))?;
    if let Some(found) = near.iter().position(|&byte| byte == b'"' || byte == b'\\') {
        return Some(at + found);
    }
    let from = at + near.len();
    memchr2(b'"', b'\\', &bytes[from..]).map(|found| from + found)
}

/// One past the escape whose backslash stands at `at`.
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let unit = unicode_escape(bytes, at).ok_or(Fault::new(Refusal::Syntax, at))?;
            if is_low(unit) {
                return Err(Fault::new(Refusal::LoneSurrogate, at));
            }
            if !is_high(unit) {
                return Ok(at + 6);
            }
            match unicode_escape(bytes, at + 6) {
                Some(second) if is_low(second) => Ok(at + 12),
                _ => Err(Fault::new(Refusal::LoneSurrogate, at)),
            }
        }
        _ => Err(Fault::new(Refusal::Syntax, at)),
    }
}

/// The character that the escape at the start of `bytes` stands for, and the escape's length. What the grammar
/// refuses becomes U+FFFD here, so that looking at a refused line cannot fail.
fn unescape_one(bytes: &[u8]) -> (char, usize) {
    let simple = match bytes.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unescape_unicode(bytes),
        Some(&other @ (b'"' | b'\\' | b'/')) => char::from(other),
        _ => return (char::REPLACEMENT_CHARACTER, 1),
    };
    (simple, 2)
}

fn unescape_unicode(bytes: &[u8]) -> (char, usize) {
    let Some(first) = unicode_escape(bytes, 0) else {
        return (char::REPLACEMENT_CHARACTER, 2);
    };
    match unicode_escape(bytes, 6) {
        Some(second) if is_high(first) && is_low(second) => {
            let code = 0x1_0000 + ((u32::from(first) - 0xD800) << 10) + (u32::from(second) - 0xDC00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
    }
}
