//! Numbers behind a word of their context: groups of letters and digits, written with any single separators.

use std::ops::Range;

use super::super::tables::CLASSES;
use super::super::window::follows_escape;
use super::{Number, fits, is_word};

/// Longest compact form.
pub(super) const COMPACT_MAX: usize = 40;
/// Most groups that one number is written in.
const GROUPS_MAX: usize = 14;
/// So many beginnings of words are tried behind one word of context.
const STARTS_MAX: usize = 14;

/// The number, if one begins in `window`.
pub(super) fn behind(number: &Number, text: &[u8], window: Range<usize>) -> Option<Range<usize>> {
    let mut at = window.start;
    let lengths = lengths(number);
    for _ in 0..STARTS_MAX {
        at = next_start(text, at, window.end)?;
        if !follows_alike(text, at)
            && let Some(end) = at_start(number, lengths, text, at)
        {
            return Some(at..end);
        }
        at += text[at..].iter().take_while(|b| is_word(**b)).count();
    }
    None
}

/// The next place where a group begins that no letter or digit touches.
pub(super) fn next_start(text: &[u8], mut at: usize, limit: usize) -> Option<usize> {
    if at > 0 && is_word(text[at - 1]) && !follows_escape(text, at) {
        at += text[at..limit.max(at)].iter().take_while(|b| is_word(**b)).count();
    }
    while at < limit {
        if text[at].is_ascii_alphanumeric() {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Lengths of the compact forms, a bit each.
fn lengths(number: &Number) -> u64 {
    let bare = number.shapes.iter().fold(0, |bits, shape| bits | 1 << shape.len());
    number.prefixes.iter().fold(bare, |bits, prefix| bits | bare << prefix.len())
}

/// Where the longest number ends that begins at `at`.
fn at_start(number: &Number, lengths: u64, text: &[u8], at: usize) -> Option<usize> {
    let (mut compact, mut len, mut end, mut best) = ([0; COMPACT_MAX], 0, at, None);
    for _ in 0..GROUPS_MAX {
        let group =
            text[end..].iter().take(COMPACT_MAX + 1 - len).take_while(|b| b.is_ascii_alphanumeric()).count();
        if group == 0 || len + group > COMPACT_MAX || lengths >> (len + group) == 0 {
            break;
        }
        // A word before the number is no group of it (`is T356907`).
        let word = &text[end..end + group];
        if group > 1 && word.iter().all(u8::is_ascii_lowercase) {
            break;
        }
        for byte in word {
            compact[len] = byte.to_ascii_uppercase();
            len += 1;
        }
        end += group;
        let ends = || text.get(end).is_none_or(|b| !is_word(*b)) && !goes_on_alike(&text[end..], group);
        if lengths >> len & 1 == 1 && ends() && holds(number, &compact[..len]) {
            best = Some(end);
        }
        let gap = separator_len(&text[end..]);
        if gap == 0 {
            break;
        }
        end += gap;
    }
    best
}

/// Whether a group of as many digits follows: then this is a part of a longer number.
fn goes_on_alike(rest: &[u8], group: usize) -> bool {
    let next = rest.get(1..).unwrap_or(&[]).iter().take(group + 1).take_while(|b| b.is_ascii_digit()).count();
    matches!(rest.first(), Some(b' ' | b'-' | b'.')) && group > 2 && next == group
}

/// Whether the group of digits at `at` follows another one, or the hours of a time: then a number does not begin here.
fn follows_alike(text: &[u8], at: usize) -> bool {
    if matches!(&text[..at], [.., digit, b':'] if digit.is_ascii_digit()) {
        return true;
    }
    let own = text[at..].iter().take(5).take_while(|b| b.is_ascii_digit()).count();
    let Some((b' ' | b'-' | b'.', head)) = text[..at].split_last() else { return false };
    own > 2 && head.iter().rev().take(own + 1).take_while(|b| b.is_ascii_digit()).count() == own
}

/// Length of what may stand between two groups: one separator, one with spaces around it, or two spaces.
fn separator_len(rest: &[u8]) -> usize {
    match rest {
        [b' ', b'-' | b'/' | b'.', b' ', ..] => 3,
        [b' ', b' ', next, ..] if next.is_ascii_digit() => 2,
        [b' ' | b'-' | b'.' | b'/' | b',' | b':' | b'+', next, ..] if next.is_ascii_alphanumeric() => 1,
        // A narrow or fixed space, in UTF-8.
        [0xc2, 0xa0, ..] => 2,
        [0xe2, 0x80, 0xaf | 0x89 | 0x91, ..] => 3,
        _ => 0,
    }
}

/// Whether the compact form is such a number, with or without a prefix.
pub(super) fn holds(number: &Number, compact: &[u8]) -> bool {
    let bare = number.prefixes.iter().filter_map(|prefix| compact.strip_prefix(prefix.as_bytes()));
    std::iter::once(compact).chain(bare).any(|digits| is_number(number, digits))
}

fn is_number(number: &Number, compact: &[u8]) -> bool {
    number.shapes.iter().any(|classes| fits(compact, classes, CLASSES)) && passes(number, compact)
}

/// Check digits, and no number of five digits or more in which all are the same.
pub(super) fn passes(number: &Number, compact: &[u8]) -> bool {
    let mut digits = compact.iter().filter(|b| b.is_ascii_digit());
    let first = digits.next();
    let same = digits.clone().count() >= 4 && digits.all(|b| Some(b) == first);
    !same && number.checks.iter().all(|check| check.holds(compact))
}
