//! `stockade profile …`: what there is, what one grants, whether a file is in order, what two differ in.

mod check;
mod diff;
mod list;
mod named;
mod schema;
mod show;
mod test;

pub(super) use diff::in_words as differences_in_words;
pub(super) use test::trial;

use std::io::Write;

use crate::cli::ProfileCommand;
use crate::error::{Failure, Kind};
use crate::exit::Exit;

/// Carries out one of them.
pub(super) fn profile(command: ProfileCommand) -> Result<Exit, Failure> {
    match command {
        ProfileCommand::List { json } => list::list(json),
        ProfileCommand::Show { profile, json } => show::show(&profile, json),
        ProfileCommand::Check { files, fragment } => check::check(&files, fragment),
        ProfileCommand::Diff { from, to, json } => diff::diff(&from, &to, json),
        ProfileCommand::Test(args) => test::test(&args),
        ProfileCommand::Schema => schema::print(),
    }
}

fn print(text: &str) -> Result<Exit, Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}
