//! `stockade run`: the launcher. stdout carries the protocol alone.

use std::ffi::OsString;
use std::io::Write;

use stockade_sandbox::Observe;

use super::denied::Sight;
use crate::cli::RunArgs;
use crate::clients;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::launch::{self, PolicySource, Request};
use crate::relay;

/// Starts a server and relays until it or its client ends.
pub fn run(args: RunArgs) -> Exit {
    super::guarded(|| {
        let explain = args.explain;
        let (id, command) = whose(args.id, args.command)?;
        let request = Request {
            id,
            jail: args.jail,
            command,
            policy: PolicySource::Machine,
            without: None,
            observe: super::observe(args.observe),
        };
        if explain { self::explain(request) } else { session(request) }
    })
}

/// `run ID` alone stands for the command that the journal has of it.
fn whose(id: Option<String>, command: Vec<OsString>) -> Result<(Option<String>, Vec<OsString>), Failure> {
    let word = match (&id, command.as_slice()) {
        (None, [word]) => word.to_str().map(str::to_owned),
        _ => None,
    };
    let Some(word) = word else { return Ok((id, command)) };
    match clients::command_of(&word, &Facts::gather()?) {
        None => Ok((id, command)),
        Some(words) => Ok((Some(word), words?.into_iter().map(OsString::from).collect())),
    }
}

/// Starts what is asked for and relays between it and our own stdin and stdout.
pub fn session(request: Request) -> Result<Exit, Failure> {
    let facts = clients::with_search_path(request.id.as_deref(), &request.command, Facts::gather()?);
    let observe = request.observe;
    let session = launch::start(launch::prepare(request, &facts)?, &facts)?;
    if observe == Observe::Files && session.denials.supervisor.is_none() {
        // To a closed stderr nothing can be said.
        let _ = writeln!(std::io::stderr(), "stockade: --observe: {}", Sight::Nothing.blind_spot());
    }
    relay::run(session).map_err(|error| {
        Failure::new(Kind::Software, "cannot watch over the server")
            .because(&error)
            .hint("the system is out of resources")
    })
}

/// Prints the plan and starts nothing.
pub(super) fn explain(request: Request) -> Result<Exit, Failure> {
    let facts = clients::with_search_path(request.id.as_deref(), &request.command, Facts::gather()?);
    let prepared = launch::prepare_only(request, &facts)?;
    std::io::stdout()
        .write_all(prepared.plan.explain().as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot print the plan").because(&error))?;
    Ok(Exit::Ok)
}
