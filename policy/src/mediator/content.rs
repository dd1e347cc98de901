//! What the detectors found in a frame, and what is done about it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use super::action::Without;
use super::edit::{Edit, splice};
use super::restore::Restoring;
use super::session::Mediator;
use crate::detect::{Finding, ScanEnd};
use crate::redact::{self, Redaction};
use crate::rules::Ruling;
use crate::verdict::{Content, Reason};
use crate::wire::{Direction, Frame, Parser};

/// Most detectors named in a sentence.
const NAMED_MAX: usize = 4;

/// Room for findings that is kept from one message to the next.
const FINDINGS_KEPT: usize = 64;

/// A finding and what the rules say of it. Findings of a message share few rulings, and a hostile message has half a
/// million findings.
pub(super) type Ruled = (Finding, Rc<Ruling<Content>>);

/// Findings that some rule speaks about.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) ruled: Vec<Ruled>,
    /// What stands against forwarding a message that could only be searched in part.
    unsearched: Option<Ruling<Content>>,
    /// What stands against forwarding a message with a placeholder that cannot be put back.
    held: Option<Ruling<Content>>,
}

impl Scan {
    /// Moves the findings to where they stand after edits, none of which is of a finding.
    pub(super) fn shift(&mut self, edits: &[Edit]) {
        for (finding, _) in &mut self.ruled {
            finding.raw = moved(&finding.raw, edits);
            // Edits may stand within the token.
            finding.token = moved(&(finding.token.start..finding.token.start), edits).start
                ..moved(&(finding.token.end..finding.token.end), edits).end;
        }
    }
}

/// The content axis of a verdict, and what it makes of the frame.
pub(super) struct Judged {
    pub(super) content: Content,
    pub(super) reason: Option<Reason>,
    pub(super) would_have: Option<Reason>,
    /// The frame with its findings replaced.
    pub(super) rewritten: Option<Vec<u8>>,
    pub(super) findings: Vec<Finding>,
}

impl Judged {
    /// Nothing was found.
    fn clear() -> Self {
        Self { content: Content::Pass, reason: None, would_have: None, rewritten: None, findings: Vec::new() }
    }

    /// Blocked by a built-in rule.
    pub(super) fn blocked(rule: &'static str, text: String) -> Self {
        let reason = Reason { rule: rule.into(), text: text.into(), layer: "built-in".into() };
        Self { content: Content::Block, reason: Some(reason), ..Self::clear() }
    }
}

impl Mediator {
    /// Searches a frame and asks the policy about each finding. Costs no allocation if nothing is found.
    pub(super) fn scan(&mut self, frame: &Frame<'_>, direction: Direction) -> Scan {
        if let Some(scan) = self.scanned_before() {
            return scan;
        }
        let mut findings = std::mem::take(&mut self.findings);
        findings.clear();
        self.weigh_scan();
        let end = self.engine.scan_for(self.wanted(direction), frame, &mut findings);
        if self.without != Without::Dlp {
            self.scan_across(frame, direction, &mut findings);
        }
        let mut ruled: Vec<Ruled> = Vec::new();
        let mut rulings: Vec<Rc<Ruling<Content>>> = Vec::new();
        for finding in findings.drain(..) {
            if self.was_put_back(&finding) {
                continue;
            }
            let ruling = self.weighed(frame, direction, &finding);
            if ruling.verdict > Content::Pass || ruling.would_have.is_some() {
                let shared = rulings.iter().find(|known| ***known == ruling).cloned();
                let shared = shared.unwrap_or_else(|| {
                    let new = Rc::new(ruling);
                    rulings.push(Rc::clone(&new));
                    new
                });
                ruled.push((finding, shared));
            }
        }
        findings.shrink_to(FINDINGS_KEPT);
        self.findings = findings;
        let unsearched = (end == ScanEnd::BudgetSpent && self.without != Without::Dlp)
            .then(|| unsearched(self.policy.strictest_content(&self.facts.identities, direction)));
        let held = match &self.restoring {
            Restoring::Held(ruling) => Some(ruling.clone()),
            Restoring::Nothing | Restoring::Done(_) => None,
        };
        Scan { ruled, unsearched, held }
    }

    /// The strictest ruling, carried out: findings to be redacted are replaced in a copy of the frame. A finding in
    /// a part that decided something (`fixed`), or outside of the body, cannot be replaced: what the receiver reads
    /// must be what was judged.
    pub(super) fn judge(
        &mut self,
        frame: &Frame<'_>,
        scan: Scan,
        (fixed, direction): (&[Range<usize>], Direction),
    ) -> Judged {
        let Scan { ruled, unsearched, held } = scan;
        let mut judged = Judged::clear();
        let mut would_have = Content::Pass;
        for ruling in ruled.iter().map(|(_, ruling)| &**ruling).chain(&unsearched).chain(&held) {
            if ruling.verdict > judged.content {
                judged.content = ruling.verdict;
                judged.reason.clone_from(&ruling.reason);
            }
            if let Some((verdict, reason)) = &ruling.would_have
                && *verdict > would_have
            {
                would_have = *verdict;
                judged.would_have = Some(reason.clone());
            }
        }
        if judged.content == Content::Redact {
            match self.redacted(frame, &ruled, fixed) {
                Ok(redaction) => {
                    judged.rewritten = Some(redaction.bytes);
                    if direction == Direction::ToClient {
                        redaction.replaced.into_iter().for_each(|replaced| self.vault.keep(replaced));
                    }
                }
                Err(why) => {
                    judged.content = Content::Block;
                    judged.reason = judged.reason.map(|reason| not_redactable(reason, &why));
                }
            }
        }
        judged.findings = ruled.into_iter().map(|(finding, _)| finding).collect();
        judged
    }

