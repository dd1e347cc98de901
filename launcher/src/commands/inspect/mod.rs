//! `stockade inspect`: starts a server in its jail as a client would, and shows what it offers and what holds it.

mod client;
mod exercise;
mod findings;
mod report;
mod survey;

use std::io::Write;

use stockade_sandbox::Observe;

use crate::cli::InspectArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{Facts, FileTree};
use crate::launch::{self, PolicySource, Request};
use crate::plan::ClosedPlaces;
use crate::relay::{self, ClientEnd};

pub(super) use exercise::{Exercise, exercise};

use super::denied::{self, Sight};
use super::screen::Screen;

/// Room between the relay and the client; the client always reads, so this bounds memory and nothing else.
const PIPE_BYTES: usize = 64 << 10;

/// Starts, asks, shows.
pub(super) fn inspect(args: InspectArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let request = Request {
        id: None,
        jail: args.jail,
        command: args.command,
        policy: PolicySource::Machine,
        without: None,
        observe: Observe::Files,
    };
    let prepared = launch::prepare(request, &facts)?;
    // The keeper is forked here: no thread may run yet, and so no runtime.
    let session = launch::start(prepared, &facts)?;
    let known = report::Known::of(&session);
    let log = session.log.path().to_owned();
    let id = session.log.session().to_owned();
    let backend = session.jailed.enforcement.backend;
    let sight = Sight::of(backend, Observe::Files, session.denials.supervisor.as_ref());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Software, "cannot start the event loop").because(&error))?;
    let (client_end, relay_end) = tokio::io::duplex(PIPE_BYTES);
    // The survey closes its end when it is done, and the relay then sees the server out.
    let (_, survey) = runtime.block_on(async {
        tokio::join!(relay::serve(session, ClientEnd::Duplex(relay_end)), survey::survey(client_end))
    });
    let findings = findings::read(&log);
    let closed = ClosedPlaces::of(&facts, &FileTree);
    let denied = denied::of_session(&facts, &id, &closed).map_err(|failure| failure.to_string());
    let denied = report::DeniedPart { entries: denied, closed, sight };
    let report = report::Report { known, survey, findings, denied };
    let text = if args.json { report.json() } else { report.text(Screen::of_stdout()) };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the report").because(&error))?;
    match &report.survey.failure {
        None => Ok(Exit::Ok),
        Some(failure) => {
            failure.report();
            Ok(Exit::NotInOrder)
        }
    }
}
