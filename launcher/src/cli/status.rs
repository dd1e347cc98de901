//! `status`.

use clap::Args;

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  stockade status
  stockade status --live
  stockade status --json | jq '.files[] | {file, servers: [.servers[] | select(.state != \"wrapped\")]}'

Lists every client whose config is found here and every server that it names: wrapped, not covered and why, or drifted (it was wrapped and
is not any more). Files of the project in the working directory, of the administrator and of plugins are listed too. What stands in
databases and in the code of extensions is not seen.

Exit code 0: everything found is wrapped; 1: something is not.";

/// `status`
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Look at the processes too: which servers run now below a client without Stockade, whether a config names them or not
    #[arg(long)]
    pub live: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
