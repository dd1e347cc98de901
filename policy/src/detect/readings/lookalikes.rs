//! Characters that are not what they look like: invisible ones within a token, Cyrillic and Greek letters that look
//! Latin, full-width and mathematical letters.

use std::ops::Range;

use unicode_normalization::char::decompose_compatible;

use super::places::{Reading, Tracer};
use super::regions::Regions;

/// So many foldable characters in a row are a token even where none of them is ASCII.
const STREAK_MIN: usize = 12;

/// Letters of other scripts that are drawn like a Latin one in common fonts. Own table; the Unicode data (UTS #39,
/// confusables.txt) has many more, most of which nobody would take for the letter.
const LOOKALIKES: &[(&str, &str)] = &[
    // Cyrillic, small and capital.
    ("абегзикмопрстухьѕіјһԁԛԝѡӏүҽ", "a6er3ukmonpctyxbsijhdqwwlye"),
    ("АВЕЗКМНОРСТУХЬЅІЈҺԀԚԜҮӀӇЧ", "ABE3KMHOPCTYXbSIJhDQWYIH4"),
    // Greek, small and capital.
    ("αβγεικνορτυχωϲϳη", "aByeikvoptuxwcjn"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ", "ABEZHIKMNOPTYXCJ"),
    // Armenian.
    ("օսոցհյզ", "ounghjq"),
    // Latin letters beyond ASCII that look like a plain one.
    ("ıɑɡɩʏɪǀ", "iagiYIl"),
];

/// What a character says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// Nothing: it is not drawn.
    Nothing,
    /// What an ASCII character says.
    Ascii(u8),
    /// Itself.
    Itself,
}

/// Regions of the text in which a token may be disguised.
pub(super) fn regions(text: &[u8]) -> Vec<Range<usize>> {
    let mut regions = Regions::of(text);
    if text.is_ascii() {
        return regions.all();
    }
    let mut streak = Streak::default();
    let mut at = 0;
    while let Some(next) = beyond_ascii(text, at) {
        if next > at {
            streak = Streak::default();
        }
        if !may_differ(text, next) {
            streak = Streak::default();
            at = (next + len(text[next])).min(text.len());
            continue;
        }
        let (character, len) = character(text, next);
        at = next + len;
        let says = says(character);
        let before = next.checked_sub(1).is_some_and(|before| in_token(text[before]));
        let behind = text.get(at).is_some_and(|byte| in_token(*byte));
        let disguises = match says {
            Says::Nothing => before || streak.count > 0,
            Says::Ascii(byte) => {
                streak.take(next, byte);
                in_token(byte) && (before || behind || streak.letters >= STREAK_MIN)
            }
            Says::Itself => {
                streak = Streak::default();
                false
            }
        };
        if disguises {
            regions.add(streak.start.unwrap_or(next)..at);
        }
    }
    regions.all()
}

/// The region as it reads to somebody who sees shapes only.
pub(super) fn read(text: &[u8], region: Range<usize>) -> Reading {
    let mut tracer = Tracer::default();
    let mut at = region.start;
    while let Some(next) = beyond_ascii(&text[..region.end], at) {
        tracer.plain(at, &text[at..next]);
        let (character, len) = character(text, next);
        at = next + len;
        let says = if may_differ(text, next) { says(character) } else { Says::Itself };
        match says {
            Says::Nothing => {}
            Says::Ascii(byte) => tracer.replaced(next..at, &[byte]),
            Says::Itself => tracer.plain(next, &text[next..at]),
        }
    }
    tracer.plain(at, &text[at..region.end.max(at)]);
    tracer.reading()
}

/// Foldable characters that stand one behind the other.
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    start: Option<usize>,
    count: usize,
    letters: usize,
}

impl Streak {
    fn take(&mut self, at: usize, byte: u8) {
        self.start.get_or_insert(at);
        self.count += 1;
        self.letters += usize::from(in_token(byte));
    }
}

#[inline]
fn in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The first byte beyond ASCII at or after `at`, eight bytes at a time.
#[inline]
fn beyond_ascii(text: &[u8], at: usize) -> Option<usize> {
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    let mut from = at;
    while let Some(word) = text.get(from..)?.first_chunk() {
        let high = u64::from_le_bytes(*word) & HIGHEST;
        if high != 0 {
            return Some(from + (high.trailing_zeros() / 8) as usize);
        }
        from += 8;
    }
    text[from..].iter().position(|byte| *byte >= 0x80).map(|found| from + found)
}

/// The character at `at`, and how many bytes it has. The text is UTF-8; where it is not, nothing worse comes of it than
/// another character.
#[inline]
fn character(text: &[u8], at: usize) -> (char, usize) {
    let len = len(text[at]);
    let Some(bytes) = text.get(at..at + len) else { return (char::REPLACEMENT_CHARACTER, 1) };
    let code = bytes[1..]
        .iter()
        .fold(u32::from(bytes[0]) & (0x7f >> len), |code, byte| code << 6 | u32::from(byte & 0x3f));
    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), len)
}

