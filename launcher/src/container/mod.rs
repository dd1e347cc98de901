//! Servers that come as container images. The container is their jail, made by an engine that only the launcher talks to:
//! its command line is judged word by word before anything is started.

pub mod engine;
mod holds;
pub mod judge;
mod start;

pub use holds::{carrier, enforcement};
pub use start::{Contained, Guard, asked, contain, trusted};
