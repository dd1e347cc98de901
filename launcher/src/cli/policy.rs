//! `policy …` and `init`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `policy …`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check a policy file and report every mistake in it
    #[command(
        after_help = "Example:\n  stockade policy check ~/.config/stockade/policy.toml\n\nExit code 0: in order; 1: mistakes."
    )]
    Check {
        /// The file
        file: PathBuf,
    },
    /// Show what is in force on this machine, with the file and line of everything
    #[command(
        after_help = "Example:\n  stockade policy show --json | jq '.rules[] | select(.effect == \"deny\")'"
    )]
    Show {
        /// One more policy layer
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what would become of a call, which rule decides, and what each layer says
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Box<PolicyExplainArgs>),
    /// Try a table of calls against a policy, and show where it decides otherwise than the table says
    #[command(after_help = TEST_EXAMPLES)]
    Test {
        /// The table
        file: PathBuf,
        /// Test this policy file alone, instead of those that the table names
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a draft would have decided about the calls on record
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(PolicyReplayArgs),
    /// Print the JSON Schema of policies, for editors
    #[command(after_help = "Example:\n  stockade policy schema > ~/.config/stockade/policy.schema.json")]
    Schema,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  stockade policy explain --server pkg:npm/@modelcontextprotocol/server-github@2025.4.8 --tool merge_pull_request
  stockade policy explain --server pkg:pypi/mcp-server-git --tool git_push --args '{\"branch\": \"main\"}' --user ada
  stockade policy explain --server file:sha256:… --feature sampling

Without --tool and the like it is about the start of the server. What is not said is not known: a condition that asks for it
cannot be evaluated. `stockade inspect -- CMD` shows the identities of a server. For what was decided, see `stockade log`.";

const TEST_EXAMPLES: &str = "\
Example of a table:
  version = 1
  policies = [\"policy.toml\"]             # beside this file, furthest first; without it, what is in force here

  [[test]]
  name = \"merges to main go through review\"
  server = [\"pkg:npm/@modelcontextprotocol/server-github@2025.4.8\"]
  tool = \"merge_pull_request\"            # or prompt, resource, template, feature, page; none: the server's start
  args = '{\"base\": \"main\"}'              # also: client, user, groups, device, at = \"2026-12-31T18:00Z\"
  expect = \"deny\"                        # allow | ask | deny
  rule = \"no-merge\"                      # leave it out if any rule will do

Exit code 0: as the table says; 1: not.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  stockade policy replay --policy draft.toml
  stockade policy replay --since 7d --policy draft.toml --json | jq .changed

The draft takes the place of your own policy file; without one, the policy in force is tried. Arguments are never recorded,
so what depends on them cannot be said. Findings that nobody looked for at the time are not known either.

Exit code 0, whatever has changed.";

/// `policy explain`
#[derive(Args, Clone, Debug)]
pub struct PolicyExplainArgs {
    /// An identity of the server: a package URL, `file:sha256:…`; more than once, if it has more
    #[arg(long, value_name = "ID")]
    pub server: Vec<String>,
    /// What is asked about.
    #[command(flatten)]
    pub about: PolicyAbout,
    /// Arguments of the call: a JSON object
    #[arg(long, value_name = "JSON")]
    pub args: Option<String>,
    /// Name of the client
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// Login name, instead of yours
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// A group of the user, instead of yours
    #[arg(long, value_name = "NAME")]
    pub group: Vec<String>,
    /// When, instead of now: 2026-12-31T18:00Z
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// One more policy layer
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// One thing that a rule can name.
#[derive(Args, Clone, Debug, Default)]
#[group(multiple = false)]
pub struct PolicyAbout {
    /// A tool
    #[arg(long, value_name = "NAME")]
    pub tool: Option<String>,
    /// A prompt
    #[arg(long, value_name = "NAME")]
    pub prompt: Option<String>,
    /// A resource, by its canonical URI
    #[arg(long, value_name = "URI")]
    pub resource: Option<String>,
    /// A resource template
    #[arg(long, value_name = "TEMPLATE")]
    pub template: Option<String>,
    /// Something that the server asks of its client
    #[arg(long, value_name = "FEATURE", value_parser = ["sampling", "roots", "elicitation-form"])]
    pub feature: Option<String>,
    /// A page that the server sends the user to, by its origin
    #[arg(long, value_name = "ORIGIN")]
    pub page: Option<String>,
}

/// `policy replay`
#[derive(Args, Clone, Debug)]
pub struct PolicyReplayArgs {
    /// How far back: 12h, 7d
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub since: String,
    /// The draft
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) const INIT_EXAMPLES: &str = "\
Examples:
  stockade init --print --strict
  stockade init --observe
  stockade init --strict --replace     (keeps the old file beside the new one)

Without a policy file `default` holds: a file of your own is for changing it. A file that is there is never overwritten
without --replace. Only `--observe` and `--default` let servers start that nobody approved.";

/// `init`
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// Which starting policy.
    #[command(flatten)]
    pub choice: InitChoice,
    /// Print it, and write nothing
    #[arg(long, conflicts_with = "replace")]
    pub print: bool,
    /// Put it in the place of the policy file that is there, which is kept under another name
    #[arg(long)]
    pub replace: bool,
}

/// `--observe | --default | --strict`
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line, and only one can be given"
)]
pub struct InitChoice {
    /// Everything is put on record, nothing is stopped but by the jail
    #[arg(long)]
    pub observe: bool,
    /// What holds without any file: findings on record, hidden text stopped (if nothing is chosen)
    #[arg(long)]
    pub default: bool,
    /// Only approved servers; secrets and personal data stopped
    #[arg(long)]
    pub strict: bool,
}
