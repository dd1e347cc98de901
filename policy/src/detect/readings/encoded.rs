//! Bytes written as text: hex, base32, base64, base64url; and what these bytes may be: text, compressed text, media.

use miniz_oxide::inflate;

/// So many characters of a run show what is in it.
const PROBE: usize = 24;
/// Of fewer bytes nothing can be said.
const TEXT_MIN: usize = 8;
/// Compressed text grows in memory before it is looked at.
const INFLATED_MAX: usize = 16 << 20;

/// Ways to write bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Two digits a byte.
    Hex,
    /// RFC 4648, section 6; small letters too.
    Base32,
    /// RFC 4648, sections 4 and 5, mixed as it may be, padded or not.
    Base64,
}

impl Alphabet {
    /// The value of each character, and how many bits it has.
    fn values(self) -> (&'static [u8; 256], u32) {
        match self {
            Self::Hex => (&HEX, 4),
            Self::Base32 => (&BASE32, 5),
            Self::Base64 => (&BASE64, 6),
        }
    }
}

/// What is written in a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A text, perhaps after decompression.
    Text(Vec<u8>),
    /// A picture, a font, an archive: there is nothing to be read in it.
    Media,
    /// Neither.
    Other,
}

/// What the run says, of which at most `room` bytes are wanted. Blanks between the characters are passed over.
pub(super) fn content(alphabet: Alphabet, run: &[u8], room: usize) -> Content {
    let mut head = [0; PROBE];
    let written = decode_into(alphabet, &run[..run.len().min(PROBE)], &mut head);
    let head = &head[..written];
    if is_media(head) {
        return Content::Media;
    }
    let Some(kind) = kind(head) else { return Content::Other };
    let bytes = decode(alphabet, run);
    let text = match kind {
        Kind::Gzip => inflated(gzip_body(&bytes), room, inflate::decompress_to_vec_with_limit),
        Kind::Zlib => inflated(Some(&bytes), room, inflate::decompress_to_vec_zlib_with_limit),
        Kind::Utf16 => Some(from_utf16(&bytes)),
        Kind::Text => Some(bytes),
    };
    let Some(mut text) = text.filter(|text| is_text(&text[..text.len().min(PROBE)])) else {
        return Content::Other;
    };
    // What is no text any more belongs to something else that touches the run.
    let valid = std::str::from_utf8(&text).map_or_else(|error| error.valid_up_to(), str::len);
    text.truncate(valid);
    Content::Text(text)
}

/// Whether [`content`] may say anything of the run: a few bytes decide almost always.
pub(super) fn may_say(alphabet: Alphabet, run: &[u8]) -> bool {
    [2, 5].into_iter().all(|count| head(alphabet, run, count).is_none_or(|bits| may_begin(bits, count)))
}

/// The first bytes of what is written in a run, highest first; `None` if there is a blank between the characters or they
/// are too few.
fn head(alphabet: Alphabet, run: &[u8], count: u32) -> Option<u64> {
    let (table, width) = alphabet.values();
    let (mut bits, mut filled) = (0_u64, 0);
    for byte in run {
        let value = table[usize::from(*byte)];
        if value == NONE {
            return None;
        }
        bits = bits << width | u64::from(value);
        filled += width;
        if filled >= 8 * count {
            return Some(bits << (u64::BITS - filled));
        }
    }
    None
}

/// At which of its first four characters the base64 text in a run may begin, for something else may stand before the
/// first group of four: a bit each.
pub(super) fn may_say_from(run: &[u8]) -> u8 {
    const ANYWHERE: u8 = 0b1111;
    let Some(head) = run.first_chunk::<10>() else { return ANYWHERE };
    let (mut bits, mut all) = (0_u64, 0);
    for byte in head {
        let value = BASE64[usize::from(*byte)];
        all |= value;
        bits = bits << 6 | u64::from(value);
    }
    if all == NONE {
        return ANYWHERE;
    }
    let may_begin = |place: u32| {
        let bits = bits << (4 + 6 * place);
        STARTS[(bits >> 58) as usize] >> (bits >> 52 & 63) & 1 == 1 && may_begin(bits, (60 - 6 * place) / 8)
    };
    (0..4).fold(0, |places, place| places | u8::from(may_begin(place)) << place)
}

