//! Policy files (`policy.toml`): one file is one layer.

mod detectors;
mod parse;
mod rule;

use super::Mistakes;
use crate::detect::{Confidence, KeywordList};
use crate::verdict::{Access, Content};

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
    /// One sentence for people.
    pub reason: String,
    /// Line in its file, from 1.
    pub line: usize,
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
    /// One sentence for people; a default is made from the action.
    pub reason: String,
    /// Line in its file, from 1.
    pub line: usize,
}

/// One policy file, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    /// Enforce or monitor.
    pub mode: Mode,
    /// Defaults.
    pub defaults: Defaults,
    /// Access rules in file order.
    pub rules: Vec<Rule>,
    /// DLP rules in file order.
    pub dlp: Vec<DlpRule>,
    /// `[keywords.NAME]`
    pub keywords: Vec<KeywordList>,
    /// `[limits] frame_to_server` / `frame_to_client`, in bytes.
    pub frame_bytes_max: (Option<usize>, Option<usize>),
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
