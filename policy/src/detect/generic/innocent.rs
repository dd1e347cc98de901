//! Values that are no secrets wherever they stand: placeholders, references to where the value is, ids, times, versions,
//! paths, hashes with their names, public keys and media.

use super::super::any_of::AnyOf;
use super::super::false_positive::{DISTINCT_MIN, distinct, names_another, names_itself};
use super::model::{HASH_START, hash_on, is_words, text_likelihood};

/// What refers to a value instead of being one, anywhere in it.
static REFERENCES: AnyOf = AnyOf::of(&[
    "${",
    "{{",
    "<%",
    "#{",
    "$(",
    "%(",
    "%{",
    "[[",
    "]]",
    "process.env",
    "os.environ",
    "getenv",
    "secrets.",
    "vault:",
    "op://",
    "arn:aws",
    "***",
    "...",
    "…",
    "•",
    "://",
    "enc[",
    "ref+",
    "valuefrom",
    "keyref",
    "xxx",
    "<<",
]);
/// What refers to a value where it begins so.
const REFERENCE_STARTS: &[&str] = &[
    "env:",
    "env.",
    "file:",
    "ssm:",
    "config.",
    "self.",
    "this.",
    "var.",
    "local.",
    "data.",
    "args.",
    "opts.",
    "ref:",
    "str(",
    "sha256:",
    "sha256-",
    "sha384-",
    "sha512-",
    "sha1-",
    "sha1:",
    "md5:",
    "ssh-rsa",
    "ssh-ed25519",
    "ecdsa-sha2",
    "-----begin",
    "data:",
    "urn:",
    "aaaab3nzac1",
    "aaaac3nzac1",
    "!vault",
    "/",
    "./",
    "../",
    "~/",
    "c:\\",
];
/// With what these begin.
const STARTS_REFERENCE: [bool; 256] = first_bytes(REFERENCE_STARTS);
/// Rows of keys, and digits, that are typed for want of a value.
static ROWS_OF_KEYS: AnyOf = AnyOf::of(&["qwerty", "asdfgh", "zxcvbn", "987654"]);
/// Longest of [`PLACEHOLDERS`].
const PLACEHOLDER_MAX: usize = 12;
/// So many letters, or digits, in their order are counted, not drawn.
const COUNT_MAX: usize = 8;
/// Shortest value that is a walk, and how many characters a slip in one needs.
const WALK_MIN: usize = 16;
const WALK_BYTES_PER_SLIP: usize = 20;
/// Base64 of what media, archives, certificates and public keys begin with.
const MEDIA_STARTS: &[&str] = &[
    "iVBORw0KGgo",
    "/9j/",
    "R0lGOD",
    "UklGR",
    "JVBERi0",
    "PHN2Zy",
    "H4sIAAAA",
    "UEsDBB",
    "MIIC",
    "MIID",
    "MIIE",
    "MIIF",
    "MIIG",
    "MIIB",
    "MIIH",
    "MFkw",
    "LS0tLS1CRUdJTiBDRVJU",
    "LS0tLS1CRUdJTiBQVUJM",
    "d09GMg",
    "AAEAAA",
    "T2dnUw",
];
/// Endings of file names.
const FILE_ENDS: &[&str] = &[
    ".key",
    ".pem",
    ".crt",
    ".cer",
    ".json",
    ".yaml",
    ".yml",
    ".txt",
    ".toml",
    ".xml",
    ".properties",
    ".env",
    ".py",
    ".js",
    ".ts",
    ".go",
    ".rs",
    ".java",
    ".html",
    ".css",
    ".md",
    ".conf",
    ".cfg",
    ".ini",
    ".jks",
    ".p12",
    ".pub",
    ".php",
    ".rb",
    ".com",
    ".org",
    ".net",
    ".io",
    ".local",
    ".example",
    ".test",
    ".dat",
    ".db",
    ".png",
    ".svg",
    ".sh",
    ".kdbx",
    ".tpl",
];
/// Words of which people make up values. The whole value is made of them, and of digits and signs.
const PLACEHOLDERS: &[u32] = hashes! {
    pass password passwd pwd passphrase passcode secret token key apikey changeme change changeit
    example test testing tester user username admin root foo bar baz foobar dummy fake sample demo
    default guest login mypass mypassword todo none null nil true false undefined string value
    placeholder redacted removed hidden masked empty invalid wrong bad correct valid old new some any
    your the here abc abcd abcdef qwerty asdf qwertz letmein public private my me word name text data
    field input client api access auth bearer basic id db database random secure super very long short
    strong weak insert enter put replace with from in it to go is not a an i p x y z t n s or and for of
    at on this expected actual given mock unit ci local localhost dev staging encoded encrypted hash
    hashed postgres mysql redis mongo mongodb rabbitmq pw xyz session refresh only do use cluster
    service server app application base const param get set mysecret mytoken testpass testpassword hello
    world sha md aes rsa hmac utf base64
};

