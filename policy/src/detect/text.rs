//! From the raw bytes of a JSON string to its text, and from a place in the text back to the raw bytes.

use std::ops::Range;

/// So many bytes are copied together while escapes stand near each other, as they do in JSON and in source code.
const WORD: usize = 8;
/// After so many words without an escape the next one is far, and a search is quicker.
const NEAR_WORDS: usize = 2;

/// Appends the text of a string's inside (without quotes) to `out`.
pub(crate) fn decode(raw: &[u8], out: &mut Vec<u8>) {
    // A word is copied whole wherever it ends.
    out.reserve(raw.len() + WORD);
    let mut rest = raw;
    loop {
        let mut empty = 0;
        while empty < NEAR_WORDS
            && let Some(word) = rest.first_chunk::<WORD>()
        {
            let plain = first_backslash(word);
            out.extend_from_slice(word);
            if plain == WORD {
                rest = &rest[WORD..];
                empty += 1;
            } else {
                out.truncate(out.len() + plain - WORD);
                rest = unescape(&rest[plain..], out);
                empty = 0;
            }
        }
        let Some(plain) = memchr::memchr(b'\\', rest) else { break };
        out.extend_from_slice(&rest[..plain]);
        rest = unescape(&rest[plain..], out);
    }
    out.extend_from_slice(rest);
}

/// How many bytes come before the first backslash.
#[inline]
fn first_backslash(word: &[u8; WORD]) -> usize {
    const LOWEST: u64 = 0x0101_0101_0101_0101;
    // The first byte that is zero borrows from its highest bit.
    let zero = u64::from_le_bytes(*word) ^ (LOWEST * b'\\' as u64);
    let highest = zero.wrapping_sub(LOWEST) & !zero & (LOWEST << 7);
    (highest.trailing_zeros() / 8) as usize
}

/// Appends what the escape at the start of `raw` stands for; what comes behind it.
#[inline]
fn unescape<'r>(raw: &'r [u8], out: &mut Vec<u8>) -> &'r [u8] {
    if let [_, kind, rest @ ..] = raw
        && SIMPLE[usize::from(*kind)] != 0
    {
        out.push(SIMPLE[usize::from(*kind)]);
        return rest;
    }
    let escape = Escape::at(raw);
    out.extend_from_slice(escape.decoded.encode_utf8(&mut [0; 4]).as_bytes());
    &raw[escape.raw_len..]
}

/// What the one character behind a backslash stands for; zero where that is not all.
static SIMPLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 0x80 {
        table[at] = match at as u8 {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 0x8,
            b'f' => 0xc,
            b'u' => 0,
            other => other,
        };
        at += 1;
    }
    table
};

/// Maps places of the decoded text to the raw bytes; goes forward only, so that many findings in one long string
/// cost one pass together.
#[derive(Clone, Debug)]
pub(crate) struct RawCursor<'r> {
    raw: &'r [u8],
    raw_at: usize,
    decoded_at: usize,
}

impl<'r> RawCursor<'r> {
    /// At the start of a string's inside.
    pub(crate) fn new(raw: &'r [u8]) -> Self {
        Self { raw, raw_at: 0, decoded_at: 0 }
    }

    /// The raw bytes of a decoded span. Starts must not go down from call to call.
    pub(crate) fn raw_span(&mut self, decoded: &Range<usize>) -> Range<usize> {
        self.forward_to(decoded.start);
        let mut end = self.clone();
        end.forward_to(decoded.end);
        self.raw_at..end.raw_at
    }

    fn forward_to(&mut self, decoded: usize) {
        while self.decoded_at < decoded && self.raw_at < self.raw.len() {
            let rest = &self.raw[self.raw_at..];
            let wanted = (decoded - self.decoded_at).min(rest.len());
            match memchr::memchr(b'\\', &rest[..wanted]) {
                Some(0) => {
                    let escape = Escape::at(rest);
                    self.raw_at += escape.raw_len;
                    self.decoded_at += escape.decoded.len_utf8();
                }
                plain => {
                    let plain = plain.unwrap_or(wanted);
                    self.raw_at += plain;
                    self.decoded_at += plain;
                }
            }
        }
    }
}

