//! Places of certain bytes in a text, eight bytes at a time.

/// After so many words without one of the bytes the next one is far.
const NEAR_WORDS: usize = 4;

/// Calls `found` with each place, in order. Eight bytes are looked at together as long as the places are near each other,
/// as quotes in JSON are: there a search for each next one costs more than all between. From the last one on it is a
/// search.
#[inline]
pub(super) fn each(text: &[u8], bytes: [u8; 3], mut found: impl FnMut(usize)) {
    let [one, two, three] = bytes;
    let spread = bytes.map(|byte| LOWEST * u64::from(byte));
    let mut at = 0;
    loop {
        let mut empty = 0;
        while empty < NEAR_WORDS
            && let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>())
        {
            let mut hits = hits(u64::from_le_bytes(*word), spread);
            empty = if hits == 0 { empty + 1 } else { 0 };
            while hits != 0 {
                let within = (hits.trailing_zeros() / 8) as usize;
                if bytes.contains(&word[within]) {
                    found(at + within);
                }
                hits &= hits - 1;
            }
            at += word.len();
        }
        let Some(next) = memchr::memchr3(one, two, three, &text[at..]) else { return };
        found(at + next);
        at += next + 1;
    }
}

const LOWEST: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = LOWEST << 7;

/// The highest bit of each byte of the word that is one of three, and sometimes of the byte behind one.
#[inline]
fn hits(word: u64, [one, two, three]: [u64; 3]) -> u64 {
    (zeros(word ^ one) | zeros(word ^ two) | zeros(word ^ three)) & HIGHEST
}

/// The highest bit of each byte that is zero, and sometimes of the byte behind one, which it borrows from.
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOWEST) & !word & HIGHEST
}

/// The highest bit of each byte that is below `limit`, which is ASCII, and of no other.
#[inline]
fn below(word: u64, limit: u8) -> u64 {
    !(((word & !HIGHEST) + LOWEST * u64::from(0x80 - limit)) | word) & HIGHEST
}

/// The first byte that is `equal`, or below `limit`.
#[inline]
pub(super) fn first_equal_or_below(text: &[u8], equal: u8, limit: u8) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let hits = below(word, limit) | zeros(word ^ (LOWEST * u64::from(equal)));
        if hits != 0 {
            return Some(8 * number + (hits.trailing_zeros() / 8) as usize);
        }
    }
    let found = rest.iter().position(|byte| *byte == equal || *byte < limit);
    found.map(|found| text.len() - rest.len() + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_once_and_in_order() {
        let far = format!("{}'{}`\"", "x".repeat(100), "#\"#".repeat(3));
        for text in ["", "\"", "'`\"'`\"'`\"'`\"", "\"#\"##!'(`a", "a \"b\": \"c\", \"d\": 'e'", &far] {
            let mut places = Vec::new();
            each(text.as_bytes(), *b"\"'`", |at| places.push(at));
            let slowly: Vec<_> = text.match_indices(['"', '\'', '`']).map(|(at, _)| at).collect();
            assert_eq!(places, slowly, "{text}");
        }
    }

    #[test]
    fn certain_bytes_are_found_in_each_place() {
        for byte in 0..=255 {
            for at in 0..8 {
                let mut eight = *b"0123zZ\xff0";
                eight[at] = byte;
                let text = [&eight[..], &eight[..]].concat();
                for text in [&text[..], &text[1..], &text[4..], &text[8..], &text[9..]] {
                    let slowly = text.iter().position(|byte| *byte == b'_' || *byte < b'0');
                    assert_eq!(first_equal_or_below(text, b'_', b'0'), slowly, "{text:?}");
                }
            }
        }
    }
}
