//! `stockade agent` and `stockade watch`.

use std::io::Write;
use std::process::{Command, Stdio};

use super::approve::print;
use super::screen::harmless;
use crate::agent::{self, service};
use crate::cli::{AgentCommand, AgentInstallArgs, OsArg};
use crate::clients::{self, Os};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};

/// One of its verbs.
pub(super) fn agent(command: &AgentCommand) -> Result<Exit, Failure> {
    match command {
        AgentCommand::Run => run(false),
        AgentCommand::Install(args) => install(args),
        AgentCommand::Uninstall => uninstall(),
        AgentCommand::Status => status(),
    }
}

/// In the foreground, for a person.
pub(super) fn watch() -> Result<Exit, Failure> {
    run(true)
}

fn run(with_time: bool) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let launcher = clients::own_path(&facts)?;
    let mut say = |line: &str| {
        let time = if with_time { format!("{:.0} ", host::now()) } else { String::new() };
        // Whoever closed it does not want to know.
        let _ = writeln!(std::io::stdout().lock(), "{time}{}", harmless(line));
    };
    agent::run(&facts, launcher, &mut say)?;
    Ok(Exit::Ok)
}

fn install(args: &AgentInstallArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let os = match args.os {
        None => Os::current(),
        Some(OsArg::Linux) => Os::Linux,
        Some(OsArg::Macos) => Os::Mac,
        Some(OsArg::Windows) => Os::Windows,
    };
    let program = clients::own_path(&facts)?;
    let (path, text) = service::definition(os, &program, &facts);
    if args.print {
        return print(&text);
    }
    let failed = |error: &std::io::Error| {
        Failure::new(Kind::Permission, format!("cannot write {}", path.display()))
            .because(error)
            .hint("`stockade agent install --print` prints it, to be put in place by hand")
    };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|error| failed(&error))?;
    }
    std::fs::write(&path, text).map_err(|error| failed(&error))?;
    print(&format!("written: {}\n", path.display()))?;
    let line = service::start_line(os, &path);
    if os == Os::Linux && systemctl(&["daemon-reload"]) && systemctl(&["enable", "--now", service::UNIT]) {
        return print("started, and with every login from now on\n");
    }
    Err(Failure::new(Kind::Config, "the agent is installed and was not started")
        .cause("the manager of this user's services cannot be reached from here")
        .hint(format!("in a session of that user: {line}"))
        .hint("or run it by hand: stockade watch"))
}

fn uninstall() -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let os = Os::current();
    let (path, _) = service::definition(os, "", &facts);
    if os == Os::Linux {
        systemctl(&["disable", "--now", service::UNIT]);
    }
    match std::fs::remove_file(&path) {
        Ok(()) => print(&format!("removed: {}\n", path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => print("it was not installed\n")?,
        Err(error) => {
            return Err(
                Failure::new(Kind::Permission, format!("cannot remove {}", path.display())).because(&error)
            );
        }
    };
    if os == Os::Linux {
        systemctl(&["daemon-reload"]);
    }
    match agent::running(&facts) {
        None => Ok(Exit::Ok),
        Some(pid) => Err(Failure::new(Kind::Config, format!("an agent still runs (pid {pid})"))
            .cause("it was started by hand, or its manager cannot be reached from here")
            .hint(format!("kill {pid}"))),
    }
}

fn status() -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let (path, _) = service::definition(Os::current(), "", &facts);
    let installed = match path.exists() {
        true => format!("installed: {}", path.display()),
        false => "not installed: `stockade agent install` starts it with every login".to_owned(),
    };
    let pid = agent::running(&facts);
    let running = match pid {
        Some(pid) => format!("running: pid {pid}, for {} s", host::run_time_s(pid).unwrap_or(0)),
        None => "not running: new servers stay bare until somebody calls `stockade wrap`".to_owned(),
    };
    print(&format!("{installed}\n{running}\n"))?;
    Ok(if pid.is_some() { Exit::Ok } else { Exit::NotInOrder })
}

/// The user's own systemd, if it answers.
fn systemctl(args: &[&str]) -> bool {
    let command = Command::new("/usr/bin/systemctl").arg("--user").args(args).stdin(Stdio::null()).output();
    command.is_ok_and(|output| output.status.success())
}
