//! Options as most programs read them (getopt_long, pflag, clap, argparse): long ones with `=` or a word of their own,
//! short ones alone, in a cluster, or with their value attached. Abbreviations of long names are not guessed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// A name as short letter (empty: none) and long name.
pub(super) type Name = (&'static str, &'static str);

/// The options of a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar {
    /// These take a value.
    pub(super) values: &'static [Name],
    /// These take none; `--name=value` is read all the same.
    pub(super) flags: &'static [Name],
}

/// A command line in its parts.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Options by their long names, in their order.
    pub(super) options: Vec<(&'static str, Option<OsString>)>,
    /// What is not known or not complete, as typed.
    pub(super) unknown: Vec<String>,
    /// From the first word that is no option on, or what follows `--`.
    pub(super) rest: Vec<OsString>,
}

impl Read {
    /// Every value of the option `name`, in their order.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &OsStr> {
        let wanted = self.options.iter().filter(move |(known, _)| *known == name);
        wanted.filter_map(|(_, value)| value.as_deref())
    }

    /// The last value of the option `name`: the later wins.
    pub(super) fn last(&self, name: &str) -> Option<String> {
        self.all(name).last().map(|value| value.to_string_lossy().into_owned())
    }

    /// Is the option there at all?
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(known, _)| *known == name)
    }
}

/// What the first of some words was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An option, of so many words.
    Option(usize),
    /// `--`
    End,
    /// No option; or there is none any more.
    Word,
}

/// Reads options up to the first word that is none.
pub(super) fn read(words: &[OsString], grammar: Grammar) -> Read {
    let mut read = Read::default();
    let mut rest = words;
    while let Step::Option(used) = read.step(rest, grammar) {
        rest = rest.get(used..).unwrap_or(&[]);
    }
    let is_end = rest.first().is_some_and(|word| word == "--");
    read.rest = if is_end { rest.get(1..).unwrap_or(&[]).to_vec() } else { rest.to_vec() };
    read
}

impl Read {
    /// Reads the option that `words` begin with, if they do.
    pub(super) fn step(&mut self, words: &[OsString], grammar: Grammar) -> Step {
        let Some(word) = words.first() else { return Step::Word };
        let bytes = word.as_bytes();
        if bytes == b"--" {
            return Step::End;
        }
        if bytes == b"-" || !bytes.starts_with(b"-") {
            return Step::Word;
        }
        let next = words.get(1);
        let taken = match word.to_str() {
            None => {
                self.unknown.push(word.to_string_lossy().into_owned());
                false
            }
            Some(word) => match word.strip_prefix("--") {
                Some(long) => self.long(word, long, next, grammar),
                None => self.cluster(word, next, grammar),
            },
        };
        Step::Option(if taken { 2 } else { 1 })
    }
}

impl Read {
    /// Says whether the next word was the value.
    fn long(&mut self, word: &str, long: &str, next: Option<&OsString>, grammar: Grammar) -> bool {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (long, None),
        };
        let called = |list: &'static [Name]| list.iter().find(|known| known.1 == name).map(|known| known.1);
        if let Some(known) = called(grammar.values) {
            let taken = value.is_none();
            match value.or_else(|| next.cloned()) {
                Some(value) => self.options.push((known, Some(value))),
                None => self.unknown.push(format!("{word} without its value")),
            }
            return taken;
        }
        match called(grammar.flags) {
            Some(known) => self.options.push((known, value)),
            None => self.unknown.push(word.to_owned()),
        }
        false
    }

    /// `-it`, `-p3.12`, `-e X`; says whether the next word was the value.
    fn cluster(&mut self, word: &str, next: Option<&OsString>, grammar: Grammar) -> bool {
        let letters = &word[1..];
        for (at, letter) in letters.char_indices() {
            let called = |list: &'static [Name]| {
                let is = |short: &str| short.starts_with(letter) && short.len() == letter.len_utf8();
                list.iter().find(|known| is(known.0)).map(|known| known.1)
            };
            if let Some(known) = called(grammar.values) {
                let attached = &letters[at + letter.len_utf8()..];
                let attached = attached.strip_prefix('=').unwrap_or(attached);
                let value = if attached.is_empty() { next.cloned() } else { Some(OsString::from(attached)) };
                match value {
                    Some(value) => self.options.push((known, Some(value))),
                    None => self.unknown.push(format!("-{letter} without its value")),
                }
                return attached.is_empty();
            }
            match called(grammar.flags) {
                Some(known) => self.options.push((known, None)),
                None => {
                    self.unknown.push(word.to_owned());
                    return false;
                }
            }
        }
        false
    }
}
