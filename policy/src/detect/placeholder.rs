//! What a redacted value is replaced by, and how it is known again: a placeholder is never a finding.

use std::ops::Range;

const OPEN: &[u8] = b"[REDACTED:";
const HASH_LEN: usize = 8;
/// Longest name in a placeholder; longer list names are cut.
const NAME_MAX: usize = 64;

/// `[REDACTED:github-pat:3fa9c1d2]`
pub(super) fn text(short: &str, hash: [u8; 8]) -> String {
    let mut out = String::from("[REDACTED:");
    out.push_str(&name(short));
    out.push(':');
    out.extend(hash.iter().map(|&b| char::from(b)));
    out.push(']');
    out
}

/// The name as it stands in a placeholder: what could end a JSON string or the placeholder is replaced.
pub(super) fn name(short: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    short.chars().take(NAME_MAX).map(|c| if plain(c) { c } else { '-' }).collect()
}

/// Whether the span lies within a placeholder with one of our names. Only our own names count: anything else in
/// that shape could be a secret in disguise.
pub(super) fn covers(text: &[u8], span: &Range<usize>, known: impl Fn(&[u8]) -> bool) -> bool {
    let longest = OPEN.len() + NAME_MAX + 1 + HASH_LEN + 1;
    let from = span.start.saturating_sub(longest);
    let to = (span.start + OPEN.len()).min(text.len());
    let Some(open) = memchr::memmem::rfind(&text[from..to], OPEN).map(|at| from + at) else { return false };
    if open > span.start {
        return false;
    }
    let inside = &text[open + OPEN.len()..text.len().min(open + longest)];
    let Some(colon) = memchr::memchr(b':', inside) else { return false };
    let Some(tail) = inside.get(colon + 1..colon + 2 + HASH_LEN) else { return false };
    let (hash, close) = tail.split_at(HASH_LEN);
    let lower_hex = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let end = open + OPEN.len() + colon + 2 + HASH_LEN;
    close == b"]" && hash.iter().all(lower_hex) && span.end <= end && known(&inside[..colon])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(text: &str, part: &str) -> bool {
        let start = text.find(part).expect("the part is in the text");
        covers(text.as_bytes(), &(start..start + part.len()), |name| name == b"jwt")
    }

    #[test]
    fn a_span_within_our_placeholder_is_known() {
        assert!(inside("a [REDACTED:jwt:01ab23cd] b", "REDACTED"));
        assert!(inside("[REDACTED:jwt:01ab23cd]", "[REDACTED:jwt:01ab23cd]"));
        assert!(inside("[REDACTED:jwt:01ab23cd][REDACTED:jwt:99999999]", "99999999"));
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        assert!(!inside("[REDACTED:ghp_x:01ab23cd]", "ghp_x"));
        assert!(!inside("[REDACTED:jwt:01ab23cX]", "jwt"));
        assert!(!inside("[REDACTED:jwt:01ab23cd", "jwt"));
        assert!(!inside("[REDACTED:jwt:01ab23cd] x", "cd] x"));
        assert!(!inside("x [REDACTED:jwt:01ab23cd]", "x [RED"));
    }

    #[test]
    fn a_list_name_cannot_break_out() {
        assert_eq!(text("a\"b]é", *b"01234567"), "[REDACTED:a-b--:01234567]");
    }
}
