//! What the jail refused, with what would allow it.

use serde::Serialize;

use super::network::CallsInFlight;

/// `denied`: the same again is written once a minute, with a count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// `deny`, so that one filter finds all refusals.
    pub verdict: &'static str,
    /// `file`, `system-call`, `socket`, `unix-socket`, `listen`
    pub kind: &'static str,
    /// What it was tried on, masked: paths and names are chosen by the server.
    pub what: String,
    /// Files: `read`, `execute`, `write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<&'static str>,
    /// Files: `directory`, `file`, or `new` for one that was to be created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'static str>,
    /// `refused` by the filter, `inferred` from an open that was seen: Landlock itself tells nobody.
    pub evidence: &'static str,
    /// Why, or what it means.
    pub why: String,
    /// Lines of a profile that would allow it: what the user is to decide about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragment: Option<String>,
    /// Where no lines are proposed: what to do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The executable: a server may run several programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// How often since the last event about it.
    pub count: u64,
    /// Calls in flight when it was refused; for what is inferred nobody can tell, since it is heard of too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub during: Option<CallsInFlight>,
}

/// `limit.output`: stdout and stderr brought more than the profile's limit, and were not read for a while. Nothing is lost: the
/// server waits, as for any reader that is slow. At most once a minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputLimited {
    /// `output`
    pub what: &'static str,
    /// The limit, in words.
    pub why: String,
    /// What to do about it.
    pub remedy: &'static str,
    /// Bytes a second that are read.
    pub bytes_per_second: u64,
    /// Bytes read of both until then.
    pub bytes: u64,
    /// Calls in flight, by the time.
    pub during: CallsInFlight,
}

/// `denied.lost`: so much was refused that not all of it was taken; never told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeniedLost {
    /// How much, since the last event about it.
    pub count: u64,
}

/// `session.end` of `stockade jail`, which mediates nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JailEnd {
    /// Who ended it: `the program ended`, `SIGTERM` …
    pub why: String,
    /// How the main process ended.
    pub server: String,
    /// Our exit code.
    pub exit: u8,
    /// Bytes of stdin, stdout and stderr.
    pub bytes: [u64; 3],
}
