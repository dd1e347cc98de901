//! E-mail addresses around an `@`.

use std::ops::Range;

use super::tables::Email;
use super::window::follows_escape;

/// Longest local part (RFC 5321, section 4.5.3.1.1).
const LOCAL_MAX: usize = 64;
/// Longest host name (RFC 1035, section 2.3.4).
const HOST_MAX: usize = 253;
/// How far before the address the scheme of a URL is looked for.
const SCHEME_MAX: usize = 64;

/// The address around the `@` at `at`.
pub(super) fn address(email: &Email, text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = local_start(text, at)?;
    let end = host_end(email, text, at + 1)?;
    let (local, host) = (&text[start..at], &text[at + 1..end]);
    let nobody = email.nobody.iter().any(|n| local.eq_ignore_ascii_case(n.as_bytes()));
    let reserved = email.reserved.iter().any(|r| is_below(host, r.as_bytes()));
    (!nobody && !reserved && !stands_in_url(text, start)).then_some(start..end)
}

fn local_start(text: &[u8], at: usize) -> Option<usize> {
    let window = &text[at.saturating_sub(LOCAL_MAX + 1)..at];
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'');
    let len = window.iter().rev().take_while(|b| plain(b)).count();
    if len > LOCAL_MAX || text[at - len..at].ends_with(b".") {
        return None;
    }
    // What cannot begin an address is punctuation before it, or the end of an escape (`\nbob@…`).
    let mut start = at - len;
    while start < at
        && (b".%+-'".contains(&text[start]) || (start > 0 && follows_one_letter_escape(text, start)))
    {
        start += 1;
    }
    (start < at && !text[start..at].windows(2).any(|two| two == b"..")).then_some(start)
}

/// Whether the character at `start` is the letter of an escape like `\n`, which belongs to no address.
fn follows_one_letter_escape(text: &[u8], start: usize) -> bool {
    text[start - 1] == b'\\' && follows_escape(text, start + 1)
}

fn host_end(email: &Email, text: &[u8], start: usize) -> Option<usize> {
    let window = &text[start..text.len().min(start + HOST_MAX + 1)];
    let plain = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'.';
    let mut host = &window[..window.iter().take_while(|b| plain(b)).count()];
    // The full stop of a sentence is not part of a host.
    while let [head @ .., b'.' | b'-'] = host {
        host = head;
    }
    let labels = |host: &[u8]| {
        host.split(|b| *b == b'.')
            .all(|l| !l.is_empty() && l.first() != Some(&b'-') && l.last() != Some(&b'-'))
    };
    if host.len() > HOST_MAX || !labels(host) {
        return None;
    }
    let suffix = &host[memchr::memrchr(b'.', host)? + 1..];
    let followed = &text[start + host.len()..];
    // `name@2.0.0/dist`, `@scope/name@host.tld:path` and the like are no addresses.
    if matches!(followed, [b'_', ..]) || !is_suffix(email, suffix) {
        return None;
    }
    Some(start + host.len())
}

fn is_suffix(email: &Email, label: &[u8]) -> bool {
    let mut lower = [0; 24];
    let Some(lower) = lower.get_mut(..label.len()) else { return false };
    lower.copy_from_slice(label);
    lower.make_ascii_lowercase();
    lower.starts_with(b"xn--") || email.suffixes.binary_search_by(|s| s.as_bytes().cmp(lower)).is_ok()
}

/// Whether `host` is `domain` or stands below it.
fn is_below(host: &[u8], domain: &[u8]) -> bool {
    let Some(at) = host.len().checked_sub(domain.len()) else { return false };
    host[at..].eq_ignore_ascii_case(domain) && (at == 0 || host[at - 1] == b'.')
}

/// `https://user:password@host.tld`: what stands before the `@` is no person.
fn stands_in_url(text: &[u8], start: usize) -> bool {
    let before = &text[start.saturating_sub(SCHEME_MAX)..start];
    let word = before.iter().rev().take_while(|b| !ends_word(**b)).count();
    let before = &before[before.len() - word..];
    memchr::memmem::rfind(before, b"://")
        .is_some_and(|at| memchr::memchr2(b'?', b'/', &before[at + 3..]).is_none())
}

fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'(' | b')' | b',')
}

#[cfg(test)]
mod tests {
    use super::super::tables::EMAIL;
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let at = text.find('@').expect("there is an @ in the text");
        address(&EMAIL, text.as_bytes(), at).map(|span| &text[span])
    }

    #[test]
    fn addresses_are_found_without_what_stands_around_them() {
        for (text, address) in [
            ("Write to Ana.Lima+x@mail.acme-labs.com.br.", "Ana.Lima+x@mail.acme-labs.com.br"),
            ("<o'neil@acme.io>", "o'neil@acme.io"),
            ("'bob@acme.io'", "bob@acme.io"),
            ("mailto:bob@acme.io?subject=x", "bob@acme.io"),
            (r"a\nbob@acme.io\n", "bob@acme.io"),
            ("https://acme.io/?to=bob@acme.io", "bob@acme.io"),
            ("é bob@acme.ioé", "bob@acme.io"),
        ] {
            assert_eq!(found(text), Some(address), "{text}");
        }
    }

    #[test]
    fn other_uses_of_the_sign_are_not() {
        for text in [
            "react@18.2.0",
            "@types/node",
            "git@github.com:a/b.git",
            "logo@2x.png",
            "someone@example.com",
            "a@sub.example.org",
            "https://user:pass@db.acme.io/x",
            "ssh://deploy@host.acme.io",
            "user@localhost",
            "x@.com",
            "x@a..com",
            "a..b@acme.io",
            "@acme.io",
            ".@acme.io",
            "a@-acme.io",
            "main.rs@file.rs_",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
