//! `stockade`: starts MCP servers in a jail, mediates every message, records every decision.
#![forbid(unsafe_code)]

mod agent;
mod approvals;
mod backend_memory;
mod bisect;
mod cli;
mod clients;
mod commands;
mod container;
mod definitions;
mod denials;
mod egress;
mod error;
mod exit;
mod host;
mod identity;
mod launch;
mod learn;
mod logins;
mod packages;
mod plan;
mod policies;
mod profiles;
mod relay;
mod requests;
mod secrets;
mod state;
mod telemetry;
mod trials;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(code) => return code.into(),
    };
    commands::dispatch(command).into()
}
