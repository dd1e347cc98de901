//! JSON that stands in a string: read leniently, for nobody decides anything by it. Line breaks and keys that repeat are
//! let through, and one value may follow another (JSON lines).

use std::borrow::Cow;

use super::frame::{Frame, Repairs, Shape, Token, TokenKind};
use super::keys::offset;
use super::number;
use super::string::{self, Controls, StringEnd};

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 127;
/// Most values that are recorded.
const VALUES_MAX: usize = 1_000_000;

/// The text as a frame without an envelope, if it is JSON: an object or a list, or one such value a line.
pub(crate) fn frame<'t>(text: &'t str, tape: &'t mut Vec<Token>) -> Option<Frame<'t>> {
    tape.clear();
    let bytes = text.trim_ascii().as_bytes();
    let looks_like_it = matches!(bytes.first()?, b'{' | b'[') && matches!(bytes.last()?, b'}' | b']');
    (looks_like_it && u32::try_from(text.len()).is_ok()).then_some(())?;
    Reader { bytes: text.as_bytes(), at: 0, tape: &mut *tape, open: Vec::new() }.values()?;
    let shape = Shape::Notification { method: Cow::Borrowed(""), params: None };
    Some(Frame { bytes: text.as_bytes(), repairs: Repairs::default(), shape, tape, text })
}

struct Reader<'t, 'b> {
    bytes: &'t [u8],
    at: usize,
    tape: &'b mut Vec<Token>,
    /// Tokens of the containers that are open.
    open: Vec<usize>,
}

impl Reader<'_, '_> {
    fn values(mut self) -> Option<()> {
        while self.blank() < self.bytes.len() {
            matches!(self.bytes[self.at], b'{' | b'[').then_some(())?;
            self.value()?;
            while !self.open.is_empty() {
                self.element()?;
            }
        }
        Some(())
    }

    /// The next key or value of the innermost container, or its end.
    fn element(&mut self) -> Option<()> {
        let container = *self.open.last()?;
        let is_object = self.tape[container].kind == TokenKind::Object;
        let first = self.tape.len() == container + 1;
        self.blank();
        if *self.bytes.get(self.at)? == if is_object { b'}' } else { b']' } {
            self.at += 1;
            self.tape[container].end = offset(self.at);
            self.open.pop();
            return Some(());
        }
        if !first {
            self.skip(b',')?;
        }
        if is_object {
            self.string(TokenKind::Key)?;
            self.skip(b':')?;
        }
        self.value()
    }

    fn value(&mut self) -> Option<()> {
        let start = self.at;
        let (kind, end) = match *self.bytes.get(self.at)? {
            b'"' => return self.string(TokenKind::String),
            b'{' | b'[' => {
                let kind = if self.bytes[start] == b'{' { TokenKind::Object } else { TokenKind::Array };
                self.record(kind, start + 1, false)?;
                self.open.push(self.tape.len() - 1);
                return (self.open.len() <= DEPTH_MAX).then_some(());
            }
            b't' => (TokenKind::Bool, start + 4),
            b'f' => (TokenKind::Bool, start + 5),
            b'n' => (TokenKind::Null, start + 4),
            _ => (TokenKind::Number, number::scan(self.bytes, start).ok()?),
        };
        let word = self.bytes.get(start..end)?;
        (kind == TokenKind::Number || matches!(word, b"true" | b"false" | b"null")).then_some(())?;
        self.record(kind, end, false)
    }

    fn string(&mut self, kind: TokenKind) -> Option<()> {
        (*self.bytes.get(self.at)? == b'"').then_some(())?;
        let StringEnd { end, escaped } = string::scan(self.bytes, self.at, Controls::Absent).ok()?;
        self.record(kind, end, escaped)
    }

    fn record(&mut self, kind: TokenKind, end: usize, escaped: bool) -> Option<()> {
        (self.tape.len() < VALUES_MAX).then_some(())?;
        let depth = u8::try_from(self.open.len()).unwrap_or(u8::MAX);
        self.tape.push(Token { start: offset(self.at), end: offset(end), kind, depth, escaped });
        self.at = end;
        Some(())
    }

    /// Passes over this sign and the white space on both sides of it.
    fn skip(&mut self, sign: u8) -> Option<()> {
        self.blank();
        (*self.bytes.get(self.at)? == sign).then_some(())?;
        self.at += 1;
        self.blank();
        Some(())
    }

    fn blank(&mut self) -> usize {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Option<Vec<(TokenKind, u8, String)>> {
        let mut tape = Vec::new();
        let frame = frame(text, &mut tape)?;
        let part = |t: &Token| text[t.start as usize..t.end as usize].to_owned();
        Some(frame.tape.iter().map(|t| (t.kind, t.depth, part(t))).collect())
    }

    #[test]
    fn objects_lists_and_lines_of_them_are_read() {
        use TokenKind::{Array, Bool, Key, Null, Number, Object};
        let found = tokens("{\n \"a\" : [1, {\"b\\n\": true}],\n \"a\": null }\r\n[]\n").expect("it is JSON");
        let kinds: Vec<_> = found.iter().map(|(kind, depth, _)| (*kind, *depth)).collect();
        assert_eq!(
            kinds,
            [
                (Object, 0),
                (Key, 1),
                (Array, 1),
                (Number, 2),
                (Object, 2),
                (Key, 3),
                (Bool, 3),
                (Key, 1),
                (Null, 1),
                (Array, 0)
            ]
        );
        assert_eq!(found[2].2, "[1, {\"b\\n\": true}]");
        assert_eq!(found[5].2, "\"b\\n\"");
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in [
            "",
            "1",
            "\"a\"",
            "{",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "[INFO] done]",
            "{}x{}",
            "[tru]",
            "{} 1 []",
            "[,1]",
            "[1,,2]",
            "{\"a\":1 \"b\":2}",
            "[\"a]",
            "[01]",
        ] {
            assert_eq!(tokens(text), None, "{text}");
        }
        assert_eq!(tokens(&"[".repeat(200)), None);
        let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
        assert_eq!(tokens(&deep), None);
    }
}
