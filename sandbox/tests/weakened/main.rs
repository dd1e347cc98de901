//! Are the probes awake? For each of these a control is taken out of the jail, and the probe has to work then.
//!
//! `cargo test -p stockade-sandbox --features weaken --test weakened`

use std::process::ExitCode;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod os;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    os::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
