//! Lists of words, with what rules most other words out.

/// A list, and for each first letter the lengths that its words have.
#[derive(Debug)]
pub(super) struct List {
    words: &'static [&'static str],
    lengths: [u32; 32],
}

impl List {
    /// Of words in small letters, or as they are written.
    pub(super) const fn new(words: &'static [&'static str]) -> Self {
        let (mut lengths, mut at) = ([0; 32], 0);
        while at < words.len() {
            let word = words[at].as_bytes();
            // Letters differ from their capitals in a bit above the lowest five.
            lengths[(word[0] & 31) as usize] |= 1 << word.len();
            at += 1;
        }
        Self { words, lengths }
    }

    /// Whether it holds the word, in any case.
    #[inline]
    pub(super) fn has(&self, word: &[u8]) -> bool {
        self.may_have(word) && self.words.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
    }

    /// Whether it holds the word as it is written.
    #[inline]
    pub(super) fn has_exactly(&self, word: &[u8]) -> bool {
        self.may_have(word) && self.words.iter().any(|known| known.as_bytes() == word)
    }

    #[inline]
    fn may_have(&self, word: &[u8]) -> bool {
        let Some(first) = word.first() else { return false };
        word.len() < 32 && self.lengths[usize::from(first & 31)] >> word.len() & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_its_words_and_no_others() {
        const LIST: List = List::new(&["ask", "fianc\u{e9}", "Mr", "\u{fc}ber"]);
        for word in ["ask", "ASK", "Fianc\u{e9}", "mr", "\u{fc}ber"] {
            assert!(LIST.has(word.as_bytes()), "{word}");
        }
        for word in ["", "as", "asks", "akk", "\u{fc}ben", "a word of more than thirty-two bytes"] {
            assert!(!LIST.has(word.as_bytes()), "{word}");
        }
        assert!(LIST.has_exactly(b"Mr") && !LIST.has_exactly(b"mr"));
    }
}
