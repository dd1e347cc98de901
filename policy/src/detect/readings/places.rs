//! From a place in a reading back to the text that was read.

use std::ops::Range;

/// A substitution so near before a finding may have changed what the finding's name reads like.
const NEAR_BEFORE: usize = 64;
/// What stands behind a value decides where it ends.
const NEAR_AFTER: usize = 4;

/// A text as it reads once something in it is decoded.
#[derive(Debug)]
pub(in crate::detect) struct Reading {
    /// What it says; UTF-8.
    pub(in crate::detect) text: Vec<u8>,
    /// Where that stands.
    pub(in crate::detect) places: Places,
}

/// Where the bytes of a reading come from.
#[derive(Debug)]
pub(in crate::detect) enum Places {
    /// All of it from this run; no part of it stands for a part of the run.
    Whole(Range<usize>),
    /// From this run, last byte first.
    Backwards(Range<usize>),
    /// Piece by piece, in order.
    Along(Vec<Stretch>),
}

/// Bytes of a reading that come from the text in equal steps: a stretch goes on to the start of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Stretch {
    /// Where it starts in the reading.
    at: u32,
    /// Where it starts in the text.
    outer: u32,
    /// Bytes of the reading that one step makes.
    unit: u32,
    /// Bytes of the text that one step takes.
    width: u32,
    /// How many of these at the end of a step say nothing.
    gap: u32,
}

impl Places {
    /// What of the text a span of the reading stands for.
    pub(in crate::detect) fn outer(&self, span: &Range<usize>) -> Range<usize> {
        match self {
            Self::Whole(run) => run.clone(),
            Self::Backwards(run) => run.end.saturating_sub(span.end)..run.end.saturating_sub(span.start),
            Self::Along(stretches) => {
                let (Some(first), Some(last)) =
                    (holding(stretches, span.start), holding(stretches, span.end.saturating_sub(1)))
                else {
                    return 0..0;
                };
                let (first, last) = (&stretches[first], &stretches[last]);
                let start = first.outer as usize + first.steps(span.start) * first.width as usize;
                let steps = last.steps(span.end.saturating_sub(1)) + 1;
                let end = last.outer as usize + steps * last.width as usize - last.gap as usize;
                start..end.max(start)
            }
        }
    }

    /// Whether anything in the span, or near enough to matter for it, reads otherwise than in the text.
    pub(in crate::detect) fn differs_near(&self, span: &Range<usize>) -> bool {
        let Self::Along(stretches) = self else { return true };
        let Some(first) = holding(stretches, span.start.saturating_sub(NEAR_BEFORE)) else { return false };
        let plain = stretches[first].is_plain();
        let next = stretches.get(first + 1).map_or(usize::MAX, |next| next.at as usize);
        !(plain && next > span.end + NEAR_AFTER)
    }

    /// The part of the text that was read.
    pub(in crate::detect) fn all(&self, reading_len: usize) -> Range<usize> {
        match self {
            Self::Whole(run) | Self::Backwards(run) => run.clone(),
            Self::Along(_) => self.outer(&(0..reading_len)),
        }
    }
}

impl Stretch {
    fn steps(&self, at: usize) -> usize {
        (at - self.at as usize) / self.unit as usize
    }

    fn is_plain(&self) -> bool {
        (self.unit, self.width, self.gap) == (1, 1, 0)
    }
}

/// The stretch that byte `at` of the reading belongs to.
fn holding(stretches: &[Stretch], at: usize) -> Option<usize> {
    stretches.partition_point(|s| s.at as usize <= at).checked_sub(1)
}

/// Writes a reading and remembers where it comes from. Offsets are 32 bits wide: longer texts get no readings.
#[derive(Debug, Default)]
pub(super) struct Tracer {
    text: Vec<u8>,
    stretches: Vec<Stretch>,
    /// Where the last stretch ends in the text.
    outer_end: usize,
}

impl Tracer {
    /// The bytes as they stand at `outer`.
    pub(super) fn plain(&mut self, outer: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.step(outer, (1, 1, 0));
            self.text.extend_from_slice(bytes);
            self.outer_end = outer + bytes.len();
        }
    }

    /// What stands at `outer` reads `as_`.
    pub(super) fn replaced(&mut self, outer: Range<usize>, as_: &[u8]) {
        if !as_.is_empty() {
            self.step(outer.start, (as_.len(), outer.len(), 0));
            self.text.extend_from_slice(as_);
            self.outer_end = outer.end;
        }
    }

    /// Every `period`th byte of `outer`, from its first one on.
    pub(super) fn every(&mut self, text: &[u8], outer: Range<usize>, period: usize) {
        self.step(outer.start, (1, period, period - 1));
        self.text.extend(text[outer.clone()].iter().step_by(period));
        self.outer_end = outer.end;
    }

    /// What was read.
    pub(super) fn reading(self) -> Reading {
        Reading { text: self.text, places: Places::Along(self.stretches) }
    }

    fn step(&mut self, outer: usize, (unit, width, gap): (usize, usize, usize)) {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (at, outer32) = (small(self.text.len()), small(outer));
        let step = Stretch { at, outer: outer32, unit: small(unit), width: small(width), gap: small(gap) };
        let goes_on = self.outer_end == outer
            && self
                .stretches
                .last()
                .is_some_and(|last| (last.unit, last.width, last.gap) == (step.unit, step.width, step.gap));
        if !goes_on {
            self.stretches.push(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_maps_to_the_bytes_that_make_it_up() {
        // "a%62%63d", of which b and c were decoded, and a zero-width space left out behind d.
        let mut tracer = Tracer::default();
        tracer.plain(0, b"a");
        tracer.replaced(1..4, b"b");
        tracer.replaced(4..7, b"c");
        tracer.plain(7, b"d");
        tracer.plain(11, b"e");
        let Reading { text, places } = tracer.reading();
        assert_eq!(text, b"abcde");
        for (span, outer) in
            [(0..1, 0..1), (1..2, 1..4), (2..4, 4..8), (3..4, 7..8), (3..5, 7..12), (0..5, 0..12)]
        {
            assert_eq!(places.outer(&span), outer, "{span:?}");
        }
        assert_eq!(places.all(5), 0..12);
    }

    #[test]
    fn spaced_out_letters_do_not_take_the_last_gap_along() {
        let mut tracer = Tracer::default();
        tracer.every(b"a\nb\nc\nd", 0..7, 2);
        let Reading { text, places } = tracer.reading();
        assert_eq!(text, b"abcd");
        assert_eq!(places.outer(&(1..3)), 2..5);
    }

    #[test]
    fn a_reversed_run_is_counted_from_its_end() {
        assert_eq!(Places::Backwards(10..20).outer(&(0..3)), 17..20);
        assert_eq!(Places::Whole(3..9).outer(&(0..100)), 3..9);
    }

    #[test]
    fn only_what_reads_otherwise_counts_as_different() {
        let mut tracer = Tracer::default();
        tracer.plain(0, &[b'x'; 200]);
        tracer.replaced(200..203, b"_");
        tracer.plain(203, &[b'x'; 200]);
        let Reading { places, .. } = tracer.reading();
        assert!(!places.differs_near(&(10..50)));
        assert!(places.differs_near(&(190..230)));
        assert!(places.differs_near(&(220..230)), "its name may read otherwise");
        assert!(!places.differs_near(&(300..330)));
    }
}
