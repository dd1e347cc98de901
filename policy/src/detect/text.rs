//! From the raw bytes of a JSON string to its text, and from a place in the text back to the raw bytes.

use std::ops::Range;

/// Appends the text of a string's inside (without quotes) to `out`.
pub(crate) fn decode(raw: &[u8], out: &mut Vec<u8>) {
    out.reserve(raw.len());
    let mut rest = raw;
    while let Some(at) = next_backslash(rest) {
        out.extend_from_slice(&rest[..at]);
        let escape = Escape::at(&rest[at..]);
        match u8::try_from(escape.decoded) {
            Ok(byte) if byte.is_ascii() => out.push(byte),
            _ => out.extend_from_slice(escape.decoded.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = &rest[at + escape.raw_len..];
    }
    out.extend_from_slice(rest);
}

/// Source code and JSON have one every few bytes: there a look at each byte is quicker than a search.
fn next_backslash(rest: &[u8]) -> Option<usize> {
    const NEAR: usize = 12;
    let near = &rest[..rest.len().min(NEAR)];
    let found = near.iter().position(|byte| *byte == b'\\');
    found.or_else(|| memchr::memchr(b'\\', &rest[near.len()..]).map(|at| near.len() + at))
}

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
        let simple = |decoded| Self { decoded, raw_len: 2.min(raw.len()) };
        match raw.get(1) {
            Some(b'n') => simple('\n'),
            Some(b't') => simple('\t'),
            Some(b'r') => simple('\r'),
            Some(b'b') => simple('\u{8}'),
            Some(b'f') => simple('\u{c}'),
            Some(b'u') => Self::unicode(raw),
            Some(&other) if other.is_ascii() => simple(char::from(other)),
            _ => Self { decoded: '\\', raw_len: 1 },
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
