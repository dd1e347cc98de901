//! The fence: a [`Ruleset`] in, a confined child and an honest [`Enforcement`] out.
//!
//! This crate knows no MCP, no JSON-RPC and no DLP. All `unsafe` of the project stands in its `sys` modules.

#![warn(unreachable_pub)] // not in the workspace table: in a binary every `pub` is unreachable

mod attempts;
mod enforcement;
mod error;
mod gate;
mod host_report;
mod jailed;
pub mod probes;
mod ruleset;
#[cfg(target_os = "linux")]
mod weaken;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
#[path = "unsupported.rs"]
mod os;

#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
#[cfg(windows)]
use std::os::windows::io::{BorrowedHandle as BorrowedFd, OwnedHandle as OwnedFd};

pub use attempts::{Attempt, Attempted, BackendFailure, Knowledge};
pub use enforcement::{Backend, Degree, Enforcement};
pub use error::SpawnError;
pub use gate::{ClosedGate, Denial, Denied, Gatekeeper, Opened, Program, Way, Wish};
pub use host_report::HostReport;
pub use jailed::{
    End, Inward, InwardFamily, Jailed, KeeperHandle, KeeperMessage, OpenDoors, Supervisor, TreeLimit,
};
pub use os::{in_enclosed_network, limit_retained_memory, probe, spawn, spawn_knowing};
pub use ruleset::{
    Access, BackendChoice, Closed, ClosedPlace, Command, Doors, Files, Limits, Need, Network, Observe,
    PathRule, Required, Ruleset, TreeEnd, UnixReach, UnixRule,
};
