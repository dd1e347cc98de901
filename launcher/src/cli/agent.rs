//! `agent`, `watch`.

use clap::{Args, Subcommand, ValueEnum};

pub(super) const AGENT_EXAMPLES: &str = "\
Examples:
  stockade agent install
  stockade agent status
  stockade agent install --print --os macos

The agent wraps a server within a second after a client's config names it, keeps an inventory, and records servers that run without
Stockade. It is one process a user, without rights of its own. What a person unwraps stays so until that person wraps it again.";

/// `agent`
#[derive(Clone, Debug, Subcommand)]
pub enum AgentCommand {
    /// Run in the foreground, as a manager of services starts it
    Run,
    /// Start it with every login: a unit of systemd, a job of launchd, a task of Windows
    Install(AgentInstallArgs),
    /// Stop it and take its definition away
    Uninstall,
    /// Whether it runs, and what it knows
    Status,
}

/// `agent install`
#[derive(Args, Clone, Debug)]
pub struct AgentInstallArgs {
    /// Print the definition and write nothing
    #[arg(long)]
    pub print: bool,
    /// With --print: for this system
    #[arg(long, value_enum, requires = "print")]
    pub os: Option<OsArg>,
}

/// A system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OsArg {
    /// systemd
    Linux,
    /// launchd
    Macos,
    /// Task Scheduler
    Windows,
}
