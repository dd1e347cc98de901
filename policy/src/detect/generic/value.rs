//! Whether a value is a secret, given what its name promises and how it is written.

use std::ops::Range;

use super::super::false_positive::{Origin, distinct, origin};
use super::super::finding::Confidence;
use super::assign::{Style, table};
use super::header;
use super::innocent::{is_counted, is_made_up, is_thing, is_time_uuid, is_uuid, is_walk, stands_for_another};
use super::model::{is_words, text_likelihood};
use super::name::{Clarity, Topic};

/// Longest password that is judged as one.
const PASSWORD_MAX: usize = 96;
/// Shortest value that counts, and is one.
const INVENTED_MIN: usize = 20;
/// So many dashes make groups.
const GROUPS_MIN: usize = 4;
/// Shortest value in which signs of a program may stand by chance.
const SIGNS_MIN: usize = 24;
/// The signs of programs: one of them stands in whatever looks like code.
const IS_CODE_SIGN: [bool; 256] = table(b"([:<>*\\^{%&'\"|=!+$");
/// With what these begin.
const BEGINS_CODE: [bool; 256] = table(b"([:<>/.\\{%&'\"-=|$!+");
/// Words before a token in one value (`Bearer …`).
const SCHEMES: &[&str] =
    &["bearer", "token", "apikey", "basic", "api-key", "key", "oauth", "splunk", "genie", "bot"];

/// How sure it is that `value` is a secret, and which part of it is.
pub(super) fn judge(
    named: (Topic, Clarity),
    value: &[u8],
    style: Style,
) -> Option<(Confidence, Range<usize>)> {
    let skipped = scheme(value);
    let secret = &value[skipped..];
    if secret.iter().any(u8::is_ascii_whitespace) {
        return last_word(named, value, style).map(|word| (Confidence::Low, word));
    }
    let all = skipped..value.len();
    // Most names are given words.
    let letters = |b: &u8| b.is_ascii_alphabetic() || b"_-.".contains(b);
    if secret.iter().all(letters) && is_words(secret)
        || !secret.is_ascii() && named.0 != Topic::Password
        || looks_like_code(secret, style)
        || stands_for_another(secret)
        || is_code_path(secret, style)
    {
        return None;
    }
    if is_walk(secret) || is_stub_of_jwt(secret) || (style == Style::Bare && is_in_groups(secret)) {
        return None;
    }
    if is_made_up(secret) {
        return is_invented(named, secret, style).then_some((Confidence::Low, all));
    }
    if is_thing(secret) {
        // Some vendors' keys are UUIDs, and only the name tells them from ids.
        let key = named.1 == Clarity::Clear && !matches!(named.0, Topic::Password | Topic::Key);
        let written = matches!(style, Style::Quoted | Style::Line | Style::Option);
        return (key && written && is_uuid(secret) && !is_time_uuid(secret))
            .then_some((Confidence::Low, all));
    }
    let confidence = match named.0 {
        // Its hash is what `secret/password-hash` looks for.
        Topic::Password if secret.starts_with(b"$") && secret[1..].contains(&b'$') => None,
        Topic::Password => password(named.1, secret, style),
        Topic::Authorization if header::names_user_and_password(secret) => Some(Confidence::High),
        // Behind a scheme, or in quotes, it is the credential, and base64 if it is padded.
        Topic::Authorization
            if (skipped > 0 || style == Style::Quoted)
                && secret.ends_with(b"=")
                && is_random(secret, 12, 3) =>
        {
            token(named, secret, style).or(Some(Confidence::Low))
        }
        Topic::Secret | Topic::ClientSecret => {
            // What is in percent signs is read again where it is decoded.
            let plain = !secret.contains(&b'%') && !is_words(secret);
            token(named, secret, style)
                .or_else(|| chosen(secret, style).filter(|_| plain).map(|_| Confidence::Low))
        }
        _ => token(named, secret, style),
    };
    confidence.map(|confidence| (if is_counted(secret) { Confidence::Low } else { confidence }, all))
}

/// Whether a value that counts, or repeats, is one that somebody may have set all the same: long, of letters and digits,
/// and no mere walk through the alphabet, behind a name that leaves no doubt.
fn is_invented((topic, clarity): (Topic, Clarity), value: &[u8], style: Style) -> bool {
    let names_a_token =
        matches!(topic, Topic::ApiKey | Topic::ClientSecret | Topic::Secret | Topic::Token | Topic::Key);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.+/=".contains(b);
    names_a_token
        && clarity == Clarity::Clear
        && !matches!(style, Style::Bare | Style::Prose)
        && value.len() >= INVENTED_MIN
        && distinct(value) >= 10
        && value.iter().all(plain)
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && origin(value) != Origin::StandIn
        && !is_uuid(value)
}

