//! The normal form in which values of exact data are compared: letters and digits alone, in lower case and without
//! accents. `123-45-6789` is `123456789`, and `ANNA  Smith` is `annasmith`.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// What an ASCII byte becomes: itself in lower case, nothing ([`SEPARATOR`]), or more than ASCII ([`BEYOND`]).
const FOLD: [u8; 256] = table();
const SEPARATOR: u8 = 0;
const BEYOND: u8 = 0xff;

/// Where the next token begins: a run of letters and digits.
#[inline]
pub(super) fn token_start(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < text.len() {
        match FOLD[usize::from(text[at])] {
            SEPARATOR => at += 1,
            BEYOND => match character(text, at) {
                Some(c) if c.is_alphanumeric() && !is_passed_over(c) => return Some(at),
                Some(c) => at += c.len_utf8(),
                None => at += 1,
            },
            _ => return Some(at),
        }
    }
    None
}

/// Gives `each` the normal form of the token that begins at `start`; where it ends.
pub(super) fn token(text: &[u8], start: usize, mut each: impl FnMut(u8)) -> usize {
    let mut at = start;
    while at < text.len() {
        match FOLD[usize::from(text[at])] {
            SEPARATOR => break,
            BEYOND => {
                let Some(c) = character(text, at) else { break };
                if !is_passed_over(c) {
                    if !c.is_alphanumeric() {
                        break;
                    }
                    letters(c, &mut each);
                }
                at += c.len_utf8();
            }
            folded => {
                each(folded);
                at += 1;
            }
        }
    }
    at
}

/// As [`token`], for one of ASCII alone; `None` if there is more in it, and what `each` got is of no use then. Most tokens are
/// so, and what `each` holds stays in registers where nothing else can call it.
#[inline]
pub(super) fn ascii_token(text: &[u8], start: usize, mut each: impl FnMut(u8)) -> Option<usize> {
    for (at, byte) in text.iter().enumerate().skip(start) {
        match FOLD[usize::from(*byte)] {
            SEPARATOR => return Some(at),
            BEYOND => return None,
            folded => each(folded),
        }
    }
    Some(text.len())
}

/// The normal form of a whole text.
pub(super) fn fold(text: &[u8]) -> Vec<u8> {
    let (mut folded, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(start) = token_start(text, at) {
        at = token(text, start, |byte| folded.push(byte));
    }
    folded
}

/// A letter beyond ASCII: in lower case, taken apart, without its accents.
fn letters(c: char, each: &mut impl FnMut(u8)) {
    let mut buffer = [0; 4];
    for part in c.to_lowercase().nfkd().filter(|part| part.is_alphanumeric() && !is_mark(*part)) {
        part.encode_utf8(&mut buffer).bytes().for_each(&mut *each);
    }
}

/// What belongs to a word and says nothing: accents written apart, soft hyphens, characters without width.
fn is_passed_over(c: char) -> bool {
    is_mark(c) || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

fn is_mark(c: char) -> bool {
    canonical_combining_class(c) != 0
}

/// The character that begins at `at`; none in the midst of one.
fn character(text: &[u8], at: usize) -> Option<char> {
    let head = &text[at..text.len().min(at + 4)];
    let valid = head.utf8_chunks().next()?.valid();
    valid.chars().next()
}

const fn table() -> [u8; 256] {
    let mut table = [SEPARATOR; 256];
    let mut byte = 0;
    while byte < 256 {
        let one = byte as u8;
        if one.is_ascii_alphanumeric() {
            table[byte] = one.to_ascii_lowercase();
        } else if byte >= 128 {
            table[byte] = BEYOND;
        }
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        String::from_utf8(fold(text.as_bytes())).expect("a normal form is UTF-8")
    }

    #[test]
    fn case_white_space_separators_and_accents_make_no_difference() {
        for (text, normal) in [
            ("123-45-6789", "123456789"),
            ("+1 (555) 010.4477", "15550104477"),
            ("ANNA  Smith", "annasmith"),
            ("anna.smith@corp.example", "annasmithcorpexample"),
            ("O'Brien", "obrien"),
            ("José", "jose"),
            ("Jose\u{301}", "jose"),
            ("ÅNGSTRÖM", "angstrom"),
            ("soft\u{ad}hy\u{200b}phen", "softhyphen"),
            ("日本 語", "日本語"),
            (" -- ", ""),
        ] {
            assert_eq!(folded(text), normal, "{text}");
        }
    }

    #[test]
    fn tokens_are_runs_of_letters_and_digits_whatever_the_bytes() {
        let text = b"\xff\xfea-\xe2\x82b\xc3\xa9 \xcc\x81c";
        let (mut at, mut tokens) = (0, Vec::new());
        while let Some(start) = token_start(text, at) {
            at = token(text, start, |_| {});
            assert!(at > start);
            tokens.push(start..at);
        }
        assert_eq!(tokens, [2..3, 6..9, 12..13]);
    }
}
