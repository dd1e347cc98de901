//! Events about logins: names of places, numbers, and who decided; never what lies in them.

use serde::Serialize;
use stockade_policy::rules::Policy;

use super::record::Record;
use crate::error::Failure;
use crate::host::Facts;
use crate::telemetry::{About, write_alone};

/// `login.offered`: a start told of logins that nothing was decided about.
#[derive(Debug, Serialize)]
pub(crate) struct LoginOffered {
    /// What `stockade login` calls the server.
    pub(crate) key: String,
    /// The places.
    pub(crate) places: Vec<OfferedPlace>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(crate) struct OfferedPlace {
    /// Its path: the user has to know what is spoken of.
    pub(crate) place: String,
    /// Whether the server may use it already, as its profile grants it.
    pub(crate) open: bool,
}

/// `login.copied`, `login.shared`, `login.never`, `login.forgotten`: what a person at a terminal decided.
#[derive(Debug, Serialize)]
pub(crate) struct LoginDecided {
    /// Path of the place.
    pub(crate) place: String,
    /// In words: `copied`, `shared read-only` …
    pub(crate) way: &'static str,
    /// Files that were copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<usize>,
    /// Their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    /// Links, pipes and the like that were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<usize>,
    /// Name under which what the server had there is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept_aside: Option<String>,
}

/// Writes one, under a session of its own.
///
/// # Errors
/// When it cannot be written and the policy in force stops everything then.
pub(crate) fn write(
    record: &Record,
    (policy, facts): (&Policy, &Facts),
    (kind, what): (&'static str, &LoginDecided),
) -> Result<(), Failure> {
    let client = record.id.as_deref().and_then(|id| id.split_once('/')).map(|(client, _)| client.to_owned());
    let about = About {
        client,
        server: record.server.clone(),
        identity: record.identity.clone(),
        profile: record.profile.clone(),
    };
    write_alone(about, (policy, facts), (kind, what))
}