/// Whether the value is a placeholder, says where the value is, or was made up.
pub(super) fn is_stand_in(value: &[u8]) -> bool {
    stands_for_another(value)
        || names_itself(value)
        || Lower::of(value).is_some_and(|lower| is_patterned(lower.bytes()))
}

/// Whether the value is a placeholder, or says where the value is.
pub(super) fn stands_for_another(value: &[u8]) -> bool {
    let Some(lower) = Lower::of(value) else { return names_another(value) };
    let lower = lower.bytes();
    let begins = lower.first().is_some_and(|b| STARTS_REFERENCE[usize::from(*b)]);
    let starts = |list: &[&str]| list.iter().any(|start| lower.starts_with(start.as_bytes()));
    // Most values have no sign that a reference could be made of.
    let plain = lower.iter().all(|b| b.is_ascii_alphanumeric() || b"-_+/=".contains(b));
    (if plain { holds_plain_reference(lower) } else { REFERENCES.stands_in(lower) })
        || (begins && starts(REFERENCE_STARTS))
        || is_bracketed(value)
        || is_variable(value)
        || names_another(value)
        || (value.len() >= 16 && distinct(value) < DISTINCT_MIN)
        || is_placeholder_words(lower)
}

/// The bytes with which the texts begin.
const fn first_bytes(texts: &[&str]) -> [bool; 256] {
    let (mut table, mut at) = ([false; 256], 0);
    while at < texts.len() {
        table[texts[at].as_bytes()[0] as usize] = true;
        at += 1;
    }
    table
}

/// Those of [`REFERENCES`] that are letters.
fn holds_plain_reference(lower: &[u8]) -> bool {
    (0..lower.len()).any(|at| match lower[at] {
        b'g' => lower[at..].starts_with(b"getenv"),
        b'v' => lower[at..].starts_with(b"valuefrom"),
        b'k' => lower[at..].starts_with(b"keyref"),
        b'x' => lower[at..].starts_with(b"xxx"),
        _ => false,
    })
}

/// The same few characters again and again, a count, or a word that says so.
pub(super) fn is_made_up(value: &[u8]) -> bool {
    Lower::of(value).is_some_and(|lower| is_patterned(lower.bytes()))
        || is_counted_twice(value)
        || names_itself(value)
}

/// Whether all of it walks, its letters and its digits each for themselves, and only begins anew at an end of the
/// alphabet or of the digits: `AbCdEf1234567890abcdef`. A slip or two make no difference.
pub(super) fn is_walk(value: &[u8]) -> bool {
    let slips = |test: fn(&u8) -> bool, ends: &[u8]| {
        let mut before = None::<u8>;
        let letters = value.iter().filter(|b| test(b)).map(u8::to_ascii_lowercase);
        letters
            .filter(|byte| {
                let goes_on = before.is_none_or(|b| b.abs_diff(*byte) <= 1) || ends.contains(byte);
                before = Some(*byte);
                !goes_on
            })
            .count()
    };
    let slips = slips(u8::is_ascii_alphabetic, b"az") + slips(u8::is_ascii_digit, b"019");
    value.len() >= WALK_MIN && slips * WALK_BYTES_PER_SLIP <= value.len()
}

/// Ids, times, versions, addresses, names of files, public keys, media.
pub(super) fn is_thing(value: &[u8]) -> bool {
    // Each begins with the only dot in it.
    let ending = memchr::memrchr(b'.', value).map_or(&[][..], |dot| &value[dot..]);
    let ends = |end: &&str| ending.eq_ignore_ascii_case(end.as_bytes());
    is_uuid(value)
        || is_number_like(value)
        || is_address(value)
        || (!ending.is_empty() && FILE_ENDS.iter().any(ends))
        || MEDIA_STARTS.iter().any(|start| value.starts_with(start.as_bytes()) && value.len() >= 24)
}

/// Words made up for the place where a secret belongs, and nothing else but signs and a few digits in order.
pub(super) fn is_placeholder_words(lower: &[u8]) -> bool {
    let mut seen = false;
    for run in lower.split(|b| !b.is_ascii_alphabetic()).filter(|run| !run.is_empty()) {
        seen = true;
        if !splits_into_placeholders(run) {
            return false;
        }
    }
    let digits = || lower.iter().filter(|b| b.is_ascii_digit());
    let counts_up = digits().zip(digits().skip(1)).all(|(a, b)| b.wrapping_sub(*a) <= 1);
    seen && (digits().count() <= 3 || counts_up)
}

