//! TOML text → a tree of values that know where they stand, and the syntax errors met on the way.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and the byte offset where it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

/// What a value is. Dates and floats mean nothing in our files, so only their kind is kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Text(String),
    /// `None`: does not fit into 64 bits.
    Integer(Option<i64>),
    Boolean(bool),
    Float,
    Date,
    List(Vec<Node>),
    Table(Vec<Member>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_at: usize,
    pub(super) value: Node,
}

/// One syntax error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) at: usize,
    pub(super) what: String,
}

impl Kind {
    /// The kind in words, for "not …".
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Boolean(_) => "true or false",
            Self::Float => "a number with a fraction",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Parses the text; whatever can be read in spite of syntax errors is returned beside them.
pub(super) fn parse(text: &str) -> (Vec<Member>, Vec<SyntaxError>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let errors = errors
        .iter()
        .map(|error| SyntaxError {
            at: error.span().map_or(text.len(), |span| span.start),
            what: error.message().to_owned(),
        })
        .collect::<Vec<_>>();
    // The parser stops for good at a key without `=`. Reading once more without those lines (as many spaces, so that
    // every offset stays) brings the mistakes of the rest of the file into the same report.
    let readable = without_bare_keys(text, &errors);
    let members = match &readable {
        Cow::Borrowed(_) => members(table.get_ref()),
        Cow::Owned(readable) => members(DeTable::parse_recoverable(readable).0.get_ref()),
    };
    (members, errors)
}

fn without_bare_keys<'t>(text: &'t str, errors: &[SyntaxError]) -> Cow<'t, str> {
    let mut readable = Cow::Borrowed(text);
    for error in errors.iter().filter(|e| e.what.starts_with("key with no value")) {
        let at = text.floor_char_boundary(error.at);
        let start = text[..at].rfind('\n').map_or(0, |lf| lf + 1);
        let end = text[at..].find('\n').map_or(text.len(), |lf| at + lf);
        readable.to_mut().replace_range(start..end, &" ".repeat(end - start));
    }
    readable
}

fn members(table: &DeTable<'_>) -> Vec<Member> {
    let mut members = table
        .iter()
        .map(|(key, value)| Member {
            key: key.get_ref().to_string(),
            key_at: key.span().start,
            value: node(value),
        })
        .collect::<Vec<_>>();
    // The parser sorts by name; people expect the order of the file.
    members.sort_by_key(|member| member.key_at);
    members
}

/// The parser bounds the depth (80 levels), so this recursion is bounded as well.
fn node(value: &Spanned<DeValue<'_>>) -> Node {
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Integer(number) => Kind::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Boolean(value) => Kind::Boolean(*value),
        DeValue::Float(_) => Kind::Float,
        DeValue::Datetime(_) => Kind::Date,
        DeValue::Array(items) => Kind::List(items.iter().map(node).collect()),
        DeValue::Table(table) => Kind::Table(members(table)),
    };
    Node { at: value.span().start, kind }
}
