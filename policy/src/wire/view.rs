//! Reading the tape: values, members and elements of a parsed text.

use std::borrow::Cow;
use std::ops::Range;

use super::frame::{Node, NodeKind, Token, TokenKind};
use super::string;

/// A text and the tokens in it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) text: &'a str,
    pub(super) tape: &'a [Token],
}

impl<'a> View<'a> {
    /// The token of a value. A node of another frame shows `null`.
    pub(super) fn token(&self, node: Node) -> Token {
        const NOWHERE: Token = Token { start: 0, end: 0, kind: TokenKind::Null, depth: 0, escaped: false };
        self.tape.get(node.0).copied().unwrap_or(NOWHERE)
    }

    pub(super) fn kind(&self, node: Node) -> NodeKind {
        match self.token(node).kind {
            TokenKind::Object => NodeKind::Object,
            TokenKind::Array => NodeKind::Array,
            TokenKind::Key | TokenKind::String => NodeKind::String,
            TokenKind::Number => NodeKind::Number,
            TokenKind::Bool => NodeKind::Bool,
            TokenKind::Null => NodeKind::Null,
        }
    }

    pub(super) fn span(&self, node: Node) -> Range<usize> {
        span(&self.token(node))
    }

    /// The value as it is written.
    pub(super) fn raw(&self, node: Node) -> &'a str {
        self.text.get(self.span(node)).unwrap_or("")
    }

    /// The decoded text of a string value.
    pub(super) fn string(&self, node: Node) -> Option<Cow<'a, str>> {
        let token = self.token(node);
        (token.kind == TokenKind::String).then(|| self.token_text(&token))
    }

    /// Decoded for strings and keys, raw for the rest.
    pub(super) fn token_text(&self, token: &Token) -> Cow<'a, str> {
        let span = span(token);
        let range = match token.kind {
            TokenKind::String | TokenKind::Key => span.start + 1..span.end.saturating_sub(1),
            _ => span,
        };
        let raw = self.text.get(range).unwrap_or("");
        if token.escaped { string::unescape(raw) } else { Cow::Borrowed(raw) }
    }

    pub(super) fn get(&self, node: Node, key: &str) -> Option<Node> {
        self.members(node).find(|(token, _)| self.token_text(token) == key).map(|(_, value)| value)
    }

    /// Keys and values of an object; nothing for anything else.
    pub(super) fn members(&self, node: Node) -> impl Iterator<Item = (&'a Token, Node)> + use<'a> {
        let view = *self;
        let is_object = view.token(node).kind == TokenKind::Object;
        let end = if is_object { view.next(node.0) } else { 0 };
        let mut at = node.0 + 1;
        std::iter::from_fn(move || {
            let key = (at < end).then(|| &view.tape[at])?;
            let value = Node(at + 1);
            at = view.next(value.0);
            Some((key, value))
        })
    }

    /// Recorded elements of an array; nothing for anything else.
    pub(super) fn elements(&self, node: Node) -> impl Iterator<Item = Node> + use<'a> {
        let view = *self;
        let is_array = view.token(node).kind == TokenKind::Array;
        let end = if is_array { view.next(node.0) } else { 0 };
        let mut at = node.0 + 1;
        std::iter::from_fn(move || {
            let element = (at < end).then_some(Node(at))?;
            at = view.next(at);
            Some(element)
        })
    }

    pub(super) fn tokens_within(&self, node: Node) -> &'a [Token] {
        self.tape.get(node.0..self.next(node.0)).unwrap_or_default()
    }

    /// Index of the first token behind the value at `index`.
    fn next(&self, index: usize) -> usize {
        let Some(token) = self.tape.get(index) else { return self.tape.len() };
        let rest = &self.tape[index + 1..];
        if !matches!(token.kind, TokenKind::Object | TokenKind::Array) {
            return index + 1;
        }
        // Small containers are stepped over, large ones searched: the tape is sorted by place.
        const STEPS_MAX: usize = 8;
        let inside = |inner: &Token| inner.start < token.end;
        match rest.iter().take(STEPS_MAX).position(|inner| !inside(inner)) {
            Some(steps) => index + 1 + steps,
            None => index + 1 + rest.partition_point(inside),
        }
    }
}

/// Where a token stands in the text.
pub(super) fn span(token: &Token) -> Range<usize> {
    token.start as usize..token.end as usize
}
