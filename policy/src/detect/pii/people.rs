//! Names of people as data: which words are given names, which are family names, and which say little because they are as
//! well words, places or products.
//!
//! The lists (`profiles/names/*.txt`) are of letters a-z; a word is compared without its accents. Family names are too many
//! for any list, so endings count as well that hardly another word has.

/// What the lists say about a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// It is a given name.
    pub(super) given: bool,
    /// It is a family name, or ends as only family names do.
    pub(super) family: bool,
    /// How much it says by itself.
    pub(super) strength: Strength,
}

/// How much a name says by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Strength {
    /// Hardly anything else is called so.
    #[default]
    Strong,
    /// It is as well a word, a place or a product, or so short that it could be anything.
    Weak,
}

/// Longest name.
const NAME_MAX: usize = 24;
/// A shorter word could be anything; a family name needs a letter more.
const STRONG_MIN: usize = 3;
const GIVEN: u8 = 1 << 5;
const FAMILY: u8 = 2 << 5;
const WEAK: u8 = 4 << 5;
const LENGTH: u8 = 0x1f;

/// Endings of family names, and how long such a word has to be: Slavic, Nordic, Baltic, Hungarian, Greek, Armenian, Georgian,
/// German, Italian, Portuguese, Spanish.
const ENDINGS: &[(&str, usize)] = &[
    ("adze", 7),
    ("anova", 8),
    ("ansen", 7),
    ("ensen", 7),
    ("assen", 9),
    ("aitis", 7),
    ("askas", 8),
    ("auskas", 8),
    ("bauer", 7),
    ("czyk", 6),
    ("dottir", 8),
    ("ainen", 7),
    ("oinen", 7),
    ("eira", 7),
    ("elli", 7),
    ("enko", 6),
    ("escu", 6),
    ("etti", 7),
    ("evic", 6),
    ("evich", 7),
    ("ewicz", 7),
    ("eyev", 6),
    ("gaard", 7),
    ("idis", 7),
    ("inova", 7),
    ("inska", 7),
    ("inski", 7),
    ("shvili", 9),
    ("kova", 6),
    ("kovsky", 8),
    ("lund", 7),
    ("nsky", 6),
    ("nyan", 7),
    ("oglu", 7),
    ("opoulos", 9),
    ("opoulou", 9),
    ("ovic", 6),
    ("ovich", 7),
    ("ovna", 7),
    ("ovska", 7),
    ("ovski", 7),
    ("ovsky", 7),
    ("owicz", 7),
    ("owska", 7),
    ("owski", 7),
    ("poulos", 8),
    ("quist", 7),
    ("qvist", 7),
    ("rova", 6),
    ("ryan", 8),
    ("sheva", 7),
    ("sson", 7),
    ("dstrom", 7),
    ("gstrom", 7),
    ("kstrom", 7),
    ("rstrom", 7),
    ("syan", 7),
    ("tseva", 7),
    ("vicius", 8),
    ("vych", 6),
    ("wska", 6),
    ("wski", 6),
    ("yeva", 6),
    ("ieva", 6),
];

/// For each letter the endings that have it so many places before the last one, a bit each.
const fn with_letter(places: usize) -> [u128; 26] {
    let (mut endings, mut at) = ([0; 26], 0);
    while at < ENDINGS.len() {
        let ending = ENDINGS[at].0.as_bytes();
        endings[(ending[ending.len() - 1 - places] - b'a') as usize] |= 1 << at;
        at += 1;
    }
    endings
}

static LAST: [u128; 26] = with_letter(0);
static SECOND_LAST: [u128; 26] = with_letter(1);
static THIRD_LAST: [u128; 26] = with_letter(2);

/// The endings whose last three letters these are, a bit each; they are none for nearly all words.
#[inline]
fn endings(last: [u8; 3]) -> u128 {
    let of = |table: &[u128; 26], letter: u8| {
        table.get(usize::from(letter.wrapping_sub(b'a'))).map_or(0, |bits| *bits)
    };
    of(&LAST, last[2]) & of(&SECOND_LAST, last[1]) & of(&THIRD_LAST, last[0])
}

