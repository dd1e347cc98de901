//! Bytes by what they may be, and searches that look at many bytes at once: each byte of every text passes here.

/// A letter or digit.
pub(super) const ALPHANUMERIC: u8 = 1;
/// A capital.
pub(super) const UPPER: u8 = 1 << 1;
/// A small letter, or a byte of a character beyond ASCII.
pub(super) const SMALL: u8 = 1 << 2;
/// What stands in an IPv6 or MAC address.
pub(super) const COLONED: u8 = 1 << 3;
/// A letter of a name, with hyphens and apostrophes; of the characters beyond ASCII those of the Latin, Greek and Cyrillic
/// scripts.
pub(super) const NAME: u8 = 1 << 4;
/// A letter or digit, or a byte of a character beyond ASCII.
pub(super) const WORD: u8 = 1 << 5;
/// What stands right before a capital that begins no word: the rest of a word, an identifier, a path or a tag.
pub(super) const JOINT: u8 = 1 << 6;
/// A digit.
pub(super) const DIGIT: u8 = 1 << 7;

/// The bits of each byte.
static CLASSES: [u8; 256] = {
    let (mut classes, mut at) = ([0; 256], 0);
    while at < 256 {
        classes[at] = bits(at as u8);
        at += 1;
    }
    classes
};

const fn bits(byte: u8) -> u8 {
    let mut bits = 0;
    if byte.is_ascii_alphanumeric() {
        bits |= ALPHANUMERIC;
    }
    if byte.is_ascii_digit() {
        bits |= DIGIT;
    }
    if byte.is_ascii_uppercase() {
        bits |= UPPER;
    }
    if byte.is_ascii_lowercase() || byte >= 0x80 {
        bits |= SMALL;
    }
    if byte.is_ascii_hexdigit() || matches!(byte, b':' | b'-') {
        bits |= COLONED;
    }
    if byte.is_ascii_alphabetic() || matches!(byte, b'\'' | b'-' | 0x80..0xc0 | 0xc3..=0xd4 | 0xe1) {
        bits |= NAME;
    }
    if byte.is_ascii_alphanumeric() || byte >= 0x80 {
        bits |= WORD | JOINT;
    }
    if matches!(
        byte,
        b'_' | b'/' | b'\\' | b'@' | b'#' | b'$' | b'.' | b'-' | b'<' | b'&' | b'%' | b'+' | b'='
    ) {
        bits |= JOINT;
    }
    bits
}

/// The bits of a byte.
#[inline]
pub(super) fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW * 0x80;
/// So many bytes are looked at without asking which one it is.
const BLOCK: usize = 16;

/// Eight bytes as a number, the first one lowest.
#[inline]
pub(super) fn eight(text: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*text.get(at..)?.first_chunk()?))
}

/// The place of the first byte whose high bit is set.
#[inline]
fn first(mask: u64) -> usize {
    mask.trailing_zeros() as usize / 8
}

/// The next digit at `at` or behind it.
#[inline]
pub(super) fn next_digit(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(word) = eight(text, at) {
        // 0x30–0x39 become 0–9; adding 0x76 to these leaves the high bit clear, and no other ASCII byte does.
        let turned = word ^ (LOW * 0x30);
        let other = ((turned & (LOW * 0x7f)) + LOW * 0x76) | turned;
        let digits = !other & HIGH;
        if digits != 0 {
            return Some(at + first(digits));
        }
        at = behind_blocks(text, at + 8, |block| {
            block.iter().fold(false, |any, byte| any | (byte.wrapping_sub(b'0') < 10))
        });
    }
    text[at..].iter().position(u8::is_ascii_digit).map(|more| at + more)
}

