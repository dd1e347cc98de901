//! `stockade learn`: what a server needs, from watching it in a wide but fenced jail.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use stockade_sandbox::Backend;

use super::inspect::{Exercise, exercise};
use super::profile::differences_in_words;
use super::screen::{Screen, harmless};
use crate::cli::LearnArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::FileTree;
use crate::launch::{self, Session};
use crate::learn::{Case, Evidence, Finished, Proposal, Shelf, Witness, gather, merge, propose};
use crate::plan::{ClosedPlaces, Plan};
use crate::relay::{self, ClientEnd};

/// Room between the relay and the client that we play ourselves.
const PIPE_BYTES: usize = 64 << 10;
/// What a proposal is called on the shelf.
const PROPOSAL: &str = "proposal.toml";

/// Who drives the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    /// A client on our stdin and stdout, which belong to the protocol then.
    Client,
    /// We.
    Ourselves,
}

/// Watches one more run, unless it is told not to, and proposes.
pub(super) fn learn(args: LearnArgs) -> Exit {
    super::guarded(|| learnt(args))
}

fn learnt(args: LearnArgs) -> Result<Exit, Failure> {
    let LearnArgs { id, jail, name, out, merge, flags, call, command } = args;
    let calls = call.iter().map(|text| parse_call(text)).collect::<Result<Vec<_>, _>>()?;
    let own = flags.alone || !calls.is_empty() || io::stdin().is_terminal();
    let driver = if own { Driver::Ourselves } else { Driver::Client };
    let case = Case::of(id, jail, command)?;
    let shelf = Shelf::of(&case.facts().state_dir, &case.key()?);
    if flags.forget {
        shelf.forget()?;
    }
    let mut exit = Exit::Ok;
    if !flags.propose && !flags.forget {
        exit = run(&case, &shelf, driver, &calls)?;
    }
    let runs = shelf.runs()?;
    if runs.0.is_empty() {
        say("nothing was learnt about this server yet");
        return Ok(exit);
    }
    let proposal = propose(&case, &runs, name.as_deref())?;
    let aim = Aim {
        // stdout carried the protocol, and its reader may still be there.
        stdout: driver == Driver::Ourselves || flags.propose,
        out,
        merge: merge.map(|word| merge_file(&case, &word)).transpose()?,
        diff: flags.diff,
    };
    deliver(&case, &shelf, &runs.0, (&proposal, aim))?;
    Ok(exit)
}

/// Where a proposal goes.
struct Aim {
    stdout: bool,
    out: Option<PathBuf>,
    merge: Option<PathBuf>,
    diff: bool,
}

fn run(case: &Case, shelf: &Shelf, driver: Driver, calls: &[(String, Value)]) -> Result<Exit, Failure> {
    let (earlier, _) = shelf.runs()?;
    let witness = Arc::new(Witness::default());
    let (prepared, left_closed) = case.prepare(&Evidence::tried_ports(&earlier), &witness)?;
    let least = case.plan(case.base()?)?;
    announce(&prepared.plan, &left_closed);
    let began = Timestamp::now();
    // The keeper is forked here: no thread may run yet, and so no runtime.
    let session = launch::start(prepared, case.facts())?;
    let known = Known::of(&session);
    let exit = match driver {
        Driver::Client => relay::run(session).map_err(|error| {
            Failure::new(Kind::Software, "cannot watch over the server")
                .because(&error)
                .hint("the system is out of resources")
        })?,
        Driver::Ourselves => drive(session, calls)?,
    };
    let finished = Finished {
        session: &known.session,
        began,
        backend: known.backend,
        plan: &known.plan,
        least: &least,
        files_seen: known.files_seen,
        given: given(case),
        engine: &known.engine,
    };
    let closed = ClosedPlaces::of(case.facts(), &FileTree);
    let evidence = gather(&finished, &witness, case.facts(), &closed)?;
    shelf.put(&known.session, &evidence)?;
    Ok(exit)
}

/// What is known of a session that is moved into the relay.
struct Known {
    session: String,
    plan: Plan,
    backend: Backend,
    files_seen: bool,
    engine: Arc<stockade_policy::detect::Engine>,
}

impl Known {
    fn of(session: &Session) -> Self {
        Self {
            session: session.log.session().to_owned(),
            plan: session.plan.clone(),
            backend: session.jailed.enforcement.backend,
            files_seen: session.denials.supervisor.is_some(),
            engine: Arc::clone(&session.engine),
        }
    }
}

