//! rmcp, the SDK with typed messages, as a reader of what was forwarded: it has to see the method, the name, the id and the
//! arguments that were judged. Where it does not, that is listed, with the reason.

use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stockade_policy::wire::{Direction, Id, IdKey, Limits, Parser, Shape};

/// Lines that rmcp reads otherwise, and why that is no way around a decision.
const DIFFERENT: [(&str, &str, &str); 3] = [
    ("arguments_null", "to_server", "`null` is no arguments to it, as to our rules"),
    (
        "error_code_string",
        "to_client",
        "an error needs a whole number as its code: nobody using rmcp reads the line",
    ),
    (
        "error_code_float",
        "to_client",
        "an error needs a whole number as its code: nobody using rmcp reads the line",
    ),
];

/// What a decision is about.
#[derive(Debug, PartialEq)]
struct Reading {
    id: Option<Value>,
    method: Option<String>,
    name: Option<Value>,
    /// In one spelling.
    arguments: Option<String>,
}

/// What is wrong with how rmcp reads these lines: case, direction, line.
pub(super) fn differing(sent: &[(&str, &str, Vec<u8>)]) -> Vec<String> {
    let mut objections = Vec::new();
    let mut known = 0;
    for (name, direction, line) in sent {
        let (ours, theirs) = match *direction {
            "to_server" => (judged(line, Direction::ToServer), read::<ClientJsonRpcMessage>(line)),
            _ => (judged(line, Direction::ToClient), read::<ServerJsonRpcMessage>(line)),
        };
        let listed = DIFFERENT.iter().any(|(case, way, _)| case == name && way == direction);
        let same = theirs.as_ref() == Ok(&ours);
        known += usize::from(listed);
        if same == listed {
            objections.push(format!("{name} {direction}, listed {listed}: ours {ours:?}, rmcp's {theirs:?}"));
        }
    }
    assert_eq!(known, DIFFERENT.len(), "every listed line was forwarded");
    objections
}

fn judged(line: &[u8], direction: Direction) -> Reading {
    let mut parser = Parser::default();
    let frame = parser.parse(line, direction, &Limits::of(direction)).expect("it was forwarded");
    let id_of = |id: &Id<'_>| match id.key() {
        IdKey::Number(number) => json!(number),
        IdKey::Text(text) => json!(text),
    };
    let (id, method, params) = match &frame.shape {
        Shape::Request { id, method, params } => (Some(id_of(id)), Some(method.to_string()), *params),
        Shape::Notification { method, params } => (None, Some(method.to_string()), *params),
        Shape::Response { id, .. } => (Some(id_of(id)), None, None),
    };
    let member = |key| params.and_then(|params| frame.get(params, key));
    let raw = |node| serde_json::from_slice::<Value>(&frame.bytes[frame.span(node)]).expect("it is JSON");
    Reading {
        id,
        method,
        name: member("name").map(|name| frame.text(name).map_or_else(|| raw(name), |text| json!(text))),
        arguments: member("arguments").map(|arguments| super::canonical(&raw(arguments))),
    }
}

fn read<Message: DeserializeOwned + serde::Serialize>(line: &[u8]) -> Result<Reading, String> {
    let message: Message = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let message = serde_json::to_value(&message).map_err(|error| error.to_string())?;
    let params = message.get("params");
    let member = |key| params.and_then(|params| params.get(key));
    Ok(Reading {
        id: message.get("id").cloned(),
        method: message.get("method").and_then(Value::as_str).map(str::to_owned),
        name: member("name").cloned(),
        arguments: member("arguments").map(super::canonical),
    })
}
