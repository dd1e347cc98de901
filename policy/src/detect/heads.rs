//! How tokens with a prefix of their own begin.

use super::tables::{KEYWORDS, RULES, Rule};

/// Second bytes, a bit each, of the prefixes that begin with an ASCII byte.
static SECONDS: [u128; 128] = {
    let mut table = [0; 128];
    let mut at = 0;
    while at < KEYWORDS.len() {
        let (word, rules) = (KEYWORDS[at].text.as_bytes(), KEYWORDS[at].rules);
        let mut rule = 0;
        while rule < rules.len() {
            if matches!(RULES[rules[rule] as usize], Rule::Form(_)) {
                table[word[0] as usize] |= 1 << word[1];
            }
            rule += 1;
        }
        at += 1;
    }
    table
};

/// Whether a prefix may begin with the first two bytes of `head`: few of all pairs begin one, and a search for the rest
/// costs more than what is done with the text otherwise.
pub(super) fn may_begin(head: &[u8]) -> bool {
    let [first, second, ..] = head else { return false };
    let seconds = SECONDS.get(usize::from(*first));
    second.is_ascii() && seconds.is_some_and(|seconds| seconds >> second & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_let_through_and_few_other_pairs() {
        let is_form = |rule: &u16| matches!(RULES[usize::from(*rule)], Rule::Form(_));
        for prefix in KEYWORDS.iter().filter(|keyword| keyword.rules.iter().any(is_form)) {
            assert!(may_begin(prefix.text.as_bytes()), "{}", prefix.text);
        }
        let pairs = (0..=u16::MAX).map(u16::to_be_bytes);
        assert!(pairs.filter(|pair| may_begin(pair)).count() < 1000);
        assert!(!may_begin(b"g") && !may_begin(b""));
    }
}
