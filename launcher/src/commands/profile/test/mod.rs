//! `stockade profile test`: servers that people run, bare and contained, asked the same.

mod order;
mod report;
mod session;
mod world;

use std::fs::{File, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cli::ProfileTestArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::packages;
use crate::state;
use crate::trials::{Row, Table};

use order::{Order, Tried};
use report::{Line, Verdict};

pub(in crate::commands) use world::trial;

/// Tries each and prints a table.
pub(super) fn test(args: &ProfileTestArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let table = Table::load(args.table.as_deref())?;
    let rows = chosen(&table, args)?;
    if !args.yes {
        consent(&rows)?;
    }
    let bench = Bench::set(&facts)?;
    let mut lines = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        say(&format!("{} of {}: {}", n + 1, rows.len(), row.name));
        let line = Line { row, verdict: bench.try_row(row, args)? };
        say(&format!("    {}", line.verdict.word()));
        lines.push(line);
    }
    let absent: Vec<_> = if args.all { table.absent.iter().collect() } else { Vec::new() };
    let report = report::Report { lines, absent, profile: args.profile.as_deref() };
    super::print(&report.print(args.print))?;
    Ok(if report.is_fine() { Exit::Ok } else { Exit::NotInOrder })
}

fn chosen<'t>(table: &'t Table, args: &ProfileTestArgs) -> Result<Vec<&'t Row>, Failure> {
    if args.all {
        return Ok(table.servers.iter().collect());
    }
    let of_name = |name: &String| {
        table.servers.iter().find(|row| row.name == *name).ok_or_else(|| {
            let absent = table.absent.iter().find(|absent| absent.name == *name);
            let why = absent.map_or("no calls are known for it".to_owned(), |absent| absent.reason.clone());
            Failure::new(Kind::Usage, format!("`{name}` cannot be tried"))
                .cause(why)
                .hint("`--table FILE` tries servers with calls of your own; docs/profiles.md shows one")
        })
    };
    args.names.iter().map(of_name).collect()
}

/// Bare means bare: that is asked about.
fn consent(rows: &[&Row]) -> Result<(), Failure> {
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    let question = format!(
        "Each of these will also be started outside of any jail, with all your rights over files, though without a way to any \
         host: {}.\nGo on? [y/N] ",
        super::super::screen::harmless(&names.join(", "))
    );
    super::super::consent::ask(
        &question,
        "what a server does contained has to be compared with what it does bare",
    )
}

/// What all trials share: state of their own, with packages that are fetched once, and pins that are not the user's.
struct Bench {
    /// Held: two of them would remove each other's files.
    _turn: File,
    state: PathBuf,
    ourselves: PathBuf,
}

impl Bench {
    fn set(facts: &Facts) -> Result<Self, Failure> {
        let state = facts.state_dir.join("trials");
        state::private_dir(&facts.state_dir)?;
        state::private_dir(&state)?;
        let turn = turn(&state.join("lock"))?;
        let ourselves = std::env::current_exe().map_err(|error| {
            Failure::new(Kind::Software, "cannot tell which program this is").because(&error)
        })?;
        Ok(Self { _turn: turn, state, ourselves })
    }

    fn try_row(&self, row: &Row, args: &ProfileTestArgs) -> Result<Verdict, Failure> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if let Some(lacking) = row.needs.iter().find(|name| crate::trials::found(name, &path).is_none()) {
            return Ok(Verdict::Skipped(format!("`{lacking}` is not installed here")));
        }
        let profile = args.profile.as_deref().unwrap_or(&row.name);
        let words: Vec<_> = row.command.iter().map(Into::into).collect();
        if packages::is_package_run(&words)? {
            let fetched = self.ours(|command| {
                command.args(["fetch", "--profile", profile, "--"]).args(&row.command);
            })?;
            if let Err(why) = fetched {
                return Ok(Verdict::NotFetched(why));
            }
        }
        let failed = |error: &io::Error| {
            Failure::new(Kind::Software, "cannot use a directory for temporary files").because(error)
        };
        let dir = tempfile::Builder::new().prefix("stk").tempdir().map_err(|error| failed(&error))?;
        let order = Order {
            row: row.clone(),
            profile: profile.to_owned(),
            backend: order::word(args.backend),
            dir: dir.path().to_owned(),
            state: self.state.clone(),
            patience_secs: args.patience,
        };
        self.forget_servers()?;
        let file = dir.path().join("order.json");
        std::fs::write(&file, serde_json::to_vec(&order).unwrap_or_default())
            .map_err(|error| failed(&error))?;
        let tried = self.ours(|command| {
            command.arg("profile-trial").arg(&file);
        })?;
        let tried = tried.and_then(|text| {
            serde_json::from_str::<Tried>(&text)
                .map_err(|error| format!("its report cannot be read: {error}"))
        });
        Ok(match tried {
            Ok(tried) => Verdict::of(row, tried),
            Err(why) => Verdict::NotTried(why),
        })
    }

    /// Private files of earlier trials: each begins as a first start does.
    fn forget_servers(&self) -> Result<(), Failure> {
        let dir = self.state.join("stockade/servers");
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::new(Kind::Software, format!("cannot remove {}", dir.display())).because(&error))
            }
            _ => Ok(()),
        }
    }

    /// Runs a verb of ours on the trials' state: what it printed, or the end of what it complained of.
    fn ours(&self, words: impl FnOnce(&mut Command)) -> Result<Result<String, String>, Failure> {
        let mut command = Command::new(&self.ourselves);
        words(&mut command);
        command.env("XDG_STATE_HOME", &self.state).stdin(Stdio::null());
        let output = command.output().map_err(|error| {
            Failure::new(Kind::Software, format!("cannot start {}", self.ourselves.display())).because(&error)
        })?;
        if output.status.success() {
            return Ok(Ok(String::from_utf8_lossy(&output.stdout).into_owned()));
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Ok(Err(if said.is_empty() { output.status.to_string() } else { said }))
    }
}

fn turn(path: &Path) -> Result<File, Failure> {
    let failed = |error: &io::Error| {
        Failure::new(Kind::Software, format!("cannot open {}", path.display())).because(error)
    };
    let file = File::create(path).map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::new(Kind::Software, "another `profile test` is running")
                .hint("wait for its end: both would use the same place"))
        }
    }
}

fn say(line: &str) {
    if io::stderr().is_terminal() {
        // Progress is nobody's loss.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// The user's own settings of the package runners, which a home directory of the trial's own would hide.
fn registry_settings(home: &Path) -> Vec<(String, std::ffi::OsString)> {
    let own = |(name, _): &(std::ffi::OsString, std::ffi::OsString)| {
        let name = name.to_string_lossy().to_ascii_lowercase();
        ["npm_config_", "pip_", "uv_"].iter().any(|prefix| name.starts_with(prefix))
    };
    let mut settings: Vec<_> = std::env::vars_os()
        .filter(own)
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .collect();
    let files = [
        ("NPM_CONFIG_USERCONFIG", home.join(".npmrc")),
        ("PIP_CONFIG_FILE", home.join(".config/pip/pip.conf")),
        ("UV_CONFIG_FILE", home.join(".config/uv/uv.toml")),
    ];
    for (name, file) in files {
        let said = settings.iter().any(|(set, _)| set.eq_ignore_ascii_case(name));
        if !said && file.is_file() {
            settings.push((name.to_owned(), file.into()));
        }
    }
    settings
}
