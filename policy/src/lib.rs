//! The judge: bytes of an MCP message in, a verdict out.
//!
//! This crate knows no operating system, clock, file or thread: the time is an input, work is bounded by counts,
//! and everything it decides can be checked by a table test.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)] // not in the workspace table: in a binary every `pub` is unreachable

pub mod approvals;
pub mod detect;
pub mod document;
pub mod egress;
pub mod mediator;
pub mod redact;
pub mod rules;
pub mod uri;
pub mod verdict;
pub mod wire;
