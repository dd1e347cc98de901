//! The prefilter: one case-insensitive automaton over the prefixes, names and first words of all built-in detectors,
//! made at build time (`build/automaton.rs`).

use std::ops::Range;

use super::tables::{BYTE_CLASSES, FIRST_HIT, HEAD_BYTES, HEADS, KEYWORDS, ROWS};

/// Bits of the number of classes in a row of the table.
const STRIDE_BITS: usize = 6;

/// The automaton; it has no state of its own.
#[derive(Debug)]
pub(super) struct Prefilter;

/// A search under way.
#[derive(Debug)]
struct Hits<'t> {
    text: &'t [u8],
    /// Everything before is done.
    at: usize,
    state: usize,
    /// Keywords whose heads end at `at`.
    pending: &'static [u16],
}

impl Prefilter {
    /// All hits, overlapping ones as well, with the keyword as it is written in the detector and the rules it starts.
    /// They come in the order of the ends of their heads.
    #[expect(clippy::unused_self, reason = "whoever has no engine has no prefilter")]
    pub(super) fn hits<'t>(
        &self,
        text: &'t [u8],
    ) -> impl Iterator<Item = (Range<usize>, &'static str, &'static [u16])> + use<'t> {
        Hits { text, at: 0, state: 0, pending: &[] }
    }

    /// Bytes of the table, which lies in the binary.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(ROWS)
    }
}

impl Hits<'_> {
    /// Goes on to the next state that is a hit; `false` at the end of the text.
    fn advance(&mut self) -> bool {
        for (offset, byte) in self.text[self.at..].iter().enumerate() {
            let class = usize::from(BYTE_CLASSES[usize::from(*byte)]);
            self.state = usize::from(u16::from_le_bytes(ROWS[self.state << STRIDE_BITS | class]));
            if self.state >= FIRST_HIT {
                self.pending = HEADS[self.state - FIRST_HIT];
                self.at += offset + 1;
                return true;
            }
        }
        self.at = self.text.len();
        false
    }
}

impl Iterator for Hits<'_> {
    type Item = (Range<usize>, &'static str, &'static [u16]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some((keyword, rest)) = self.pending.split_first() {
                self.pending = rest;
                let (word, rules) = KEYWORDS[usize::from(*keyword)];
                let start = self.at - word.len().min(HEAD_BYTES);
                let span = start..start + word.len();
                if self.text.get(span.clone()).is_some_and(|t| t.eq_ignore_ascii_case(word.as_bytes())) {
                    return Some((span, word, rules));
                }
            }
            if !self.advance() {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a search without an automaton finds.
    fn slowly(text: &str) -> Vec<(usize, &'static str)> {
        let holds = |at: usize, word: &str| {
            text.as_bytes()[at..].get(..word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word.as_bytes()))
        };
        let at =
            |at| KEYWORDS.iter().filter(move |(word, _)| holds(at, word)).map(move |(word, _)| (at, *word));
        (0..text.len()).flat_map(at).collect()
    }

    #[test]
    fn every_keyword_is_found_wherever_it_stands() {
        let all: String =
            KEYWORDS.iter().map(|(word, _)| format!("{word}{}x", word.to_uppercase())).collect();
        for text in
            [&*all, "ghghp_ghp_GHP_xoxe.xoxp-xoxb-", "AKIAKIASIAIza", "é-----BEGIN", "secret_access_ke", ""]
        {
            let mut hits: Vec<_> =
                Prefilter.hits(text.as_bytes()).map(|(span, word, _)| (span.start, word)).collect();
            hits.sort_unstable();
            assert_eq!(hits, slowly(text));
        }
    }
}