/// We play the client: everything is listed, and nothing is called that was not asked for.
fn drive(session: Session, calls: &[(String, Value)]) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Software, "cannot start the event loop").because(&error))?;
    let (client_end, relay_end) = tokio::io::duplex(PIPE_BYTES);
    let (_, exercise) = runtime.block_on(async {
        tokio::join!(relay::serve(session, ClientEnd::Duplex(relay_end)), exercise(client_end, calls))
    });
    let Exercise { tools, calls, failure } = exercise;
    if let Some(failure) = failure {
        failure.report();
        return Ok(Exit::NotInOrder);
    }
    let mut exit = Exit::Ok;
    for (tool, outcome) in &calls {
        if let Err(why) = outcome {
            say(&format!("`{tool}` failed: {why}"));
            exit = Exit::NotInOrder;
        }
    }
    if calls.is_empty() {
        say(&format!(
            "{tools} tools were listed and none was called: --call TOOL=JSON calls one, or let a client drive"
        ));
    }
    Ok(exit)
}

fn announce(plan: &Plan, left_closed: &[String]) {
    say(&format!(
        "learning what {} needs: ordinary files of yours are open to it, and every public host on the usual ports. Closed stay \
         sensitive places, private addresses, and your environment",
        plan.server_name
    ));
    for place in left_closed {
        say(&format!("stays closed: {place}"));
    }
}

/// The names of variables that were given by flag; values stay out.
fn given(case: &Case) -> Vec<String> {
    let name = |flag: &OsString| Some(flag.to_str()?.split('=').next()?.to_owned());
    case.flags().env.iter().filter_map(name).collect()
}

/// `TOOL={"a": 1}`, or `TOOL` alone.
fn parse_call(text: &str) -> Result<(String, Value), Failure> {
    let (tool, arguments) = text.split_once('=').unwrap_or((text, "{}"));
    match serde_json::from_str(arguments) {
        Ok(arguments @ Value::Object(_)) if !tool.is_empty() => Ok((tool.to_owned(), arguments)),
        _ => {
            Err(Failure::new(Kind::Usage, format!("--call {text}: no tool with a JSON object of arguments"))
                .hint("write --call 'read_file={\"path\": \"/tmp/x\"}'"))
        }
    }
}

/// A file, or a profile of the user's by its name.
fn merge_file(case: &Case, word: &str) -> Result<PathBuf, Failure> {
    if word.contains('/') || word.ends_with(".toml") {
        return Ok(PathBuf::from(word));
    }
    case.file_of(word).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("`{word}` is no profile of yours")).hint(
            "name a file, or a profile that lies in your configuration directory (`stockade profile list`)",
        )
    })
}

fn deliver(
    case: &Case,
    shelf: &Shelf,
    runs: &[Evidence],
    (proposal, aim): (&Proposal, Aim),
) -> Result<(), Failure> {
    if let Some(path) = &aim.merge {
        let merged = merge(case, runs, path)?;
        for line in &merged.added {
            say(&format!("added to {}: {line}", path.display()));
        }
        if merged.added.is_empty() {
            say(&format!("{} grants all of it already", path.display()));
        }
        for aside in &merged.aside {
            say(&format!("not granted: {aside}"));
        }
    }
    if let Some(path) = &aim.out {
        write_new(path, &proposal.text)?;
        say(&format!("the proposal is in {}: `stockade profile check {0}`", path.display()));
    }
    let difference = || differences_in_words(case.in_force(), &proposal.profile, Screen::of_stdout());
    if aim.stdout && aim.diff {
        print(&difference())
    } else if aim.stdout && aim.out.is_none() && aim.merge.is_none() {
        print(&proposal.text)
    } else if !aim.stdout {
        let path = shelf.dir().join(PROPOSAL);
        write_new(&path, &proposal.text)?;
        say(&format!("learnt from {} runs: the proposal is in {}", runs.len(), path.display()));
        if aim.diff {
            let _ = io::stderr().write_all(difference().as_bytes());
        }
        Ok(())
    } else {
        Ok(())
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::new(Kind::Permission, format!("cannot write {}", path.display()))
            .because(&error)
            .hint("what was learnt is kept: `stockade learn --propose` proposes it again")
    })
}

fn print(text: &str) -> Result<(), Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the proposal").because(&error))
}

/// To a closed stderr nothing can be said.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "stockade: {}", harmless(text));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_read_as_tool_and_arguments() {
        assert_eq!(parse_call("t").unwrap(), ("t".to_owned(), json!({})));
        assert_eq!(parse_call("t={\"a\": \"b=c\"}").unwrap(), ("t".to_owned(), json!({ "a": "b=c" })));
        for wrong in ["={}", "t=[]", "t=x", ""] {
            assert_eq!(parse_call(wrong).unwrap_err().kind, Kind::Usage, "{wrong}");
        }
    }
}
