//! What is changed in a line before it is parsed: the parse runs on the changed text, so that what is judged is
//! exactly what is forwarded.

use memchr::{memchr, memchr2};

use super::refusal::{Fault, Refusal};
use super::string::{is_high, is_low, unicode_escape};
use super::{Direction, Repairs};

/// Which text is parsed and forwarded.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// The line as it came.
    Line(&'a str),
    /// The copy in the parser's buffer.
    Repaired,
}

impl<'a> Source<'a> {
    pub(super) fn text(self, repaired: &'a str) -> &'a str {
        match self {
            Self::Line(text) => text,
            Self::Repaired => repaired,
        }
    }
}

/// Escapes raw line separators and, to the client, replaces what is not UTF-8. `into` is filled only if something
/// had to be changed.
///
/// U+2028, U+2029 and U+0085 are legal in JSON strings, but end the line for Node's readline from version 25 on and
/// for Python's `str.splitlines`: one message here would be two there.
pub(super) fn normalise<'a>(
    line: &'a [u8],
    direction: Direction,
    into: &mut String,
) -> Result<(Source<'a>, Repairs), Fault> {
    into.clear();
    let mut repairs = Repairs::default();
    match std::str::from_utf8(line) {
        Ok(text) if text.is_ascii() || next_separator(line, 0).is_none() => {
            return Ok((Source::Line(text), repairs));
        }
        Err(error) if direction == Direction::ToServer => {
            return Err(Fault::new(Refusal::NotUtf8, error.valid_up_to()));
        }
        Ok(_) | Err(_) => {}
    }
    into.reserve(line.len());
    let (mut read, mut fault) = (0, None);
    for_each_piece(line, |piece| {
        match piece.kind {
            PieceKind::Kept => {}
            PieceKind::Separator if ends_inside_escape(into) => {
                // Behind a backslash the new escape would turn an error into an escaped backslash and letters.
                fault.get_or_insert(Fault::new(Refusal::Syntax, read));
            }
            PieceKind::Separator => repairs.separators += 1,
            PieceKind::NotUtf8 => repairs.utf8 += 1,
        }
        into.push_str(piece.text);
        read += piece.line_bytes;
    });
    fault.map_or(Ok((Source::Repaired, repairs)), Err)
}

/// Where offset `at` of the repaired text stood in the line as it came.
pub(super) fn original_offset(line: &[u8], at: usize) -> usize {
    let (mut read, mut written, mut found) = (0, 0, None);
    for_each_piece(line, |piece| {
        if found.is_none() && at < written + piece.text.len() {
            let inside = if piece.kind == PieceKind::Kept { at - written } else { 0 };
            found = Some(read + inside);
        }
        read += piece.line_bytes;
        written += piece.text.len();
    });
    found.unwrap_or(line.len())
}

/// Writes `\ufffd` over the escapes of lone surrogates, from the first byte to the last; the length stays. Returns
/// how many there were.
pub(super) fn replace_lone_surrogates(text: &str, into: &mut String) -> u32 {
    let bytes = text.as_bytes();
    into.clear();
    into.reserve(text.len());
    let (mut at, mut copied, mut replaced) = (0, 0, 0);
    while let Some(found) = memchr(b'\\', &bytes[at..]) {
        let backslash = at + found;
        let Some(unit) = unicode_escape(bytes, backslash) else {
            at = (backslash + 2).min(bytes.len());
            continue;
        };
        let is_pair = is_high(unit) && unicode_escape(bytes, backslash + 6).is_some_and(is_low);
        if !is_pair && (is_high(unit) || is_low(unit)) {
            into.push_str(&text[copied..backslash]);
            into.push_str("\\ufffd");
            copied = backslash + 6;
            replaced += 1;
        }
        at = backslash + if is_pair { 12 } else { 6 };
    }
    into.push_str(&text[copied..]);
    replaced
}

/// `text` with raw line separators written as escapes.
pub(super) fn escape_separators(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for_each_piece(text.as_bytes(), |piece| escaped.push_str(piece.text));
    escaped
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PieceKind {
    Kept,
    Separator,
    NotUtf8,
}

/// A part of the line and what is written for it.
struct Piece<'a> {
    kind: PieceKind,
    line_bytes: usize,
    text: &'a str,
}

fn for_each_piece(line: &[u8], mut take: impl FnMut(Piece<'_>)) {
    for chunk in line.utf8_chunks() {
        let valid = chunk.valid();
        let mut from = 0;
        while let Some((at, length, text)) = next_separator(valid.as_bytes(), from) {
            take(Piece { kind: PieceKind::Kept, line_bytes: at - from, text: &valid[from..at] });
            take(Piece { kind: PieceKind::Separator, line_bytes: length, text });
            from = at + length;
        }
        take(Piece { kind: PieceKind::Kept, line_bytes: valid.len() - from, text: &valid[from..] });
        if !chunk.invalid().is_empty() {
            take(Piece { kind: PieceKind::NotUtf8, line_bytes: chunk.invalid().len(), text: "\u{FFFD}" });
        }
    }
}

/// Offset, length and escape of the first separator at or after `from`.
fn next_separator(bytes: &[u8], from: usize) -> Option<(usize, usize, &'static str)> {
    let mut from = from;
    loop {
        let at = from + memchr2(0xC2, 0xE2, bytes.get(from..)?)?;
        match bytes[at..] {
            [0xC2, 0x85, ..] => return Some((at, 2, "\\u0085")),
            [0xE2, 0x80, 0xA8, ..] => return Some((at, 3, "\\u2028")),
            [0xE2, 0x80, 0xA9, ..] => return Some((at, 3, "\\u2029")),
            _ => from = at + 1,
        }
    }
}

/// The text ends with a backslash that is not itself escaped.
fn ends_inside_escape(text: &str) -> bool {
    text.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}
