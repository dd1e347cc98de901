//! One trial, in a process and an enclosed network of its own.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::order::{Canaries, Order, Tried};
use super::session::play;
use crate::cli::{JailArgs, ProfileTrialArgs};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::packages::{self, When};
use crate::policies;
use crate::trials::{Side, Stage, canaries, differences};

/// Plays both sides and prints what came, as JSON.
pub(in crate::commands) fn trial(args: &ProfileTrialArgs) -> Result<Exit, Failure> {
    let order = host::read_text(&args.order)?;
    let order: Order = serde_json::from_str(&order)
        .map_err(|error| Failure::new(Kind::Usage, "this is no order for a trial").because(&error))?;
    let facts = Facts::gather()?;
    let path = facts.var("PATH").cloned().unwrap_or_default();
    let stage = Stage::set(&order.row, &order.dir, &path)?;
    let scene = Scene { order: &order, facts: &facts, stage: &stage, program: program(&order, &facts)? };
    for side in [Side::Bare, Side::Contained] {
        stage.furnish(side)?;
    }
    // Before any thread, and before anything of the server's runs.
    let inside = || match scene.play_all().and_then(|tried| print(&tried)) {
        Ok(exit) => exit.code(),
        Err(failure) => {
            failure.report();
            failure.exit().code()
        }
    };
    let code = stockade_sandbox::in_enclosed_network(&stage.shown(), inside).map_err(|error| {
        Failure::new(Kind::Software, "cannot make an enclosed network for the trial")
            .because(&error)
            .hint("it needs user namespaces: `stockade doctor` says whether this host allows them")
    })?;
    Ok(if code == 0 { Exit::Ok } else { Exit::Server(code) })
}

fn print(tried: &Tried) -> Result<Exit, Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Failure::new(Kind::Software, "cannot write the report").because(error)
    };
    let text = serde_json::to_string(tried).map_err(|error| failed(&error))?;
    let mut stdout = std::io::stdout();
    // Flushed here: the process ends without ceremony.
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| failed(&error))?;
    Ok(Exit::Ok)
}

/// What the commands of a trial are made of.
struct Scene<'t> {
    order: &'t Order,
    facts: &'t Facts,
    stage: &'t Stage<'t>,
    program: Program,
}

/// The server's own program out of the fetched tree, as its runner would start it.
struct Program {
    words: Vec<OsString>,
    path: OsString,
}

fn program(order: &Order, facts: &Facts) -> Result<Program, Failure> {
    let words: Vec<OsString> = order.row.command.iter().map(OsString::from).collect();
    let policy = policies::load(facts, None)?;
    let found = packages::stand_in(&words, &JailArgs::default(), (&policy, facts), When::Never)?;
    let (words, path) = match found {
        Some(found) => (found.command, found.facts.var("PATH").cloned()),
        None => (words, facts.var("PATH").cloned()),
    };
    if words.is_empty() {
        return Err(Failure::new(Kind::Config, format!("`{}` has no command", order.row.name)));
    }
    Ok(Program { words, path: path.unwrap_or_default() })
}

impl Scene<'_> {
    fn play_all(&self) -> Result<Tried, Failure> {
        let (row, stage) = (&self.order.row, self.stage);
        stage.answer()?;
        let patience = Duration::from_secs(self.order.patience_secs);
        let bare = play(self.bare(), row, (stage, Side::Bare), patience)?;
        if !differences(row, &bare, None).is_empty() {
            let canaries = Canaries::NotTried("the server does not work bare".to_owned());
            return Ok(Tried { bare, contained: None, canaries });
        }
        let contained = play(self.contained()?, row, (stage, Side::Contained), patience)?;
        Ok(Tried { bare, contained: Some(contained), canaries: self.canaries()? })
    }

    fn bare(&self) -> Command {
        let mut command = self.bare_command(&self.program.words[0]);
        command.args(&self.program.words[1..]).args(self.arguments(Side::Bare));
        command
    }

    fn bare_command(&self, program: &OsString) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.stage.env(Side::Bare, &self.program.path));
        command.current_dir(self.stage.cwd(Side::Bare));
        command
    }

    /// The same as a client's config has it after `wrap`.
    fn contained(&self) -> Result<Command, Failure> {
        let mut command = self.ours("run")?;
        command.arg("--").args(&self.order.row.command).args(self.arguments(Side::Contained));
        Ok(command)
    }

    /// A verb of ours, on this profile and backend, with the environment that a client would give it.
    fn ours(&self, verb: &str) -> Result<Command, Failure> {
        let ourselves = std::env::current_exe().map_err(|error| {
            Failure::new(Kind::Software, "cannot tell which program this is").because(&error)
        })?;
        let Self { order, facts, stage, .. } = self;
        let mut env = stage.env(Side::Contained, &facts.var("PATH").cloned().unwrap_or_default());
        let settings = super::registry_settings(&facts.home);
        env.extend(settings.into_iter().map(|(name, value)| (name.into(), value)));
        // The user's own profiles.
        if let Some(config) = facts.config_dir.parent() {
            env.insert("XDG_CONFIG_HOME".into(), config.into());
        }
        env.insert("XDG_STATE_HOME".into(), order.state.clone().into());
        let entry = stage.entry_env();
        env.extend(entry.iter().map(|(name, value)| (name.into(), value.into())));
        let mut command = Command::new(ourselves);
        command.args([verb, "--profile", &order.profile, "--backend", &order.backend]);
        command.args(entry.iter().flat_map(|(name, _)| ["--env", name]));
        command.env_clear().envs(env).current_dir(stage.cwd(Side::Contained));
        Ok(command)
    }

    fn arguments(&self, side: Side) -> Vec<String> {
        self.order.row.arguments.iter().map(|argument| self.stage.text(argument, side)).collect()
    }

    /// What a program of the server's language gets in the server's jail of what no profile gives away.
    fn canaries(&self) -> Result<Canaries, Failure> {
        let interpreter = &self.program.words[0];
        let words =
            |side| canaries::words(interpreter.as_ref(), &self.stage.home(side), &self.stage.cwd(side));
        let (Some(for_bare), Some(for_jail)) = (words(Side::Bare), words(Side::Contained)) else {
            return Ok(Canaries::NotTried("the server is no script that Python or Node.js runs".to_owned()));
        };
        canaries::listen()?;
        let mut bare = self.bare_command(interpreter);
        let control = printed(bare.args(for_bare))?;
        if canaries::got(&control.0) != Some(canaries::all()) {
            let why = format!("bare the program got only: {} {}", control.0.replace('\n', " "), control.1);
            return Ok(Canaries::NotTried(why));
        }
        let mut jailed = self.ours("jail")?;
        let (stdout, stderr) = printed(jailed.arg("--").arg(interpreter).args(for_jail))?;
        Ok(match canaries::got(&stdout) {
            Some(got) => Canaries::Got(got),
            None => Canaries::NotTried(format!("the program did not run in the jail: {}", stderr.trim())),
        })
    }
}

/// What a command printed to stdout and stderr.
fn printed(command: &mut Command) -> Result<(String, String), Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        Failure::new(Kind::Software, "cannot start a program of the trial").because(&error)
    })?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((text(output.stdout), text(output.stderr)))
}
