//! Decisions on record: events, the segment file they are appended to, and reading them back.

mod events;
mod log;
mod read;
mod segment;

pub use events::{ClientClaim, Common, SessionEnd, SessionRefused, SessionStart};
pub use log::EventLog;
pub use read::{Reader, StoredEvent};
