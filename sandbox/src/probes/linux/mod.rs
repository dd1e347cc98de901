//! The probes of Linux, the stage they play on, and the parts: the conductor outside, the launcher of a jail, the player
//! in it, and its victims.

mod beside;
mod claims;
mod conductor;
mod deeds;
mod ears;
mod fence;
mod ipc;
mod judge;
mod patience;
mod player;
mod probe;
mod scene;
mod snapshot;
mod stage;
#[expect(unsafe_code, reason = "raw system calls are what the probes try")]
mod sys;
mod tiny_elf;
mod uring;
mod victim;
#[cfg(feature = "weaken")]
mod weak;

use std::ffi::OsString;

pub use claims::claims;
pub use conductor::prove;
#[cfg(feature = "weaken")]
pub use conductor::weakened;

use super::ProbeFacts;

/// Every probe there is.
#[must_use]
pub fn table() -> Vec<ProbeFacts> {
    deeds::all().map(probe::Probe::facts).collect()
}

/// Plays a part of a proof and gives the exit code. Must be called before any thread starts.
#[must_use]
pub fn play(words: &[OsString]) -> u8 {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    match words.as_slice() {
        ["bare", stage] => fence::bare(stage.as_ref()),
        ["jail", backend, network, stage] => fence::jail(backend, network, stage.as_ref()),
        ["player", stage] => player::play(stage.as_ref()),
        ["victim", _name] => victim::suffer(),
        ["linger", _mark, patience] => player::linger(patience),
        ["tool"] => victim::TOOL_EXIT,
        _ => 64,
    }
}
