//! The table, one file a guarantee: what is tried.

mod change;
mod end;
mod environment;
mod files;
mod ipc;
mod limits;
mod metadata;
mod names;
mod native_code;
mod network;
mod privileges;
mod processes;
mod signals;
mod surface;
mod unix;

use super::probe::Probe;

/// Every probe, in the order in which they are played.
pub(super) fn all() -> impl Iterator<Item = &'static Probe> {
    [
        files::PROBES,
        names::PROBES,
        change::PROBES,
        metadata::PROBES,
        network::PROBES,
        unix::PROBES,
        processes::PROBES,
        signals::PROBES,
        ipc::PROBES,
        environment::PROBES,
        surface::PROBES,
        privileges::PROBES,
        limits::PROBES,
        end::PROBES,
        native_code::PROBES,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests;
