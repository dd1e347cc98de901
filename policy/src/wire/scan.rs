//! One strict pass over a text: the grammar of RFC 8259, with everything that readers see differently refused.

use super::frame::{Token, TokenKind};
use super::keys::{Mark, OpenKeys, RawKey, offset};
use super::refusal::{Fault, Refusal};
use super::string::{self, Controls, StringEnd};
use super::{Limits, number};

/// Buffers that are reused from one line to the next.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) tape: Vec<Token>,
    open: Vec<Open>,
    keys: OpenKeys,
}

/// Numbers this long are recorded wherever they stand: detectors look at them.
const NUMBER_RECORDED_BYTES: usize = 7;

/// Elements of arrays deeper than this are recorded only if they are strings, containers or long numbers.
const DEPTH_RECORDED: u8 = 3;

/// A container that is not closed yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    token: usize,
    object: Option<Mark>,
}

/// What followed an opening bracket, colon or comma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Whole,
    Opened,
}

/// Fills the tape with the one object in `text`, which holds neither CR nor LF.
pub(super) fn scan(
    text: &str,
    controls: Controls,
    limits: &Limits,
    buffers: &mut Buffers,
) -> Result<(), Fault> {
    buffers.tape.clear();
    buffers.open.clear();
    buffers.keys.clear();
    Scanner { text, bytes: text.as_bytes(), at: 0, controls, limits, buffers, values: 0 }.message()
}

impl Buffers {
    pub(super) fn shrink(&mut self, capacity_bytes_max: usize) {
        if self.tape.capacity() * size_of::<Token>() > capacity_bytes_max {
            self.tape = Vec::new();
        }
        self.keys.shrink(capacity_bytes_max);
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.tape.capacity() * size_of::<Token>() + self.held_key_bytes()
    }

    #[cfg(test)]
    pub(super) fn held_key_bytes(&self) -> usize {
        self.keys.held_bytes()
    }
}

struct Scanner<'t, 'b> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    controls: Controls,
    limits: &'b Limits,
    buffers: &'b mut Buffers,
    values: usize,
}

impl Scanner<'_, '_> {
    fn message(mut self) -> Result<(), Fault> {
        self.space();
        self.expect_object()?;
        self.open(TokenKind::Object)?;
        let mut just_opened = true;
        while let Some(&Open { object, .. }) = self.buffers.open.last() {
            self.space();
            let closing = if object.is_some() { b'}' } else { b']' };
            if !(just_opened && self.peek() == Some(closing)) {
                if let Some(mark) = object {
                    self.key(mark)?;
                }
                if self.value(object.is_some())? == Value::Opened {
                    just_opened = true;
                    continue;
                }
            }
            just_opened = false;
            self.comma_or_close()?;
        }
        self.space();
        if self.at < self.bytes.len() { Err(self.fault(Refusal::TrailingGarbage)) } else { Ok(()) }
    }

