//! What the placeholders of a session stand for. In memory alone, and only for the server that the values came from.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::redact::Replaced;

/// Most placeholders that are remembered; beyond that the oldest is forgotten, and not put back any more.
const KEPT_MAX: usize = 8192;
/// Most bytes of values that are remembered.
const KEPT_BYTES_MAX: usize = 8 << 20;
/// A longer value is not remembered.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// Values by their placeholders.
#[derive(Default)]
pub(super) struct Vault {
    kept: BTreeMap<Box<str>, Kept>,
    /// Oldest first.
    order: VecDeque<Box<str>>,
    bytes: usize,
}

/// What a placeholder of this session is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// It was put in the stead of this.
    Value(Value),
    /// The server itself sent this very text.
    Literal,
    /// More than one thing: two values with the same short hash, or a value and a text of the server.
    Ambiguous,
}

/// A value that the server sent and the client did not get.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: Box<str>,
    /// Stands around the placeholder, and not around the value.
    pub(super) quote: Box<str>,
    pub(super) found: Vec<(Cow<'static, str>, [u8; 8])>,
}

impl Vault {
    /// Remembers what was replaced in a message to the client.
    pub(super) fn keep(&mut self, replaced: Replaced) {
        let Replaced { placeholder, text, quote, found } = replaced;
        if text.len() > VALUE_BYTES_MAX {
            return;
        }
        let (text, quote) = (text.into_boxed_str(), quote.into_boxed_str());
        self.note(placeholder, Kept::Value(Value { text, quote, found }));
    }

    /// Remembers that the server sent a placeholder as it is.
    pub(super) fn note_literal(&mut self, placeholder: &str) {
        self.note(placeholder.to_owned(), Kept::Literal);
    }

    pub(super) fn get(&self, placeholder: &str) -> Option<&Kept> {
        self.kept.get(placeholder)
    }

    fn note(&mut self, placeholder: String, new: Kept) {
        if let Some(known) = self.kept.get_mut(&*placeholder) {
            if !known.is_same(&new) {
                self.bytes -= known.len();
                *known = Kept::Ambiguous;
            }
            return;
        }
        let key = placeholder.into_boxed_str();
        self.bytes += new.len();
        self.kept.insert(key.clone(), new);
        self.order.push_back(key);
        while (self.kept.len() > KEPT_MAX || self.bytes > KEPT_BYTES_MAX)
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.kept.remove(&oldest).map_or(0, |kept| kept.len());
        }
    }
}

impl Kept {
    fn len(&self) -> usize {
        match self {
            Self::Value(value) => value.text.len(),
            Self::Literal | Self::Ambiguous => 0,
        }
    }

    /// Whether a placeholder stands for the same text both times, whoever found it.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(one), Self::Value(other)) => one.text == other.text && one.quote == other.quote,
            (one, other) => one == other,
        }
    }
}

/// Shows how many there are, and nothing of them.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(placeholder: &str, text: &str) -> Replaced {
        Replaced {
            placeholder: placeholder.to_owned(),
            text: text.to_owned(),
            quote: String::new(),
            found: Vec::new(),
        }
    }

    fn is_value(vault: &Vault, placeholder: &str, text: &str) -> bool {
        matches!(vault.get(placeholder), Some(Kept::Value(value)) if &*value.text == text)
    }

    #[test]
    fn a_placeholder_of_two_values_stands_for_none() {
        let mut vault = Vault::default();
        vault.keep(replaced("[1]", "a"));
        vault.keep(replaced("[1]", "a"));
        assert!(is_value(&vault, "[1]", "a"));
        vault.keep(replaced("[1]", "b"));
        assert!(vault.get("[1]") == Some(&Kept::Ambiguous));
        vault.keep(replaced("[1]", "a"));
        assert!(vault.get("[1]") == Some(&Kept::Ambiguous), "it does not become sure again");
        vault.note_literal("[2]");
        vault.keep(replaced("[2]", "a"));
        assert!(vault.get("[2]") == Some(&Kept::Ambiguous));
    }

    #[test]
    fn the_oldest_is_forgotten_first_by_number_and_by_size() {
        let mut vault = Vault::default();
        for number in 0..=KEPT_MAX {
            vault.keep(replaced(&format!("[{number}]"), "a"));
        }
        assert!(vault.get("[0]").is_none() && is_value(&vault, "[1]", "a"));
        assert_eq!((vault.kept.len(), vault.order.len(), vault.bytes), (KEPT_MAX, KEPT_MAX, KEPT_MAX));
        let large = "x".repeat(VALUE_BYTES_MAX);
        for number in 0..9 {
            vault.keep(replaced(&format!("[large {number}]"), &large));
        }
        assert!(vault.get("[large 0]").is_none() && is_value(&vault, "[large 8]", &large));
        assert!(vault.bytes <= KEPT_BYTES_MAX);
        vault.keep(replaced("[larger]", &"x".repeat(VALUE_BYTES_MAX + 1)));
        assert!(vault.get("[larger]").is_none());
        assert!(!format!("{vault:?}").contains('x'));
    }
}