/// The next byte that is a capital, or begins a letter of Latin with an accent. Those within a word may be left out, if they
/// follow no escape (`\nJane`).
pub(super) fn next_capital(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(word) = eight(text, at) {
        let ascii = word & (LOW * 0x7f);
        // 0xc3 to 0xc5 are 0x43 to 0x45 with the high bit.
        let accented = (ascii + LOW * 0x3d) & !(ascii + LOW * 0x3a) & word & HIGH;
        let mut mask = capitals(word) | accented;
        if mask != 0 {
            mask &= !inside(word);
        }
        if mask != 0 {
            return Some(at + first(mask));
        }
        at = behind_blocks(text, at + 8, |block| {
            // With the high bit off, what begins a letter with an accent lies among the capitals.
            let begins = |byte: u8| ((byte & 0x7f).wrapping_sub(b'A') < 26) & (byte < 0xc6);
            block.iter().fold(false, |any, byte| any | begins(*byte))
        });
    }
    text[at..].iter().position(|b| b.is_ascii_uppercase() || (0xc3..=0xc5).contains(b)).map(|more| at + more)
}

/// The high bit of each byte that follows a letter, and that not behind a backslash; what stands before the first is not known.
#[inline]
fn inside(word: u64) -> u64 {
    let before = word << 8;
    let letters = small_letters(before | (LOW * 0x20)) | (before & HIGH);
    let turned = (word << 16 | 0x5c5c) ^ (LOW * 0x5c);
    let others = ((turned & (LOW * 0x7f)) + LOW * 0x7f) | turned;
    letters & others & HIGH
}

/// Where the letters and digits of ASCII end that go on at `at`.
#[inline]
pub(super) fn word_end(text: &[u8], at: usize) -> usize {
    match eight(text, at).map(others) {
        Some(0) => long_word_end(text, at + 8),
        Some(others) => at + first(others),
        None => long_word_end(text, at),
    }
}

/// The same for the rest of a long word, or at the end of the text.
fn long_word_end(text: &[u8], mut at: usize) -> usize {
    loop {
        at = behind_blocks(text, at, |block| !is_alphanumeric(block));
        match eight(text, at).map(others) {
            Some(0) => at += 8,
            Some(others) => return at + first(others),
            None => return at + text[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count(),
        }
    }
}

/// The high bit of each byte that is no letter or digit of ASCII.
#[inline]
fn others(word: u64) -> u64 {
    let low = word & (LOW * 0x7f);
    // The high bit of a sum says that the byte is at least the first of them, or more than the last.
    let digits = (low + LOW * 0x50) & !(low + LOW * 0x46) & !word;
    !(digits | small_letters(word | (LOW * 0x20))) & HIGH
}

/// A word of at most fifteen letters of ASCII, with what is known after a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Letters {
    /// How many.
    pub(super) len: usize,
    /// The first eight as small letters, the first one lowest.
    pub(super) head: u64,
    /// Whether one behind the first is a capital.
    pub(super) has_capital: bool,
}

/// The letters at `at`, if they are followed by what is no part of a name.
#[inline]
pub(super) fn letters(text: &[u8], at: usize) -> Option<Letters> {
    let word = eight(text, at)?;
    let others = !small_letters(word | (LOW * 0x20)) & HIGH;
    let rest = capitals(word) & !0x80;
    let (len, capitals) = if others != 0 {
        (first(others), rest & before(others))
    } else {
        let more = eight(text, at + 8)?;
        let others = !small_letters(more | (LOW * 0x20)) & HIGH;
        if others == 0 {
            return None;
        }
        (8 + first(others), rest | (capitals(more) & before(others)))
    };
    if class(text[at + len]) & NAME != 0 {
        return None;
    }
    let kept = if len < 8 { (1 << (8 * len)) - 1 } else { u64::MAX };
    Some(Letters { len, head: (word | (LOW * 0x20)) & kept, has_capital: capitals != 0 })
}

/// The bits before the first that is set.
#[inline]
fn before(mask: u64) -> u64 {
    (mask & mask.wrapping_neg()).wrapping_sub(1)
}

/// The high bit of each byte that is a small letter.
#[inline]
fn small_letters(word: u64) -> u64 {
    let low = word & (LOW * 0x7f);
    (low + LOW * 0x1f) & !(low + LOW * 0x05) & !word & HIGH
}