include!(concat!(env!("OUT_DIR"), "/names.rs"));

/// What is known about a word of letters.
pub(super) fn known(word: &[u8]) -> Known {
    let mut buffer = [0; NAME_MAX];
    let Some(folded) = fold(word, &mut buffer) else { return Known::default() };
    let head = folded.iter().take(8).rev().fold(0, |head, letter| head << 8 | u64::from(*letter));
    let bits = if may_be_listed(head) { listed(folded) } else { 0 };
    let ending = bits == 0 && ends_as_family(folded);
    let is_weak = bits & WEAK != 0 || folded.len() < STRONG_MIN + usize::from(bits & GIVEN == 0);
    Known {
        given: bits & GIVEN != 0,
        family: bits & FAMILY != 0 || ending,
        strength: if is_weak { Strength::Weak } else { Strength::Strong },
    }
}

/// The same for a word of letters of ASCII, of which the first eight are `head` in small letters.
#[inline]
pub(super) fn known_letters(word: &[u8], head: u64) -> Known {
    // Nine of ten words are of no list, and few end as a family name.
    let ending = match word {
        [_, _, _, .., third, second, last] => endings([third | 0x20, second | 0x20, last | 0x20]) != 0,
        _ => false,
    };
    if ending || may_be_listed(head) { known(word) } else { Known::default() }
}

/// A bit for each beginning of eight letters that a listed name may have.
static HEADS: [u64; 1 << (HEAD_BITS - 6)] = {
    let (mut heads, mut at) = ([0; 1 << (HEAD_BITS - 6)], 0);
    while at < NAMES.len() {
        let len = (NAMES[at] & LENGTH) as usize;
        let (mut head, mut letter) = (0, 0);
        while letter < len && letter < 8 {
            head |= (NAMES[at + 1 + letter] as u64) << (8 * letter);
            letter += 1;
        }
        let bit = head_bit(head);
        heads[bit / 64] |= 1 << (bit % 64);
        at += 1 + len;
    }
    heads
};
/// So many bits that few of them are set.
const HEAD_BITS: u32 = 16;

const fn head_bit(head: u64) -> usize {
    (head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - HEAD_BITS)) as usize
}

fn may_be_listed(head: u64) -> bool {
    let bit = head_bit(head);
    HEADS[bit / 64] >> (bit % 64) & 1 == 1
}

fn ends_as_family(word: &[u8]) -> bool {
    let Some(last) = word.last_chunk() else { return false };
    let mut endings = endings(*last);
    while endings != 0 {
        let (ending, least) = ENDINGS[endings.trailing_zeros() as usize];
        if word.len() >= least && word.ends_with(ending.as_bytes()) {
            return true;
        }
        endings &= endings - 1;
    }
    false
}

/// The lists' bits of a folded word.
fn listed(word: &[u8]) -> u8 {
    let bucket = hash(word) as usize % (STARTS.len() - 1);
    let mut entries = &NAMES[usize::from(STARTS[bucket])..usize::from(STARTS[bucket + 1])];
    while let Some((head, rest)) = entries.split_first() {
        let len = usize::from(head & LENGTH);
        if len == word.len() && rest.starts_with(word) {
            return head & !LENGTH;
        }
        entries = rest.get(len..).unwrap_or(&[]);
    }
    0
}

/// FNV-1a, its upper half folded in.
fn hash(word: &[u8]) -> u32 {
    let hash = word.iter().fold(0x811c_9dc5, |hash: u32, b| (hash ^ u32::from(*b)).wrapping_mul(0x0100_0193));
    hash ^ hash >> 16
}

