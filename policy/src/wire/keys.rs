//! Finds keys that stand twice in one object. Memory is bounded by the keys of the objects that are open.

use std::cmp::Ordering;

use super::refusal::{Fault, Refusal};
use super::string::unescape_into;

/// Up to this many keys an object's new key is compared with each one before it. Beyond it, all are sorted once
/// when the object closes: no attacker can choose keys that make this slow, as he could with a hash table.
const LINEAR_MAX: usize = 16;

/// The keys of all open objects, innermost last.
#[derive(Debug, Default)]
pub(super) struct OpenKeys {
    keys: Vec<Key>,
    /// Decoded text of those keys that hold an escape.
    decoded: String,
}

/// Where the keys of one object begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    keys: usize,
    decoded: usize,
}

/// A key as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawKey<'t> {
    /// Offset of its opening quote.
    pub(super) at: usize,
    /// What stands between the quotes.
    pub(super) inside: &'t str,
    /// A backslash stands in it.
    pub(super) escaped: bool,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    hash: u64,
    /// Opening quote, for the report.
    at: u32,
    /// Range in the text or in `decoded`.
    from: u32,
    to: u32,
    escaped: bool,
}

impl OpenKeys {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.decoded.clear();
    }

    pub(super) fn shrink(&mut self, capacity_bytes_max: usize) {
        if self.keys.capacity() * size_of::<Key>() > capacity_bytes_max {
            self.keys = Vec::new();
        }
        if self.decoded.capacity() > capacity_bytes_max {
            self.decoded = String::new();
        }
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.keys.capacity() * size_of::<Key>() + self.decoded.capacity()
    }

    /// An object opens.
    pub(super) fn mark(&self) -> Mark {
        Mark { keys: self.keys.len(), decoded: self.decoded.len() }
    }

    /// A key of the innermost object, which opened at `mark`. `text` is the whole text.
    pub(super) fn add(&mut self, text: &str, mark: Mark, raw: RawKey<'_>) -> Result<(), Fault> {
        let (from, to) = if raw.escaped {
            let from = self.decoded.len();
            unescape_into(raw.inside, &mut self.decoded);
            (from, self.decoded.len())
        } else {
            (raw.at + 1, raw.at + 1 + raw.inside.len())
        };
        let key = Key {
            hash: hash(if raw.escaped { &self.decoded.as_bytes()[from..to] } else { raw.inside.as_bytes() }),
            at: offset(raw.at),
            from: offset(from),
            to: offset(to),
            escaped: raw.escaped,
        };
        let siblings = &self.keys[mark.keys..];
        if siblings.len() < LINEAR_MAX
            && siblings.iter().any(|other| compare(text, &self.decoded, other, &key) == Ordering::Equal)
        {
            return Err(Fault::new(Refusal::DuplicateKey, raw.at));
        }
        self.keys.push(key);
        Ok(())
    }

    /// The innermost object closes.
    pub(super) fn close(&mut self, text: &str, mark: Mark) -> Result<(), Fault> {
        if self.keys.len() - mark.keys > LINEAR_MAX {
            let decoded = &self.decoded;
            let siblings = &mut self.keys[mark.keys..];
            siblings.sort_unstable_by(|a, b| compare(text, decoded, a, b));
            let twice = siblings
                .windows(2)
                .filter(|pair| compare(text, decoded, &pair[0], &pair[1]) == Ordering::Equal)
                .map(|pair| pair[0].at.max(pair[1].at))
                .min();
            if let Some(at) = twice {
                return Err(Fault::new(Refusal::DuplicateKey, at as usize));
            }
        }
        self.keys.truncate(mark.keys);
        self.decoded.truncate(mark.decoded);
        Ok(())
    }
}

fn compare(text: &str, decoded: &str, a: &Key, b: &Key) -> Ordering {
    let bytes = |key: &Key| {
        let source = if key.escaped { decoded } else { text };
        &source.as_bytes()[key.from as usize..key.to as usize]
    };
    a.hash.cmp(&b.hash).then_with(|| bytes(a).cmp(bytes(b)))
}

/// Frames are shorter than 4 GiB: `Parser` refuses longer ones before anything is read.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Spreads keys so that most comparisons end at one integer; equality is always decided by the bytes.
fn hash(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = key.as_chunks::<8>();
    let mix = |state: u64, word: u64| (state ^ word).wrapping_mul(FACTOR).rotate_left(29);
    let state = words.iter().fold(key.len() as u64, |state, word| mix(state, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte));
    mix(state, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_the_same_hash_are_told_apart_by_their_bytes() {
        // Found by search. After a change of `hash`, search again: the second word has to undo what the first did.
        let [key, other] = ["sixteen-letters!", "fhwpaddgE1eOs6rv"];
        assert_eq!(hash(key.as_bytes()), hash(other.as_bytes()));
        let text = format!("\"{key}\"\"{other}\"");
        let mut keys = OpenKeys::default();
        let mark = keys.mark();
        let raw = |at: usize| RawKey { at, inside: &text[at + 1..at + 17], escaped: false };
        assert_eq!(keys.add(&text, mark, raw(0)), Ok(()));
        assert_eq!(keys.add(&text, mark, raw(18)), Ok(()));
        assert_eq!(keys.add(&text, mark, raw(0)), Err(Fault::new(Refusal::DuplicateKey, 0)));
    }
}
