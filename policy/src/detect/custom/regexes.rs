//! Regular expressions of the organisation's keyword lists. The crate takes linear time for one search; so that many
//! searches of one text do as well, and so that a match fits into a window, what an expression matches has a greatest length.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::super::budget::{Budget, FINDING_STEPS, HIT_STEPS, Spent};
use super::super::keywords::KeywordList;

/// Longest match, in bytes.
pub(crate) const MATCH_BYTES_MAX: usize = 1024;
/// Longest expression, in bytes.
const REGEX_BYTES_MAX: usize = 1024;
/// Largest compiled expression, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Largest compiled set of all expressions, in bytes.
const SET_BYTES_MAX: usize = 16 << 20;

/// Why a regular expression cannot be one of a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexRefused {
    /// It is none, or uses what cannot be searched in linear time (look-around, back references).
    #[error("not a regular expression: {0}")]
    Syntax(String),
    /// It matches where nothing stands.
    #[error("it matches an empty text, so it is found everywhere")]
    Empty,
    /// What it matches may be of any length.
    #[error("what it matches may be longer than {MATCH_BYTES_MAX} bytes")]
    Unbounded,
    /// It is too long, or compiles to too much.
    #[error("it is too large")]
    TooLarge,
}

impl RegexRefused {
    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Syntax(_) => {
                "the syntax is that of the crate `regex`, without look-around and back references"
            }
            Self::Empty => "say what has to be there: `[0-9]+` becomes `[0-9]{4,12}`, not `[0-9]*`",
            Self::Unbounded => "give each repetition an end: `[A-Z]{1,40}` instead of `[A-Z]+`",
            Self::TooLarge => "split it into several, or repeat less",
        }
    }
}

/// Whether a list may have this expression.
///
/// # Errors
/// When it may not.
pub fn check_regex(text: &str) -> Result<(), RegexRefused> {
    if text.len() > REGEX_BYTES_MAX {
        return Err(RegexRefused::TooLarge);
    }
    let parsed =
        regex_syntax::parse(text).map_err(|error| RegexRefused::Syntax(short(&error.to_string())))?;
    let properties = parsed.properties();
    if properties.minimum_len().unwrap_or(0) == 0 {
        return Err(RegexRefused::Empty);
    }
    if properties.maximum_len().is_none_or(|len| len > MATCH_BYTES_MAX) {
        return Err(RegexRefused::Unbounded);
    }
    compile(text).map(|_| ()).map_err(|_| RegexRefused::TooLarge)
}

/// The last line of the crate's message, which says what is wrong; the others draw the expression.
fn short(message: &str) -> String {
    let last = message.lines().last().unwrap_or(message);
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build()
}

/// The expressions of all lists, compiled.
#[derive(Debug)]
pub(super) struct Regexes {
    /// Which of them match at all: one pass for all.
    set: RegexSet,
    each: Vec<(Regex, u16)>,
}

impl Regexes {
    /// Compiles them; `None` if there are none.
    pub(super) fn compile(lists: &[KeywordList]) -> Result<Option<Self>, regex::Error> {
        let all =
            || (0_u16..).zip(lists).flat_map(|(at, list)| list.regexes.iter().map(move |one| (one, at)));
        if all().next().is_none() {
            return Ok(None);
        }
        let set = RegexSetBuilder::new(all().map(|(text, _)| text))
            .size_limit(SET_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .build()?;
        let each =
            all().map(|(text, list)| Ok((compile(text)?, list))).collect::<Result<_, regex::Error>>()?;
        Ok(Some(Self { set, each }))
    }

    /// Calls `found` with each match and its list, if `wants` takes the list.
    pub(super) fn scan(
        &self,
        text: &[u8],
        (budget, wants): (&mut Budget, &dyn Fn(u16) -> bool),
        mut found: impl FnMut(Range<usize>, u16),
    ) -> Result<(), Spent> {
        budget.spend(text.len())?;
        for at in &self.set.matches(text) {
            let Some((regex, list)) = self.each.get(at).filter(|(_, list)| wants(*list)) else { continue };
            budget.spend(text.len())?;
            for hit in regex.find_iter(text) {
                budget.spend(HIT_STEPS + FINDING_STEPS)?;
                found(hit.range(), *list);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, regexes: &[&str]) -> KeywordList {
        let regexes = regexes.iter().map(|one| (*one).to_owned()).collect();
        KeywordList { name: name.to_owned(), words: Vec::new(), regexes, whole_word: true }
    }

    #[test]
    fn what_would_match_everywhere_or_for_ever_is_refused() {
        for (text, refused) in [
            ("[0-9]*", RegexRefused::Empty),
            ("a|", RegexRefused::Empty),
            (r"\b", RegexRefused::Empty),
            ("[A-Z]+", RegexRefused::Unbounded),
            ("(?s).{1,2000}", RegexRefused::Unbounded),
            ("x".repeat(1025).as_str(), RegexRefused::TooLarge),
            (r"(\w{1,10}){1,90}", RegexRefused::Unbounded),
        ] {
            assert_eq!(check_regex(text), Err(refused), "{text}");
        }
        for text in ["(", r"(?=a)b", r"(a)\1", "[z-a]"] {
            let refused = check_regex(text).expect_err(text);
            assert!(matches!(&refused, RegexRefused::Syntax(why) if !why.is_empty()), "{refused}");
        }
        assert_eq!(check_regex(r"(?i)\bEMP-[0-9]{6}\b"), Ok(()));
    }

    #[test]
    fn every_match_is_found_where_it_stands() {
        let lists = [list("a", &["EMP-[0-9]{6}", "(?i)case [0-9]{3}"]), list("b", &[r"\bPRJ[A-Z]{2,4}\b"])];
        let regexes = Regexes::compile(&lists).expect("they compile").expect("there are some");
        let text = "é EMP-123456, Case 123 and PRJABC, no PRJABCDE; EMP-654321";
        let mut found = Vec::new();
        let scanned = regexes.scan(text.as_bytes(), (&mut Budget::of_a_message(), &|_| true), |span, at| {
            found.push((&text[span], at));
        });
        assert_eq!(scanned, Ok(()));
        assert_eq!(found, [("EMP-123456", 0), ("EMP-654321", 0), ("Case 123", 0), ("PRJABC", 1)]);
        found.clear();
        let only = |list| list == 1;
        let _ = regexes.scan(text.as_bytes(), (&mut Budget::of_a_message(), &only), |span, at| {
            found.push((&text[span], at));
        });
        assert_eq!(found, [("PRJABC", 1)]);
        assert!(Regexes::compile(&[list("none", &[])]).expect("nothing compiles").is_none());
    }

    #[test]
    fn a_text_full_of_matches_spends_the_budget() {
        let regexes = Regexes::compile(&[list("a", &["a"])]).expect("it compiles").expect("there is one");
        let text = vec![b'a'; 4 << 20];
        assert_eq!(regexes.scan(&text, (&mut Budget::of_a_message(), &|_| true), |_, _| ()), Err(Spent));
    }
}
