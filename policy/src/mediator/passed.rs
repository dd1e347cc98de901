//! What was found and went on all the same: what the server's profile calls its job, and what somebody answers for. Kept
//! for one line, and put on its record at the end, for nothing passes in silence.

use std::borrow::Cow;
use std::cell::Cell;

use super::action::Action;
use super::record::{NAME_CHARS_MAX, Record, RecordKind, found_at};
use super::session::Mediator;
use crate::detect::Finding;
use crate::rules::{Around, Passed, Ruling, tool_name_is_plain};
use crate::verdict::Content;
use crate::wire::{Direction, Frame, Shape};

/// Most of them on one record; the others are counted.
const SUPPRESSED_MAX: usize = 32;
/// Findings of a line whose places are worked out for a suppression that names a path. Each costs a walk through the message;
/// what is beyond them stays a finding.
const PATHS_MAX: u32 = 64;
/// Values of a line of which it is kept what was done about them: more than a record shows.
const WEIGHTS_MAX: usize = 128;

/// What passed in one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Credentials on their way to the server whose job they are.
    pub own: usize,
    /// What somebody answers for, the first 32 of them.
    pub suppressed: Vec<Suppressed>,
    /// How many of these there were in all.
    pub suppressed_total: usize,
}

/// A finding that somebody answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// `secret/github-pat`
    pub detector: Cow<'static, str>,
    /// As [`Finding::hash`].
    pub hash: [u8; 8],
    /// Id of the suppression.
    pub by: String,
}

/// What was done about one finding, and what a layer that only watches would have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// What its ruling says; the message may have got worse for another one.
    pub action: Content,
    /// Stricter than that.
    pub would_have: Option<Content>,
}

/// A value: its detector, and its keyed hash.
type Mark = (Cow<'static, str>, [u8; 8]);

/// What is known of the line at hand.
#[derive(Debug, Default)]
pub(super) struct Weighing {
    /// The tool whose answer it is.
    tool: Option<Box<str>>,
    passed: PassedOver,
    weights: Vec<(Mark, Weight)>,
    /// What may stand in a message that was redacted for something else.
    let_pass: Vec<Mark>,
    paths: Cell<u32>,
    /// How often it was searched: what is edited is searched again, and counted once.
    scans: u32,
}

impl Mediator {
    /// A new line is looked at.
    pub(super) fn weigh_anew(&mut self) {
        self.weighing = Weighing::default();
    }

    /// The line is the answer of this tool.
    pub(super) fn weigh_answer(&mut self, tool: Option<Box<str>>) {
        self.weighing.tool = tool;
    }

    /// The line is searched once more.
    pub(super) fn weigh_scan(&mut self) {
        self.weighing.scans += 1;
    }

    /// What the policy says of a finding. Whatever passes is noted.
    pub(super) fn weighed(
        &mut self,
        frame: &Frame<'_>,
        direction: Direction,
        finding: &Finding,
    ) -> Ruling<Content> {
        let called = called_tool(frame);
        let tool = called.as_deref().or(self.weighing.tool.as_deref()).filter(|name| is_whole(name));
        let path = || {
            let paths = self.weighing.paths.replace(self.weighing.paths.get().saturating_add(1));
            (paths < PATHS_MAX).then(|| frame.pointer(found_at(frame, finding)))
        };
        let around = Around {
            identities: &self.facts.identities,
            direction,
            tool,
            now: self.unix_time,
            own: &self.facts.own,
            path: &path,
        };
        let weighed = self.policy.weigh(finding, &around);
        if weighed.passed.is_some() && weighed.ruling.verdict < Content::Redact {
            self.weighing.let_pass(finding);
        }
        if self.weighing.scans <= 1 {
            self.weighing.note(finding, weighed.passed, &weighed.ruling);
        }
        weighed.ruling
    }

    /// Whether such a value passed: what was redacted beside it is clean all the same.
    pub(super) fn may_stay(&self, finding: &Finding) -> bool {
        self.weighing.let_pass.iter().any(|mark| is_of(mark, finding))
    }

    /// Puts on the line's records what passed, and what was done about each finding.
    pub(super) fn note_passed(&mut self, actions: &mut [Action]) {
        let Weighing { passed, weights, .. } = std::mem::take(&mut self.weighing);
        if weights.is_empty() && passed == PassedOver::default() {
            return;
        }
        let mut records: Vec<&mut Record> = actions
            .iter_mut()
            .filter_map(|action| match action {
                Action::Record(record) => Some(&mut **record),
                Action::Forward | Action::ForwardRewritten(_) | Action::Send(..) => None,
            })
            .collect();
        for record in &mut records {
            let weight = |finding: &Finding| {
                weights.iter().find(|(mark, _)| is_of(mark, finding)).map(|(_, weight)| *weight)
            };
            record.weights = record.findings.iter().map(weight).collect();
        }
        let is_message =
            |kind| matches!(kind, RecordKind::Call | RecordKind::Answer | RecordKind::Notification);
        if let Some(record) = records.into_iter().rfind(|record| is_message(record.kind)) {
            record.passed = passed;
        }
    }
}

impl Weighing {
    fn let_pass(&mut self, finding: &Finding) {
        let is_known = self.let_pass.iter().any(|mark| is_of(mark, finding));
        if !is_known && self.let_pass.len() < WEIGHTS_MAX {
            self.let_pass.push(mark(finding));
        }
    }

    fn note(&mut self, finding: &Finding, passed: Option<Passed>, ruling: &Ruling<Content>) {
        let would_have = ruling.would_have.as_ref().map(|(verdict, _)| *verdict);
        if self.weights.len() < WEIGHTS_MAX && (ruling.verdict > Content::Pass || would_have.is_some()) {
            let weight = Weight { action: ruling.verdict, would_have };
            self.weights.push((mark(finding), weight));
        }
        match passed {
            None => {}
            Some(Passed::Own) => self.passed.own += 1,
            Some(Passed::Suppressed(by)) => {
                self.passed.suppressed_total += 1;
                if self.passed.suppressed.len() < SUPPRESSED_MAX {
                    let (detector, hash) = mark(finding);
                    self.passed.suppressed.push(Suppressed { detector, hash, by });
                }
            }
        }
    }
}

fn mark(finding: &Finding) -> Mark {
    (finding.detector.clone(), finding.hash)
}

fn is_of((detector, hash): &Mark, finding: &Finding) -> bool {
    *hash == finding.hash && *detector == finding.detector
}

/// The tool that a request calls.
fn called_tool<'f>(frame: &Frame<'f>) -> Option<Cow<'f, str>> {
    match &frame.shape {
        Shape::Request { method, params, .. } if &**method == "tools/call" => {
            frame.text(frame.get((*params)?, "name")?)
        }
        _ => None,
    }
}

/// Whether a name is the whole of it: of names on record the rest is cut off, and secrets are masked.
fn is_whole(name: &str) -> bool {
    tool_name_is_plain(name) && name.len() < NAME_CHARS_MAX
}
