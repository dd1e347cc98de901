//! Approvals of this user: kept in the state directory, which no jail opens; given by a person, seen by running sessions.

mod arguments;
mod clock;
mod decision;
mod desktop;
mod events;
mod file;
mod give;
mod pause;
mod standing;

pub(crate) use arguments::{keep as keep_arguments, read as arguments_of};
pub(crate) use clock::moment;
pub(crate) use decision::{Found, Named, find, is_refusal};
pub(crate) use desktop::{Asked, Desktop, Refused};
pub(crate) use events::{ApprovalsDistrusted, Paused};
pub(crate) use file::{Stored, StoredScope, StoredTerm, load, remaining_ms};
pub(crate) use give::{Gift, Question, SessionState, allowed, give, identities, question, revoke, switch};
pub(crate) use pause::{Pausable, Pause, pausable, pause, pause_allowed, resume};
pub(crate) use standing::Standing;
