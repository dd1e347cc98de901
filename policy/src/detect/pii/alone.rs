//! Forms that need no context, found in one pass over the runs of digits.
//!
//! A form is known by its signature: the lengths of its groups and the separators between them. A run of digits, with
//! the letters that touch it, is a group; the signatures of the groups from there on are looked up in the sorted table.
//! So a text full of numbers costs a few comparisons a number, however many forms there are.

use std::ops::Range;

use super::super::finding::Confidence;
use super::super::tables::{CLASSES, CharSet, DetectorIndex, FORM_FILTER, FORMS, KINDS};
use super::super::window::follows_escape;
use super::bytes::{ALPHANUMERIC, COLONED, DIGIT, UPPER, WORD, class, next_digit, word_end};
use super::number::{COMPACT_MAX, passes};
use super::{Form, Look, fits, network, phone, plain, wallet};

/// Most letters before the first digit of a form.
const LEAD_MAX: usize = 6;
/// Most groups of a form.
const GROUPS_MAX: usize = 7;

/// Digits in a [`CharSet`].
const DIGITS: u128 = 0x3ff << b'0';
/// Capitals in a [`CharSet`].
const CAPITALS: u128 = 0x3ff_ffff << b'A';

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
    let (mut at, mut steps, mut coloned_to) = (0, 0, 0);
    while let Some(digit) = next_digit(text, at) {
        let lead = lead_len(text, at, digit);
        let start = digit - lead;
        let end = word_end(text, digit + 1);
        steps += end - start;
        at = end;
        if let Some(end) = plain::end(text, start, end) {
            at = end;
            continue;
        }
        let may_be = may_be(text, &(start..end), lead);
        if lead > LEAD_MAX || may_be == 0 {
            continue;
        }
        if let Some(hit) = judge(text, start..end, may_be, &mut coloned_to) {
            at = hit.span.end.max(end);
            found(hit);
        }
    }
    steps
}

/// How many letters and digits stand before the digit, behind `floor`; one more than a form has at the most.
fn lead_len(text: &[u8], floor: usize, digit: usize) -> usize {
    let floor = floor.max(digit.saturating_sub(LEAD_MAX + 1));
    let mut start = digit;
    while start > floor && class(text[start - 1]) & ALPHANUMERIC != 0 {
        start -= 1;
    }
    digit - start
}

/// What stands beside a group, as far as it tells whether the group may begin something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// Nothing, or what belongs to no form.
    Other = 0,
    Dash = 1,
    Dot = 2,
    Space = 3,
    Slash = 4,
    Colon = 5,
    Comma = 6,
    /// `+` or `(`
    Phone = 7,
}

/// Which of them a byte is.
static BESIDE: [Beside; 256] = {
    let mut signs = [Beside::Other; 256];
    signs[b'-' as usize] = Beside::Dash;
    signs[b'.' as usize] = Beside::Dot;
    signs[b' ' as usize] = Beside::Space;
    signs[b'/' as usize] = Beside::Slash;
    signs[b':' as usize] = Beside::Colon;
    signs[b',' as usize] = Beside::Comma;
    signs[b'+' as usize] = Beside::Phone;
    signs[b'(' as usize] = Beside::Phone;
    signs
};

/// A form may begin with the group.
const FORM: u8 = 1;
/// The address of a machine may.
const ADDRESS: u8 = 1 << 1;
/// Something else may: a telephone number, an IBAN, a wallet, a form with letters before the group.
const OTHER: u8 = 1 << 2;

/// For each length of a group what may stand behind it, if a form begins with the group: a bit for each [`Beside`]. First for
/// groups that begin with a digit, then with a capital, then with a small letter.
static FORM_BEGINNINGS: [[u8; wallet::ADDRESS_MIN]; 3] = {
    let mut all = [[0; wallet::ADDRESS_MIN]; 3];
    let mut at = 0;
    while at < FORMS.len() {
        let mut group = FORMS[at].signature;
        while group >> 9 != 0 {
            group >>= 9;
        }
        // A form of one group may stand before everything; of another one the separator is known.
        let signs = if group >> 6 == 0 { u8::MAX } else { 1 << (group >> 6) };
        let CharSet(first) = CLASSES[FORMS[at].classes[0] as usize];
        let len = (group & 0x3f) as usize;
        all[0][len] |= if first & DIGITS == 0 { 0 } else { signs };
        all[1][len] |= if first & CAPITALS == 0 { 0 } else { signs };
        all[2][len] |= if first & !(DIGITS | CAPITALS) == 0 { 0 } else { signs };
        at += 1;
    }
    all
};

