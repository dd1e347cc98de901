//! Which part of Stockade breaks a server: the same call bare, and with one layer after the other added. PURE but for the
//! attempts themselves, which are made by whoever asks.

mod layer;
mod minimal;
mod search;

pub use layer::Layer;
pub use search::{Attempt, Candidate, Candidates, Finding, Limit, Outcome, Report, Stand, Tries, search};
