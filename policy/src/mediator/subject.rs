//! What a request is about: the names that rules know, read where their receiver reads them.

use std::borrow::Cow;
use std::ops::Range;

use super::action::Peer;
use super::catalogue::ItemKind;
use crate::uri;
use crate::wire::{self, Frame, Node, NodeKind};

/// What a request is about.
pub(super) enum Subject<'f> {
    /// Nothing that a rule could name.
    None,
    /// One item of the server.
    Item(Named<'f>),
    /// What a completion is for. A reference with both a name and a URI may be read either way, whatever its type says.
    Reference {
        /// The prompt.
        prompt: Option<Named<'f>>,
        /// The resource or template.
        template: Option<Named<'f>>,
    },
    /// What the server asks of its client.
    Feature(ClientFeature),
    /// A task that was made before, by its id.
    Task(Cow<'f, str>),
}

/// An item, its name, and where the name stands.
pub(super) struct Named<'f> {
    pub(super) kind: ItemKind,
    pub(super) name: Cow<'f, str>,
    pub(super) node: Node,
}

/// What a server can ask of its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClientFeature {
    Sampling,
    Form,
    /// With the origin of the page, if it has one.
    Page(Option<String>),
    Roots,
}

impl<'f> Subject<'f> {
    /// What a request is about, or why that cannot be said. A name that is not a string would be read one way by one
    /// receiver and another way by the next.
    pub(super) fn read(
        frame: &Frame<'f>,
        (from, method): (Peer, &str),
        params: Option<Node>,
    ) -> Result<Self, &'static str> {
        if method.starts_with("tasks/") && method != "tasks/list" {
            let id = params.and_then(|params| frame.get(params, "taskId")).and_then(|id| frame.text(id));
            return id.map(Subject::Task).ok_or("`params.taskId` has to be the task's id, a string");
        }
        match from {
            Peer::Client => Self::of_server(frame, method, params),
            Peer::Server => {
                Ok(ClientFeature::read(frame, method, params)?.map_or(Subject::None, Subject::Feature))
            }
        }
    }

    fn of_server(frame: &Frame<'f>, method: &str, params: Option<Node>) -> Result<Self, &'static str> {
        let member = |key| params.and_then(|params| frame.get(params, key));
        let named = |kind, holder, key| Named::read(frame, kind, holder, key);
        let arguments_fit = match member("arguments").map(|arguments| frame.kind(arguments)) {
            None | Some(NodeKind::Object | NodeKind::Null) => true,
            Some(_) => false,
        };
        match method {
            "tools/call" | "prompts/get" if !arguments_fit => Err("`params.arguments` has to be an object"),
            "tools/call" => named(ItemKind::Tool, params, "name")
                .map(Subject::Item)
                .ok_or("`params.name` has to be the tool's name, a string"),
            "prompts/get" => named(ItemKind::Prompt, params, "name")
                .map(Subject::Item)
                .ok_or("`params.name` has to be the prompt's name, a string"),
            "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "resources/directory/read"
            | "skills/get" => named(ItemKind::Resource, params, "uri")
                .map(Subject::Item)
                .ok_or("`params.uri` has to be the resource's URI, a string"),
            "completion/complete" => {
                let reference = member("ref");
                let kind = reference.and_then(|reference| frame.get(reference, "type"));
                let kind =
                    kind.and_then(|kind| frame.text(kind)).ok_or("`params.ref.type` has to be a string")?;
                let prompt = named(ItemKind::Prompt, reference, "name");
                let template = named(ItemKind::Template, reference, "uri");
                match &*kind {
                    "ref/prompt" if prompt.is_none() => {
                        Err("`params.ref.name` has to be the prompt's name, a string")
                    }
                    "ref/resource" if template.is_none() => {
                        Err("`params.ref.uri` has to be the resource's URI, a string")
                    }
                    _ => Ok(Subject::Reference { prompt, template }),
                }
            }
            _ => Ok(Subject::None),
        }
    }

    /// The items that it names.
    pub(super) fn items(&self) -> impl Iterator<Item = &Named<'f>> {
        let items = match self {
            Subject::Item(item) => [Some(item), None],
            Subject::Reference { prompt, template } => [prompt.as_ref(), template.as_ref()],
            Subject::None | Subject::Feature(_) | Subject::Task(_) => [None, None],
        };
        items.into_iter().flatten()
    }

    /// The parts of the frame that a decision hangs on: nothing in them can be replaced afterwards.
    pub(super) fn fixed(&self, frame: &Frame<'_>) -> Vec<Range<usize>> {
        self.items().map(|item| frame.span(item.node)).collect()
    }
}

impl<'f> Named<'f> {
    fn read(frame: &Frame<'f>, kind: ItemKind, holder: Option<Node>, key: &str) -> Option<Self> {
        let node = frame.get(holder?, key)?;
        frame.text(node).map(|name| Self { kind, name, node })
    }
}

impl ClientFeature {
    /// What a request of the server asks of the client, on a line of its own or inside of a result.
    pub(super) fn read(
        frame: &Frame<'_>,
        method: &str,
        params: Option<Node>,
    ) -> Result<Option<Self>, &'static str> {
        Ok(Some(match method {
            "sampling/createMessage" => Self::Sampling,
            "roots/list" => Self::Roots,
            "elicitation/create" => Self::elicitation(frame, params)?,
            _ => return Ok(None),
        }))
    }

    /// A page wherever a client could see one: with a `url`, or with the mode that says so.
    fn elicitation(frame: &Frame<'_>, params: Option<Node>) -> Result<Self, &'static str> {
        let Some(params) = params else { return Ok(Self::Form) };
        let folds = |key: &str, known: &str| key != known && wire::folds_to(key, known);
        if frame.members(params).any(|(key, ..)| folds(&key, "mode") || folds(&key, "url")) {
            return Err("a member of `params` differs from `mode` or `url` only in case");
        }
        let url = frame.get(params, "url");
        let mode = frame.get(params, "mode").map(|mode| frame.text(mode));
        match (mode.as_ref().map(Option::as_deref), url) {
            (None | Some(Some("form")), None) => Ok(Self::Form),
            (None | Some(Some("form" | "url")), Some(url)) => {
                let url = frame.text(url).ok_or("`params.url` has to be a string")?;
                Ok(Self::Page(uri::origin(&url)))
            }
            (Some(Some("url")), None) => Err("`params.url` has to be there in mode `url`"),
            (Some(_), _) => Err("`params.mode` has to be `form` or `url`"),
        }
    }
}
