//! Reads a file key by key, and keeps every mistake with its place until the file has been read to its end.

use super::suggest::{did_you_mean, one_of};
use super::tree::{self, Kind, Member, Node};
use super::{Mistake, Mistakes};

/// A string of the file, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'v> {
    pub(super) text: &'v str,
    pub(super) at: usize,
}

/// One file while it is being read.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    syntax: Vec<Found>,
    found: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    at: usize,
    what: String,
    remedy: Option<String>,
}

/// A table of the file, read key by key; what nobody asked for is a mistake.
#[derive(Debug)]
pub(super) struct Section<'v> {
    members: &'v [Member],
    /// How messages call it: `[[rule]]`, `[defaults]`.
    title: String,
    /// Where it starts.
    pub(super) at: usize,
    asked: Vec<&'static str>,
}

impl<'t> Reader<'t> {
    /// Parses the text into a tree; its syntax errors are the first mistakes.
    pub(super) fn open(text: &'t str) -> (Self, Vec<Member>) {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let (members, errors) = tree::parse(text);
        let syntax = errors.into_iter().map(|e| Found { at: e.at, what: e.what, remedy: None }).collect();
        (Self { text, line_starts, syntax, found: Vec::new() }, members)
    }

    /// Puts a mistake on the list.
    pub(super) fn wrong(&mut self, at: usize, what: impl Into<String>, remedy: Option<String>) {
        self.found.push(Found { at, what: what.into(), remedy });
    }

    /// Puts a mistake about something that is *not there* on the list. Behind a syntax error it may well be there,
    /// unread, so this one waits until the syntax is right.
    pub(super) fn lacking(&mut self, at: usize, what: impl Into<String>, remedy: Option<String>) {
        if self.syntax.is_empty() {
            self.wrong(at, what, remedy);
        }
    }

    /// The place in the file of byte `offset` of the string that is written at `at`.
    pub(super) fn within(&self, at: usize, offset: usize) -> usize {
        let written = self.text.get(at..).unwrap_or("");
        at + written_offset(written, offset)
    }

    /// Line of an offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= at)
    }

    /// The value if there was no mistake, else all mistakes in the order of their places.
    pub(super) fn finish<T>(self, file: &str, value: Option<T>) -> Result<T, Mistakes> {
        let broken = self.syntax.iter().map(|f| self.line(f.at)).collect::<Vec<_>>();
        // What the parser guessed on a broken line says nothing about what its author meant.
        let meant = self.found.iter().filter(|f| !broken.contains(&self.line(f.at)));
        let mut all = self.syntax.iter().chain(meant).collect::<Vec<_>>();
        all.sort_by_key(|f| f.at);
        let mut mistakes = all.into_iter().map(|f| self.mistake(f)).collect::<Vec<_>>();
        mistakes.dedup();
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            _ => {
                if mistakes.is_empty() {
                    // Whoever gives no value has said why; should that ever be forgotten, the file is refused still.
                    let what = "this file cannot be understood".to_owned();
                    mistakes.push(Mistake { line: 1, column: 1, what, remedy: None });
                }
                Err(Mistakes { file: file.to_owned(), mistakes })
            }
        }
    }

    fn mistake(&self, found: &Found) -> Mistake {
        let at = self.text.floor_char_boundary(found.at);
        let line = self.line(at);
        let column = self.text[self.line_starts[line - 1]..at].chars().count() + 1;
        Mistake { line, column, what: found.what.clone(), remedy: found.remedy.clone() }
    }
}

impl<'v> Section<'v> {
    /// The whole file.
    pub(super) fn whole(members: &'v [Member]) -> Self {
        Self { members, title: "the file".to_owned(), at: 0, asked: Vec::new() }
    }

    /// A table inside another value.
    pub(super) fn of(title: impl Into<String>, node: &'v Node, r: &mut Reader<'_>) -> Option<Self> {
        let title = title.into();
        if let Kind::Table(members) = &node.kind {
            return Some(Self { members, title, at: node.at, asked: Vec::new() });
        }
        r.wrong(node.at, format!("{title} must be a table, not {}", node.kind.words()), None);
        None
    }

