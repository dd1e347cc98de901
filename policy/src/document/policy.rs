//! Policy files (`policy.toml`): one file is one layer.

mod baseline;
mod cases;
mod custom;
mod detectors;
mod limit;
mod parse;
mod rule;
mod schema;
mod suppress;
mod times;

use std::collections::BTreeMap;

use super::Mistakes;
use crate::detect::{Confidence, KeywordList};
use crate::rules::{Condition, Times, UnixTime};
use crate::verdict::{Access, Content};

pub use cases::{ASKED, About, Asked, PolicyCase, PolicyCases, moment};
pub use custom::{CanarySource, ExactSource, no_canary};
pub use schema::schema;

/// Whether a layer stops things or only says what it would have stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Judge and act.
    Enforce,
    /// Judge and record, stop nothing.
    Monitor,
}

/// What happens to methods that no rule and no revision of MCP knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownMethods {
    /// Forwarded, fully scanned.
    Forward,
    /// Refused with −32601.
    Deny,
}

/// What the disk being full means for traffic (decision 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullDisk {
    /// Drop the oldest events, count, alert.
    DropOldest,
    /// Stop traffic.
    Stop,
}

/// What becomes of a process that a client started without Stockade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BareServers {
    /// It is recorded.
    Record,
    /// It is recorded and stopped; the client starts it anew, then through Stockade.
    Stop,
}

/// What becomes of servers that a project's files name (`.mcp.json`, `.vscode/mcp.json`): they are often under version control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProjectFiles {
    /// They are listed, and left as they are.
    #[default]
    Report,
    /// An entry of the same name goes before them in a nearer scope of the user's, where the client has one.
    Shadow,
    /// They are wrapped like the user's own.
    Rewrite,
}

/// What becomes of packages that a registry offers a newer tree of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Packages {
    /// New versions are fetched and run.
    Follow,
    /// What is pinned runs until a person approves what is new.
    Ask,
    /// What is pinned runs; the registry is not even asked.
    Freeze,
}

/// Which way a DLP rule looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directions {
    /// `to-server`
    ToServer,
    /// `to-client`
    ToClient,
    /// `both`
    Both,
}

/// What a server asks of its client, by the names of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// An answer of the client's model.
    Sampling,
    /// A question to the user, by a form.
    ElicitationForm,
    /// A question to the user, by a page that he is sent to.
    ElicitationUrl,
    /// The client's roots.
    Roots,
}

/// `[defaults]`: what holds where no rule speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Servers, and whatever of them no rule names.
    pub server: Access,
    /// Methods nobody knows.
    pub unknown_methods: UnknownMethods,
    /// The profile of a server that no profile matches; `None` leaves it to the next layer.
    pub profile: Option<String>,
    /// Whether `--grant-*` flags are honoured.
    pub grants_by_flag: Access,
    /// What a full disk means.
    pub full_disk: FullDisk,
    /// What becomes of tools whose definition is another one than when it was approved or first seen. `allow` is only to
    /// record it.
    pub changed_tools: Access,
    /// What becomes of tools that a server adds after somebody saw its whole list, until they are approved. `allow` is only to
    /// record it.
    pub new_tools: Access,
    /// Whether a person may answer what `ask` rules ask: `Deny` makes each `ask` a refusal.
    pub approvals: Access,
    /// Whether a person may pause what this layer says about one server; `None` leaves it to where the layer comes from.
    pub pause: Option<Access>,
    /// What the agent does with a server that a client runs without Stockade though its entry is wrapped by now.
    pub bare_servers: BareServers,
    /// What becomes of servers that a project's files name.
    pub project_files: ProjectFiles,
    /// What becomes of newer packages; `None` leaves it to the other layers.
    pub packages: Option<Packages>,
}

/// `[[rule]]`: who may use what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `no-merge`, unique in its file.
    pub id: String,
    /// `allow`, `ask` or `deny`.
    pub effect: Access,
    /// Identity patterns (`*` matches any run of characters); empty means every server.
    pub servers: Vec<String>,
    /// Tool name patterns; with these and the four lists below empty the rule is about the server as a whole.
    pub tools: Vec<String>,
    /// Prompt name patterns.
    pub prompts: Vec<String>,
    /// Patterns of resource URIs, in canonical form; compared with URI templates too.
    pub resources: Vec<String>,
    /// Patterns of URI templates.
    pub templates: Vec<String>,
    /// What the server asks of its client.
    pub features: Vec<Feature>,
    /// Patterns of origins that [`Feature::ElicitationUrl`] is narrowed to; empty means pages anywhere.
    pub origins: Vec<String>,
    /// What has to be true of the call as well (`when`).
    pub when: Option<Condition>,
    /// When it holds (`until`, `days`, `hours`).
    pub times: Times,
    /// One sentence for people.
    pub reason: String,
    /// Line in its file, from 1.
    pub line: usize,
}

/// `[[limit]]`: how often and how much in one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRule {
    /// Unique in its file.
    pub id: String,
    /// Identity patterns; empty means every server.
    pub servers: Vec<String>,
    /// Tool name patterns; what they name is counted together, with the prompts and resources.
    pub tools: Vec<String>,
    /// Prompt name patterns.
    pub prompts: Vec<String>,
    /// Patterns over canonical URIs of resources.
    pub resources: Vec<String>,
    /// Most calls in the time.
    pub calls: Option<u64>,
    /// Most bytes of requests and answers in the time.
    pub bytes: Option<u64>,
    /// The time.
    pub per_ms: u64,
    /// The time as it is written.
    pub per: String,
    /// `ask` or `deny`, once it is used up.
    pub effect: Access,
    /// One sentence for people.
    pub reason: String,
    /// Line in its file, from 1.
    pub line: usize,
}

