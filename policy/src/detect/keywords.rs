//! The organisation's own words: one automaton for all lists, case folded, as words or anywhere.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

use super::budget::{Budget, FINDING_STEPS, HIT_STEPS, Spent};

/// Lists with at most so many bytes in all get the fastest automaton; larger ones the one that is small in memory.
const DFA_BYTES_MAX: usize = 16 << 10;

/// A list of words of the organisation's own, from a policy: reported as `keyword/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeywordList {
    /// `projects`
    pub name: String,
    /// The words, as written.
    pub words: Vec<String>,
    /// Regular expressions, each of which [`check_regex`](super::check_regex) takes.
    pub regexes: Vec<String>,
    /// Match only where no letter or digit touches the word.
    pub whole_word: bool,
}

/// All lists, compiled.
#[derive(Debug)]
pub(super) struct Keywords {
    automaton: AhoCorasick,
    /// For each word of the automaton, its list.
    list_of_word: Vec<u16>,
    /// For each list, whether it matches whole words only.
    whole_word: Vec<bool>,
    folds_beyond_ascii: bool,
}

impl Keywords {
    /// Compiles the lists; `None` if there is no word in them.
    pub(super) fn compile(lists: &[KeywordList]) -> Result<Option<Self>, BuildError> {
        let (mut words, mut list_of_word) = (Vec::new(), Vec::new());
        for (index, list) in (0_u16..).zip(lists) {
            // An empty word would match everywhere.
            for word in list.words.iter().map(|w| w.trim()).filter(|w| !w.is_empty()) {
                words.push(word.to_lowercase());
                list_of_word.push(index);
            }
        }
        if words.is_empty() {
            return Ok(None);
        }
        let bytes: usize = words.iter().map(String::len).sum();
        let kind = if bytes <= DFA_BYTES_MAX { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        // A search for first letters before the automaton pays off for few words only, and costs dearly for many.
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .prefilter(false)
            .kind(Some(kind))
            .build(&words)?;
        Ok(Some(Self {
            automaton,
            list_of_word,
            whole_word: lists.iter().map(|list| list.whole_word).collect(),
            folds_beyond_ascii: words.iter().any(|w| !w.is_ascii()),
        }))
    }

    /// Bytes held.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.automaton.memory_usage() + self.list_of_word.len() * 2
    }

    /// Calls `found` with each word in the text and its list, if `wants` takes the list.
    pub(super) fn scan(
        &self,
        text: &[u8],
        (budget, wants): (&mut Budget, &dyn Fn(u16) -> bool),
        mut found: impl FnMut(Range<usize>, u16),
    ) -> Result<(), Spent> {
        if !self.folds_beyond_ascii || text.is_ascii() {
            return self.scan_folded(text, (budget, wants), &mut found);
        }
        // The automaton folds ASCII only. Lower case may be longer or shorter than upper case, so places in the folded
        // copy are walked back to the text.
        budget.spend(text.len())?;
        let Ok(original) = std::str::from_utf8(text) else { return Ok(()) };
        let folded: Cow<'_, str> = original.chars().flat_map(char::to_lowercase).collect::<String>().into();
        let mut hits = Vec::new();
        let end = self.scan_folded(folded.as_bytes(), (budget, wants), |span, list| hits.push((span, list)));
        hits.sort_unstable_by_key(|(span, _)| span.start);
        let mut cursor = FoldCursor { original, folded_at: 0, original_at: 0 };
        for (span, list) in hits {
            found(cursor.original_span(&span), list);
        }
        end
    }

    fn scan_folded(
        &self,
        text: &[u8],
        (budget, wants): (&mut Budget, &dyn Fn(u16) -> bool),
        mut found: impl FnMut(Range<usize>, u16),
    ) -> Result<(), Spent> {
        budget.spend(text.len())?;
        for hit in self.automaton.find_overlapping_iter(text) {
            budget.spend(HIT_STEPS)?;
            let list = self.list_of_word[hit.pattern().as_usize()];
            if wants(list) && (!self.whole_word[usize::from(list)] || stands_alone(text, &hit.range())) {
                budget.spend(FINDING_STEPS)?;
                found(hit.range(), list);
            }
        }
        Ok(())
    }
}

