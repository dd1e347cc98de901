//! `stockade policy …`: whether a file is in order, what is in force, what would become of a call, and why.

mod call;
mod check;
mod explain;
mod replay;
mod show;
pub(super) mod suppressions;
mod table;

use std::io::Write;

use crate::cli::PolicyCommand;
use crate::error::{Failure, Kind};
use crate::exit::Exit;

/// Carries out one of them.
pub(super) fn policy(command: PolicyCommand) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Check { file } => check::check(&file),
        PolicyCommand::Show { policy, json } => show::show(policy.as_deref(), json),
        PolicyCommand::Explain(args) => explain::explain(&args),
        PolicyCommand::Test { file, policy, json } => table::test(&file, policy.as_deref(), json),
        PolicyCommand::Replay(args) => replay::replay(&args),
        PolicyCommand::Schema => print(&format!("{:#}\n", stockade_policy::document::policy::schema())),
    }
}

fn print(text: &str) -> Result<Exit, Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}

fn print_json(value: &serde_json::Value) -> Result<Exit, Failure> {
    print(&format!("{value:#}\n"))
}
