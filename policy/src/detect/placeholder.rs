//! What a redacted value is replaced by, and how it is known again: a placeholder is never a finding.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

const OPEN: &[u8] = b"[REDACTED:";
/// The opening as it stands in a URL.
const OPEN_IN_URL: &[u8] = b"REDACTED%3a";
const HASH_LEN: usize = 8;
/// Longest name in a placeholder; longer list names are cut.
const NAME_MAX: usize = 64;
const LONGEST: usize = OPEN.len() + NAME_MAX + 1 + HASH_LEN + 1;

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
    let plain = |c: char| u8::try_from(c).is_ok_and(is_name_byte);
    short.chars().take(NAME_MAX).map(|c| if plain(c) { c } else { '-' }).collect()
}

/// The names that stand in placeholders.
pub(super) trait Names {
    /// Whether this is one.
    fn has(&self, name: &[u8]) -> bool;
    /// Whether one begins like this.
    fn begin_with(&self, start: &[u8]) -> bool;
}

impl Names for [Cow<'static, str>] {
    fn has(&self, name: &[u8]) -> bool {
        self.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok()
    }

    fn begin_with(&self, start: &[u8]) -> bool {
        let at = self.partition_point(|known| known.as_bytes() < start);
        self.get(at).is_some_and(|known| known.as_bytes().starts_with(start))
    }
}

/// A placeholder of ours in a text, or what is left of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sighting {
    /// Letter for letter as it was made.
    Whole(Range<usize>),
    /// Cut, changed or written in another encoding.
    Damaged(Range<usize>),
}

/// Whether a placeholder may stand in this text: a quick look.
pub(crate) fn may_hold(text: &[u8]) -> bool {
    memmem::find(text, b"REDACTED").is_some()
}

/// All placeholders with one of our names, and what is left of some; the text of what is left reaches as far as a whole one
/// would, so that the same is known again. Other text in that shape is not ours.
pub(super) fn find(text: &[u8], names: &(impl Names + ?Sized)) -> Vec<Sighting> {
    let mut found: Vec<Sighting> =
        memmem::find_iter(text, OPEN).filter_map(|open| sighting(text, open, names)).collect();
    for open in memmem::find_iter(text, &OPEN_IN_URL[..OPEN_IN_URL.len() - 1]) {
        let (head, rest) = text[open..].split_at(OPEN_IN_URL.len().min(text.len() - open));
        let name_end = name_end(rest);
        if head.eq_ignore_ascii_case(OPEN_IN_URL) && names.has(&rest[..name_end]) {
            found.push(damaged(text, open, head.len() + name_end));
        }
    }
    found
}

fn sighting(text: &[u8], open: usize, names: &(impl Names + ?Sized)) -> Option<Sighting> {
    let inside = &text[open + OPEN.len()..text.len().min(open + LONGEST)];
    let name_end = name_end(inside);
    let (name, tail) = inside.split_at(name_end);
    let to_tail = OPEN.len() + name_end;
    match tail.first() {
        Some(b':') if names.has(name) => {
            let hash = tail.get(1..=HASH_LEN);
            let whole = hash.is_some_and(|hash| hash.iter().all(is_lower_hex))
                && tail.get(HASH_LEN + 1) == Some(&b']');
            let end = open + to_tail + HASH_LEN + 2;
            Some(if whole { Sighting::Whole(open..end) } else { damaged(text, open, to_tail) })
        }
        Some(b']' | b' ' | b'\t' | b'\n' | b'\r') if names.has(name) => Some(damaged(text, open, to_tail)),
        // The text ends here: it may be cut within the name.
        None if names.begin_with(name) => Some(damaged(text, open, to_tail)),
        _ => None,
    }
}

fn damaged(text: &[u8], open: usize, to_tail: usize) -> Sighting {
    let mut end = text.len().min(open + to_tail + HASH_LEN + 2);
    // Characters stay whole.
    while text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end += 1;
    }
    Sighting::Damaged(open..end)
}

fn name_end(text: &[u8]) -> usize {
    text.iter().position(|byte| !is_name_byte(*byte)).unwrap_or(text.len())
}

/// Whether the span lies within a placeholder with one of our names. Only our own names count: anything else in
/// that shape could be a secret in disguise.
pub(super) fn covers(text: &[u8], span: &Range<usize>, known: impl Fn(&[u8]) -> bool) -> bool {
    let from = span.start.saturating_sub(LONGEST);
    let to = (span.start + OPEN.len()).min(text.len());
    let Some(open) = memmem::rfind(&text[from..to], OPEN).map(|at| from + at) else { return false };
    if open > span.start {
        return false;
    }
    let inside = &text[open + OPEN.len()..text.len().min(open + LONGEST)];
    let Some(colon) = memchr::memchr(b':', inside) else { return false };
    let Some(tail) = inside.get(colon + 1..colon + 2 + HASH_LEN) else { return false };
    let (hash, close) = tail.split_at(HASH_LEN);
    let end = open + OPEN.len() + colon + 2 + HASH_LEN;
    close == b"]" && hash.iter().all(is_lower_hex) && span.end <= end && known(&inside[..colon])
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn is_lower_hex(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
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

    #[test]
    fn whole_and_damaged_ones_are_told_apart_and_others_are_not_ours() {
        let seen = |text: &str| -> Vec<(bool, String)> {
            let found = find(text.as_bytes(), &[Cow::Borrowed("jwt")][..]);
            let shown = |sighting: &Sighting| match sighting {
                Sighting::Whole(span) => (true, text[span.clone()].to_owned()),
                Sighting::Damaged(span) => (false, text[span.clone()].to_owned()),
            };
            found.iter().map(shown).collect()
        };
        let whole = |text: &str| (true, text.to_owned());
        let damaged = |text: &str| (false, text.to_owned());
        assert_eq!(seen("a[REDACTED:jwt:01ab23cd]b"), [whole("[REDACTED:jwt:01ab23cd]")]);
        assert_eq!(
            seen("[REDACTED:jwt:01ab23cd][REDACTED:jwt:01ab23cd"),
            [whole("[REDACTED:jwt:01ab23cd]"), damaged("[REDACTED:jwt:01ab23cd")]
        );
        assert_eq!(seen("[REDACTED:jwt:01AB23CD]"), [damaged("[REDACTED:jwt:01AB23CD]")]);
        assert_eq!(seen("[REDACTED:jwt] and moré x"), [damaged("[REDACTED:jwt] and moré")]);
        for cut in ["[REDACTED:jwt:01ab23c", "[REDACTED:jwt:", "[REDACTED:jwt", "[REDACTED:j", "[REDACTED:"] {
            assert_eq!(seen(&format!("x{cut}")), [damaged(cut)]);
        }
        assert_eq!(seen("?q=%5BREDACTED%3Ajwt%3A01ab23"), [damaged("REDACTED%3Ajwt%3A01ab23")]);
        for other in [
            "[REDACTED]",
            "[REDACTED:key:01ab23cd]",
            "[REDACTED:jwt=01ab23cd]",
            "REDACTED%3",
            "REDACTED:jwt:01ab23cd",
        ] {
            assert_eq!(seen(other), [], "{other}");
        }
    }
}
