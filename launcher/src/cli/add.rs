//! `add`, `remove`.

use clap::Args;

pub(super) const ADD_EXAMPLES: &str = "\
Examples:
  stockade add cursor git -- uvx mcp-server-git --repository ~/work
  stockade add claude-code github --env GITHUB_TOKEN=\"$TOKEN\" -- npx -y @modelcontextprotocol/server-github
  stockade add codex time --dry-run -- mcp-server-time

Writes the server into the client's own config as the client would, under Stockade from its first start on; `stockade unwrap` leaves the
plain entry. The client's file has to exist, or the directory in which it keeps one.

Exit code 0: written; 64: there is no such client, or the name is taken; 78: the file could not be changed, and was not.";

pub(super) const REMOVE_EXAMPLES: &str = "\
Examples:
  stockade remove cursor git

Takes the entry out of the client's config, wrapped or not; everything else in the file stays as it is. The entry is kept in the journal.

Exit code 0: taken out; 64: the client has no server of that name; 78: the file could not be changed, and was not.";

/// `add`
#[derive(Args, Clone, Debug)]
pub struct AddArgs {
    /// The client, by its id: claude-code, cursor, codex …
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// What the server is to be called
    #[arg(value_name = "NAME")]
    pub name: String,
    /// A variable for the server; it stands in the client's file
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// Show the change as a diff and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The server's command
    #[arg(required = true, last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// `remove`
#[derive(Args, Clone, Debug)]
pub struct RemoveArgs {
    /// The client, by its id: claude-code, cursor, codex …
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// The server's name
    #[arg(value_name = "NAME")]
    pub name: String,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}
