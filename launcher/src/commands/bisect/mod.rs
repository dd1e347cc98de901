//! `stockade bisect`: is it Stockade, and if so, which part of it, and what mends it.

mod call;
mod recorded;
mod report;
mod trial;

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bisect;
use crate::cli::{BisectArgs, BisectSessionArgs};
use crate::clients;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::launch::{self, PolicySource, Request};
use crate::relay;

use super::screen::Screen;
use call::Call;
use trial::Trials;

/// Finds the layer, and what mends it.
pub(super) fn bisect(args: BisectArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let (call, recorded) = match &args.event {
        Some(name) => {
            let recorded = recorded::recorded(name, &facts)?;
            (recorded.call, Some((recorded.server, recorded.shown)))
        }
        None => (Call::parse(args.call.as_deref())?, None),
    };
    let name = match (&args.server, recorded) {
        (Some(name), _) => Some(name.clone()),
        (None, Some((server, shown))) if args.command.is_empty() => {
            Some(server.ok_or_else(|| of_nobody(&shown))?)
        }
        (None, _) => None,
    };
    let (id, command, env) = match name {
        Some(name) => {
            let found = clients::find(&name, &facts)?;
            let words = found.words.into_iter().map(Into::into).collect();
            (Some(found.id), words, found.env)
        }
        None => (None, args.command.clone(), Vec::new()),
    };
    if !args.yes {
        consent(&command, &call)?;
    }
    let patience = Duration::from_secs(args.patience);
    let mut trials = Trials::new(facts, (id, command, env), args.jail, (call, patience))?;
    let found = bisect::search(&mut trials)?;
    let text = if args.json {
        format!("{:#}\n", report::json(&found))
    } else {
        report::text(&found, trials.profile(), Screen::of_stdout())
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the report").because(&error))?;
    let fine = found.findings.is_empty() && matches!(found.bare, bisect::Outcome::Answer(_));
    Ok(if fine { Exit::Ok } else { Exit::NotInOrder })
}

/// The log holds no command lines: they may hold secrets.
fn of_nobody(shown: &str) -> Failure {
    Failure::new(Kind::Usage, "the event does not say how its server is started")
        .cause(format!("`{}` was started from no client's config", super::screen::harmless(shown)))
        .hint("name its command: `stockade bisect --event ID -- CMD`")
}

/// Bare means bare: that is asked about.
fn consent(command: &[std::ffi::OsString], call: &Call) -> Result<(), Failure> {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let question = format!(
        "`{}` will be started outside of any jail, with all your rights, and asked for {} there, twice.\nGo on? [y/N] ",
        super::screen::harmless(&words.join(" ")),
        super::screen::harmless(&shortened(&call.shown())),
    );
    super::consent::ask(&question, "the call has to be made outside of any jail to compare with")
}

/// One attempt: what `run` or `jail` does, with fewer layers and perhaps a grant more. A command of its own, so that
/// nothing of this can be asked of `run`.
pub(super) fn session(args: BisectSessionArgs) -> Exit {
    super::guarded(|| serve(args))
}

fn serve(args: BisectSessionArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let mut jail = args.jail;
    jail.fragment = Some(args.lines).filter(|lines| !lines.is_empty());
    let request = Request {
        id: args.id,
        jail,
        command: args.command,
        policy: PolicySource::Trial(args.layer),
        without: None,
        observe: stockade_sandbox::Observe::Files,
    };
    let prepared = launch::prepare(request, &facts)?;
    let told = |session: &str, profile: &str, names: Vec<String>| {
        let value = json!({ "session": session, "profile": profile, "env": names });
        std::fs::write(&args.told, value.to_string())
            .map_err(|error| Failure::new(Kind::Software, "cannot tell about the attempt").because(&error))
    };
    let names =
        prepared.plan.ruleset.env.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    let profile = prepared.plan.profile.clone();
    // The keeper is forked here: no thread may run yet, and so no runtime.
    let ended = if args.layer.is_mediated() {
        let session = launch::start(prepared, &facts)?;
        told(session.log.session(), &profile, names)?;
        relay::run(session)
    } else {
        let fenced = launch::start_unmediated(prepared, &facts)?;
        told(fenced.log.session(), &profile, names)?;
        relay::run_plain(fenced)
    };
    ended.map_err(|error| Failure::new(Kind::Software, "cannot start the event loop").because(&error))
}

/// The part of a text that fits in a line of a report.
fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 300;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let all: Vec<&str> = lines.by_ref().collect();
    let joined = all.join(" / ");
    match joined.char_indices().nth(CHARACTERS_MAX) {
        Some((at, _)) => format!("{}…", &joined[..at]),
        None => joined,
    }
}

/// The first text of a tool's result.
fn said(result: &Value) -> String {
    let text = result["content"].as_array().into_iter().flatten().find_map(|part| part["text"].as_str());
    shortened(text.unwrap_or("an error without words"))
}
