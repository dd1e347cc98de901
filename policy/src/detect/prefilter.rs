//! The prefilter: one case-insensitive automaton over the prefixes, names and first words of all built-in detectors,
//! made at build time (`build/automaton.rs`).

use std::ops::Range;

use super::tables::{BYTE_CLASSES, FIRST_HIT, HEAD_BYTES, HEADS, KEYWORDS, Keyword, ROWS};
use super::window::follows_escape;

/// The automaton; it has no state of its own.
#[derive(Debug)]
pub(super) struct Prefilter;

/// Parts of a text that are walked side by side: each step waits for the one before it, and four that do not know of each
/// other take hardly longer than one.
const LANES: usize = 4;
/// Bytes of a lane.
const LANE: usize = 64;
/// A shorter text is walked in one go.
const SHORT: usize = LANES * 16;

/// A search under way.
#[derive(Debug)]
struct Hits<'t> {
    text: &'t [u8],
    /// The part that was walked last starts here,
    from: usize,
    /// and ends here.
    to: usize,
    /// The state there.
    state: u16,
    /// Where heads end in each lane of that part.
    stops: [Stops; LANES],
    /// The stop that comes next.
    next: (usize, usize),
    /// Where the heads end that are looked at.
    at: usize,
    /// Their keywords.
    pending: &'static [u16],
}

/// Where heads end in a lane.
#[derive(Clone, Copy, Debug)]
struct Stops {
    /// Offset in the part, and state.
    places: [(u16, u16); LANE],
    count: usize,
}

impl Prefilter {
    /// All places where a keyword counts, overlapping ones as well. They come in the order of the ends of their heads.
    #[expect(clippy::unused_self, reason = "whoever has no engine has no prefilter")]
    pub(super) fn hits<'t>(
        &self,
        text: &'t [u8],
    ) -> impl Iterator<Item = (Range<usize>, &'static Keyword)> + use<'t> {
        Hits {
            text,
            from: 0,
            to: 0,
            state: 0,
            stops: [Stops { places: [(0, 0); LANE], count: 0 }; LANES],
            next: (0, 0),
            at: 0,
            pending: &[],
        }
    }

    /// Bytes of the table, which lies in the binary.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(ROWS)
    }
}

impl Hits<'_> {
    /// Goes on to where the next head ends; `false` at the end of the text.
    fn advance(&mut self) -> bool {
        loop {
            while let Some(stops) = self.stops.get(self.next.0) {
                if let Some((offset, state)) = stops.places[..stops.count].get(self.next.1) {
                    self.next.1 += 1;
                    self.at = self.from + usize::from(*offset) + 1;
                    self.pending = HEADS[usize::from(*state) - FIRST_HIT];
                    return true;
                }
                self.next = (self.next.0 + 1, 0);
            }
            if self.to == self.text.len() {
                return false;
            }
            self.walk();
        }
    }

    /// Walks the next part.
    fn walk(&mut self) {
        self.from = self.to;
        let rest = &self.text[self.from..];
        self.next = (0, 0);
        if rest.len() < SHORT {
            let mut lane = Lane { state: self.state, count: 0 };
            let stops = &mut self.stops[0].places;
            (0..).zip(rest).for_each(|(at, byte)| lane.step(*byte, at, stops));
            self.close(0, lane);
            self.stops[1..].iter_mut().for_each(|stops| stops.count = 0);
            self.to = self.text.len();
            return;
        }
        let len = (rest.len() / LANES).min(LANE);
        let lanes: [&[u8]; LANES] = std::array::from_fn(|n| &rest[n * len..(n + 1) * len]);
        let starts: [u16; LANES] = std::array::from_fn(|n| (n * len) as u16);
        // A state knows as many bytes as the longest head has.
        let begin = |n: usize| {
            let before = &rest[n * len - HEAD_BYTES..n * len];
            Lane { state: before.iter().fold(0, |state, byte| next(state, *byte)), count: 0 }
        };
        let [mut one, mut two] = [Lane { state: self.state, count: 0 }, begin(1)];
        let [mut three, mut four] = [begin(2), begin(3)];
        let [first, second, third, fourth] = &mut self.stops;
        let bytes = lanes[0].iter().zip(lanes[1]).zip(lanes[2]).zip(lanes[3]);
        for (at, (((a, b), c), d)) in (0_u16..).zip(bytes) {
            one.step(*a, at, &mut first.places);
            two.step(*b, starts[1] + at, &mut second.places);
            three.step(*c, starts[2] + at, &mut third.places);
            four.step(*d, starts[3] + at, &mut fourth.places);
        }
        for (n, lane) in [one, two, three, four].into_iter().enumerate() {
            self.close(n, lane);
        }
        self.to += LANES * len;
    }

    /// The lane was walked to its end.
    fn close(&mut self, n: usize, lane: Lane) {
        self.stops[n].count = lane.count;
        self.state = lane.state;
    }
}

