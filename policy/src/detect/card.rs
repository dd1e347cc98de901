//! Payment card numbers: digit runs with single spaces or dashes, the issuers' ranges, and the check digit.

use std::ops::Range;

use super::false_positive::distinct;
use super::tables::{Card, IssuerRange};
use super::window::follows_escape;

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
/// Groups in print, longer ones first: 4-4-4-4-3, 4-4-4-4, 4-6-5 (American Express), 4-6-4 (Diners), 4-3-3-3.
const GROUPINGS: &[&[usize]] = &[
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4],
    &[4, 4, 4, 2],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 3, 3, 3],
];

/// What a digit run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CardHit {
    /// Where.
    pub(super) span: Range<usize>,
    /// How it is written.
    pub(super) form: CardForm,
}

/// How a card number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CardForm {
    /// Digits without groups, as ids are written too.
    Plain,
    /// In the groups that are printed on cards.
    Grouped,
    /// A number that payment services publish for tests.
    Test,
}

/// Calls `found` with each card number in the text; gives the steps it took.
pub(super) fn scan(card: &Card, text: &[u8], mut found: impl FnMut(CardHit)) -> usize {
    // A number is at least 13 characters, all of them digits or separators: looking from the end of the next 13, the
    // first other character rules out everything up to it. In most texts that is one look in 13 characters.
    let (mut at, mut steps) = (0, 0);
    while let Some(window) = text.get(at..at + DIGITS_MIN) {
        if let Some(other) = window.iter().rposition(|b| !is_digit_or_separator(b)) {
            at += other + 1;
            continue;
        }
        let more = text[at + DIGITS_MIN..].iter().take_while(|b| is_digit_or_separator(b)).count();
        let end = at + DIGITS_MIN + more;
        steps += end - at;
        scan_stretch(card, text, at..end, &mut found);
        at = end + 1;
    }
    steps
}

/// Whether a number is one as it stands: digits only, of the right length.
pub(super) fn is_card_number(card: &Card, digits: &[u8]) -> bool {
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    // Nine of ten numbers fail the check digit, and it costs less than the ranges.
    luhn(digits) && card.ranges.iter().any(|range| range.issues(digits))
}

/// Whether it is a number of the documentation of payment services.
pub(super) fn is_test_number(card: &Card, digits: &[u8]) -> bool {
    card.test_numbers.iter().any(|known| known.as_bytes() == digits)
}

impl IssuerRange {
    fn issues(&self, digits: &[u8]) -> bool {
        // The first digit settles most of them without a comparison of slices.
        if !(self.from.as_bytes().first() <= digits.first() && digits.first() <= self.to.as_bytes().first()) {
            return false;
        }
        let Some(first) = digits.get(..self.from.len()) else { return false };
        self.from.as_bytes() <= first && first <= self.to.as_bytes() && self.lengths.contains(&digits.len())
    }
}

fn is_digit_or_separator(byte: &u8) -> bool {
    byte.is_ascii_digit() || is_separator(*byte)
}

fn is_separator(byte: u8) -> bool {
    byte == b' ' || byte == b'-'
}

/// Splits a stretch of digits and separators where two separators follow each other.
fn scan_stretch(card: &Card, text: &[u8], stretch: Range<usize>, found: &mut impl FnMut(CardHit)) {
    let mut start = stretch.start;
    while start < stretch.end {
        let mut end = start;
        while end < stretch.end
            && !(is_separator(text[end]) && text.get(end + 1).is_none_or(|b| !b.is_ascii_digit()))
        {
            end += 1;
        }
        if end - start >= DIGITS_MIN {
            let lead = usize::from(is_separator(text[start]));
            scan_run(card, text, &(start + lead..end), found);
        }
        start = end + 1;
    }
}

fn scan_run(card: &Card, text: &[u8], run: &Range<usize>, found: &mut impl FnMut(CardHit)) {
    let mut start = run.start;
    while start < run.end {
        let group = group_end(text, start, run.end);
        let hit = if group - start >= DIGITS_MIN {
            judge(card, text, start..group, CardForm::Plain)
        } else {
            grouped(card, text, start, run.end)
        };
        start = hit.as_ref().map_or(group, |hit| hit.span.end) + 1;
        hit.into_iter().for_each(&mut *found);
    }
}

fn group_end(text: &[u8], start: usize, limit: usize) -> usize {
    start + text[start..limit].iter().take_while(|b| b.is_ascii_digit()).count()
}

