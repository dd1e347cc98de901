//! Degrees behind words like `latitude`.

use std::ops::Range;

use super::is_word;

/// Fewest digits behind the point: fewer are kilometres wide.
const FRACTION_MIN: usize = 3;
const FRACTION_MAX: usize = 15;

/// One number of degrees or a pair, if one begins in `window`.
pub(super) fn behind(text: &[u8], window: Range<usize>) -> Option<Range<usize>> {
    let mut at = window.start;
    while at < window.end {
        let begins = (text[at].is_ascii_digit() || text[at] == b'-') && (at == 0 || !is_word(text[at - 1]));
        if begins && let Some(end) = degrees(text, at, 180) {
            return Some(at..second(text, end).unwrap_or(end));
        }
        at += 1;
    }
    None
}

/// The other one of a pair: `52.5200, 13.4050`.
fn second(text: &[u8], end: usize) -> Option<usize> {
    let gap = text[end..].iter().take(3).take_while(|b| b", ;/".contains(b)).count();
    (gap > 0).then(|| degrees(text, end + gap, 180)).flatten()
}

fn degrees(text: &[u8], at: usize, most: u32) -> Option<usize> {
    let start = at + usize::from(text.get(at) == Some(&b'-'));
    let digits =
        |at: usize, most: usize| text[at..].iter().take(most).take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(start, 4);
    let value = text[start..start + whole].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    let point = start + whole;
    if !(1..=3).contains(&whole) || value > most || text.get(point) != Some(&b'.') {
        return None;
    }
    let fraction = digits(point + 1, FRACTION_MAX + 1);
    let end = point + 1 + fraction;
    let goes_on = text.get(end).is_some_and(|b| is_word(*b) && *b != 0xc2)
        || (text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(u8::is_ascii_digit));
    ((FRACTION_MIN..=FRACTION_MAX).contains(&fraction) && !goes_on).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        behind(text.as_bytes(), 0..text.len()).map(|span| &text[span])
    }

    #[test]
    fn degrees_have_a_fraction_and_a_limit() {
        assert_eq!(found("\": 52.5200, 13.4050}"), Some("52.5200, 13.4050"));
        assert_eq!(found(": -33.86882"), Some("-33.86882"));
        for text in [" 1.2.3", " 190.12345", " 52.5", " 12", " v52.5200", " 1.234.567"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
