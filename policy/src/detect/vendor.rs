//! Values without a prefix of their own: they count where their vendor's name stands shortly before and the words
//! between say that a credential follows: `deepai_token = …`, `X-DeepAI-Key: …`, the name on one line and `key=…` on
//! the next.
//!
//! A vendor's name is often an ordinary word, and the value looks like a hash or an id: so what stands right before the
//! value decides. It is either the vendor's own identifier with an assignment behind it, or a word such as key, token or
//! secret; never a word such as commit, sha256 or request id.

use std::ops::Range;

use super::checks::origin_of_key;
use super::false_positive::Origin;
use super::finding::Confidence;
use super::generic::is_random;
use super::tables::Segment;
use super::window;

/// How far behind the name the value may start.
const REACH_BYTES: usize = 96;
/// So many places are tried behind a name.
const TRIES_MAX: usize = 16;
/// Most characters between the last word and the value.
const GLUE_MAX: usize = 24;
/// Longest text that is a name as a whole.
const NAME_MAX: usize = 64;
/// So many words such as `is` may stand between.
const FILLERS_MAX: usize = 2;
/// A value that its vendor's name alone announces is at least so long, and by so many bits no text.
const ALONE_BYTES_MIN: usize = 20;
const ALONE_BITS: i32 = 8;

/// Words that say that a credential follows.
const CREDENTIAL: &[&str] = &[
    "accesskey",
    "accesstoken",
    "apikey",
    "apikeys",
    "apisecret",
    "apitoken",
    "appkey",
    "appsecret",
    "auth",
    "authkey",
    "authorization",
    "authtoken",
    "bearer",
    "clientsecret",
    "consumerkey",
    "consumersecret",
    "cred",
    "credential",
    "credentials",
    "creds",
    "dsn",
    "ikey",
    "key",
    "keys",
    "licensekey",
    "oauth",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "pat",
    "personaltoken",
    "privatekey",
    "pw",
    "pwd",
    "secret",
    "secretkey",
    "secrets",
    "skey",
    "token",
    "tokens",
];
/// Words that say so with an assignment behind them.
const MAYBE: &[&str] =
    &["access", "api", "client", "clientid", "keyid", "license", "login", "private", "sid"];
/// Words that say so, less surely, as the last one before the value.
const HINTS: &[&str] = &["access", "private"];
/// Words that say what else it is.
const OTHER: &[&str] = &[
    "blob",
    "checksum",
    "cid",
    "commit",
    "digest",
    "etag",
    "fingerprint",
    "guid",
    "hash",
    "integrity",
    "md",
    "pub",
    "public",
    "publickey",
    "resolved",
    "rev",
    "revision",
    "sha",
    "sri",
    "tree",
    "uid",
    "uuid",
];
/// Words before `id` with which it is half of a credential.
const HALF: &[&str] =
    &["access", "api", "app", "application", "client", "key", "license", "oauth", "secret", "token"];
/// Words that say nothing.
const FILLERS: &[&str] = &["as", "be", "default", "is", "of", "str", "string", "the", "to", "value", "was"];

/// The value behind the vendor's name at `name` with how sure it may be at most, and how many bytes were looked at.
pub(super) fn value(
    body: &[Segment],
    text: &[u8],
    name: &Range<usize>,
) -> (Option<(Range<usize>, Confidence)>, usize) {
    let mut looked_at = 0;
    if !is_word(text, name) {
        return (None, looked_at);
    }
    let limit = text.len().min(name.end + REACH_BYTES);
    let mut at = name.end + 1;
    for _ in 0..TRIES_MAX {
        let Some(run) = next_candidate(body, text, at..limit, &mut looked_at) else { break };
        // In text that is itself escaped, the letters of `\n`, `%3D` and `\u0022` stick to the value behind them.
        for start in [run, run + 1, run + 2, run + 5] {
            if start >= limit
                || (window::is_inside(body, text[start - 1]) && !window::follows_escape(text, start))
            {
                continue;
            }
            match window::exact(body, text, start) {
                Ok(span) => {
                    let gap = &text[name.end..start];
                    looked_at += span.len();
                    if announces(gap) {
                        return (Some((span, Confidence::High)), looked_at);
                    }
                    if hints(gap) || (follows(gap) && is_surely_drawn(&text[span.clone()])) {
                        return (Some((span, Confidence::Low)), looked_at);
                    }
                }
                Err(bytes) => looked_at += bytes,
            }
        }
        let rest = text[run..limit].iter().position(|b| !window::is_inside(body, *b));
        let Some(rest) = rest else { break };
        looked_at += rest;
        at = run + rest.max(1);
    }
    (None, looked_at)
}

