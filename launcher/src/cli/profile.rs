//! `profile …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::BackendArg;

/// `profile …`
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// List the profiles that a server could get
    #[command(after_help = "Example:\n  stockade profile list --json | jq -r '.[].name'")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a profile with its bases folded in and a reason for every grant
    #[command(
        after_help = "Examples:\n  stockade profile show default\n  stockade profile show ./mine.toml --json"
    )]
    Show {
        /// Its name, or a file
        #[arg(value_name = "PROFILE")]
        profile: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check profile files, or lines to be pasted into one, and report every mistake
    #[command(after_help = PROFILE_CHECK_EXAMPLES)]
    Check {
        /// The files; `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Take the files for lines to be pasted into a profile, even if they begin like one
        #[arg(long)]
        fragment: bool,
    },
    /// Show what one profile grants and another does not
    #[command(after_help = PROFILE_DIFF_EXAMPLES)]
    Diff {
        /// A name, or a file
        #[arg(value_name = "FROM")]
        from: String,
        /// A name, or a file
        #[arg(value_name = "TO")]
        to: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Start servers that people run bare and contained, ask both the same, and compare
    #[command(after_help = PROFILE_TEST_EXAMPLES)]
    Test(ProfileTestArgs),
    /// Print the JSON Schema of profiles, for editors
    #[command(after_help = "Example:\n  stockade profile schema > ~/.config/stockade/profile.schema.json")]
    Schema,
}

const PROFILE_CHECK_EXAMPLES: &str = "\
Examples:
  stockade profile check ~/.config/stockade/profiles/*.toml
  echo '[net]
  allow = [{ host = \"api.example.org\", port = 443, reason = \"its API\" }]' | stockade profile check -

A text without `name`, `description`, `extends` and `identity` is taken for lines to be pasted into a profile, such as a
denial prints.

Exit code 0: all in order; 1: mistakes.";
const PROFILE_DIFF_EXAMPLES: &str = "\
Examples:
  stockade profile diff offline default
  stockade profile diff default ./mine.toml --json

  +  granted by TO alone    -  granted by FROM alone    ~  granted by both, otherwise

Exit code 0, whether they differ or not.";

const PROFILE_TEST_EXAMPLES: &str = "\
Examples:
  stockade profile test server-everything mcp-server-git
  stockade profile test --all --yes --markdown > compatibility.md
  stockade profile test --all --yes --profile default     (as if nobody had written profiles for them)

Each server is fetched from its registry (in a jail, into a place of its own), and started twice in an enclosed network, in
which stand-ins answer for the hosts that it knows: once bare and once as `run` starts it. Both get the same working
directory, list their tools, and make the same calls. Bare means with all rights that you have over files: you are asked
before that. User namespaces are needed for the enclosed network.

Exit code 0: everything that works bare works contained; 1: something does not; 64 to 78: it could not be tried.";

/// `profile test`
#[derive(Args, Clone, Debug)]
pub struct ProfileTestArgs {
    /// Which servers, by the names of their profiles
    #[arg(value_name = "NAME", required_unless_present = "all")]
    pub names: Vec<String>,
    /// All that are known
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// Profile for all of them, instead of their own
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Mechanism that carries the jail
    #[arg(long, value_enum, default_value_t = BackendArg::Auto)]
    pub backend: BackendArg,
    /// Table of servers and calls to use instead of the one in this program
    #[arg(long, value_name = "FILE")]
    pub table: Option<PathBuf>,
    /// Seconds that an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub patience: u64,
    /// Agree to the bare starts without being asked
    #[arg(long)]
    pub yes: bool,
    /// How the report is printed.
    #[command(flatten)]
    pub print: ProfileTestPrint,
}

/// How `profile test` prints its report.
#[derive(Args, Clone, Copy, Debug)]
pub struct ProfileTestPrint {
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print a table in Markdown
    #[arg(long)]
    pub markdown: bool,
}

/// `profile-trial` (hidden)
#[derive(Args, Clone, Debug)]
pub struct ProfileTrialArgs {
    /// What is to be tried: JSON
    pub order: PathBuf,
}
