//! `stockade run`: the launcher. stdout carries the protocol alone.

use std::io::Write;

use stockade_sandbox::Observe;

use super::denied::Sight;
use crate::cli::RunArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::launch::{self, PolicySource, Request};
use crate::relay;

/// Starts a server and relays until it or its client ends.
pub fn run(args: RunArgs) -> Exit {
    let explain = args.explain;
    let request = Request {
        id: args.id,
        jail: args.jail,
        command: args.command,
        policy: PolicySource::Machine,
        without: None,
        observe: super::observe(args.observe),
    };
    super::guarded(|| if explain { self::explain(request) } else { session(request) })
}

/// Starts what is asked for and relays between it and our own stdin and stdout.
pub fn session(request: Request) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
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
    let facts = Facts::gather()?;
    let prepared = launch::prepare_only(request, &facts)?;
    std::io::stdout()
        .write_all(prepared.plan.explain().as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot print the plan").because(&error))?;
    Ok(Exit::Ok)
}
