//! `stockade jail`: any program in the jail that `run` would make for it, without a mediator.

use std::io::{self, IsTerminal, Write};

use super::denied::{self, Sight};
use super::screen::{Ink, Screen, labelled};
use super::{observe, run};
use crate::cli::{JailCommandArgs, ShowArgs};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{Facts, FileTree};
use crate::launch::{self, PolicySource, Request};
use crate::plan::ClosedPlaces;
use crate::relay;

/// Starts a program and passes its bytes on until it ends.
pub(super) fn jail(args: JailCommandArgs) -> Exit {
    let JailCommandArgs { jail, explain, show, command } = args;
    let request = Request {
        id: None,
        jail,
        command,
        policy: PolicySource::Machine,
        without: None,
        observe: observe(show.observe),
    };
    super::guarded(|| if explain { run::explain(request) } else { session(request, show) })
}

fn session(request: Request, show: ShowArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let fenced = launch::start_unmediated(launch::prepare(request, &facts)?, &facts)?;
    let (session, profile) = (fenced.log.session().to_owned(), fenced.plan.profile.clone());
    let backend = fenced.jailed.enforcement.backend;
    let sight = Sight::of(backend, observe(show.observe), fenced.denials.supervisor.as_ref());
    let exit = relay::run_plain(fenced).map_err(|error| {
        Failure::new(Kind::Software, "cannot watch over the program")
            .because(&error)
            .hint("the system is out of resources")
    })?;
    if show.denials || io::stderr().is_terminal() {
        tell(&facts, &session, &profile, (sight, show))?;
    }
    Ok(exit)
}

/// What was denied, on stderr. Nothing is said of nothing, unless it was asked for.
fn tell(
    facts: &Facts,
    session: &str,
    profile: &str,
    (sight, show): (Sight, ShowArgs),
) -> Result<(), Failure> {
    let closed = ClosedPlaces::of(facts, &FileTree);
    let entries = denied::of_session(facts, session, &closed)?;
    let looked_in_vain = show.observe && sight == Sight::Nothing;
    let count = denied::count(&entries);
    if count == 0 && !show.denials && !looked_in_vain {
        return Ok(());
    }
    let screen = Screen::of_stderr();
    let head = match count {
        0 => "stockade: nothing was seen to be denied".to_owned(),
        count => format!("stockade: denied ({count})"),
    };
    let mut text = format!("{}\n", screen.ink(Ink::Strong, &head));
    text.push_str(&denied::text(&entries, profile, &closed, screen));
    text.push('\n');
    for note in denied::not_listed(&entries).iter().map(String::as_str).chain([sight.blind_spot()]) {
        text.push_str(&labelled("", 0, note, screen.width));
    }
    // Whoever closed our stderr does not want to know.
    let _ = io::stderr().write_all(text.as_bytes());
    Ok(())
}
