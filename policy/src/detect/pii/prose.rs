//! Names of people in prose: `Ms. Okafor`, `Lena Wirth`, `please ask Jennifer`.
//!
//! One pass over the capitals that begin a word; the rest is looked at only there. A title says that a name follows. Without
//! one it takes a given name of the list with a capitalised word that is no vocabulary behind it, or a given name alone where
//! people are spoken about or to. Whoever wrote a commit, a file or a copyright notice is no finding: that is how work is
//! signed, and it stands everywhere.

use std::ops::Range;

use super::super::generic::is_vocabulary;
use super::bytes::{JOINT, Letters, NAME, class, letters, next_capital, word_end};
use super::list::List;
use super::people::Strength::Strong;
use super::people::{Known, known, known_letters};
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
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// `Lena`
    Name(Known),
    /// `J.`
    Initial,
    /// `van`
    #[default]
    Particle,
}

/// Words that follow each other.
#[derive(Debug, Default)]
struct Run {
    words: [Word; WORDS_MAX],
    count: usize,
}

/// Calls `found` for each name in the text; gives the steps it took.
pub(in crate::detect) fn scan(text: &[u8], mut found: impl FnMut(Range<usize>)) -> usize {
    let (mut at, mut steps, mut run) = (0, 0, Run::default());
    while let Some(capital) = next_capital(text, at) {
        // The second half of Latin-1 has the small letters.
        let is_small = text[capital] == 0xc3 && text.get(capital + 1).is_some_and(|b| *b >= 0x9f);
        let may_begin = !is_small && begins(text, capital);
        let last = if may_begin { run.read(text, capital) } else { None };
        let Some(last) = last else {
            at = identifier_end(text, capital + 1);
            steps += 1;
            continue;
        };
        let end = last.end;
        steps += end - capital;
        let hit = titled(text, &run).or_else(|| paired(text, &run)).or_else(|| alone(text, &run, last));
        at = hit.as_ref().map_or(end, |span| span.end);
        if let Some(span) = hit {
            found(span);
        }
    }
    steps
}

/// The rest of an identifier or of a word in capitals.
fn identifier_end(text: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(byte) = text.get(at)
        && (*byte == b'_' || byte.is_ascii_alphanumeric())
    {
        at = word_end(text, at + 1);
    }
    at
}

impl Run {
    /// The words from `start` on; the last one, if there is any.
    fn read(&mut self, text: &[u8], start: usize) -> Option<Word> {
        let mut at = start;
        self.count = 0;
        while self.count < WORDS_MAX {
            let Some(word) = word_at(text, at) else { break };
            if word.kind == Kind::Particle && self.count == 0 {
                break;
            }
            self.words[self.count] = word;
            self.count += 1;
            at = match &text[word.end..] {
                [b'.', b' ', ..] if word.kind == Kind::Initial || is_title(&text[word.start..word.end]) => {
                    word.end + 2
                }
                [b' ', ..] => word.end + 1,
                _ => break,
            };
        }
        // A small word belongs to the name only if another word follows.
        while self.words().last().is_some_and(|word| word.kind == Kind::Particle) {
            self.count -= 1;
        }
        self.words().last().copied()
    }

    fn words(&self) -> &[Word] {
        &self.words[..self.count]
    }
}

/// `Mr. Baader`: any capitalised word behind a title, if it is no vocabulary.
fn titled(text: &[u8], run: &Run) -> Option<Range<usize>> {
    let [title, first, rest @ ..] = run.words() else { return None };
    if !is_title(&text[title.start..title.end]) {
        return None;
    }
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
    let names = rest.iter().take_while(|word| is_name_part(text, word));
    let end = names.filter(|word| word.kind != Kind::Particle).last();
    Some(first.start..end.map_or(first.end, |word| word.end))
}

/// `Lena Wirth`: a given name and what may be a family name, or the other way round.
fn paired(text: &[u8], run: &Run) -> Option<Range<usize>> {
    let is_known = |word: &Word| matches!(word.kind, Kind::Name(name) if name.given || name.family);
    if run.count < 2 || !(run.words().iter().any(is_known) || initialled(text, run)) {
        return None;
    }
    let names = || {
        run.words().iter().enumerate().filter_map(|(at, word)| match word.kind {
            Kind::Name(name) => Some((at, word, name)),
            Kind::Initial | Kind::Particle => None,
        })
    };
    let (_, last, family) = names().next_back()?;
    let (at, first, given) = names().find(|(_, _, name)| name.given).or_else(|| names().next())?;
    if !(given.given || given.family || family.family || initialled(text, run)) {
        return None;
    }
    let is_thing = run.words().iter().any(|word| is_one_of(text, word, &OF_NO_PERSON));
    if is_thing || first.start == last.start || is_cut(text, last.end) {
        return None;
    }
    let place = at.checked_sub(1).is_some_and(|before| is_one_of(text, &run.words[before], &OF_PLACES));
    let is_vocabulary = |word: &Word| is_vocabulary(&text[word.start..word.end]);
    let is_person = match (given, family) {
        _ if place => false,
        (
            Known { given: true, strength: Strong, .. },
            Known { family: true, .. } | Known { given: true, .. },
        ) => true,
        (Known { given: true, .. }, Known { family: true, strength: Strong, .. }) => true,
        (Known { given: true, strength: Strong, .. }, _) if !is_vocabulary(last) => true,
        (Known { family: true, strength: Strong, .. }, Known { given: true, strength: Strong, .. }) => true,
        // `Tindra I. Holm`.
        _ if initialled(text, run) && !is_vocabulary(first) && !is_vocabulary(last) => true,
        (Known { family: false, .. }, Known { family: true, strength: Strong, .. }) => {
            run.count == 2 && !is_vocabulary(first) && !is_vocabulary(last)
        }
        _ => false,
    };
    (is_person && !is_signed(text, first.start, last.end)).then_some(first.start..last.end)
}