    /// As [`Mediator::judge`], for a frame of which something is taken out: the edited bytes are what goes on. Where
    /// findings are replaced as well they have other places now, so what is left is read and searched again.
    pub(super) fn judge_edited(
        &mut self,
        frame: &Frame<'_>,
        edits: Vec<Edit>,
        scan: Scan,
        (fixed, direction): (&[Range<usize>], Direction),
    ) -> Judged {
        let moved: Vec<Range<usize>> = fixed.iter().map(|range| moved(range, &edits)).collect();
        let bytes = splice(frame.bytes, edits);
        let strictest = scan.ruled.iter().map(|(_, ruling)| ruling.verdict).max();
        if strictest != Some(Content::Redact) {
            return Judged { rewritten: Some(bytes), ..self.judge(frame, scan, (fixed, direction)) };
        }
        let mut parser = Parser::default();
        let limits = match direction {
            Direction::ToServer => self.to_server,
            Direction::ToClient => self.to_client,
        };
        let judged = match parser.parse(&bytes, direction, &limits) {
            Ok(edited) => {
                let scan = self.scan(&edited, direction);
                let judged = self.judge(&edited, scan, (&moved, direction));
                let rewritten = judged.rewritten.unwrap_or_else(|| edited.bytes.to_vec());
                Judged { rewritten: Some(rewritten), ..judged }
            }
            Err(refused) => Judged::blocked(
                "wire/filtered",
                format!("without what is taken out the message would be refused: {}", refused.reason),
            ),
        };
        // On record findings have the places that they had in the line as it came.
        Judged { findings: scan.ruled.into_iter().map(|(finding, _)| finding).collect(), ..judged }
    }

    fn redacted(
        &self,
        frame: &Frame<'_>,
        ruled: &[Ruled],
        fixed: &[Range<usize>],
    ) -> Result<Redaction, String> {
        let named: Vec<&Finding> = ruled
            .iter()
            .filter(|(_, ruling)| ruling.verdict == Content::Redact)
            .map(|(finding, _)| finding)
            .collect();
        let body = frame.body().map_or(0..0, |body| frame.span(body));
        if named.iter().any(|finding| !contains(&body, &finding.raw)) {
            return Err("the finding stands in the id or the method".to_owned());
        }
        if fixed.iter().any(|fixed| named.iter().any(|finding| contains(fixed, &finding.raw))) {
            return Err("the finding stands in the name of what is called".to_owned());
        }
        redact::redact(frame, &named, &self.engine, |finding| {
            self.was_put_back(finding) || self.may_stay(finding)
        })
        .map_err(|error| error.to_string())
    }
}

/// `secret/github-pat, pii/email`: what was found, without any of it.
pub(super) fn named(findings: &[Finding]) -> String {
    let detectors: BTreeSet<&str> = findings.iter().map(|finding| finding.detector.as_ref()).collect();
    let more = if detectors.len() > NAMED_MAX { ", …" } else { "" };
    let first: Vec<&str> = detectors.into_iter().take(NAMED_MAX).collect();
    format!("{}{more}", first.join(", "))
}

pub(super) fn contains(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Where a part that no edit touches stands afterwards.
fn moved(range: &Range<usize>, edits: &[Edit]) -> Range<usize> {
    let before = edits.iter().filter(|(edited, _)| edited.end <= range.start);
    let (gone, come) =
        before.fold((0, 0), |(gone, come), (edited, text)| (gone + edited.len(), come + text.len()));
    let move_ = |at: usize| (at + come).saturating_sub(gone);
    move_(range.start)..move_(range.end)
}

fn not_redactable(reason: Reason, why: &str) -> Reason {
    Reason { text: format!("{}, and it cannot be redacted because {why}", reason.text).into(), ..reason }
}

/// A message that was searched only in part is blocked where a rule could block or redact: what was not searched
/// cannot be redacted. Otherwise it is let through and recorded.
fn unsearched(strictest: Ruling<Content>) -> Ruling<Content> {
    let text =
        "the message takes more work to search than the budget allows, so only a part of it was searched";
    let say = |reason: Reason| Reason { text: text.into(), ..reason };
    let built_in = Reason { rule: "scan/budget".into(), text: text.into(), layer: "built-in".into() };
    let whole = |verdict| if verdict == Content::Redact { Content::Block } else { verdict };
    let verdict = whole(strictest.verdict).max(Content::Monitor);
    Ruling {
        verdict,
        reason: Some(match verdict {
            Content::Block => strictest.reason.map_or(built_in, say),
            _ => built_in,
        }),
        would_have: strictest.would_have.map(|(verdict, reason)| (whole(verdict), say(reason))),
    }
}
