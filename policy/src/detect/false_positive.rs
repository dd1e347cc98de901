//! The false-positive stage: values that were made up to show a shape, not to open a door.
//!
//! A random token of 36 characters out of 62 has about 27 distinct ones, and a run of eight equal or consecutive
//! characters, or one of the words below in one case, less than once in ten thousand.

/// Words of made-up values. They count in lower or in upper case, not mixed, as they would stand in a random token.
const WORDS: &[&str] = &[
    "changeme",
    "deadbeef",
    "dummy",
    "example",
    "fake",
    "foobar",
    "insert",
    "mytoken",
    "notreal",
    "placeholder",
    "redacted",
    "replace",
    "sample",
    "yourapi",
    "yourkey",
    "yoursecret",
    "yourtoken",
    "your_",
    "your-",
    "_here",
    "-here",
];
/// With what they begin, in either case.
const FIRST_LETTERS: [bool; 128] = {
    let (mut first, mut at) = ([false; 128], 0);
    while at < WORDS.len() {
        let letter = WORDS[at].as_bytes()[0];
        first[letter as usize] = true;
        first[letter.to_ascii_uppercase() as usize] = true;
        at += 1;
    }
    first
};
/// Fewest distinct characters of a random value of 16 characters or more.
pub(super) const DISTINCT_MIN: u32 = 7;
/// So many equal or consecutive characters in a row are made up.
const RUN_MAX: usize = 8;
/// So many of these in a row as well, for they are what people write for "some characters".
const MASK_RUN_MAX: usize = 4;

/// Whether the value looks made up.
pub(super) fn is_made_up(value: &[u8]) -> bool {
    has_long_run(value) || (value.len() >= 16 && distinct(value) < DISTINCT_MIN) || names_itself(value)
}

/// Upper case, lower case, digits, and not only hex digits: what tells a base64 secret from a hash or a path. One in a
/// thousand random values of 40 characters has no digit.
pub(super) fn is_mixed(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase)
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(|b| b.is_ascii_alphabetic() && !b.is_ascii_hexdigit())
        && distinct(value) >= 16
}

/// How many different ASCII characters there are.
pub(super) fn distinct(value: &[u8]) -> u32 {
    value.iter().fold(0_u128, |seen, b| seen | 1 << (b & 127)).count_ones()
}

fn has_long_run(value: &[u8]) -> bool {
    let (mut same, mut up, mut down) = (1, 1, 1);
    for pair in value.windows(2) {
        same = if pair[0] == pair[1] { same + 1 } else { 1 };
        up = if pair[0].checked_add(1) == Some(pair[1]) || pair == b"90" { up + 1 } else { 1 };
        down = if pair[1].checked_add(1) == Some(pair[0]) || pair == b"09" { down + 1 } else { 1 };
        let masked = matches!(pair[1], b'x' | b'X' | b'*' | b'.') && same >= MASK_RUN_MAX;
        if masked || same.max(up).max(down) >= RUN_MAX {
            return true;
        }
    }
    false
}

/// Whether one of the words of made-up values stands in it.
pub(super) fn names_itself(value: &[u8]) -> bool {
    (0..value.len()).any(|at| {
        let rest = &value[at..];
        FIRST_LETTERS[usize::from(rest[0] & 127)]
            && WORDS.iter().any(|word| {
                // The first character decides almost always, so the rest is hardly ever compared.
                let word = word.as_bytes();
                rest[0].to_ascii_lowercase() == word[0]
                    && rest.len() >= word.len()
                    && (rest.starts_with(word)
                        || rest
                            .iter()
                            .zip(word)
                            .all(|(b, w)| !b.is_ascii_lowercase() && b.to_ascii_lowercase() == *w))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_values_are_known() {
        for value in [
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "IOSFODNN7EXAMPLE",
            "1234567890abcdefghijklmnopqrstuvwxyz",
            "aaaaaaaabbbbbbbbccccccccdddddddd",
            "REPLACE_ME",
            "your_token_here",
            "abababababababababab",
            "87654321zy",
            "Zk3-XXXX-9aQ",
        ] {
            assert!(is_made_up(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn random_values_are_not() {
        for value in
            ["q7Zt2LxW9vBn4KdR6yHc1MsF8gJp3TaE5uXo", "0f3a9c1d2b7e4856", "Jb4tQ9mZ", "4c1e8f0b77d2a9635c0e"]
        {
            assert!(!is_made_up(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_hash_or_a_path_is_not_mixed() {
        assert!(!is_mixed(b"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"));
        assert!(!is_mixed(b"/usr/share/doc/libfoo/examples/README/en"));
        assert!(is_mixed(b"Qm3v/8ZtLr1xWc7YpK0s+NdU5hGbTf2JaEoIiV4C"));
    }
}
