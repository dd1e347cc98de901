//! Names of people in prose: `Ms. Okafor`, `Lena Wirth`, `please ask Jennifer`.
//!
//! One pass over the capitals that begin a word; the rest is looked at only there. A title says that a name follows. Without
//! one it takes a given name of the list with a capitalised word that is no vocabulary behind it, or a given name alone where
//! people are spoken about or to. Whoever wrote a commit, a file or a copyright notice is no finding: that is how work is
//! signed, and it stands everywhere.

use std::ops::Range;

use super::super::generic::is_vocabulary;
use super::is_word;
use super::people::Strength::Strong;
use super::people::{Known, known};
use super::prose_words::{
    ASKED, BEFORE, BEHIND, GREETINGS, OF_NO_PERSON, OF_PLACES, PARTICLES, PERSONS, SIGNED, TITLES,
};

/// Longest word of a name.
const WORD_MAX: usize = 24;
/// Most words of a name, initials and small words included.
const WORDS_MAX: usize = 5;
/// How far before a name its line is looked at.
const LINE_MAX: usize = 48;

/// A word of a text that begins with a capital, or a small word between two.
#[derive(Clone, Copy, Debug)]
struct Word {
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `Lena`
    Name(Known),
    /// `J.`
    Initial,
    /// `van`
    Particle,
}

/// Words that follow each other.
#[derive(Debug, Default)]
struct Run {
    words: [Option<Word>; WORDS_MAX],
    count: usize,
}

