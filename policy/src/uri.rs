//! URIs of resources and pages as rules compare them.
//!
//! Servers read the same URI differently: one decodes `%2F` before it looks for slashes, one after; one drops the
//! query, one gives it a meaning. So a URI has up to two readings, the one that says the most as it is written, and the
//! one that says the least, and a rule is asked about both. What has still other readings is refused.

use std::borrow::Cow;

/// Longest URI that is read.
const URI_BYTES_MAX: usize = 8 << 10;

/// Schemes whose hosts are names of machines, with their usual ports.
const WEB: [(&str, &str); 4] = [("http", "80"), ("https", "443"), ("ws", "80"), ("wss", "443")];

/// Why a URI cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriFault {
    /// Nobody needs such a long one.
    #[error("it is longer than 8 KiB")]
    Long,
    /// A relative reference or a path: what it means depends on who reads it.
    #[error("it has no scheme")]
    NoScheme,
    /// URL parsers of browsers drop these, others keep them.
    #[error("it holds control characters or ends in white space")]
    Control,
    /// A slash to some readers.
    #[error("it holds a backslash")]
    Backslash,
    /// `%` without two hexadecimal digits, or bytes that are no UTF-8.
    #[error("it holds an escape that stands for no character")]
    Escape,
    /// `%252e` is `%2e` or `.`.
    #[error("it is escaped twice")]
    Twice,
    /// Where `..` leads depends on links, and on who resolves it.
    #[error("it climbs with `..`")]
    Climbs,
    /// A file of another machine, or of a place that depends on the reader's directory.
    #[error("it names a file, but not one of this machine by an absolute path")]
    File,
    /// Parsers differ on which part is the host.
    #[error("its host is written in a way that readers disagree about")]
    Host,
}

/// A URI that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    written: Cow<'a, str>,
    plain: Option<String>,
}

/// A URI in its parts, as written.
struct Parts<'a> {
    scheme: Cow<'a, str>,
    authority: Option<&'a str>,
    path: &'a str,
    /// Query and fragment with their marks.
    tail: &'a str,
}

/// What escapes stand for.
struct Decoded {
    /// Escapes of `/`, `?`, `#` and `%` stay, with capital digits.
    written: String,
    /// Every escape is decoded.
    full: String,
}

impl<'a> Uri<'a> {
    /// Reads a URI.
    ///
    /// # Errors
    /// When readers would disagree about what it names.
    pub fn read(uri: &'a str) -> Result<Self, UriFault> {
        let parts = Parts::read(uri)?;
        let path = decode(parts.path)?;
        let tail = decode(parts.tail)?;
        // To a reader that decodes first, an escaped mark ends the path, and `/..%3Fx` climbs.
        if path.full.split(['/', '?', '#']).any(|segment| segment == "..") {
            return Err(UriFault::Climbs);
        }
        let authority = match parts.authority {
            Some(authority) => Some(parts.host(authority)?),
            None => None,
        };
        let start = |lower: bool| match &authority {
            Some(authority) if lower => format!("{}://{}", parts.scheme, authority.to_lowercase()),
            Some(authority) => format!("{}://{authority}", parts.scheme),
            None => format!("{}:", parts.scheme),
        };
        let written = format!("{}{}{}", start(false), path.written, tail.written);
        let mut plain = start(true) + &flat(&path.full);
        if plain == "file://" {
            plain.push('/');
        }
        Ok(Self {
            plain: (plain != written).then_some(plain),
            written: if written == uri { Cow::Borrowed(uri) } else { Cow::Owned(written) },
        })
    }

    /// The URI with everything that is written in it, in one way of writing.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.written
    }

    /// Every way to read it: a rule has to allow all of them.
    pub fn readings(&self) -> impl Iterator<Item = &str> {
        [Some(&*self.written), self.plain.as_deref()].into_iter().flatten()
    }
}