/// Whether anything may begin with a character of base64 and the next one, a bit each: they are a byte and a half.
static STARTS: [u64; 64] = {
    let mut table = [0; 64];
    let mut at = 0;
    while at < 64 * 64 * 16 {
        let (first, second) = (CLASSES[at >> 8], CLASSES[at & 0xff]);
        let begins_text = first & (ASCII | LEAD) != 0 && joins(first, second) & TEXT != 0;
        if begins_text || joins(first, second) & FORMAT != 0 {
            table[at >> 10] |= 1 << (at >> 4 & 63);
        }
        at += 1;
    }
    table
};

/// Whether text, or a format of bytes that is known here, may begin with the highest bytes. Two decide mostly.
#[inline]
fn may_begin(bits: u64, count: u32) -> bool {
    let class = |place: u32| CLASSES[usize::from((bits >> (56 - 8 * place)) as u8)];
    let (first, mut last) = (class(0), class(1));
    if joins(first, last) & FORMAT != 0 {
        return true;
    }
    if first & (ASCII | LEAD) == 0 || joins(first, last) & TEXT == 0 {
        return false;
    }
    for place in 2..count {
        let next = class(place);
        if joins(last, next) & TEXT == 0 {
            return false;
        }
        last = next;
    }
    true
}

/// The classes of a byte that may stand behind one of the class `one`.
#[inline]
const fn joins(one: u16, next: u16) -> u16 {
    one >> 8 & next
}

/// Classes of bytes in text: ASCII but for control characters, the first of a wider character (RFC 3629), its others.
const ASCII: u16 = 1;
const LEAD: u16 = 1 << 1;
const OTHERS: u16 = 1 << 2;
const TEXT: u16 = ASCII | LEAD | OTHERS;
/// Classes of second bytes of UTF-16, zlib, gzip and [`MEDIA`].
const WIDE: u16 = 1 << 3;
const ZLIB: u16 = 1 << 4;
const GZIP: u16 = 1 << 5;
const PICTURE: u16 = 1 << 6;
const FORMAT: u16 = WIDE | ZLIB | GZIP | PICTURE;

/// The classes of each byte, and in the high half those that may come next.
static CLASSES: [u16; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let (mut is, mut next) = match byte {
            b'\t' | b'\n' | b'\r' | 0x20..=0x7e => (ASCII, ASCII | LEAD | WIDE),
            0x80..=0xbf => (OTHERS, TEXT),
            0xc2..=0xf4 => (LEAD, OTHERS),
            0 => (WIDE, 0),
            _ => (0, 0),
        };
        if matches!(byte, 0x01 | 0x5e | 0x9c | 0xda) {
            is |= ZLIB;
        }
        match byte {
            0x78 => next |= ZLIB,
            0x1f => next |= GZIP,
            0x8b => is |= GZIP,
            _ => {}
        }
        let mut format = 0;
        while format < MEDIA.len() {
            if MEDIA[format][0] == byte {
                next |= PICTURE;
            }
            if MEDIA[format][1] == byte {
                is |= PICTURE;
            }
            format += 1;
        }
        table[at] = next << 8 | is;
        at += 1;
    }
    table
};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Utf16,
    Gzip,
    Zlib,
}

fn kind(head: &[u8]) -> Option<Kind> {
    match head {
        [0x1f, 0x8b, 8, ..] => Some(Kind::Gzip),
        // RFC 1950, section 2.2: the two bytes are a multiple of 31.
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Some(Kind::Zlib),
        _ if is_text(head) => Some(Kind::Text),
        _ if is_utf16(head) => Some(Kind::Utf16),
        _ => None,
    }
}

/// UTF-8 without control characters, but for a cut last character: one in a hundred thousand random heads.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let control = |b: u8| (b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) || b == 0x7f;
    head.len() >= TEXT_MIN && !valid.bytes().any(control)
}

/// Every second byte is zero, the others are printable: UTF-16 with little ends first, as PowerShell takes it.
fn is_utf16(head: &[u8]) -> bool {
    let pairs = head.chunks_exact(2);
    pairs.len() >= 4
        && pairs.clone().all(|pair| pair[1] == 0 && matches!(pair[0], b'\t'..=b'\r' | 0x20..=0x7e))
}

fn from_utf16(bytes: &[u8]) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect::<String>()
        .into_bytes()
}

type Inflate = fn(&[u8], usize) -> Result<Vec<u8>, inflate::DecompressError>;

/// One byte more than there is room for tells that there is more; a cut stream gives what came before the cut.
fn inflated(body: Option<&[u8]>, room: usize, inflate: Inflate) -> Option<Vec<u8>> {
    let limit = room.saturating_add(1).min(INFLATED_MAX);
    Some(inflate(body?, limit).unwrap_or_else(|error| error.output))
}

