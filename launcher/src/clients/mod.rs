//! The AI clients whose configs name MCP servers: where those are, and how an entry is put under Stockade and taken out.

mod alter;
mod census;
mod change;
mod coverage;
mod edit;
mod entry;
mod env_names;
mod fetchers;
mod found;
mod insert;
mod journal;
mod managed;
mod own_path;
mod processes;
mod propose;
mod registry;
mod running;
#[cfg(test)]
mod samples;
mod search_path;
mod short;
mod spans;
mod store;
mod take_out;
mod variables;
mod who;

pub(crate) use alter::{add, home_of, preview, remove};
pub(crate) use census::{BareServer, Count, Looked, count as take_census};
pub(crate) use change::{FileReport, Mode, change};
pub(crate) use coverage::{Ledger, Server, Standing, ledgers};
pub(crate) use entry::Scope;
pub(crate) use env_names::{env_names, env_names_by_parent};
pub(crate) use found::find;
pub(crate) use insert::NewServer;
pub(crate) use journal::Journal;
pub(crate) use managed::{clients as managed_clients, kinds as managed_kinds, managed};
pub(crate) use own_path::own_path;
pub(crate) use processes::{client_above, marks_in};
pub(crate) use propose::{Outcome, Request, Row, Way};
pub(crate) use registry::{CLIENTS, Client, Format, Location, Os, Reach, World};
pub(crate) use running::{bare, everything};
pub(crate) use search_path::with_search_path;
pub(crate) use short::command_of;
pub(crate) use spans::quoted;
pub(crate) use variables::{Variable, put, user_files, variables};
pub(crate) use who::{against_info, against_start};
