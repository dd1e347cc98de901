//! `stockade fetch`: what a first start would fetch, ahead of it; and the hidden verbs that a fetch consists of.

use std::io::Write;
use std::time::Duration;

use crate::cli::{FetchArgs, FetchCheckArgs};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::packages;

/// How long a check waits until the session that it follows is under way: it must not compete with the server's start.
const AFTER: Duration = Duration::from_secs(10);

/// Fetches and pins.
pub(super) fn fetch(args: FetchArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let kept = packages::fetch_now(&args.command, (args.profile.as_deref(), args.policy.as_deref()), &facts)?;
    let pin = &kept.pin;
    let packages = pin.tree.packages.len();
    let plural = if packages == 1 { "package" } else { "packages" };
    let text = format!("{} is pinned, {packages} {plural}\n", pin.purl());
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}

/// One step, in this process's only jail.
pub(super) fn step() -> Exit {
    match packages::carry_out() {
        Ok(exit) => exit,
        Err(failure) => {
            failure.report();
            failure.run_exit()
        }
    }
}

/// Leaves a process of its own behind, without a terminal and in nobody's process group, that asks the registry. What it
/// finds is in the pin and in the events; there is nobody to be told.
pub(super) fn check_alone(args: FetchCheckArgs) -> Exit {
    // Not yet any thread: `daemon` forks.
    if nix::unistd::daemon(false, false).is_err() {
        return Exit::Software;
    }
    std::thread::sleep(AFTER);
    let outcome = Facts::gather().and_then(|facts| packages::check(&args.key, &facts));
    match outcome {
        Ok(_) => Exit::Ok,
        Err(failure) => failure.exit(),
    }
}
