//! Words of context: whether a hit of the prefilter is one, and where it ends.

use super::super::context::NameSet;
use super::super::window::follows_escape;
use super::bytes::{WORD, class};

/// Longest short name of a detector that is looked for.
const OWN_NAME_MAX: usize = 24;

/// A word of so few letters stands in random text by chance,
const LETTERS_MAX: usize = 3;
/// and longer runs of letters and digits, with a digit among them, are such text.
const RUN_MAX: usize = 16;

/// A word of context that begins with a keyword of the prefilter.
#[derive(Debug)]
pub(in crate::detect) struct ContextWord {
    /// The words after the first, lower case.
    pub(in crate::detect) rest: &'static [&'static str],
    /// Whether it may be the end of a longer word (`Hauptstraße`).
    pub(in crate::detect) begin: Begin,
    /// Kinds whose context it is.
    pub(in crate::detect) kinds: &'static [u16],
}

/// Where a word of context may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Begin {
    /// At the start of a word.
    Word,
    /// Anywhere.
    Inside,
}

/// Where the word of context ends whose first word stands at `start..end`.
#[inline]
pub(in crate::detect) fn end(word: &ContextWord, text: &[u8], start: usize, end: usize) -> Option<usize> {
    if word.begin == Begin::Word && start > 0 && !begins(text, start) {
        return None;
    }
    if end - start <= LETTERS_MAX && is_chance(text, start, end) {
        return None;
    }
    rest_end(word.rest, text, end)
}

/// Whether a word of a few letters stands in a long run of letters and digits, as every such word does in some hash, key or id
/// in base64: `…VViDobJU0`.
fn is_chance(text: &[u8], start: usize, end: usize) -> bool {
    let before = text[..start].iter().rev().take(RUN_MAX).take_while(|b| b.is_ascii_alphanumeric()).count();
    let behind = text[end..].iter().take(RUN_MAX).take_while(|b| b.is_ascii_alphanumeric()).count();
    let around = [&text[start - before..start], &text[end..end + behind]];
    before + (end - start) + behind > RUN_MAX && around.iter().any(|part| part.iter().any(u8::is_ascii_digit))
}

/// Where the words end that follow behind the first one.
fn rest_end(rest: &[&str], text: &[u8], mut at: usize) -> Option<usize> {
    for next in rest {
        at += gap(&text[at..])?;
        let part = text.get(at..at + next.len())?;
        if !part.eq_ignore_ascii_case(next.as_bytes()) {
            return None;
        }
        at += next.len();
    }
    ends(text, at).then_some(at)
}

/// The slot of the detector that the whole text is the short name of, with any separators: `dk_cvr`, `jp-cn`.
pub(in crate::detect) fn own_name(text: &[u8], names: &[(&str, u16)]) -> NameSet {
    let mut found = NameSet::default();
    let mut name = [0; OWN_NAME_MAX];
    let Some(name) = name.get_mut(..text.len()) else { return found };
    name.copy_from_slice(text);
    name.make_ascii_lowercase();
    name.iter_mut().filter(|byte| **byte == b'_').for_each(|byte| *byte = b'-');
    if let Ok(at) = names.binary_search_by(|(own, _)| own.as_bytes().cmp(name)) {
        found.insert(names[at].1);
    }
    found
}

/// A word begins after what is no letter or digit, and with a capital after a small letter (`userSsn`).
#[inline]
fn begins(text: &[u8], at: usize) -> bool {
    let (before, first) = (text[at - 1], text[at]);
    class(before) & WORD == 0
        // Scripts without spaces between words; for the others the words are long enough.
        || first >= 0x80
        || (before.is_ascii_lowercase() && first.is_ascii_uppercase())
        || follows_escape(text, at)
}

/// A word ends before what is no letter, before a capital after a small letter (`ssnNumber`), and before the `s` of a
/// plural.
fn ends(text: &[u8], at: usize) -> bool {
    let last = text[at - 1];
    if last >= 0x80 {
        return true;
    }
    let goes_on = |rest: &[u8]| match rest {
        [next, ..] if *next >= 0xc3 && *next < 0xd8 => true,
        [next, ..] => next.is_ascii_lowercase() || (next.is_ascii_uppercase() && last.is_ascii_uppercase()),
        [] => false,
    };
    match &text[at..] {
        [b's' | b'S', rest @ ..] => !goes_on(rest),
        rest => !goes_on(rest),
    }
}

/// Length of what stands between two words: nothing (`taxId`), or one of ` _-.`, or a dot and a space.
fn gap(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'.', b' ', ..] => Some(2),
        [b' ' | b'_' | b'-' | b'.' | b'\'', ..] => Some(1),
        [next, ..] if next.is_ascii_alphabetic() || *next >= 0x80 => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_word_within_random_text_is_none() {
        let word = ContextWord { rest: &[], begin: Begin::Word, kinds: &[] };
        let found = |text: &str| {
            let at = text.find("Dob").expect("the word is in the text");
            end(&word, text.as_bytes(), at, at + 3).is_some()
        };
        for text in [
            "sqiYvK3vnpUctFGaEQBaqhwNVViDobJU0",
            "SHA256:sqiYvK3vnpUctFGaEQBViDob",
            "DobqiYvK3vnpUctFGaEQBVi",
        ] {
            assert!(!found(text), "{text}");
        }
        for text in ["Dob", "userDob2", "theDobOfTheFirstApplicantOfAll", "x1=abcdefghijklmnopqrst Dob"] {
            assert!(found(text), "{text}");
        }
    }

    const TAX_ID: ContextWord = ContextWord { rest: &["id"], begin: Begin::Word, kinds: &[] };

    fn found(text: &str) -> bool {
        let at = text.to_ascii_lowercase().find("tax").expect("the word is in the text");
        end(&TAX_ID, text.as_bytes(), at, at + 3).is_some()
    }

    #[test]
    fn words_are_known_in_every_way_of_writing() {
        for text in [
            "tax id",
            "TAX_ID:",
            "tax-id",
            "userTaxId",
            "taxid",
            "Tax IDs",
            "tax.id=",
            "TaxIdNumber",
            r"\ntax id",
        ] {
            assert!(found(text), "{text}");
        }
        for text in ["syntax id", "tax ideas", "tax", "taxes id", "tax  id", "tax idé"] {
            assert!(!found(text), "{text}");
        }
    }
}
