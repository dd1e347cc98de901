//! Every event that may be written, a struct a kind, and why each field may stand in a log.
//!
//! Nothing here ever holds a matched value: findings carry the detector, a length class and a keyed hash.

mod denied;
mod found;
mod network;

use serde::Serialize;
use serde_json::value::RawValue;
use stockade_policy::mediator::{Failed, Record, RecordKind};
use stockade_policy::rules::Policy;
use stockade_policy::verdict::Reason;
use stockade_sandbox::{Attempt, Attempted, Degree, Enforcement};

use crate::plan::Plan;

pub use denied::{Denied, DeniedLost, JailEnd, OutputLimited};
pub use found::{FindingLine, SuppressedLine};
pub use network::{
    BrowserPage, CallLine, CallsInFlight, NetConnect, NetDnsFailed, NetFirstSeen, NetInbound, NetRefused,
    NetSummary, NetworkEvent,
};

/// Version of the event schema; raised when a field changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// What every event of a session says.
#[derive(Clone, Debug, Serialize)]
pub struct Common {
    /// Id of the session (UUIDv7): ties the events of one run together.
    pub session: String,
    /// OS user: whose session it was.
    pub user: String,
    /// The client, as far as is known: claims, not proof.
    pub client: ClientClaim,
    /// Name that the user knows the server by.
    pub server: String,
    /// What really ran: package URL and file hash.
    pub identity: Vec<String>,
    /// Profile that the jail was made from.
    pub profile: String,
    /// Hash of the policy in force.
    pub policy: String,
}

/// Who started us, best evidence first; all of it can be forged by the one who starts us.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClientClaim {
    /// From `--id CLIENT/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// From `clientInfo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// Names of the processes above us, nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<String>,
    /// The file that the nearest of them runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Names of variables of ours that clients set for what they run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
}

/// One line of the log.
#[derive(Debug, Serialize)]
pub struct Envelope<'a, T: Serialize> {
    /// [`SCHEMA_VERSION`].
    pub v: u32,
    /// Position in its segment file, from 1: shows gaps.
    pub seq: u64,
    /// UUIDv7 of the event.
    pub id: String,
    /// RFC 3339 in UTC: when.
    pub time: String,
    /// Kind.
    pub kind: &'static str,
    /// Events that could not be written before this one.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// [`Common`], as JSON.
    pub who: &'a RawValue,
    /// What happened.
    pub what: &'a T,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// `session.start`
#[derive(Debug, Serialize)]
pub struct SessionStart {
    /// Path of the program; arguments stay out, they may hold secrets.
    pub program: String,
    /// How many arguments there were.
    pub arguments: usize,
    /// Why this profile.
    pub profile_why: String,
    /// Policy layers in force, with their hashes.
    pub layers: Vec<String>,
    /// Grants by flag, as asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flag_grants: Vec<String>,
    /// What was asked for and not granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Names (never values) of the variables that the server got.
    pub env_names: Vec<String>,
    /// Names of those of them whose values came from the system's keychain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_keychain: Vec<String>,
    /// Mechanism of the jail.
    pub backend: &'static str,
    /// Better ones that do not work here, and whether that was tried at this start or known from an earlier one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub better_backends: Vec<BetterBackend>,
    /// Landlock ABI.
    pub landlock_abi: u32,
    /// What was enforced, a line a guarantee.
    pub enforcement: Vec<EnforcementLine>,
    /// Granted paths that do not exist.
    pub skipped_paths: usize,
    /// Whether a mediator stands between client and server: in `stockade jail` nobody does.
    pub mediated: bool,
    /// The approval by which it started, where the policy asks about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// A backend that was to be had in preference to the one that carries the jail.
#[derive(Clone, Debug, Serialize)]
pub struct BetterBackend {
    /// `namespaces`, `notify`
    pub backend: &'static str,
    /// `failed` now, or `skipped`, as it is known to fail since the host was booted.
    pub result: &'static str,
    /// The step that failed, and the error.
    pub why: String,
}

/// `session.refused`
#[derive(Debug, Serialize)]
pub struct SessionRefused {
    /// What the user was told.
    pub why: String,
}

/// `session.refused`, where a person may let the server start.
#[derive(Debug, Serialize)]
pub struct StartAsked<'a> {
    /// `ask`
    pub verdict: &'static str,
    /// `ask`
    pub access: &'static str,
    /// What the user was told.
    pub why: &'a str,
    /// By which the question is answered.
    pub code: &'a str,
    /// `server/start`
    pub method: &'static str,
    /// The rule that asks.
    pub rule: &'a str,
    /// Its layer.
    pub layer: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Keyed hashes of what is asked about.
    pub asked: AskedMarks<'a>,
}

