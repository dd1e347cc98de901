//! A server's own logins (tokens that it keeps in the user's home directory), which its private home hides. Nothing of them
//! is given by itself: a start tells once what there is, and a person at a terminal decides (`stockade login`).

mod events;
mod given;
mod goal;
mod place;
mod record;
mod tree;
mod verbs;

pub use given::{Given, Who, apply};
pub(crate) use goal::Standing;
pub(crate) use place::{State, shown, source};
pub(crate) use record::Way;
pub(crate) use tree::{Survey, age};
pub(crate) use verbs::{Offer, Subject, subject, subjects};
