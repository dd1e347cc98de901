//! Escape probes: what `stockade doctor --prove` and the test-suite try from inside a jail.
//!
//! A probe proves something only where the same deed succeeds without a jail. Whether it succeeded is judged from outside
//! wherever it can be (did the listener hear it, is the file still what it was, does the victim live), not by what the
//! jailed process says.

mod guarantee;
mod markdown;
mod proof;

#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod here;
#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod here;

pub use guarantee::{Control, Guarantee};
#[cfg(all(feature = "weaken", target_os = "linux"))]
pub use here::weakened;
pub use here::{claims, play, prove, table};
pub use markdown::{claims_text, measured_text};
pub use proof::{
    Bare, Beside, Cell, Claim, Claims, Fenced, Kind, LeftOut, Measured, Options, ProbeFacts, Proof,
    ProveError, SelfCommand, Verdict,
};
