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
    if word.len() < 3 { is_short_word(word) } else { is_hash_of_word(word_hash(word)) }
}

/// Whether a word of one letter or two is one.
fn is_short_word(word: &[u8]) -> bool {
    let place = |byte: u8| byte.to_ascii_lowercase().wrapping_sub(b'a');
    match *word {
        [one] => place(one) < 26 && SHORT[26] >> place(one) & 1 == 1,
        [one, two] => {
            place(one) < 26 && place(two) < 26 && SHORT[usize::from(place(one))] >> place(two) & 1 == 1
        }
        _ => false,
    }
}

/// For each first letter the second ones of [`SHORT_WORDS`], a bit each; behind them the words of one letter.
static SHORT: [u32; 27] = {
    let (mut table, mut at) = ([0; 27], 0);
    while at < SHORT_WORDS.len() {
        match *SHORT_WORDS[at] {
            [one] => table[26] |= 1 << (one - b'a'),
            [one, two] => table[(one - b'a') as usize] |= 1 << (two - b'a'),
            _ => panic!("a word of one letter or two"),
        }
        at += 1;
    }
    table
};

/// A bit for each of the highest bits of a hash that a word of the list has: nine in ten that are no word show here.
static MAY_BE_WORD: [u64; 1024] = {
    let (mut table, mut at) = ([0; 1024], 0);
    while at < WORD_HASHES.len() {
        let high = WORD_HASHES[at] >> 16;
        table[(high / 64) as usize] |= 1 << (high % 64);
        at += 1;
    }
    table
};

fn is_hash_of_word(hash: u32) -> bool {
    let high = hash >> 16;
    MAY_BE_WORD[(high / 64) as usize] >> (high % 64) & 1 == 1 && WORD_HASHES.binary_search(&hash).is_ok()
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
    for start in 0..letters.len() {
        if reach >> start == 0 {
            return false;
        }
        if reach >> start & 1 == 1 {
            reach |= words_at(&letters[start..], start == 0) << start;
        }
    }
    reach >> letters.len() & 1 == 1
}

/// Where the words and plurals end with which the letters begin, a bit each.
fn words_at(letters: &[u8], is_first: bool) -> u64 {
    let (mut ends, mut hash, mut before) = (0, HASH_START, false);
    for (len, byte) in (1_usize..).zip(letters.iter().take(WORD_MAX)) {
        hash = hash_on(hash, *byte);
        let is_one = match len {
            0 | 1 => continue,
            2 => is_first && is_short_word(&letters[..2]),
            _ => is_hash_of_word(hash),
        };
        let is_plural = len > 4 && *byte == b's' && before;
        ends |= u64::from(is_one || is_plural) << len;
        before = is_one;
    }
    ends
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
