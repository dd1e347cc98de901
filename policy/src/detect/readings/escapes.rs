//! Escapes within a text: `%67`, `\u0067`, `\x67`, `\u{67}`, `&#103;`, `&#x67;`, `&lowbar;`.

use std::ops::Range;

use super::marks;
use super::places::{Reading, Tracer};
use super::regions::Regions;

/// Named references (HTML, section 13.5) to the ASCII characters that tokens and assignments are made of.
const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dash", '-'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("hyphen", '-'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("nbsp", ' '),
    ("NewLine", '\n'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("sol", '/'),
    ("Tab", '\t'),
    ("UnderBar", '_'),
    ("verbar", '|'),
    ("vert", '|'),
];
/// Longest name above.
const NAME_MAX: usize = 8;
/// Most digits of a character's number.
const DIGITS_MAX: usize = 8;

/// A character and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Escape {
    character: char,
    len: usize,
    /// Whether it is reason enough to read the text anew: `\n`, `&lt;` and the like stand everywhere, and hide nothing.
    worth: bool,
}

/// Regions of the text with escapes in them.
pub(super) fn regions(text: &[u8]) -> Vec<Range<usize>> {
    let mut regions = Regions::of(text);
    let mut behind = 0;
    marks::each(text, *b"%\\&", |at| {
        if at >= behind
            && let Some(escape) = escape(text, at)
        {
            behind = at + escape.len;
            if escape.worth {
                regions.add(at..behind);
            }
        }
    });
    regions.all()
}

/// The region as it reads once every escape in it is decoded.
pub(super) fn read(text: &[u8], region: Range<usize>) -> Reading {
    let mut tracer = Tracer::default();
    let mut at = region.start;
    while at < region.end {
        let rest = &text[at..region.end];
        let next = memchr::memchr3(b'%', b'\\', b'&', rest).unwrap_or(rest.len());
        tracer.plain(at, &rest[..next]);
        at += next;
        if at == region.end {
            break;
        }
        match escape(&text[..region.end], at) {
            Some(escape) => {
                let mut buffer = [0; 4];
                let character = escape.character.encode_utf8(&mut buffer);
                tracer.replaced(at..at + escape.len, character.as_bytes());
                at += escape.len;
            }
            None => {
                tracer.plain(at, &text[at..=at]);
                at += 1;
            }
        }
    }
    tracer.reading()
}

fn escape(text: &[u8], at: usize) -> Option<Escape> {
    let rest = &text[at..];
    match rest {
        [b'%', high, low, ..] => percent(rest, *high, *low),
        [b'\\', kind, ..] => backslash(text, at, *kind),
        [b'&', b'#', ..] => numeric(rest),
        [b'&', ..] => named(rest),
        _ => None,
    }
}

