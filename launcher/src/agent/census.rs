//! Servers that run without Stockade: found among the processes, recorded once each, stopped where the policy says so.

use std::collections::BTreeSet;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use stockade_policy::document::policy::BareServers;

use crate::clients::{self, BareServer, Count, Ledger, Looked};
use crate::host::{self, Facts};

/// `inventory.bare`: a client runs a server without Stockade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct BareEvent {
    /// Its name in a config, or what its program is called.
    pub server: String,
    /// Its process.
    pub pid: u32,
    /// The client above it.
    pub client: String,
    /// The client's process.
    pub client_pid: u32,
    /// How it is known to be one.
    pub evidence: &'static str,
    /// The first word of its command line; arguments may hold secrets.
    pub program: String,
    /// For how long it has run, in seconds.
    pub ran_s: u64,
    /// Whether its entry is wrapped by now: then the client started it before that.
    pub stale: bool,
    /// `recorded`, `stopped`, or why it could not be stopped.
    pub done: String,
}

/// What was found before.
#[derive(Debug, Default)]
pub(super) struct Census {
    known: BTreeSet<(u32, Vec<String>)>,
    looked: Looked,
}

impl Census {
    /// Looks. Says what it had not seen before, and how many sessions run under Stockade and without.
    pub(super) fn take(
        &mut self,
        ledgers: &[Ledger],
        facts: &Facts,
        policy: BareServers,
    ) -> (Vec<BareEvent>, (usize, usize)) {
        let Count { contained, bare } = clients::take_census(ledgers, facts, &mut self.looked);
        let counts = (contained, bare.len());
        let now: BTreeSet<_> = bare.iter().map(|one| (one.bare.pid, one.words.clone())).collect();
        self.known.retain(|known| now.contains(known));
        let new = bare.into_iter().filter(|one| self.known.insert((one.bare.pid, one.words.clone())));
        (new.map(|one| event(&one, policy)).collect(), counts)
    }
}

fn event(one: &BareServer, policy: BareServers) -> BareEvent {
    // Whose entry is bare would only start the same again.
    let done = if policy == BareServers::Stop && one.is_stale { stop(one) } else { "recorded".to_owned() };
    BareEvent {
        server: one.server.clone(),
        pid: one.bare.pid,
        client: one.bare.client.clone(),
        client_pid: one.bare.client_pid,
        evidence: one.evidence,
        program: one.words.first().cloned().unwrap_or_default(),
        ran_s: host::run_time_s(one.bare.pid).unwrap_or(0),
        stale: one.is_stale,
        done,
    }
}

/// Asks it to end. Its number may be another one's by now: it is looked at once more.
fn stop(one: &BareServer) -> String {
    let is_there = clients::bare(&one.words, &clients::everything()).contains(&one.bare);
    let pid = i32::try_from(one.bare.pid).ok().filter(|_| is_there);
    match pid.map(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM)) {
        Some(Ok(())) => "stopped".to_owned(),
        Some(Err(error)) => format!("it could not be stopped: {error}"),
        None => "it had ended".to_owned(),
    }
}
