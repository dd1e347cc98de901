//! What is known about a value from where it stands: the name of its key, or of the field beside it.

use std::cmp::Ordering;

use crate::wire::{Frame, Token, TokenKind};

use super::tables::ASSIGNMENTS;
use super::vendor;

/// Keys that hold what the key around their object names.
const HOLDERS: &[&[u8]] = &[b"value", b"text", b"default", b"plaintext", b"content", b"data"];

const WORDS: usize = ASSIGNMENTS / 64 + 1;

/// Which assignments' names occurred, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NameSet([u64; WORDS]);

impl NameSet {
    /// Notes that the name of assignment `slot` occurred.
    pub(super) fn insert(&mut self, slot: u16) {
        self.0[usize::from(slot / 64)] |= 1 << (slot % 64);
    }

    /// Whether it occurred.
    pub(super) fn contains(&self, slot: u16) -> bool {
        self.0[usize::from(slot / 64)] >> (slot % 64) & 1 == 1
    }

    /// The slots of those that occurred.
    pub(super) fn slots(&self) -> impl Iterator<Item = u16> {
        (0..).take(ASSIGNMENTS).filter(|slot| self.contains(*slot))
    }

    /// Adds those of another set.
    pub(super) fn extend(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own |= other);
    }

    /// Whether none occurred.
    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }
}

/// Follows the tape: `{"aws_secret_access_key": "…"}`, a list as the value of such a key, and
/// `{"name": "AWS_SECRET_ACCESS_KEY", "value": "…"}`.
#[derive(Debug, Default)]
pub(super) struct KeyContext<'f> {
    key: &'f [u8],
    names: NameSet,
    /// The key is about what stands before this place.
    until: u32,
    /// Names in a `name` field, the depth of its object, and its raw text.
    beside: Option<(NameSet, u8, &'f [u8])>,
    /// The same of the key whose value is the object at hand: `{"password": {"value": "…"}}`.
    around: Option<(NameSet, u8, &'f [u8])>,
    /// Names in the key of an object that the walk is in, and the depth of its members: `{"deepai": {"key": "…"}}`.
    outer: Option<(NameSet, u8)>,
}

impl<'f> KeyContext<'f> {
    /// A key was scanned, and these names occurred in it.
    pub(super) fn key(&mut self, frame: &Frame<'f>, token: &Token, names: NameSet) {
        self.key = inside(frame, token);
        self.names = names;
        self.until = u32::MAX;
        if let Some((names, depth, name)) = self.around
            && token.depth == depth
            && HOLDERS.iter().any(|holder| self.key.eq_ignore_ascii_case(holder))
        {
            (self.names, self.key) = (names, name);
            return;
        }
        if let Some((outer, depth)) = self.outer {
            match token.depth.cmp(&depth) {
                Ordering::Less => self.outer = None,
                Ordering::Equal if vendor::is_credential_key(self.key) => self.names.extend(&outer),
                Ordering::Equal | Ordering::Greater => {}
            }
        }
        let Some((beside, depth, name)) = self.beside else { return };
        if token.depth < depth {
            self.beside = None;
        } else if token.depth == depth && self.key.eq_ignore_ascii_case(b"value") {
            self.names = beside;
            self.key = name;
        }
    }

    /// A value begins.
    pub(super) fn value(&mut self, token: &Token) {
        match (self.until, token.kind) {
            // The members of an object have keys of their own.
            (_, TokenKind::Object) => {
                let named = !self.names.is_empty();
                let of_members = named.then_some((self.names, token.depth + 1));
                let outer = of_members.or_else(|| self.outer.filter(|o| token.depth >= o.1));
                let around =
                    (named && token.start < self.until).then_some((self.names, token.depth + 1, self.key));
                let beside = self.beside.filter(|b| token.depth >= b.1);
                *self = Self { beside, around, outer, ..Self::default() }
            }
            // The first value behind a key: it ends where the key's say ends.
            (u32::MAX, _) => self.until = token.end,
            (until, _) if token.start >= until => {
                *self = Self { beside: self.beside, outer: self.outer, ..Self::default() }
            }
            _ => {}
        }
    }

    /// A string value was scanned, and these names occurred in it.
    pub(super) fn string(&mut self, frame: &Frame<'f>, token: &Token, names: NameSet) {
        let tells =
            [&b"name"[..], b"key", b"variable", b"env"].iter().any(|k| self.key.eq_ignore_ascii_case(k));
        if tells {
            self.beside = (!names.is_empty()).then(|| (names, token.depth, inside(frame, token)));
        }
    }

    /// The raw text of the key in force, empty if there is none.
    pub(super) fn key_text(&self) -> &'f [u8] {
        self.key
    }

    /// The assignments whose value may follow.
    pub(super) fn names(&self) -> &NameSet {
        &self.names
    }
}

/// The raw bytes between a token's quotes.
pub(super) fn inside<'f>(frame: &Frame<'f>, token: &Token) -> &'f [u8] {
    let (start, end) = (token.start as usize, token.end as usize);
    frame.bytes.get(start + 1..end.saturating_sub(1)).unwrap_or(&[])
}