fn splits_into_placeholders(run: &[u8]) -> bool {
    if run.len() > 40 || text_likelihood(run) < -48 {
        return false;
    }
    let mut reach = 1_u64;
    for start in 0..run.len() {
        if reach >> start & 1 == 0 {
            continue;
        }
        let mut hash = HASH_START;
        for end in start + 1..=run.len().min(start + PLACEHOLDER_MAX) {
            hash = hash_on(hash, run[end - 1]);
            // In the midst of letters, one or two are no word.
            let edge = end - start > 2 || start == 0 || end == run.len();
            if edge && may_be_placeholder(hash) && PLACEHOLDERS.contains(&hash) {
                reach |= 1 << end;
            }
        }
    }
    reach >> run.len() & 1 == 1
}

/// A bit for each of the highest bits of the hashes of [`PLACEHOLDERS`].
static MAY_BE_PLACEHOLDER: [u64; 32] = {
    let (mut table, mut at) = ([0; 32], 0);
    while at < PLACEHOLDERS.len() {
        let high = PLACEHOLDERS[at] >> 21;
        table[(high / 64) as usize] |= 1 << (high % 64);
        at += 1;
    }
    table
};

fn may_be_placeholder(hash: u32) -> bool {
    let high = hash >> 21;
    MAY_BE_PLACEHOLDER[(high / 64) as usize] >> (high % 64) & 1 == 1
}

/// `<token>`, `{token}`, `[token]`, `%TOKEN%`, `__TOKEN__`, `@token@`.
fn is_bracketed(value: &[u8]) -> bool {
    matches!(
        value,
        [b'<', .., b'>']
            | [b'{', .., b'}']
            | [b'[', .., b']']
            | [b'%', .., b'%']
            | [b'_', b'_', .., b'_', b'_']
            | [b'@', .., b'@']
    ) || matches!(value, [b'%', rest @ ..] if rest.len() <= 2)
        || value.windows(2).any(|pair| pair == b"%s")
}

/// `$token`, `$env:TOKEN`, `:token`, `&token`, `TOKEN_OF_APP`.
fn is_variable(value: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'.' | b'>' | b'-');
    match value {
        [b'$' | b':' | b'@' | b'&', rest @ ..] if rest.first().is_some_and(u8::is_ascii_alphabetic) => {
            rest.iter().all(plain) && (is_words(rest) || !rest.iter().any(u8::is_ascii_digit))
        }
        _ => {
            value.contains(&b'_')
                && value.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
                && value.split(|b| *b == b'_').filter(|word| word.len() >= 3).any(is_words)
        }
    }
}

/// The same few characters again and again, or a walk through the alphabet or the digits.
pub(super) fn is_patterned(lower: &[u8]) -> bool {
    let repeats = |period: usize| lower.iter().zip(&lower[period..]).all(|(a, b)| a == b);
    if (1..=lower.len() / 2).take(16).any(repeats) {
        return true;
    }
    // A random value has a run of four once in ten thousand places: half of it in runs is made up.
    let (mut in_runs, mut run, mut step) = (0, 1, 0);
    for pair in lower.windows(2).chain([&b"\0\xff"[..]]) {
        let wraps = pair == b"90" || pair == b"z0" || pair == b"9a";
        let next = if wraps { 1 } else { i16::from(pair[1]) - i16::from(pair[0]) };
        if (-1..=1).contains(&next) && (run == 1 || next == step) {
            run += 1;
        } else {
            in_runs += if run >= 4 { run } else { 0 };
            if run >= 10 {
                return true;
            }
            run = 1;
        }
        step = next;
    }
    if in_runs * 2 >= lower.len() {
        return true;
    }
    ROWS_OF_KEYS.stands_in(lower)
}

/// `a1b2c3d4e5f6g7h8`: its letters, or its digits, are a walk. It looks random, and may be one of an example.
pub(super) fn is_counted(value: &[u8]) -> bool {
    counts(value, u8::is_ascii_alphabetic) || counts(value, u8::is_ascii_digit)
}

/// Whether both are: then nothing of it is by chance.
pub(super) fn is_counted_twice(value: &[u8]) -> bool {
    counts(value, u8::is_ascii_alphabetic) && counts(value, u8::is_ascii_digit)
}

