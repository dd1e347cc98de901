//! The prefilter's automaton (Aho and Corasick, 1975), made at build time: the program starts with it ready, and only
//! the pages that texts lead to are ever read from the binary.

use std::collections::{BTreeMap, VecDeque};

/// Keywords are told apart by so many bytes; the rest is compared at a hit. Longer heads make the table larger for
/// words that hardly occur; shorter ones stop the scan at every second word.
pub(crate) const HEAD_BYTES: usize = 6;
/// Entries of a state: as many as there are classes of bytes, and a power of two.
pub(crate) const STRIDE: usize = 64;

/// What the search needs.
pub(crate) struct Automaton {
    /// The class of each byte; letters are folded.
    pub(crate) classes: [u8; 256],
    /// For each state and class the next state, little-endian.
    pub(crate) rows: Vec<u8>,
    /// States from this one on are hits.
    pub(crate) first_hit: usize,
    /// For each of these the keywords whose head ends there.
    pub(crate) heads: Vec<Vec<u16>>,
}

struct State {
    depth: usize,
    next: [Option<usize>; STRIDE],
    fail: usize,
    keywords: Vec<u16>,
}

/// The automaton of these keywords.
pub(crate) fn of<'k>(keywords: impl Iterator<Item = &'k str> + Clone) -> Automaton {
    let classes = classes(keywords.clone());
    let mut states = vec![State::new(0)];
    for (index, keyword) in (0_u16..).zip(keywords) {
        let mut at = 0;
        for byte in keyword.bytes().take(HEAD_BYTES) {
            let class = usize::from(classes[usize::from(byte)]);
            at = states[at].next[class].unwrap_or_else(|| {
                states.push(State::new(states[at].depth + 1));
                let new = states.len() - 1;
                states[at].next[class] = Some(new);
                new
            });
        }
        states[at].keywords.push(index);
    }
    complete(&mut states);
    let (quiet, hits): (Vec<usize>, Vec<usize>) =
        (0..states.len()).partition(|s| states[*s].keywords.is_empty());
    let first_hit = quiet.len();
    // States near the start are those that texts lead to most: they lie side by side.
    let by_depth = |mut part: Vec<usize>| {
        part.sort_by_key(|state| states[*state].depth);
        part
    };
    let order: Vec<usize> = by_depth(quiet).into_iter().chain(by_depth(hits)).collect();
    let number: BTreeMap<usize, u16> = order.iter().copied().zip(0_u16..).collect();
    assert_eq!(number.len(), order.len(), "the states of the prefilter fit into 16 bits");
    let entries = order.iter().flat_map(|state| states[*state].next);
    let rows = entries.flat_map(|next| number[&next.unwrap_or(0)].to_le_bytes()).collect();
    let heads = order[first_hit..].iter().map(|state| states[*state].keywords.clone()).collect();
    Automaton { classes, rows, first_hit, heads }
}

/// Fills the gaps of each state with what its longest proper suffix does, and adds the keywords of the suffixes.
fn complete(states: &mut [State]) {
    let mut queue = VecDeque::from([0]);
    while let Some(at) = queue.pop_front() {
        let fail = states[at].fail;
        if at != 0 {
            let inherited = states[fail].keywords.clone();
            states[at].keywords.extend(inherited);
        }
        for class in 0..STRIDE {
            let beyond = if at == 0 { Some(0) } else { states[fail].next[class] };
            match states[at].next[class] {
                Some(child) => {
                    states[child].fail = beyond.unwrap_or(0);
                    queue.push_back(child);
                }
                None => states[at].next[class] = beyond,
            }
        }
    }
}

/// A class for each ASCII character that occurs in a head, one for all others; the bytes of other characters share what
/// is left, for a hit is compared as a whole. Letters come first: with them, half of a row is all that most text needs.
fn classes<'k>(keywords: impl Iterator<Item = &'k str>) -> [u8; 256] {
    let mut used = [false; 256];
    for byte in keywords.flat_map(|k| k.bytes().take(HEAD_BYTES)) {
        used[usize::from(byte.to_ascii_lowercase())] = true;
    }
    let (mut classes, mut count) = ([0; 256], 0_u8);
    let letters = || (0..128_u8).filter(u8::is_ascii_lowercase);
    let signs = (0..128_u8).filter(|byte| used[usize::from(*byte)] && !byte.is_ascii_lowercase());
    for byte in letters().chain(b" _-.:".iter().copied()).chain(signs) {
        if classes[usize::from(byte)] != 0 {
            continue;
        }
        count += 1;
        classes[usize::from(byte)] = count;
        classes[usize::from(byte.to_ascii_uppercase())] = count;
    }
    let left = u8::try_from(STRIDE - 1).unwrap_or(u8::MAX).saturating_sub(count);
    assert!(left >= 4, "{count} classes of ASCII characters are too many for the prefilter");
    for (place, byte) in (0_u8..).zip((128..=255_u8).filter(|byte| used[usize::from(*byte)])) {
        classes[usize::from(byte)] = count + 1 + place % left;
    }
    classes
}

impl State {
    fn new(depth: usize) -> Self {
        Self { depth, next: [None; STRIDE], fail: 0, keywords: Vec::new() }
    }
}
