//! Forms that need no context, found in one pass over the runs of digits.
//!
//! A form is known by its signature: the lengths of its groups and the separators between them. A run of digits, with
//! the letters that touch it, is a group; the signatures of the groups from there on are looked up in the sorted table.
//! So a text full of numbers costs a few comparisons a number, however many forms there are.

use std::ops::Range;

use super::super::finding::Confidence;
use super::super::tables::{CLASSES, DetectorIndex, FORM_FILTER, FORMS, KINDS};
use super::super::window::follows_escape;
use super::number::{COMPACT_MAX, passes};
use super::{Form, Look, fits, is_word, network, phone, wallet};

/// Most letters before the first digit of a form.
const LEAD_MAX: usize = 6;
/// Most groups of a form.
const GROUPS_MAX: usize = 7;

/// A kind found without context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Alone {
    /// Whose finding it is.
    pub(in crate::detect) detector: DetectorIndex,
    /// How sure.
    pub(in crate::detect) confidence: Confidence,
    /// Where.
    pub(in crate::detect) span: Range<usize>,
}

/// Calls `found` for each form in the text; gives the steps it took.
pub(in crate::detect) fn scan(text: &[u8], mut found: impl FnMut(Alone)) -> usize {
    let (mut at, mut steps) = (0, 0);
    while let Some(digit) = next_digit(text, at) {
        let lead =
            text[at..digit].iter().rev().take(LEAD_MAX + 1).take_while(|b| b.is_ascii_alphanumeric()).count();
        let start = digit - lead;
        let end = digit + text[digit..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        steps += end - start;
        at = end;
        let cut_off = start > 0 && (text[start - 1] == b'_' || is_word(text[start - 1]));
        if lead > LEAD_MAX || (cut_off && !follows_escape(text, start)) {
            continue;
        }
        let hit = judge(text, start..end).or_else(|| lettered(text, start));
        if let Some(hit) = hit {
            at = hit.span.end.max(end);
            found(hit);
        }
    }
    steps
}

/// The form whose first group is letters only, before the group at `start`: `DE 136 695 976`, `HRB 12345`.
fn lettered(text: &[u8], start: usize) -> Option<Alone> {
    let end = start.checked_sub(1).filter(|at| matches!(text[*at], b' ' | b'-' | b'.'))?;
    let letters = text[..end].iter().rev().take(LEAD_MAX).take_while(|b| b.is_ascii_uppercase()).count();
    let first = end - letters;
    let cut_off = first > 0 && is_word(text[first - 1]) && !follows_escape(text, first);
    if !(1..=4).contains(&letters) || cut_off {
        return None;
    }
    form(text, &(first..end))
}

/// What begins with the group at `first`.
fn judge(text: &[u8], first: Range<usize>) -> Option<Alone> {
    let before = first.start.checked_sub(1).map(|at| text[at]);
    let special = match (before, &text[first.clone()]) {
        (Some(b'+'), _) | (Some(b'('), _) => phone::written(text, &first),
        (_, [a, b, c, d, ..])
            if a.is_ascii_uppercase()
                && b.is_ascii_uppercase()
                && c.is_ascii_digit()
                && d.is_ascii_digit() =>
        {
            wallet::iban(text, first.start)
        }
        _ => None,
    };
    special
        .or_else(|| (first.len() >= wallet::ADDRESS_MIN).then(|| wallet::address(text, &first)).flatten())
        .or_else(|| form(text, &first))
        .or_else(|| network::address(text, &first))
}

/// The longest form that begins with the group.
fn form(text: &[u8], first: &Range<usize>) -> Option<Alone> {
    if goes_on_before(text, first.start) {
        return None;
    }
    let (mut compact, mut len, mut best) = ([0; COMPACT_MAX], 0, None);
    let (mut group, mut signature) = (first.clone(), 0);
    for _ in 0..GROUPS_MAX {
        if len + group.len() > COMPACT_MAX {
            break;
        }
        compact[len..len + group.len()].copy_from_slice(&text[group.clone()]);
        len += group.len();
        signature = signature << 9 | group.len() as u64;
        let separator = text.get(group.end).copied();
        if may_be_form(signature) && !goes_on(text, group.end) {
            let span = first.start..group.end;
            best = lookup(signature, &compact[..len]).map(|form| hit(form, span)).or(best);
        }
        let Some(code) = separator_code(separator) else { break };
        signature |= code << 6;
        if !may_be_form(signature) {
            break;
        }
        let start = group.end + 1;
        let count = text[start..].iter().take(COMPACT_MAX).take_while(|b| b.is_ascii_alphanumeric()).count();
        if count == 0 {
            break;
        }
        group = start..start + count;
    }
    best
}

fn hit(form: &Form, span: Range<usize>) -> Alone {
    let kind = &KINDS[usize::from(form.kind)];
    Alone { detector: kind.detector, confidence: form.confidence, span }
}

fn lookup(signature: u64, compact: &[u8]) -> Option<&'static Form> {
    let from = FORMS.partition_point(|form| form.signature < signature);
    FORMS[from..].iter().take_while(|form| form.signature == signature).find(|form| {
        fits(compact, form.classes, CLASSES)
            && match &KINDS[usize::from(form.kind)].look {
                Look::Number(number) => passes(number, number_part(number, compact)),
                _ => true,
            }
    })
}

