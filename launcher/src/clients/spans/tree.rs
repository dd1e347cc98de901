//! TOML and YAML, whose values are not nested brackets alone: nodes, found by where their value starts.
//!
//! No two values start at one place: that of a table with a header starts behind the header, that of a dotted or implied one behind its
//! key, a block sequence at its first dash.

use std::collections::BTreeMap;

use super::{Member, Span};

/// All values of a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree(BTreeMap<usize, (Span, Node)>);

/// One value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A table or mapping.
    Map(Vec<Member>),
    /// An array or sequence.
    List(Vec<Span>),
    /// A string.
    Text(String),
    /// Something else: a number, an alias, a text over several lines.
    Other,
}

impl Tree {
    /// Puts a value where it starts.
    pub(super) fn put(&mut self, span: Span, node: Node) {
        self.0.insert(span.start, (span, node));
    }

    /// Where the table or mapping is that has this member.
    pub(super) fn table_of(&self, member: &Member) -> Option<&Span> {
        let has = |node: &Node| match node {
            Node::Map(members) => members.iter().any(|one| one.key == member.key),
            Node::List(_) | Node::Text(_) | Node::Other => false,
        };
        // A block mapping starts where its first key does.
        let before = self.0.range(..=member.key.start).rev();
        before.map(|(_, found)| found).find(|(_, node)| has(node)).map(|(span, _)| span)
    }

    /// The value at this place.
    pub(super) fn at(&self, span: &Span) -> Option<&Node> {
        self.0.get(&span.start).filter(|(known, _)| known == span).map(|(_, node)| node)
    }
}
