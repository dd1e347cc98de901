//! Attempts: the server bare, or in a session of ours with some of its layers.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;

use super::call::Call;
use crate::bisect::{Attempt, Candidate, Candidates, Layer, Limit, Outcome, Stand, Tries};
use crate::cli::{BackendArg, JailArgs};
use crate::commands::denied;
use crate::denials::{Entry, Remedy};
use crate::error::{Failure, Kind};
use crate::host::{Facts, FileTree};
use crate::plan::ClosedPlaces;

/// Each limit, far above what servers need.
const LIMITS: [Limit; 5] = [
    Limit { key: "processes", far: "4096" },
    Limit { key: "open_files", far: "65536" },
    Limit { key: "file_size", far: "\"64GiB\"" },
    Limit { key: "memory", far: "\"64GiB\"" },
    Limit { key: "cpu_seconds", far: "86400" },
];

/// Variables whose passing is no remedy: a profile sets them for the jail's own sake, or they steer the loader.
const NEVER: [&str; 8] =
    ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "_", "PWD"];

/// Makes the attempts.
#[derive(Debug)]
pub(super) struct Trials {
    facts: Facts,
    closed: ClosedPlaces,
    id: Option<String>,
    command: Vec<OsString>,
    env: Vec<(String, String)>,
    jail: JailArgs,
    call: Call,
    patience: Duration,
    ourselves: PathBuf,
    /// Where an attempt tells about itself.
    told: tempfile::TempDir,
    /// What the last attempt told.
    last: Option<Told>,
}

#[derive(Clone, Debug)]
struct Told {
    session: String,
    profile: String,
    env: BTreeSet<String>,
}

impl Trials {
    /// Attempts with this server (its entry, command and variables) and this call.
    pub(super) fn new(
        facts: Facts,
        (id, command, env): (Option<String>, Vec<OsString>, Vec<(String, String)>),
        jail: JailArgs,
        (call, patience): (Call, Duration),
    ) -> Result<Self, Failure> {
        let failed = |what: &str, error: &std::io::Error| Failure::new(Kind::Software, what).because(error);
        let ourselves =
            std::env::current_exe().map_err(|error| failed("cannot tell which program this is", &error))?;
        let told = tempfile::tempdir().map_err(|error| failed("cannot make a directory", &error))?;
        let closed = ClosedPlaces::of(&facts, &FileTree);
        Ok(Self { facts, closed, id, command, env, jail, call, patience, ourselves, told, last: None })
    }

    /// The profile in force.
    pub(super) fn profile(&self) -> &str {
        self.last.as_ref().map_or("default", |told| told.profile.as_str())
    }

    fn bare(&self) -> Command {
        let mut command = Command::new(self.command.first().map(OsString::as_os_str).unwrap_or_default());
        command.args(self.command.iter().skip(1)).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn contained(&self, layer: Layer, fragment: &str, backend: BackendArg) -> Command {
        let mut command = Command::new(&self.ourselves);
        command.arg("bisect-session").arg("--told").arg(self.told_path());
        if let Some(word) = layer.to_possible_value() {
            command.args(["--layer", word.get_name()]);
        }
        if !fragment.is_empty() {
            command.arg(format!("--lines={fragment}"));
        }
        if let Some(id) = &self.id {
            command.args(["--id", id]);
        }
        for (flag, values) in
            [("--grant-read", &self.jail.grant_read), ("--grant-write", &self.jail.grant_write)]
        {
            for value in values {
                command.arg(flag).arg(value);
            }
        }
        for pair in &self.jail.grant_net {
            command.args(["--grant-net", pair]);
        }
        for variable in &self.jail.env {
            command.arg("--env").arg(variable);
        }
        if let Some(profile) = &self.jail.profile {
            command.args(["--profile", profile]);
        }
        if let Some(policy) = &self.jail.policy {
            command.arg("--policy").arg(policy);
        }
        if let Some(word) = backend.to_possible_value() {
            command.args(["--backend", word.get_name()]);
        }
        command.arg("--").args(&self.command).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn contained_attempt(
        &mut self,
        layer: Layer,
        fragment: &str,
        backend: BackendArg,
    ) -> Result<Attempt, Failure> {
        // What an earlier attempt told must not be taken for this one's.
        let _ = std::fs::remove_file(self.told_path());
        let outcome = self.call.make(self.contained(layer, fragment, backend), self.patience)?;
        let Some(told) = self.read_told() else {
            // It did not get as far as a session: stderr, which the outcome holds, says why.
            return Ok(Attempt { outcome, refused: Candidates::default(), ungrantable: Vec::new() });
        };
        let (refused, ungrantable) = self.refused(&told.session)?;
        self.last = Some(told);
        Ok(Attempt { outcome, refused, ungrantable })
    }

    fn told_path(&self) -> PathBuf {
        self.told.path().join("told")
    }

    fn read_told(&self) -> Option<Told> {
        let value: Value = serde_json::from_slice(&std::fs::read(self.told_path()).ok()?).ok()?;
        let env =
            value["env"].as_array()?.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        Some(Told {
            session: value["session"].as_str()?.to_owned(),
            profile: value["profile"].as_str()?.to_owned(),
            env,
        })
    }

    /// What the session refused: what grants would allow it, and what none does.
    fn refused(&self, session: &str) -> Result<(Candidates, Vec<String>), Failure> {
        let entries = denied::of_session(&self.facts, session, &self.closed)?;
        let mut ungrantable = Vec::new();
        let mut candidates = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.is_noise()) {
            match candidate(entry, &self.closed) {
                Some(candidate) => candidates.push(candidate),
                None => {
                    if let Remedy::None(instead) = &entry.remedy {
                        ungrantable.push(format!("{}: {instead}", entry.tried.words()));
                    }
                }
            }
        }
        Ok((Candidates(candidates), ungrantable))
    }
}

impl Tries for Trials {
    type Error = Failure;