/// `4f3a-9c1d-2b7e-48ac-q7zt`: an id, where nothing marks it as text.
fn is_in_groups(value: &[u8]) -> bool {
    value.iter().filter(|b| **b == b'-').count() >= GROUPS_MIN
}

/// Whether what a dash joins to a name is a token, drawn or made up; hashes of files stand so as well.
pub(super) fn is_joined(topic: Topic, value: &[u8]) -> bool {
    !is_hex(value)
        && !is_walk(value)
        && !is_words(value)
        && is_random(value, INVENTED_MIN, 8)
        && is_invented((topic, Clarity::Clear), value, Style::Quoted)
}

/// `eyJhbGciOiJIUzI1NiJ9.payload.signature`: the header of a JSON Web Token, and words for the rest.
fn is_stub_of_jwt(value: &[u8]) -> bool {
    value.starts_with(b"eyJ") && memchr::memchr(b'.', value).is_some_and(|dot| is_words(&value[dot..]))
}

/// The last word of a value that has several, if it is a token: `<secret>the acme key q7Zt…</secret>`.
fn last_word((topic, clarity): (Topic, Clarity), value: &[u8], style: Style) -> Option<Range<usize>> {
    let names_a_token = matches!(topic, Topic::ApiKey | Topic::ClientSecret | Topic::Secret | Topic::Token);
    if !names_a_token || clarity != Clarity::Clear || style != Style::Quoted {
        return None;
    }
    let end = value.len() - value.iter().rev().take_while(|b| matches!(b, b'}' | b')' | b']' | b'.')).count();
    let start = value[..end].iter().rposition(u8::is_ascii_whitespace)? + 1;
    let word = &value[start..end];
    let is_hash = is_hex(word) && matches!(word.len(), 40 | 64);
    (is_random(word, 20, 8)
        && word.iter().any(u8::is_ascii_digit)
        && !is_hash
        && !looks_like_code(word, style)
        && !stands_for_another(word)
        && !is_made_up(word)
        && !is_thing(word))
    .then_some(start..end)
}

/// Whether a value without any name is a random token, at the least as sure as told.
pub(in crate::detect) fn is_random(value: &[u8], length_min: usize, bits: i32) -> bool {
    value.len() >= length_min
        && distinct(value) >= 7
        && (is_hex(value) || text_likelihood(value) < -8 * bits)
        && !is_words(value)
}

/// Letters and digits of hexadecimal numbers, in one case.
pub(super) fn is_hex(value: &[u8]) -> bool {
    let hex = |b: &u8| b.is_ascii_hexdigit();
    value.len() >= 16
        && value.iter().all(hex)
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && !(value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase))
}

/// Length of a scheme and the space behind it at the start of the value.
fn scheme(value: &[u8]) -> usize {
    let Some(space) = memchr::memchr(b' ', &value[..value.len().min(12)]) else { return 0 };
    if SCHEMES.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(&value[..space])) {
        space + 1
    } else {
        0
    }
}

/// What a program is made of and passwords hardly are.
fn looks_like_code(value: &[u8], style: Style) -> bool {
    const CODE: &[&str] = &[
        "()", "[]", "::", "</", "/>", "(?", ".*", "\\w", "\\d", "\\s", "[^", "\\n", "\\x", "\\\"", "{}",
        "\\u", "\\U", "%20", "&amp;", "('", "(\"", "[a-z", "[0-9", "','", "\",\"",
    ];
    /// A generator that deals all signs deals these as well.
    const OPERATORS: &[&str] = &["->", "=>", "||", "&&", "==", "$/", "!=", "+="];
    let digits = value.iter().rposition(|b| *b != b'=').map_or(0, |last| last + 1);
    let value = &value[..digits];
    let holds = |list: &[&str]| {
        (0..value.len()).any(|at| {
            BEGINS_CODE[usize::from(value[at])]
                && list.iter().any(|code| value[at..].starts_with(code.as_bytes()))
        })
    };
    matches!(value.first(), Some(b'+' | b',' | b';' | b')' | b']' | b'}' | b'|' | b'=' | b'?' | b'('))
        // Most values have none of the signs of which one stands in each of these.
        || value.iter().any(|b| IS_CODE_SIGN[usize::from(*b)])
            && (holds(CODE)
                || (holds(OPERATORS) && !(style == Style::Quoted && is_random(value, SIGNS_MIN, 8))))
}