/// The number without the prefix of its country.
fn number_part<'c>(number: &super::Number, compact: &'c [u8]) -> &'c [u8] {
    let shaped = |len: usize| number.shapes.iter().any(|shape| shape.len() == len);
    if shaped(compact.len()) {
        return compact;
    }
    number.prefixes.iter().find_map(|prefix| compact.strip_prefix(prefix.as_bytes())).unwrap_or(compact)
}

/// A look into a bit set before the table is searched: whether it may be a form or the beginning of one.
fn may_be_form(signature: u64) -> bool {
    let bit = (signature.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize;
    FORM_FILTER[bit / 64] >> (bit % 64) & 1 == 1
}

fn separator_code(byte: Option<u8>) -> Option<u64> {
    match byte? {
        b'-' => Some(1),
        b'.' => Some(2),
        b' ' => Some(3),
        b'/' => Some(4),
        _ => None,
    }
}

/// Whether what stands before belongs to a longer number or a name: `1-`, `3.`, `a/`, `$`, `#`.
fn goes_on_before(text: &[u8], start: usize) -> bool {
    match &text[..start] {
        [.., b, b'-' | b'.' | b'/' | b':' | b'+' | b','] => b.is_ascii_alphanumeric(),
        [.., b, b' '] => b.is_ascii_digit(),
        [.., b'$' | b'#' | b'-' | b'/' | b'@' | b'%' | b'=' | b'&'] => {
            !matches!(text[start - 1], b'=' | b'/')
        }
        _ => false,
    }
}

/// Whether the number goes on behind its end.
fn goes_on(text: &[u8], end: usize) -> bool {
    match &text[end..] {
        [b'-' | b'.' | b'/' | b':' | b',' | b'@', next, ..] => next.is_ascii_alphanumeric(),
        [b' ', next, ..] => next.is_ascii_digit(),
        [b'_' | b'%', ..] => true,
        _ => false,
    }
}

/// The next digit, eight bytes at a look.
fn next_digit(text: &[u8], mut at: usize) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    while let Some(chunk) = text.get(at..at + 8) {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(chunk);
        // 0x30–0x39 become 0–9; adding 0x76 to these leaves the high bit clear, and no other ASCII byte does.
        let turned = u64::from_le_bytes(bytes) ^ (LOW * 0x30);
        let other = ((turned & (LOW * 0x7f)) + LOW * 0x76) | turned;
        let digits = !other & (LOW * 0x80);
        if digits != 0 {
            return Some(at + digits.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    text[at..].iter().position(u8::is_ascii_digit).map(|more| at + more)
}