/// A lane that is walked.
#[derive(Clone, Copy)]
struct Lane {
    state: u16,
    count: usize,
}

impl Lane {
    /// The next state, noted if a head ends there, without a branch: whether one does is hard to foresee.
    #[inline(always)]
    fn step(&mut self, byte: u8, offset: u16, stops: &mut [(u16, u16); LANE]) {
        self.state = next(self.state, byte);
        stops[self.count % LANE] = (offset, self.state);
        self.count += usize::from(usize::from(self.state) >= FIRST_HIT);
    }
}

#[inline(always)]
fn next(state: u16, byte: u8) -> u16 {
    let class = usize::from(BYTE_CLASSES[usize::from(byte)]);
    u16::from_le_bytes(ROWS[usize::from(state)][class % 64])
}

impl Iterator for Hits<'_> {
    type Item = (Range<usize>, &'static Keyword);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some((keyword, rest)) = self.pending.split_first() {
                self.pending = rest;
                let keyword = &KEYWORDS[usize::from(*keyword)];
                let start = self.at - keyword.text.len().min(HEAD_BYTES);
                if counts(keyword, self.text, start) {
                    return Some((start..start + keyword.word, keyword));
                }
            }
            if !self.advance() {
                return None;
            }
        }
    }
}

/// Whether the keyword stands there and counts. Most are the first words of something longer, which end within ordinary
/// words everywhere: `no`, `ic`, `us`. So where it stands is looked at first.
fn counts(keyword: &Keyword, text: &[u8], start: usize) -> bool {
    if keyword.starts_word && !may_start_word(text, start) {
        return false;
    }
    let Some(there) = text.get(start..start + keyword.text.len()) else { return false };
    let word = keyword.text.as_bytes();
    if keyword.is_exact { there == word } else { there.eq_ignore_ascii_case(word) }
}

/// Whether any rule that asks for the start of a word could take this for one.
fn may_start_word(text: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|at| text[at]) else { return true };
    !before.is_ascii_alphanumeric()
        || text[at] >= 0x80
        || (before.is_ascii_lowercase() && text[at].is_ascii_uppercase())
        || follows_escape(text, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_is_found_wherever_lanes_meet() {
        for before in 0..2 * LANES * LANE {
            let text = ".".repeat(before) + "ghp_" + &".".repeat(700);
            let starts = Prefilter.hits(text.as_bytes()).filter(|(_, keyword)| keyword.text == "ghp_");
            assert_eq!(starts.map(|(span, _)| span.start).collect::<Vec<_>>(), [before]);
        }
    }

    #[test]
    fn short_first_words_are_looked_for_with_what_follows() {
        let found = |text: &str| {
            let hits = Prefilter.hits(text.as_bytes()).map(|(span, keyword)| (span, keyword.text));
            hits.collect::<Vec<_>>()
        };
        let passport = |text: &str| {
            found(text).into_iter().any(|(span, keyword)| span.len() == 2 && keyword.ends_with("passport"))
        };
        for text in ["US passport", "us_passport", "usPassport", "the us. passport"] {
            assert!(passport(text), "{text}");
        }
        assert!(!passport("us the passport") && !passport("bus passport"));
        assert!(found("use no musical pause").iter().all(|(span, _)| span.len() > 2));
    }

    /// What a search without an automaton finds.
    fn slowly(text: &str) -> Vec<(usize, &'static str)> {
        let holds = |at: usize, word: &str| {
            text.as_bytes()[at..].get(..word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word.as_bytes()))
        };
        let stands = |at: usize, keyword: &Keyword| {
            let exact = || text[at..].starts_with(keyword.text);
            let starts = || may_start_word(text.as_bytes(), at);
            holds(at, keyword.text) && (!keyword.is_exact || exact()) && (!keyword.starts_word || starts())
        };
        let at = |at| KEYWORDS.iter().filter(move |keyword| stands(at, keyword)).map(move |k| (at, k.text));
        (0..text.len()).filter(|at| text.is_char_boundary(*at)).flat_map(at).collect()
    }

    #[test]
    fn every_keyword_is_found_wherever_it_stands() {
        let all: String =
            KEYWORDS.iter().map(|Keyword { text, .. }| format!("{text} {}x", text.to_uppercase())).collect();
        for text in
            [&*all, "ghghp_ghp_GHP_xoxe.xoxp-xoxb-", "AKIAKIASIAIza", "é-----BEGIN", "secret_access_ke", ""]
        {
            let mut hits: Vec<_> =
                Prefilter.hits(text.as_bytes()).map(|(span, keyword)| (span.start, keyword.text)).collect();
            hits.sort_unstable();
            assert_eq!(hits, slowly(text));
        }
    }
}
