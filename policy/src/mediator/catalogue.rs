//! What the client was shown: which lists were filtered, which definitions were hidden, who the peers say they are.

use std::collections::BTreeMap;

use super::record::{NAME_CHARS_MAX, cut};
use crate::detect::Engine;
use crate::rules::Annotations;
use crate::verdict::Reason;
use crate::wire::{Frame, Node};

/// Most hidden definitions that are remembered; a server with more is no honest one, and those beyond are hidden
/// in its lists all the same.
const HIDDEN_MAX: usize = 1024;

/// Longest name whose definition is remembered as hidden, in bytes.
const HIDDEN_NAME_BYTES_MAX: usize = 256;

/// Most tools whose annotations are remembered; of the others nothing is known.
const ANNOTATED_MAX: usize = 2048;

/// Most items that are remembered to have been listed: a change of the policy for one beyond them is not told of.
const SEEN_MAX: usize = 4096;

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ItemKind {
    Tool,
    Prompt,
    Resource,
    Template,
}

impl ItemKind {
    /// The word used in messages.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "resource template",
        }
    }
}

/// Lists as this session's client knows them. It changes how a denial looks, and denies what was hidden for its
/// definition; it never allows anything.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    /// By kind.
    filtered: [bool; 4],
    hidden: BTreeMap<(ItemKind, Box<str>), Reason>,
    /// What the server says about its tools.
    annotations: BTreeMap<Box<str>, Annotations>,
    /// Tools by what a hasty reader sees of their names.
    looks: BTreeMap<Box<str>, Box<str>>,
    /// Items of lists, and whether the policy let them be shown.
    pub(super) seen: BTreeMap<(ItemKind, Box<str>), bool>,
}

/// What the peers say of themselves.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) client: Option<Box<str>>,
    /// The client's name without its version.
    pub(super) client_name: Option<Box<str>>,
    pub(super) server: Option<Box<str>>,
}

impl Catalogue {
    /// The client got a list from which something was missing.
    pub(super) fn filtered(&mut self, kind: ItemKind) {
        self.filtered[kind as usize] = true;
    }

    /// Whether a denied item is not there at all, as far as this client knows.
    pub(super) fn is_filtered(&self, kind: ItemKind) -> bool {
        self.filtered[kind as usize]
    }

    /// An item stood in a list of the server, and was shown or not for what the policy says about it.
    pub(super) fn see(&mut self, kind: ItemKind, name: &str, shown: bool) {
        let key = (kind, Box::from(name));
        let is_known = self.seen.contains_key(&key);
        if is_known || (self.seen.len() < SEEN_MAX && name.len() <= HIDDEN_NAME_BYTES_MAX) {
            self.seen.insert(key, shown);
        }
    }

    /// Whether some definition of this kind was hidden for what it says.
    pub(super) fn has_hidden(&self, kind: ItemKind) -> bool {
        self.hidden.keys().any(|(of, _)| *of == kind)
    }

    /// Whether another tool looked like this on an earlier page. The first one keeps the look.
    pub(super) fn looks_like_another(&mut self, skeleton: &str, tool: &str) -> bool {
        if let Some(first) = self.looks.get(skeleton) {
            return **first != *tool;
        }
        if self.looks.len() < SEEN_MAX && tool.len() <= HIDDEN_NAME_BYTES_MAX {
            self.looks.insert(skeleton.into(), tool.into());
        }
        false
    }

    /// What the server says about a tool, in the last list that had it.
    pub(super) fn annotate(&mut self, tool: &str, annotations: Annotations) {
        let is_known = self.annotations.contains_key(tool);
        if is_known || (self.annotations.len() < ANNOTATED_MAX && tool.len() <= HIDDEN_NAME_BYTES_MAX) {
            self.annotations.insert(tool.into(), annotations);
        }
    }

    /// What the server said about a tool.
    pub(super) fn annotations(&self, tool: &str) -> Option<Annotations> {
        self.annotations.get(tool).copied()
    }

    /// The definition of this item was hidden, for this reason.
    pub(super) fn hide(&mut self, kind: ItemKind, name: &str, reason: &Reason) {
        if self.hidden.len() < HIDDEN_MAX && name.len() <= HIDDEN_NAME_BYTES_MAX {
            self.hidden.insert((kind, name.into()), reason.clone());
        }
    }

    /// The definition of this item was shown.
    pub(super) fn show(&mut self, kind: ItemKind, name: &str) {
        if !self.hidden.is_empty() {
            self.hidden.remove(&(kind, name.into()));
        }
    }

    /// Why the definition of this item was hidden when it was last seen.
    pub(super) fn why_hidden(&self, kind: ItemKind, name: &str) -> Option<&Reason> {
        if self.hidden.is_empty() {
            return None;
        }
        self.hidden.get(&(kind, name.into()))
    }
}

/// `name` and `version` of an implementation object, masked and cut: a claim for the log, trusted by nobody.
pub(super) fn claim(frame: &Frame<'_>, info: Node, engine: &Engine) -> Option<Box<str>> {
    let name = frame.text(frame.get(info, "name")?)?;
    let version = frame.get(info, "version").and_then(|version| frame.text(version));
    let claim = match version {
        Some(version) => format!("{} {}", cut(&name, NAME_CHARS_MAX), cut(&version, NAME_CHARS_MAX)),
        None => cut(&name, NAME_CHARS_MAX).to_owned(),
    };
    Some(cut(&engine.mask(&claim), NAME_CHARS_MAX).into())
}
