//! Parts of a text that are worth another reading: places where something can be decoded, with what stands around
//! them, for a finding needs its context and must not be cut.

use std::ops::Range;

/// What a finding may need around a decoded place.
const CONTEXT: usize = 96;
/// Beyond that, a region goes on to the end of a token, but not further than this.
const TOKEN_MAX: usize = 4096;

/// Regions in ascending order, none touching another.
#[derive(Debug)]
pub(super) struct Regions<'t> {
    text: &'t [u8],
    done: Vec<Range<usize>>,
    /// From the first decoded place to the last.
    open: Option<Range<usize>>,
}

impl<'t> Regions<'t> {
    /// None yet.
    pub(super) fn of(text: &'t [u8]) -> Self {
        Self { text, done: Vec::new(), open: None }
    }

    /// Something can be decoded here. Places come in ascending order.
    pub(super) fn add(&mut self, place: Range<usize>) {
        if let Some(open) = &mut self.open
            && place.start <= open.end + 2 * CONTEXT
        {
            open.end = open.end.max(place.end);
            return;
        }
        self.close(place.start);
        self.open = Some(place);
    }

    /// All regions.
    pub(super) fn all(mut self) -> Vec<Range<usize>> {
        self.close(self.text.len());
        self.done
    }

    /// Widens the open region, at most to `limit`.
    fn close(&mut self, limit: usize) {
        let Some(open) = self.open.take() else { return };
        let floor = self.done.last().map_or(0, |done| done.end);
        let mut start = open.start.saturating_sub(CONTEXT).max(floor);
        let farthest = open.start.saturating_sub(TOKEN_MAX).max(floor);
        while start > farthest && goes_on(self.text[start - 1]) {
            start -= 1;
        }
        let mut end = (open.end + CONTEXT).min(limit);
        let farthest = (open.end + TOKEN_MAX).min(limit);
        while end < farthest && goes_on(self.text[end]) {
            end += 1;
        }
        match self.done.last_mut() {
            Some(done) if done.end >= start => done.end = end,
            _ => self.done.push(start..end),
        }
    }
}

/// Neither white space nor a quote; bytes of characters beyond ASCII belong together.
fn goes_on(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(text: &str, places: &[Range<usize>]) -> Vec<Range<usize>> {
        let mut regions = Regions::of(text.as_bytes());
        places.iter().for_each(|place| regions.add(place.clone()));
        regions.all()
    }

    #[test]
    fn near_places_share_a_region_and_far_ones_do_not() {
        let text = "a ".repeat(1000);
        let found = regions(&text, &[500..503, 600..603, 1500..1503]);
        assert_eq!(found, [404..699, 1404..1599]);
    }

    #[test]
    fn a_region_does_not_cut_a_token() {
        let text = format!("x {} y", "t".repeat(1000));
        let place = 500..503;
        assert_eq!(regions(&text, std::slice::from_ref(&place)).first(), Some(&(2..1002)));
        let text = "é".repeat(300);
        let place = 100..102;
        let found = regions(&text, std::slice::from_ref(&place));
        assert!(found.iter().all(|r| text.is_char_boundary(r.start) && text.is_char_boundary(r.end)));
    }

    #[test]
    fn regions_never_overlap() {
        let text = "t".repeat(20_000);
        let places: Vec<_> = (0..100).map(|n| n * 197..n * 197 + 1).collect();
        let found = regions(&text, &places);
        assert!(found.windows(2).all(|w| w[0].end < w[1].start), "{found:?}");
        assert_eq!(found.len(), 1);
    }
}
