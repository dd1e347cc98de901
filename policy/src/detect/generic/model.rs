//! Whether a value looks drawn by chance: how likely its letters follow each other in text, and whether it is words.
//! The tables are computed at build time from `build/words.txt`.

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The edge of a word in [`PAIRS`].
const EDGE: usize = 26;
/// Eighths of a bit: a digit beside a letter is rare in text, and every second pair of a random string.
const DIGIT_BESIDE_LETTER: i32 = -12;
/// A capital after a small letter: a new word in a name, or chance.
const CASE_SWITCH: i32 = -8;
/// Longest word of the list, and a bit.
const WORD_MAX: usize = 24;
/// Shorter words than the list has, of which names are made.
const SHORT_WORDS: &[&[u8]] = &[
    b"a", b"i", b"x", b"n", b"s", b"e", b"of", b"to", b"is", b"in", b"on", b"no", b"my", b"me", b"db", b"id",
    b"io", b"ip", b"js", b"ok", b"os", b"ui", b"us", b"eu", b"vm", b"at", b"by", b"do", b"go", b"it", b"or",
    b"up", b"ns", b"qa", b"ci", b"cd", b"pw", b"pk", b"sk", b"ts", b"py", b"rs", b"tf", b"ad", b"as", b"an",
    b"am", b"be", b"we",
];

/// How many eighths of a bit likelier the value is as text than as a random string; below zero it is likelier random.
pub(super) fn text_likelihood(value: &[u8]) -> i32 {
    let mut score = 0;
    let mut before = None::<u8>;
    for &byte in value {
        score += match before {
            Some(before) => pair(before, byte),
            None if byte.is_ascii_alphabetic() => likelihood(EDGE, letter(byte)),
            None => 0,
        };
        before = Some(byte);
    }
    match before {
        Some(last) if last.is_ascii_alphabetic() => score + likelihood(letter(last), EDGE),
        _ => score,
    }
}

/// Whether the letters of the value are words, whatever stands between them.
pub(super) fn is_words(value: &[u8]) -> bool {
    let mut seen = false;
    for run in value.split(|b| !b.is_ascii_alphabetic()).filter(|run| !run.is_empty()) {
        seen = true;
        if !humps(run).all(|hump| made_of_words(run, hump)) {
            return made_of_words_in_all(value);
        }
    }
    seen
}

/// Whether `word` stands in the list, in any case.
pub(super) fn is_word(word: &[u8]) -> bool {
    if word.len() < 3 {
        return SHORT_WORDS.iter().any(|short| short.eq_ignore_ascii_case(word));
    }
    WORD_HASHES.binary_search(&word_hash(word)).is_ok()
}

/// What FNV-1a starts with.
pub(super) const HASH_START: u32 = 0x811c_9dc5;

/// FNV-1a of the word in lower case.
pub(super) const fn word_hash(word: &[u8]) -> u32 {
    let (mut hash, mut at) = (HASH_START, 0);
    while at < word.len() {
        hash = hash_on(hash, word[at]);
        at += 1;
    }
    hash
}

/// The hash with one more byte.
pub(super) const fn hash_on(hash: u32, byte: u8) -> u32 {
    (hash ^ byte.to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193)
}

/// The parts of a run of letters that begin with a capital: `readerName` is two, `HTTPServer` as well.
pub(super) fn humps(run: &[u8]) -> impl Iterator<Item = (usize, usize)> + use<'_> {
    let begins = |at: usize| {
        let (before, this) = (run[at - 1], run[at]);
        let next_is_small = run.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        this.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_is_small))
    };
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= run.len() {
            return None;
        }
        let end = (start + 1..run.len()).find(|at| begins(*at)).unwrap_or(run.len());
        let hump = (start, end);
        start = end;
        Some(hump)
    })
}

fn made_of_words(run: &[u8], (start, end): (usize, usize)) -> bool {
    splits(&run[start..end])
}

/// Capitals within words (`PassWord`, `GitHub`) hide no words.
fn made_of_words_in_all(value: &[u8]) -> bool {
    value.split(|b| !b.is_ascii_alphabetic()).filter(|run| !run.is_empty()).all(splits)
}

/// Whether the letters can be split into words; those behind the first have at least three.
fn splits(letters: &[u8]) -> bool {
    if is_word(letters) {
        return true;
    }
    if letters.len() > 2 * WORD_MAX {
        return false;
    }
    // `reach` has a bit for each place that words lead to.
    let mut reach = 1_u64;
    for end in 2..=letters.len() {
        let from = end.saturating_sub(WORD_MAX);
        let whole = |start: usize| {
            let part = &letters[start..end];
            (part.len() >= 3 || start == 0) && reach >> start & 1 == 1 && (is_word(part) || is_plural(part))
        };
        if (from..end - 1).any(whole) {
            reach |= 1 << end;
        }
    }
    reach >> letters.len() & 1 == 1
}

fn is_plural(word: &[u8]) -> bool {
    word.len() > 4 && word.ends_with(b"s") && is_word(&word[..word.len() - 1])
}

fn pair(before: u8, byte: u8) -> i32 {
    match (before.is_ascii_alphabetic(), byte.is_ascii_alphabetic()) {
        (true, true) if before.is_ascii_lowercase() && byte.is_ascii_uppercase() => {
            CASE_SWITCH + likelihood(letter(before), EDGE) + likelihood(EDGE, letter(byte))
        }
        (true, true) => likelihood(letter(before), letter(byte)),
        (true, false) if byte.is_ascii_digit() => DIGIT_BESIDE_LETTER,
        (false, true) if before.is_ascii_digit() => DIGIT_BESIDE_LETTER,
        (true, false) => likelihood(letter(before), EDGE),
        (false, true) => likelihood(EDGE, letter(byte)),
        (false, false) => 0,
    }
}

fn likelihood(before: usize, next: usize) -> i32 {
    i32::from(PAIRS[before][next])
}

fn letter(byte: u8) -> usize {
    usize::from(byte.to_ascii_lowercase() - b'a')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sentences_read_like_text() {
        for value in [
            "getUserPasswordField",
            "my-service-account",
            "Reset your password",
            "connection_string",
            "contrasena",
        ] {
            assert!(text_likelihood(value.as_bytes()) > 0, "{value}: {}", text_likelihood(value.as_bytes()));
        }
    }

    #[test]
    fn random_strings_do_not() {
        for value in ["xkqzvbwjtn", "q7Zt2LxW9vBn4KdR", "hvjfqxo", "Jb4tQ9mZx2", "wze8f3155gbmhdfq"] {
            assert!(
                text_likelihood(value.as_bytes()) < -24,
                "{value}: {}",
                text_likelihood(value.as_bytes())
            );
        }
    }

    #[test]
    fn words_are_known_however_they_are_joined() {
        for value in [
            "password",
            "my-secret-token",
            "accessToken",
            "HTTPServerName",
            "testpassword",
            "GitHub",
            "user.name",
        ] {
            assert!(is_words(value.as_bytes()), "{value}");
        }
        for value in ["", "1234", "hvjfqxo", "Tr0ub4dor"] {
            assert!(!is_words(value.as_bytes()), "{value}");
        }
    }
}
