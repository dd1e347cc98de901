//! The parts, and which of them is played.

use std::process::ExitCode;

mod broker;
mod doors;
mod environment;
mod files;
mod gate;
mod harness;
mod hog;
mod jail;
mod kernel_surface;
mod launcher;
mod limits;
mod listening;
mod network;
mod notify;
mod probe;
mod processes;
mod race;
mod refusals;
mod sockets;
mod start_cost;
mod suite;
mod supervised;
#[expect(unsafe_code, reason = "raw system calls are what the probes try")]
mod sys;
mod tree;
mod view;

/// By the first word of the command line.
pub(crate) fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((role, rest)) if role == "__jail" => launcher::run(rest),
        Some((role, rest)) if role == "__probe" => probe::run(rest),
        Some((role, rest)) if role == "__prove" => suite::part(rest),
        Some((role, _)) if role == "__host" => launcher::host(),
        Some((role, rest)) if role == "__careless" => race::careless(rest),
        _ => harness::run(&words),
    }
}
