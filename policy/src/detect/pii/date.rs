//! Dates behind words like `date of birth`.

use std::ops::Range;

use super::check::days_of_month;
use super::is_word;

/// First three letters of the months in English, German, French, Spanish, Italian, Portuguese, Dutch.
const MONTHS: &[(&str, u16)] = &[
    ("jan", 1),
    ("ene", 1),
    ("gen", 1),
    ("feb", 2),
    ("fev", 2),
    ("fé", 2),
    ("mar", 3),
    ("mär", 3),
    ("maa", 3),
    ("mrt", 3),
    ("apr", 4),
    ("abr", 4),
    ("avr", 4),
    ("may", 5),
    ("mai", 5),
    ("mag", 5),
    ("mei", 5),
    ("jun", 6),
    ("jui", 6),
    ("giu", 6),
    ("jul", 7),
    ("lug", 7),
    ("aug", 8),
    ("ago", 8),
    ("aoû", 8),
    ("sep", 9),
    ("set", 9),
    ("oct", 10),
    ("okt", 10),
    ("ott", 10),
    ("out", 10),
    ("nov", 11),
    ("dec", 12),
    ("dez", 12),
    ("dic", 12),
    ("déc", 12),
];
const YEARS: std::ops::RangeInclusive<u16> = 1900..=2035;

/// The date, if one begins in `window`.
pub(super) fn behind(text: &[u8], window: Range<usize>) -> Option<Range<usize>> {
    let mut at = window.start;
    while at < window.end {
        let begins = text[at].is_ascii_alphanumeric() && (at == 0 || !is_word(text[at - 1]));
        if begins && let Some(end) = date(text, at) {
            return Some(at..end);
        }
        at += 1;
    }
    None
}

fn date(text: &[u8], at: usize) -> Option<usize> {
    let end = numeric(text, at).or_else(|| day_first(text, at)).or_else(|| month_first(text, at))?;
    let cut_off = text.get(end).is_some_and(|b| is_word(*b) && *b != b'T');
    (!cut_off).then_some(end)
}

/// `1990-12-31`, `31.12.1990`, `12/31/90`, `19901231`.
fn numeric(text: &[u8], at: usize) -> Option<usize> {
    let (first, first_end) = number(text, at)?;
    if first_end - at == 8 {
        let whole = read(&text[at..first_end]);
        let fits = is_date(&[whole / 10_000, whole / 100 % 100, whole % 100], true);
        return fits.then_some(first_end);
    }
    let separator = *text.get(first_end).filter(|b| b"-./ ".contains(b))?;
    let (second, second_end) = number(text, first_end + 1)?;
    if text.get(second_end) != Some(&separator) {
        return None;
    }
    let (third, end) = number(text, second_end + 1)?;
    let parts = [first, second, third].map(u32::from);
    let year_first = first_end - at == 4;
    // Only a day may have one digit at the end: `1.2.3` is a version.
    let last = end - second_end - 1;
    let lengths = second_end - first_end <= 3 && (matches!(last, 2 | 4) || (year_first && last == 1));
    (lengths && is_date(&parts, year_first)).then_some(end)
}

/// Whether the parts are a date: year, month, day, or day and month in any order before the year.
fn is_date(parts: &[u32; 3], year_first: bool) -> bool {
    let [a, b, c] = parts.map(|part| u16::try_from(part).unwrap_or(u16::MAX));
    let fits = |year: u16, month: u16, day: u16| {
        let full = if year < 100 { 1900 + year } else { year };
        YEARS.contains(&full) && (1..=12).contains(&month) && (1..=days_of_month(month, None)).contains(&day)
    };
    if year_first { fits(a, b, c) } else { fits(c, b, a) || fits(c, a, b) }
}

/// `31 December 1990`, `31. Dez. 1990`, `3rd of May 1990`, `31 de diciembre de 1990`.
fn day_first(text: &[u8], at: usize) -> Option<usize> {
    let (day, end) = number(text, at).filter(|(day, _)| (1..=31).contains(day))?;
    let end = end + ordinal_len(&text[end..]);
    let month = month(text, skip_small(text, end)?)?;
    let (year, end) = number(text, skip_small(text, month.1)?)?;
    (day <= days_of_month(month.0, None) && YEARS.contains(&year)).then_some(end)
}

/// `December 31, 1990`, `Dec 31st 1990`.
fn month_first(text: &[u8], at: usize) -> Option<usize> {
    let month = month(text, at)?;
    let (day, end) = number(text, skip_small(text, month.1)?)?;
    let end = end + ordinal_len(&text[end..]);
    let (year, end) = number(text, skip_small(text, end)?)?;
    ((1..=days_of_month(month.0, None)).contains(&day) && YEARS.contains(&year)).then_some(end)
}

fn ordinal_len(rest: &[u8]) -> usize {
    let two = rest.get(..2).unwrap_or(&[]);
    usize::from([&b"st"[..], b"nd", b"rd", b"th"].contains(&two)) * 2
}

/// Behind spaces, dots, commas and `of` or `de`.
fn skip_small(text: &[u8], mut at: usize) -> Option<usize> {
    let start = at;
    loop {
        let rest = &text[at..];
        at += match rest {
            [b' ' | b'.' | b',' | b'-' | b'/', ..] => 1,
            [b'o', b'f', b' ', ..] | [b'd', b'e', b' ', ..] => 3,
            _ => break,
        };
    }
    (1..=6).contains(&(at - start)).then_some(at)
}

/// The month whose name begins at `at`, and where the name ends.
fn month(text: &[u8], at: usize) -> Option<(u16, usize)> {
    let len = text[at..].iter().take(12).take_while(|b| b.is_ascii_alphabetic() || **b >= 0x80).count();
    let name = &text[at..at + len];
    let known = MONTHS.iter().find(|(start, _)| {
        name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
    })?;
    (len >= 3).then_some((known.1, at + len))
}

/// Up to eight digits; more than four are read by [`read`].
fn number(text: &[u8], at: usize) -> Option<(u16, usize)> {
    let len = text.get(at..)?.iter().take(9).take_while(|b| b.is_ascii_digit()).count();
    let value = u16::try_from(read(&text[at..at + len])).unwrap_or(u16::MAX);
    matches!(len, 1 | 2 | 4 | 8).then_some((value, at + len))
}

fn read(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, b| value * 10 + u32::from(b - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        behind(text.as_bytes(), 0..text.len()).map(|span| &text[span])
    }

    #[test]
    fn dates_are_read_in_every_order() {
        for (text, date) in [
            (": 1990-12-31", "1990-12-31"),
            (" 31.12.1990.", "31.12.1990"),
            ("=12/31/90,", "12/31/90"),
            (" is 3rd of May 1984", "3rd of May 1984"),
            (" December 31, 1990", "December 31, 1990"),
            (" 5. März 1971", "5. März 1971"),
            (" 31 de diciembre de 1990", "31 de diciembre de 1990"),
            ("\": \"19901231\"", "19901231"),
            (" 1990-12-31T00:00:00Z", "1990-12-31"),
        ] {
            assert_eq!(found(text), Some(date), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_dates() {
        for text in [
            " 1990-13-31",
            " 31.31.1990",
            " 1.2.3",
            " 12/31",
            " 30 Feb 1990",
            " 18:30:12",
            " v1.12.90a",
            " 1990",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
