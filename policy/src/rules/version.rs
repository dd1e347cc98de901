//! The version in an identity pattern: a text with or without `*`, or a range such as `>=1.2,<2`.
//!
//! Bounds of a range are compared by the order of versions alone: semantic versioning (semver.org, 2.0.0, section 11), for
//! `pkg:pypi` the version scheme of Python (PEP 440). What package managers add to that is left out on purpose: a rule
//! that forbids everything below 1.4.2 also forbids 1.4.1-rc.1.

use std::cmp::Ordering;
use std::str::FromStr as _;

use super::pattern::Pattern;

/// What an identity pattern says about the version.
#[derive(Clone, Debug)]
pub(crate) enum VersionPattern {
    /// Compared as a text.
    Text(Pattern),
    /// Every bound holds.
    Range(Vec<Bound>),
}

/// One bound of a range.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    comparator: Comparator,
    version: Version,
}

/// Whether a version is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meant {
    /// It is not.
    No,
    /// The server's version is not known, or is none that can be compared.
    Unknown,
    /// It is.
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparator {
    Below,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    Above,
}

#[derive(Clone, Debug)]
enum Version {
    Semantic(semver::Version),
    Python(pep440_rs::Version),
}

/// In the order in which they are tried: longer ones before those that begin them.
const COMPARATORS: &[(&str, Comparator)] = &[
    ("<=", Comparator::AtMost),
    (">=", Comparator::AtLeast),
    ("!=", Comparator::Unequal),
    ("<", Comparator::Below),
    (">", Comparator::Above),
    ("=", Comparator::Equal),
];

impl VersionPattern {
    /// Reads what stands behind the `@` of a package; `kind` is the package's (`npm`, `pypi`).
    ///
    /// # Errors
    /// Which part of a range cannot be read, and why.
    pub(crate) fn new(kind: &str, text: &str) -> Result<Self, String> {
        if !is_range(text) {
            return Ok(Self::Text(Pattern::new(text)));
        }
        text.split(',').map(|part| Bound::new(kind, part.trim())).collect::<Result<_, _>>().map(Self::Range)
    }

    /// Whether it means this version, as the server's identity has it.
    pub(crate) fn means(&self, version: Option<&str>) -> Meant {
        let Some(version) = version else { return Meant::Unknown };
        match self {
            Self::Text(pattern) if pattern.matches(version) => Meant::Yes,
            Self::Text(_) => Meant::No,
            Self::Range(bounds) => {
                bounds.iter().map(|bound| bound.means(version)).min().unwrap_or(Meant::Unknown)
            }
        }
    }

    /// How much of it is no star, for the order of profiles.
    pub(crate) fn literal_chars(&self) -> usize {
        match self {
            Self::Text(pattern) => pattern.literal_chars(),
            Self::Range(bounds) => bounds.len(),
        }
    }
}

impl Bound {
    fn new(kind: &str, part: &str) -> Result<Self, String> {
        let found = COMPARATORS.iter().find_map(|(sign, it)| Some((*it, part.strip_prefix(sign)?)));
        let Some((comparator, text)) = found else {
            return Err(format!("`{part}` does not begin with one of < <= = != >= >"));
        };
        let text = text.trim();
        let version = match kind {
            "pypi" => pep440_rs::Version::from_str(text).ok().map(Version::Python),
            _ => padded(text).map(Version::Semantic),
        };
        let version = version.ok_or_else(|| match kind {
            "pypi" => format!("`{text}` is no version of a Python package (PEP 440)"),
            _ => format!("`{text}` is no semantic version"),
        })?;
        Ok(Self { comparator, version })
    }

    fn means(&self, version: &str) -> Meant {
        let order = match &self.version {
            Version::Semantic(bound) => semver::Version::parse(version.trim_start_matches('v'))
                .ok()
                .map(|it| it.cmp_precedence(bound)),
            Version::Python(bound) => pep440_rs::Version::from_str(version).ok().map(|it| it.cmp(bound)),
        };
        let Some(order) = order else { return Meant::Unknown };
        let holds = match self.comparator {
            Comparator::Below => order == Ordering::Less,
            Comparator::AtMost => order != Ordering::Greater,
            Comparator::Equal => order == Ordering::Equal,
            Comparator::Unequal => order != Ordering::Equal,
            Comparator::AtLeast => order != Ordering::Less,
            Comparator::Above => order == Ordering::Greater,
        };
        if holds { Meant::Yes } else { Meant::No }
    }
}