/// A number in a printed grouping with one kind of separator. A group of four before or behind it makes it a list of
/// numbers; other groups may be a date or a security code.
fn grouped(card: &Card, text: &[u8], start: usize, limit: usize) -> Option<CardHit> {
    let (mut lengths, mut ends) = ([0; 6], [0; 6]);
    let (mut at, mut count) = (start, 0);
    let separator = text.get(group_end(text, start, limit));
    while count < lengths.len() && at < limit {
        ends[count] = group_end(text, at, limit);
        lengths[count] = ends[count] - at;
        at = ends[count] + 1;
        count += 1;
        if text.get(at - 1) != separator {
            break;
        }
    }
    if preceded_by_four(&text[..start], separator) {
        return None;
    }
    let fits = |grouping: &&&[usize]| {
        lengths[..count].starts_with(grouping) && lengths.get(grouping.len()) != Some(&4)
    };
    GROUPINGS
        .iter()
        .filter(fits)
        .find_map(|grouping| judge(card, text, start..ends[grouping.len() - 1], CardForm::Grouped))
}

/// Whether exactly four digits and the separator stand before.
fn preceded_by_four(before: &[u8], separator: Option<&u8>) -> bool {
    let Some((last, head)) = before.split_last() else { return false };
    Some(last) == separator && head.iter().rev().take(5).take_while(|b| b.is_ascii_digit()).count() == 4
}

fn judge(card: &Card, text: &[u8], span: Range<usize>, form: CardForm) -> Option<CardHit> {
    let mut digits = [0; DIGITS_MAX];
    let mut count = 0;
    for byte in text[span.clone()].iter().filter(|b| b.is_ascii_digit()) {
        *digits.get_mut(count)? = *byte;
        count += 1;
    }
    let digits = &digits[..count];
    if !is_card_number(card, digits) || !stands_free(text, &span) {
        return None;
    }
    if is_test_number(card, digits) {
        return Some(CardHit { span, form: CardForm::Test });
    }
    (distinct(digits) > 2).then_some(CardHit { span, form })
}

/// Not part of a word, a decimal fraction or an international telephone number.
fn stands_free(text: &[u8], span: &Range<usize>) -> bool {
    let before = &text[..span.start];
    let free_before = match before {
        [.., digit, b'.'] => !digit.is_ascii_digit(),
        [.., b'+' | b'_'] => false,
        [.., last] => !last.is_ascii_alphanumeric() || follows_escape(text, span.start),
        [] => true,
    };
    let free_behind = match &text[span.end..] {
        [b'.', digit, ..] => !digit.is_ascii_digit(),
        [b'_', ..] => false,
        [first, ..] => !first.is_ascii_alphanumeric(),
        [] => true,
    };
    free_before && free_behind
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    // Twice the digit, its digits added up.
    const DOUBLED: [u8; 16] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9, 0, 0, 0, 0, 0, 0];
    let (mut sum, mut doubles) = (0_u32, false);
    for byte in digits.iter().rev() {
        let digit = byte & 15;
        sum += u32::from(if doubles { DOUBLED[usize::from(digit)] } else { digit });
        doubles = !doubles;
    }
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::tables::CARD;
    use super::*;

    fn found(text: &str) -> Vec<(&str, CardForm)> {
        let mut hits = Vec::new();
        scan(&CARD, text.as_bytes(), |hit| hits.push((&text[hit.span], hit.form)));
        hits
    }

    #[test]
    fn numbers_are_found_as_they_are_written() {
        for (text, number, form) in [
            ("pay with 4539578763621486 now", "4539578763621486", CardForm::Plain),
            ("4539 5787 6362 1486", "4539 5787 6362 1486", CardForm::Grouped),
            ("4539-5787-6362-1486, 12/29", "4539-5787-6362-1486", CardForm::Grouped),
            ("3714 496353 98431", "3714 496353 98431", CardForm::Test),
            ("on 2024-05-06 4539578763621486", "4539578763621486", CardForm::Plain),
            ("4539 5787 6362 1486 124", "4539 5787 6362 1486", CardForm::Grouped),
            ("exp 12 4539 5787 6362 1486", "4539 5787 6362 1486", CardForm::Grouped),
            ("1,4539578763621486,2", "4539578763621486", CardForm::Plain),
            ("号4539578763621486", "4539578763621486", CardForm::Plain),
            (r"a\n4539578763621486", "4539578763621486", CardForm::Plain),
        ] {
            assert_eq!(found(text), [(number, form)], "{text}");
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for text in [
            "4539578763621487",
            "0.4539578763621486",
            "4539578763621486.5",
            "+4539578763621486",
            "id_4539578763621486",
            "a4539578763621486",
            "45395787636214861234567",
            "1234 4539 5787 6362 1486",
            "4539 5787 6362 1486 7777",
            "4539-5787 6362-1486",
            "4 5 3 9 5 7 8 7 6 3 6 2 1 4 8 6",
            "1700000000000 1700000000000000000",
            "4444444444444448",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_number_is_found_wherever_it_stands() {
        for lead in 0..64 {
            let text = format!("{}4539 5787 6362 1486{}", ".".repeat(lead), "-".repeat(lead));
            assert_eq!(found(&text), [("4539 5787 6362 1486", CardForm::Grouped)], "{lead}");
        }
    }
}
