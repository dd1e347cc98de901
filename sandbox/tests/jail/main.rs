//! Real jails, one file a guarantee, tried from inside and compared with the same probe outside: a probe that fails
//! outside too proves nothing.
//!
//! This binary plays every part. `__jail` is a launcher of one thread that starts a server, `__probe` is the program in
//! the jail (or outside of it), `__host` says what this host can enforce, and anything else runs the tests: each for
//! both backends, and if we are root once more as an ordinary user.

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
