//! JSON with comments and trailing commas, byte by byte.

use super::{Span, is_space};

/// What was found, or what was missed.
pub(super) type Scan<T> = Result<T, &'static str>;

/// A place in a text.
pub(super) struct Scanner<'a> {
    /// The text.
    pub(super) bytes: &'a [u8],
    /// The place.
    pub(super) at: usize,
}

impl Scanner<'_> {
    /// The byte here.
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The one value, and nothing behind it.
    pub(super) fn document(&mut self) -> Scan<Option<Span>> {
        self.trivia()?;
        if self.peek().is_none() {
            return Ok(None);
        }
        let root = self.value()?;
        self.trivia()?;
        match self.peek() {
            None => Ok(Some(root)),
            Some(_) => Err("something follows the end of the document"),
        }
    }

    /// White space and comments.
    pub(super) fn trivia(&mut self) -> Scan<()> {
        loop {
            match (self.peek(), self.bytes.get(self.at + 1)) {
                (Some(byte), _) if is_space(byte) => self.at += 1,
                (Some(b'/'), Some(b'/')) => {
                    let rest = &self.bytes[self.at..];
                    let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                    self.at += length.unwrap_or(rest.len());
                }
                (Some(b'/'), Some(b'*')) => {
                    let rest = &self.bytes[self.at + 2..];
                    let length = rest.windows(2).position(|pair| pair == b"*/");
                    self.at += 4 + length.ok_or("this comment does not end")?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// A value, from its first byte to its last. Open brackets are kept as the closer that each waits for.
    pub(super) fn value(&mut self) -> Scan<Span> {
        let start = self.at;
        let mut open: Vec<u8> = Vec::new();
        loop {
            if let Some(closer) = self.scalar_or_bracket()? {
                self.trivia()?;
                if self.peek() == Some(closer) {
                    self.at += 1;
                } else {
                    open.push(closer);
                    if closer == b'}' {
                        self.key()?;
                    }
                    continue;
                }
            }
            while let Some(closer) = open.last().copied() {
                self.trivia()?;
                self.next_item_before(closer)?;
                if self.peek() != Some(closer) {
                    if closer == b'}' {
                        self.key()?;
                    }
                    break;
                }
                self.at += 1;
                open.pop();
            }
            if open.is_empty() {
                return Ok(start..self.at);
            }
        }
    }

    /// Behind a value: over a comma to the next item, or to the closing bracket.
    pub(super) fn next_item(&mut self) -> Scan<()> {
        self.trivia()?;
        if self.peek() == Some(b',') {
            self.at += 1;
            self.trivia()?;
        }
        Ok(())
    }

    fn next_item_before(&mut self, closer: u8) -> Scan<()> {
        match self.peek() {
            Some(b',') => self.next_item(),
            Some(byte) if byte == closer => Ok(()),
            Some(_) if closer == b'}' => Err("expected `,` or `}`"),
            Some(_) => Err("expected `,` or `]`"),
            None => Err("the document ends inside of an object or array"),
        }
    }

    /// `"key" :`, up to the value.
    pub(super) fn key(&mut self) -> Scan<Span> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.string()?,
            None => return Err("the document ends inside of an object"),
            Some(_) => return Err("expected a key in double quotes"),
        }
        let key = start..self.at;
        self.trivia()?;
        if self.peek() != Some(b':') {
            return Err("expected `:`");
        }
        self.at += 1;
        self.trivia()?;
        Ok(key)
    }

    /// Over a whole scalar, or over an opening bracket: then its closer is returned.
    fn scalar_or_bracket(&mut self) -> Scan<Option<u8>> {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                return Ok(Some(b'}'));
            }
            Some(b'[') => {
                self.at += 1;
                return Ok(Some(b']'));
            }
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            Some(_) => return Err("expected a value"),
            None => return Err("the document ends where a value should stand"),
        }
        Ok(None)
    }

    fn literal(&mut self, word: &'static [u8]) -> Scan<()> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Scan<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Scan<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err("expected a digit") } else { Ok(()) }
    }

    fn string(&mut self) -> Scan<()> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return Err("a string holds a bare control character (a missing quote?)"),
                Some(_) => self.at += 1,
                None => return Err("the document ends inside of a string"),
            }
        }
    }

    fn escape(&mut self) -> Scan<()> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                match digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    true => 6,
                    false => return Err("`\\u` needs four hexadecimal digits"),
                }
            }
            _ => return Err("unknown escape in a string"),
        };
        self.at += length;
        Ok(())
    }
}