    /// The value of a key, whatever it is; from now on the key is known.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'v Node> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.members.iter().find(|m| m.key == key).map(|m| &m.value)
    }

    /// All keys and values: for tables whose keys are names that the author chose.
    pub(super) fn members(&self) -> &'v [Member] {
        self.members
    }

    /// A string.
    pub(super) fn string(&mut self, r: &mut Reader<'_>, key: &'static str) -> Option<Text<'v>> {
        text(r, key, self.value(key)?)
    }

    /// A string that has to be there, with something in it.
    pub(super) fn required(&mut self, r: &mut Reader<'_>, key: &'static str, why: &str) -> Option<Text<'v>> {
        let Some(node) = self.value(key) else {
            r.lacking(self.at, format!("{} has no `{key}`", self.title), Some(why.to_owned()));
            return None;
        };
        let text = text(r, key, node)?;
        if text.text.trim().is_empty() {
            r.wrong(text.at, format!("`{key}` is empty"), Some(why.to_owned()));
            return None;
        }
        Some(text)
    }

    /// Says that a key is not there and has to be.
    pub(super) fn lacks(&self, r: &mut Reader<'_>, key: &str, why: &str) {
        r.lacking(self.at, format!("{} has no `{key}`", self.title), Some(why.to_owned()));
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, r: &mut Reader<'_>, key: &'static str) -> Option<bool> {
        let node = self.value(key)?;
        if let Kind::Boolean(value) = node.kind {
            return Some(value);
        }
        r.wrong(node.at, format!("`{key}` must be true or false, not {}", node.kind.words()), None);
        None
    }

    /// A list of strings, none of them empty; absent is an empty list.
    pub(super) fn strings(&mut self, r: &mut Reader<'_>, key: &'static str) -> Vec<Text<'v>> {
        let Some(node) = self.value(key) else {
            return Vec::new();
        };
        let Kind::List(items) = &node.kind else {
            let remedy = matches!(node.kind, Kind::Text(_)).then(|| format!("write `{key} = [\"…\"]`"));
            r.wrong(node.at, format!("`{key}` must be a list of strings, not {}", node.kind.words()), remedy);
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match &item.kind {
                Kind::Text(text) if text.is_empty() => {
                    r.wrong(item.at, format!("an empty string in `{key}` names nothing"), None);
                }
                Kind::Text(text) => texts.push(Text { text, at: item.at }),
                other => {
                    let what =
                        format!("`{key}` must be a list of strings, but here stands {}", other.words());
                    r.wrong(item.at, what, None);
                }
            }
        }
        texts
    }

    /// A list of names; absent is an empty list, but one that is written and names nothing is a mistake: where
    /// nothing named means everything, a rule about nobody would turn into one about everybody.
    pub(super) fn names(&mut self, r: &mut Reader<'_>, key: &'static str) -> Vec<Text<'v>> {
        if let Some(Node { at, kind: Kind::List(items) }) = self.value(key)
            && items.is_empty()
        {
            let remedy = format!("leave `{key}` out, or write `{key} = [\"*\"]` for all");
            r.wrong(*at, format!("an empty list in `{key}` names nothing"), Some(remedy));
        }
        self.strings(r, key)
    }

    /// One word out of a table of words.
    pub(super) fn word<T: Copy>(
        &mut self,
        r: &mut Reader<'_>,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.string(r, key)?;
        let known = words.iter().map(|(word, _)| *word);
        let meaning = words.iter().find(|(word, _)| *word == text.text).map(|(_, meaning)| *meaning);
        if meaning.is_none() {
            let remedy =
                did_you_mean(text.text, known.clone()).unwrap_or_else(|| format!("use {}", one_of(known)));
            r.wrong(text.at, format!("`{key}` cannot be `{}`", shown(text.text)), Some(remedy));
        }
        meaning
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        r: &mut Reader<'_>,
        key: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let node = self.value(key)?;
        let Kind::Integer(number) = node.kind else {
            r.wrong(node.at, format!("`{key}` must be a whole number, not {}", node.kind.words()), None);
            return None;
        };
        within(r, (key, node.at), number.and_then(|n| u64::try_from(n).ok()), &bounds)
    }

    /// A size: `"512MiB"`, or a whole number of bytes.
    pub(super) fn size(
        &mut self,
        r: &mut Reader<'_>,
        key: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let node = self.value(key)?;
        let bytes = match &node.kind {
            Kind::Integer(number) => number.and_then(|n| u64::try_from(n).ok()),
            Kind::Text(text) => {
                let bytes = size_bytes(text);
                if bytes.is_none() {
                    let remedy = "write a whole number and B, KiB, MiB or GiB, such as \"512MiB\"".to_owned();
                    r.wrong(node.at, format!("`{key}` cannot be `{}`", shown(text)), Some(remedy));
                    return None;
                }
                bytes
            }
            other => {
                let what = format!("`{key}` must be a size such as \"512MiB\", not {}", other.words());
                r.wrong(node.at, what, None);
                return None;
            }
        };
        within(r, (key, node.at), bytes, &bounds)
    }

    /// An amount a second: `"64MiB/s"`, in bytes.
    pub(super) fn rate(
        &mut self,
        r: &mut Reader<'_>,
        key: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let node = self.value(key)?;
        let bytes = match &node.kind {
            Kind::Text(text) => text.strip_suffix("/s").and_then(size_bytes),
            _ => None,
        };
        if bytes.is_none() {
            let remedy =
                "write a string with a whole number, B, KiB, MiB or GiB, and /s, such as \"64MiB/s\""
                    .to_owned();
            let given = match &node.kind {
                Kind::Text(text) => format!("`{}`", shown(text)),
                other => other.words().to_owned(),
            };
            r.wrong(node.at, format!("`{key}` cannot be {given}"), Some(remedy));
            return None;
        }
        within(r, (key, node.at), bytes, &bounds)
    }

    /// A table under a key.
    pub(super) fn table(&mut self, r: &mut Reader<'_>, key: &'static str) -> Option<Section<'v>> {
        let node = self.value(key)?;
        Section::of(format!("[{key}]"), node, r)
    }

    /// `[[key]]`: the tables of a list.
    pub(super) fn tables(&mut self, r: &mut Reader<'_>, key: &'static str) -> Vec<Section<'v>> {
        let Some(node) = self.value(key) else {
            return Vec::new();
        };
        let Kind::List(items) = &node.kind else {
            let remedy = matches!(node.kind, Kind::Table(_)).then(|| format!("write `[[{key}]]`"));
            r.wrong(node.at, format!("`{key}` must be a list of tables, not {}", node.kind.words()), remedy);
            return Vec::new();
        };
        items.iter().filter_map(|item| Section::of(format!("[[{key}]]"), item, r)).collect()
    }

    /// The end of the section: every key that nobody asked for is a mistake. `not_yet` are keys that a later version
    /// will know: to pass over them in silence would be to promise what is not done.
    pub(super) fn close(self, r: &mut Reader<'_>, not_yet: &[&'static str]) {
        for member in self.members.iter().filter(|m| !self.asked.contains(&m.key.as_str())) {
            if not_yet.contains(&member.key.as_str()) {
                let what = format!("`{}` in {} is not supported by this version yet", member.key, self.title);
                r.wrong(member.key_at, what, Some("remove it: nothing would enforce it".to_owned()));
                continue;
            }
            let known = self.asked.iter().copied();
            let remedy = did_you_mean(&member.key, known.clone())
                .or_else(|| Some(format!("{} knows {}", self.title, one_of(known))));
            let what = format!("{} has no key `{}`", self.title, shown(&member.key));
            r.wrong(member.key_at, what, remedy);
        }
    }
}

