//! One trial, in a process and an enclosed network of its own.

use std::ffi::OsString;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use super::order::{Order, Tried};
use super::session::play;
use crate::cli::{JailArgs, ProfileTrialArgs};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::packages::{self, When};
use crate::policies;
use crate::trials::{Side, Stage, differences};

/// Plays both sides and prints what came, as JSON.
pub(in crate::commands) fn trial(args: &ProfileTrialArgs) -> Result<Exit, Failure> {
    let order = host::read_text(&args.order)?;
    let order: Order = serde_json::from_str(&order)
        .map_err(|error| Failure::new(Kind::Usage, "this is no order for a trial").because(&error))?;
    let tried = tried(&order)?;
    let text = serde_json::to_string(&tried)
        .map_err(|error| Failure::new(Kind::Software, "cannot write the report").because(&error))?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the report").because(&error))?;
    Ok(Exit::Ok)
}

fn tried(order: &Order) -> Result<Tried, Failure> {
    let row = &order.row;
    let facts = Facts::gather()?;
    let path = facts.var("PATH").cloned().unwrap_or_default();
    let stage = Stage::set(row, &order.dir, &path)?;
    let bare = bare(order, &facts, &stage)?;
    for side in [Side::Bare, Side::Contained] {
        stage.furnish(side)?;
    }
    // Before any thread, and before anything of the server's runs.
    stockade_sandbox::enter_enclosed_network(&stage.shown()).map_err(|error| {
        Failure::new(Kind::Software, "cannot make an enclosed network for the trial")
            .because(&error)
            .hint("it needs user namespaces: `stockade doctor` says whether this host allows them")
    })?;
    stage.answer()?;
    let patience = Duration::from_secs(order.patience_secs);
    let bare = play(bare, row, (&stage, Side::Bare), patience)?;
    if !differences(row, &bare, None).is_empty() {
        return Ok(Tried { bare, contained: None });
    }
    let contained = contained(order, &facts, &stage)?;
    let contained = play(contained, row, (&stage, Side::Contained), patience)?;
    Ok(Tried { bare, contained: Some(contained) })
}

/// The server's own program out of the fetched tree, as its runner would start it.
fn bare(order: &Order, facts: &Facts, stage: &Stage<'_>) -> Result<Command, Failure> {
    let words: Vec<OsString> = order.row.command.iter().map(OsString::from).collect();
    let policy = policies::load(facts, None)?;
    let found = packages::stand_in(&words, &JailArgs::default(), (&policy, facts), When::Never)?;
    let (mut words, path) = match found {
        Some(found) => (found.command, found.facts.var("PATH").cloned()),
        None => (words, None),
    };
    let path = path.or_else(|| facts.var("PATH").cloned()).unwrap_or_default();
    words.extend(arguments(order, stage, Side::Bare).into_iter().map(OsString::from));
    let Some((program, rest)) = words.split_first() else {
        return Err(Failure::new(Kind::Config, format!("`{}` has no command", order.row.name)));
    };
    let mut command = Command::new(program);
    command.args(rest).env_clear().envs(stage.env(Side::Bare, &path)).current_dir(stage.cwd(Side::Bare));
    Ok(command)
}

/// The same as a client's config has it after `wrap`.
fn contained(order: &Order, facts: &Facts, stage: &Stage<'_>) -> Result<Command, Failure> {
    let ourselves = std::env::current_exe()
        .map_err(|error| Failure::new(Kind::Software, "cannot tell which program this is").because(&error))?;
    let path = facts.var("PATH").cloned().unwrap_or_default();
    let mut command = Command::new(ourselves);
    command.args(["run", "--profile", &order.profile, "--backend", &order.backend]);
    for (name, _) in stage.entry_env() {
        command.arg("--env").arg(name);
    }
    command.arg("--").args(&order.row.command).args(arguments(order, stage, Side::Contained));
    let mut env = stage.env(Side::Contained, &path);
    env.extend(super::registry_settings(&facts.home).into_iter().map(|(name, value)| (name.into(), value)));
    // The user's own profiles.
    if let Some(config) = facts.config_dir.parent() {
        env.insert("XDG_CONFIG_HOME".into(), config.into());
    }
    env.insert("XDG_STATE_HOME".into(), order.state.clone().into());
    env.extend(stage.entry_env().into_iter().map(|(name, value)| (name.into(), value.into())));
    command.env_clear().envs(env).current_dir(stage.cwd(Side::Contained));
    Ok(command)
}

fn arguments(order: &Order, stage: &Stage<'_>, side: Side) -> Vec<String> {
    order.row.arguments.iter().map(|argument| stage.text(argument, side)).collect()
}