/// Where the first part of the body may begin, within `window`. It looks at the end of where a run would be first: in
/// ordinary text that is one look for the length of a value.
fn next_candidate(
    body: &[Segment],
    text: &[u8],
    window: Range<usize>,
    looked_at: &mut usize,
) -> Option<usize> {
    let mut at = window.start;
    match body.first()? {
        Segment::Text(fixed) => {
            let area = text.get(at..text.len().min(window.end + fixed.len()))?;
            *looked_at += area.len() / 8;
            memchr::memmem::find(area, fixed.as_bytes()).map(|found| at + found)
        }
        Segment::Run { set, min, .. } => {
            while at < window.end {
                let run = text.get(at..at + usize::from(*min).max(1))?;
                let Some(other) = run.iter().rposition(|b| !set.contains(*b)) else { return Some(at) };
                *looked_at += run.len() - other;
                at += other + 1;
            }
            None
        }
    }
}

/// Whether a text that holds the vendor's name at `name` may be the name of a value, as a key of JSON is.
pub(super) fn is_name(text: &[u8], name: &Range<usize>) -> bool {
    let tail = &text[name.end..];
    text.len() <= NAME_MAX && is_word(text, name) && is_own(tail, true)
}

/// Whether the key alone says that a credential follows.
pub(super) fn is_credential_key(key: &[u8]) -> bool {
    key.len() <= NAME_MAX && is_credential(key, true)
}

/// Whether the name is a word of its own, or the start or end of an identifier.
fn is_word(text: &[u8], name: &Range<usize>) -> bool {
    let before = name.start.checked_sub(1).map(|at| text[at]);
    let camel = |before: u8| before.is_ascii_lowercase() && text[name.start].is_ascii_uppercase();
    let starts = before
        .is_none_or(|b| !b.is_ascii_alphanumeric() || camel(b) || window::follows_escape(text, name.start));
    let rest = &text[name.end..];
    let (last, next) = (text[name.end - 1], rest.first().copied().unwrap_or(b' '));
    let goes_on = next.is_ascii_alphabetic() && !(last.is_ascii_lowercase() && next.is_ascii_uppercase());
    let known = |words: &[&str]| {
        words.iter().any(|w| rest.get(..w.len()).is_some_and(|r| r.eq_ignore_ascii_case(w.as_bytes())))
    };
    // `Mailgun_key`, `mailgunKey`, `mailgunkey` and `MAILGUNKEY`, but not `squared` for Square.
    starts && (!goes_on || known(CREDENTIAL) || known(MAYBE))
}

/// Whether the text between the name and the value announces a credential.
fn announces(gap: &[u8]) -> bool {
    let mut rest = gap;
    let glue = trailing(rest, |b| !b.is_ascii_alphanumeric() && b != b'_');
    if glue.is_empty() || glue.len() > GLUE_MAX {
        return false;
    }
    let assigns = glue.iter().any(|b| b"=:>(,|\"'`{[".contains(b));
    if !assigns && glue.iter().any(|b| b"/@#.-".contains(b)) {
        return false;
    }
    if gap.iter().filter(|b| **b == b'\n').count() > 1 {
        return false;
    }
    rest = &rest[..rest.len() - glue.len()];
    for _ in 0..=FILLERS_MAX {
        let word = trailing(rest, |b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if word.len() == rest.len() {
            // The identifier that begins with the name itself.
            return is_own(word, assigns);
        }
        // `variable "acme_token" { default = "…" }`, `acme token 2 = …`
        if !says(word, FILLERS) && word.iter().any(|b| !b.is_ascii_digit()) {
            return is_credential(word, assigns);
        }
        rest = &rest[..rest.len() - word.len()];
        let glue = trailing(rest, |b| !b.is_ascii_alphanumeric() && b != b'_');
        if glue.len() > GLUE_MAX {
            return false;
        }
        rest = &rest[..rest.len() - glue.len()];
    }
    false
}

/// Whether the text between the name and the value hints at a credential: `acme ACCESS …`, and the name of a credential
/// with the value in one word, `acme-secret-…`.
fn hints(gap: &[u8]) -> bool {
    let identifier = |rest| trailing(rest, |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    match gap {
        [rest @ .., b'-'] => is_credential(identifier(rest), true),
        [rest @ .., b' '] => {
            let word = identifier(rest);
            Words(word).last().is_some_and(|last| says(last, HINTS)) && !says_other(word)
        }
        _ => false,
    }
}

/// Whether the value follows the name itself, in quotes or behind a space.
fn follows(gap: &[u8]) -> bool {
    matches!(gap, [b' '] | [b' ', b'\'' | b'"' | b'`'])
}

/// Whether it looks drawn by chance from more than the digits of a hash or an id.
fn is_surely_drawn(value: &[u8]) -> bool {
    is_random(value, ALONE_BYTES_MIN, ALONE_BITS)
        && !value.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-')
        && value.iter().any(u8::is_ascii_digit)
        && origin_of_key(value) == Origin::Drawn
}

/// Whether what follows the name in its identifier lets a credential follow: nothing, or a word that says so.
fn is_own(tail: &[u8], assigns: bool) -> bool {
    is_credential(tail, assigns) || (assigns && Words(tail).next().is_none())
}

fn is_credential(identifier: &[u8], assigns: bool) -> bool {
    (says(identifier, CREDENTIAL) || (assigns && says(identifier, MAYBE))) && !says_other(identifier)
}

/// The longest end of `text` whose bytes all are so.
fn trailing(text: &[u8], is_so: impl Fn(u8) -> bool) -> &[u8] {
    &text[text.len() - text.iter().rev().take_while(|b| is_so(**b)).count()..]
}

/// Whether a word of the list stands in the identifier.
fn says(identifier: &[u8], list: &[&str]) -> bool {
    Words(identifier).any(|word| list.iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes())))
}

