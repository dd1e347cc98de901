//! The JSON-RPC envelope: which of the shapes a message has, if it has exactly one.

use std::borrow::Cow;

use super::frame::{Id, Node, NodeKind, Outcome, Shape, Token};
use super::methods;
use super::names::{self, Likeness};
use super::refusal::{Fault, Refusal};
use super::view::View;
use super::{Direction, number};

/// Longest string id, decoded.
const ID_BYTES_MAX: usize = 256;

/// Ids of requests that we send to a server on our own account begin with this.
const RESERVED_ID_PREFIX: &str = "stockade:";

/// Methods of notifications begin with this, and no other methods do.
const NOTIFICATION_PREFIX: &str = "notifications/";

/// Judges the top level of a text that passed the grammar, and the keys directly in its params.
pub(super) fn shape<'a>(view: &View<'a>, direction: Direction) -> Result<Shape<'a>, Fault> {
    let members = Members::read(view, direction)?;
    let at_end = view.span(Node(0)).end - 1;
    let version = members.jsonrpc.filter(|node| view.string(*node).as_deref() == Some("2.0"));
    if version.is_none() {
        return fault(Refusal::JsonrpcVersion, members.jsonrpc.map_or(at_end, |node| start(view, node)));
    }
    match (members.method, members.result, members.error) {
        (Some(method), None, None) => call(view, &members, method),
        (None, Some(result), None) if members.params.is_none() => {
            Ok(Shape::Response { id: response_id(view, &members)?, outcome: Outcome::Result(result) })
        }
        (None, None, Some(error)) if members.params.is_none() => {
            let id = response_id(view, &members)?;
            check_error(view, error, direction)?;
            Ok(Shape::Response { id, outcome: Outcome::Error(error) })
        }
        _ => fault(Refusal::Shape, at_end),
    }
}

/// The six members of an envelope.
#[derive(Default)]
struct Members {
    jsonrpc: Option<Node>,
    id: Option<Node>,
    method: Option<Node>,
    params: Option<Node>,
    result: Option<Node>,
    error: Option<Node>,
}

impl Members {
    fn read(view: &View<'_>, direction: Direction) -> Result<Self, Fault> {
        let mut members = Self::default();
        for (token, value) in view.members(Node(0)) {
            let key = view.token_text(token);
            match key.as_ref() {
                "jsonrpc" => members.jsonrpc = Some(value),
                "id" => members.id = Some(value),
                "method" => members.method = Some(value),
                "params" => members.params = Some(value),
                "result" => members.result = Some(value),
                "error" => members.error = Some(value),
                other => {
                    let strict = direction == Direction::ToServer;
                    check_key(token, other, names::ENVELOPE, Refusal::EnvelopeKey)?;
                    if strict {
                        return fault(Refusal::EnvelopeKey, token.start as usize);
                    }
                }
            }
        }
        Ok(members)
    }
}

fn call<'a>(view: &View<'a>, members: &Members, method: Node) -> Result<Shape<'a>, Fault> {
    let name = method_name(view, method)?;
    let params = params(view, members.params)?;
    match (name.starts_with(NOTIFICATION_PREFIX), members.id) {
        (true, None) => Ok(Shape::Notification { method: name, params }),
        (true, Some(id)) => fault(Refusal::NotificationWithId, start(view, id)),
        (false, None) => fault(Refusal::CallWithoutId, start(view, method)),
        (false, Some(node)) => {
            let id = id(view, node)?;
            if view.string(node).is_some_and(|text| text.starts_with(RESERVED_ID_PREFIX)) {
                return fault(Refusal::IdReserved, start(view, node));
            }
            Ok(Shape::Request { id, method: name, params })
        }
    }
}

fn method_name<'a>(view: &View<'a>, method: Node) -> Result<Cow<'a, str>, Fault> {
    // JavaScript's `trim` takes U+FEFF for white space, Unicode does not.
    let is_padding = |c: char| c.is_whitespace() || c == '\u{FEFF}';
    view.string(method)
        .filter(|name| {
            !name.is_empty()
                && !name.starts_with(is_padding)
                && !name.ends_with(is_padding)
                && !name.contains(char::is_control)
                && methods::ALL.iter().all(|list| names::likeness(name, list) != Likeness::LooksKnown)
        })
        .ok_or_else(|| Fault::new(Refusal::MethodForm, start(view, method)))
}

fn params(view: &View<'_>, params: Option<Node>) -> Result<Option<Node>, Fault> {
    let Some(node) = params else { return Ok(None) };
    match view.kind(node) {
        NodeKind::Null => return Ok(None),
        NodeKind::Object => {}
        _ => return fault(Refusal::ParamsForm, start(view, node)),
    }
    for (token, _) in view.members(node) {
        check_key(token, &view.token_text(token), names::PARAMS, Refusal::ParamsKey)?;
    }
    if let Some(reference) = view.get(node, "ref") {
        check_reference(view, reference)?;
    }
    Ok(Some(node))
}

/// What a completion is for is judged by these members, so no server may read others in their stead.
fn check_reference(view: &View<'_>, reference: Node) -> Result<(), Fault> {
    for (token, _) in view.members(reference) {
        check_key(token, &view.token_text(token), names::REFERENCE, Refusal::ParamsKey)?;
    }
    let Some(kind) = view.get(reference, "type") else { return Ok(()) };
    match view.string(kind).map(|kind| names::likeness(&kind, names::REFERENCE_TYPES)) {
        Some(Likeness::LooksKnown) => fault(Refusal::ParamsKey, start(view, kind)),
        _ => Ok(()),
    }
}

fn check_key(token: &Token, key: &str, known: &[&str], lookalike: Refusal) -> Result<(), Fault> {
    if key == "__proto__" {
        return fault(Refusal::ProtoKey, token.start as usize);
    }
    match names::likeness(key, known) {
        Likeness::LooksKnown => fault(lookalike, token.start as usize),
        Likeness::Known | Likeness::Other => Ok(()),
    }
}

fn response_id<'a>(view: &View<'a>, members: &Members) -> Result<Id<'a>, Fault> {
    match members.id {
        Some(node) => id(view, node),
        None => fault(Refusal::ResponseWithoutId, view.span(Node(0)).end - 1),
    }
}

fn id<'a>(view: &View<'a>, node: Node) -> Result<Id<'a>, Fault> {
    let raw = view.raw(node).as_bytes();
    let is_sound = match view.kind(node) {
        NodeKind::String => view.string(node).is_some_and(|text| text.len() <= ID_BYTES_MAX),
        NodeKind::Number => number::exact_integer(raw).is_some(),
        _ => false,
    };
    if is_sound { Ok(Id { raw }) } else { fault(Refusal::IdForm, start(view, node)) }
}

fn check_error(view: &View<'_>, error: Node, direction: Direction) -> Result<(), Fault> {
    let is_sound = view.kind(error) == NodeKind::Object
        && (direction == Direction::ToClient
            || view.get(error, "code").is_some_and(|code| {
                view.kind(code) == NodeKind::Number && number::is_integer_literal(view.raw(code).as_bytes())
            }));
    if is_sound { Ok(()) } else { fault(Refusal::ErrorForm, start(view, error)) }
}

fn start(view: &View<'_>, node: Node) -> usize {
    view.span(node).start
}

fn fault<T>(reason: Refusal, at: usize) -> Result<T, Fault> {
    Err(Fault::new(reason, at))
}