fn counts(value: &[u8], test: fn(&u8) -> bool) -> bool {
    let (mut run, mut before) = (1, None);
    for byte in value.iter().filter(|b| test(b)).map(u8::to_ascii_lowercase) {
        let next = before.is_some_and(|b: u8| b + 1 == byte || (b, byte) == (b'9', b'0'));
        run = if next { run + 1 } else { 1 };
        if run >= COUNT_MAX {
            return true;
        }
        before = Some(byte);
    }
    false
}

pub(super) fn is_uuid(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"{").and_then(|v| v.strip_suffix(b"}")).unwrap_or(value);
    value.len() == 36
        && value
            .iter()
            .enumerate()
            .all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// Whether the UUID says when and where it was made (RFC 9562, versions 1, 2 and 6), and is no secret.
pub(super) fn is_time_uuid(uuid: &[u8]) -> bool {
    let uuid = uuid.strip_prefix(b"{").unwrap_or(uuid);
    matches!(uuid.get(14), Some(b'1' | b'2' | b'6'))
        && matches!(uuid.get(19), Some(b'8' | b'9' | b'a' | b'b' | b'A' | b'B'))
}

/// Numbers, times, versions, addresses of hosts: digits and signs, and hardly a letter.
fn is_number_like(value: &[u8]) -> bool {
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let plain = value.iter().all(|b| b.is_ascii_alphanumeric() || b".:-+_/,T Z".contains(b));
    plain
        && digits > 0
        && (letters == 0
            || (letters <= 2 && digits + 6 >= value.len() && value.iter().any(|b| b".:-".contains(b))))
}

/// `name@host.tld`
fn is_address(value: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', value) else { return false };
    let host = &value[at + 1..];
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._+-".contains(b);
    at > 0
        && value[..at].iter().all(plain)
        && host.iter().all(plain)
        && memchr::memrchr(b'.', host).is_some_and(|dot| {
            host[dot + 1..].len() >= 2 && host[dot + 1..].iter().all(u8::is_ascii_alphabetic)
        })
}

/// A value in lower case, without memory of the heap. Longer ones are not words.
struct Lower {
    bytes: [u8; 192],
    len: usize,
}

impl Lower {
    fn of(value: &[u8]) -> Option<Self> {
        let mut lower = Self { bytes: [0; 192], len: value.len() };
        let bytes = lower.bytes.get_mut(..value.len())?;
        bytes.copy_from_slice(value);
        bytes.make_ascii_lowercase();
        Some(lower)
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_known() {
        for value in [
            "${DB_PASSWORD}",
            "{{ token }}",
            "<your-token>",
            "$PASSWORD",
            "changeme",
            "CHANGE_ME",
            "password123",
            "my-secret",
            "process.env.TOKEN",
            "os.environ[\"X\"]",
            "xxxxxxxx",
            "abcdefgh",
            "%s",
            "%(password)s",
            "your_api_key_here",
            "test-token",
            "********",
            "secret://x",
            "API_TOKEN_NAME",
            "abc123",
            "aaaa1111aaaa1111",
            "aBcDeFgHiJ",
            "Passw0rd...",
        ] {
            assert!(is_stand_in(value.as_bytes()), "{value}");
        }
        for value in ["q7Zt2LxW9vBn4KdR", "hunter2", "Tr0ub4dor&3", "s3cr3tP4ss", "hvjfqxo_qtrg"] {
            assert!(!is_stand_in(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn walks_are_told_from_what_somebody_typed() {
        for value in ["AbCdEfGhIjKlMnOpQrStUv", "1234567890abcdef1234567890abcdef", "Aa1Bb2Cc3Dd4Ee5Ff6Gg7H"]
        {
            assert!(is_walk(value.as_bytes()), "{value}");
        }
        for value in ["abcdef1234567890fbcdbf1234066890", "q7Zt2LxW9vBn4KdR6yHc", "abcdef"] {
            assert!(!is_walk(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn things_are_known() {
        for value in [
            "52acf265-3fc6-4ecd-304a-15940bd04653",
            "2024-05-06T12:00:01Z",
            "1.22.3",
            "v1.2.3",
            "10.0.0.1",
            "1700000000",
            "me@acme.com",
            "server.pem",
            "iVBORw0KGgoAAAANSUhEUgAAAAUA",
            "2024-05-06",
        ] {
            assert!(is_thing(value.as_bytes()), "{value}");
        }
        assert!(!is_thing(b"q7Zt2LxW9vBn4KdR") && !is_thing(b"wdnaumap4"));
    }
}
