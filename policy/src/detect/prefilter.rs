//! The prefilter: one case-insensitive automaton over the prefixes, names and first words of all built-in detectors.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

use super::tables::KEYWORDS;

/// Up to so many keywords the fastest automaton fits into the memory that the engine may hold.
const DFA_KEYWORDS_MAX: usize = 400;

/// The automaton.
#[derive(Debug)]
pub(super) struct Prefilter(AhoCorasick);

impl Prefilter {
    /// Compiles the keywords of all built-in detectors.
    pub(super) fn compile() -> Result<Self, BuildError> {
        let dfa = KEYWORDS.len() <= DFA_KEYWORDS_MAX;
        let kind = if dfa { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let words = KEYWORDS.iter().map(|(word, _)| word);
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(kind)).build(words).map(Self)
    }

    /// All hits, overlapping ones as well, with the keyword as it is written in the detector and the rules it starts.
    pub(super) fn hits<'t>(
        &self,
        text: &'t [u8],
    ) -> impl Iterator<Item = (Range<usize>, &'static str, &'static [u16])> + use<'_, 't> {
        self.0.find_overlapping_iter(text).map(|hit| {
            let (word, rules) = KEYWORDS[hit.pattern().as_usize()];
            (hit.range(), word, rules)
        })
    }

    /// Bytes held.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.0.memory_usage()
    }
}
