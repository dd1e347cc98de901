//! `managed-settings`.

use clap::Args;

pub(super) const MANAGED_EXAMPLES: &str = "\
Examples:
  stockade managed-settings claude-code
  stockade managed-settings claude-code --kind exclusive
  stockade managed-settings codex > requirements.toml

Prints the file by which the vendor's own administration makes that client start servers only through Stockade, from the servers that are
wrapped here; where it goes and what it does not do stands on stderr. Nothing is installed. It names variables and holds no values. Make
it on a machine whose `stockade` has the path that it has on all of them.

Exit code 0: printed; 64: no such client, or none of its vendor's settings is known; 78: none of its servers is wrapped.";

/// `managed-settings`
#[derive(Args, Clone, Debug)]
pub struct ManagedArgs {
    /// The client, by its id
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// Which of its settings, where it has more than one
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
}
