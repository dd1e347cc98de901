//! The jail of a fetch: the profile `fetch`, the configured registries, one writable directory, and nothing of the user's.
//!
//! A jail is started from a process without threads, and one process starts one. So each step of a fetch is a process of
//! its own: this program again, which reads the [`Step`] from its stdin, where no other process sees what is in it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use stockade_policy::document::profile::{AddressClass, NetGrant, Profile};
use stockade_sandbox::{Access, Observe, PathRule};

use super::config::Reach;
use crate::cli::JailArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::identity::{self, Resolved};
use crate::launch::{self, PolicySource, Prepared, Request};
use crate::plan::{self, Plan};
use crate::telemetry::Reader;
use crate::{policies, profiles, relay};

/// Profile that the jail is made from; an organisation or a user may have one of the same name.
pub(crate) const PROFILE: &str = "fetch";
/// How much of what a step says is kept, from its end.
const SAID_BYTES_MAX: usize = 16 << 10;
/// A registry that never ends its answer does not hold up a start for ever.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// One program in a jail of its own.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Id of the session that its events are under.
    pub(crate) session: String,
    /// What it is for, for people: `fetch server-x`.
    pub(crate) what: String,
    /// Identities of what is fetched.
    pub(crate) identities: Vec<String>,
    /// The program and its arguments.
    pub(crate) words: Vec<String>,
    /// Where it runs.
    pub(crate) cwd: PathBuf,
    /// What it may read and write.
    pub(crate) write: Vec<PathBuf>,
    /// What it may read.
    pub(crate) read: Vec<PathBuf>,
    /// What it may execute.
    pub(crate) run: Vec<PathBuf>,
    /// Variables, beyond those of the profile.
    pub(crate) env: Vec<(String, String)>,
    /// Where it may connect to.
    pub(crate) reach: Vec<Reach>,
    /// Directory in which its programs are looked for first.
    pub(crate) programs: Option<PathBuf>,
    /// Proxy to go through; `None` leaves it to our own environment.
    pub(crate) proxy: Option<String>,
    /// What to go around.
    pub(crate) no_proxy: Option<String>,
}

// Variables and proxy may hold credentials.
impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step").field("what", &self.what).field("words", &self.words).finish_non_exhaustive()
    }
}

/// How a step ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Whether it did what it was to do.
    pub(crate) succeeded: bool,
    /// The last of what it said on stderr.
    pub(crate) said: String,
    /// Where it wanted to connect to and may not.
    pub(crate) refused: Vec<String>,
}

/// Runs a step in a process of its own and waits for its end.
///
/// # Errors
/// When this program cannot be started again.
pub(crate) fn run(step: &Step, facts: &Facts) -> Result<Ended, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Software, "cannot start a jail for the fetch")
            .because(&error)
            .hint("the system is out of resources, or this program was replaced while it runs")
    };
    let program = std::env::current_exe().map_err(failed)?;
    let text = serde_json::to_vec(step).map_err(|error| failed(error.into()))?;
    let mut command = Command::new(program);
    command.arg("fetch-step").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&text).map_err(failed)?;
    }
    let tail = child.stderr.take().map(|stderr| std::thread::spawn(move || tail_of(stderr)));
    let succeeded = wait(&mut child).map_err(failed)?;
    let said =
        tail.and_then(|tail| tail.join().ok()).unwrap_or_else(|| "(nothing was heard of it)".to_owned());
    Ok(Ended { succeeded, said, refused: refused(facts, &step.session) })
}

/// What `run` starts: plans the jail, starts the program in it, and sees it out.
///
/// # Errors
/// When the step cannot be read or its jail cannot be had.
pub(crate) fn carry_out() -> Result<Exit, Failure> {
    let mut text = Vec::new();
    let unreadable = |why: String| {
        Failure::new(Kind::Usage, "`fetch-step` is started by `fetch`, which tells it on stdin what to do")
            .cause(why)
    };
    std::io::stdin().read_to_end(&mut text).map_err(|error| unreadable(error.to_string()))?;
    let step: Step = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    let mut facts = Facts::gather()?;
    through(&mut facts, &step);
    let prepared = prepared(&step, &facts)?;
    let own = own_dir(&prepared.plan, &facts);
    let fenced = launch::start_unmediated(prepared, &facts)?;
    let exit = relay::run_plain(fenced)
        .map_err(|error| Failure::new(Kind::Software, "cannot watch over the fetch").because(&error));
    // A home that only this step had: what an install script left in it must not be there for the next.
    if let Some(own) = own {
        let _ = std::fs::remove_dir_all(own);
    }
    exit
}

/// The directory that holds the private directories of this step's jail: it has a name that no other has.
fn own_dir(plan: &Plan, facts: &Facts) -> Option<PathBuf> {
    let all = facts.state_dir.join("servers");
    let own = plan.private_dirs.iter().find_map(|dir| dir.strip_prefix(&all).ok()?.components().next());
    own.map(|name| all.join(name))
}