/// What follows the header (RFC 1952, section 2.3).
fn gzip_body(bytes: &[u8]) -> Option<&[u8]> {
    let flags = *bytes.get(3)?;
    let mut at = 10;
    if flags & 4 != 0 {
        at += 2 + usize::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    }
    for text in [8, 16] {
        if flags & text != 0 {
            at += memchr::memchr(0, bytes.get(at..)?)? + 1;
        }
    }
    at += if flags & 2 != 0 { 2 } else { 0 };
    bytes.get(at..)
}

/// First bytes of formats that hold no text worth reading.
const MEDIA: &[&[u8]] = &[
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
    b"%PDF",
    b"PK\x03\x04",
    b"ID3",
    b"\xff\xfb",
    b"OggS",
    b"fLaC",
    b"wOFF",
    b"wOF2",
    b"\0\x01\0\0",
    b"OTTO",
    b"II*\0",
    b"MM\0*",
    b"\0\0\x01\0",
    b"\x1aE\xdf\xa3",
    b"7z\xbc\xaf",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
    b"\0asm",
    b"\x7fELF",
    b"\xca\xfe\xba\xbe",
];

fn is_media(head: &[u8]) -> bool {
    let [first, second, ..] = head else { return false };
    let may_be = joins(CLASSES[usize::from(*first)], CLASSES[usize::from(*second)]) & PICTURE != 0;
    may_be && MEDIA.iter().any(|magic| head.starts_with(magic))
}

fn decode(alphabet: Alphabet, run: &[u8]) -> Vec<u8> {
    let mut out = vec![0; run.len()];
    let written = decode_into(alphabet, run, &mut out);
    out.truncate(written);
    out
}

/// Decodes into `out`, which is as long as the run; how many bytes came of it.
fn decode_into(alphabet: Alphabet, run: &[u8], out: &mut [u8]) -> usize {
    let (table, width) = alphabet.values();
    let (mut bits, mut count, mut written) = (0_u32, 0, 0);
    let mut from = 0;
    if alphabet == Alphabet::Base64 {
        (from, written) = decode_fours(run, out);
    }
    for byte in &run[from..] {
        let value = table[usize::from(*byte)];
        if value == NONE {
            continue;
        }
        bits = bits << width | u32::from(value);
        count += width;
        if count >= 8 {
            count -= 8;
            out[written] = (bits >> count & 0xff) as u8;
            written += 1;
        }
    }
    written
}

/// Decodes base64 up to the first four characters with another one among them; how many characters that were, and how
/// many bytes came of it.
fn decode_fours(run: &[u8], out: &mut [u8]) -> (usize, usize) {
    let value = |byte: u8| u32::from(BASE64[usize::from(byte)]);
    let (fours, _) = run.as_chunks::<4>();
    let (threes, _) = out.as_chunks_mut::<3>();
    let mut done = 0;
    for ([one, two, three, four], three_bytes) in fours.iter().zip(threes) {
        let (one, two, three, four) = (value(*one), value(*two), value(*three), value(*four));
        if (one | two | three | four) == u32::from(NONE) {
            break;
        }
        let [_, bytes @ ..] = (one << 18 | two << 12 | three << 6 | four).to_be_bytes();
        *three_bytes = bytes;
        done += 1;
    }
    (4 * done, 3 * done)
}

/// No character of the alphabet.
const NONE: u8 = 0xff;

static HEX: [u8; 256] = values(&[b"0123456789abcdef", b"0123456789ABCDEF"]);
static BASE32: [u8; 256] =
    values(&[b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"abcdefghijklmnopqrstuvwxyz234567"]);
static BASE64: [u8; 256] = values(&[
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
]);

/// The value of each character in the spellings of an alphabet (RFC 4648).
const fn values(spellings: &[&[u8]]) -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut spelling = 0;
    while spelling < spellings.len() {
        let mut value = 0;
        while value < spellings[spelling].len() {
            table[spellings[spelling][value] as usize] = value as u8;
            value += 1;
        }
        spelling += 1;
    }
    table
}

/// Whether all of `run` is hex, but for blanks and padding.
pub(super) fn is_hex(run: &[u8]) -> bool {
    run.iter().all(|byte| HEX[usize::from(*byte)] != NONE || is_between(byte))
}

/// Whether all of `run` is base32 in one case, but for blanks and padding.
pub(super) fn is_base32(run: &[u8]) -> bool {
    let other = |b: &u8| matches!(b, b'2'..=b'7') || is_between(b);
    run.iter().all(|b| b.is_ascii_uppercase() || other(b))
        || run.iter().all(|b| b.is_ascii_lowercase() || other(b))
}

