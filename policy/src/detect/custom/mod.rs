//! What is looked for beside the built-in detectors: the organisation's words, canaries and tables, and the secrets that
//! a server was started with.

mod build;
mod fingerprints;
mod fold;
mod planted;
mod regexes;
mod rows;
mod search;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use super::engine::EngineError;
use super::generic;
use super::keywords::{KeywordList, Keywords};
use super::stages::Source;
pub use build::{FingerprintReport, FingerprintsRefused, can_be_guessed};
pub use fingerprints::{FingerprintError, Fingerprints, Matching};
use planted::Planted;
use regexes::Regexes;
pub use regexes::{RegexRefused, check_regex};
pub(super) use rows::{Row, Rows};
pub(super) use search::{Scope, Sighting};

/// A canary has so many characters at the least, and so has a variable's value that counts.
pub const PLANTED_CHARS_MIN: usize = 12;
/// Of a longer value of a variable its beginning is looked for.
const VARIABLE_BYTES_MAX: usize = 8 << 10;
/// The detector of a server's own environment.
pub(crate) const ENVIRONMENT: &str = "secret/server-environment";

/// All of it, for one engine. No `Debug` of it shows a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomData {
    /// `[keywords.NAME]`
    pub keywords: Vec<KeywordList>,
    /// `[canary.NAME]`
    pub canaries: Vec<Canary>,
    /// `[exact.NAME]`
    pub exact: Vec<ExactData>,
    /// Secrets in the server's environment.
    pub environment: Vec<EnvironmentSecret>,
}

/// Values that the organisation planted where nobody has any business: reported as `secret/canary-NAME`.
#[derive(Clone, PartialEq, Eq)]
pub struct Canary {
    /// `vault`
    pub name: String,
    /// The values, as they were planted.
    pub values: Vec<String>,
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canary({:?}, {} values)", self.name, self.values.len())
    }
}

/// A secret that a server was started with: reported as `secret/server-environment`.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvironmentSecret(Vec<u8>);

impl fmt::Debug for EnvironmentSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvironmentSecret(…)")
    }
}

impl EnvironmentSecret {
    /// The secret in the value of a variable, if there is one: from twelve characters, where it looks drawn by chance or
    /// the variable is named like a secret. Of a URL with a login it is the password.
    #[must_use]
    pub fn of_variable(name: &[u8], value: &[u8]) -> Option<Self> {
        let span = generic::secret_of_variable(name, value)?;
        let secret = &value[span];
        let chars = secret.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        (chars >= PLANTED_CHARS_MIN).then(|| Self(secret[..secret.len().min(VARIABLE_BYTES_MAX)].to_vec()))
    }
}

/// What a table's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExactClass {
    /// Personal data: `pii/exact-NAME`.
    Pii,
    /// Credentials: `secret/exact-NAME`.
    Secret,
}

impl ExactClass {
    /// The class with the word that policies use.
    pub const WORDS: [(&'static str, Self); 2] = [("pii", Self::Pii), ("secret", Self::Secret)];

    /// The detector of a table of this name.
    #[must_use]
    pub fn detector(self, name: &str) -> String {
        match self {
            Self::Pii => format!("pii/exact-{name}"),
            Self::Secret => format!("secret/exact-{name}"),
        }
    }
}

/// A table of the organisation's, as hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactData {
    /// `customers`
    pub name: String,
    /// What its values are.
    pub class: ExactClass,
    /// The hashes.
    pub table: Arc<Fingerprints>,
}

/// The detector of a canary.
#[must_use]
pub fn canary_detector(name: &str) -> String {
    format!("secret/canary-{name}")
}

/// [`CustomData`], compiled.
#[derive(Debug)]
pub(super) struct Custom {
    keywords: Option<Keywords>,
    regexes: Option<Regexes>,
    planted: Option<Planted>,
    exact: Vec<(u16, Arc<Fingerprints>)>,
    /// Names of all of them; keyword lists are the first, in their order.
    detectors: Vec<String>,
}

impl Custom {
    /// Compiles it.
    pub(super) fn compile(data: &CustomData) -> Result<Self, EngineError> {
        let CustomData { keywords, canaries, exact, environment } = data;
        let mut detectors: Vec<String> = keywords.iter().map(|l| format!("keyword/{}", l.name)).collect();
        let mut add = |name: String| {
            let known = detectors[keywords.len()..].iter().position(|one| *one == name);
            let at = known.map_or(detectors.len(), |at| keywords.len() + at);
            if known.is_none() {
                detectors.push(name);
            }
            u16::try_from(at).unwrap_or(u16::MAX)
        };
        let mut planted = Vec::new();
        for canary in canaries {
            let at = add(canary_detector(&canary.name));
            planted.extend(canary.values.iter().map(|value| (at, planted::Value::Canary(value))));
        }
        if !environment.is_empty() {
            let at = add(ENVIRONMENT.to_owned());
            planted.extend(environment.iter().map(|secret| (at, planted::Value::Secret(&secret.0))));
        }
        let exact = exact.iter().map(|one| (add(one.class.detector(&one.name)), Arc::clone(&one.table)));
        let exact = exact.collect();
        let regexes = Regexes::compile(keywords).map_err(EngineError::Regexes)?;
        let keywords = Keywords::compile(keywords).map_err(EngineError::Keywords)?;
        let planted = Planted::compile(&planted).map_err(EngineError::Keywords)?;
        Ok(Self { keywords, regexes, planted, exact, detectors })
    }

    /// Names of all of them, in the order of [`Source::List`].
    pub(super) fn detectors(&self) -> impl Iterator<Item = &str> {
        self.detectors.iter().map(String::as_str)
    }

    /// The name of one.
    pub(super) fn detector(&self, index: u16) -> &str {
        self.detectors.get(usize::from(index)).map_or("", String::as_str)
    }

    /// Bytes that the automaton of the keyword lists holds.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.keywords.as_ref().map_or(0, Keywords::memory_bytes)
    }
}

/// Whether somebody asks about this one.
fn wants(wanted: &super::Wanted, index: u16) -> bool {
    wanted.contains(Source::List(index))
}
