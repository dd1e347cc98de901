//! Reads the fields of a TOML table and notes every mistake with its line and column, so that one build names them all.

use std::fmt::Display;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The mistakes found in one file so far.
pub(crate) struct Notes<'s> {
    /// Name of the file, for people.
    pub(crate) file: &'s str,
    /// Its text.
    pub(crate) text: &'s str,
    /// `file:line:column: what`.
    pub(crate) mistakes: Vec<String>,
}

impl Notes<'_> {
    /// Notes a mistake at a byte offset.
    pub(crate) fn at(&mut self, offset: usize, what: impl Display) {
        let before = &self.text[..offset.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        self.mistakes.push(format!("{}:{line}:{column}: {what}", self.file));
    }
}

/// A table under reading.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'t> {
    table: &'t DeTable<'t>,
    start: usize,
}

/// A field's value with its place.
#[derive(Clone, Copy)]
pub(crate) struct Field<'t> {
    value: &'t DeValue<'t>,
    /// Byte offset of the value.
    pub(crate) start: usize,
}

impl<'t> Fields<'t> {
    /// A table that starts at `span`; keys other than `known` are mistakes.
    pub(crate) fn new(
        table: &'t DeTable<'t>,
        span: Range<usize>,
        known: &[&str],
        notes: &mut Notes<'_>,
    ) -> Self {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let text = format!("unknown key `{name}` (known here: {})", known.join(", "));
                notes.at(key.span().start, text);
            }
        }
        Self { table, start: span.start }
    }

    /// The field, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<Field<'t>> {
        self.table.get(key).map(Field::of)
    }

    /// The field; its absence is a mistake.
    pub(crate) fn need(&self, key: &str, notes: &mut Notes<'_>) -> Option<Field<'t>> {
        let field = self.get(key);
        if field.is_none() {
            notes.at(self.start, format!("`{key}` is missing"));
        }
        field
    }

    /// Where the table starts.
    pub(crate) fn start(&self) -> usize {
        self.start
    }
}

impl<'t> Field<'t> {
    fn of(spanned: &'t Spanned<DeValue<'t>>) -> Self {
        Self { value: spanned.get_ref(), start: spanned.span().start }
    }

    /// The value as text.
    pub(crate) fn text(self, notes: &mut Notes<'_>) -> Option<&'t str> {
        let text = self.value.as_str();
        if text.is_none() {
            notes.at(self.start, format!("expected a string, not {}", self.value.type_str()));
        }
        text
    }

    /// The value as a whole number.
    pub(crate) fn number(self, notes: &mut Notes<'_>) -> Option<u16> {
        let number = self.value.as_integer().and_then(|i| u16::from_str_radix(i.as_str(), i.radix()).ok());
        if number.is_none() {
            notes.at(self.start, "expected a whole number from 0 to 65535");
        }
        number
    }

    /// The value as a list.
    pub(crate) fn list(self, notes: &mut Notes<'_>) -> Vec<Field<'t>> {
        match self.value.as_array() {
            Some(array) => array.iter().map(Field::of).collect(),
            None => {
                notes.at(self.start, format!("expected a list, not {}", self.value.type_str()));
                Vec::new()
            }
        }
    }

    /// The value as a list of strings.
    pub(crate) fn texts(self, notes: &mut Notes<'_>) -> Vec<(&'t str, usize)> {
        let items = self.list(notes);
        items.into_iter().filter_map(|f| f.text(notes).map(|t| (t, f.start))).collect()
    }

    /// The value as a table with these keys.
    pub(crate) fn table(self, known: &[&str], notes: &mut Notes<'_>) -> Option<Fields<'t>> {
        match self.value.as_table() {
            Some(table) => Some(Fields::new(table, self.start..self.start, known, notes)),
            None => {
                notes.at(self.start, format!("expected a table, not {}", self.value.type_str()));
                None
            }
        }
    }

    /// Text that may be written in pieces (`["ghp_", "Ab1…"]`), so that scanners of repositories do not take a
    /// made-up secret for a leaked one.
    pub(crate) fn pieces(self, notes: &mut Notes<'_>) -> Option<String> {
        if self.value.is_array() {
            return Some(self.texts(notes).into_iter().map(|(t, _)| t).collect());
        }
        self.text(notes).map(str::to_owned)
    }

    /// Whether the value is a table.
    pub(crate) fn is_table(self) -> bool {
        self.value.is_table()
    }
}