/// Whether the identifier says that it is something else than a credential; `id` is, but for `client_id` and the like.
fn says_other(identifier: &[u8]) -> bool {
    let mut before: &[u8] = &[];
    for word in Words(identifier) {
        let is = |list: &[&str], word: &[u8]| list.iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes()));
        if is(OTHER, word) || (is(&["id", "ids"], word) && !is(HALF, before)) {
            return true;
        }
        before = word;
    }
    false
}

/// The words of an identifier: apart by what is no letter, and by a capital after a small letter.
struct Words<'t>(&'t [u8]);

impl<'t> Iterator for Words<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let start = self.0.iter().position(u8::is_ascii_alphabetic)?;
        let rest = &self.0[start..];
        let camel = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
        let letters = rest.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(rest.len());
        let end = rest[..letters].windows(2).position(camel).map_or(letters, |at| at + 1);
        self.0 = &rest[end..];
        Some(&rest[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::CharSet;
    use super::*;

    /// 32 of 0-9 and a-f.
    const BODY: &[Segment] =
        &[Segment::Run { set: CharSet(0x007e_0000_0000_03ff_0000_0000_0000), min: 32, max: 32 }];
    const KEY: &str = "3f9a0c7be41d52866fd0b1a7c9e83524";

    fn is_found(before: &str) -> bool {
        sureness(before).is_some_and(|most| most == Confidence::High)
    }

    fn sureness(before: &str) -> Option<Confidence> {
        let text = format!("{before}{KEY}' end");
        let at = text.to_lowercase().find("acme").expect("the name is in the text");
        let (span, most) = value(BODY, text.as_bytes(), &(at..at + 4)).0?;
        assert_eq!(&text[span], KEY);
        Some(most)
    }

    #[test]
    fn a_value_counts_where_name_and_word_announce_it() {
        for before in [
            "acme = '",
            "acme_token = '",
            "ACME_API_KEY: ",
            "ACMEKEY=",
            "acmeKey=\"",
            "my_acme_secret => '",
            "System.setProperty(\"ACME_TOKEN\", \"",
            "acme SECRET KEY ",
            "the acme api key is ",
            "[INFO] calling the acme API\n[DEBUG] Using Key=",
            "https://api.acme.com/v1?apikey=",
            "req.Header.Set(\"Acme-Api-Key\", \"",
            "acme_client_id=",
            "variable \"acme_token\" {\n  default = \"",
            "acme token 2 = ",
        ] {
            assert!(is_found(before), "{before}");
        }
    }

    #[test]
    fn hints_make_it_less_sure() {
        for before in ["acme ACCESS ", "acmePRIVATE ", "acme-secret-", "acme_api_key-"] {
            assert_eq!(sureness(before), Some(Confidence::Low), "{before}");
        }
        for before in ["acme ", "acme has access to ", "acme-commit-", "acme access log "] {
            assert_eq!(sureness(before), None, "{before}: a hash stands there as well");
        }
    }

    #[test]
    fn the_name_alone_announces_what_is_no_hash() {
        let of = |value: &str| {
            let text = format!("acme {value}, and so on");
            let body =
                &[Segment::Run { set: CharSet(0x07ff_fffe_07ff_fffe_03ff_0000_0000_0000), min: 24, max: 40 }];
            super::value(body, text.as_bytes(), &(0..4)).0.map(|(_, most)| most)
        };
        assert_eq!(of("q7Zt2LxW9vBn4KdR6yHc1MsF"), Some(Confidence::Low));
        assert_eq!(of("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"), None);
        assert_eq!(of("listOfAllKnownPlaces2026ForMaps"), None);
    }

    #[test]
    fn other_words_announce_something_else() {
        for before in [
            "acme ",
            "acme was built from ",
            "acme@",
            "acme/",
            "acme-key@",
            "acme_commit = '",
            "acme sha256: ",
            "acme key fingerprint: ",
            "acme request id=",
            "acme_project_id=",
            "acmetric = '",
            "pacme = '",
            "acme key\nand\n'",
            "acme: see the long list of keys in the old wiki, and the page with the name ",
        ] {
            assert!(!is_found(before), "{before}");
        }
    }
}
