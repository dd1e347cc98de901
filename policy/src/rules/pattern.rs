//! Patterns of policy files: `*` stands for any run of characters, everything else for itself.

/// A compiled pattern. Matching takes time linear in the text: the pieces between the stars are searched one after
/// the other, and none is ever tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// What stands before, between and behind the stars; at least one piece.
    pieces: Vec<Box<str>>,
}

impl Pattern {
    /// Compiles; there are no wrong patterns.
    pub(crate) fn new(pattern: &str) -> Self {
        Self { pieces: pattern.split('*').map(Box::from).collect() }
    }

    /// Does the whole text fit?
    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = &self.pieces[..] else {
            return self.pieces.first().is_some_and(|only| **only == *text);
        };
        let Some(rest) = text.strip_prefix(&**first) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(&**last) else {
            return false;
        };
        // The leftmost place of each piece leaves the most room for those behind it, so no other place can do better.
        for piece in middle {
            let Some(at) = rest.find(&**piece) else {
                return false;
            };
            rest = &rest[at + piece.len()..];
        }
        true
    }

    /// Whether it is nothing but stars.
    pub(crate) fn is_any(&self) -> bool {
        self.pieces.len() > 1 && self.pieces.iter().all(|piece| piece.is_empty())
    }

    /// The one text that it matches, if it has no star.
    pub(crate) fn literal(&self) -> Option<&str> {
        match &self.pieces[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Characters that stand for themselves: the more there are, the more specific the pattern is.
    pub(crate) fn literal_chars(&self) -> usize {
        self.pieces.iter().map(|piece| piece.chars().count()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).matches(text)
    }

    #[test]
    fn a_star_is_any_run_and_everything_else_is_literal() {
        for (pattern, text) in [
            ("a", "a"),
            ("*", ""),
            ("*", "anything/at all"),
            ("merge_*", "merge_"),
            ("merge_*", "merge_pull_request"),
            ("*_file", "read_file"),
            ("a*b*c", "abc"),
            ("a*b*c", "a-b-b-c"),
            ("a**b", "ab"),
            ("*ab*ab*", "abab"),
            ("?[a-z]", "?[a-z]"),
            ("ü*", "über"),
        ] {
            assert!(matches(pattern, text), "{pattern} must match {text}");
        }
        for (pattern, text) in [
            ("a", "A"),
            ("a", "ab"),
            ("merge_*", "xmerge_"),
            ("*_file", "read_files"),
            ("ab*ba", "aba"),
            ("*ab*ab*", "aba"),
            ("?", "x"),
            ("", "x"),
        ] {
            assert!(!matches(pattern, text), "{pattern} must not match {text}");
        }
    }

    #[test]
    fn many_stars_over_a_long_text_take_no_time() {
        // A backtracking matcher needs more steps here than there are atoms; this test would never end.
        let pattern = Pattern::new(&format!("{}b", "a*".repeat(500)));
        assert!(!pattern.matches(&"a".repeat(100_000)));
    }
}
