//! `identify`: what can be typed.

use std::ffi::OsString;

use clap::Args;

/// `identify`
#[derive(Args, Clone, Debug)]
pub struct IdentifyArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The server's command
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

pub(super) const IDENTIFY_EXAMPLES: &str = "\
Examples:
  stockade identify -- npx -y @modelcontextprotocol/server-memory
  stockade identify -- sh -c 'cd ~/srv && node server.js'
  stockade identify --json -- docker run -i --rm mcp/fetch | jq .identities

Nothing is fetched or started. A container engine, if the command names one, is asked whether it has the image.

Exit code 0: found; 127: the program is not installed here.";
