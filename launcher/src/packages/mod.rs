//! Packages that a runner (`npx`, `uvx`) would fetch and start in one go. Here these are two jails: one that reaches the
//! registry and writes a staging directory, and then the server's own, which sees the finished tree read-only.
//!
//! What was fetched first is pinned, the whole tree of it; a second start reads the pin and looks whether the tree is
//! there. See docs/packages.md.

mod config;
mod fetch;
mod jail;
mod npm;
mod pin;
mod program;
mod pypi;
mod record;
mod request;
mod source;
mod store;
mod trouble;
mod url;
mod verbs;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::{Command, Stdio};

use stockade_policy::document::policy::Packages;
use stockade_policy::rules::Policy;

use crate::cli::JailArgs;
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::identity;
use crate::identity::invocation::{self, Ecosystem, Invocation, PackageRun, Runs};

use pin::{Accepted, Change, Pin};
use request::Asked;
use source::{By, Source};
use store::Store;

pub(crate) use jail::carry_out;
pub(crate) use verbs::{
    Kept, Line, approve, check, diff, fetch as fetch_now, find, forget, list, prune, show,
};

/// How often the registry is asked for something newer.
const CHECKED_EVERY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Whether something may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// What is not in the store yet is fetched.
    Missing,
    /// Nothing is.
    Never,
}

/// What is started instead of the runner.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// The server's own command line.
    pub command: Vec<OsString>,
    /// The facts with what the command line sets.
    pub facts: Facts,
    /// Names of the variables that the command line sets.
    pub set: Vec<String>,
    /// What the tree is known by, beyond the package's name and version.
    pub identity: String,
    /// The pin, if the registry should be asked whether there is something newer.
    pub due: Option<String>,
}

/// Whether a command line starts with a package runner.
///
/// # Errors
/// When it does, and no package can be told from it.
pub fn is_package_run(command: &[OsString]) -> Result<bool, Failure> {
    Ok(package_run(command)?.is_some())
}

/// What a command line that starts with a package runner really starts; `None` for any other.
///
/// # Errors
/// When the package cannot be told, fetched or pinned.
pub fn stand_in(
    command: &[OsString],
    jail: &JailArgs,
    (policy, facts): (&Policy, &Facts),
    when: When,
) -> Result<Option<StandIn>, Failure> {
    let Some((run, asked)) = package_run(command)? else { return Ok(None) };
    // The runner itself would start what is installed, and so does `identity::resolve`.
    if identity::installed(&run, facts).is_some() {
        return Ok(None);
    }
    let mut facts = facts.clone();
    for (name, value) in &asked.set {
        facts.env.insert(OsString::from(name), value.clone());
    }
    let source = Source::of(run.ecosystem, Asked::of(&run)?, runner_word(command), &facts)?;
    let store = Store::of(&facts);
    let mut pin = ready(&store, &source)?;
    if pin.is_none() && when == When::Missing {
        fetch_in_child(command, jail)?;
        pin = ready(&store, &source)?;
    }
    let Some(mut pin) = pin else { return Err(not_there(&run, when)) };
    if policy.packages() == Packages::Follow && when == When::Missing {
        follow(&store, &source, policy, &facts, &mut pin)?;
    }
    if when == When::Missing {
        tell_what_waits(&pin);
    }
    let tree = store.tree(source.ecosystem(), &pin.tree.directory(&source.built_for()));
    let mut words = match &source.by {
        By::Npm { tool, .. } => npm::start(&tree, source.asked.name(), run.entry.as_deref(), tool.as_ref())?,
        By::Python { .. } => pypi::start(&tree, source.asked.name(), run.entry.as_deref())?,
    };
    words.extend(run.arguments.iter().cloned());
    let programs = match run.ecosystem {
        Ecosystem::Npm => tree.join("node_modules/.bin"),
        Ecosystem::Pypi => tree.join("venv/bin"),
    };
    put_first_in_path(&mut facts, programs);
    Ok(Some(StandIn {
        command: words,
        set: asked.set.into_iter().map(|(name, _)| name).collect(),
        facts,
        identity: format!("lock:sha256:{}", pin.tree.lock_sha256),
        due: is_due(&pin, policy.packages()).then(|| source.key.clone()),
    }))
}