/// Calls `found` for each name in the text; gives the steps it took.
pub(in crate::detect) fn scan(text: &[u8], mut found: impl FnMut(Range<usize>)) -> usize {
    let (mut at, mut steps) = (0, 0);
    while let Some(capital) = next_capital(text, at) {
        let run = if begins(text, capital) { Run::at(text, capital) } else { Run::default() };
        let Some(last) = run.words().last() else {
            // The rest of an identifier or of a word in capitals.
            at = capital + 1;
            at += text[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
            steps += 1;
            continue;
        };
        let end = last.end;
        steps += end - capital;
        let hit = titled(text, &run).or_else(|| paired(text, &run)).or_else(|| alone(text, &run));
        at = hit.as_ref().map_or(end, |span| span.end);
        if let Some(span) = hit {
            found(span);
        }
    }
    steps
}

impl Run {
    /// The words from `start` on.
    fn at(text: &[u8], start: usize) -> Self {
        let (mut run, mut at) = (Self::default(), start);
        while run.count < WORDS_MAX {
            let Some(word) = word_at(text, at) else { break };
            if word.kind == Kind::Particle && run.count == 0 {
                break;
            }
            run.words[run.count] = Some(word);
            run.count += 1;
            at = match &text[word.end..] {
                [b'.', b' ', ..] if word.kind == Kind::Initial || is_title(&text[word.start..word.end]) => {
                    word.end + 2
                }
                [b' ', ..] => word.end + 1,
                _ => break,
            };
        }
        // A small word belongs to the name only if another word follows.
        while run.words().last().is_some_and(|word| word.kind == Kind::Particle) {
            run.count -= 1;
        }
        run
    }

    fn words(&self) -> impl DoubleEndedIterator<Item = Word> {
        self.words[..self.count].iter().flatten().copied()
    }
}

/// `Mr. Baader`: any capitalised word behind a title, if it is no vocabulary.
fn titled(text: &[u8], run: &Run) -> Option<Range<usize>> {
    let mut words = run.words();
    let title = words.next().filter(|word| is_title(&text[word.start..word.end]))?;
    let first = words.next()?;
    let dotted = text[title.end] == b'.';
    let Kind::Name(name) = first.kind else { return None };
    let sure = name.given || name.family;
    // `Oak Dr. Salem`, `Miss Rate`, `Sir John`.
    let street = dotted && follows_capitalised(text, title.start);
    if (!sure && (street || !dotted || is_vocabulary(&text[first.start..first.end])))
        || is_cut(text, first.end)
    {
        return None;
    }
    let end =
        words.take_while(|word| is_name_part(text, word)).filter(|word| word.kind != Kind::Particle).last();
    Some(first.start..end.map_or(first.end, |word| word.end))
}

/// `Lena Wirth`: a given name and what may be a family name, or the other way round.
fn paired(text: &[u8], run: &Run) -> Option<Range<usize>> {
    if run.count < 2 {
        return None;
    }
    let names = || {
        run.words().enumerate().filter_map(|(at, word)| match word.kind {
            Kind::Name(name) => Some((at, word, name)),
            Kind::Initial | Kind::Particle => None,
        })
    };
    let (_, last, family) = names().last()?;
    let (at, first, given) = names().find(|(_, _, name)| name.given).or_else(|| names().next())?;
    if !(given.given || given.family || family.family || initialled(text, run)) {
        return None;
    }
    let is_thing = run.words().any(|word| is_one_of(text, &word, OF_NO_PERSON));
    if is_thing
        || first.start == last.start
        || is_cut(text, last.end)
        || is_signed(text, first.start, last.end)
    {
        return None;
    }
    let place = at
        .checked_sub(1)
        .and_then(|before| run.words[before])
        .is_some_and(|word| is_one_of(text, &word, OF_PLACES));
    let is_vocabulary = |word: &Word| is_vocabulary(&text[word.start..word.end]);
    let is_person = match (given, family) {
        _ if place => false,
        (
            Known { given: true, strength: Strong, .. },
            Known { family: true, .. } | Known { given: true, .. },
        ) => true,
        (Known { given: true, .. }, Known { family: true, strength: Strong, .. }) => true,
        (Known { given: true, strength: Strong, .. }, _) if !is_vocabulary(&last) => true,
        (Known { family: true, strength: Strong, .. }, Known { given: true, strength: Strong, .. }) => true,
        // `Tindra I. Holm`.
        _ if initialled(text, run) && !is_vocabulary(&first) && !is_vocabulary(&last) => true,
        (Known { family: false, .. }, Known { family: true, strength: Strong, .. }) => {
            run.count == 2 && !is_vocabulary(&first) && !is_vocabulary(&last)
        }
        _ => false,
    };
    is_person.then_some(first.start..last.end)
}

/// Whether it is a word, a letter with a dot, and a word.
fn initialled(text: &[u8], run: &Run) -> bool {
    let mut kinds = run.words().map(|word| (word.kind, text.get(word.end)));
    let is_name = |kind| matches!(kind, Some((Kind::Name(_), _)));
    is_name(kinds.next())
        && kinds.next() == Some((Kind::Initial, Some(&b'.')))
        && is_name(kinds.next())
        && run.count == 3
}

/// A name of the lists alone, where somebody is spoken about or to.
fn alone(text: &[u8], run: &Run) -> Option<Range<usize>> {
    // What stands before a name may be the first word of a sentence: `Ask Jennifer`.
    let word = run.words().last()?;
    let Kind::Name(name) = word.kind else { return None };
    let span = word.start..word.end;
    let strong = (name.given || name.family) && name.strength == Strong;
    if run.count > 2 || is_cut(text, word.end) || !(strong || run.count == 1) {
        return None;
    }
    let before = word_before(text, word.start);
    let asked = text[..word.start].ends_with(ASKED);
    if !(strong || asked || before.first().is_some_and(u8::is_ascii_lowercase)) {
        return None;
    }
    let behind = &text[word.end..];
    let named = (asked || is_any(before, PERSONS)) && (strong || !is_vocabulary(&text[span.clone()]));
    let greeted = strong && is_any(before, GREETINGS);
    let speaks = strong && (behind.starts_with(b"'s ") || is_any(word_behind(behind), BEHIND));
    let spoken_of = strong && is_any(before, BEFORE) && ends_clause(behind);
    let called = strong && is_called(text, &span);
    ((named || greeted || speaks || spoken_of || called) && !is_signed(text, word.start, word.end))
        .then_some(span)
}

/// `…, Jennifer!` and `Jennifer, can you …`.
fn is_called(text: &[u8], span: &Range<usize>) -> bool {
    let (before, behind) = (&text[..span.start], &text[span.end..]);
    let at_start = matches!(before, [] | [.., b'\n'] | [.., b'.' | b'!' | b'?', b' ']);
    (before.ends_with(b", ") && matches!(behind, [b'!' | b'?', ..]))
        || (at_start
            && matches!(behind, [b',', b' ', next, ..] if next.is_ascii_lowercase() || *next == b'I'))
}

/// A small word, or the end of a sentence or of a part of it.
fn ends_clause(behind: &[u8]) -> bool {
    match behind {
        [] => true,
        [b' ', next, ..] => next.is_ascii_lowercase(),
        [b'.' | b',' | b'!' | b'?' | b';', next, ..] => next.is_ascii_whitespace(),
        [b':', b' ', ..] | [b'.' | b'!' | b'?'] => true,
        _ => false,
    }
}

/// The capitalised word, initial or small word at `at`.
fn word_at(text: &[u8], at: usize) -> Option<Word> {
    let len = text[at..].iter().take(WORD_MAX + 1).take_while(|b| is_letter(**b)).count();
    let word = text[at..at + len].strip_suffix(b"'s").unwrap_or(&text[at..at + len]);
    let word = word.strip_suffix(b"'").unwrap_or(word);
    let (start, end) = (at, at + word.len());
    let found = |kind| Some(Word { start, end, kind });
    match word {
        [] => None,
        _ if len > WORD_MAX => None,
        [initial] => {
            if initial.is_ascii_uppercase() {
                found(Kind::Initial)
            } else {
                None
            }
        }
        [first, ..] if first.is_ascii_lowercase() => {
            let is_particle = PARTICLES.iter().any(|particle| word == particle.as_bytes());
            if is_particle { found(Kind::Particle) } else { None }
        }
        _ => is_name_shaped(word).then(|| known(word)).and_then(|name| found(Kind::Name(name))),
    }
}

/// A capital and small letters behind it: `Lena`, `O'Neil`, `McKay`, `Anna-Maria`; no `HTML` and no `OpenAI`.
fn is_name_shaped(word: &[u8]) -> bool {
    let (is_capital, len) = match word {
        [first, ..] if first.is_ascii() => (first.is_ascii_uppercase(), 1),
        _ => {
            let first = std::str::from_utf8(word).ok().and_then(|word| word.chars().next());
            (first.is_some_and(char::is_uppercase), first.map_or(1, char::len_utf8))
        }
    };
    let rest = &word[len..];
    let inner = |at: usize| {
        matches!(&word[..at], [.., b'-' | b'\''] | b"Mc" | b"Mac" | b"De" | b"Di" | b"Le" | b"La" | b"Van")
    };
    is_capital
        && rest.iter().any(|b| b.is_ascii_lowercase() || *b >= 0x80)
        && rest.iter().enumerate().all(|(index, b)| !b.is_ascii_uppercase() || inner(len + index))
}

fn is_name_part(text: &[u8], word: &Word) -> bool {
    match word.kind {
        Kind::Initial | Kind::Particle => true,
        Kind::Name(name) => {
            (name.given || name.family || !is_vocabulary(&text[word.start..word.end]))
                && !is_cut(text, word.end)
        }
    }
}

/// Whether a word may begin at the capital: behind a blank, a quote or a bracket; no part of an identifier, a path or a tag.
fn begins(text: &[u8], at: usize) -> bool {
    match &text[..at] {
        [] => true,
        // The end of an escape: `\nJane`.
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., before] => {
            !is_word(*before)
                && !matches!(
                    before,
                    b'_' | b'/' | b'\\' | b'@' | b'#' | b'$' | b'.' | b'-' | b'<' | b'&' | b'%' | b'+' | b'='
                )
        }
    }
}

