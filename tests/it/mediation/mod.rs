//! What happens to messages, end to end: real servers, real client SDKs, scripted servers for the rest.

mod denials;
mod round_trips;
mod spine;
