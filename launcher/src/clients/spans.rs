//! Where things stand in a config, as byte ranges into the original text.
//!
//! TOML and YAML are located by crates (`toml`, `yaml`). For JSON the grammar is RFC 8259 plus what editors allow in configs: comments, trailing commas, a byte order mark. Nothing is
//! built but ranges, so whatever is not looked at (a lone surrogate escape in a client's own history, say, at which
//! parsers that build strings give up) cannot stand in the way. No recursion: depth costs a byte a level.

mod scanner;
mod toml;
mod tree;
mod yaml;

use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use crate::clients::registry::Format;
use scanner::Scanner;
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

    /// All scalars of the document with the keys that lead to them, in order; without those below `but`.
    pub(crate) fn leaves(&self, but: Option<&Span>) -> Vec<(String, &'a str)> {
        let mut found = Vec::new();
        let mut open: Vec<(String, Span)> =
            self.root().map(|root| (String::new(), root)).into_iter().collect();
        while let Some((path, span)) = open.pop() {
            if but == Some(&span) {
                continue;
            }
            if let Some(members) = self.members(&span) {
                let below = |Member { key, name, value }: Member| {
                    let key = name.unwrap_or_else(|| self.raw(&key).to_owned());
                    (format!("{path}\0{key}"), value)
                };
                open.extend(members.into_iter().rev().map(below));
            } else if let Some(items) = self.items(&span) {
                open.extend(items.into_iter().rev().map(|item| (format!("{path}\0#"), item)));
            } else {
                found.push((path, self.raw(&span)));
            }
        }
        found
    }

    /// Where the line that holds `at` ends, before its break.
    pub(crate) fn end_of_line(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or("");
        let line = rest.split('\n').next().unwrap_or("");
        at + line.trim_end_matches('\r').len()
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

/// Blanks and tabs at the start of `text`.
pub(crate) fn leading_blanks(text: &str) -> &str {
    let length = text.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text.get(..length).unwrap_or("")
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

#[cfg(test)]
mod tests;