/// No letter or digit touches the span.
fn stands_alone(text: &[u8], span: &Range<usize>) -> bool {
    let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !touches(last_char(&text[..span.start])) && !touches(first_char(&text[span.end..]))
}

fn last_char(text: &[u8]) -> Option<char> {
    let tail = &text[text.len().saturating_sub(4)..];
    let start = tail.iter().rposition(|b| b & 0xc0 != 0x80)?;
    std::str::from_utf8(&tail[start..]).ok()?.chars().next()
}

fn first_char(text: &[u8]) -> Option<char> {
    let head = &text[..text.len().min(4)];
    head.utf8_chunks().next()?.valid().chars().next()
}

/// Walks from places in a lower-cased copy to places in the original, forward only.
#[derive(Clone)]
struct FoldCursor<'t> {
    original: &'t str,
    folded_at: usize,
    original_at: usize,
}

impl FoldCursor<'_> {
    fn original_span(&mut self, folded: &Range<usize>) -> Range<usize> {
        self.forward_to(folded.start);
        let mut end = self.clone();
        end.forward_to(folded.end);
        self.original_at..end.original_at
    }

    fn forward_to(&mut self, folded: usize) {
        let mut rest = self.original[self.original_at..].chars();
        while self.folded_at < folded
            && let Some(c) = rest.next()
        {
            self.folded_at += c.to_lowercase().map(char::len_utf8).sum::<usize>();
            self.original_at += c.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Vec<KeywordList> {
        let list = |name: &str, words: &[&str], whole_word| KeywordList {
            name: name.to_owned(),
            words: words.iter().map(|w| (*w).to_owned()).collect(),
            regexes: Vec::new(),
            whole_word,
        };
        vec![list("word", &["Bluebird", "Ärger", "project x"], true), list("part", &["falcon", " "], false)]
    }

    fn found(text: &str) -> Vec<(&str, u16)> {
        let keywords = Keywords::compile(&lists()).expect("it compiles").expect("there are words");
        let mut hits = Vec::new();
        let end = keywords.scan(text.as_bytes(), (&mut Budget::of_a_message(), &|_| true), |span, list| {
            hits.push((&text[span], list))
        });
        assert_eq!(end, Ok(()));
        hits
    }

    #[test]
    fn words_stand_alone_and_parts_do_not_have_to() {
        assert_eq!(found("BLUEBIRD, bluebirds and _bluebird_"), [("BLUEBIRD", 0), ("bluebird", 0)]);
        assert_eq!(found("MillenniumFalcons"), [("Falcon", 1)]);
        assert_eq!(found("Project X"), [("Project X", 0)]);
        assert_eq!(found("ébluebird bluebirdß 2bluebird"), []);
    }

    #[test]
    fn letters_beyond_ascii_are_folded_and_found_where_they_stand() {
        assert_eq!(found("İİ ÄRGER ärger ẞFalcon"), [("ÄRGER", 0), ("ärger", 0), ("Falcon", 1)]);
    }

    #[test]
    fn lists_without_words_are_no_automaton() {
        let empty = KeywordList {
            name: "e".to_owned(),
            words: vec![String::new()],
            regexes: Vec::new(),
            whole_word: false,
        };
        assert!(Keywords::compile(&[empty]).expect("it compiles").is_none());
    }

    #[test]
    fn nested_words_on_a_hostile_text_spend_the_budget() {
        let words = (1..2000).map(|n| "a".repeat(n)).collect();
        let nested = KeywordList { name: "n".to_owned(), words, regexes: Vec::new(), whole_word: true };
        let keywords = Keywords::compile(&[nested]).expect("it compiles").expect("there are words");
        let text = vec![b'a'; 1 << 20];
        assert_eq!(keywords.scan(&text, (&mut Budget::of_a_message(), &|_| true), |_, _| ()), Err(Spent));
    }

    #[test]
    fn fifty_thousand_words_stay_small() {
        let words = (0..50_000_u32).map(|n| format!("{:06x}{n}", n.wrapping_mul(0x9e37_79b1) >> 8)).collect();
        let many = KeywordList { name: "m".to_owned(), words, regexes: Vec::new(), whole_word: true };
        let keywords = Keywords::compile(&[many]).expect("it compiles").expect("there are words");
        assert!(keywords.memory_bytes() < 8 << 20, "{} bytes", keywords.memory_bytes());
    }
}
