//! Schemes of `Authorization` (RFC 7617, RFC 6750), cookies of sessions, and users with passwords in options of commands.

use std::ops::Range;

use super::super::finding::Confidence;
use super::innocent::{is_stand_in, is_thing};
use super::model::is_words;
use super::value::is_random;

/// Longest token.
const TOKEN_MAX: usize = 2048;
/// Longest text that is decoded to see user and password.
const DECODED_MAX: usize = 192;
/// How far a `Cookie` header is read.
const COOKIE_MAX: usize = 2048;
/// How far back in its line the command of an option is looked for.
const COMMAND_MAX: usize = 256;

/// A token behind `Bearer ` or `Basic `.
pub(super) fn scheme(text: &[u8], hit: &Range<usize>) -> Option<(Confidence, Range<usize>)> {
    let rest = &text[hit.end..text.len().min(hit.end + TOKEN_MAX + 1)];
    let len = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b)).count();
    let mut span = hit.end..hit.end + len;
    while span.len() > 1 && text[span.end - 1] == b'.' {
        span.end -= 1;
    }
    let value = &text[span.clone()];
    if len > TOKEN_MAX || is_stand_in(value) || is_thing(value) {
        return None;
    }
    if text[hit.start].eq_ignore_ascii_case(&b'b') && text[hit.start + 1].eq_ignore_ascii_case(&b'a') {
        return match user_and_password(value) {
            Some(decoded) => (!decoded.is_stand_in()).then_some((Confidence::High, span)),
            None => (value.len() >= 12 && value.ends_with(b"=") && is_random(value, 12, 3))
                .then_some((Confidence::Low, span)),
        };
    }
    let confidence = if is_random(value, 24, 12) { Confidence::High } else { Confidence::Medium };
    is_random(value, 16, 4).then_some((confidence, span))
}

/// The first cookie of a session in a header that begins at `hit`.
pub(super) fn cookie(text: &[u8], hit: &Range<usize>) -> Option<(Confidence, Range<usize>)> {
    let rest = &text[hit.end..text.len().min(hit.end + COOKIE_MAX)];
    let gap = rest.iter().take(8).take_while(|b| b" \"':=,\\".contains(b)).count();
    if !rest[..gap].iter().any(|b| b":=,".contains(b)) {
        return None;
    }
    let line = &rest[gap..];
    let line = &line[..line.iter().position(|b| b"\r\n\"'`".contains(b)).unwrap_or(line.len())];
    let mut at = hit.end + gap;
    for pair in line.split(|b| *b == b';') {
        if let Some(equals) = memchr::memchr(b'=', pair) {
            let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii_end());
            let plain = |text: &[u8]| !text.iter().any(|b| b.is_ascii_whitespace() || b"(){}[],".contains(b));
            if is_session(name)
                && plain(name)
                && plain(value)
                && is_random(value, 16, 4)
                && !is_stand_in(value)
                && !is_thing(value)
            {
                let start = at + equals + 1;
                return Some((Confidence::Medium, start..start + value.len()));
            }
        }
        at += pair.len() + 1;
    }
    None
}

/// `curl -u user:password`.
pub(super) fn option(text: &[u8], hit: &Range<usize>) -> Option<(Confidence, Range<usize>)> {
    let before = &text[hit.start.saturating_sub(COMMAND_MAX)..hit.start];
    let command = &before[command_start(before)..];
    if !["curl", "wget", "http "].iter().any(|name| memchr::memmem::find(command, name.as_bytes()).is_some())
    {
        return None;
    }
    let rest = &text[hit.end..text.len().min(hit.end + COMMAND_MAX)];
    // `bob:'password'`
    let user = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"._-@".contains(b)).count();
    if let [b':', mark @ (b'"' | b'\''), quoted @ ..] = &rest[user..] {
        let password = &quoted[..memchr::memchr(*mark, quoted)?];
        let start = hit.end + user + 2;
        return judged(&rest[..user], password).map(|sure| (sure, start..start + password.len()));
    }
    let quote = usize::from(matches!(rest.first(), Some(b'"' | b'\'')));
    let end =
        |b: &u8| if quote == 1 { *b == rest[0] } else { b.is_ascii_whitespace() || b"\"'`|;".contains(b) };
    let login = &rest[quote..];
    let login = &login[..login.iter().position(end).unwrap_or(login.len())];
    let colon = memchr::memchr(b':', login)?;
    let password = &login[colon + 1..];
    let start = hit.end + quote + colon + 1;
    judged(&login[..colon], password).map(|sure| (sure, start..start + password.len()))
}

/// How sure it is that the password of an option is one.
fn judged(user: &[u8], password: &[u8]) -> Option<Confidence> {
    if user.is_empty() || is_poor_password(user, password) || password.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    Some(if is_words(password) { Confidence::Low } else { Confidence::Medium })
}

/// Where the command begins whose options are the end of `text`: its lines may go on behind a backslash.
fn command_start(text: &[u8]) -> usize {
    memchr::memrchr_iter(b'\n', text)
        .find(|at| !text[..*at].trim_ascii_end().ends_with(b"\\"))
        .map_or(0, |at| at + 1)
}

/// Whether nobody would guard anything with it: a placeholder, or the name of the user.
pub(super) fn is_poor_password(user: &[u8], password: &[u8]) -> bool {
    password.len() < 3
        || user.eq_ignore_ascii_case(password)
        || is_stand_in(password)
        || memchr::memchr2(b'{', b'<', password).is_some()
}

/// Whether the value is base64 of `user:password`, as in the `auth` of Docker's `config.json`.
pub(super) fn names_user_and_password(value: &[u8]) -> bool {
    user_and_password(value).is_some_and(|decoded| !decoded.is_stand_in())
}

fn is_session(name: &[u8]) -> bool {
    ["sess", "sid", "auth", "token", "jwt", "login", "remember"]
        .iter()
        .any(|part| name.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes())))
}

struct Decoded {
    bytes: [u8; DECODED_MAX],
    len: usize,
    colon: usize,
}

impl Decoded {
    fn is_stand_in(&self) -> bool {
        is_poor_password(&self.bytes[..self.colon], &self.bytes[self.colon + 1..self.len])
    }
}

fn user_and_password(value: &[u8]) -> Option<Decoded> {
    let digits = value.iter().rposition(|b| *b != b'=').map_or(0, |last| last + 1);
    if !(8..=DECODED_MAX).contains(&value.len()) || digits % 4 == 1 || value.len() - digits > 2 {
        return None;
    }
    let mut decoded = Decoded { bytes: [0; DECODED_MAX], len: 0, colon: 0 };
    let (mut bits, mut held) = (0_u32, 0);
    for byte in &value[..digits] {
        bits = bits << 6 | u32::from(sextet(*byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            let byte = (bits >> held & 0xff) as u8;
            if !(b' '..=b'~').contains(&byte) {
                return None;
            }
            decoded.bytes[decoded.len] = byte;
            decoded.len += 1;
        }
    }
    decoded.colon = memchr::memchr(b':', &decoded.bytes[..decoded.len])?;
    (decoded.colon + 1 < decoded.len).then_some(decoded)
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}
