//! A parsed line: borrowed slices of the very bytes that will be forwarded.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::view::View;
use super::{number, pointer, string};

/// One recorded JSON value or key. Offsets are into [`Frame::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// First byte (for strings and keys: the opening quote).
    pub start: u32,
    /// One past the last byte (for containers: past the closing bracket).
    pub end: u32,
    /// What stands there.
    pub kind: TokenKind,
    /// Nesting depth of the container it stands in: members of the top object have depth 1.
    pub depth: u8,
    /// For strings and keys: holds a backslash escape, so the decoded text differs from the raw one.
    pub escaped: bool,
}

/// Kinds of tape tokens. Numbers shorter than seven bytes, `true`, `false` and `null` that stand deeper than
/// depth 3 inside an array are not recorded: nothing asks for them, and pixel arrays would fill the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An object; its keys and values follow until `end`.
    Object,
    /// An array; its elements follow until `end`.
    Array,
    /// A key; its value's token follows.
    Key,
    /// A string value.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
}

/// What a [`Node`] is, without keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// `1`, `-2.5e3`
    Number,
    /// `true`, `false`
    Bool,
    /// `null`
    Null,
}

/// A value of the frame: the index of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(pub(super) usize);

/// A request id as it stands in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<'a> {
    /// The raw JSON bytes (`7`, `"a"`), to be echoed exactly.
    pub raw: &'a [u8],
}

/// A request id as a table key: type and value (`1` and `"1"` differ).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdKey {
    /// An integer within ±(2^53−1).
    Number(i64),
    /// A string, decoded.
    Text(Box<str>),
}

/// What a response carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `result`
    Result(Node),
    /// `error`
    Error(Node),
}

/// The one shape that a message has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape<'a> {
    /// A method with an id.
    Request {
        /// The id.
        id: Id<'a>,
        /// Decoded method name.
        method: Cow<'a, str>,
        /// The params object; absent or `null` is `None`.
        params: Option<Node>,
    },
    /// A method without an id.
    Notification {
        /// Decoded method name.
        method: Cow<'a, str>,
        /// The params object; absent or `null` is `None`.
        params: Option<Node>,
    },
    /// An answer.
    Response {
        /// The id it answers.
        id: Id<'a>,
        /// Result or error.
        outcome: Outcome,
    },
}

/// What was changed in the line before it was parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// U+2028, U+2029 and U+0085 written as escapes (both directions).
    pub separators: u32,
    /// Lone surrogates replaced by U+FFFD (to the client only).
    pub surrogates: u32,
    /// Invalid UTF-8 sequences replaced by U+FFFD (to the client only).
    pub utf8: u32,
}

/// A line that passed the grammar.
#[derive(Clone)]
pub struct Frame<'a> {
    /// What would be forwarded, without LF: the line itself, or its repaired copy.
    pub bytes: &'a [u8],
    /// What was repaired; all zero means that `bytes` is the line as it came.
    pub repairs: Repairs,
    /// Request, notification or response.
    pub shape: Shape<'a>,
    /// All recorded tokens in document order.
    pub tape: &'a [Token],
    /// `bytes`, known to be UTF-8.
    pub(super) text: &'a str,
}

impl<'a> Frame<'a> {
    /// The params of a request or notification, or the result/error of a response.
    #[must_use]
    pub fn body(&self) -> Option<Node> {
        match &self.shape {
            Shape::Request { params, .. } | Shape::Notification { params, .. } => *params,
            Shape::Response { outcome: Outcome::Result(node) | Outcome::Error(node), .. } => Some(*node),
        }
    }

    /// The whole message.
    #[must_use]
    pub fn root(&self) -> Node {
        Node(0)
    }

    /// Member `key` (compared decoded) of an object; `None` if `node` is no object or has no such member.
    #[must_use]
    pub fn get(&self, node: Node, key: &str) -> Option<Node> {
        self.view().get(node, key)
    }

    /// What stands at `node`.
    #[must_use]
    pub fn kind(&self, node: Node) -> NodeKind {
        self.view().kind(node)
    }

