//! What a rule can be about, and what is known when it is asked.

use std::ops::Range;

use crate::document::policy::Class;
use crate::wire::{Frame, Node};

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// The server as a whole: may it start?
    Server,
    /// A tool by name.
    Tool(&'a str),
    /// A prompt by name.
    Prompt(&'a str),
    /// A resource by its URI in canonical form: whoever asks has resolved `..`, escapes and the case of scheme and host.
    Resource(&'a str),
    /// A resource template by its URI template, as the server wrote it.
    Template(&'a str),
    /// The server asks for an answer of the client's model (`sampling/createMessage`).
    Sampling,
    /// The server asks the user something (`elicitation/create`).
    Elicitation(Elicited<'a>),
    /// The client tells the server its roots (`roots/list`), which some servers take for grants.
    Roots,
}

/// How the user is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elicited<'a> {
    /// By a form that the client shows.
    Form,
    /// By a page that the user is sent to.
    Url {
        /// `https://login.example.org` or `https://login.example.org:8443`, in lower case; `None` before there is a page
        /// (may the server ask so at all?), or where its address has no origin.
        origin: Option<&'a str>,
    },
}

impl Item<'_> {
    /// What a layer grants to say otherwise about, if it is about this.
    pub(super) fn class(self) -> Option<Class> {
        Some(match self {
            Self::Server => Class::Servers,
            Self::Tool(_) => Class::Tools,
            Self::Prompt(_) => Class::Prompts,
            Self::Resource(_) | Self::Template(_) => Class::Resources,
            Self::Sampling | Self::Elicitation(_) | Self::Roots => Class::Features,
        })
    }

    /// What messages call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Server => "this server",
            Self::Tool(_) => "this tool",
            Self::Prompt(_) => "this prompt",
            Self::Resource(_) => "this resource",
            Self::Template(_) => "this resource template",
            Self::Sampling => "sampling",
            Self::Elicitation(Elicited::Form) => "elicitation",
            Self::Elicitation(Elicited::Url { .. }) => "elicitation by URL",
            Self::Roots => "handing over the client's roots",
        }
    }
}

/// What conditions of rules may look at. Nothing here is taken for granted: what is `None` is not known, and a condition
/// that asks for it cannot be evaluated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances<'a> {
    /// The arguments of the call.
    pub arguments: Arguments<'a>,
    /// What the server says about its tool. Reported by the server about itself: a rule that allows by it trusts the
    /// server; `None` where no definition of the tool has been seen.
    pub annotations: Option<Annotations>,
    /// Name of the client: `cursor`, `claude-desktop`. Clients name themselves.
    pub client: Option<&'a str>,
    /// Login name of the user.
    pub user: Option<&'a str>,
    /// The user's groups.
    pub groups: Option<&'a [String]>,
    /// Name of the machine.
    pub device: Option<&'a str>,
    /// The time of day.
    pub now: Option<UnixTime>,
}

/// A moment, in milliseconds since 1970 (UTC), on the clock that people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

/// The arguments of a call, as they are written. They are read only if a condition asks for them.
#[derive(Clone, Copy, Default)]
pub enum Arguments<'a> {
    /// There is no call yet, or it cannot have arguments.
    #[default]
    Unknown,
    /// The call could have arguments and has none.
    None,
    /// A JSON object, which passed the grammar.
    Json(&'a str),
}

/// Hints in the definition of a tool. What a server leaves out means what the protocol says that it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// `readOnlyHint`; left out: no.
    pub read_only: Option<bool>,
    /// `destructiveHint`; left out: yes.
    pub destructive: Option<bool>,
    /// `idempotentHint`; left out: no.
    pub idempotent: Option<bool>,
    /// `openWorldHint`; left out: yes.
    pub open_world: Option<bool>,
}

impl<'a> Arguments<'a> {
    /// The arguments at `node` of a frame; `None` for a call without any.
    #[must_use]
    pub fn of(frame: &Frame<'a>, node: Option<Node>) -> Self {
        let Some(node) = node else { return Self::None };
        let Range { start, end } = frame.span(node);
        // A frame is UTF-8, and a value never ends within a character.
        let raw = frame.bytes.get(start..end).and_then(|raw| std::str::from_utf8(raw).ok());
        match raw {
            Some("null") => Self::None,
            Some(raw) => Self::Json(raw),
            None => Self::Unknown,
        }
    }
}

/// Shows no content: arguments may hold secrets.
impl std::fmt::Debug for Arguments<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("Unknown"),
            Self::None => f.write_str("None"),
            Self::Json(raw) => write!(f, "Json({} bytes)", raw.len()),
        }
    }
}
