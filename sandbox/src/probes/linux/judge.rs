//! From what was said inside and what is seen outside to a verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::probe::{Probe, Said, Witness};
use super::stage::Stage;
use crate::probes::{Claim, Guarantee, Verdict};

/// What was heard of a session.
#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) said: BTreeMap<&'static str, Said>,
    pub(super) claims: BTreeMap<Guarantee, Claim>,
    pub(super) landlock_abi: u32,
    /// The jail was not to be had.
    pub(super) refused: Option<String>,
    /// A part failed.
    pub(super) failed: Option<String>,
    /// The keeper ended the session at this limit.
    pub(super) limit: Option<String>,
    /// Probes of which a process is left.
    pub(super) survivors: BTreeSet<&'static str>,
}

/// What came of a probe.
pub(super) fn verdict(probe: &Probe, ran: &Ran, stage: &Stage) -> Verdict {
    let said = ran.said.get(probe.id);
    if let Some(evidence) = evidence(probe, said, ran, stage) {
        return Verdict::Open { evidence };
    }
    let stopped = |how: String| Verdict::Stopped { how };
    let doubtful = |how: String| Verdict::Doubtful { how };
    match said {
        Some(Said::Unfit(why)) => Verdict::NotHere { why: why.clone() },
        Some(Said::Errno(errno)) if probe.errnos.contains(errno) => stopped(name(*errno)),
        Some(Said::Errno(errno)) => doubtful(format!("it failed with {}", name(*errno))),
        // Negative among the errnos: by that signal.
        Some(Said::Died(signal)) if probe.errnos.contains(&-signal) => stopped(format!("signal {signal}")),
        Some(Said::Died(signal)) => doubtful(format!("it died of signal {signal}")),
        Some(Said::Text(_) | Said::Done) if probe.witness == Witness::Itself => {
            doubtful("it worked, and shows nothing for it".to_owned())
        }
        Some(Said::Text(_)) if probe.witness == Witness::Secret => {
            stopped("what came back holds no secret".to_owned())
        }
        Some(Said::Done) if probe.witness == Witness::Survivor => stopped("nobody is left".to_owned()),
        Some(Said::Text(_) | Said::Done) => stopped("without effect outside".to_owned()),
        Some(Said::Odd(text)) => stopped(text.clone()),
        Some(Said::Silent) => stopped("no answer".to_owned()),
        None => match &ran.limit {
            Some(limit) => stopped(format!("the session was ended at the limit: {limit}")),
            None => doubtful("the session ended before it said anything".to_owned()),
        },
    }
}

/// What shows that it worked.
fn evidence(probe: &Probe, said: Option<&Said>, ran: &Ran, stage: &Stage) -> Option<String> {
    match (probe.witness, said) {
        (Witness::Itself, Some(Said::Text(text))) => Some(shortened(text)),
        (Witness::Itself, Some(Said::Done)) => Some("the call succeeded".to_owned()),
        (Witness::Secret, Some(Said::Text(text))) if text.contains(&stage.secret) => {
            Some("it holds the secret".to_owned())
        }
        (Witness::Files | Witness::Project, _) => stage.files_changed(probe.id),
        (Witness::Victim, _) => stage.victim_changed(probe.id),
        (Witness::Listener, _) => {
            let message = format!("<{}>", probe.id);
            stage.ears.heard(message.as_bytes()).then(|| "the listener outside heard it".to_owned())
        }
        (Witness::Survivor, _) => {
            ran.survivors.contains(probe.id).then(|| "a process is left when the session is over".to_owned())
        }
        _ => None,
    }
}

/// Which probes left a process behind: looked for until none is left, but not for ever. Those that are found are ended.
pub(super) fn survivors(stage: &Stage, probes: &[&'static Probe]) -> BTreeSet<&'static str> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let watched: Vec<&'static str> =
        probes.iter().filter(|probe| probe.witness == Witness::Survivor).map(|probe| probe.id).collect();
    let start = Instant::now();
    loop {
        let is_left = |id: &&'static str| {
            let mark = mark(stage, id);
            !processes_with(|word| word == mark.as_bytes()).is_empty()
        };
        let left: BTreeSet<&'static str> = watched.iter().copied().filter(is_left).collect();
        if left.is_empty() || start.elapsed() > stage.patience.with(PATIENCE) {
            end_all(stage);
            return left;
        }
        sleep(Duration::from_millis(20));
    }
}

/// Ends whatever still plays on this stage: bare, nobody else does.
fn end_all(stage: &Stage) {
    let root = stage.root().as_os_str().as_encoded_bytes();
    for pid in processes_with(|word| word.starts_with(root)) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// What stands in the command line of processes that a probe of this stage leaves behind.
fn mark(stage: &Stage, id: &str) -> String {
    format!("{}:{id}", stage.root().display())
}

/// Processes of which a word of the command line is like this.
fn processes_with(is_it: impl Fn(&[u8]) -> bool) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = processes.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        // Of a zombie the line is empty.
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        line.split(|byte| *byte == 0).any(&is_it).then_some(pid)
    });
    found.collect()
}

fn name(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
}

fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text.to_owned(),
    }
}
