//! Patterns over identities: package URLs with or without a version, file hashes, remote URLs.
//!
//! One package can be written in several ways (`%40` for `@`, `_` for `-` in PyPI names). Both sides are brought into
//! one form before they are compared, so that a rule cannot be dodged by spelling.

use std::borrow::Cow;

use super::pattern::Pattern;
use super::version::{Meant, VersionPattern};

/// A compiled identity pattern.
#[derive(Clone, Debug)]
pub(crate) enum IdentityPattern {
    /// `*`: every server, even one without any identity.
    Every,
    /// A package URL; without a version it is about every version.
    Package { name: Pattern, version: Option<VersionPattern> },
    /// Anything else, compared as a whole.
    Whole(Pattern),
}

/// The identities of one server in the form that patterns are compared with.
#[derive(Debug)]
pub(crate) struct Identities<'a>(Vec<Identity<'a>>);

#[derive(Debug)]
enum Identity<'a> {
    Package { name: Cow<'a, str>, version: Option<Cow<'a, str>> },
    Other(Cow<'a, str>),
}

impl<'a> Identities<'a> {
    /// Package URLs, `file:sha256:…` and so on, as the launcher found them.
    pub(crate) fn new(identities: &'a [String]) -> Self {
        Self(identities.iter().map(|identity| Identity::new(identity)).collect())
    }

    /// What patterns without a star are compared with: versions are left out.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|identity| match identity {
            Identity::Package { name, .. } => name.as_ref(),
            Identity::Other(text) => text.as_ref(),
        })
    }
}

impl IdentityPattern {
    /// Compiles; there are no wrong patterns, only such that never match (the document reader refuses those).
    pub(crate) fn new(pattern: &str) -> Self {
        let whole = Pattern::new(pattern);
        if whole.is_any() {
            return Self::Every;
        }
        match split_package(pattern) {
            Some((name, version)) => {
                let name = located(name, pattern);
                let version = version.map(|version| {
                    // A range that cannot be read does not pass the document reader; nobody knows what it means.
                    VersionPattern::new(package_kind(&name), &decoded(version))
                        .unwrap_or(VersionPattern::Range(Vec::new()))
                });
                Self::Package { name: Pattern::new(&name), version }
            }
            // `pkg:*` and the like still have to be brought into the form of package names.
            None => Self::Whole(Pattern::new(&other(pattern))),
        }
    }

    /// Does any of the server's identities fit for sure?
    pub(crate) fn matches(&self, identities: &Identities<'_>) -> bool {
        self.means(identities) == Meant::Yes
    }

    /// Whether this server is meant. A named version of a server whose version nobody knows may or may not be.
    pub(super) fn means(&self, identities: &Identities<'_>) -> Meant {
        if matches!(self, Self::Every) {
            return Meant::Yes;
        }
        identities.0.iter().map(|identity| self.means_one(identity)).max().unwrap_or(Meant::No)
    }

    /// The one name that it is about, whatever its version; `None` if it has a star there.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Self::Every => None,
            Self::Package { name, .. } => name.literal(),
            Self::Whole(whole) => whole.literal(),
        }
    }

    /// How specific the pattern is: a version, then the number of literal characters.
    pub(crate) fn specificity(&self) -> (bool, usize) {
        match self {
            Self::Every => (false, 0),
            Self::Package { name, version } => (
                version.is_some(),
                name.literal_chars() + version.as_ref().map_or(0, VersionPattern::literal_chars),
            ),
            Self::Whole(whole) => (false, whole.literal_chars()),
        }
    }

    fn means_one(&self, identity: &Identity<'_>) -> Meant {
        let whether = |fits| if fits { Meant::Yes } else { Meant::No };
        match (self, identity) {
            (Self::Every, _) => Meant::Yes,
            (Self::Package { name, version }, Identity::Package { name: is, version: at }) => {
                match (name.matches(is), version) {
                    (false, _) => Meant::No,
                    (true, None) => Meant::Yes,
                    (true, Some(version)) => version.means(at.as_deref()),
                }
            }
            (Self::Whole(whole), Identity::Package { name, .. }) => whether(whole.matches(name)),
            (Self::Whole(whole), Identity::Other(text)) => whether(whole.matches(text)),
            (Self::Package { .. }, Identity::Other(_)) => Meant::No,
        }
    }
}

impl<'a> Identity<'a> {
    fn new(identity: &'a str) -> Self {
        match split_package(identity) {
            Some((name, version)) => {
                Self::Package { name: located(name, identity), version: version.map(decoded) }
            }
            None => Self::Other(other(identity)),
        }
    }
}

