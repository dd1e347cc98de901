//! Values that are looked for as they are: canaries, and secrets of the server's environment.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};

use super::super::budget::{Budget, FINDING_STEPS, HIT_STEPS, Spent};

/// Up to so many bytes of values, the fastest automaton.
const DFA_BYTES_MAX: usize = 2 << 10;

/// One value.
#[derive(Clone, Copy)]
pub(super) enum Value<'v> {
    /// Found in lower and in upper case too: who copies a bait may retype it.
    Canary(&'v str),
    /// Found as it is.
    Secret(&'v [u8]),
}

/// All values, compiled.
pub(super) struct Planted {
    automaton: AhoCorasick,
    /// For each pattern of the automaton, its detectors.
    detectors_of: Vec<Vec<u16>>,
}

impl std::fmt::Debug for Planted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Planted({} patterns)", self.detectors_of.len())
    }
}

impl Planted {
    /// Compiles them; `None` if there are none.
    pub(super) fn compile(values: &[(u16, Value<'_>)]) -> Result<Option<Self>, BuildError> {
        let mut patterns: Vec<(Vec<u8>, u16)> = Vec::new();
        for (detector, value) in values {
            match value {
                Value::Secret(value) => patterns.push((value.to_vec(), *detector)),
                Value::Canary(value) => {
                    let forms = [(*value).to_owned(), value.to_lowercase(), value.to_uppercase()];
                    patterns.extend(forms.map(|form| (form.into_bytes(), *detector)));
                }
            }
        }
        patterns.retain(|(pattern, _)| !pattern.is_empty());
        patterns.sort_unstable();
        patterns.dedup();
        let mut detectors_of: Vec<Vec<u16>> = Vec::new();
        let mut distinct: Vec<Vec<u8>> = Vec::new();
        for (pattern, detector) in patterns {
            match detectors_of.last_mut().filter(|_| distinct.last() == Some(&pattern)) {
                Some(same) => same.push(detector),
                None => {
                    distinct.push(pattern);
                    detectors_of.push(vec![detector]);
                }
            }
        }
        if distinct.is_empty() {
            return Ok(None);
        }
        let bytes: usize = distinct.iter().map(Vec::len).sum();
        let kind = if bytes <= DFA_BYTES_MAX { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        // Leftmost matches can be searched for with vectors; of values within one another the longest counts.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(kind))
            .build(&distinct)?;
        Ok(Some(Self { automaton, detectors_of }))
    }

    /// Calls `found` with each value in the text and its detector.
    pub(super) fn scan(
        &self,
        text: &[u8],
        budget: &mut Budget,
        mut found: impl FnMut(Range<usize>, u16),
    ) -> Result<(), Spent> {
        budget.spend(text.len())?;
        for hit in self.automaton.find_iter(text) {
            for detector in &self.detectors_of[hit.pattern().as_usize()] {
                budget.spend(HIT_STEPS + FINDING_STEPS)?;
                found(hit.range(), *detector);
            }
        }
        Ok(())
    }
}
