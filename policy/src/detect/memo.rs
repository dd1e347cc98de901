//! Short strings in which nothing was found: JSON repeats its keys and words line by line.

use super::context::NameSet;

/// Longest string that is remembered.
pub(super) const MEMO_BYTES_MAX: usize = 31;
/// How many are; a newer one takes the place of one that falls on the same slot.
const SLOTS: usize = 64;

/// Strings without findings and the names of assignments in them.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Empty until the first string comes.
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    len: u8,
    text: [u8; MEMO_BYTES_MAX],
    names: NameSet,
}

impl Memo {
    /// The names in a string that was seen before.
    pub(super) fn names(&self, text: &[u8]) -> Option<NameSet> {
        let slot = self.slots.get(slot(text))?;
        let known = slot.text.get(..usize::from(slot.len)).filter(|_| slot.len > 0)?;
        (known == text).then_some(slot.names)
    }

    /// Nothing was found in this string.
    pub(super) fn remember(&mut self, text: &[u8], names: NameSet) {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        let slot = &mut self.slots[slot(text)];
        let Some(room) = slot.text.get_mut(..text.len()) else { return };
        room.copy_from_slice(text);
        slot.len = text.len() as u8;
        slot.names = names;
    }
}

fn slot(text: &[u8]) -> usize {
    let hash = text
        .iter()
        .fold(text.len() as u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    (hash ^ (hash >> 7)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_known_by_all_of_its_bytes() {
        let mut memo = Memo::default();
        let mut names = NameSet::default();
        names.insert(0);
        assert_eq!(memo.names(b"token"), None);
        memo.remember(b"token", names);
        memo.remember(b"", NameSet::default());
        memo.remember(&[b'x'; MEMO_BYTES_MAX + 1], names);
        assert_eq!(memo.names(b"token"), Some(names));
        assert_eq!(memo.names(b""), None);
        assert_eq!(memo.names(&[b'x'; MEMO_BYTES_MAX + 1]), None);
        // One slot, two strings: the newer one is known, and the older one is not taken for it.
        for n in 0..1000_u32 {
            let text = format!("key{n}");
            memo.remember(text.as_bytes(), NameSet::default());
            assert_eq!(memo.names(text.as_bytes()), Some(NameSet::default()));
        }
        assert!((0..1000).filter(|n| memo.names(format!("key{n}").as_bytes()).is_some()).count() <= SLOTS);
    }
}