/// Whether it is a word, a letter with a dot, and a word.
fn initialled(text: &[u8], run: &Run) -> bool {
    let [first, initial, last] = run.words() else { return false };
    matches!((first.kind, last.kind), (Kind::Name(_), Kind::Name(_)))
        && initial.kind == Kind::Initial
        && text.get(initial.end) == Some(&b'.')
}

/// A name of the lists alone, where somebody is spoken about or to.
fn alone(text: &[u8], run: &Run, word: Word) -> Option<Range<usize>> {
    // What stands before a name may be the first word of a sentence: `Ask Jennifer`.
    let Kind::Name(name) = word.kind else { return None };
    let span = word.start..word.end;
    let strong = (name.given || name.family) && name.strength == Strong;
    // A name that says little needs a word before it.
    let follows_blank = matches!(&text[..word.start], [.., b' ']);
    let may_be = if strong { run.count <= 2 } else { run.count == 1 && follows_blank };
    if !may_be || is_cut(text, word.end) {
        return None;
    }
    let before = word_before(text, word.start);
    let asked = matches!(&text[..word.start], [.., b'?', b' ']) && text[..word.start].ends_with(ASKED);
    if !(strong || asked || before.first().is_some_and(u8::is_ascii_lowercase)) {
        return None;
    }
    let behind = &text[word.end..];
    let named = (asked || PERSONS.has(before)) && (strong || !is_vocabulary(&text[span.clone()]));
    let greeted = strong && GREETINGS.has(before);
    let speaks = strong && (behind.starts_with(b"'s ") || BEHIND.has(word_behind(behind)));
    let spoken_of = strong && BEFORE.has(before) && ends_clause(behind);
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
    let Some(Letters { len, head, has_capital }) = letters(text, at) else { return rare_word_at(text, at) };
    let word = &text[at..at + len];
    let kind = match word {
        [] => None,
        [initial] => initial.is_ascii_uppercase().then_some(Kind::Initial),
        [first, ..] if first.is_ascii_lowercase() => PARTICLES.has_exactly(word).then_some(Kind::Particle),
        // `HTML`
        [_, second, ..] if second.is_ascii_uppercase() => None,
        _ if has_capital && !is_name_shaped(word) => None,
        _ => Some(Kind::Name(known_letters(word, head))),
    };
    kind.map(|kind| Word { start: at, end: at + len, kind })
}

/// The same for words of other letters and with signs, for long ones, and near the end of the text.
fn rare_word_at(text: &[u8], at: usize) -> Option<Word> {
    let len = text[at..].iter().take(WORD_MAX + 1).take_while(|b| is_letter(**b)).count();
    let word = text[at..at + len].strip_suffix(b"'s").unwrap_or(&text[at..at + len]);
    let word = word.strip_suffix(b"'").unwrap_or(word);
    let kind = match word {
        [] => return None,
        _ if len > WORD_MAX => return None,
        [initial] => initial.is_ascii_uppercase().then_some(Kind::Initial),
        [first, ..] if first.is_ascii_lowercase() => PARTICLES.has_exactly(word).then_some(Kind::Particle),
        _ => is_name_shaped(word).then(|| Kind::Name(known(word))),
    };
    kind.map(|kind| Word { start: at, end: at + word.len(), kind })
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
        [.., before] if class(*before) & JOINT == 0 => true,
        // The end of an escape: `\nJane`.
        [.., b'\\', b'n' | b'r' | b't'] => true,
        before => before.is_empty(),
    }
}

/// Whether the word goes on as an identifier, a path, a call or a type does.
fn is_cut(text: &[u8], end: usize) -> bool {
    match &text[end..] {
        [b'.' | b':' | b'-', next, ..] => next.is_ascii_alphanumeric() || *next == b':',
        [next, ..] => {
            next.is_ascii_alphanumeric()
                || matches!(next, b'_' | b'(' | b'=' | b'/' | b'\\' | b'@' | b'[' | b'{' | b'<')
        }
        [] => false,
    }
}

/// Whether the name signs a piece of work: an author's line, or an address behind it.
fn is_signed(text: &[u8], start: usize, end: usize) -> bool {
    let before = &text[start.saturating_sub(LINE_MAX)..start];
    let line = &before[memchr::memrchr(b'\n', before).map_or(0, |at| at + 1)..];
    let signs = |at: usize| SIGNED.iter().any(|sign| has_at(line, at, sign));
    matches!(&text[end..], [b' ', b'<' | b'2', ..])
        || line.iter().enumerate().any(|(at, byte)| SIGN_HEADS[usize::from(*byte)] && signs(at))
}

/// Whether `sign` (in small letters) stands at `at`, in any case.
fn has_at(line: &[u8], at: usize, sign: &[u8]) -> bool {
    line.get(at..at + sign.len()).is_some_and(|part| part.eq_ignore_ascii_case(sign))
}

/// First bytes of [`SIGNED`], in both cases.
static SIGN_HEADS: [bool; 256] = {
    let (mut heads, mut at) = ([false; 256], 0);
    while at < SIGNED.len() {
        heads[SIGNED[at][0] as usize] = true;
        heads[SIGNED[at][0].to_ascii_uppercase() as usize] = true;
        at += 1;
    }
    heads
};

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
    TITLES.has_exactly(word)
}

fn is_one_of(text: &[u8], word: &Word, list: &List) -> bool {
    list.has(&text[word.start..word.end])
}

/// A letter of a name.
fn is_letter(byte: u8) -> bool {
    class(byte) & NAME != 0
}
