//! The false-positive stage: values that were made up to show a shape, not to open a door.
//!
//! A random token of 36 characters out of 62 has about 27 distinct ones, and a run of eight equal or consecutive
//! characters, or one of the words below in one case, less than once in ten thousand.
//!
//! Not all that was made up is harmless: somebody types `abcdef1234567890` where a system lets him choose, and people
//! write over a part of a real token before they paste it. So what has a vendor's exact form and only counts or repeats
//! is a finding of low confidence; what says that it stands for something else is none.

use super::any_of::AnyOf;

/// Words of values that stand for another one. They count in lower or in upper case, not mixed, as they would stand in a
/// random token.
static STAND_INS: AnyOf = AnyOf::of(&[
    "changeme",
    "example",
    "insert",
    "placeholder",
    "redacted",
    "replace",
    "yourapi",
    "yourkey",
    "yoursecret",
    "yourtoken",
    "your_",
    "your-",
    "_here",
    "-here",
]);
/// Words of values that were made up.
static INVENTED: AnyOf = AnyOf::of(&["deadbeef", "dummy", "fake", "foobar", "mytoken", "notreal", "sample"]);
/// Fewest distinct characters of a random value of 16 characters or more.
pub(super) const DISTINCT_MIN: u32 = 7;
/// So many equal or consecutive characters in a row are made up.
const RUN_MAX: usize = 8;
/// So many of these in a row as well, for they are what people write for "some characters".
const MASK_RUN_MAX: usize = 4;
/// Beside a run of one character, so many others, and so many different ones, are more than a frame around it.
const BESIDES_MIN: usize = 16;
const BESIDES_DISTINCT_MIN: u32 = 12;

/// Shortest last part of a path that is a secret by itself.
const LAST_PART_MIN: usize = 20;

/// Where a value seems to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// It says that it stands for another value: `EXAMPLE`, `xxxx`, one character again and again.
    StandIn,
    /// Somebody made it up, or wrote over a part of it: it counts, it repeats, it says `fake`.
    Invented,
    /// By chance.
    Drawn,
}

/// Where the value seems to come from.
pub(super) fn origin(value: &[u8]) -> Origin {
    if stands_for_another(value) {
        // Of a path the last part is the secret: the others are names, and may be those of an example.
        let last = memchr::memrchr(b'/', value).map_or(&[][..], |slash| &value[slash + 1..]);
        let is_drawn = last.len() >= LAST_PART_MIN && origin(last) == Origin::Drawn;
        return if is_drawn { Origin::Invented } else { Origin::StandIn };
    }
    if has_long_run(value) || is_monotonous(value) || holds_word(value, &INVENTED) {
        return Origin::Invented;
    }
    Origin::Drawn
}

/// Whether the value looks made up, in one way or the other.
pub(super) fn is_made_up(value: &[u8]) -> bool {
    origin(value) != Origin::Drawn
}

/// Whether it says that it stands for another value.
fn stands_for_another(value: &[u8]) -> bool {
    is_masked(value) || names_another(value)
}

/// Whether one of the words of values that stand for another one stands in it.
pub(super) fn names_another(value: &[u8]) -> bool {
    holds_word(value, &STAND_INS)
}

/// Whether one of the words of made-up values stands in it.
pub(super) fn names_itself(value: &[u8]) -> bool {
    names_another(value) || holds_word(value, &INVENTED)
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

/// Whether a part of it counts up or down, in whatever case, or repeats a character.
pub(super) fn has_long_run(value: &[u8]) -> bool {
    let (mut same, mut up, mut down) = (1, 1, 1);
    for pair in value.windows(2) {
        let pair = [pair[0].to_ascii_lowercase(), pair[1].to_ascii_lowercase()];
        same = if pair[0] == pair[1] { same + 1 } else { 1 };
        up = if pair[0].checked_add(1) == Some(pair[1]) || pair == *b"90" { up + 1 } else { 1 };
        down = if pair[1].checked_add(1) == Some(pair[0]) || pair == *b"09" { down + 1 } else { 1 };
        if same.max(up).max(down) >= RUN_MAX {
            return true;
        }
    }
    false
}

/// Whether a part of it is covered (`xxxx`), or another character again and again is nearly all of it. What has enough
/// besides may have the character for another reason: zero bytes in base64, numbers that are filled up.
fn is_masked(value: &[u8]) -> bool {
    let same = |run: &[u8]| run.iter().all(|b| *b == run[0]);
    if value.windows(MASK_RUN_MAX).any(|run| matches!(run[0], b'x' | b'X' | b'*' | b'.') && same(run)) {
        return true;
    }
    let mut runs = value.chunk_by(|a, b| a == b).filter(|run| run.len() >= RUN_MAX).peekable();
    let Some(first) = runs.peek() else { return false };
    let besides = value.iter().filter(|b| **b != first[0]);
    let (count, seen) = besides.fold((0, 0_u128), |(count, seen), b| (count + 1, seen | 1 << (b & 127)));
    let covered: usize = runs.map(<[u8]>::len).sum();
    count < BESIDES_MIN
        || seen.count_ones() < BESIDES_DISTINCT_MIN
        || count * 2 < value.len()
        || covered * 2 >= value.len()
}

/// Whether it has fewer characters than chance would give it. Digits alone are never many.
fn is_monotonous(value: &[u8]) -> bool {
    value.len() >= 16 && distinct(value) < DISTINCT_MIN && !value.iter().all(u8::is_ascii_digit)
}

/// In lower or in upper case.
fn holds_word(value: &[u8], words: &AnyOf) -> bool {
    words.stands(value, |rest, word| {
        rest.starts_with(word)
            || rest.len() >= word.len()
                && rest.iter().zip(word).all(|(b, w)| !b.is_ascii_lowercase() && b.to_ascii_lowercase() == *w)
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
    fn what_stands_for_a_value_is_told_from_what_somebody_invented() {
        for value in ["IOSFODNN7EXAMPLE", "aXXXXXXXXXXXXb1", "aaaaaaaabbbbbbbb", "insert_token_abcdefghi"] {
            assert_eq!(origin(value.as_bytes()), Origin::StandIn, "{value}");
        }
        for value in [
            "abcdef1234567890abcdef1234567890",
            "9fakef31cc2a9b0d",
            "abbaabbaabbaabba",
            "AAAAAAAAAAq7Zt2LxW9vBn4KdR",
        ] {
            assert_eq!(origin(value.as_bytes()), Origin::Invented, "{value}");
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
