//! Findings that somebody answers for in the policy.

use std::collections::BTreeMap;

use stockade_policy::detect::Finding;
use stockade_policy::document::policy::{Suppression, Term};
use stockade_policy::rules::{Policy, UnixTime};

use crate::commands::policy::suppressions::{who, why_idle};
use crate::commands::screen::harmless;

/// The suppression that holds for a finding.
pub(super) fn by<'p>(
    policy: &'p Policy,
    finding: &Finding,
    now: Option<UnixTime>,
) -> Option<&'p Suppression> {
    let now = now?;
    policy.suppressions_of(finding).find(|one| one.term(now) == Term::Holds)
}

/// Those that would speak for one of these findings and do not hold: whoever wrote one expects it to. Each is told once.
pub(super) fn idle<'f>(
    policy: &Policy,
    findings: impl Iterator<Item = &'f Finding>,
    now: Option<UnixTime>,
) -> Vec<String> {
    let Some(now) = now else { return Vec::new() };
    let mut told = Vec::new();
    for why in
        findings.flat_map(|finding| policy.suppressions_of(finding)).filter_map(|one| why_idle(one, now))
    {
        if !told.contains(&why) {
            told.push(why);
        }
    }
    told
}

/// How many each of them leaves out, who answers for it, until when and why: a line for each.
pub(super) fn told<'p>(each: impl Iterator<Item = &'p Suppression>) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for one in each {
        *counts.entry(format!("{}: {}", who(one), one.reason)).or_default() += 1;
    }
    counts.iter().map(|(by, count)| format!("{count} suppressed by {}\n", harmless(by))).collect()
}
