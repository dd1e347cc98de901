//! Bytes of one line → a [`Frame`], or the reason why it is refused.

mod envelope;
mod frame;
mod glance;
mod keys;
mod last;
pub(crate) mod methods;
mod names;
pub(crate) mod nested;
mod normalise;
mod number;
mod parser;
mod pointer;
mod refusal;
mod scan;
mod skip;
mod string;
mod view;

use std::fmt;

#[cfg(test)]
mod tests;

pub(crate) use names::folds_to;

pub use frame::{Frame, Id, IdKey, Node, NodeKind, Outcome, Repairs, Shape, Token, TokenKind};
pub use parser::Parser;
pub use refusal::{Refusal, Refused};

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server: strict grammar.
    ToServer,
    /// From the server to the client: what a client can still read is repaired.
    ToClient,
}

impl Direction {
    /// The word used in policies and events.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ToServer => "to-server",
            Self::ToClient => "to-client",
        }
    }
}

/// What is kept of a line that is too long to be kept whole.
#[derive(Clone, Copy)]
pub struct LineEnds<'a> {
    /// Its first bytes, up to 64 KiB.
    pub prefix: &'a [u8],
    /// Its last bytes without the LF, up to 1 KiB; may overlap the prefix.
    pub suffix: &'a [u8],
}

/// Shows no content: lines may hold secrets.
impl fmt::Debug for LineEnds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineEnds")
            .field("prefix", &self.prefix.len())
            .field("suffix", &self.suffix.len())
            .finish()
    }
}

/// Bounds of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest line without its LF, in bytes.
    pub frame_bytes_max: usize,
    /// Deepest nesting of objects and arrays.
    pub depth_max: u8,
    /// Most values that the tape records.
    pub values_max: usize,
}

impl Limits {
    /// The defaults of a direction: 10 MiB and depth 64 to the server, 32 MiB and depth 127 to the client
    /// (`serde_json`, the strictest reader among clients, refuses the 128th level).
    #[must_use]
    pub fn of(direction: Direction) -> Self {
        match direction {
            Direction::ToServer => Self { frame_bytes_max: 10 << 20, depth_max: 64, values_max: 1_000_000 },
            Direction::ToClient => Self { frame_bytes_max: 32 << 20, depth_max: 127, values_max: 1_000_000 },
        }
    }
}