    /// Raw span of the value in [`Frame::bytes`].
    #[must_use]
    pub fn span(&self, node: Node) -> Range<usize> {
        self.view().span(node)
    }

    /// The decoded text of a string value; `None` for anything else.
    #[must_use]
    pub fn text(&self, node: Node) -> Option<Cow<'a, str>> {
        self.view().string(node)
    }

    /// `true`/`false`; `None` for anything else.
    #[must_use]
    pub fn boolean(&self, node: Node) -> Option<bool> {
        let view = self.view();
        (view.kind(node) == NodeKind::Bool).then(|| view.raw(node) == "true")
    }

    /// The decoded text of a string or key token; raw text for numbers.
    #[must_use]
    pub fn token_text(&self, token: &Token) -> Cow<'a, str> {
        self.view().token_text(token)
    }

    /// Members of an object as (decoded key, key token, value), in order. Empty for anything else.
    pub fn members(&self, node: Node) -> impl Iterator<Item = (Cow<'a, str>, &'a Token, Node)> + '_ {
        let view = self.view();
        view.members(node).map(move |(key, value)| (view.token_text(key), key, value))
    }

    /// Recorded elements of an array, in order. Empty for anything else. (See [`TokenKind`] for what is not recorded.)
    pub fn elements(&self, node: Node) -> impl Iterator<Item = Node> + '_ {
        self.view().elements(node)
    }

    /// All tokens at or inside `node`.
    #[must_use]
    pub fn tokens_within(&self, node: Node) -> &'a [Token] {
        self.view().tokens_within(node)
    }

    /// JSON Pointer (RFC 6901) of the value that holds byte `offset`: for events, computed on demand by a slow walk.
    /// A key belongs to the object that it stands in, so that a finding in a key is not repeated by its pointer.
    #[must_use]
    pub fn pointer(&self, offset: usize) -> String {
        pointer::pointer(&self.view(), offset)
    }

    fn view(&self) -> View<'a> {
        View { text: self.text, tape: self.tape }
    }
}

/// Shows no content: a frame may hold secrets.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match &self.shape {
            Shape::Request { .. } => "request",
            Shape::Notification { .. } => "notification",
            Shape::Response { outcome: Outcome::Result(_), .. } => "result",
            Shape::Response { outcome: Outcome::Error(_), .. } => "error",
        };
        f.debug_struct("Frame")
            .field("bytes", &self.bytes.len())
            .field("repairs", &self.repairs)
            .field("shape", &shape)
            .field("tape", &self.tape.len())
            .finish()
    }
}

impl Repairs {
    /// How many repairs there were in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.separators.saturating_add(self.surrogates).saturating_add(self.utf8)
    }
}

impl Id<'_> {
    /// The id as a table key, if the grammar lets it pass: an integer that every reader keeps, or a string.
    #[must_use]
    pub fn sound_key(&self) -> Option<IdKey> {
        let is_sound = self.raw.starts_with(b"\"") || number::exact_integer(self.raw).is_some();
        is_sound.then(|| self.key())
    }

    /// The key that a reader may take the id for: `1.0` and `1e0` are 1 to most of them.
    #[must_use]
    pub fn key_as_read(&self) -> Option<IdKey> {
        self.sound_key().or_else(|| {
            let value: f64 = std::str::from_utf8(self.raw).ok()?.parse().ok()?;
            // Printed without an exponent, an integral double is an integer literal.
            let printed = format!("{value}");
            number::exact_integer(if value == 0.0 { b"0" } else { printed.as_bytes() }).map(IdKey::Number)
        })
    }

    /// The id as a table key. An id that the grammar refuses (as in a `Refused`) is keyed by its raw text, which
    /// a string id could equal: ask only about ids that passed.
    #[must_use]
    pub fn key(&self) -> IdKey {
        if let Some(number) = number::exact_integer(self.raw) {
            return IdKey::Number(number);
        }
        let raw = String::from_utf8_lossy(self.raw);
        let inside = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        IdKey::Text(inside.map_or(Cow::Borrowed(raw.as_ref()), string::unescape).into())
    }
}