/// Whether what stands behind the `@` is meant as a range.
pub(crate) fn is_range(text: &str) -> bool {
    text.contains(['<', '>', '=', '!', '^', '~', '|', ',', ' '])
}

/// `1` and `1.2` as a bound are `1.0.0` and `1.2.0`.
fn padded(text: &str) -> Option<semver::Version> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let dots = text.bytes().filter(|b| *b == b'.').count();
    match dots {
        0 if plain => semver::Version::parse(&format!("{text}.0.0")).ok(),
        1 if plain => semver::Version::parse(&format!("{text}.0")).ok(),
        _ => semver::Version::parse(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(kind: &str, range: &str, version: &str) -> Meant {
        VersionPattern::new(kind, range).expect("it is a range").means(Some(version))
    }

    #[test]
    fn every_bound_of_a_range_has_to_hold() {
        for (range, inside, outside) in [
            (">=1.2,<2", &["1.2.0", "1.10.3", "2.0.0-rc.1"][..], &["1.1.9", "2.0.0", "1.2.0-rc.1"][..]),
            ("<1.4.2", &["1.4.1", "1.4.1-rc.1", "0.9.9", "1.4.2-beta"], &["1.4.2", "10.0.0"]),
            ("<=1.4.2", &["1.4.2", "1.4.2+build.7"], &["1.4.3"]),
            ("!=1.4.2", &["1.4.1"], &["1.4.2"]),
            ("> 1, != 1.5", &["1.0.1", "v1.6.0"], &["1.0.0", "1.5.0"]),
            ("=1.5", &["1.5.0"], &["1.5.1"]),
        ] {
            for version in inside {
                assert_eq!(means("npm", range, version), Meant::Yes, "{range} {version}");
            }
            for version in outside {
                assert_eq!(means("npm", range, version), Meant::No, "{range} {version}");
            }
        }
    }

    #[test]
    fn versions_of_python_packages_are_ordered_by_their_own_scheme() {
        assert_eq!(means("pypi", ">=2025.1,<2025.10", "2025.9.2"), Meant::Yes);
        assert_eq!(means("pypi", ">=2025.1,<2025.10", "2025.10"), Meant::No);
        assert_eq!(means("pypi", "<1.0", "1.0rc1"), Meant::Yes);
        assert_eq!(means("pypi", "<=1.0", "1.0.post1"), Meant::No);
        assert_eq!(means("pypi", ">=1.0", "1!0.1"), Meant::Yes);
    }

    #[test]
    fn what_cannot_be_compared_is_not_known() {
        assert_eq!(means("npm", "<2", "latest"), Meant::Unknown);
        assert_eq!(means("npm", "<2", "1.2"), Meant::Unknown, "a server's version is whole");
        assert_eq!(means("npm", "<1,>=0", "2.0.0"), Meant::No, "one bound that surely fails is enough");
        let range = VersionPattern::new("npm", "<2").expect("it is a range");
        assert_eq!(range.means(None), Meant::Unknown);
        assert_eq!(VersionPattern::new("npm", "1.*").expect("it is a text").means(None), Meant::Unknown);
    }

    #[test]
    fn a_wrong_range_says_what_is_wrong_with_it() {
        for (kind, range, part) in [
            ("npm", "^1.2", "`^1.2` does not begin with one of"),
            ("npm", ">=1.2 <2", "`1.2 <2` is no semantic version"),
            ("npm", ">=1.x", "`1.x` is no semantic version"),
            ("npm", ">=1,", "`` does not begin"),
            ("pypi", ">=one", "`one` is no version of a Python package"),
            ("npm", "1.2,<2", "`1.2` does not begin"),
        ] {
            let error = VersionPattern::new(kind, range).expect_err(range);
            assert!(error.contains(part), "{range}: {error}");
        }
    }
}
