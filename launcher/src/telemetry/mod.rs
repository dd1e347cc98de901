//! Decisions on record: events, the segment file they are appended to, and reading them back.

mod alone;
mod events;
mod log;
mod read;
mod segment;

pub use alone::{About, write_alone};
pub use events::{
    AskedMarks, ClientClaim, Common, Denied, DeniedLost, JailEnd, OutputLimited, PolicyBroken, PolicyChanged,
    SessionEnd, SessionRefused, SessionStart, StartAsked, layers,
};
pub use events::{
    BrowserPage, CallLine, CallsInFlight, NetConnect, NetDnsFailed, NetFirstSeen, NetInbound, NetRefused,
    NetSummary, NetworkEvent,
};
pub use log::{EventLog, Stopped};
pub use read::{Reader, StoredEvent};
