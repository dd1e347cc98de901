//! The search for custom data in one text.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::ops::Range;

use super::super::Wanted;
use super::super::budget::{Budget, FINDING_STEPS, HIT_STEPS, Spent};
use super::super::finding::Confidence;
use super::super::stages::{Hit, Source};
use super::fingerprints::{Fingerprints, Form, Matching, Run};
use super::fold::fold;
use super::{Custom, wants};

/// Two values of one row belong together where so many bytes at the most stand between them.
pub(super) const NEAR_BYTES: usize = 512;
/// Lookups that are remembered.
const KNOWN_MAX: usize = 256;
/// A lookup: normal forms, and a hash of some blocks.
const PAIR_STEPS: usize = 64;

/// What a search takes from, and where it puts what it finds.
pub(in crate::detect) struct Scope<'s> {
    pub(in crate::detect) budget: &'s mut Budget,
    pub(in crate::detect) wanted: &'s Wanted,
    pub(in crate::detect) hits: &'s mut Vec<Hit>,
    /// Values of tables near the ends of the text: the rest of their rows may stand in the next string.
    pub(in crate::detect) edges: &'s mut Vec<Sighting>,
}

/// What may be a value of a table.
#[derive(Clone)]
pub(in crate::detect) struct Sighting {
    /// Which table.
    pub(super) table: usize,
    pub(super) span: Range<usize>,
    /// Its normal form.
    pub(super) folded: Vec<u8>,
    /// As how sure it was reported.
    pub(super) reported: Option<Confidence>,
}

impl std::fmt::Debug for Sighting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sighting({}, {:?})", self.table, self.span)
    }
}

impl Custom {
    /// Whether there is anything to look for.
    fn is_nothing(&self) -> bool {
        self.detectors.is_empty()
    }

    /// Looks for all of it in one text.
    pub(in crate::detect) fn scan(&self, text: &[u8], scope: Scope<'_>) -> Result<(), Spent> {
        if self.is_nothing() {
            return Ok(());
        }
        let Scope { budget, wanted, hits, edges } = scope;
        let hit = |source, confidence, span| Hit { source, confidence, span };
        if let Some(keywords) = &self.keywords {
            let wants = |list| wants(wanted, list);
            keywords.scan(text, (budget, &wants), |span, list| {
                hits.push(hit(Source::List(list), Confidence::High, span));
            })?;
        }
        if let Some(regexes) = &self.regexes {
            let wants = |list| wants(wanted, list);
            regexes.scan(text, (budget, &wants), |span, list| {
                hits.push(hit(Source::List(list), Confidence::High, span));
            })?;
        }
        if let Some(planted) = &self.planted {
            planted.scan(text, budget, |span, detector| {
                if wants(wanted, detector) {
                    hits.push(hit(Source::Planted(detector), Confidence::High, span));
                }
            })?;
        }
        for (table, (detector, fingerprints)) in self.exact.iter().enumerate() {
            if !wants(wanted, *detector) {
                continue;
            }
            budget.spend(text.len())?;
            let found = |span: Range<usize>, sure| hits.push(hit(Source::List(*detector), sure, span));
            match fingerprints.matching() {
                Matching::Alone => alone(fingerprints, text, budget, found)?,
                Matching::Rows => rows((table, fingerprints), text, (budget, edges), found)?,
            }
        }
        Ok(())
    }

    /// Whether two values that stand in different strings are of one row, and of which detector.
    pub(in crate::detect) fn row_of(
        &self,
        (one, other): (&Sighting, &Sighting),
        budget: &mut Budget,
    ) -> Result<Option<Confidence>, Spent> {
        budget.spend(PAIR_STEPS)?;
        let table = self.exact.get(one.table).filter(|_| one.table == other.table);
        let forms = [one, other].map(|one| Form::of(&one.folded));
        let table = table.filter(|(_, table)| table.may_be_row(forms[0], forms[1]));
        Ok(table.and_then(|(_, table)| table.find(&one.folded, Some(&other.folded))))
    }