/// The marks of an approval.
#[derive(Debug, Serialize)]
pub struct AskedMarks<'a> {
    /// Of this very thing.
    pub call: &'a str,
    /// Of all of its kind.
    pub item: &'a str,
}

/// One guarantee of the enforcement report.
#[derive(Clone, Debug, Serialize)]
pub struct EnforcementLine {
    /// `fs`, `net` …
    pub guarantee: &'static str,
    /// `full`, `partial`, `none`
    pub degree: &'static str,
    /// What is missing.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub missing: String,
    /// Why.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub why: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub remedy: String,
}

impl EnforcementLine {
    /// The lines of a report, in the order in which they are shown.
    pub fn of(enforcement: &Enforcement) -> Vec<Self> {
        let line = |(guarantee, degree): (&'static str, &Degree)| {
            let (degree, missing, why, remedy) = match degree {
                Degree::Full => ("full", "", "", ""),
                Degree::Partial { missing, why, remedy } => {
                    ("partial", missing.as_str(), why.as_str(), remedy.as_str())
                }
                Degree::None { why, remedy } => ("none", "", why.as_str(), remedy.as_str()),
            };
            Self {
                guarantee,
                degree,
                missing: missing.to_owned(),
                why: why.to_owned(),
                remedy: remedy.to_owned(),
            }
        };
        enforcement.guarantees().into_iter().map(line).collect()
    }
}

/// The layers of a policy: name, and the beginning of the hash.
pub fn layers(policy: &Policy) -> Vec<String> {
    let short = |sha256: &str| sha256.get(..12).unwrap_or(sha256).to_owned();
    policy.layers().iter().map(|layer| format!("{} sha256:{}", layer.name, short(&layer.sha256))).collect()
}

impl SessionStart {
    /// The start of a session, from what was planned and what was enforced.
    pub fn new(plan: &Plan, policy: &Policy, enforcement: &Enforcement) -> Self {
        Self {
            program: plan.command.program.display().to_string(),
            arguments: plan.command.argv.len().saturating_sub(1),
            profile_why: plan.profile_why.clone(),
            layers: layers(policy),
            flag_grants: plan.flag_grants.clone(),
            notes: plan.notes.clone(),
            env_names: plan.ruleset.env.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect(),
            from_keychain: Vec::new(),
            backend: crate::container::carrier(plan, enforcement),
            better_backends: Vec::new(),
            landlock_abi: enforcement.landlock_abi,
            enforcement: EnforcementLine::of(enforcement),
            skipped_paths: enforcement.skipped_paths.len(),
            mediated: true,
            approval: None,
        }
    }

    /// By this approval, if the policy asks about the server.
    pub fn by(self, approval: Option<String>) -> Self {
        Self { approval, ..self }
    }

    /// With what was tried before.
    pub fn after(mut self, attempts: &[Attempt]) -> Self {
        let better = attempts.iter().filter_map(|attempt| match &attempt.result {
            Attempted::Carries => None,
            Attempted::Failed { why } | Attempted::Skipped { why } => Some(BetterBackend {
                backend: attempt.backend.word(),
                result: attempt.result.word(),
                why: why.clone(),
            }),
        });
        self.better_backends.extend(better);
        self
    }
}

/// `session.end`
#[derive(Debug, Serialize)]
pub struct SessionEnd {
    /// Who ended it: `server ended`, `client closed its end`, `SIGTERM` …
    pub why: String,
    /// How the server's main process ended.
    pub server: String,
    /// Our exit code.
    pub exit: u8,
    /// Lines forwarded to the server and to the client.
    pub forwarded: (u64, u64),
    /// Bytes of stderr, and how many of them were not passed on.
    pub stderr_bytes: (u64, u64),
    /// Answers of ours that were thrown away because nobody read them.
    #[serde(skip_serializing_if = "is_zero")]
    pub answers_dropped: u64,
}

