//! `secrets`.

use clap::Subcommand;

pub(super) const SECRETS_EXAMPLES: &str = "\
Examples:
  stockade secrets list
  stockade secrets move
  stockade secrets set cursor/github GITHUB_TOKEN
  stockade secrets restore cursor/github

A token in a client's config can be read by whatever reads that file: other servers, agents, a backup, a repository of dotfiles. What is moved
lies in the system's keychain (Linux: the Secret Service of gnome-keyring, KWallet or KeePassXC), and the config refers to it. Only a start
through Stockade puts the value in its place, and only for the server that it was kept for. `stockade unwrap` puts the values back into the
file. Everything but `list` asks on your terminal, and does nothing without one.

Exit code 0: done; 77: nobody could be asked, or the answer was no; 78: the keychain cannot be used.";

/// `secrets …`
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// List the tokens in clients' configs, and which of them lie in the keychain
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Move tokens from the configs of wrapped servers into the keychain, each after a question
    Move {
        /// Only of this server: its name, or CLIENT/NAME
        #[arg(value_name = "SERVER")]
        server: Option<String>,
    },
    /// Put them back into the config, as they were written there
    Restore {
        /// The server: its name, or CLIENT/NAME
        #[arg(value_name = "SERVER")]
        server: String,
    },
    /// Keep a value that you type, in place of what the entry's variable says now
    Set {
        /// The server: its name, or CLIENT/NAME
        #[arg(value_name = "SERVER")]
        server: String,
        /// The variable; it stands in the entry's `env` already
        #[arg(value_name = "VARIABLE")]
        variable: String,
    },
    /// Let the program that the entry starts now have the values that were kept for another one
    Allow {
        /// The server: its name, or CLIENT/NAME
        #[arg(value_name = "SERVER")]
        server: String,
    },
    /// Remove a value from the keychain to which no entry refers any more
    Forget {
        /// What an entry said: stockade-secret:CLIENT/NAME/VARIABLE
        #[arg(value_name = "REFERENCE")]
        reference: String,
    },
}