/// `pkg:npm/@scope/name@1.2.3?arch=x` → (`pkg:npm/@scope/name`, `1.2.3`). The version follows the first `@` that does
/// not begin a path segment (where it marks an npm scope); qualifiers and subpath are no part of either.
fn split_package(text: &str) -> Option<(&str, Option<&str>)> {
    if !text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("pkg:")) || !text.contains('/') {
        return None;
    }
    let text = &text[..text.find(['?', '#']).unwrap_or(text.len())];
    let at = text.match_indices('@').map(|(at, _)| at).find(|&at| !text[..at].ends_with('/'));
    Some(match at {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    })
}

/// `npm` of `pkg:npm/name`.
pub(crate) fn package_kind(name: &str) -> &str {
    name.split_once(':').and_then(|(_, rest)| rest.split_once('/')).map_or("", |(kind, _)| kind)
}

/// The name of a package with the place that is part of it: an image is its repository's, and `pkg:oci` has that in a
/// qualifier (`pkg:oci/x@sha256:…?repository_url=ghcr.io/a/x`). Here both are written `pkg:oci/ghcr.io/a/x`.
fn located<'a>(name: &'a str, whole: &'a str) -> Cow<'a, str> {
    let is_image = name.get(..8).is_some_and(|kind| kind.eq_ignore_ascii_case("pkg:oci/"));
    let qualifiers =
        whole.split('#').next().and_then(|whole| whole.split_once('?')).map_or("", |(_, rest)| rest);
    let mut repositories = qualifiers.split('&').filter_map(|part| part.strip_prefix("repository_url="));
    match repositories.next().filter(|repository| is_image && !repository.is_empty()) {
        Some(repository) => Cow::Owned(format!("pkg:oci/{}", decoded(repository))),
        None => package_name(name),
    }
}

/// One spelling for one package.
fn package_name(name: &str) -> Cow<'_, str> {
    let decoded = decoded(name);
    let Some((kind, rest)) = decoded.split_once('/') else {
        return decoded;
    };
    let kind = kind.to_ascii_lowercase();
    if kind == "pkg:pypi" {
        // PEP 503: names are compared in lower case, with runs of `-`, `_` and `.` as one `-`.
        let mut normal = String::with_capacity(name.len());
        for c in rest.chars().map(|c| if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() }) {
            if c != '-' || !normal.ends_with('-') {
                normal.push(c);
            }
        }
        return Cow::Owned(format!("{kind}/{normal}"));
    }
    if decoded.starts_with(&kind) {
        return decoded;
    }
    Cow::Owned(format!("{kind}/{rest}"))
}

/// Hashes are written in either case; paths, URLs and the rest are left alone.
fn other(text: &str) -> Cow<'_, str> {
    let is_hash =
        ["file:sha256:", "command:sha256:", "script:sha256:"].iter().any(|kind| text.starts_with(kind));
    if is_hash && text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Borrowed(text)
}