/// `https://login.example.org:8443` of the address of a page, in lower case; `None` if it has none, or if readers
/// disagree about it.
#[must_use]
pub fn origin(url: &str) -> Option<String> {
    let parts = Parts::read(url).ok()?;
    let authority = parts.authority?;
    let is_web = WEB.iter().any(|(scheme, _)| *scheme == parts.scheme);
    // Names in other letters have two spellings, and one that looks like another's. `xn--…` is the one to write.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']' | '_');
    let host = parts.host(authority).ok()?;
    (is_web && !host.is_empty() && authority.chars().all(is_plain))
        .then(|| format!("{}://{host}", parts.scheme))
}

impl<'a> Parts<'a> {
    fn read(uri: &'a str) -> Result<Self, UriFault> {
        if uri.len() > URI_BYTES_MAX {
            return Err(UriFault::Long);
        }
        if uri.contains(char::is_control) || uri.ends_with(char::is_whitespace) {
            return Err(UriFault::Control);
        }
        if uri.contains('\\') {
            return Err(UriFault::Backslash);
        }
        // One letter is no scheme but a drive.
        let scheme = uri.split_once(':').filter(|(scheme, _)| scheme.len() > 1 && is_scheme(scheme));
        let (scheme, rest) = scheme.ok_or(UriFault::NoScheme)?;
        let scheme = match scheme.contains(|c: char| c.is_ascii_uppercase()) {
            true => Cow::Owned(scheme.to_ascii_lowercase()),
            false => Cow::Borrowed(scheme),
        };
        let (body, tail) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let (authority, path) = match body.strip_prefix("//") {
            Some(body) => {
                let (authority, path) = body.split_at(body.find('/').unwrap_or(body.len()));
                (Some(authority), path)
            }
            None => (None, body),
        };
        let parts = Self { scheme, authority, path, tail };
        if parts.scheme == "file" { parts.of_this_machine() } else { Ok(parts) }
    }

    /// `file:/x` and `file://localhost/x` are `file:///x`.
    fn of_this_machine(self) -> Result<Self, UriFault> {
        let is_here =
            self.authority.is_none_or(|host| host.is_empty() || host.eq_ignore_ascii_case("localhost"));
        let is_absolute = self.path.starts_with('/') && !self.path.starts_with("//");
        if !is_here || !is_absolute || self.path.to_ascii_lowercase().contains("%2f") {
            return Err(UriFault::File);
        }
        Ok(Self { authority: Some(""), ..self })
    }

    /// The authority in one way of writing. Case matters where the host is only a part of a name.
    fn host(&self, authority: &str) -> Result<String, UriFault> {
        let Decoded { full, .. } = decode(authority)?;
        // An escaped mark, or a second one, moves the host for some readers.
        let marks = ['@', ':', '[', ']', '/', '?', '#'];
        let odd = full.matches(marks).count() != authority.matches(marks).count()
            || full.contains('%')
            || full.matches('@').count() > 1
            || full.contains(char::is_whitespace)
            || matches!(&*full, "." | "..");
        if odd {
            return Err(UriFault::Host);
        }
        let Some((_, port)) = WEB.iter().find(|(scheme, _)| *scheme == self.scheme) else {
            return Ok(full);
        };
        let (user, host) = full.rsplit_once('@').map_or(("", &*full), |(user, host)| (user, host));
        let host = machine(&host.to_lowercase(), port).ok_or(UriFault::Host)?;
        Ok(if user.is_empty() { host } else { format!("{user}@{host}") })
    }
}

