//! Hashes of passwords in the modular crypt format (crypt(5)) and in PHC strings.

use std::ops::Range;

use super::super::false_positive::distinct;
use super::super::finding::Confidence;

/// Longest hash.
const HASH_MAX: usize = 256;
/// Longest answer of a Kerberos server.
const TICKET_MAX: usize = 4096;
/// How each begins, and the least length of its last field.
const FORMATS: &[(&str, usize)] = &[
    ("$2a$", 53),
    ("$2b$", 53),
    ("$2y$", 53),
    ("$1$", 22),
    ("$5$", 43),
    ("$6$", 86),
    ("$y$", 43),
    ("$apr1$", 22),
    ("$argon2", 22),
    ("$scrypt$", 22),
    ("$7$", 43),
    ("$gy$", 43),
    ("$pbkdf2", 20),
    // Kerberos, as crackers write it (https://hashcat.net/wiki/doku.php?id=example_hashes).
    ("$krb5asrep$", 64),
    ("$krb5tgs$", 64),
    ("$krb5pa$", 64),
    // Types 8 and 9 of Cisco IOS: PBKDF2 and scrypt.
    ("$8$", 43),
    ("$9$", 43),
];

/// The hash that begins at `hit`.
pub(super) fn hash(text: &[u8], hit: &Range<usize>) -> Option<(Confidence, Range<usize>)> {
    // A file of users has none in quotes; programs have, and try themselves with them.
    if text[..hit.start].last().is_some_and(|b| matches!(b, b'"' | b'\'' | b'`' | b'(' | b'}' | b'\\')) {
        return None;
    }
    let is_ticket = text[hit.start..].starts_with(b"$krb5");
    let length_max = if is_ticket { TICKET_MAX } else { HASH_MAX };
    let rest = &text[hit.start..text.len().min(hit.start + length_max)];
    let (_, least) = FORMATS.iter().find(|(start, _)| rest.starts_with(start.as_bytes()))?;
    let signs: &[u8] = if is_ticket { b"$./=,+-*:@_" } else { b"$./=,+-" };
    let len = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || signs.contains(b)).count();
    let value = &rest[..len];
    let last = value.rsplit(|b| *b == b'$').next()?;
    let fields = value.iter().filter(|b| **b == b'$').count();
    (len < length_max && fields >= 3 && last.len() >= *least && distinct(last) >= 10)
        .then_some((Confidence::Medium, hit.start..hit.start + len))
}
