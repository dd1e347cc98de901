//! Where things stand in a config, as byte ranges into the original text.
//!
//! TOML and YAML are located by crates (`toml`, `yaml`). For JSON the grammar is RFC 8259 plus what editors allow in configs: comments, trailing commas, a byte order mark. Nothing is
//! built but ranges, so whatever is not looked at (a lone surrogate escape in a client's own history, say, at which
//! parsers that build strings give up) cannot stand in the way. No recursion: depth costs a byte a level.

mod toml;
mod tree;
mod yaml;

use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use crate::clients::registry::Format;
use tree::{Node, Tree};

/// Bytes of a document, from–to.
pub(crate) type Span = Range<usize>;

/// Where and why a text is not a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What was met or missed.
    pub what: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for Malformed {}

/// A text whose whole grammar has been checked.
#[derive(Clone, Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    format: Format,
    root: Option<Span>,
    /// Of TOML and YAML.
    tree: Option<Rc<Tree>>,
}

/// One `"key": value`.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The key with its quotes.
    pub key: Span,
    /// The key's text; `None` if it holds half a surrogate pair.
    pub name: Option<String>,
    /// The value.
    pub value: Span,
}

impl<'a> Document<'a> {
    /// Checks a text from its first byte to its last.
    ///
    /// # Errors
    /// The first place where it is not UTF-8 or breaks the grammar.
    pub(crate) fn parse(bytes: &'a [u8], format: Format) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let what = match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "this is UTF-16, not UTF-8",
                _ => "this byte is not UTF-8",
            };
            malformed_at(bytes, error.valid_up_to(), what.to_owned())
        })?;
        let skipped = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let (root, tree) = match format {
            Format::Json => {
                let mut scanner = Scanner { bytes, at: skipped };
                let root = scanner.document();
                (root.map_err(|what| malformed_at(bytes, scanner.at, what.to_owned()))?, None)
            }
            Format::Toml => {
                let (root, tree) = toml::parse(text, skipped)?;
                (Some(root), Some(Rc::new(tree)))
            }
            Format::Yaml => {
                let (root, tree) = yaml::parse(text, skipped)?;
                (root, Some(Rc::new(tree)))
            }
        };
        Ok(Self { text, format, root, tree })
    }

    /// In which language it is.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether the table, mapping or sequence at `span` stands in brackets.
    pub(crate) fn is_flow(&self, span: &Span) -> bool {
        self.raw(span).starts_with(['{', '['])
    }

    /// Whether the table that this member belongs to stands in brackets, as all of JSON does.
    pub(crate) fn is_flow_at(&self, member: &Member) -> bool {
        let Some(tree) = &self.tree else { return true };
        tree.table_of(member).is_some_and(|span| self.is_flow(span))
    }

    /// Whether nothing but indentation, or the dash of an item, stands before this member.
    pub(crate) fn begins_its_line(&self, member: &Member) -> bool {
        let before = self.line_before(member.key.start);
        before
            .bytes()
            .all(|byte| matches!(byte, b' ' | b'\t') || (byte == b'-' && self.format == Format::Yaml))
    }

    /// What stands before `at` in its line.
    pub(crate) fn line_before(&self, at: usize) -> &'a str {
        let before = self.raw(&(0..at));
        before.rsplit('\n').next().unwrap_or(before).trim_start_matches('\u{feff}')
    }

    /// The line break of this text.
    pub(crate) fn line_break(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// The string at `span` as it can stand in an array of the same document: as it was written, where that means the same there.
    pub(crate) fn literal(&self, span: &Span) -> String {
        let raw = self.raw(span);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./@+=-".contains(&byte);
        let is_safe = self.format != Format::Yaml
            || raw.starts_with(['"', '\''])
            || (raw.bytes().all(plain) && !raw.starts_with(['-', '@', '.']));
        if is_safe { raw.to_owned() } else { quoted(&self.string(span).unwrap_or_default()) }
    }

    /// The text of the value at `span` as a document of its own, if it stood there: what its first line lacks is put before it.
    pub(crate) fn alone(&self, text: &str, span: &Span) -> String {
        match self.format {
            Format::Yaml if !text.starts_with(['{', '[']) => {
                let indent = self.line_before(span.start).chars().map(|_| ' ');
                indent.chain(text.chars()).collect()
            }
            // An inline table is no document: it needs a key.
            Format::Toml if text.starts_with('{') => format!("alone = {text}"),
            _ => text.to_owned(),
        }
    }

    /// Where the value is in a document that [`Document::alone`] made.
    pub(crate) fn alone_at(&self) -> Option<Span> {
        let root = self.root()?;
        if self.format == Format::Toml && self.text.starts_with("alone = {") {
            return self.members(&root)?.into_iter().next().map(|member| member.value);
        }
        Some(root)
    }

    /// The one value of the document; `None` if it is blank.
    pub(crate) fn root(&self) -> Option<Span> {
        self.root.clone()
    }

    /// The bytes as text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The original text of a span.
    pub(crate) fn raw(&self, span: &Span) -> &'a str {
        self.text.get(span.clone()).unwrap_or("")
    }

    /// The members of the object at `span`; `None` if something else stands there.
    pub(crate) fn members(&self, span: &Span) -> Option<Vec<Member>> {
        if let Some(tree) = &self.tree {
            return match tree.at(span)? {
                Node::Map(members) => Some(members.clone()),
                _ => None,
            };
        }
        let mut scanner = self.enter(span, b'{')?;
        let mut members = Vec::new();
        while scanner.peek() != Some(b'}') {
            let key = scanner.key().ok()?;
            let value = scanner.value().ok()?;
            members.push(Member { name: self.string(&key), key, value });
            scanner.next_item().ok()?;
        }
        Some(members)
    }

    /// The items of the array at `span`; `None` if something else stands there.
    pub(crate) fn items(&self, span: &Span) -> Option<Vec<Span>> {
        if let Some(tree) = &self.tree {
            return match tree.at(span)? {
                Node::List(items) => Some(items.clone()),
                _ => None,
            };
        }
        let mut scanner = self.enter(span, b'[')?;
        let mut items = Vec::new();
        while scanner.peek() != Some(b']') {
            items.push(scanner.value().ok()?);
            scanner.next_item().ok()?;
        }
        Some(items)
    }

    /// The comma that follows a value, white space and comments between them.
    pub(crate) fn comma_after(&self, value_end: usize) -> Option<Span> {
        let mut scanner = Scanner { bytes: self.text.as_bytes(), at: value_end };
        if self.tree.is_some() {
            while scanner.peek().is_some_and(is_space) {
                scanner.at += 1;
            }
        } else {
            scanner.trivia().ok()?;
        }
        (scanner.peek() == Some(b',')).then_some(scanner.at..scanner.at + 1)
    }

    /// The text of the string at `span`; `None` for anything else and for half a surrogate pair.
    pub(crate) fn string(&self, span: &Span) -> Option<String> {
        if let Some(tree) = &self.tree {
            return match tree.at(span)? {
                Node::Text(text) => Some(text.clone()),
                _ => None,
            };
        }
        serde_json::from_str(self.raw(span)).ok()
    }

    /// Line of an offset, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        malformed_at(self.text.as_bytes(), at, String::new()).line
    }

    /// A scanner behind the opening bracket of `span`.
    fn enter(&self, span: &Span, bracket: u8) -> Option<Scanner<'a>> {
        let mut scanner = Scanner { bytes: self.text.as_bytes().get(..span.end)?, at: span.start };
        if scanner.peek() != Some(bracket) {
            return None;
        }
        scanner.at += 1;
        scanner.trivia().ok()?;
        Some(scanner)
    }
}

/// A string as JSON writes it, which TOML and YAML read in the same way. TOML forbids a bare DEL; YAML other controls, and takes three
/// more characters for line breaks.
pub(crate) fn quoted(word: &str) -> String {
    let mut out = String::new();
    for c in serde_json::Value::from(word).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// Is there nothing but white space in `text`?
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(is_space)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn malformed_at(bytes: &[u8], at: usize, what: String) -> Malformed {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    // UTF-8 continuation bytes (10xxxxxx) start no character; neither does the byte order mark fill a column.
    let marked = line_start == 0 && before.starts_with(b"\xef\xbb\xbf");
    let characters = before[line_start..].iter().filter(|byte| (**byte & 0xc0) != 0x80).count();
    Malformed {
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        column: 1 + characters - usize::from(marked),
        what,
    }
}

type Scan<T> = Result<T, &'static str>;

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn document(&mut self) -> Scan<Option<Span>> {
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
    fn trivia(&mut self) -> Scan<()> {
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
    fn value(&mut self) -> Scan<Span> {
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
    fn next_item(&mut self) -> Scan<()> {
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
    fn key(&mut self) -> Scan<Span> {
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

#[cfg(test)]
mod tests;