/// Starts a process that will ask the registry whether there is something newer: later, on its own, and at most once a day.
pub fn check_later(key: &str) {
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new(program);
    command.args(["fetch-check", key]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It leaves a process of its own behind and ends at once. That it cannot be started must not touch the session.
    if let Ok(mut child) = command.spawn() {
        let _ = child.wait();
    }
}

/// The package that a command line asks for, with what its wrappers set.
fn package_run(command: &[OsString]) -> Result<Option<(PackageRun, Invocation)>, Failure> {
    let asked = invocation::parse(command);
    let Runs::Package(run) = &asked.runs else { return Ok(None) };
    if !asked.remainder.is_empty() {
        let failure = Failure::new(Kind::Usage, "cannot tell what this command line would fetch and start");
        let failure = asked.remainder.iter().fold(failure, |failure, part| failure.cause(part.clone()));
        return Err(failure.hint("leave it out, or install the package and name its program"));
    }
    let run = run.clone();
    Ok(Some((run, asked)))
}

/// The runner's own word: its npm or uv stands beside it.
fn runner_word(command: &[OsString]) -> Option<&OsStr> {
    command.first().map(OsString::as_os_str)
}

/// The pin, if there is one and its tree is there.
fn ready(store: &Store, source: &Source) -> Result<Option<Pin>, Failure> {
    let Some(pin) = store.load(&source.key)? else { return Ok(None) };
    let tree = store.tree(source.ecosystem(), &pin.tree.directory(&source.built_for()));
    Ok(store.has_tree(&tree).then_some(pin))
}

/// A jail is started from a process without threads, and ours will need that for the server's.
fn fetch_in_child(command: &[OsString], jail: &JailArgs) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::new(Kind::Software, "the server was not started: its package could not be fetched")
            .cause(why)
    };
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut child = Command::new(program);
    child.arg("fetch");
    if let Some(profile) = &jail.profile {
        child.arg("--profile").arg(profile);
    }
    if let Some(policy) = &jail.policy {
        child.arg("--policy").arg(policy);
    }
    child.arg("--").args(command);
    // Our stdin and stdout carry the protocol.
    child.stdin(Stdio::null()).stdout(Stdio::null());
    match child.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(failed("the lines above say why".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn not_there(run: &PackageRun, when: When) -> Failure {
    let name = run.specs.first().map_or("?", |spec| spec.typed.as_str());
    let failure = Failure::new(Kind::NotFound, format!("`{name}` was not fetched yet"));
    match when {
        When::Never => failure.hint("fetch it first: `stockade fetch -- ` and the same command line"),
        When::Missing => failure.hint("somebody removed it meanwhile: try again"),
    }
}

/// A policy that says `follow` puts in force what a check has found and fetched.
fn follow(
    store: &Store,
    source: &Source,
    policy: &Policy,
    facts: &Facts,
    pin: &mut Pin,
) -> Result<(), Failure> {
    let is_ready = |pin: &Pin| {
        pin.waiting.as_ref().is_some_and(|waiting| {
            let tree = store.tree(source.ecosystem(), &waiting.tree.directory(&source.built_for()));
            waiting.change == Change::Update && store.has_tree(&tree)
        })
    };
    if !is_ready(pin) {
        return Ok(());
    }
    // Who holds the lock is just changing the pin: the next start will see what became of it.
    let Some(_held) = store.try_hold(&source.key) else { return Ok(()) };
    let Some(fresh) = store.load(&source.key)?.filter(is_ready) else { return Ok(()) };
    *pin = fresh;
    fetch::put_in_force(facts, policy, pin, Accepted::Policy)?;
    store.save(&source.key, pin)
}

fn tell_what_waits(pin: &Pin) {
    let Some(waiting) = &pin.waiting else { return };
    let (name, old, new) = (pin.asked.name(), &pin.tree.version, &waiting.tree.version);
    let text = match waiting.change {
        Change::Update if old == new => {
            format!("packages that {name} {old} depends on have updates; the pinned ones run")
        }
        Change::Update => format!("an update of {name} waits: {old} → {new}; the pinned version runs"),
        Change::ChangedWithoutVersion => format!(
            "the registry now serves other content under versions that {name} is pinned to; the pinned content runs, the \
             other is refused"
        ),
    };
    // To a closed stderr nothing can be said.
    let _ = writeln!(std::io::stderr(), "stockade: {text}; `stockade pins diff {name}` shows it");
}

fn is_due(pin: &Pin, policy: Packages) -> bool {
    if policy == Packages::Freeze {
        return false;
    }
    let last = pin.checked.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    last.is_none_or(|last| host::now().duration_since(last) >= CHECKED_EVERY)
}

/// As `npx` and `uvx` do: a server finds the programs of its own tree.
fn put_first_in_path(facts: &mut Facts, dir: std::path::PathBuf) {
    let path = facts.var("PATH").cloned().unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
    let dirs = std::iter::once(dir).chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(dirs) {
        facts.env.insert(OsString::from("PATH"), path);
    }
}