struct Escape {
    decoded: char,
    raw_len: usize,
}

impl Escape {
    /// The escape at the start of `raw`. The grammar was checked before; what it let through of lone surrogates
    /// reads as U+FFFD, as every client reads it.
    fn at(raw: &[u8]) -> Self {
        match raw.get(1).map(|kind| SIMPLE[usize::from(*kind)]) {
            Some(0) if raw[1] == b'u' => Self::unicode(raw),
            Some(0) | None => Self { decoded: '\\', raw_len: 1 },
            Some(simple) => Self { decoded: char::from(simple), raw_len: 2 },
        }
    }

    fn unicode(raw: &[u8]) -> Self {
        let Some(first) = hex4(raw, 0) else {
            return Self { decoded: '\u{fffd}', raw_len: 6.min(raw.len()) };
        };
        if (0xd800..0xdc00).contains(&first)
            && let Some(second) = hex4(raw, 6)
            && (0xdc00..0xe000).contains(&second)
        {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return Self { decoded: char::from_u32(code).unwrap_or('\u{fffd}'), raw_len: 12 };
        }
        Self { decoded: char::from_u32(first).unwrap_or('\u{fffd}'), raw_len: 6 }
    }
}

/// The four hex digits of the `\u` escape at `at`.
fn hex4(raw: &[u8], at: usize) -> Option<u32> {
    let escape = raw.get(at..at + 6)?;
    if !escape.starts_with(b"\\u") {
        return None;
    }
    escape[2..].iter().try_fold(0, |code, &b| Some(code << 4 | char::from(b).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> String {
        let mut out = Vec::new();
        decode(raw.as_bytes(), &mut out);
        String::from_utf8(out).expect("decoded text is UTF-8")
    }

    #[test]
    fn every_escape_is_read_as_serde_json_reads_it() {
        for raw in [r#"\"\\\/\b\f\n\r\t"#, r"\u0041\u00e9\u20ac\ud83d\ude00", r"a\\u0041", "é😀", r"\u0000x"]
        {
            let reference: String = serde_json::from_str(&format!("\"{raw}\"")).expect("a JSON string");
            assert_eq!(decoded(raw), reference);
        }
    }

    #[test]
    fn escapes_are_read_wherever_they_stand() {
        for plain in 0..50 {
            let raw = format!(r"{}\n\\{}\u00e9é", "x".repeat(plain), "y".repeat(plain / 2));
            let reference: String = serde_json::from_str(&format!("\"{raw}\"")).expect("a JSON string");
            assert_eq!(decoded(&raw), reference);
        }
        for cut in [r"a\u", r"a\u00", r"\u", "\\", r"1234567\u"] {
            let mut out = b"before".to_vec();
            decode(cut.as_bytes(), &mut out);
            assert!(out.starts_with(b"before") && out.len() <= 6 + cut.len() + 2, "{cut}: {out:?}");
        }
    }

    #[test]
    fn a_lone_surrogate_is_the_replacement_character() {
        assert_eq!(decoded(r"a\ud83dz"), "a\u{fffd}z");
        assert_eq!(decoded(r"\ud83d\u0041"), "\u{fffd}A");
    }

    #[test]
    fn every_character_maps_to_its_own_raw_bytes() {
        let raw = r"a\u0041é\n😀\ud83d\ude00\\z";
        let text = decoded(raw);
        let mut cursor = RawCursor::new(raw.as_bytes());
        let mut next = 0;
        for (at, c) in text.char_indices() {
            let span = cursor.raw_span(&(at..at + c.len_utf8()));
            assert_eq!(span.start, next);
            assert_eq!(decoded(&raw[span.clone()]), c.to_string());
            next = span.end;
        }
        assert_eq!(next, raw.len());
    }
}
