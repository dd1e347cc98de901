//! Telephone numbers: with a country's calling code, in national forms that show, and behind words like `phone`.

use std::ops::Range;

use super::super::finding::Confidence;
use super::super::tables::{CALLING, PHONE};
use super::alone::Alone;
use super::is_word;

/// Most digits of an international number (ITU-T E.164).
const DIGITS_MAX: usize = 15;
/// Fewest digits behind a word of context.
const DIGITS_MIN: usize = 7;

/// A country's calling code.
#[derive(Debug)]
pub(in crate::detect) struct Calling {
    /// Its digits.
    pub(in crate::detect) code: &'static str,
    /// Fewest digits behind it.
    pub(in crate::detect) min: u8,
    /// Most digits behind it.
    pub(in crate::detect) max: u8,
}

/// A number as it is written.
#[derive(Debug)]
struct Written {
    digits: [u8; DIGITS_MAX],
    len: usize,
    /// How many groups.
    groups: usize,
    /// Length of the longest group.
    longest: usize,
    /// Which separators: a bit each for dots, slashes, dashes.
    dots: usize,
    end: usize,
}

/// The number whose first group is `first`, with a `+` or `(` before it.
pub(super) fn written(text: &[u8], first: &Range<usize>) -> Option<Alone> {
    let sign = first.start - 1;
    let before = sign.checked_sub(1).map(|at| text[at]);
    if !text[first.clone()].iter().all(u8::is_ascii_digit)
        || before.is_some_and(|b| is_word(b) || b"+)]".contains(&b))
    {
        return None;
    }
    let number = read(text, first.start)?;
    let fits = if text[sign] == b'+' {
        has_calling_code(&number)
    } else {
        text.get(first.end) == Some(&b')') && is_national(&number, first.len())
    };
    fits.then_some(Alone { detector: PHONE, confidence: Confidence::Medium, span: sign..number.end })
}

/// The number, if one begins in `window`.
pub(super) fn behind(text: &[u8], window: Range<usize>) -> Option<Range<usize>> {
    let mut at = window.start;
    while at < window.end {
        let byte = text[at];
        if !(byte.is_ascii_digit() || byte == b'+' || byte == b'(') || (at > 0 && is_word(text[at - 1])) {
            at += 1;
            continue;
        }
        let lead = text[at..].iter().take(2).take_while(|b| matches!(b, b'+' | b'(')).count();
        let Some(number) = read(text, at + lead) else {
            at += lead + text[at + lead..].iter().take(64).take_while(|b| b.is_ascii_digit()).count().max(1);
            continue;
        };
        if is_plausible(&number, text, at) {
            return Some(at..number.end);
        }
        at = number.end;
    }
    None
}

