//! `fetch` and `pins`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub(super) const FETCH_EXAMPLES: &str = "\
Examples:
  stockade fetch -- npx -y @modelcontextprotocol/server-everything
  stockade fetch -- uvx mcp-server-time

The command line is the one that `run` gets. What is pinned already is not fetched again; a tree that is missing is
fetched as it is pinned.

Exit code 0: it is in the store; 64 to 78: it is not.";

/// `fetch`
#[derive(Args, Clone, Debug)]
pub struct FetchArgs {
    /// Profile that the server will get, instead of the one that matches it
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// One more policy layer
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The server's command
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `fetch-check` (hidden)
#[derive(Args, Clone, Debug)]
pub struct FetchCheckArgs {
    /// Key of the pin
    pub key: String,
}

/// What is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PinKind {
    /// The tree of a package that a runner fetches
    Package,
    /// What a server says of its tools
    Tools,
}

/// `pins …`
#[derive(Debug, Subcommand)]
pub enum PinsCommand {
    /// List what is pinned: packages and definitions of tools, and what is offered instead
    #[command(
        after_help = "Example:\n  stockade pins list --json | jq -r '.[] | select(.kind == \"tools\" and .state != \"approved\") | .pin'"
    )]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a pin of a package with everything of its tree, or of a server with all of its tools
    #[command(after_help = "Example:\n  stockade pins show @modelcontextprotocol/server-everything")]
    Show {
        /// Its package, or the pin's own name
        #[arg(value_name = "PACKAGE")]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a registry offers or a server says now, against what is pinned
    #[command(after_help = "Without a name: of everything. Exit code 0, whether anything waits or not.")]
    Diff {
        /// Its package or server, or the pin's own name
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask the registry now whether it offers anything else; changes nothing that runs
    #[command(after_help = "Exit code 0: it does not; 1: something waits.")]
    Check {
        /// Its package, or the pin's own name
        #[arg(value_name = "PACKAGE")]
        name: String,
    },
    /// Agree to what waits; shows it and asks on the terminal
    #[command(after_help = "\
Examples:
  stockade pins approve mcp-server-time
  stockade pins approve github --tool create_issue

A package runs from the next start on; definitions of tools hold from the next message on, in running sessions too.")]
    Approve {
        /// Its package or server, or the pin's own name
        #[arg(value_name = "NAME")]
        name: String,
        /// Only this tool of the server; repeatable
        #[arg(long = "tool", value_name = "NAME")]
        tools: Vec<String>,
        /// Only this kind of pin
        #[arg(long)]
        kind: Option<PinKind>,
    },
    /// Print the approved definitions of a server as a section that a policy can expect
    #[command(
        after_help = "Example:\n  stockade pins export github >> policy.toml && stockade policy check policy.toml"
    )]
    Export {
        /// The server, or the pin's own name
        #[arg(value_name = "SERVER")]
        name: String,
    },
    /// Remove a pin: the next start pins what is offered then; asks on the terminal
    Forget {
        /// Its package or server, or the pin's own name
        #[arg(value_name = "NAME")]
        name: String,
        /// Only this kind of pin
        #[arg(long)]
        kind: Option<PinKind>,
    },
    /// Remove every tree that no pin names
    Prune,
}
