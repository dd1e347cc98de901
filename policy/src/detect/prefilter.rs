//! The prefilter: one case-insensitive automaton over the prefixes, names and first words of all built-in detectors,
//! made at build time (`build/automaton.rs`).

use std::ops::Range;

use super::tables::{BYTE_CLASSES, FIRST_HIT, HEAD_BYTES, HEADS, KEYWORDS, Keyword, ROWS, STRIDE};
use super::window::follows_escape;

/// The automaton; it has no state of its own.
#[derive(Debug)]
pub(super) struct Prefilter;

/// Parts of a text that are walked side by side: each step waits for the one before it, and four that do not know of each
/// other take hardly longer than one.
const LANES: usize = 4;
/// Bytes of a lane.
const LANE: usize = 128;
/// What is walked at once.
const PART: usize = LANES * LANE;
/// A shorter text is walked in one go.
const SHORT: usize = LANES * 16;
/// So many states are asked at once whether a head ends there.
const GROUP: usize = 4;
/// Added to a state, sets its highest bit if a head ends there.
const TO_HIT: u64 = LOW * (0x8000 - FIRST_HIT as u64);
const LOW: u64 = 0x0001_0001_0001_0001;
const HIGH: u64 = LOW * 0x8000;

// No sum goes over into the next state.
const _: () = assert!(FIRST_HIT + HEADS.len() <= 0x8000);

/// A search under way.
#[derive(Debug)]
struct Hits<'t> {
    text: &'t [u8],
    /// The part that was walked last starts here,
    from: usize,
    /// and ends here.
    to: usize,
    /// The state behind each of its bytes; behind the part there are none in which a head ends.
    states: [u16; PART],
    /// The group of states that comes next,
    next: usize,
    /// and where heads end in the one before it that were not gone to: a high bit each.
    ends: u64,
    /// Where the heads end that are looked at.
    at: usize,
    /// Their keywords.
    pending: &'static [u16],
    /// A place, and whether a word may start there: most keywords of a head begin at the same place.
    asked: (usize, bool),
}

impl Prefilter {
    /// All places where a keyword counts, overlapping ones as well. They come in the order of the ends of their heads.
    #[expect(clippy::unused_self, reason = "whoever has no engine has no prefilter")]
    pub(super) fn hits<'t>(
        &self,
        text: &'t [u8],
    ) -> impl Iterator<Item = (Range<usize>, &'static Keyword)> + use<'t> {
        let states = [0; PART];
        let asked = (usize::MAX, false);
        Hits { text, from: 0, to: 0, states, next: PART / GROUP, ends: 0, at: 0, pending: &[], asked }
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
            if self.ends != 0 {
                let place = GROUP * (self.next - 1) + self.ends.trailing_zeros() as usize / 16;
                self.ends &= self.ends - 1;
                self.at = self.from + place + 1;
                self.pending = HEADS[usize::from(self.states[place % PART]) - FIRST_HIT];
                return true;
            }
            let groups = (self.to - self.from).div_ceil(GROUP);
            let (states, _) = self.states.as_chunks::<GROUP>();
            let (mut next, mut ends) = (self.next, 0);
            for group in &states[next.min(groups)..groups] {
                // One load, which `map` does not become.
                let all = u64::from(group[0])
                    | u64::from(group[1]) << 16
                    | u64::from(group[2]) << 32
                    | u64::from(group[3]) << 48;
                ends = all.wrapping_add(TO_HIT) & HIGH;
                next += 1;
                if ends != 0 {
                    break;
                }
            }
            (self.next, self.ends) = (next, ends);
            if self.ends == 0 {
                if self.to == self.text.len() {
                    return false;
                }
                self.walk();
            }
        }
    }

    /// Whether a keyword counts that starts a word. Most are the first words of something longer, which end within ordinary
    /// words everywhere: `no`, `ic`, `us`. So where they stand is looked at first.
    fn may_start_word(&mut self, start: usize) -> bool {
        if self.asked.0 != start {
            self.asked = (start, may_start_word(self.text, start));
        }
        self.asked.1
    }

    /// Walks the next part.
    fn walk(&mut self) {
        let state = self.to.checked_sub(self.from + 1).map_or(0, |last| self.states[last % PART]);
        self.from = self.to;
        self.next = 0;
        let rest = &self.text[self.from..];
        let walked = if let Some(part) = rest.first_chunk() {
            whole_part(part, state, &mut self.states);
            PART
        } else if rest.len() < SHORT {
            run(rest, state, &mut self.states);
            rest.len()
        } else {
            let len = rest.len() / LANES;
            in_lanes(rest, len, state, &mut self.states);
            LANES * len
        };
        self.to += walked;
        // What is left of the last group.
        self.states[walked..].iter_mut().take(GROUP).for_each(|state| *state = 0);
    }
}