/// `jwt.HS256`: the member of something, where nothing marks it as text.
fn is_code_path(value: &[u8], style: Style) -> bool {
    let part = |part: &[u8]| {
        part.first().is_some_and(u8::is_ascii_alphabetic)
            && part.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    style == Style::Bare && value.contains(&b'.') && value.len() < 40 && value.split(|b| *b == b'.').all(part)
}

/// A value that people choose.
fn password(clarity: Clarity, value: &[u8], style: Style) -> Option<Confidence> {
    if !(4..=PASSWORD_MAX).contains(&value.len()) {
        return None;
    }
    if clarity == Clarity::Vague {
        return is_random(value, 8, 4).then_some(Confidence::Low);
    }
    let confidence = chosen(value, style)?;
    Some(match style {
        Style::Quoted | Style::Line | Style::Option => confidence,
        Style::Bare | Style::Prose => confidence.min(Confidence::Low),
        Style::Spaced if is_random(value, 8, 5) => Confidence::Low,
        Style::Spaced => return None,
    })
}

/// Judges by what it is made of: words and numbers of a program, or what a person or a generator makes up.
fn chosen(value: &[u8], style: Style) -> Option<Confidence> {
    let count = |test: fn(&u8) -> bool| value.iter().filter(|b| test(b)).count();
    let letters = count(|b| b.is_ascii_alphabetic() || !b.is_ascii());
    let digits = count(u8::is_ascii_digit);
    let signs = count(|b| b.is_ascii_punctuation() && !b"_-.:/,=|[](){}<>#$".contains(b));
    let joints = value.len() - letters - digits - signs;
    let likelihood = text_likelihood(value);
    let words = is_words(value);
    if letters == 0 || !value.is_ascii() && digits + signs == 0 {
        return None;
    }
    let cases = value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase);
    if signs > 0 && value.len() >= 6 && (digits > 0 || (!words && likelihood < 0)) {
        let sure = value.len() >= 8 && digits > 0 && likelihood < -40;
        return Some(if sure { Confidence::High } else { Confidence::Medium });
    }
    let written = matches!(style, Style::Quoted | Style::Line);
    if words {
        // A word and a number that no program would count to.
        let enough = digits > 0 && joints == 0 || digits >= 3 && joints == 1;
        return (enough && written && value.len() >= 7).then_some(Confidence::Low);
    }
    if is_hex(value) {
        return (value.len() != 40 && value.len() != 64).then_some(Confidence::Medium);
    }
    let bare = matches!(style, Style::Bare | Style::Spaced | Style::Prose);
    if digits > 0 && signs == 0 && joints == 0 {
        return match (value.len() >= 8, likelihood) {
            (true, ..-40) if cases && !bare => Some(Confidence::High),
            (true, ..0) => Some(Confidence::Medium),
            (_, ..-8) if value.len() >= 5 && !bare => Some(Confidence::Low),
            _ => None,
        };
    }
    // Letters alone, or with joints: only if no language would put them so.
    let least = match (bare, value.len()) {
        (true, _) => -40,
        (false, ..=5) => -48,
        (false, _) => -20,
    };
    let long = value.len() >= if bare { 8 } else { 5 };
    (long && likelihood < least).then_some(if value.len() > 5 && likelihood < -48 && !bare {
        Confidence::Medium
    } else {
        Confidence::Low
    })
}

/// A value that a program made.
fn token((topic, clarity): (Topic, Clarity), value: &[u8], style: Style) -> Option<Confidence> {
    let hex = is_hex(value);
    // What is padded is base64.
    let padding = if value.ends_with(b"=") { 24 } else { 0 };
    let likelihood = text_likelihood(value) - padding;
    let digits = value.iter().any(u8::is_ascii_digit);
    if is_words(value) || is_uuid(value) || distinct(value) < 6 || value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (length_min, hex_min, least) = match (topic, clarity) {
        (Topic::Key, Clarity::Clear) => (20, 32, -64),
        (Topic::Key, Clarity::Vague) => (24, usize::MAX, -96),
        (Topic::Authorization, _) => (16, 32, -64),
        (_, Clarity::Vague) => (16, 32, -56),
        (Topic::ApiKey, Clarity::Clear) => (12, 16, -24),
        (_, Clarity::Clear) => (8, 16, -24),
    };
    let (length_min, hex_min, least) = match style {
        Style::Quoted | Style::Option => (length_min, hex_min, least),
        // A short number without quotes is an id.
        Style::Line => (length_min, hex_min.max(20), least),
        Style::Bare => (length_min.max(12), hex_min.max(24), least.min(-48)),
        Style::Spaced | Style::Prose => (length_min.max(16), hex_min.max(32), least.min(-56)),
    };
    let loose = matches!(style, Style::Bare | Style::Spaced | Style::Prose) || topic == Topic::Key;
    let enough = if hex { value.len() >= hex_min } else { value.len() >= length_min && likelihood < least };
    if !enough || (loose && !digits && value.len() < 32) {
        return None;
    }
    let sure = clarity == Clarity::Clear && !loose && topic != Topic::Authorization;
    let long = if hex { value.len() >= 32 } else { value.len() >= 20 && likelihood < -96 };
    Some(match (sure, long) {
        (true, true) => Confidence::High,
        (true, false) if value.len() >= 12 => Confidence::Medium,
        (false, true) if clarity == Clarity::Clear => Confidence::Medium,
        _ => Confidence::Low,
    })
}
