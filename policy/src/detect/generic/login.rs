//! Passwords in URLs (RFC 3986, section 3.2.1), in statements of SQL and in lines of `.pgpass`.

use std::ops::Range;

use super::super::finding::Confidence;
use super::assign::{self, Style};
use super::header::is_poor_password;
use super::model::{is_words, text_likelihood};
use super::name::{Clarity, Topic};
use super::value::{self, is_hex, is_random};

/// Longest user and password.
const LOGIN_MAX: usize = 512;
/// How far behind `IDENTIFIED WITH` the `BY` may stand.
const BY_MAX: usize = 48;
/// Hosts on which passwords of documentation and of tests live.
const EXAMPLE_HOSTS: &[&str] =
    &["localhost", "127.", "0.0.0.0", "example.", "host", "[::1]", "server", "hostname", "myhost"];
/// Passwords that say that the user is the secret.
const NO_PASSWORDS: &[&str] = &["", "x", "x-oauth-basic", "unused", "api"];

/// The password of the URL whose `://` stands at `hit`.
pub(super) fn url(text: &[u8], hit: &Range<usize>) -> Option<(Confidence, Range<usize>)> {
    let scheme = hit.start.checked_sub(1).is_some_and(|at| text[at].is_ascii_alphanumeric());
    let rest = &text[hit.end..text.len().min(hit.end + LOGIN_MAX)];
    let stop = |b: &u8| b.is_ascii_whitespace() || b.is_ascii_control() || b"\"'`<>/?\\,".contains(b);
    let authority = &rest[..rest.iter().position(stop).unwrap_or(rest.len())];
    let at = memchr::memrchr(b'@', authority)?;
    let host = &authority[at + 1..];
    if !scheme || !host.first().is_some_and(|b| b.is_ascii_alphanumeric() || b"[%$*{_".contains(b)) {
        return None;
    }
    let login = &authority[..at];
    let Some(colon) = memchr::memchr(b':', login) else { return user(login, hit.end) };
    let (name, password) = (&login[..colon], &login[colon + 1..]);
    if NO_PASSWORDS.iter().any(|none| none.as_bytes() == password) {
        return user(name, hit.end);
    }
    let starts = |known: &&str| {
        host.get(..known.len()).is_some_and(|head| head.eq_ignore_ascii_case(known.as_bytes()))
    };
    // `cvs://:method:user@host`
    let method = name.is_empty() && password.contains(&b':');
    if method
        || is_poor_password(name, password)
        || password.iter().all(u8::is_ascii_digit) && password.len() < 6
    {
        return None;
    }
    let example = EXAMPLE_HOSTS.iter().any(starts) || memchr::memmem::find(host, b"example").is_some();
    let start = hit.end + if is_pair_of_keys(name, password) { 0 } else { colon + 1 };
    let end = hit.end + at;
    let confidence = if is_words(password) {
        if example {
            return None;
        }
        Confidence::Low
    } else if !example && password.len() >= 8 && text_likelihood(password) < -24 {
        Confidence::High
    } else {
        Confidence::Medium
    };
    Some((confidence, start..end))
}

/// Whether both are drawn, as halves of one credential: hexadecimal numbers of one length.
fn is_pair_of_keys(name: &[u8], password: &[u8]) -> bool {
    name.len() >= 8
        && name.len() == password.len()
        && [name, password].iter().all(|half| half.iter().all(u8::is_ascii_hexdigit))
}

/// A token in the place of the user: `https://token@host`.
fn user(name: &[u8], start: usize) -> Option<(Confidence, Range<usize>)> {
    let random = is_random(name, 20, 8)
        && !is_hex(name)
        && name.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b));
    random.then_some((Confidence::Medium, start..start + name.len()))
}

/// `IDENTIFIED BY '…'`, `IDENTIFIED WITH … BY '…'`.
pub(super) fn sql(text: &[u8], hit: &Range<usize>) -> Option<(Confidence, Range<usize>)> {
    let mut end = hit.end;
    if text[hit.clone()].last_chunk::<4>().is_some_and(|tail| tail.eq_ignore_ascii_case(b"with")) {
        let window = &text[end..text.len().min(end + BY_MAX)];
        // `AS '*92FD…'` gives the hash instead.
        let gives = |w: &[u8]| w.eq_ignore_ascii_case(b" by ") || w.eq_ignore_ascii_case(b" as ");
        end += window.windows(4).position(gives)? + 3;
    }
    let found = assign::option(text, end)?;
    let secret = &text[found.span.clone()];
    let (confidence, _) = value::judge((Topic::Password, Clarity::Clear), secret, Style::Quoted)?;
    Some((confidence, found.span))
}

/// `host:5432:database:user:password`, where `:5432:` stands at `hit`.
pub(super) fn pgpass(text: &[u8], hit: &Range<usize>) -> Option<(Confidence, Range<usize>)> {
    let rest = &text[hit.end..text.len().min(hit.end + LOGIN_MAX)];
    let line = &rest
        [..rest.iter().position(|b| b.is_ascii_whitespace() || b"\"'\\".contains(b)).unwrap_or(rest.len())];
    let mut parts = line.splitn(3, |b| *b == b':');
    let (database, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    if database.is_empty() || user.is_empty() || is_poor_password(user, password) {
        return None;
    }
    let start = hit.end + database.len() + user.len() + 2;
    let confidence = if is_words(password) { Confidence::Low } else { Confidence::Medium };
    Some((confidence, start..start + password.len()))
}