    fn attempt(&mut self, stand: &Stand) -> Result<Attempt, Failure> {
        let (layer, fragment) = match stand {
            Stand::Bare => {
                let outcome = self.call.make(self.bare(), self.patience)?;
                return Ok(Attempt { outcome, refused: Candidates::default(), ungrantable: Vec::new() });
            }
            Stand::Contained { layer, fragment } => (*layer, fragment),
        };
        let attempt = self.contained_attempt(layer, fragment, self.jail.backend)?;
        let blind = attempt.refused.0.is_empty() && attempt.ungrantable.is_empty();
        let may_be_unseen = matches!(layer, Layer::Network | Layer::Files);
        if matches!(attempt.outcome, Outcome::Answer(_)) || !blind || !may_be_unseen {
            return Ok(attempt);
        }
        // In `namespaces` the kernel itself refuses a port that nobody was granted, and what is not in the view is not
        // there: nobody is told. The supervisor of `notify` is.
        if self.jail.backend != BackendArg::Auto {
            return Ok(attempt);
        }
        let seen = self.contained_attempt(layer, fragment, BackendArg::Notify)?;
        Ok(Attempt { outcome: attempt.outcome, ..seen })
    }

    fn more_candidates(&self, layer: Layer) -> Vec<Candidate> {
        match layer {
            Layer::Limits => LIMITS
                .iter()
                .map(|limit| Candidate {
                    table: "limits".to_owned(),
                    key: limit.key.to_owned(),
                    item: limit.far.to_owned(),
                    is_list: false,
                })
                .collect(),
            Layer::Environment => {
                let passed = self.last.as_ref().map(|told| &told.env);
                let names = self.facts.env.keys().filter_map(|name| name.to_str());
                let missing = names.filter(|name| {
                    !NEVER.contains(name)
                        && !name.starts_with("LD_")
                        && passed.is_none_or(|passed| !passed.contains(*name))
                        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                });
                missing
                    .map(|name| Candidate {
                        table: "env".to_owned(),
                        key: "pass".to_owned(),
                        item: format!("\"{name}\""),
                        is_list: true,
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A denial's grant as one line of a profile.
fn candidate(entry: &Entry, closed: &ClosedPlaces) -> Option<Candidate> {
    let Remedy::Grant(grant) = &entry.remedy else { return None };
    let fragment = grant.fragment(entry.program.as_deref(), closed);
    let (table, rest) = fragment.trim().strip_prefix('[')?.split_once(']')?;
    let (key, value) = rest.trim().split_once('=')?;
    let value = value.trim();
    let item = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
    Some(Candidate {
        table: table.to_owned(),
        key: key.trim().to_owned(),
        item: item.unwrap_or(value).trim().trim_end_matches(',').to_owned(),
        is_list: item.is_some(),
    })
}