/// What may begin with the group, by a look at it and its neighbours; for nearly all groups it is nothing.
#[inline]
fn may_be(text: &[u8], group: &Range<usize>, lead: usize) -> u8 {
    let Range { start, end } = *group;
    let (sign, before) = match &text[..start] {
        [.., before, sign] => (BESIDE[usize::from(*sign)], class(*before)),
        [sign] => (BESIDE[usize::from(*sign)], 0),
        [] => (Beside::Other, 0),
    };
    // What goes on from another group begins no form: see `goes_on_before`.
    let (goes_on, mut may_be) = match sign {
        Beside::Other => (false, 0),
        Beside::Phone => (false, OTHER),
        // `HRB 12345`
        Beside::Space | Beside::Dash | Beside::Dot if before & UPPER != 0 => (sign != Beside::Space, OTHER),
        Beside::Space => (before & DIGIT != 0, 0),
        Beside::Dash | Beside::Dot | Beside::Slash | Beside::Colon | Beside::Comma => {
            (before & ALPHANUMERIC != 0, 0)
        }
    };
    let behind = match &text[end..] {
        [sign, next, ..] if class(*next) & (COLONED | ALPHANUMERIC) != 0 => BESIDE[usize::from(*sign)],
        _ => Beside::Other,
    };
    may_be |= match behind {
        Beside::Colon => ADDRESS,
        Beside::Dash if end - start == 2 => ADDRESS,
        // Of a number with dots only the first begins an address.
        Beside::Dot
            if lead == 0 && end - start <= 3 && !(goes_on && matches!(sign, Beside::Dash | Beside::Dot)) =>
        {
            ADDRESS
        }
        _ => 0,
    };
    let first = match class(text[start]) {
        _ if lead == 0 => 0,
        first if first & UPPER != 0 => 1,
        _ => 2,
    };
    // Wallets, and an IBAN.
    if end - start >= wallet::ADDRESS_MIN || (lead == 2 && first == 1) {
        may_be |= OTHER;
    }
    let forms = FORM_BEGINNINGS[first].get(end - start).map_or(0, |signs| *signs);
    if !goes_on && forms >> behind as u8 & 1 == 1 { may_be | FORM } else { may_be }
}

/// The form whose first group is letters only, before the group at `start`: `DE 136 695 976`, `HRB 12345`.
fn lettered(text: &[u8], start: usize) -> Option<Alone> {
    let end = start.checked_sub(1).filter(|at| matches!(text[*at], b' ' | b'-' | b'.'))?;
    let letters = text[..end].iter().rev().take(LEAD_MAX).take_while(|b| b.is_ascii_uppercase()).count();
    let first = end - letters;
    if !(1..=4).contains(&letters) {
        return None;
    }
    let cut_off = first > 0 && class(text[first - 1]) & WORD != 0 && !follows_escape(text, first);
    if cut_off { None } else { form(text, &(first..end)) }
}

/// What begins with the group at `first`, or with the letters before it. Up to `coloned_to` no address with colons stands.
fn judge(text: &[u8], first: Range<usize>, may_be: u8, coloned_to: &mut usize) -> Option<Alone> {
    let before = first.start.checked_sub(1).map_or(b' ', |at| text[at]);
    if before == b'_' || (class(before) & WORD != 0 && !follows_escape(text, first.start)) {
        return None;
    }
    let may_be = |what: u8| may_be & what != 0;
    let special = if may_be(OTHER) { special(text, &first) } else { None };
    special
        .or_else(|| if may_be(FORM) { form(text, &first) } else { None })
        .or_else(|| if may_be(ADDRESS) { network::address(text, &first, coloned_to) } else { None })
        .or_else(|| if may_be(OTHER) { lettered(text, first.start) } else { None })
}

/// A telephone number, an IBAN or a wallet.
fn special(text: &[u8], first: &Range<usize>) -> Option<Alone> {
    let before = first.start.checked_sub(1).map(|at| text[at]);
    let special = match (before, &text[first.clone()]) {
        (Some(b'+' | b'('), _) => phone::written(text, first),
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
    special.or_else(|| if first.len() >= wallet::ADDRESS_MIN { wallet::address(text, first) } else { None })
}

/// The longest form that begins with the group.
fn form(text: &[u8], first: &Range<usize>) -> Option<Alone> {
    if goes_on_before(text, first.start) {
        return None;
    }
    let (mut group, mut len, mut signature, mut best) = (first.clone(), 0, 0, None);
    for _ in 0..GROUPS_MAX {
        len += group.len();
        if len > COMPACT_MAX {
            break;
        }
        signature = signature << 9 | group.len() as u64;
        if may_be_form(signature) && !goes_on(text, group.end) {
            let span = first.start..group.end;
            best = lookup(signature, &text[span.clone()]).map(|form| hit(form, span)).or(best);
        }
        let Some(code) = separator_code(text.get(group.end).copied()) else { break };
        signature |= code << 6;
        if !may_be_form(signature) {
            break;
        }
        let start = group.end + 1;
        group = start..word_end(text, start);
        if group.is_empty() {
            break;
        }
    }
    best
}

fn hit(form: &Form, span: Range<usize>) -> Alone {
    let kind = &KINDS[usize::from(form.kind)];
    Alone { detector: kind.detector, confidence: form.confidence, span }
}

/// The form of this signature that the text is.
fn lookup(signature: u64, written: &[u8]) -> Option<&'static Form> {
    let from = FORMS.partition_point(|form| form.signature < signature);
    let forms = FORMS[from..].iter().take_while(|form| form.signature == signature);
    let (mut compact, mut len) = ([0; COMPACT_MAX], 0);
    for form in forms {
        // The first character rules most of them out.
        if !CLASSES[usize::from(form.classes[0])].contains(written[0]) {
            continue;
        }
        if len == 0 {
            for byte in written.iter().filter(|b| b.is_ascii_alphanumeric()) {
                compact[len] = *byte;
                len += 1;
            }
        }
        let compact = &compact[..len];
        let holds = || match &KINDS[usize::from(form.kind)].look {
            Look::Number(number) => passes(number, number_part(number, compact)),
            _ => true,
        };
        if fits(compact, form.classes, CLASSES) && holds() {
            return Some(form);
        }
    }
    None
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
