//! `learn`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::JailArgs;

pub(super) const LEARN_EXAMPLES: &str = "\
Examples:
  stockade learn --call 'read_file={\"path\": \"/home/me/notes/a\"}' -- mcp-server-filesystem ~/notes
  stockade learn --propose --diff -- mcp-server-filesystem ~/notes
  stockade learn --propose --merge mine -- mcp-server-filesystem ~/notes

While it learns, a server may read ordinary files of yours and reach every public host. Sensitive places, private
addresses and your environment stay closed to it, and are never proposed but as comments. On a terminal it is driven
without a client; in a client's config `stockade learn -- CMD` takes the place of `stockade run -- CMD`. Every run adds to
what the last twenty saw.

Exit code: the server's own, or with --call 1 if a call failed; 125 Stockade failed, 126 not executable, 127 not found.";

/// `learn`
#[derive(Args, Clone, Debug)]
pub struct LearnArgs {
    /// Which entry of which client's config this is (as for `run`)
    #[arg(long, value_name = "CLIENT/NAME")]
    pub id: Option<String>,
    /// The jail.
    #[command(flatten)]
    pub jail: JailArgs,
    /// What the proposed profile is to be called
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Write the proposal to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Add what is missing to this profile of yours, by its name or its file; all else in it stays as it is
    #[arg(long, value_name = "PROFILE")]
    pub merge: Option<String>,
    /// What is done besides.
    #[command(flatten)]
    pub flags: LearnFlags,
    /// Without a client: call this tool with this JSON object of arguments (more than once: in this order)
    #[arg(long, value_name = "TOOL[=JSON]")]
    pub call: Vec<String>,
    /// The server's command
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// What `learn` does besides.
#[derive(Args, Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct LearnFlags {
    /// Show what the proposal grants beyond the profile in force, and the other way round
    #[arg(long)]
    pub diff: bool,
    /// Start nothing: propose from what earlier runs saw
    #[arg(long, conflicts_with = "call")]
    pub propose: bool,
    /// Forget what earlier runs saw, and start nothing
    #[arg(long, conflicts_with_all = ["call", "propose", "merge", "out", "diff"])]
    pub forget: bool,
    /// Drive the server without a client, also where stdin is no terminal
    #[arg(long)]
    pub alone: bool,
}
