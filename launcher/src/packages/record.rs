//! Events about packages. None of them holds a credential: a registry is named by host and port.

use serde::Serialize;

use super::pin::{Change, Difference, Pin, Tree, Waiting, differences};
use super::url::Address;
use crate::error::Failure;
use crate::host::Facts;
use crate::telemetry::{About, write_alone};
use stockade_policy::rules::Policy;

/// Packages that one event names.
const NAMED_MAX: usize = 20;

/// `package.fetched`: a tree was downloaded and is in the store.
#[derive(Debug, Serialize)]
pub(crate) struct PackageFetched {
    /// Package URL of the server's package.
    pub(crate) purl: String,
    /// Its hashes: what its content is known by.
    pub(crate) integrity: Vec<String>,
    /// SHA-256 of the lock file: what the whole tree is known by.
    pub(crate) lock_sha256: String,
    /// Packages of the tree.
    pub(crate) packages: usize,
    /// `host:port`
    pub(crate) registry: String,
    /// Whether install scripts ran.
    pub(crate) scripts: bool,
    /// Packages whose install scripts did not run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) scripts_left_out: Vec<String>,
}

/// `package.update`, `package.changed`: the registry offers another tree than the pinned one.
#[derive(Debug, Serialize)]
pub(crate) struct PackageOffered {
    /// Package URL in force.
    pub(crate) purl: String,
    /// `update available`, `changed without a version`
    pub(crate) state: &'static str,
    /// Version of the server's package that is offered.
    pub(crate) version: String,
    /// Packages that are new, gone, of another version, of other content.
    pub(crate) counts: [usize; 4],
    /// The first of those with other content under the same version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) changed: Vec<String>,
    /// `host:port`
    pub(crate) registry: String,
}

/// `package.accepted`: another tree is in force from now on. `package.forgotten`: a pin was removed.
#[derive(Debug, Serialize)]
pub(crate) struct PackageAccepted {
    /// Package URL in force now, or until now.
    pub(crate) purl: String,
    /// SHA-256 of its lock file.
    pub(crate) lock_sha256: String,
    /// What it was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    /// Who decided.
    pub(crate) by: &'static str,
}

impl PackageFetched {
    /// Of a tree that is in the store now.
    pub(crate) fn new(pin: &Pin, tree: &Tree, scripts_left_out: Vec<String>) -> Self {
        let name = pin.asked.name();
        let first = tree.packages.iter().find(|one| one.name == name && one.version == tree.version);
        Self {
            purl: super::pin::purl(&pin.ecosystem, name, &tree.version),
            integrity: first
                .map(|one| one.integrity.iter().take(NAMED_MAX).cloned().collect())
                .unwrap_or_else(Vec::new),
            lock_sha256: tree.lock_sha256.clone(),
            packages: tree.packages.len(),
            registry: host_of(&pin.registry),
            scripts: tree.scripts,
            scripts_left_out,
        }
    }
}

impl PackageOffered {
    /// Of what was found.
    pub(crate) fn new(pin: &Pin, waiting: &Waiting) -> Self {
        let lines = differences(&pin.tree.packages, &waiting.tree.packages);
        let count = |is: fn(&Difference<'_>) -> bool| lines.iter().filter(|line| is(line)).count();
        let changed = lines.iter().filter_map(|line| match line {
            Difference::Changed(old, _) => Some(format!("{}@{}", old.name, old.version)),
            _ => None,
        });
        Self {
            purl: pin.purl(),
            state: waiting.change.words(),
            version: waiting.tree.version.clone(),
            counts: [
                count(|line| matches!(line, Difference::Added(_))),
                count(|line| matches!(line, Difference::Removed(_))),
                count(|line| matches!(line, Difference::Moved(..))),
                count(|line| matches!(line, Difference::Changed(..))),
            ],
            changed: changed.take(NAMED_MAX).collect(),
            registry: host_of(&pin.registry),
        }
    }

    /// The kind of event that it is.
    pub(crate) fn kind(change: Change) -> &'static str {
        match change {
            Change::Update => "package.update",
            Change::ChangedWithoutVersion => "package.changed",
        }
    }
}

fn host_of(registry: &str) -> String {
    Address::parse(registry).map_or_else(|| "unknown".to_owned(), |at| format!("{}:{}", at.host, at.port))
}

/// Writes one event about a package, under a session of its own.
///
/// # Errors
/// When it cannot be written and the policy in force stops everything then.
pub(crate) fn record<T: Serialize>(
    facts: &Facts,
    policy: &Policy,
    purl: &str,
    (kind, what): (&'static str, &T),
) -> Result<(), Failure> {
    let about = About {
        client: None,
        server: purl.rsplit('/').next().unwrap_or(purl).to_owned(),
        identity: vec![purl.to_owned()],
        profile: super::jail::PROFILE.to_owned(),
    };
    write_alone(about, (policy, facts), (kind, what))
}
