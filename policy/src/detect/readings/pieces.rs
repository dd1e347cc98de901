//! Values in pieces: string literals that the program joins, and letters with something between each two.

use std::ops::Range;

use super::marks;
use super::places::{Reading, Tracer};
use super::regions::Regions;

/// Most white space on each side of the operator between two literals.
const BLANK_MAX: usize = 64;
/// Operators that join texts in wide-spread languages; white space alone does in C, Python and shells.
const OPERATORS: &[&[u8]] = &[b"+", b"..", b".", b"||", b"&", b"<>", b"~", b"++", b"\\", b""];
/// Fewest letters with something between each two that are worth joining.
const LETTERS_MIN: usize = 20;
/// A run of so many letters, each with at least one byte behind it, holds a whole window at a multiple of this.
const STRIDE: usize = 2 * LETTERS_MIN - WINDOW;
/// Longest distance from one letter to the next: `g", "h`.
const PERIOD_MAX: usize = 5;
/// So many bytes are looked at to see a period.
const WINDOW: usize = 16;

/// Letters with the same bytes between each two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spaced {
    /// From the first letter to the last.
    pub(super) run: Range<usize>,
    /// From one letter to the next.
    pub(super) period: usize,
}

/// Regions of the text with literals in them that the program joins.
pub(super) fn split_regions(text: &[u8]) -> Vec<Range<usize>> {
    let mut regions = Regions::of(text);
    let mut behind = 0;
    marks::each(text, *b"\"'`", |at| {
        if at >= behind
            && may_end(text, at)
            && let Some(junction) = junction(text, at)
        {
            behind = junction.end;
            regions.add(junction);
        }
    });
    regions.all()
}

/// The region as it reads once its literals are joined.
pub(super) fn join(text: &[u8], region: Range<usize>) -> Reading {
    let mut tracer = Tracer::default();
    let (mut at, mut kept) = (region.start, region.start);
    while let Some(quote) = memchr::memchr3(b'"', b'\'', b'`', &text[at..region.end]).map(|n| at + n) {
        match junction(&text[..region.end], quote) {
            Some(junction) => {
                tracer.plain(kept, &text[kept..junction.start]);
                at = junction.end;
                kept = at;
            }
            None => at = quote + 1,
        }
    }
    tracer.plain(kept, &text[kept..region.end]);
    tracer.reading()
}

/// From the quote at `at`, which ends a literal, to the quote that begins the one joined to it.
fn junction(text: &[u8], at: usize) -> Option<Range<usize>> {
    if !may_end(text, at) || !in_value(*text.get(at.checked_sub(1)?)?) {
        return None;
    }
    let operator = at + 1 + blanks(&text[at + 1..]);
    let rest = &text[operator..];
    if !rest.first().is_some_and(|byte| begins_operator(*byte)) && opening(rest).is_none() {
        return None;
    }
    let joins = OPERATORS.iter().find(|operator| {
        // Most begin otherwise.
        if operator.first().is_some_and(|first| rest.first() != Some(first)) {
            return false;
        }
        let behind = &rest[operator.len().min(rest.len())..];
        rest.starts_with(operator) && opening(&behind[blanks(behind)..]).is_some()
    })?;
    let behind = operator + joins.len();
    let literal = behind + blanks(&text[behind..]);
    let quote = literal + opening(&text[literal..])?;
    (in_value(*text.get(quote + 1)?)).then_some(at..quote + 1)
}

/// Whether the quote at `at` may end a literal that is joined to the next one: almost always a comma, a colon, a bracket
/// or a letter follows.
#[inline]
fn may_end(text: &[u8], at: usize) -> bool {
    text.get(at + 1).is_some_and(|next| MAY_FOLLOW[usize::from(*next)])
}

/// White space, quotes, and what operators begin with.
static MAY_FOLLOW: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        table[at] =
            byte.is_ascii_whitespace() || begins_operator(byte) || matches!(byte, b'"' | b'\'' | b'`');
        at += 1;
    }
    table
};

const fn begins_operator(byte: u8) -> bool {
    matches!(byte, b'+' | b'.' | b'|' | b'&' | b'<' | b'~' | b'\\')
}

/// How many bytes before the quote that begins a literal: none, or the letter of its kind (`f"…"`, `b'…'`).
fn opening(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'"' | b'\'' | b'`', ..] => Some(0),
        [b'f' | b'r' | b'b' | b'u' | b'L' | b'@' | b'$', b'"' | b'\'', ..] => Some(1),
        _ => None,
    }
}

fn blanks(rest: &[u8]) -> usize {
    rest.iter().take(BLANK_MAX).take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// What a token, or a line of armour, is made of.
fn in_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b':' | b'@' | b' ')
}

/// Runs of letters with something between each two.
pub(super) fn spaced(text: &[u8]) -> Vec<Spaced> {
    let mut found: Vec<Spaced> = Vec::new();
    let mut at = 0;
    while let Some(window) = text.get(at..).and_then(|rest| rest.first_chunk::<WINDOW>()) {
        if may_repeat(window)
            && let Some(spaced) =
                (2..=PERIOD_MAX).rev().find_map(|period| spaced_at(text, at, window, period))
        {
            at = spaced.run.end.max(at);
            found.push(spaced);
        }
        at += STRIDE;
    }
    found
}