fn prepared(step: &Step, facts: &Facts) -> Result<Prepared, Failure> {
    let policy = policies::load(facts, None)?;
    let available = profiles::Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
    let profile = with_reach(available.named(PROFILE)?.clone(), &step.reach);
    let command: Vec<OsString> = step.words.iter().map(OsString::from).collect();
    let found = identity::resolve(&command, facts)?;
    let name = step.what.clone();
    // Its arguments are ours: none of them names a path that has to be granted for them.
    let resolved =
        Resolved { name, identities: step.identities.clone(), argument_paths: Vec::new(), ..found };
    let set = |(name, value): &(String, String)| OsString::from(format!("{name}={value}"));
    let jail = JailArgs { env: step.env.iter().map(set).collect(), ..JailArgs::default() };
    let id = format!("{PROFILE}/{}", step.session);
    let input = plan::Input {
        facts,
        jail: &jail,
        id: Some(&id),
        resolved: &resolved,
        profile: &profile,
        profile_why: "a package is fetched".to_owned(),
        policy_hash: policy.hash(),
        entry_env: &[],
        tmp_name: &uuid::Uuid::new_v4().to_string(),
        without: None,
    };
    let mut plan = Plan::make(&input, &host::FileTree)?;
    plan.server_name.clone_from(&step.what);
    plan.command.cwd.clone_from(&step.cwd);
    grant(&mut plan, step);
    let request = Request {
        id: None,
        jail: JailArgs::default(),
        command,
        policy: PolicySource::Machine,
        without: None,
        observe: Observe::Refused,
    };
    Ok(launch::planned(request, plan, policy, step.session.clone()))
}

/// The step's own paths lie in Stockade's state, which no profile opens.
fn grant(plan: &mut Plan, step: &Step) {
    let lists = [
        (&step.write, Access::ReadWrite, "what is fetched goes there"),
        (&step.read, Access::Read, "which registry, and how"),
        (&step.run, Access::ReadExecute, "what was fetched is built with what was fetched"),
    ];
    let Some(files) = &mut plan.ruleset.files else { return };
    for (paths, access, reason) in lists {
        for path in paths {
            let rule =
                PathRule { path: std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()), access };
            if !files.wide.contains(&rule) {
                files.wide.push(rule.clone());
                files.narrow.push(rule);
                plan.reasons.push(reason.to_owned());
            }
        }
    }
}

/// The profile with the configured registries: at whatever address of this network or this machine they are, for the user
/// configured them. Link-local addresses and those of a cloud's metadata service stay closed.
fn with_reach(mut profile: Profile, reach: &[Reach]) -> Profile {
    const CLASSES: [AddressClass; 3] = [AddressClass::Public, AddressClass::Private, AddressClass::Loopback];
    let grant = |reach: &Reach| NetGrant {
        host: Cow::Owned(reach.host.clone()),
        port: reach.port,
        addresses: Cow::Borrowed(&CLASSES),
        upload_bytes: None,
        reason: Cow::Borrowed("the configured registry"),
    };
    profile.net_allow.to_mut().extend(reach.iter().map(grant));
    profile
}

/// The broker goes through the proxy that the package manager is configured for, and its programs are found where it is.
fn through(facts: &mut Facts, step: &Step) {
    if let Some(dir) = &step.programs {
        let path =
            facts.var("PATH").cloned().unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
        let dirs = std::iter::once(dir.clone()).chain(std::env::split_paths(&path));
        // A directory whose name holds a colon cannot be in PATH.
        if let Ok(path) = std::env::join_paths(dirs) {
            facts.env.insert(OsString::from("PATH"), path);
        }
    }
    let mut set = |names: [&str; 2], value: &Option<String>| {
        if let Some(value) = value {
            for name in names {
                facts.env.insert(OsString::from(name), OsString::from(value));
            }
        }
    };
    set(["https_proxy", "HTTPS_PROXY"], &step.proxy);
    set(["no_proxy", "NO_PROXY"], &step.no_proxy);
}

/// Whether it ended well.
fn wait(child: &mut Child) -> std::io::Result<bool> {
    const PAUSE: Duration = Duration::from_millis(5);
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(status.success()),
            None if Instant::now() < until => std::thread::sleep(PAUSE),
            None => {
                // Its keeper ends the tree with it.
                child.kill()?;
                child.wait()?;
                return Ok(false);
            }
        }
    }
}

/// Reads to the end and keeps the last of it.
fn tail_of(mut from: impl Read) -> String {
    let mut tail = VecDeque::new();
    let mut chunk = [0; 4096];
    while let Ok(bytes @ 1..) = from.read(&mut chunk) {
        tail.extend(chunk.iter().take(bytes));
        let beyond = tail.len().saturating_sub(SAID_BYTES_MAX);
        tail.drain(..beyond);
    }
    String::from_utf8_lossy(tail.make_contiguous()).into_owned()
}

fn refused(facts: &Facts, session: &str) -> Vec<String> {
    let Ok(events) = Reader::of_session(&facts.state_dir, session).poll() else { return Vec::new() };
    let refused = events.iter().filter(|event| {
        let kind = event.value["kind"].as_str();
        matches!(kind, Some("net.refused" | "net.dns_refused"))
    });
    let mut hosts: Vec<String> = refused.map(|event| event.what("what").to_owned()).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}
