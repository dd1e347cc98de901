//! `stockade demo`: the same rogue server twice, bare and under Stockade, and what came of each of its attempts.
//!
//! Nothing here knows what *should* happen. Each attempt is judged by evidence that the rogue does not control: what
//! the attacker's listener heard, what the client received, which processes are alive afterwards.

mod attempts;
mod play;
mod records;
mod rogue;
mod session;
mod stage;
mod table;

use std::io::Write;

use crate::cli::{DemoArgs, DemoServerArgs, DemoSessionArgs};
use crate::error::{Failure, Kind};
use crate::exit::Exit;

use super::screen::Screen;

/// Plays the rogue server bare and under Stockade, and shows both side by side.
pub(super) fn demo(args: DemoArgs) -> Result<Exit, Failure> {
    let stage = stage::Stage::set()?;
    let bare = play::bare(&stage)?;
    let jailed = play::jailed(&stage, args.policy, args.without)?;
    let records = records::Records::read(&stage.state_dir());
    drop(stage);
    let report = table::Report::new(&args, &bare, &jailed, &records);
    let text = if args.json { report.json() } else { report.text(Screen::of_stdout()) };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the report").because(&error))?;
    Ok(if report.all_stopped() { Exit::Ok } else { Exit::NotInOrder })
}

/// The rogue server.
pub(super) fn server(args: DemoServerArgs) -> Result<Exit, Failure> {
    rogue::serve(&args)
}

/// One jailed session, as a client would start it.
pub(super) fn session(args: DemoSessionArgs) -> Exit {
    session::session(args)
}
