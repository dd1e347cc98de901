//! How long things may take. An emulated machine takes ten times as long for everything, and a probe that was not waited for
//! proves nothing.

use std::io;
use std::time::Duration;

/// Names, in the environment of whoever starts the probes, how many times as long as usual they are waited for.
const VARIABLE: &str = "STOCKADE_PROBES_PATIENCE";
/// The stage's fact that passes it on.
const FACT: &str = "patience";
const MAX: u32 = 100;

/// So many times as long as usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience(u32);

impl Patience {
    /// As the environment says.
    pub(super) fn asked_for() -> io::Result<Self> {
        match std::env::var(VARIABLE) {
            Ok(word) => Self::read(&word),
            Err(std::env::VarError::NotPresent) => Ok(Self(1)),
            Err(std::env::VarError::NotUnicode(_)) => Self::read(""),
        }
    }

    /// As the stage says.
    pub(super) fn of(facts: &str) -> io::Result<Self> {
        let said = facts.lines().find_map(|line| line.strip_prefix(FACT)?.strip_prefix(' '));
        said.map_or(Ok(Self(1)), Self::read)
    }

    /// From [`Patience::word`].
    pub(super) fn read(word: &str) -> io::Result<Self> {
        let number = word.parse().ok().filter(|number| (1..=MAX).contains(number));
        let wrong = || {
            io::Error::other(format!(
                "{VARIABLE} is not a number from 1 to {MAX}: give such a number, or none"
            ))
        };
        number.map(Self).ok_or_else(wrong)
    }

    pub(super) fn word(self) -> String {
        self.0.to_string()
    }

    /// What the stage says of it.
    pub(super) fn fact(self) -> (&'static str, String) {
        (FACT, self.word())
    }

    /// So much of what a slow host uses more of.
    pub(super) fn times(self, usual: u64) -> u64 {
        usual * u64::from(self.0)
    }

    /// So long as this takes here what usually takes `usual`.
    pub(super) fn with(self, usual: Duration) -> Duration {
        usual * self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_stage_says_is_what_was_asked_for() {
        let (key, word) = Patience(7).fact();
        let facts = format!("tcp4 99\n{key} {word}\nprobe G1-open\n");
        assert_eq!(Patience::of(&facts).expect("a number"), Patience(7));
        assert_eq!(Patience::of("tcp4 99\n").expect("nothing"), Patience(1));
    }

    #[test]
    fn none_and_far_too_much_are_refused() {
        for word in ["0", "101", "-1", "", "much"] {
            assert!(Patience::read(word).is_err(), "{word}");
        }
        assert_eq!(Patience::read("100").expect("a number").with(Duration::from_secs(2)).as_secs(), 200);
    }
}
