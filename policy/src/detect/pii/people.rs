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

/// For each last letter of an ending the letters that stand so many places before it, a bit each.
const fn before_last(places: usize) -> [u32; 26] {
    let (mut letters, mut at) = ([0; 26], 0);
    while at < ENDINGS.len() {
        let ending = ENDINGS[at].0.as_bytes();
        let last = ending.len() - 1;
        letters[(ending[last] - b'a') as usize] |= 1 << (ending[last - places] - b'a');
        at += 1;
    }
    letters
}

const SECOND_LAST: [u32; 26] = before_last(1);
const THIRD_LAST: [u32; 26] = before_last(2);

include!(concat!(env!("OUT_DIR"), "/names.rs"));

/// What is known about a word of letters.
pub(super) fn known(word: &[u8]) -> Known {
    let mut buffer = [0; NAME_MAX];
    let Some(folded) = fold(word, &mut buffer) else { return Known::default() };
    let bits = listed(folded);
    let ending = bits == 0 && ends_as_family(folded);
    let is_weak = bits & WEAK != 0 || folded.len() < STRONG_MIN + usize::from(bits & GIVEN == 0);
    Known {
        given: bits & GIVEN != 0,
        family: bits & FAMILY != 0 || ending,
        strength: if is_weak { Strength::Weak } else { Strength::Strong },
    }
}

fn ends_as_family(word: &[u8]) -> bool {
    // Three letters rule nearly all words out.
    let [.., third, second, last] = word else { return false };
    let may_be = |table: &[u32; 26], letter: &u8| table[usize::from(last - b'a')] >> (letter - b'a') & 1 == 1;
    word.len() >= 6
        && may_be(&SECOND_LAST, second)
        && may_be(&THIRD_LAST, third)
        && ENDINGS.iter().any(|(ending, least)| word.len() >= *least && word.ends_with(ending.as_bytes()))
}

/// The lists' bits of a folded word.
fn listed(word: &[u8]) -> u8 {
    let bucket = hash(word) as usize % (STARTS.len() - 1);
    let mut entries = &NAMES[usize::from(STARTS[bucket])..usize::from(STARTS[bucket + 1])];
    while let Some((head, rest)) = entries.split_first() {
        let (name, others) = rest.split_at(usize::from(head & LENGTH).min(rest.len()));
        if name == word {
            return head & !LENGTH;
        }
        entries = others;
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
    if word.len() <= NAME_MAX && word.iter().all(u8::is_ascii_alphabetic) {
        buffer.iter_mut().zip(word).for_each(|(place, byte)| *place = byte.to_ascii_lowercase());
        return (word.len() > 1).then_some(&buffer[..word.len()]);
    }
    let mut len = 0;
    let mut push = |letters: &[u8]| {
        let room = buffer.get_mut(len..len + letters.len())?;
        room.copy_from_slice(letters);
        len += letters.len();
        Some(())
    };
    let mut at = 0;
    while let Some(byte) = word.get(at) {
        if byte.is_ascii_alphabetic() {
            push(&[byte.to_ascii_lowercase()])?;
            at += 1;
        } else if matches!(byte, b'\'' | b'-') {
            at += 1;
        } else {
            let [lead @ 0xc3..=0xc5 | lead @ 0xc8, next, ..] = word[at..] else { return None };
            push(without_accent((u32::from(lead) & 0x1f) << 6 | (u32::from(next) & 0x3f))?)?;
            at += 2;
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