/// The word in letters a-z: lower case, without accents, hyphens and apostrophes; `None` if it is too long or has other
/// letters.
fn fold<'b>(word: &[u8], buffer: &'b mut [u8; NAME_MAX]) -> Option<&'b [u8]> {
    if let Some(room) = buffer.get_mut(..word.len()) {
        let mut plain = true;
        for (place, byte) in room.iter_mut().zip(word) {
            *place = byte | 0x20;
            plain &= place.is_ascii_lowercase();
        }
        if plain {
            return (word.len() > 1).then_some(&buffer[..word.len()]);
        }
    }
    let (mut len, mut at) = (0, 0);
    while let Some(byte) = word.get(at) {
        at += 1;
        let letters = match byte {
            b'\'' | b'-' => &[],
            _ if byte.is_ascii_alphabetic() => &[byte | 0x20][..],
            0xc3..=0xc5 | 0xc8 => {
                let code = (u32::from(*byte) & 0x1f) << 6 | (u32::from(*word.get(at)?) & 0x3f);
                at += 1;
                without_accent(code)?
            }
            _ => return None,
        };
        for letter in letters {
            *buffer.get_mut(len)? = *letter;
            len += 1;
        }
    }
    (len > 1).then_some(&buffer[..len])
}

/// The letters of a character of Latin-1, Latin Extended-A, or the Romanian ones with a comma below.
fn without_accent(code: u32) -> Option<&'static [u8]> {
    const LATIN_1: &[u8; 32] = b"aaaaaa?ceeeeiiiidnooooo?ouuuuy??";
    const EXTENDED: &[u8; 128] = b"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii??jjkkklllllllllln\
nnnnnnnnoooooo??rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
    let letter: &[u8] = match code {
        0xc6 | 0xe6 => b"ae",
        0xde | 0xfe => b"th",
        0xdf => b"ss",
        0x152 | 0x153 => b"oe",
        0xc0..=0xff => LATIN_1.get(code as usize & 0x1f..)?.get(..1)?,
        0x100..=0x17f => EXTENDED.get(code as usize - 0x100..)?.get(..1)?,
        0x218 | 0x219 => b"s",
        0x21a | 0x21b => b"t",
        _ => return None,
    };
    (letter != b"?").then_some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(word: &str) -> &'static str {
        match known(word.as_bytes()) {
            Known { given: true, strength: Strength::Weak, .. } => "weak given",
            Known { given: true, .. } => "given",
            Known { family: true, strength: Strength::Weak, .. } => "weak family",
            Known { family: true, .. } => "family",
            Known { .. } => "no",
        }
    }

    #[test]
    fn names_are_known_with_and_without_accents() {
        for (word, expected) in [
            ("Jennifer", "given"),
            ("JENNIFER", "given"),
            ("Jiří", "given"),
            ("Søren", "given"),
            ("Zoë", "given"),
            ("Łukasz", "given"),
            ("Þórður", "given"),
            ("Grace", "weak given"),
            ("Wu", "weak family"),
            ("González", "family"),
            ("Kjær", "family"),
            ("Weiß", "family"),
            ("O'Connor", "family"),
            ("Baker", "weak family"),
            ("Parser", "no"),
            ("Иван", "no"),
            ("X", "no"),
            ("", "no"),
        ] {
            assert_eq!(what(word), expected, "{word}");
        }
    }

    #[test]
    fn endings_make_a_family_name_of_a_long_word() {
        for word in
            ["Wiśniewska", "Gunnlaugsdóttir", "Papanikolopoulos", "Rautiainen", "Bratkovič", "Stålqvist"]
        {
            assert_eq!(what(word), "family", "{word}");
        }
        for word in ["Session", "Lesson", "Innova", "Chosen", "Comparison", "Dova", "Debian", "Obsidian"] {
            assert_eq!(what(word), "no", "{word}");
        }
    }

    #[test]
    fn every_name_of_the_lists_is_found() {
        let mut count = 0;
        for list in ["given", "family"] {
            let path = format!("{}/../profiles/names/{list}.txt", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            for name in text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace) {
                assert!(listed(name.as_bytes()) & (GIVEN | FAMILY) != 0, "{name}");
                count += 1;
            }
        }
        assert!(count > 5_000, "{count}");
    }
}
