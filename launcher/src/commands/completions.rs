//! `stockade completions`: generated from the command line's definition.

use std::io::Write;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::{Failure, Kind};
use crate::exit::Exit;

/// Prints the completions of one shell.
pub fn print(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "stockade", &mut script);
    std::io::stdout()
        .write_all(&script)
        .map_err(|error| Failure::new(Kind::Software, "cannot write the completions").because(&error))?;
    Ok(Exit::Ok)
}
