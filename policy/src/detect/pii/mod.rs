//! Personal data: numbers with their check digits, and what stands behind words like `date of birth`.
//!
//! Two ways lead to a finding. A word of a detector's context (a hit of the prefilter, or the key of the value) has the
//! text behind it tried: [`behind`]. And every run of digits is looked at once for forms that say enough by
//! themselves: [`alone::scan`]. What fits dozens of formats without context is not reported.

mod address;
pub(super) mod alone;
mod bytes;
pub(super) mod check;
mod date;
mod list;
mod name;
mod network;
mod number;
pub(super) mod own;
mod people;
mod phone;
mod place;
mod plain;
pub(super) mod prose;
mod prose_words;
mod wallet;
pub(super) mod words;

use std::ops::Range;

use super::finding::Confidence;
use super::tables::{CharSet, DetectorIndex};
use check::Check;

pub(super) use phone::Calling;

/// One kind of personal data.
#[derive(Debug)]
pub(super) struct Kind {
    /// Whose finding it is.
    pub(super) detector: DetectorIndex,
    /// Which bit of a [`super::context::NameSet`] stands for its context.
    pub(super) slot: u16,
    /// How sure a finding with context is.
    pub(super) confidence: Confidence,
    /// How far behind a word of its context it may begin.
    pub(super) reach_bytes: u8,
    /// How it looks.
    pub(super) look: Look,
}

/// How a kind looks.
#[derive(Debug)]
pub(super) enum Look {
    /// A number of certain lengths and sets of characters, with check digits.
    Number(Number),
    /// A telephone number.
    Phone,
    /// A date.
    Date,
    /// Capitalised words.
    Name,
    /// A line with a house number.
    Address,
    /// A street's word with a house number near it.
    Street,
    /// The same, where the word is the last of the street's name.
    StreetBehind,
    /// A pair of degrees.
    Coordinates,
    /// It shows by itself; no context leads to it.
    Alone,
}

/// A number.
#[derive(Debug)]
pub(super) struct Number {
    /// Letters before it that do not count.
    pub(super) prefixes: &'static [&'static str],
    /// Compact forms: an index into `CLASSES` for each character.
    pub(super) shapes: &'static [&'static [u8]],
    /// What it must fulfil.
    pub(super) checks: &'static [Check],
}

/// A written form that needs no context.
#[derive(Debug)]
pub(super) struct Form {
    /// Lengths and separators of its groups, see [`alone`].
    pub(super) signature: u64,
    /// An index into `CLASSES` for each character of the compact form.
    pub(super) classes: &'static [u8],
    /// Which kind.
    pub(super) kind: u16,
    /// How sure it is.
    pub(super) confidence: Confidence,
}

/// The kind's value behind `from`, where a word of its context ends.
pub(super) fn behind(kind: &Kind, text: &[u8], from: usize) -> Option<Range<usize>> {
    let reach = usize::from(kind.reach_bytes);
    match &kind.look {
        Look::Number(number) => number::behind(number, text, from..text.len().min(from + reach)),
        Look::Phone => phone::behind(text, from..text.len().min(from + reach)),
        Look::Date => date::behind(text, from..text.len().min(from + reach)),
        Look::Name => name::behind(text, from),
        Look::Address => address::behind(text, from),
        Look::Street => address::around(text, from),
        Look::StreetBehind => address::before(text, from),
        Look::Alone => None,
        Look::Coordinates => place::behind(text, from..text.len().min(from + reach)),
    }
}

/// Whether each character is of the class that stands for it.
fn fits(compact: &[u8], classes: &[u8], known: &[CharSet]) -> bool {
    compact.len() == classes.len()
        && compact.iter().zip(classes).all(|(byte, class)| known[usize::from(*class)].contains(*byte))
}

/// A letter or digit, or a byte of a character beyond ASCII.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}