/// `call`, `answer`, `notification`, `refused`, `synthesised`, `definition`: one decision of the mediator.
#[derive(Debug, Serialize)]
pub struct Decision {
    /// `allow`, `deny`, `ask`, `monitor`, `redact`, `block`, `refused`
    pub verdict: &'static str,
    /// Access axis.
    pub access: &'static str,
    /// Content axis.
    pub content: &'static str,
    /// Which way the message went.
    pub direction: &'static str,
    /// Method of the message, or of the request that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Tool, prompt or resource, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// JSON-RPC id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Its reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The rule of a layer in monitor mode that would have refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_have: Option<String>,
    /// Why the grammar or the session table refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Code that the user can ask about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the peer was told: a sentence of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// What a rule asks about, so that a person can answer: hashes, no arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<AskedLine>,
    /// The approval that let it pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Findings, masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingLine>,
    /// How many findings there were in all.
    #[serde(skip_serializing_if = "is_none_found")]
    pub findings_total: usize,
    /// Credentials on their way to the server whose job they are: how many passed.
    #[serde(skip_serializing_if = "is_none_found")]
    pub own: usize,
    /// What somebody answers for passed: masked as findings are, with the suppression's id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<SuppressedLine>,
    /// How many of these there were in all.
    #[serde(skip_serializing_if = "is_none_found")]
    pub suppressed_total: usize,
    /// Size of the line in bytes.
    pub bytes: usize,
    /// The line was changed before it was forwarded.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rewritten: bool,
    /// Redacted values that were put back for the server that they came from.
    #[serde(skip_serializing_if = "is_none_found")]
    pub restored: usize,
    /// Separators, surrogates and invalid UTF-8 repaired.
    #[serde(skip_serializing_if = "is_nothing_repaired")]
    pub repaired: u32,
    /// Answers that report a failure: `"tool"` (`isError`), or `{"error": CODE}` of JSON-RPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedLine>,
    /// Answers: milliseconds since the request was forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

fn is_none_found(n: &usize) -> bool {
    *n == 0
}

fn is_nothing_repaired(n: &u32) -> bool {
    *n == 0
}

/// What a rule asks about, as keyed hashes: from them no argument can be read.
#[derive(Debug, Serialize)]
pub struct AskedLine {
    /// Of method, name and arguments.
    pub call: String,
    /// Of method and name.
    pub item: String,
}

/// How an answer reports a failure.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FailedLine {
    /// The tool's own error: `isError`.
    Tool,
    /// An error of JSON-RPC, by its code.
    Error(i64),
}

impl From<Failed> for FailedLine {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Tool => Self::Tool,
            Failed::Error(code) => Self::Error(code),
        }
    }
}

/// `policy.changed`: other layers are in force from the next message on.
#[derive(Debug, Serialize)]
pub struct PolicyChanged {
    /// Hash of the policy before; the one from now on is that of the event.
    pub before: String,
    /// The layers in force, with their hashes.
    pub layers: Vec<String>,
}

/// `policy.broken`: the files of the policy were changed and cannot be used; the last good policy stays in force.
#[derive(Debug, Serialize)]
pub struct PolicyBroken {
    /// What is wrong with them: paths, lines, and what `policy check` would say.
    pub why: String,
}

impl Decision {
    /// The kind of event that a record becomes.
    pub fn kind(record: &Record) -> &'static str {
        match record.kind {
            RecordKind::Call => "call",
            RecordKind::Answer => "answer",
            RecordKind::Notification => "notification",
            RecordKind::Refused => "refused",
            RecordKind::Synthesised => "synthesised",
            RecordKind::Definition => "definition",
        }
    }

    /// The mediator's record as an event.
    pub fn new(record: &Record) -> Self {
        let reason = record.verdict.reason.as_ref();
        let refused = record.kind == RecordKind::Refused && !record.verdict.refuses();
        Self {
            verdict: if refused { "refused" } else { record.verdict.word() },
            access: record.verdict.access.word(),
            content: record.verdict.content.word(),
            direction: record.direction.word(),
            method: record.method.clone(),
            item: record.item.clone(),
            request_id: record.request_id.clone(),
            rule: reason.map(|reason| reason.rule.to_string()),
            reason: reason.map(|reason| reason.text.to_string()),
            layer: reason.map(|reason| reason.layer.to_string()),
            would_have: record.verdict.would_have.as_ref().map(|reason: &Reason| reason.rule.to_string()),
            refusal: record.refusal.clone(),
            code: record.code.clone(),
            told: record.told.clone(),
            asked: record.petition.as_ref().map(|petition| AskedLine {
                call: petition.asked.call.clone(),
                item: petition.asked.item.clone(),
            }),
            approval: record.petition.as_ref().and_then(|petition| petition.approval.clone()),
            findings: FindingLine::of(record),
            findings_total: record.findings_total,
            own: record.passed.own,
            suppressed: record.passed.suppressed.iter().map(SuppressedLine::from).collect(),
            suppressed_total: record.passed.suppressed_total,
            bytes: record.bytes,
            rewritten: record.rewritten,
            restored: record.restored,
            repaired: record.repaired,
            failed: record.failed.map(FailedLine::from),
            duration_ms: record.duration_ms,
        }
    }
}
