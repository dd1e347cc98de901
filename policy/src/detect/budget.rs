//! Steps that one message may cost (decision 16: a deterministic budget, no wall time).

/// What one message may cost. The largest honest frame (32 MiB) costs one step a byte and pass, and about half a
/// million findings fit beside it; an automaton with nested keywords on a hostile text runs into it in under a second.
const STEPS_PER_MESSAGE: u64 = 1 << 28;
/// A hit of an automaton.
pub(super) const HIT_STEPS: usize = 4;
/// A finding: its hash, its place in the raw bytes, its memory.
pub(super) const FINDING_STEPS: usize = 512;

/// The budget was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget(u64);

impl Budget {
    /// The budget of one message.
    pub(super) fn of_a_message() -> Self {
        Self(STEPS_PER_MESSAGE)
    }

    /// Takes steps away.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Spent> {
        match self.0.checked_sub(steps as u64) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                self.0 = 0;
                Err(Spent)
            }
        }
    }
}
