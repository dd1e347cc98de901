//! `demo`, and the parts of it that are started by it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) const DEMO_EXAMPLES: &str = "\
Examples:
  stockade demo
  stockade demo --policy default
  stockade demo --without net

Exit code 0: everything that the rogue server tried was stopped; 1: something was not.";

/// A protection that the demo can take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protection {
    /// Files
    Fs,
    /// Network
    Net,
    /// Environment
    Env,
    /// The end of the process tree
    Tree,
    /// The strict grammar
    Wire,
    /// Data-loss prevention
    Dlp,
}

/// Starting policies that the demo can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartingPolicy {
    /// Jail on, everything recorded, nothing stopped
    Observe,
    /// Jail on, findings recorded, hidden text stopped
    Default,
    /// Only approved servers, secrets and personal data stopped
    Strict,
}

impl StartingPolicy {
    /// Its name among the built-in policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Default => "default",
            Self::Strict => "strict",
        }
    }
}

/// `demo`
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Policy that the rogue server meets
    #[arg(long, value_enum, default_value_t = StartingPolicy::Strict)]
    pub policy: StartingPolicy,
    /// Take one protection away, to see that it matters (exit code 1)
    #[arg(long, value_enum)]
    pub without: Option<Protection>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `demo-server` (hidden)
#[derive(Args, Clone, Debug)]
pub struct DemoServerArgs {
    /// The victim's home
    #[arg(long)]
    pub home: PathBuf,
    /// Loopback port that stands for the attacker's host
    #[arg(long)]
    pub port: u16,
    /// A word that marks the daemon left behind
    #[arg(long)]
    pub mark: String,
}

/// `demo-session` (hidden)
#[derive(Args, Clone, Debug)]
pub struct DemoSessionArgs {
    /// Policy
    #[arg(long, value_enum)]
    pub policy: StartingPolicy,
    /// Protection taken away
    #[arg(long, value_enum)]
    pub without: Option<Protection>,
    /// The rogue server's command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}
