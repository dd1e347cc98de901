//! Dates with their times and UUIDs: numbers that are in every log and table, and in no form. So their groups need no look each.

use super::bytes::{eight, word_end};

const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
const DATE: Pattern = Pattern::new(*b"0000-00-");
const TIME: Pattern = Pattern::new(*b"00:00:00");

/// Longest fraction of a second, with its dot and a `Z`.
const FRACTION_MAX: usize = 12;

/// Eight bytes, with any digit where a zero stands.
struct Pattern {
    bytes: u64,
    /// What is added to each byte that is left: it reaches the high bit where the byte does not fit.
    add: u64,
}

impl Pattern {
    const fn new(bytes: [u8; 8]) -> Self {
        let (mut add, mut at) = ([0x7f; 8], 0);
        while at < 8 {
            if bytes[at] == b'0' {
                // 0–9 stay below the high bit.
                add[at] = 0x76;
            }
            at += 1;
        }
        Self { bytes: u64::from_le_bytes(bytes), add: u64::from_le_bytes(add) }
    }

    #[inline]
    fn fits(&self, bytes: u64) -> bool {
        let left = bytes ^ self.bytes;
        (((left & !HIGH) + self.add) | left) & HIGH == 0
    }
}

/// Where the date or the UUID ends whose first group is `start..end`, if there is one.
#[inline]
pub(super) fn end(text: &[u8], start: usize, end: usize) -> Option<usize> {
    // Behind a plus a telephone number may begin.
    if text.get(end) != Some(&b'-') || matches!(&text[..start], [.., b'+']) {
        return None;
    }
    match end - start {
        4 => date(text, start),
        8 => uuid(text, start),
        _ => None,
    }
}

/// `2024-05-06`, and the time behind it: `T12:30:45.123`.
fn date(text: &[u8], start: usize) -> Option<usize> {
    let [one, two, rest @ ..] = text.get(start + 8..)? else { return None };
    if !(DATE.fits(eight(text, start)?) && one.is_ascii_digit() && two.is_ascii_digit()) {
        return None;
    }
    match rest {
        [b'T' | b' ', ..] if eight(rest, 1).is_some_and(|time| TIME.fits(time)) => {
            let fraction = match &rest[9..] {
                // No address with colons goes on here, and no group.
                [b':' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Y' | 0x80.., ..] => return None,
                [b'.', b'0'..=b'9', ..] => word_end(rest, 11) - 9,
                _ => 0,
            };
            Some(start + 19 + if fraction > FRACTION_MAX { 0 } else { fraction })
        }
        [b':' | b'_' | b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | 0x80.., ..] => None,
        _ => Some(start + 10),
    }
}

/// `123e4567-e89b-12d3-a456-426614174000`, in small letters: an IBAN has capitals.
fn uuid(text: &[u8], start: usize) -> Option<usize> {
    let (all, rest) = text.get(start..)?.split_first_chunk::<36>()?;
    let dashes = [13, 18, 23].iter().all(|at| all[*at] == b'-');
    let small = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-');
    let goes_on = rest.first().is_some_and(u8::is_ascii_alphanumeric);
    (dashes && !goes_on && all.iter().all(small)).then_some(start + all.len())
}

#[cfg(test)]
mod tests {
    use super::super::super::tables::FORMS;
    use super::*;

    fn skipped(text: &str) -> Option<&str> {
        let first = text.find('-').expect("a dash is in the text");
        end(text.as_bytes(), 0, first).map(|end| &text[..end])
    }

    #[test]
    fn dates_and_uuids_are_taken_whole() {
        for (text, plain) in [
            ("2024-05-06", "2024-05-06"),
            ("2024-05-06, 1", "2024-05-06"),
            ("2024-05-06T12:30:45Z", "2024-05-06T12:30:45"),
            ("2024-05-06T12:30:45.123Z", "2024-05-06T12:30:45.123Z"),
            ("2024-05-06 12:30:45.123+02:00", "2024-05-06 12:30:45.123"),
            ("123e4567-e89b-12d3-a456-426614174000\"", "123e4567-e89b-12d3-a456-426614174000"),
        ] {
            assert_eq!(skipped(text), Some(plain), "{text}");
        }
    }

    #[test]
    fn what_goes_on_otherwise_is_looked_at() {
        for text in [
            "2024-05-060",
            "2024-05-06-1",
            "2024-05-06 12:30:45:aa:bb:cc",
            "2024-a5-06",
            "202-05-06",
            "123e4567-e89b-12d3-a456-4266141740001",
            "123e4567-e89b-12d3-a4567-42661417400",
            "123E4567-E89B-12D3-A456-426614174000",
        ] {
            assert_eq!(skipped(text), None, "{text}");
        }
        assert_eq!(end(b"+2024-05-06", 1, 5), None, "a telephone number");
    }

    #[test]
    fn no_form_has_such_groups() {
        for form in FORMS {
            for shift in (0..7).map(|groups| groups * 9) {
                let lengths = |count: u32| {
                    let group = |at: u32| form.signature.checked_shr(shift + 9 * at).unwrap_or(0) & 0x3f;
                    (0..count).rev().map(group).collect::<Vec<_>>()
                };
                assert_ne!(lengths(3), [4, 2, 2], "{:#x}", form.signature);
                assert_ne!(lengths(3), [8, 4, 4], "{:#x}", form.signature);
            }
        }
    }
}
