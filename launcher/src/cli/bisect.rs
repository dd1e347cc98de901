//! `bisect`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::JailArgs;
use crate::bisect::Layer;

pub(super) const BISECT_EXAMPLES: &str = "\
Examples:
  stockade bisect cursor/github
  stockade bisect cursor/files --call 'read_file={\"path\":\"notes.md\"}'
  stockade bisect --event 01a20704-a66c-708e
  stockade bisect --call echo='{\"message\":\"hi\"}' -- node server.js

The call is made bare first, outside of any jail, twice: that asks for consent. Then it is made with one layer after the
other until it fails, and then with one grant after the other until it works again.

Exit code 0: it works contained as it does bare; 1: a layer breaks it, or it fails bare; 64 to 78: it could not be tried.";

/// `bisect`
#[derive(Args, Clone, Debug)]
pub struct BisectArgs {
    /// The server of a client's config: CLIENT/NAME, or its NAME if only one client has it
    #[arg(value_name = "SERVER", required_unless_present_any = ["command", "event"], conflicts_with = "command")]
    pub server: Option<String>,
    /// The call that fails, with a JSON object of arguments; without it, the list of tools is asked for
    #[arg(long, value_name = "TOOL[=JSON]")]
    pub call: Option<String>,
    /// The call on record with this id or code, instead: its server too, if a client's config has it
    #[arg(long, value_name = "ID", conflicts_with = "call")]
    pub event: Option<String>,
    /// The bare runs are agreed to: nobody is asked
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How many seconds an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub patience: u64,
    /// The jail.
    #[command(flatten)]
    pub jail: JailArgs,
    /// The server's command
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `bisect-session`
#[derive(Args, Clone, Debug)]
pub struct BisectSessionArgs {
    /// The last of its layers
    #[arg(long, value_enum)]
    pub layer: Layer,
    /// Whose entry it is
    #[arg(long)]
    pub id: Option<String>,
    /// Lines of a profile that are tried
    #[arg(long, default_value = "")]
    pub lines: String,
    /// Where the session's id is to be written
    #[arg(long)]
    pub told: PathBuf,
    /// The jail.
    #[command(flatten)]
    pub jail: JailArgs,
    /// The server's command
    #[arg(required = true, last = true)]
    pub command: Vec<OsString>,
}