/// What nearer layers may relax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Which servers may start.
    Servers,
    /// Which tools may be called.
    Tools,
    /// Which prompts may be used.
    Prompts,
    /// Which resources and templates may be read.
    Resources,
    /// What a server may ask of its client.
    Features,
    /// What is done about credentials.
    Secret,
    /// What is done about personal data.
    Pii,
    /// What is done about text that instructs the model.
    Injection,
    /// What is done about keywords.
    Keyword,
}

impl Class {
    /// Every class with the word that policies use.
    pub const WORDS: [(&'static str, Self); 9] = [
        ("servers", Self::Servers),
        ("tools", Self::Tools),
        ("prompts", Self::Prompts),
        ("resources", Self::Resources),
        ("features", Self::Features),
        ("secret", Self::Secret),
        ("pii", Self::Pii),
        ("injection", Self::Injection),
        ("keyword", Self::Keyword),
    ];

    /// The class of detectors with this name (what stands before the slash).
    pub(crate) fn of_detector(class: &str) -> Option<Self> {
        match class {
            "secret" => Some(Self::Secret),
            "pii" => Some(Self::Pii),
            "injection" => Some(Self::Injection),
            "keyword" => Some(Self::Keyword),
            _ => None,
        }
    }
}

/// `[[dlp]]`: what is done about findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DlpRule {
    /// Unique in its file.
    pub id: String,
    /// Detector patterns: `secret/*`, `pii/payment-card`, `keyword/projects`.
    pub detect: Vec<String>,
    /// Which way.
    pub direction: Directions,
    /// What is done.
    pub action: Content,
    /// Findings below this are not this rule's.
    pub confidence: Confidence,
    /// Identity patterns it is about; empty means every server.
    pub servers: Vec<String>,
    /// Identity patterns it is not about (`except = { servers = [...] }`).
    pub except_servers: Vec<String>,
    /// Tool patterns that a value may be put back for, on its way to the server that it came from (`action = "redact"`
    /// towards the client only); empty means every tool of that server.
    pub restore_to: Vec<String>,
    /// What it makes of credentials that are the server's own job.
    pub destinations: Destinations,
    /// One sentence for people; a default is made from the action.
    pub reason: String,
    /// Line in its file, from 1.
    pub line: usize,
}

/// What a DLP rule makes of a credential on its way to the server whose job it is (`[dlp] own` of its profile).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destinations {
    /// It is no finding.
    Honour,
    /// It is a finding like any other.
    Ignore,
}

/// `[[suppress]]`: findings that somebody answers for, for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Unique in its file.
    pub id: String,
    /// Detector patterns; empty means whatever has the hash.
    pub detect: Vec<String>,
    /// The keyed hash of one value, as events and placeholders show it.
    pub hash: Option<[u8; 8]>,
    /// Pattern over the JSON Pointer of the value that holds the finding.
    pub path: Option<String>,
    /// Identity patterns; empty means every server.
    pub servers: Vec<String>,
    /// Patterns of the tools that are called or answer; empty means whatever the message is about.
    pub tools: Vec<String>,
    /// Which way.
    pub direction: Directions,
    /// Who answers for it.
    pub author: String,
    /// One sentence for people.
    pub reason: String,
    /// The moment at which it ends.
    pub until: UnixTime,
    /// Line in its file, from 1.
    pub line: usize,
}

/// What the end of a suppression means at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// It holds.
    Holds,
    /// It has ended.
    Expired,
    /// It ends more than a year ahead: until then nobody would look at it again, so it does not hold yet.
    TooLong,
}

/// `[[baseline]]`: what servers are expected to say of themselves and of their tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Unique in its file.
    pub id: String,
    /// Identity patterns of the servers whose definitions these are.
    pub servers: Vec<String>,
    /// Hex SHA-256 of the server's name, version and instructions; `None`: those are free.
    pub server: Option<String>,
    /// Hex SHA-256 of every tool by its name; `None`: tools are free.
    pub tools: Option<BTreeMap<String, String>>,
    /// One sentence for people.
    pub reason: String,
    /// Line in its file, from 1.
    pub line: usize,
}

/// One policy file, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    /// Enforce or monitor.
    pub mode: Mode,
    /// What the group's and the user's files may say otherwise.
    pub may_relax: Vec<Class>,
    /// Defaults.
    pub defaults: Defaults,
    /// Access rules in file order.
    pub rules: Vec<Rule>,
    /// Limits in file order.
    pub limits: Vec<LimitRule>,
    /// DLP rules in file order.
    pub dlp: Vec<DlpRule>,
    /// Suppressions in file order.
    pub suppressions: Vec<Suppression>,
    /// Baselines in file order.
    pub baselines: Vec<Baseline>,
    /// `[keywords.NAME]`
    pub keywords: Vec<KeywordList>,
    /// `[exact.NAME]`
    pub exact: Vec<ExactSource>,
    /// `[canary.NAME]`
    pub canaries: Vec<CanarySource>,
    /// `[limits] frame_to_server` / `frame_to_client`, in bytes.
    pub frame_bytes_max: (Option<usize>, Option<usize>),
    /// Lines of the keys that are no rules: `mode`, `defaults.server`, `limits.frame_to_server`.
    pub lines: BTreeMap<String, usize>,
}

impl PolicyDocument {
    /// The text of a policy file → its value.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, Mistakes> {
        parse::parse(file, text)
    }
}
