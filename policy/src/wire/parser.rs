//! A line on its way through the grammar.

use std::fmt;

use memchr::memchr2;

use super::glance::{Glance, glance};
use super::last::glance_at_ends;
use super::normalise::{Source, normalise, original_offset, replace_lone_surrogates};
use super::refusal::Fault;
use super::scan::{Buffers, scan};
use super::string::{Controls, first_control};
use super::view::View;
use super::{Direction, Frame, Limits, LineEnds, Refusal, Refused, Repairs, envelope};

/// Parses lines, reusing its buffers from one to the next.
#[derive(Default)]
pub struct Parser {
    repaired: String,
    /// Second buffer: a line may need two repairs.
    spare: String,
    buffers: Buffers,
}

/// Buffers above this are given back by [`Parser::shrink`].
const CAPACITY_KEPT_BYTES: usize = 256 << 10;

impl Parser {
    /// A line without its LF → a frame that borrows from the line (or from the repaired copy kept here). One CR at
    /// its end is let through and stays in the frame's bytes.
    ///
    /// # Errors
    /// The first reason to refuse the line; nothing of a refused line may be forwarded.
    pub fn parse<'a>(
        &'a mut self,
        line: &'a [u8],
        direction: Direction,
        limits: &Limits,
    ) -> Result<Frame<'a>, Refused> {
        let (source, repairs) = self.read(line, direction, limits).map_err(|fault| refuse(line, fault))?;
        let this: &'a Self = self;
        let text: &'a str = source.text(&this.repaired);
        let tape = this.buffers.tape.as_slice();
        match envelope::shape(&View { text, tape }, direction) {
            Ok(shape) => Ok(Frame { bytes: text.as_bytes(), repairs, shape, tape, text }),
            Err(fault) => Err(refuse(line, in_line(line, source, repairs, fault))),
        }
    }

    /// What can be said of a line that is longer than the limit, from its first and its last bytes.
    #[must_use]
    pub fn refuse_oversize(ends: LineEnds<'_>, direction: Direction) -> Refused {
        // The grammar of an id is the same both ways.
        let (Direction::ToServer | Direction::ToClient) = direction;
        let (id, is_call) = glance_at_ends(ends);
        Refused { reason: Refusal::Oversize, offset: ends.prefix.len(), id, is_call }
    }

    /// Gives memory back after a large frame.
    pub fn shrink(&mut self) {
        for text in [&mut self.repaired, &mut self.spare] {
            if text.capacity() > CAPACITY_KEPT_BYTES {
                *text = String::new();
            }
        }
        self.buffers.shrink(CAPACITY_KEPT_BYTES);
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.repaired.capacity() + self.spare.capacity() + self.buffers.held_bytes()
    }

    #[cfg(test)]
    pub(super) fn held_key_bytes(&self) -> usize {
        self.buffers.held_key_bytes()
    }

    /// Normalises and scans; faults come back with their offset in the line.
    fn read<'a>(
        &mut self,
        line: &'a [u8],
        direction: Direction,
        limits: &Limits,
    ) -> Result<(Source<'a>, Repairs), Fault> {
        check_length(line.len(), limits)?;
        if line.starts_with(b"\xEF\xBB\xBF") {
            return Err(Fault::new(Refusal::Bom, 0));
        }
        let (mut source, mut repairs) = normalise(line, direction, &mut self.repaired)?;
        let mut scanned = self.scan(source, limits);
        if direction == Direction::ToClient
            && scanned.is_err_and(|fault| fault.reason == Refusal::LoneSurrogate)
        {
            // Node cuts an emoji in half when it cuts a string: the answer is still worth having.
            let text = source.text(&self.repaired);
            repairs.surrogates = replace_lone_surrogates(text, &mut self.spare);
            std::mem::swap(&mut self.repaired, &mut self.spare);
            source = Source::Repaired;
            scanned = self.scan(source, limits);
        }
        match scanned {
            Ok(()) => Ok((source, repairs)),
            Err(fault) => Err(in_line(line, source, repairs, fault)),
        }
    }

    fn scan(&mut self, source: Source<'_>, limits: &Limits) -> Result<(), Fault> {
        let text = source.text(&self.repaired);
        // Escapes are longer than what they stand for: a peer's own limit holds for what is forwarded.
        check_length(text.len(), limits)?;
        scan_line(text, limits, &mut self.buffers)
    }
}

/// Shows no content: lines may hold secrets.
impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parser").finish_non_exhaustive()
    }
}

fn scan_line(text: &str, limits: &Limits, buffers: &mut Buffers) -> Result<(), Fault> {
    let message = text.strip_suffix('\r').unwrap_or(text);
    let controls = match first_control(message.as_bytes()) {
        None => Controls::Absent,
        Some(from) => {
            if let Some(found) = memchr2(b'\r', b'\n', &message.as_bytes()[from..]) {
                let at = from + found;
                let is_cr = message.as_bytes()[at] == b'\r';
                return Err(Fault::new(if is_cr { Refusal::BareCr } else { Refusal::LineFeed }, at));
            }
            Controls::Possible
        }
    };
    scan(message, controls, limits, buffers)
}

fn check_length(length: usize, limits: &Limits) -> Result<(), Fault> {
    // Token offsets are 32 bits wide.
    let bytes_max = limits.frame_bytes_max.min(u32::MAX as usize);
    if length > bytes_max { Err(Fault::new(Refusal::Oversize, bytes_max)) } else { Ok(()) }
}

/// The fault with its offset moved from the parsed text to the line.
fn in_line(line: &[u8], source: Source<'_>, repairs: Repairs, fault: Fault) -> Fault {
    // Surrogates are replaced by escapes of the same length.
    let is_moved = matches!(source, Source::Repaired) && repairs.separators + repairs.utf8 > 0;
    if is_moved { Fault { at: original_offset(line, fault.at), ..fault } } else { fault }
}

fn refuse(line: &[u8], fault: Fault) -> Refused {
    let Glance { id, is_call, .. } = glance(line);
    Refused { reason: fault.reason, offset: fault.at.min(line.len()), id, is_call }
}