/// The escapes that package URLs prescribe for characters which people write plainly.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut plain = text.to_owned();
    for (escape, c) in
        [("%40", "@"), ("%2F", "/"), ("%2f", "/"), ("%2B", "+"), ("%2b", "+"), ("%3A", ":"), ("%3a", ":")]
    {
        plain = plain.replace(escape, c);
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, identity: &str) -> bool {
        let identities = [identity.to_owned()];
        IdentityPattern::new(pattern).matches(&Identities::new(&identities))
    }

    #[test]
    fn a_package_without_a_version_is_every_version_of_it_and_of_nothing_else() {
        assert!(matches("pkg:npm/@scope/name", "pkg:npm/@scope/name@1.2.3"));
        assert!(matches("pkg:npm/@scope/name", "pkg:npm/@scope/name"));
        assert!(!matches("pkg:npm/@scope/name", "pkg:npm/@scope/name-evil@1.2.3"));
        assert!(!matches("pkg:npm/name", "pkg:npm/@scope/name@1.2.3"));
    }

    #[test]
    fn a_version_is_compared_as_a_pattern_of_its_own() {
        assert!(matches("pkg:npm/name@1.*", "pkg:npm/name@1.2.3"));
        assert!(!matches("pkg:npm/name@1.*", "pkg:npm/name@11.2.3"));
        assert!(!matches("pkg:npm/name@1.2.3", "pkg:npm/name"), "an unknown version is not the named one");
        assert!(matches("pkg:npm/*@2.0.0", "pkg:npm/@any/thing@2.0.0"));
        assert!(matches("pkg:npm/name@>=1.2,<2", "pkg:npm/name@1.2.3"));
        assert!(!matches("pkg:npm/name@>=1.2,<2", "pkg:npm/name@2.0.0"));
        assert!(matches("pkg:pypi/Name@<1.0", "pkg:pypi/name@1.0rc1"));
    }

    #[test]
    fn a_version_that_nobody_knows_may_be_the_one_that_is_named() {
        for (pattern, identity, meant) in [
            ("pkg:npm/name@<2", "pkg:npm/name", Meant::Unknown),
            ("pkg:npm/name@<2", "pkg:npm/name@next", Meant::Unknown),
            ("pkg:npm/name@1.2.3", "pkg:npm/name", Meant::Unknown),
            ("pkg:npm/name@<2", "pkg:npm/other", Meant::No),
            ("pkg:npm/name", "pkg:npm/name", Meant::Yes),
        ] {
            let identities = [identity.to_owned()];
            assert_eq!(
                IdentityPattern::new(pattern).means(&Identities::new(&identities)),
                meant,
                "{pattern}"
            );
        }
    }

    #[test]
    fn spelling_makes_no_difference() {
        assert!(matches("pkg:npm/@scope/name", "pkg:npm/%40scope/name@1.0.0"));
        assert!(matches("pkg:npm/%40scope/name@1.0.0", "pkg:npm/@scope/name@1.0.0"));
        assert!(matches("pkg:pypi/mcp_server.Git", "pkg:pypi/mcp-server-git@2025.1.1"));
        assert!(matches("file:sha256:ABCD*", "file:sha256:abcdef"));
        assert!(matches("PKG:NPM/name", "pkg:npm/name"));
        assert!(matches("pkg:npm/name", "pkg:npm/name@1.0.0?arch=x86#sub"));
    }

    #[test]
    fn an_image_is_its_repositorys_and_its_version_is_its_digest() {
        let image = "pkg:oci/x@sha256:00ff?repository_url=ghcr.io/a/x&tag=1";
        for pattern in [
            "pkg:oci/ghcr.io/a/x",
            "pkg:oci/ghcr.io/a/x@sha256:00ff",
            "pkg:oci/ghcr.io/a/*",
            "pkg:oci/x?repository_url=ghcr.io/a/x",
            "pkg:oci/x@sha256%3A00ff?repository_url=ghcr.io%2Fa%2Fx",
            "pkg:oci/*",
            "pkg:*",
        ] {
            assert!(matches(pattern, image), "{pattern}");
        }
        for pattern in [
            "pkg:oci/x",
            "pkg:oci/ghcr.io/evil/x",
            "pkg:oci/docker.io/a/x",
            "pkg:oci/ghcr.io/a/x@sha256:00fe",
            "pkg:oci/ghcr.io/a/x@1",
            "pkg:npm/ghcr.io/a/x",
        ] {
            assert!(!matches(pattern, image), "{pattern}");
        }
        let by_tag = "pkg:oci/x?repository_url=ghcr.io/a/x&tag=1";
        assert!(matches("pkg:oci/ghcr.io/a/x", by_tag));
        assert!(!matches("pkg:oci/ghcr.io/a/x@*", by_tag), "a tag is no version: it can be moved");
        assert!(!matches("pkg:npm/x", "pkg:npm/y?repository_url=x"), "elsewhere the qualifier names nobody");
    }

    #[test]
    fn a_star_alone_is_every_server_even_one_that_nobody_can_name() {
        assert!(IdentityPattern::new("*").matches(&Identities::new(&[])));
        assert!(!IdentityPattern::new("pkg:*").matches(&Identities::new(&[])));
        assert!(matches("pkg:*", "pkg:npm/name@1.0.0"));
        assert!(matches("https://api.example.com/mcp/*", "https://api.example.com/mcp/x"));
    }

    #[test]
    fn a_version_or_more_letters_make_a_pattern_more_specific() {
        let order =
            ["*", "pkg:npm/*", "pkg:npm/@scope/*", "pkg:npm/@scope/name", "pkg:npm/@scope/name@1.0.0"];
        let specificity = order.map(|pattern| IdentityPattern::new(pattern).specificity());
        assert!(specificity.is_sorted_by(|a, b| a < b), "{specificity:?}");
    }
}
