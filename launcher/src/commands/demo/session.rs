//! `demo-session`: what `run` does, with the demo's policy and perhaps one protection less. It is a command of its own
//! so that nothing of this can be asked of `run`.

use crate::cli::{DemoSessionArgs, JailArgs};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::launch::{self, PolicySource, Request};
use crate::relay;

/// Serves one session on stdin and stdout.
pub(super) fn session(args: DemoSessionArgs) -> Exit {
    serve(args).unwrap_or_else(|failure| {
        failure.report();
        failure.run_exit()
    })
}

fn serve(args: DemoSessionArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let request = Request {
        id: None,
        jail: JailArgs::default(),
        command: args.command,
        policy: PolicySource::Demo(args.policy),
        without: args.without,
        observe: stockade_sandbox::Observe::Refused,
    };
    let prepared = launch::prepare(request, &facts)?;
    // The keeper is forked here: no thread may run yet, and so no runtime.
    let session = launch::start(prepared, &facts)?;
    relay::run(session)
        .map_err(|error| Failure::new(Kind::Software, "cannot start the event loop").because(&error))
}