/// The high bit of each byte that is a capital.
#[inline]
fn capitals(word: u64) -> u64 {
    let low = word & (LOW * 0x7f);
    (low + LOW * 0x3f) & !(low + LOW * 0x25) & !word & HIGH
}

/// Behind the blocks from `at` on that `holds` says no to; where that has no branch, the compiler looks at a block at once.
#[inline]
fn behind_blocks(text: &[u8], mut at: usize, holds: impl Fn(&[u8; BLOCK]) -> bool) -> usize {
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk())
        && !holds(block)
    {
        at += BLOCK;
    }
    at
}

/// Whether all bytes are letters and digits of ASCII.
#[inline]
fn is_alphanumeric(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(true, |all, byte| {
        all & ((byte.wrapping_sub(b'0') < 10) | ((byte | 0x20).wrapping_sub(b'a') < 26))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte alone, at each place of a text of each length.
    fn everywhere(check: impl Fn(&[u8], usize)) {
        for len in [1, 7, 8, 9, 40, 41, 47, 80] {
            for at in 0..len {
                let mut text = vec![b' '; len];
                for byte in 0..=u8::MAX {
                    text[at] = byte;
                    check(&text, at);
                }
            }
        }
    }

    #[test]
    fn digits_and_capitals_are_found_wherever_they_stand() {
        everywhere(|text, at| {
            let byte = text[at];
            assert_eq!(next_digit(text, 0), byte.is_ascii_digit().then_some(at), "{byte} at {at}");
            let begins = byte.is_ascii_uppercase() || (0xc3..=0xc5).contains(&byte);
            assert_eq!(next_capital(text, 0), begins.then_some(at), "{byte} at {at}");
        });
    }

    #[test]
    fn a_capital_within_a_word_is_left_out_or_found_but_the_next_word_is_not_missed() {
        for (within, next) in
            [("anyOtherWord ", "Name"), ("\u{e9}t\u{c9}s, ", "Name"), ("a\\n", "Name"), ("_ab1_", "Name")]
        {
            for lead in 0..32 {
                let text = format!("{}{within}{next}", " ".repeat(lead));
                let (mut at, mut seen) = (0, Vec::new());
                while let Some(capital) = next_capital(text.as_bytes(), at) {
                    seen.push(capital);
                    at = capital + 1;
                }
                assert_eq!(seen.last(), Some(&(text.len() - next.len())), "{text:?}");
            }
        }
    }

    #[test]
    fn letters_are_those_before_what_is_no_part_of_a_name() {
        let of =
            |text: &str| letters(text.as_bytes(), 0).map(|l| (l.len, l.head.to_le_bytes(), l.has_capital));
        assert_eq!(of("Lena Wirth"), Some((4, *b"lena\0\0\0\0", false)));
        assert_eq!(of("McKay (2024)"), Some((5, *b"mckay\0\0\0", true)));
        assert_eq!(of("x, Y, Z, A, B"), Some((1, *b"x\0\0\0\0\0\0\0", false)));
        assert_eq!(of("Jennifer is here"), Some((8, *b"jennifer", false)));
        assert_eq!(of("Jennifers[0], or"), Some((9, *b"jennifer", false)));
        assert_eq!(of("JENNIFER@0123456"), Some((8, *b"jennifer", true)));
        assert_eq!(of("Christopher`0123"), Some((11, *b"christop", false)));
        assert_eq!(of("JenniferS[0], or"), Some((9, *b"jennifer", true)));
        assert_eq!(of("ChristopheR`0123"), Some((11, *b"christop", true)));
        for text in
            ["Jo", "Anna-Maria and", "O'Neil and so on", "Garc\u{ed}a and so", "Bartholomewsonsdottir"]
        {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_word_ends_before_what_is_no_letter_or_digit_of_ascii() {
        for fill in [b'a', b'Z', b'0'] {
            everywhere(|text, at| {
                let text: Vec<u8> = text.iter().map(|b| if *b == b' ' { fill } else { *b }).collect();
                let end = if text[at].is_ascii_alphanumeric() { text.len() } else { at };
                assert_eq!(word_end(&text, 0), end, "{} at {at}", text[at]);
            });
        }
    }
}