    /// What the line starts with says most about lines that are no message: log output, batches.
    fn expect_object(&self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => Ok(()),
            None => Err(self.fault(Refusal::Empty)),
            Some(b'[') => {
                let next = self.bytes[self.at + 1..].iter().find(|byte| !is_space(**byte));
                let is_batch = matches!(next, Some(b'{' | b'[' | b']'));
                Err(self.fault(if is_batch { Refusal::Batch } else { Refusal::NotAnObject }))
            }
            Some(_) => Err(self.fault(Refusal::NotAnObject)),
        }
    }

    fn key(&mut self, mark: Mark) -> Result<(), Fault> {
        let at = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.fault(Refusal::Syntax));
        }
        let StringEnd { end, escaped } = string::scan(self.bytes, at, self.controls)?;
        self.buffers.keys.add(
            self.text,
            mark,
            RawKey { at, inside: &self.text[at + 1..end - 1], escaped },
        )?;
        let depth = self.depth();
        self.buffers.tape.push(Token {
            start: offset(at),
            end: offset(end),
            kind: TokenKind::Key,
            depth,
            escaped,
        });
        self.at = end;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.fault(Refusal::Syntax));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn value(&mut self, in_object: bool) -> Result<Value, Fault> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                let StringEnd { end, escaped } = string::scan(self.bytes, start, self.controls)?;
                self.at = end;
                self.record(start, TokenKind::String, escaped)?;
            }
            Some(b'{') => {
                self.open(TokenKind::Object)?;
                return Ok(Value::Opened);
            }
            Some(b'[') => {
                self.open(TokenKind::Array)?;
                return Ok(Value::Opened);
            }
            Some(b'-' | b'+' | b'.' | b'0'..=b'9') => {
                self.at = number::scan(self.bytes, start)?;
                if in_object || self.depth() <= DEPTH_RECORDED || self.at - start >= NUMBER_RECORDED_BYTES {
                    self.record(start, TokenKind::Number, false)?;
                }
            }
            Some(b't') => self.word("true", TokenKind::Bool, in_object)?,
            Some(b'f') => self.word("false", TokenKind::Bool, in_object)?,
            Some(b'n') => self.word("null", TokenKind::Null, in_object)?,
            Some(b'N' | b'I') => {
                let rest = &self.bytes[start..];
                let is_number = rest.starts_with(b"NaN") || rest.starts_with(b"Infinity");
                return Err(self.fault(if is_number { Refusal::NumberForm } else { Refusal::Syntax }));
            }
            _ => return Err(self.fault(Refusal::Syntax)),
        }
        Ok(Value::Whole)
    }

    fn word(&mut self, word: &str, kind: TokenKind, in_object: bool) -> Result<(), Fault> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word.as_bytes()) {
            return Err(self.fault(Refusal::Syntax));
        }
        self.at += word.len();
        if in_object || self.depth() <= DEPTH_RECORDED { self.record(start, kind, false) } else { Ok(()) }
    }

    /// Behind a value: on to the next one, leaving all containers that close here.
    fn comma_or_close(&mut self) -> Result<(), Fault> {
        while let Some(&Open { token, object }) = self.buffers.open.last() {
            self.space();
            match (self.peek(), object) {
                (Some(b','), _) => {
                    self.at += 1;
                    return Ok(());
                }
                (Some(b'}'), Some(mark)) => self.buffers.keys.close(self.text, mark)?,
                (Some(b']'), None) => {}
                _ => return Err(self.fault(Refusal::Syntax)),
            }
            self.at += 1;
            self.buffers.tape[token].end = offset(self.at);
            self.buffers.open.pop();
        }
        Ok(())
    }

    fn open(&mut self, kind: TokenKind) -> Result<(), Fault> {
        if self.buffers.open.len() >= usize::from(self.limits.depth_max) {
            return Err(self.fault(Refusal::TooDeep));
        }
        let start = self.at;
        self.at += 1;
        self.record(start, kind, false)?;
        let object = (kind == TokenKind::Object).then(|| self.buffers.keys.mark());
        self.buffers.open.push(Open { token: self.buffers.tape.len() - 1, object });
        Ok(())
    }

    fn record(&mut self, start: usize, kind: TokenKind, escaped: bool) -> Result<(), Fault> {
        if self.values >= self.limits.values_max {
            return Err(Fault::new(Refusal::TooManyValues, start));
        }
        self.values += 1;
        let depth = self.depth();
        self.buffers.tape.push(Token { start: offset(start), end: offset(self.at), kind, depth, escaped });
        Ok(())
    }

    #[inline]
    fn space(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at)
            && is_space(byte)
        {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn depth(&self) -> u8 {
        // `open` keeps the number of open containers within `depth_max`, which is a `u8`.
        u8::try_from(self.buffers.open.len()).unwrap_or(u8::MAX)
    }

    fn fault(&self, reason: Refusal) -> Fault {
        Fault::new(reason, self.at)
    }
}

/// White space that may stand in a line: JSON's, without the two bytes that end lines.
#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