/// Digits in groups of up to fifteen, with a separator or two between them; an extension may follow.
fn read(text: &[u8], start: usize) -> Option<Written> {
    let mut number = Written { digits: [0; DIGITS_MAX], len: 0, groups: 0, longest: 0, dots: 0, end: start };
    let mut at = start;
    loop {
        let group = text[at..].iter().take(DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
        if group == 0 || number.len + group > DIGITS_MAX {
            return None;
        }
        number.digits[number.len..number.len + group].copy_from_slice(&text[at..at + group]);
        number.len += group;
        number.groups += 1;
        number.longest = number.longest.max(group);
        at += group;
        number.end = at;
        let Some(gap) = gap_len(&text[at..]) else { break };
        number.dots += usize::from(text[at] == b'.');
        at += gap;
    }
    at += extension_len(&text[at..]);
    number.end = at;
    let cut_off = match &text[at..] {
        [b':' | b'/' | b'.' | b',' | b'-', next, ..] => next.is_ascii_digit(),
        [next, ..] => *next == b'_' || *next == b'%' || next.is_ascii_alphanumeric(),
        [] => false,
    };
    (!cut_off).then_some(number)
}

/// Length of what stands between two groups, if a digit follows it: ` `, `-`, `.`, `/`, `) `, ` (`, ` (0)`, ` - `.
fn gap_len(rest: &[u8]) -> Option<usize> {
    let digit = |at: usize| rest.get(at).is_some_and(u8::is_ascii_digit);
    if rest.starts_with(b" (0)") || rest.starts_with(b"-(0)") {
        return Some(4 + usize::from(!digit(4))).filter(|len| digit(*len));
    }
    if rest.starts_with(b"(0)") {
        return Some(3 + usize::from(!digit(3))).filter(|len| digit(*len));
    }
    let len = rest.iter().take(3).take_while(|b| b" -./()".contains(b)).count();
    let known = matches!(
        &rest[..len],
        b" " | b"-"
            | b"."
            | b"/"
            | b")"
            | b"("
            | b") "
            | b" ("
            | b")-"
            | b"-("
            | b" - "
            | b" / "
            | b")."
            | b".("
    );
    (known && digit(len)).then_some(len)
}

/// Length of ` ext. 123`, `x123` and the like.
fn extension_len(rest: &[u8]) -> usize {
    let names: [&[u8]; 6] = [b" ext. ", b" ext ", b" x", b"x", b" extension ", b"ext"];
    let Some(name) = names.iter().find(|name| rest.starts_with(name)) else { return 0 };
    let digits = rest[name.len()..].iter().take(7).take_while(|b| b.is_ascii_digit()).count();
    if (1..=6).contains(&digits) { name.len() + digits } else { 0 }
}

fn has_calling_code(number: &Written) -> bool {
    let digits = &number.digits[..number.len];
    (1..=3).rev().any(|len| {
        let Some((code, rest)) = digits.split_at_checked(len) else { return false };
        let Ok(at) = CALLING.binary_search_by(|known| known.code.as_bytes().cmp(code)) else { return false };
        let fits = (usize::from(CALLING[at].min)..=usize::from(CALLING[at].max)).contains(&rest.len());
        fits && (code != b"1" || is_north_american(rest))
    })
}

/// Area code and exchange begin with 2–9.
fn is_north_american(digits: &[u8]) -> bool {
    digits.len() == 10 && digits[0] >= b'2' && digits[3] >= b'2' && !digits[1..3].starts_with(b"11")
}

/// `(415) 555-0132`, `(020) 7946 0958`, `(11) 98456-5666`.
fn is_national(number: &Written, area: usize) -> bool {
    let digits = &number.digits[..number.len];
    match area {
        3 if digits[0] != b'0' => is_north_american(digits) && number.groups == 3,
        2 if digits[0] != b'0' => matches!(digits.len(), 10 | 11) && number.groups == 3,
        2..=6 => digits[0] == b'0' && (9..=12).contains(&digits.len()) && digits[1] != b'0',
        _ => false,
    }
}

/// Whether the number behind a word of context looks like one to be called.
fn is_plausible(number: &Written, text: &[u8], start: usize) -> bool {
    let digits = &number.digits[..number.len];
    if text[start] == b'+' {
        return digits[0] != b'0' && digits.len() >= DIGITS_MIN;
    }
    let first = text[start..].iter().take_while(|b| b.is_ascii_digit()).count();
    let year = first == 4 && (digits.starts_with(b"19") || digits.starts_with(b"20"));
    let date = number.groups == 3 && digits.len() == 8 && (year || (number.longest == 4 && first <= 2));
    let dotted_quad = number.groups == 4 && number.dots == 3 && number.longest <= 3;
    let varied = digits.iter().any(|b| *b != digits[0]);
    (DIGITS_MIN..=14).contains(&digits.len()) && !date && !dotted_quad && varied && number.groups <= 7
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(text: &str) -> Option<&str> {
        let start = text.find(|c: char| c.is_ascii_digit()).expect("there is a digit");
        let len = text[start..].bytes().take_while(u8::is_ascii_digit).count();
        (start > 0)
            .then(|| written(text.as_bytes(), &(start..start + len)))
            .flatten()
            .map(|hit| &text[hit.span])
    }

    fn said(text: &str) -> Option<&str> {
        behind(text.as_bytes(), 0..text.len()).map(|span| &text[span])
    }

    #[test]
    fn a_calling_code_or_brackets_show_a_number() {
        for (text, number) in [
            ("+41 (0)62 585 51 90", "+41 (0)62 585 51 90"),
            ("to +1 670-234-5678.", "+1 670-234-5678"),
            ("<+442079460958>", "+442079460958"),
            ("+972 50-234-5678 x12", "+972 50-234-5678 x12"),
        ] {
            assert_eq!(alone(text), Some(number), "{text}");
        }
        let bracket = |text: &str| {
            let end = text.find(')').expect("there is a bracket");
            written(text.as_bytes(), &(1..end)).map(|hit| text[hit.span].to_owned())
        };
        assert_eq!(bracket("(415) 555-0132").as_deref(), Some("(415) 555-0132"));
        assert_eq!(bracket("(020) 7946 0958").as_deref(), Some("(020) 7946 0958"));
        assert_eq!(bracket("(123) 456-7890"), None, "no area begins with 1");
        assert_eq!(bracket("(2024) 12 34"), None);
    }

    #[test]
    fn other_signs_are_no_numbers() {
        for text in [
            "+0800",
            "+1 123-456-7890",
            "a+4912345678",
            "+49123",
            "+12345678901234567",
            "1+441632960961",
            "+2 100 000",
        ] {
            assert_eq!(alone(text), None, "{text}");
        }
    }

    #[test]
    fn behind_a_word_national_forms_count() {
        for (text, number) in [
            (": 0961-7596216", "0961-7596216"),
            (" is 024 971 50 30,", "024 971 50 30"),
            (" 463-612-6138x036", "463-612-6138x036"),
            (" 99 668472", "99 668472"),
        ] {
            assert_eq!(said(text), Some(number), "{text}");
        }
        for text in [
            " 2024-05-06",
            " 12.03.2024",
            " 10.20.30.40",
            " 123456",
            " 1111111111",
            " a5551234567",
            " 12:30:45",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
