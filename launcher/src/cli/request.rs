//! `request`, `requests`.

use clap::{Args, Subcommand};

pub(super) const REQUEST_EXAMPLES: &str = "\
Examples:
  stockade request 4F2K --reason \"we deploy from this server every Tuesday\"
  stockade request --reason \"needed for the audit\"

A request is the evidence of a refusal for whoever writes the policy. It stays on this machine, and changes nothing: `stockade requests show`
prints it with the lines of a policy that would grant it.";

pub(super) const REQUESTS_EXAMPLES: &str = "\
Examples:
  stockade requests
  stockade requests show 7c1e
  stockade requests export > requests.jsonl
  stockade requests drop 7c1e";

/// `request`
#[derive(Args, Clone, Debug)]
pub struct RequestArgs {
    /// The decision: its code (4F2K), or an event's id; without it the latest refusal
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
    /// Why it should be granted
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

/// `requests`
#[derive(Args, Clone, Debug)]
pub struct RequestsArgs {
    /// What to do; without it they are listed
    #[command(subcommand)]
    pub command: Option<RequestsCommand>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `requests …`
#[derive(Clone, Debug, Subcommand)]
pub enum RequestsCommand {
    /// Show one with its evidence, and the lines of a policy that would grant it
    Show {
        /// Its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Forget one
    Drop {
        /// Its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Print all of them, a JSON object a line
    Export,
}
