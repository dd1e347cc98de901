//! Where things stand in a TOML document. The crate `toml` locates, nothing is printed by it.

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::tree::{Node, Tree};
use super::{Malformed, Member, Span, malformed_at};

/// The nodes of a document; `skipped` bytes (a byte order mark) go before `text`.
///
/// # Errors
/// Where it breaks the grammar.
pub(super) fn parse(whole: &str, skipped: usize) -> Result<(Span, Tree), Malformed> {
    let text = whole.get(skipped..).unwrap_or("");
    let table = DeTable::parse(text).map_err(|error| {
        let at = skipped + error.span().map_or(0, |span| span.start);
        malformed_at(whole.as_bytes(), at, error.message().to_owned())
    })?;
    let mut builder = Builder { whole, skipped, tree: Tree::default() };
    let members = builder.members(table.get_ref());
    let root = skipped..whole.len();
    builder.tree.put(root.clone(), Node::Map(members));
    Ok((root, builder.tree))
}

struct Builder<'a> {
    whole: &'a str,
    skipped: usize,
    tree: Tree,
}

impl Builder<'_> {
    fn span(&self, span: &Span) -> Span {
        span.start + self.skipped..span.end + self.skipped
    }

    fn starts_with(&self, span: &Span, bracket: char) -> bool {
        self.whole.get(span.clone()).is_some_and(|raw| raw.starts_with(bracket))
    }

    /// In the order of the file: the table sorts by name.
    fn members(&mut self, table: &DeTable<'_>) -> Vec<Member> {
        let mut members: Vec<Member> = table
            .iter()
            .map(|(name, value)| {
                let key = self.span(&name.span());
                let value = self.value(&key, value);
                Member { name: Some(name.get_ref().clone().into_owned()), key, value }
            })
            .collect();
        members.sort_by_key(|member| member.key.start);
        members
    }

    fn value(&mut self, key: &Span, value: &Spanned<DeValue<'_>>) -> Span {
        let span = self.span(&value.span());
        match value.get_ref() {
            DeValue::Table(table) if self.starts_with(&span, '{') => {
                let members = self.members(table);
                self.tree.put(span.clone(), Node::Map(members));
                span
            }
            DeValue::Table(table) => {
                let start = if self.starts_with(&span, '[') { span.end } else { key.end };
                self.open_table(start, table)
            }
            DeValue::Array(array) => {
                let tables = array.iter().any(|item| self.starts_with(&self.span(&item.span()), '['))
                    && array.iter().all(|item| matches!(item.get_ref(), DeValue::Table(_)));
                let items: Vec<Span> = array.iter().map(|item| self.item(item)).collect();
                let span = match items.last() {
                    Some(last) if tables => key.end..last.end,
                    _ => span,
                };
                self.tree.put(span.clone(), Node::List(items));
                span
            }
            DeValue::String(text) => {
                self.tree.put(span.clone(), Node::Text(text.clone().into_owned()));
                span
            }
            _ => {
                self.tree.put(span.clone(), Node::Other);
                span
            }
        }
    }

    fn item(&mut self, item: &Spanned<DeValue<'_>>) -> Span {
        let span = self.span(&item.span());
        match item.get_ref() {
            // `[[name]]`: its members stand behind the header.
            DeValue::Table(table) if self.starts_with(&span, '[') => self.open_table(span.end, table),
            _ => self.value(&span, item),
        }
    }

    /// A table without braces ends with the last value that stands under it; sub-tables have headers of their own.
    fn open_table(&mut self, start: usize, table: &DeTable<'_>) -> Span {
        let members = self.members(table);
        let has_header = |member: &&Member| {
            let before = self.whole.get(..member.value.start).unwrap_or("");
            before.ends_with(']') && !self.starts_with(&member.value, '[')
        };
        let own = members.iter().filter(|member| !has_header(member)).map(|member| member.value.end);
        let span = start..own.max().unwrap_or(start).max(start);
        self.tree.put(span.clone(), Node::Map(members));
        span
    }
}