/// A host and its port in one way of writing; `None` where readers would not find the same one, or none. `a:80:443` is
/// refused by some and cut at one colon or the other by the rest.
fn machine(host: &str, usual_port: &str) -> Option<String> {
    let bracket = host.starts_with('[').then(|| host.find(']')).flatten();
    let (name, port) = match bracket {
        Some(end) => host.split_at(end + 1),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = if port.is_empty() { port } else { port.strip_prefix(':')? };
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_name = !name.is_empty() && !name.ends_with('.');
    if !is_name
        || (bracket.is_none() && name.contains(['[', ']']))
        || !port.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let port = match port {
        "" => usual_port.to_owned(),
        digits => digits.parse::<u16>().ok()?.to_string(),
    };
    Some(if port == usual_port { name.to_owned() } else { format!("{name}:{port}") })
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Decodes escapes once.
fn decode(text: &str) -> Result<Decoded, UriFault> {
    let (mut written, mut full) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            written.push(*first);
            full.push(*first);
            continue;
        }
        let Some((byte, after)) = escape(after) else { return Err(UriFault::Escape) };
        rest = after;
        match byte {
            b'\\' => return Err(UriFault::Backslash),
            b'/' | b'?' | b'#' | b'%' => written.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            _ => written.push(byte),
        }
        full.push(byte);
    }
    let written = String::from_utf8(written).map_err(|_| UriFault::Escape)?;
    let full = String::from_utf8(full).map_err(|_| UriFault::Escape)?;
    // Every `%` that is left was written as `%25`. Digits behind it may have been escaped themselves: `%25%32%65`.
    if full.match_indices('%').any(|(at, _)| escape(&full.as_bytes()[at + 1..]).is_some()) {
        return Err(UriFault::Twice);
    }
    if full.contains(char::is_control) { Err(UriFault::Control) } else { Ok(Decoded { written, full }) }
}

/// The byte that two hexadecimal digits stand for, and what follows them.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = text else { return None };
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some((digit(high)? << 4 | digit(low)?, rest))
}