/// Bytes of the character that begins so.
#[inline]
fn len(lead: u8) -> usize {
    match lead {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// Whether the character at `at` may say something else than itself: most of Latin-1, and the scripts of Asia but for
/// their blanks and full-width forms, say what they are.
#[inline]
fn may_differ(text: &[u8], at: usize) -> bool {
    let next = text.get(at + 1).copied().unwrap_or(0);
    match text[at] {
        0xc3..=0xc5 if text[at] != 0xc4 => false,
        0xc7 | 0xd7..=0xe0 | 0xe4..=0xee => false,
        // Blanks, and the filler of Hangul.
        0xe3 => matches!(next, 0x80 | 0x85),
        // Mathematical and enclosed letters.
        0xf0 => next == 0x9d || (next == 0x9f && matches!(text.get(at + 2), Some(0x84..=0x86))),
        _ => true,
    }
}

fn says(character: char) -> Says {
    // The scripts that most text beyond ASCII is written in, first.
    if let '\u{370}'..='\u{58f}' = character {
        return script(character);
    }
    match character {
        // Soft hyphen, joiners, direction marks and controls, operators, fillers, variation selectors, tags, and
        // marks that are drawn onto the letter before them.
        '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{20d0}'..='\u{20f0}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}' => Says::Nothing,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' => Says::Ascii(b'-'),
        '\u{131}' | '\u{180}'..='\u{2af}' => {
            letters().find(|(c, _)| *c == character).map_or(Says::Itself, |(_, ascii)| Says::Ascii(ascii))
        }
        '\u{2000}'..='\u{200a}' | '\u{a0}' | '\u{3000}' => Says::Ascii(b' '),
        '\u{2070}'..='\u{209c}'
        | '\u{2100}'..='\u{214f}'
        | '\u{2460}'..='\u{24ff}'
        | '\u{fe50}'..='\u{fe6b}'
        | '\u{ff01}'..='\u{ff5e}'
        | '\u{1d400}'..='\u{1d7ff}'
        | '\u{1f110}'..='\u{1f189}' => compatible(character),
        _ => Says::Itself,
    }
}

/// A character of U+0370–058F.
fn script(character: char) -> Says {
    match SCRIPTS[character as usize - 0x370] {
        0 => Says::Itself,
        ascii => Says::Ascii(ascii),
    }
}

/// The one ASCII character that it is compatible with (NFKC, UAX #15), or a look-alike of one.
fn compatible(character: char) -> Says {
    let (mut first, mut more) = (None, false);
    decompose_compatible(character, |part| {
        more |= first.is_some();
        first.get_or_insert(part);
    });
    match first.map(|c| (c, u8::try_from(c))) {
        Some((_, Ok(ascii))) if !more && ascii.is_ascii() => Says::Ascii(ascii),
        // Mathematical Greek letters.
        Some((c @ '\u{370}'..='\u{3ff}', _)) if !more => script(c),
        _ => Says::Itself,
    }
}

/// Characters of [`LOOKALIKES`] with what they look like.
fn letters() -> impl Iterator<Item = (char, u8)> {
    LOOKALIKES.iter().flat_map(|(like, ascii)| like.chars().zip(ascii.bytes()))
}

/// [`LOOKALIKES`] of the Greek, Cyrillic and Armenian blocks (U+0370–058F) by their number; zero where there is none.
static SCRIPTS: [u8; 0x220] = {
    let mut table = [0; 0x220];
    let mut row = 0;
    while row < LOOKALIKES.len() {
        let (like, ascii) = (LOOKALIKES[row].0.as_bytes(), LOOKALIKES[row].1.as_bytes());
        let (mut at, mut n) = (0, 0);
        while at < like.len() {
            // Two bytes make all of these; the rest is looked up by hand.
            let len = if like[at] < 0xe0 { 2 } else { 3 };
            let code = ((like[at] as usize & 0x1f) << 6) | (like[at + 1] as usize & 0x3f);
            if len == 2 && code >= 0x370 && code < 0x590 && table[code - 0x370] == 0 {
                table[code - 0x370] = ascii[n];
            }
            at += len;
            n += 1;
        }
        row += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> String {
        let Reading { text, .. } = read(text.as_bytes(), 0..text.len());
        String::from_utf8(text).expect("a reading is UTF-8")
    }

    #[test]
    fn disguises_are_seen_through() {
        for (written, says) in [
            ("g\u{200b}h\u{2060}p\u{feff}_\u{e0041}a", "ghp_a"),
            ("ｇｈｐ＿Ａ９　ｘ", "ghp_A9 x"),
            ("𝐠𝒽𝓅_𝟘", "ghp_0"),
            ("ⓖℎₚ_①", "ghp_1"),
            ("АКІАраѕѕеѕ", "AKIApasses"),
            ("ΑΚΙΑ", "AKIA"),
            ("g̈h̸p_", "ghp_"),
            ("naïve 日本語 “quotes” Ж", "naïve 日本語 “quotes” Ж"),
        ] {
            assert_eq!(read_all(written), says);
        }
    }

    #[test]
    fn every_row_of_look_alikes_is_complete() {
        for (like, ascii) in LOOKALIKES {
            assert_eq!(like.chars().count(), ascii.len(), "{like}");
        }
        for (c, ascii) in letters() {
            assert!(matches!(says(c), Says::Ascii(_)), "{c} is {}", char::from(ascii));
        }
    }

    #[test]
    fn honest_text_in_any_script_is_not_read_again() {
        for text in [
            "Größe prüfen – “quoted” naïve café",
            "日本語のテキスト、テスト。全角：１２３",
            "и немного кириллицы, сорок восемь рам",
            "Ελληνικά γράμματα και αριθμοί",
            "می‌خواهم 👨‍👩‍👧‍👦 ❤️‍🔥",
            "10\u{a0}000 € … 25 m² ½",
        ] {
            assert!(regions(text.as_bytes()).is_empty(), "{text}");
        }
        for text in ["gh\u{200b}p_", "раss", "ｇｈｐ＿７ｙｓｈ０ｖｊｙ４ＥＤＱＸｙｚｑ"]
        {
            assert_eq!(regions(text.as_bytes()).first(), Some(&(0..text.len())), "{text}");
        }
    }
}