/// Whether of every so many bytes the first or the second is always the same: one of them stands between letters.
#[inline]
fn may_repeat(window: &[u8; WINDOW]) -> bool {
    same_every::<2>(window) || same_every::<3>(window) || same_every::<4>(window) || same_every::<5>(window)
}

/// The first half decides almost always.
#[inline]
fn same_every<const PERIOD: usize>(window: &[u8; WINDOW]) -> bool {
    let half = half::<0>(window) ^ half::<PERIOD>(window);
    let (first, second) = const { (places(0, PERIOD), places(1, PERIOD)) };
    if half & first as u64 != 0 && half & second as u64 != 0 {
        return false;
    }
    let bytes = u128::from_le_bytes(*window);
    let changes = bytes ^ (bytes >> (8 * PERIOD));
    changes & first == 0 || changes & second == 0
}

/// Eight bytes of the window.
#[inline]
fn half<const FROM: usize>(window: &[u8; WINDOW]) -> u64 {
    window[FROM..].first_chunk().map_or(0, |half| u64::from_le_bytes(*half))
}

/// Every `period`th byte of a window from `first` on, as far as there is one to compare it with.
const fn places(first: usize, period: usize) -> u128 {
    let (mut mask, mut at) = (0, first);
    while at + period < WINDOW {
        mask |= 0xff << (8 * at);
        at += period;
    }
    mask
}

/// The run that `at` stands in, if its letters are `period` bytes apart.
fn spaced_at(text: &[u8], at: usize, window: &[u8], period: usize) -> Option<Spaced> {
    // Which of the next bytes may be the first of what stands between two letters.
    let between = |n: &usize| {
        separates(window[*n])
            && window[*n] == window[n + period]
            && window[*n] == window[n + 2 * period]
            && window[n + period - 1] != window[*n]
    };
    (0..period).filter(between).find_map(|n| spaced_by(text, at + n, period))
}

/// The run around what stands between two letters at `first`.
fn spaced_by(text: &[u8], first: usize, period: usize) -> Option<Spaced> {
    let separator = &text[first..first + period - 1];
    let same = |start: usize| text.get(start..start + period - 1) == Some(separator);
    let (mut first, mut last) = (first, first);
    while first > period && same(first - period) {
        first -= period;
    }
    while same(last + period) {
        last += period;
    }
    let run = first.checked_sub(1)?..(last + period).min(text.len());
    (run.len() / period + 1 >= LETTERS_MIN).then_some(Spaced { run, period })
}

fn separates(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b' ' | b'\t' | b',' | b'"' | b'\'' | b'-' | b'.' | b'|' | b'_')
}

/// The letters alone.
pub(super) fn gather(text: &[u8], spaced: &Spaced) -> Reading {
    let mut tracer = Tracer::default();
    tracer.every(text, spaced.run.clone(), spaced.period);
    let mut reading = tracer.reading();
    // A cut character would not be UTF-8; letters beyond ASCII are none of a token's.
    reading.text.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str) -> Option<String> {
        let regions = split_regions(text.as_bytes());
        let [region] = regions.as_slice() else { return None };
        String::from_utf8(join(text.as_bytes(), region.clone()).text).ok()
    }

    #[test]
    fn literals_are_joined_as_each_language_joins_them() {
        for text in [
            r#"t = "gh" + "p_ab""#,
            "t = 'gh' .. 'p_ab'",
            "t = 'gh'.'p_ab'",
            "t = \"gh\"\n    \"p_ab\"",
            "t = \"gh\" \\\n  \"p_ab\"",
            "t = 'gh' || 'p_ab'",
            "t = \"gh\" +\n  f\"p_ab\"",
            "t = gh\"\"p_ab",
        ] {
            let joined = joined(text).unwrap_or_default();
            assert!(joined.contains("ghp_ab"), "{text}: {joined}");
        }
    }

    #[test]
    fn other_neighbours_are_not_joined() {
        for text in [r#"{"a": "b", "c": "d"}"#, "f('a', 'b')", "it's 'a' and 'b'", r#"["", ""]"#, "''"] {
            assert_eq!(joined(text), None, "{text}");
        }
    }

    #[test]
    fn letters_are_gathered_whatever_stands_between_them() {
        let word = "ghp_7ysh0vjy4EDQXyzqTu7v";
        for separator in ["\n", "\r\n", " ", ", ", "\",\"", "', '", "-"] {
            let letters: Vec<String> = word.chars().map(String::from).collect();
            let text = format!("it is\n\n[\"{}\"]", letters.join(separator));
            let found = spaced(text.as_bytes());
            assert_eq!(found.len(), 1, "{separator:?}: {found:?}");
            let read = gather(text.as_bytes(), &found[0]);
            let read = String::from_utf8(read.text).expect("it is UTF-8");
            assert!(read.contains(word), "{separator:?}: {read}");
        }
    }

    #[test]
    fn ordinary_text_has_no_spaced_letters() {
        let code = "        if a == b {\n            return x + y;\n        }\n".repeat(10);
        let prose = "The cat sat on the mat and the dog ran off to get the fox.\n".repeat(10);
        for text in [code, prose, " ".repeat(200), "-".repeat(200), "0, ".repeat(10)] {
            assert_eq!(spaced(text.as_bytes()), [], "{text}");
        }
    }
}
