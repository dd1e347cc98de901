//! `fetch` and `pins`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

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

/// `pins …`
#[derive(Debug, Subcommand)]
pub enum PinsCommand {
    /// List what is pinned, and what the registries offer instead
    #[command(
        after_help = "Example:\n  stockade pins list --json | jq -r '.[] | select(.state != \"pinned\") | .package'"
    )]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a pin with every package of its tree
    #[command(after_help = "Example:\n  stockade pins show @modelcontextprotocol/server-everything")]
    Show {
        /// Its package, or the pin's own name
        #[arg(value_name = "PACKAGE")]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the registry offers, against what is pinned
    #[command(after_help = "Exit code 0, whether anything waits or not.")]
    Diff {
        /// Its package, or the pin's own name
        #[arg(value_name = "PACKAGE")]
        name: String,
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
    /// Run what waits from the next start on; asks on the terminal
    #[command(
        after_help = "Example:\n  stockade pins diff mcp-server-time && stockade pins approve mcp-server-time"
    )]
    Approve {
        /// Its package, or the pin's own name
        #[arg(value_name = "PACKAGE")]
        name: String,
    },
    /// Remove a pin: the next start pins what the registry offers then; asks on the terminal
    Forget {
        /// Its package, or the pin's own name
        #[arg(value_name = "PACKAGE")]
        name: String,
    },
    /// Remove every tree that no pin names
    Prune,
}
