//! `stockade dlp report`: what was found in messages, what that stopped or would have stopped, and how to suppress it. Read
//! from the events, which hold no value.

mod paste;
mod tally;
mod text;

use std::io::Write;

use serde_json::json;

use crate::cli::DlpReportArgs;
use crate::commands::log;
use crate::commands::period::{since, time};
use crate::commands::policy::suppressions::{Idle, idle};
use crate::commands::screen::Screen;
use crate::error::Failure;
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::policies;
use crate::telemetry::Reader;

use tally::{Found, Interruptions, Tally};

/// Reads the events and prints what they come to.
pub(super) fn report(args: &DlpReportArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let (from, now) = (since(&args.since)?, host::now());
    let mut reader = Reader::new(&facts.state_dir);
    let events = reader.poll().map_err(|error| log::unreadable(&facts, &error))?;
    let mut tally = Tally::new(from, now);
    for event in events.iter().filter(|event| log::is_of(event, args.server.as_deref())) {
        if let Some(at) = time(event).filter(|at| *at >= from) {
            tally.add(event, at);
        }
    }
    let idle = idle_now(&facts);
    if args.json {
        super::print(&format!("{:#}\n", as_json(&tally, (&idle, reader.damaged()), args)))?;
    } else {
        let place = facts.state_dir.join("events").display().to_string();
        let about = text::About { since: &args.since, server: args.server.as_deref(), place: &place };
        super::print(&text::text(&tally, &idle, &about, Screen::of_stdout()))?;
        if reader.damaged() > 0 {
            let _ = writeln!(
                std::io::stderr(),
                "warning: {} damaged records were left out; what they held is missing here",
                reader.damaged()
            );
        }
    }
    Ok(Exit::Ok)
}

/// Suppressions of the policy in force that have no effect. A policy that cannot be read is no reason to show nothing.
fn idle_now(facts: &Facts) -> Vec<Idle> {
    let Some(now) = policies::unix_now() else { return Vec::new() };
    match policies::load(facts, None) {
        Ok(policy) => idle(&policy, now),
        Err(failure) => {
            let why = failure.what;
            let _ = writeln!(std::io::stderr(), "note: {why}: which suppressions have ended cannot be told");
            Vec::new()
        }
    }
}

fn as_json(tally: &Tally, (idle, damaged): (&[Idle], u64), args: &DlpReportArgs) -> serde_json::Value {
    let interruptions = |one: Interruptions| {
        let (per_day, per_30_days) = tally.rates(one);
        json!({ "blocked": one.blocked, "redacted": one.redacted, "per_day": per_day, "per_30_days": per_30_days })
    };
    let rows = tally.rows();
    let pastes = paste::all(&rows, tally.now);
    let found = rows.iter().zip(pastes).map(|(found, paste)| found_json(found, &paste));
    json!({
        "since": args.since,
        "days": tally.days(),
        "messages": tally.messages,
        "servers": tally.servers.len(),
        "findings": tally.findings,
        "messages_with_findings": tally.messages_with_findings,
        "findings_per_1000_messages": tally.per_1000(),
        "interruptions": interruptions(tally.interrupted),
        "would_have": interruptions(tally.would_have),
        "passed_as_own": tally.own,
        "suppressed": tally.suppressed,
        "found": found.collect::<Vec<_>>(),
        "suppressions_without_effect": idle
            .iter()
            .map(|one| json!({ "file": one.file, "line": one.line, "why": one.why }))
            .collect::<Vec<_>>(),
        "damaged_records": damaged,
    })
}

fn found_json(found: &Found, paste: &str) -> serde_json::Value {
    let samples = found.samples().map(|(hash, sample)| {
        json!({ "hash": hash, "length": sample.length(), "times": sample.times, "at": sample.at })
    });
    json!({
        "detector": found.detector, "server": found.server, "identity": found.identity,
        "confidence": found.confidence, "findings": found.findings, "values": found.values(),
        "messages": found.messages, "blocked": found.blocked, "redacted": found.redacted, "recorded": found.recorded,
        "would_block": found.would_block, "would_redact": found.would_redact,
        "samples": samples.collect::<Vec<_>>(), "suppress": paste,
    })
}
