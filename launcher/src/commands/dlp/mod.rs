//! `stockade dlp …`: the detectors, by hand.

mod detectors;
mod fingerprint;
mod lines;
mod report;
mod scan;
mod suppressed;

use std::io::Write;
use std::path::Path;

use stockade_policy::detect::{Confidence, Engine, HashKey};
use stockade_policy::rules::Policy;

use crate::cli::DlpCommand;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::{policies, state};

/// Carries out one of them.
pub(super) fn dlp(command: DlpCommand) -> Result<Exit, Failure> {
    match command {
        DlpCommand::Scan(args) if args.jsonl => lines::scan(&args),
        DlpCommand::Scan(args) => scan::scan(&args),
        DlpCommand::Report(args) => report::report(&args),
        DlpCommand::Fingerprint(args) => fingerprint::fingerprint(&args),
        DlpCommand::Detectors { pattern, json } => detectors::list(pattern.as_deref(), json),
    }
}

/// The detectors that a session would have: the built-in ones, and the keyword lists, tables and canaries of the policy in
/// force. With that policy.
fn engine(policy: Option<&Path>) -> Result<(Engine, Policy), Failure> {
    let facts = Facts::gather()?;
    let policy = policies::load(&facts, policy)?;
    let key = match state::open(&facts.state_dir) {
        Ok(key) => key,
        Err(failure) => {
            // Looking for something has to be possible where nothing can be written.
            let why = failure.what;
            eprintln!("note: {why}: the hashes are of this run alone, and match nothing on record");
            let (one, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
            let mut key = [0; 32];
            key[..16].copy_from_slice(one.as_bytes());
            key[16..].copy_from_slice(other.as_bytes());
            key
        }
    };
    let custom = policies::Custom::load(&policy, facts.uid)?;
    let engine = Engine::with_custom(&custom.data, HashKey(key)).map_err(|error| {
        Failure::new(Kind::Config, "the keyword lists and canaries of the policy cannot be used")
            .because(&error)
            .hint("make them smaller")
    })?;
    Ok((engine, policy))
}

fn word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))
}
