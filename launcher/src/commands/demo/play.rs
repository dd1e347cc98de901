//! Plays one part: starts the rogue server, asks it for everything a client would, and judges what came of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::{Value, json};

use super::attempts::{self, Attempt, Sighting, Told, Trial};
use super::stage::{Stage, daemons, token};
use crate::cli::{Protection, StartingPolicy};
use crate::commands::child_client::{Client, Heard, Over, Reply};
use crate::error::{Failure, Kind};

/// How long an answer may take; a debug build hashes itself before it starts a session.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a daemon may take to show up in /proc after its parent said that it had started.
const DAEMON_PATIENCE: Duration = Duration::from_secs(2);
/// Pages of `tools/list` that are asked for.
const PAGES_MAX: usize = 16;

/// What came of each attempt in one part, in the order of [`Attempt::ALL`].
#[derive(Debug)]
pub(super) struct Played {
    trials: [Trial; 7],
}

impl Played {
    /// What came of one attempt.
    pub(super) fn trial(&self, attempt: Attempt) -> &Trial {
        &self.trials[attempt as usize]
    }
}

/// The server as clients start it today.
///
/// # Errors
/// When it cannot be started or does not speak.
pub(super) fn bare(stage: &Stage) -> Result<Played, Failure> {
    let mark = stage.mark("bare");
    let words = rogue_words(stage, &mark)?;
    play(stage, &mark, words)
}

/// The same server in a session of Stockade.
///
/// # Errors
/// When the session cannot be started or does not speak.
pub(super) fn jailed(
    stage: &Stage,
    policy: StartingPolicy,
    without: Option<Protection>,
) -> Result<Played, Failure> {
    let mark = stage.mark("jailed");
    let mut words: Vec<OsString> = vec![ourselves()?.into(), "demo-session".into()];
    words.extend(["--policy", policy.name()].map(OsString::from));
    if let Some(word) = without.and_then(|protection| protection.to_possible_value()) {
        words.extend(["--without", word.get_name()].map(OsString::from));
    }
    words.push("--".into());
    words.extend(rogue_words(stage, &mark)?);
    play(stage, &mark, words)
}

fn rogue_words(stage: &Stage, mark: &str) -> Result<Vec<OsString>, Failure> {
    Ok(vec![
        ourselves()?.into(),
        "demo-server".into(),
        "--home".into(),
        stage.home().into(),
        "--port".into(),
        stage.port().to_string().into(),
        "--mark".into(),
        mark.into(),
    ])
}

fn ourselves() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(Kind::Software, "cannot tell which program this is").because(&error))
}

fn play(stage: &Stage, mark: &str, words: Vec<OsString>) -> Result<Played, Failure> {
    let mut words = words.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).env_clear().envs(stage.environment()).current_dir(stage.project());
    let (mut client, _on_stage) = stage.cast().enter(|| Client::start(command, PATIENCE), Client::pid)?;
    let opening = client.request(
        "initialize",
        &json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "sampling": {} },
            "clientInfo": { "name": "stockade-demo", "version": env!("CARGO_PKG_VERSION") },
        }),
    );
    if !matches!(opening, Reply::Result(_)) {
        return Err(stage_fright(&opening, &client.close()));
    }
    client.notify("notifications/initialized");
    let tools = list_tools(&mut client);
    let told = Attempt::ALL.map(|attempt| {
        let params = json!({ "name": attempt.tool(), "arguments": {} });
        Told::from(&client.request("tools/call", &params))
    });
    let during = await_daemon(mark, &told[Attempt::Tree as usize]);
    let over = client.close();
    let seen = Sighting { during, after: daemons(mark) };
    let facts = Facts { told: &told, tools: &tools, heard: &over.heard, seen: &seen };
    Ok(Played { trials: Attempt::ALL.map(|attempt| judge(stage, mark, attempt, &facts)) })
}

/// Everything that the judging goes by.
struct Facts<'a> {
    told: &'a [Told; 7],
    tools: &'a Result<Vec<Value>, &'static str>,
    heard: &'a Heard,
    seen: &'a Sighting,
}

fn judge(stage: &Stage, mark: &str, attempt: Attempt, facts: &Facts<'_>) -> Trial {
    let told = &facts.told[attempt as usize];
    match attempt {
        Attempt::Fs => attempts::judge_fingerprint(told, stage.key_fingerprint()),
        Attempt::Env => attempts::judge_fingerprint(told, &stage.aws_fingerprint()),
        Attempt::Net => attempts::judge_connection(told, stage.attacker_heard(mark)),
        Attempt::Tree => attempts::judge_daemon(told, facts.seen),
        Attempt::Dlp => attempts::judge_secret(told, facts.heard, &token(mark)),
        Attempt::HiddenText => attempts::judge_description(facts.tools),
        Attempt::Wire => attempts::judge_smuggling(told, facts.heard, mark),
    }
}

/// All pages of the tool list.
fn list_tools(client: &mut Client) -> Result<Vec<Value>, &'static str> {
    let mut tools = Vec::new();
    let mut params = json!({});
    for _ in 0..PAGES_MAX {
        let page = match client.request("tools/list", &params) {
            Reply::Result(page) => page,
            Reply::Error(_) => return Err("the list was refused"),
            Reply::Silence(why) => return Err(why),
        };
        tools.extend(page["tools"].as_array().into_iter().flatten().cloned());
        match page["nextCursor"].as_str() {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => break,
        }
    }
    Ok(tools)
}

/// Waits until the daemon runs, if the rogue says that it does: one that nobody saw running was not stopped by anybody.
fn await_daemon(mark: &str, told: &Told) -> Vec<i32> {
    let deadline = Instant::now() + DAEMON_PATIENCE;
    loop {
        let found = daemons(mark);
        if !found.is_empty() || !matches!(told, Told::Gain(_)) || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The session did not even open: nothing can be shown, and the reason is on stderr.
fn stage_fright(opening: &Reply, over: &Over) -> Failure {
    let why = match opening {
        Reply::Error(error) => format!("it answered: {}", error["message"].as_str().unwrap_or("an error")),
        Reply::Silence(why) => (*why).to_owned(),
        Reply::Result(_) => String::new(),
    };
    let mut failure = Failure::new(Kind::Software, "the demo's session did not start").cause(why);
    if let Some(status) = over.status {
        failure = failure.cause(format!("it ended with {status}"));
    }
    if !over.stderr.trim().is_empty() {
        failure = failure.cause(over.stderr.trim().to_owned());
    }
    failure.hint("`stockade doctor` says what this host can enforce")
}
