//! One session as a state machine without I/O: a line in, actions out.
//!
//! `line` parses (`wire`), asks the session table (`pending`), the policy (`rules`) and the detectors (`detect`),
//! and says what the relay has to do. Every verdict is about one message: both eras of the protocol, the one with a
//! handshake and the stateless one, may be spoken in one session, so nothing waits for an `initialize`.

mod access;
mod across;
mod action;
mod announce;
mod answers;
mod asked;
mod batches;
mod calls;
mod catalogue;
mod clamp;
mod content;
mod denial;
mod edit;
mod ending;
mod failed;
mod lists;
mod mint;
mod notifications;
mod outputs;
mod passed;
mod pending;
mod pins;
mod record;
mod refused;
mod reply;
mod restore;
mod roots;
mod rounds;
mod session;
mod sightings;
mod subject;
mod tally;
mod tasks;
mod vault;
mod volume;

pub use action::{Action, Now, Peer, ServerEnd, SessionFacts, Waiting, Without};
pub use asked::Petition;
pub use failed::Failed;
pub use mint::lone_code;
pub use passed::{PassedOver, Suppressed, Weight};
pub use pending::PENDING_MAX;
pub use pins::{Others, Pins, Repinned, Standing};
pub use record::{Record, RecordKind};
pub use session::Mediator;
pub use sightings::{DEFINITION_BYTES_MAX, Said, Sighting, Sightings};