/// Walks a part whose lanes have their full length, of which the compiler makes the best.
fn whole_part(part: &[u8; PART], state: u16, states: &mut [u16; PART]) {
    let mut at_lanes = begin(part, LANE, state);
    for at in 0..LANE {
        for (n, state) in at_lanes.iter_mut().enumerate() {
            *state = next(*state, part[n * LANE + at]);
            states[n * LANE + at] = *state;
        }
    }
}

/// Walks four lanes of `len` bytes.
fn in_lanes(rest: &[u8], len: usize, state: u16, states: &mut [u16; PART]) {
    let [mut one, mut two, mut three, mut four] = begin(rest, len, state);
    let lanes: [&[u8]; LANES] = std::array::from_fn(|n| &rest[n * len..(n + 1) * len]);
    let (first, states) = states.split_at_mut(len);
    let (second, states) = states.split_at_mut(len);
    let (third, fourth) = states.split_at_mut(len);
    let bytes = lanes[0].iter().zip(lanes[1]).zip(lanes[2]).zip(lanes[3]);
    let states = first.iter_mut().zip(second).zip(third).zip(fourth);
    for ((((a, b), c), d), (((e, f), g), h)) in bytes.zip(states) {
        (one, two) = (next(one, *a), next(two, *b));
        (three, four) = (next(three, *c), next(four, *d));
        (*e, *f, *g, *h) = (one, two, three, four);
    }
}

/// The states in which the lanes of `len` bytes begin: a state knows as many bytes as the longest head has.
fn begin(rest: &[u8], len: usize, state: u16) -> [u16; LANES] {
    std::array::from_fn(|n| {
        let before = if n == 0 { &[] } else { &rest[n * len - HEAD_BYTES..n * len] };
        before.iter().fold(if n == 0 { state } else { 0 }, |state, byte| next(state, *byte))
    })
}

/// Walks a short text.
fn run(rest: &[u8], mut state: u16, states: &mut [u16; PART]) {
    for (byte, noted) in rest.iter().zip(states) {
        state = next(state, *byte);
        *noted = state;
    }
}

#[inline(always)]
fn next(state: u16, byte: u8) -> u16 {
    u16::from_le_bytes(ROWS[usize::from(state) * STRIDE + usize::from(BYTE_CLASSES[usize::from(byte)])])
}

impl Iterator for Hits<'_> {
    type Item = (Range<usize>, &'static Keyword);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some((keyword, rest)) = self.pending.split_first() {
                self.pending = rest;
                let keyword = &KEYWORDS[usize::from(*keyword)];
                let start = self.at - keyword.text.len().min(HEAD_BYTES);
                if keyword.starts_word && !self.may_start_word(start) {
                    continue;
                }
                if stands(keyword, self.text, start) {
                    return Some((start..start + keyword.word, keyword));
                }
            }
            if !self.advance() {
                return None;
            }
        }
    }
}

/// Whether the keyword stands there: its head does.
fn stands(keyword: &Keyword, text: &[u8], start: usize) -> bool {
    let word = keyword.text.as_bytes();
    let Some(there) = text.get(start + keyword.seen..start + word.len()) else { return false };
    let word = &word[keyword.seen..];
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
