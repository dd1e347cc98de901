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
    // Most strings, and most distances between two escapes, are shorter than what a vector search costs to start: two
    // words are looked at first.
    let mut at = at;
    for _ in 0..2 {
        let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        let word = u64::from_le_bytes(*word);
        let found = bytes_equal(word, b'"') | bytes_equal(word, b'\\');
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    memchr2(b'"', b'\\', bytes.get(at..)?).map(|found| at + found)
}

/// The highest bit of each byte of `word` that is `wanted`. Behind the lowest of them others may be marked by mistake: only
/// the lowest counts (Mycroft's test for a zero byte).
#[inline]
fn bytes_equal(word: u64, wanted: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = ONES << 7;
    let zero_where_equal = word ^ (ONES * u64::from(wanted));
    zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & HIGHEST
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_quote_or_backslash_is_found_wherever_it_stands() {
        // Neighbours of both bytes, bytes that a borrow could mark, and the highest bit.
        let others = [b'!', b'#', b'[', b']', 0x00, 0x01, 0x7f, 0x80, 0xa2, 0xdc, 0xff, b'a'];
        for length in 0..40 {
            for (n, other) in others.iter().enumerate() {
                let mut bytes = vec![*other; length];
                bytes.iter_mut().step_by(3).for_each(|byte| *byte = others[(n + 5) % others.len()]);
                assert_eq!(next_special(&bytes, 0), None, "{bytes:?}");
                for place in 0..length {
                    for special in [b'"', b'\\'] {
                        let mut bytes = bytes.clone();
                        bytes[place] = special;
                        // What stands behind it does not matter, not even one above it by one.
                        for (next, after) in [(b'#', 1), (b']', 1), (b'"', 2), (b'\\', 3)] {
                            if let Some(byte) = bytes.get_mut(place + after) {
                                *byte = next;
                            }
                        }
                        for from in 0..=place {
                            assert_eq!(next_special(&bytes, from), Some(place), "{bytes:?} from {from}");
                        }
                    }
                }
            }
        }
    }
}