fn is_between(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == b'='
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(alphabet: Alphabet, run: &str) -> Option<String> {
        match content(alphabet, run.as_bytes(), 1 << 20) {
            Content::Text(text) => Some(String::from_utf8(text).expect("a reading is UTF-8")),
            Content::Media | Content::Other => None,
        }
    }

    #[test]
    fn each_alphabet_is_read() {
        let says = Some("hello, wide world?>".to_owned());
        assert_eq!(text(Alphabet::Hex, "68656c6c6f2C207769646520776F726C643f3e"), says);
        assert_eq!(text(Alphabet::Base32, "NBSWY3DPFQQHO2LEMUQHO33SNRSD6PQ"), says);
        assert_eq!(text(Alphabet::Base64, "aGVsbG8sIHdpZGUgd29ybGQ/Pg=="), says);
        assert_eq!(text(Alphabet::Base64, "aGVsbG8s\n  IHdpZGUg\n  d29ybGQ_Pg"), says);
    }

    #[test]
    fn compressed_and_wide_text_is_read() {
        let says = Some("hello hello hello hello\n".to_owned());
        assert_eq!(text(Alphabet::Base64, "H4sIAAAAAAACA8tIzcnJV8hAJ7kAAIhZCxgAAAA="), says);
        assert_eq!(text(Alphabet::Base64, "eJzLSM3JyVfIQCe5AHC+CLs="), says);
        let wide: Vec<u8> = "hello wide".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hex: String = wide.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(text(Alphabet::Hex, &hex), Some("hello wide".to_owned()));
    }

    #[test]
    fn a_compressed_text_grows_no_further_than_there_is_room() {
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(&[b'a'; 1 << 20], 9);
        let hex: String = packed.iter().map(|b| format!("{b:02x}")).collect();
        let Content::Text(text) = content(Alphabet::Hex, hex.as_bytes(), 1000) else { panic!("it is text") };
        assert_eq!(text.len(), 1001);
    }

    /// `bytes` written with so many bits a character.
    fn written(bytes: &[u8], alphabet: &[u8], width: usize) -> String {
        let bits: Vec<usize> =
            bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| usize::from(byte >> bit & 1))).collect();
        let value = |bits: &[usize]| bits.iter().fold(0, |value, bit| value << 1 | bit);
        bits.chunks_exact(width).map(|bits| char::from(alphabet[value(bits)])).collect()
    }

    #[test]
    fn what_says_something_is_not_passed_over() {
        let texts = ["text", "\t\r\n", "ähnlich", "Ж", "日本", "🙂", "x\u{7ff}", "\u{10ffff}", "~ "];
        let packed: [&[u8]; 5] = [b"\x1f\x8b\x08", b"x\x01", b"x^", b"x\x9c", b"x\xda"];
        let wide = "w i d e".replace(' ', "\0");
        let starts = texts.iter().map(|text| text.as_bytes()).chain(packed).chain(MEDIA.iter().copied());
        for start in starts.chain([wide.as_bytes()]) {
            let bytes = [start, b"and more of it, as much as it takes"].concat();
            assert!(may_say(Alphabet::Hex, written(&bytes, b"0123456789abcdef", 4).as_bytes()), "{start:?}");
            let base32 = written(&bytes, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5);
            assert!(may_say(Alphabet::Base32, base32.as_bytes()), "{start:?}");
            let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let base64 = written(&bytes, letters, 6);
            for place in 0..4 {
                let run = format!("{}{base64}", &"8+8"[..place]);
                assert!(may_say_from(run.as_bytes()) >> place & 1 == 1, "{start:?} at {place}");
            }
        }
        assert_eq!(may_say_from(b"8888888888888888"), 0);
        assert!(!may_say(Alphabet::Hex, b"9f86d081884c7d65"));
    }

    #[test]
    fn pictures_hashes_and_words_say_nothing() {
        assert_eq!(content(Alphabet::Base64, b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB", 99), Content::Media);
        for (alphabet, run) in [
            (Alphabet::Hex, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
            (Alphabet::Base64, "getElementsByClassNameAndTagName"),
            (Alphabet::Base64, "usr/share/doc/libfoo/examples/README"),
            (Alphabet::Base64, "8vRQwn2YtWq7gT0cP5hXzJ3kLmN6bA9d"),
            (Alphabet::Base32, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
        ] {
            assert_eq!(content(alphabet, run.as_bytes(), 99), Content::Other, "{run}");
        }
    }
}
