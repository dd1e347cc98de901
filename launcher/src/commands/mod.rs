//! A file a verb. Each takes its parsed arguments and returns an exit code; nothing here decides.

mod add;
mod agent;
mod approve;
mod bisect;
mod child_client;
mod completions;
mod consent;
mod demo;
mod denied;
mod dlp;
mod doctor;
mod fetch;
mod identify;
mod init;
mod inspect;
mod jail;
mod learn;
mod log;
mod login;
mod managed;
mod pause;
mod period;
mod pins;
mod policy;
mod profile;
mod request;
mod run;
pub(crate) mod screen;
mod secrets;
mod status;
mod terminal;
mod why;
mod wrap;

use std::panic::AssertUnwindSafe;

use stockade_sandbox::Observe;

use crate::cli::Command;
use crate::error::Failure;
use crate::exit::Exit;

/// Runs one command to its end.
pub fn dispatch(command: Command) -> Exit {
    let outcome: Result<Exit, Failure> = match command {
        Command::Run(args) => return run::run(args),
        Command::Jail(args) => return jail::jail(args),
        Command::Learn(args) => return learn::learn(args),
        Command::Bisect(args) => bisect::bisect(args),
        Command::BisectSession(args) => return bisect::session(args),
        Command::Identify(args) => identify::identify(&args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Demo(args) => demo::demo(args),
        Command::DemoServer(args) => demo::server(args),
        Command::DemoSession(args) => return demo::session(args),
        Command::ProveProbe { words } => return doctor::part(&words),
        Command::Fetch(args) => fetch::fetch(args),
        Command::ProfileTrial(args) => profile::trial(&args),
        Command::FetchStep => return fetch::step(),
        Command::FetchCheck(args) => return fetch::check_alone(args),
        Command::Pins(command) => pins::pins(command),
        Command::Login(command) => login::login(&command),
        Command::Secrets(command) => secrets::secrets(&command),
        Command::KeychainStep => return crate::secrets::step(),
        Command::Log(args) => log::log(args),
        Command::Why(args) => why::why(&args),
        Command::Approve(args) => approve::approve(args),
        Command::Status(args) => status::status(&args),
        Command::Pause(args) => pause::pause(&args),
        Command::Approvals(args) => approve::approvals(&args),
        Command::Request(args) => request::request(&args),
        Command::Requests(args) => request::requests(&args),
        Command::Add(args) => add::add(&args),
        Command::Remove(args) => add::remove(&args),
        Command::Agent(command) => agent::agent(&command),
        Command::Watch => agent::watch(),
        Command::ManagedSettings(args) => managed::managed(&args),
        Command::Wrap(args) => wrap::wrap(args),
        Command::Unwrap(args) => wrap::unwrap(args),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Dlp(command) => dlp::dlp(command),
        Command::Init(args) => init::init(&args),
        Command::Policy(command) => policy::policy(command),
        Command::Profile(command) => profile::profile(command),
        Command::Completions { shell } => completions::print(shell),
    };
    outcome.unwrap_or_else(|failure| {
        failure.report();
        failure.exit()
    })
}

/// Runs what starts a server. A defect of ours must not leave one without its mediator: unwinding drops the keeper's
/// socket, which ends the tree.
fn guarded(start: impl FnOnce() -> Result<Exit, Failure>) -> Exit {
    match std::panic::catch_unwind(AssertUnwindSafe(start)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            failure.report();
            failure.run_exit()
        }
        Err(_) => Exit::RunFailed,
    }
}

/// What `--observe` asks for.
fn observe(flag: bool) -> Observe {
    if flag { Observe::Files } else { Observe::Refused }
}