/// Text of the file for a message: short, and on one line.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown = text.chars().take(LONGEST).flat_map(char::escape_debug).collect::<String>();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

fn text<'v>(r: &mut Reader<'_>, key: &str, node: &'v Node) -> Option<Text<'v>> {
    if let Kind::Text(text) = &node.kind {
        return Some(Text { text, at: node.at });
    }
    r.wrong(node.at, format!("`{key}` must be a string, not {}", node.kind.words()), None);
    None
}

fn within(
    r: &mut Reader<'_>,
    (key, at): (&str, usize),
    number: Option<u64>,
    bounds: &std::ops::RangeInclusive<u64>,
) -> Option<u64> {
    let number = number.filter(|n| bounds.contains(n));
    if number.is_none() {
        let what = format!("`{key}` must lie between {} and {}", bounds.start(), bounds.end());
        r.wrong(at, what, None);
    }
    number
}

/// Where byte `offset` of a string's value stands in the string as it is written, quotes, escapes and all.
fn written_offset(written: &str, offset: usize) -> usize {
    let quote = if written.starts_with('\'') { "\'\'\'" } else { "\"\"\"" };
    let (mut at, is_literal) = if let Some(opening) = written.strip_prefix(quote) {
        // A line end right behind the opening quotes is no part of the value.
        let skipped = if opening.starts_with("\r\n") { 2 } else { usize::from(opening.starts_with('\n')) };
        (quote.len() + skipped, quote.starts_with('\''))
    } else {
        (1, quote.starts_with('\''))
    };
    let mut value_bytes = 0;
    while value_bytes < offset {
        let Some(c) = written[at..].chars().next() else { break };
        if c != '\\' || is_literal {
            value_bytes += c.len_utf8();
            at += c.len_utf8();
            continue;
        }
        let digits = match written.as_bytes().get(at + 1) {
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(b'x') => 2,
            _ => 0,
        };
        let code = written.get(at + 2..at + 2 + digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        value_bytes += code.and_then(char::from_u32).map_or(1, char::len_utf8);
        at += 2 + digits;
        if at > written.len() || !written.is_char_boundary(at) {
            break;
        }
    }
    at.min(written.len())
}

/// `512MiB` → 536870912. Decimal units are refused: nobody agrees on what they mean.
fn size_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units_only() {
        assert_eq!(size_bytes("512MiB"), Some(512 << 20));
        assert_eq!(size_bytes("2 GiB"), Some(2 << 30));
        assert_eq!(size_bytes("7B"), Some(7));
        for wrong in ["", "MiB", "1MB", "-1MiB", "1.5MiB", "99999999999GiB", "512"] {
            assert_eq!(size_bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_place_within_a_string_is_found_through_its_quotes_and_escapes() {
        for (written, offset, expected) in [
            ("'abc'", 2, "c'"),
            ("\"a\\\"bc\"", 2, "bc\""),
            ("\"a\\u00e9bc\"", 3, "bc\""),
            ("\'\'\'\nabc\'\'\'", 1, "bc\'\'\'"),
            ("\"\"\"ab\ncd\"\"\"", 3, "cd\"\"\""),
            ("\'\'", 0, "\'"),
            ("\'ab", 9, ""),
            ("\"ab\\", 9, ""),
        ] {
            let at = written_offset(written, offset);
            assert_eq!(written.get(at..), Some(expected), "{written} {offset}");
        }
    }

    #[test]
    fn a_column_counts_characters_and_not_bytes() {
        let (mut r, members) = Reader::open("a = { \"schlüßel\" = 1, b = 2 }\n");
        let a = Section::of("a", &members[0].value, &mut r).expect("a table");
        a.close(&mut r, &[]);
        let mistakes = r.finish("f", Some(())).expect_err("two unknown keys").mistakes;
        assert_eq!(mistakes.iter().map(|m| (m.line, m.column)).collect::<Vec<_>>(), [(1, 7), (1, 23)]);
    }

    #[test]
    fn the_rest_of_the_file_is_read_after_a_key_without_a_value() {
        let (mut r, members) = Reader::open("lonely\nb = 1\n");
        let mut whole = Section::whole(&members);
        assert_eq!(whole.number(&mut r, "b", 0..=9), Some(1));
        assert_eq!(r.finish("f", Some(())).expect_err("a syntax error").mistakes.len(), 1);
    }
}