/// A path without what some readers skip: empty segments, `.`, and the slash at its end.
fn flat(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !matches!(*segment, "" | "."));
    let joined = segments.collect::<Vec<_>>().join("/");
    if path.starts_with('/') && !joined.is_empty() { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(uri: &str) -> Vec<String> {
        let uri = Uri::read(uri).unwrap_or_else(|fault| panic!("{uri}: {fault}"));
        uri.readings().map(str::to_owned).collect()
    }

    #[test]
    fn a_plain_uri_has_one_reading_and_is_not_copied() {
        for plain in [
            "file:///srv/notes/one.txt",
            "memo://insights",
            "https://example.org/a",
            "urn:isbn:1",
            "file:///",
        ] {
            let uri = Uri::read(plain).unwrap();
            assert!(matches!(uri.written, Cow::Borrowed(_)), "{plain}");
            assert_eq!(readings(plain), [plain]);
        }
    }

    #[test]
    fn spellings_of_one_place_have_one_reading_in_common() {
        let cases: [(&str, &[&str]); 3] = [
            (
                "file:///etc/passwd",
                &[
                    "FILE:///etc/passwd",
                    "file:/etc/passwd",
                    "file://localhost/etc/passwd",
                    "file://LOCALHOST/etc/passwd",
                    "file:///%65tc/passwd",
                    "file:///etc/p%61sswd",
                    "file:///etc//passwd",
                    "file:///etc/./passwd",
                    "file:///etc/%2e/passwd",
                    "file:///etc/passwd/",
                    "file:///etc/passwd?x=1",
                    "file:///etc/passwd#x",
                ],
            ),
            (
                "https://example.org/a/b",
                &[
                    "HTTPS://EXAMPLE.org/a/b",
                    "https://example.org:443/a/b",
                    "https://example.org:0443/a/b",
                    "https://example.org.:443/a/b",
                    "https://example.org:/a/b",
                    "https://example.org./a/b",
                    "https://example.org/a%2Fb",
                    "https://example.org/a%2fb",
                    "https://%65xample.org/a/b",
                ],
            ),
            (
                "vault://team/secret",
                &["vault://TEAM/secret", "vault://team/secret?v=2", "vault://team//secret"],
            ),
        ];
        for (plain, spellings) in cases {
            for spelling in spellings {
                assert!(
                    readings(spelling).iter().any(|reading| reading == plain),
                    "{spelling}: {:?}",
                    readings(spelling)
                );
            }
        }
    }

    #[test]
    fn what_is_written_stays_a_reading() {
        assert_eq!(readings("db://t?limit=5#x"), ["db://t?limit=5#x", "db://t"]);
        assert_eq!(readings("memo://README/A%2fB"), ["memo://README/A%2FB", "memo://readme/A/B"]);
        assert_eq!(readings("db://h/gr%C3%BC%C3%9Fe"), ["db://h/grüße"]);
        assert_eq!(readings("db://h/100%25.txt"), ["db://h/100%25.txt", "db://h/100%.txt"]);
    }

    #[test]
    fn what_readers_disagree_about_is_refused() {
        let cases = [
            ("/etc/passwd", UriFault::NoScheme),
            ("etc/passwd", UriFault::NoScheme),
            ("C:/Windows", UriFault::NoScheme),
            ("", UriFault::NoScheme),
            (" file:///x", UriFault::NoScheme),
            ("1x://a", UriFault::NoScheme),
            ("file:///x ", UriFault::Control),
            ("file:///x\ty", UriFault::Control),
            ("file:///x%00y", UriFault::Control),
            ("file:///x%0a", UriFault::Control),
            ("file:\\\\srv\\x", UriFault::Backslash),
            ("file:///a%5cb", UriFault::Backslash),
            ("file:///a%zz", UriFault::Escape),
            ("file:///a%2", UriFault::Escape),
            ("file:///a%ff", UriFault::Escape),
            ("file:///a%c0%ae", UriFault::Escape),
            ("file:///a%252e%252e/b", UriFault::Twice),
            ("notes://public/%25%32%65%25%32%65/private", UriFault::Twice),
            ("notes://public/%252%65", UriFault::Twice),
            ("file:///srv/../etc/passwd", UriFault::Climbs),
            ("file:///srv/%2e%2E/etc", UriFault::Climbs),
            ("notes://public/..%2Fprivate", UriFault::Climbs),
            ("notes://public/x%2f..%2fy", UriFault::Climbs),
            ("notes://public/..%3Fprivate", UriFault::Climbs),
            ("notes://public/x/..%23y/z", UriFault::Climbs),
            ("notes:../private", UriFault::Climbs),
            ("notes://..", UriFault::Host),
            ("file://server/share", UriFault::File),
            ("file:////server/share", UriFault::File),
            ("file:x", UriFault::File),
            ("file://", UriFault::File),
            ("file:///etc%2Fpasswd", UriFault::File),
            ("https://a@b@c/", UriFault::Host),
            ("https://good.example%2F@evil.example/", UriFault::Host),
            ("https://good.example%40evil.example/", UriFault::Host),
            ("https://good.example%3a80/", UriFault::Host),
            ("https://a b/", UriFault::Host),
            ("https://a:80:443/", UriFault::Host),
            ("https://a:8o/", UriFault::Host),
            ("https://a:65536/", UriFault::Host),
            ("https://a../", UriFault::Host),
            ("https://:443/", UriFault::Host),
            ("https:///x", UriFault::Host),
            ("https://[::1/", UriFault::Host),
            ("https://[::1]x/", UriFault::Host),
        ];
        for (uri, fault) in cases {
            assert_eq!(Uri::read(uri), Err(fault), "{uri:?}");
        }
        assert_eq!(Uri::read(&format!("urn:{}", "a".repeat(URI_BYTES_MAX))), Err(UriFault::Long));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (url, is) in [
            ("https://Login.Example.org/auth?x=1", "https://login.example.org"),
            ("https://login.example.org:443", "https://login.example.org"),
            ("http://localhost:8080/cb", "http://localhost:8080"),
            ("http://[::1]:80/cb", "http://[::1]"),
            ("http://[::1]:08080/cb", "http://[::1]:8080"),
            ("HTTPS://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(origin(url).as_deref(), Some(is), "{url}");
        }
        for url in [
            "https://login.example.org@evil.example/",
            "https://login.example.org%2Eevil/",
            "https://bücher.example/",
            "https://login.example.org\\@evil.example/",
            "https:login.example.org",
            "https:///x",
            "javascript:alert(1)",
            "file:///x",
            "//login.example.org/",
            "login.example.org",
        ] {
            assert_eq!(origin(url), None, "{url}");
        }
    }
}
