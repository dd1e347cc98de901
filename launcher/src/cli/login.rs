//! `login`.

use clap::Subcommand;

pub(super) const LOGIN_EXAMPLES: &str = "\
Examples:
  stockade login list
  stockade login copy mcp-remote
  stockade login never cursor/azure

A server is known here once it was started: its first start says what it keeps in your home directory, and starts without.
Everything but `list` asks on your terminal, and does nothing without one.

Exit code 0: done; 77: nobody could be asked, or the answer was no, or the policy in force forbids it.";

/// `login …`
#[derive(Debug, Subcommand)]
pub enum LoginCommand {
    /// List the logins of the servers that were started, and what was decided about them
    #[command(
        after_help = "Example:\n  stockade login list --json | jq '.[] | select(.state == \"waiting\")'"
    )]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy a login into the server's private home
    #[command(
        after_help = "The server can use what is copied as if it were yours: it can send it to every host that its \
                           profile grants. What it has there already is kept beside it."
    )]
    Copy {
        /// The server: its name, CLIENT/NAME, or its key
        #[arg(value_name = "SERVER")]
        server: String,
    },
    /// Let the server use a login in its place, for tokens that are renewed there; only where its profile says so
    Share {
        /// The server: its name, CLIENT/NAME, or its key
        #[arg(value_name = "SERVER")]
        server: String,
    },
    /// Settle that the server gets none of its logins; closes those that its profile grants
    Never {
        /// The server: its name, CLIENT/NAME, or its key
        #[arg(value_name = "SERVER")]
        server: String,
    },
    /// Take back what was decided: copies are removed, and the next start tells of the logins again
    Forget {
        /// The server: its name, CLIENT/NAME, or its key
        #[arg(value_name = "SERVER")]
        server: String,
    },
}