fn percent(rest: &[u8], high: u8, low: u8) -> Option<Escape> {
    let byte = hex(high)? << 4 | hex(low)?;
    if byte < 0x80 {
        return Some(Escape { character: char::from(byte), len: 3, worth: true });
    }
    let count = match byte {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut bytes = [0; 4];
    for (slot, triple) in bytes.iter_mut().zip(rest.chunks_exact(3)).take(count) {
        let [b'%', high, low] = triple else { return None };
        *slot = hex(*high)? << 4 | hex(*low)?;
    }
    let character = std::str::from_utf8(&bytes[..count]).ok()?.chars().next()?;
    Some(Escape { character, len: 3 * count, worth: true })
}

fn backslash(text: &[u8], at: usize, kind: u8) -> Option<Escape> {
    let rest = &text[at..];
    let simple = |character, worth| Some(Escape { character, len: 2, worth });
    let coded = |code: u32, len| {
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        Some(Escape { character, len, worth: true })
    };
    match kind {
        b'n' => simple('\n', false),
        b't' => simple('\t', false),
        b'r' => simple('\r', false),
        b'"' | b'\'' | b'\\' => simple(char::from(kind), false),
        // In the middle of a base64 text, as some printers of JSON write it.
        b'/' => {
            let before = at.checked_sub(1).is_some_and(|before| text[before].is_ascii_alphanumeric());
            simple('/', before && rest.get(2).is_some_and(u8::is_ascii_alphanumeric))
        }
        b'x' => coded(code(rest.get(2..4)?)?, 4),
        b'U' => coded(code(rest.get(2..10)?)?, 10),
        b'u' if rest.get(2) == Some(&b'{') => {
            let digits = rest[3..].iter().take(DIGITS_MAX).take_while(|b| b.is_ascii_hexdigit()).count();
            (rest.get(3 + digits) == Some(&b'}')).then_some(())?;
            coded(code(&rest[3..3 + digits])?, digits + 4)
        }
        b'u' => {
            let first = code(rest.get(2..6)?)?;
            let second = match rest.get(6..12) {
                Some([b'\\', b'u', second @ ..]) if (0xd800..0xdc00).contains(&first) => code(second),
                _ => None,
            };
            match second {
                Some(second) if (0xdc00..0xe000).contains(&second) => {
                    coded(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
                }
                _ => coded(first, 6),
            }
        }
        _ => None,
    }
}

fn numeric(rest: &[u8]) -> Option<Escape> {
    let (radix, lead) = if matches!(rest.get(2), Some(b'x' | b'X')) { (16, 3) } else { (10, 2) };
    let digits = rest.get(lead..)?.iter().take(DIGITS_MAX).take_while(|b| char::from(**b).is_digit(radix));
    let digits = digits.count();
    let number = std::str::from_utf8(&rest[lead..lead + digits]).ok()?;
    let character = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
    // Browsers read it without its semicolon as well.
    let semicolon = usize::from(rest.get(lead + digits) == Some(&b';'));
    Some(Escape { character, len: lead + digits + semicolon, worth: true })
}

fn named(rest: &[u8]) -> Option<Escape> {
    let window = &rest[1..rest.len().min(NAME_MAX + 2)];
    let name = &window[..memchr::memchr(b';', window)?];
    let (_, character) = NAMED.iter().find(|(known, _)| known.as_bytes() == name)?;
    let worth = !matches!(character, '&' | '<' | '>' | ' ');
    Some(Escape { character: *character, len: name.len() + 2, worth })
}

fn code(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |code, digit| Some(code << 4 | u32::from(hex(*digit)?)))
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> String {
        let Reading { text, .. } = read(text.as_bytes(), 0..text.len());
        String::from_utf8(text).expect("a reading is UTF-8")
    }

    #[test]
    fn every_kind_of_escape_is_read() {
        for (written, says) in [
            ("%67h%70_", "ghp_"),
            ("%C3%A9%e2%82%ac", "é€"),
            (r"\u0067\x68\u{70}\U0000005f", "ghp_"),
            (r"\ud83d\ude00 \ud83d!", "😀 \u{fffd}!"),
            (r#"a\/b\n\"c\""#, "a/b\n\"c\""),
            ("&#103;&#x68;&#112&lowbar;", "ghp_"),
            ("a &lt;b&gt; &amp;lt;", "a <b> &lt;"),
            ("100 % of %zz, %f, \\q, &nothing; &#; AT&T", "100 % of %zz, %f, \\q, &nothing; &#; AT&T"),
            ("%ff%c3", "%ff%c3"),
        ] {
            assert_eq!(read_all(written), says, "{written}");
        }
    }

    #[test]
    fn ordinary_text_is_not_read_again() {
        for text in
            ["100 % sure & done", r"a\nb\tc\\d", "&lt;b&gt; &amp; R&D;", r"C:\users\name", "\\", "%", "&"]
        {
            assert!(regions(text.as_bytes()).is_empty(), "{text}");
        }
        assert_eq!(regions(b"a%20b").first(), Some(&(0..5)));
    }
}
