//! Other readings of a text: what it says once something in it is decoded, joined, folded or read backwards.
//!
//! Each reading is searched for at places that give it away (an escape, a long run, a byte beyond ASCII), never all over.
//! It enters the stages as a text of its own, and what is found in it stands where the reading comes from
//! ([`Places::outer`]).

mod encoded;
mod escapes;
mod lookalikes;
mod marks;
mod pieces;
mod places;
mod regions;
mod runs;

use std::ops::Range;

pub(super) use places::{Places, Reading};
use runs::Runs;

/// A shorter text has no room for a disguised value.
pub(super) const TEXT_MIN: usize = 16;

/// What may be known of a text when its readings are asked for.
pub(super) trait Known {
    /// How many bytes of readings the message may still have.
    fn room(&self) -> usize;
    /// Whether a token may begin so.
    fn begins(&self, head: &[u8]) -> bool;
    /// Whether something was found there that makes decoding needless.
    fn covers(&self, run: &Range<usize>) -> bool;
}

/// The readings of one text, one after the other.
#[derive(Debug)]
pub(super) struct Readings<'t> {
    text: &'t [u8],
    /// Readings of regions, last one first.
    regions: Vec<(Kind, Range<usize>)>,
    spaced: Vec<pieces::Spaced>,
    runs: Runs<'t>,
    armour: Option<Reading>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Escapes,
    Lookalikes,
    Joined,
}

impl<'t> Readings<'t> {
    /// Looks for places that are worth another reading.
    pub(super) fn of(text: &'t [u8]) -> Self {
        let mut regions = Vec::new();
        // Offsets in readings are 32 bits wide.
        let text = if u32::try_from(text.len()).is_ok() { text } else { &[] };
        let mut add = |kind, found: Vec<Range<usize>>| regions.extend(found.into_iter().map(|r| (kind, r)));
        add(Kind::Joined, pieces::split_regions(text));
        add(Kind::Lookalikes, lookalikes::regions(text));
        add(Kind::Escapes, escapes::regions(text));
        Self {
            text,
            regions,
            spaced: pieces::spaced(text),
            runs: Runs::of(text),
            armour: runs::backwards_armour(text),
        }
    }

    /// The next reading.
    pub(super) fn next(&mut self, known: &impl Known) -> Option<Reading> {
        if let Some((kind, region)) = self.regions.pop() {
            return Some(match kind {
                Kind::Escapes => escapes::read(self.text, region),
                Kind::Lookalikes => lookalikes::read(self.text, region),
                Kind::Joined => pieces::join(self.text, region),
            });
        }
        if let Some(spaced) = self.spaced.pop() {
            return Some(pieces::gather(self.text, &spaced));
        }
        let run = self.runs.next(known.room(), |head| known.begins(head), |run| known.covers(run));
        run.or_else(|| self.armour.take())
    }
}
