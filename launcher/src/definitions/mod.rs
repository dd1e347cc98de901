//! Definitions of tools that outlive a session: what a server said of them when somebody last agreed to it, and what it says
//! now. Kept per server, whatever client starts it, in the state directory, which no jail opens. See docs/pins.md.

mod apply;
mod diff;
mod events;
mod export;
mod pin;
mod session;
mod store;
mod verbs;

pub(crate) use diff::{Field, Line, fields};
pub(crate) use events::{DefinitionsPinned, DefinitionsUnkept};
pub(crate) use export::export;
pub(crate) use pin::{Entry, ServerPins, State};
pub(crate) use session::Definitions;
pub(crate) use verbs::{Found, Pending, Person, approve, find, forget, list, pending, state};
