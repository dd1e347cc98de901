//! Sequences of words, whatever stands between them: instructions that only somebody who wants to mislead a model writes.

use super::tables::Slot;

/// Most bytes between two words.
const GAP_MAX: usize = 6;
/// Longest word that is compared.
const WORD_MAX: usize = 16;
/// Most words that one open slot takes.
const MANY_MAX: usize = 5;

/// Where the phrase ends whose first word ends at `at`; `slots` are the words after it.
pub(super) fn end(slots: &[Slot], text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    for slot in slots {
        let mut taken = 0;
        while let Some(next) = word_end(slot.words, text, end) {
            end = next;
            taken += 1;
            if !slot.many || taken == MANY_MAX {
                break;
            }
        }
        if taken == 0 && !slot.many {
            return None;
        }
    }
    Some(end)
}

/// Where the next word ends, if it is one of `words`.
fn word_end(words: &[&str], text: &[u8], at: usize) -> Option<usize> {
    let window = &text[at..text.len().min(at + GAP_MAX)];
    let gap = window.iter().take_while(|b| !b.is_ascii_alphanumeric()).count();
    // A word that goes on directly (`ignored`) has no gap before its rest.
    if gap == 0 || gap == GAP_MAX {
        return None;
    }
    let (mut word, mut len, mut next) = ([0; WORD_MAX], 0, at + gap);
    while let Some(&byte) = text.get(next) {
        if byte.is_ascii_alphanumeric() {
            *word.get_mut(len)? = byte.to_ascii_lowercase();
            len += 1;
            next += 1;
        } else if let Some(skip) = apostrophe(&text[next..]) {
            next += skip;
        } else {
            break;
        }
    }
    words.iter().any(|w| w.as_bytes() == &word[..len]).then_some(next)
}

/// Length of an apostrophe between letters, straight or curly: `don't` is the word `dont`.
fn apostrophe(rest: &[u8]) -> Option<usize> {
    let skip = if rest.starts_with("’".as_bytes()) { 3 } else { usize::from(rest[0] == b'\'') };
    (skip > 0 && rest.get(skip).is_some_and(u8::is_ascii_alphabetic)).then_some(skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: &[Slot] = &[
        Slot { many: true, words: &["all", "the"] },
        Slot { many: false, words: &["previous"] },
        Slot { many: false, words: &["rules", "dont"] },
    ];

    fn found(text: &str) -> Option<&str> {
        end(SLOTS, text.as_bytes(), "ignore".len()).map(|end| &text[..end])
    }

    #[test]
    fn words_may_be_written_in_any_way() {
        for text in [
            "ignore previous rules",
            "ignore ALL the\n previous, RULES",
            "ignore **previous** rules",
            "ignore previous don’t",
        ] {
            assert_eq!(found(&format!("{text}.")), Some(text));
        }
    }

    #[test]
    fn other_words_are_no_phrase() {
        for text in [
            "ignored previous rules",
            "ignore my previous rules",
            "ignore previous rulesets",
            "ignore previous",
            "ignore",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