/// Whether the word goes on as an identifier, a path, a call or a type does.
fn is_cut(text: &[u8], end: usize) -> bool {
    match &text[end..] {
        [b'.' | b':' | b'-', next, ..] => next.is_ascii_alphanumeric() || *next == b':',
        [next, ..] => next.is_ascii_alphanumeric() || b"_(=/\\@[{<".contains(next),
        [] => false,
    }
}

/// Whether the name signs a piece of work: an author's line, or an address behind it.
fn is_signed(text: &[u8], start: usize, end: usize) -> bool {
    let before = &text[start.saturating_sub(LINE_MAX)..start];
    let line = &before[memchr::memrchr(b'\n', before).map_or(0, |at| at + 1)..];
    let mut lower = [0; LINE_MAX];
    let lower = &mut lower[..line.len()];
    lower.copy_from_slice(line);
    lower.make_ascii_lowercase();
    matches!(&text[end..], [b' ', b'<' | b'2', ..])
        || SIGNED.iter().any(|sign| memchr::memmem::find(lower, sign).is_some())
}

fn follows_capitalised(text: &[u8], at: usize) -> bool {
    text[..at].ends_with(b" ") && word_before(text, at).first().is_some_and(u8::is_ascii_uppercase)
}

/// The word before a single space before `at`.
fn word_before(text: &[u8], at: usize) -> &[u8] {
    let Some((b' ', head)) = text[..at].split_last() else { return &[] };
    let len = head.iter().rev().take(WORD_MAX).take_while(|b| is_letter(**b)).count();
    &head[head.len() - len..]
}

/// The word behind a single space.
fn word_behind(behind: &[u8]) -> &[u8] {
    let [b' ', rest @ ..] = behind else { return &[] };
    &rest[..rest.iter().take(WORD_MAX).take_while(|b| is_letter(**b)).count()]
}

fn is_title(word: &[u8]) -> bool {
    TITLES.iter().any(|title| word == title.as_bytes())
}

fn is_one_of(text: &[u8], word: &Word, list: &[&str]) -> bool {
    is_any(&text[word.start..word.end], list)
}

fn is_any(word: &[u8], list: &[&str]) -> bool {
    list.iter().any(|known| word.len() == known.len() && word.eq_ignore_ascii_case(known.as_bytes()))
}

/// A letter of a name; of the characters beyond ASCII those of the Latin, Greek and Cyrillic scripts.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'\'' | b'-' | 0x80..0xc0 | 0xc3..=0xd4 | 0xe1)
}

/// The next byte that is a capital, or begins a letter of Latin with an accent; eight bytes at a look.
fn next_capital(text: &[u8], mut at: usize) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = LOW * 0x80;
    while let Some(chunk) = text.get(at..at + 8) {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(chunk);
        let word = u64::from_le_bytes(bytes);
        let ascii = word & (LOW * 0x7f);
        // Adding 0x3f sets the high bit from `A` on, adding 0x25 from behind `Z` on.
        let capital = (ascii + LOW * 0x3f) & !(ascii + LOW * 0x25) & !word & HIGH;
        // 0xc3 to 0xc5 are 0x43 to 0x45 with the high bit.
        let accented = (ascii + LOW * 0x3d) & !(ascii + LOW * 0x3a) & word & HIGH;
        let mask = capital | accented;
        if mask != 0 {
            return Some(at + mask.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    text[at..].iter().position(|b| b.is_ascii_uppercase() || (0xc3..=0xc5).contains(b)).map(|more| at + more)
}