    /// The detector of a table.
    pub(in crate::detect) fn table_detector(&self, table: usize) -> Source {
        Source::List(self.exact.get(table).map_or(u16::MAX, |(detector, _)| *detector))
    }
}

/// Values that count alone.
fn alone(
    table: &Fingerprints,
    text: &[u8],
    budget: &mut Budget,
    mut found: impl FnMut(Range<usize>, Confidence),
) -> Result<(), Spent> {
    table.each_candidate(text, |Run { span, .. }| {
        budget.spend(PAIR_STEPS)?;
        if let Some(sure) = table.find(&fold(&text[span.clone()]), None) {
            budget.spend(FINDING_STEPS)?;
            found(span, sure);
        }
        Ok(())
    })
}

/// Values of which two of one row stand near each other.
fn rows(
    (index, table): (usize, &Fingerprints),
    text: &[u8],
    (budget, edges): (&mut Budget, &mut Vec<Sighting>),
    mut found: impl FnMut(Range<usize>, Confidence),
) -> Result<(), Spent> {
    let (mut near, mut known) = (VecDeque::<Candidate>::new(), Known::default());
    let edge = |one: &Candidate| Sighting {
        table: index,
        span: one.span.clone(),
        folded: one.folded(text).to_vec(),
        reported: one.reported,
    };
    table.each_candidate(text, |Run { span, hash, form }| {
        let mut seen = Candidate { span, hash, form, folded: OnceCell::new(), reported: None };
        let start = seen.span.start;
        while near.front().is_some_and(|front| front.span.end + NEAR_BYTES < start) {
            near.pop_front();
        }
        // One value may be a part of another: "Smith" and "Anna Smith".
        for other in near.iter_mut().filter(|other| other.span.end <= start && other.hash != hash) {
            budget.spend(HIT_STEPS)?;
            if !table.may_be_row(other.form, form) {
                continue;
            }
            let values = || [&*other, &seen].map(|one| one.folded(text));
            let Some(sure) = known.row((table, budget), (other.hash, hash), values)? else { continue };
            for one in [&mut *other, &mut seen] {
                if one.reported < Some(sure) {
                    budget.spend(FINDING_STEPS)?;
                    one.reported = Some(sure);
                    found(one.span.clone(), sure);
                }
            }
        }
        if start < NEAR_BYTES {
            edges.push(edge(&seen));
        }
        near.push_back(seen);
        Ok(())
    })?;
    let at_end = |one: &&Candidate| one.span.start >= NEAR_BYTES && one.span.end + NEAR_BYTES >= text.len();
    edges.extend(near.iter().filter(at_end).map(edge));
    Ok(())
}

/// What may be a value, in one text.
struct Candidate {
    span: Range<usize>,
    hash: u64,
    form: Form,
    /// Its normal form, once it was looked up.
    folded: OnceCell<Vec<u8>>,
    reported: Option<Confidence>,
}

impl Candidate {
    fn folded(&self, text: &[u8]) -> &[u8] {
        self.folded.get_or_init(|| fold(&text[self.span.clone()]))
    }
}

/// Pairs that were looked up lately: a text repeats its words, and a lookup is dear. A newer pair takes the place of one
/// that falls on the same slot.
#[derive(Default)]
struct Known(Vec<((u64, u64), Option<Confidence>)>);

impl Known {
    fn row<'v>(
        &mut self,
        (table, budget): (&Fingerprints, &mut Budget),
        hashes: (u64, u64),
        values: impl FnOnce() -> [&'v [u8]; 2],
    ) -> Result<Option<Confidence>, Spent> {
        if self.0.is_empty() {
            // No pair is of equal hashes.
            self.0.resize(KNOWN_MAX, ((0, 0), None));
        }
        let (one, other) = hashes;
        let mixed = (one ^ other.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = &mut self.0[(mixed >> 32) as usize % KNOWN_MAX];
        if slot.0 == hashes {
            return Ok(slot.1);
        }
        budget.spend(PAIR_STEPS)?;
        let [one, other] = values();
        *slot = (hashes, table.find(one, Some(other)));
        Ok(slot.1)
    }
}
