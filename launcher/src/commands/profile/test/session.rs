//! One session with a server: its tools, and the calls.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::commands::child_client::{Client, Reply};
use crate::error::Failure;
use crate::trials::{Answer, Expected, Fault, Played, Row, Side, Stage};

/// Pages of a list; no server here has more than two.
const PAGES_MAX: usize = 100;
/// For a server to end when its client has gone; bare, some never do.
const LEAVE: Duration = Duration::from_secs(10);

/// Starts the server and asks it.
pub(super) fn play(
    command: Command,
    row: &Row,
    (stage, side): (&Stage<'_>, Side),
    patience: Duration,
) -> Result<Played, Failure> {
    let mut client = Client::start(command, patience)?;
    let mut played = Played::default();
    played.fault = ask(&mut client, row, (stage, side), &mut played).err();
    let over = client.close_within(LEAVE);
    played.stderr = stage.neutral(over.stderr.trim(), side);
    Ok(played)
}

fn ask(
    client: &mut Client,
    row: &Row,
    (stage, side): (&Stage<'_>, Side),
    played: &mut Played,
) -> Result<(), Fault> {
    let params = json!({
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": { "name": "stockade", "version": env!("CARGO_PKG_VERSION") },
    });
    result(client.request("initialize", &params), "initialize")?;
    client.notify("notifications/initialized");
    played.tools = tools(client)?;
    for call in &row.calls {
        let arguments: Value = filled(&call.arguments, &|text| stage.text(text, side));
        let params = json!({ "name": call.tool, "arguments": arguments });
        let (ended, text) = match client.request("tools/call", &params) {
            Reply::Result(result) if result["isError"] == true => (Expected::Tool, content(&result)),
            Reply::Result(result) => (Expected::None, content(&result)),
            Reply::Error(error) => {
                (Expected::Protocol, error["message"].as_str().unwrap_or_default().to_owned())
            }
            Reply::Silence(why) => return Err(Fault { at: call.tool.clone(), why: why.to_owned() }),
        };
        played.answers.push(Answer { ended, text: stage.neutral(&text, side) });
    }
    Ok(())
}

fn tools(client: &mut Client) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let params = cursor.take().map_or_else(|| json!({}), |cursor: Value| json!({ "cursor": cursor }));
        let page = result(client.request("tools/list", &params), "tools/list")?;
        let tools = page["tools"].as_array().into_iter().flatten();
        names.extend(tools.filter_map(|tool| Some(tool["name"].as_str()?.to_owned())));
        match &page["nextCursor"] {
            Value::Null => break,
            next => cursor = Some(next.clone()),
        }
    }
    names.sort();
    Ok(names)
}

fn result(reply: Reply, at: &str) -> Result<Value, Fault> {
    let why = match reply {
        Reply::Result(result) => return Ok(result),
        Reply::Error(error) => error["message"].as_str().unwrap_or("an error without a message").to_owned(),
        Reply::Silence(why) => why.to_owned(),
    };
    Err(Fault { at: at.to_owned(), why })
}

/// The parts of a result in one line, those that are no text by their type.
fn content(result: &Value) -> String {
    let parts = result["content"].as_array().into_iter().flatten().map(|part| match part["text"].as_str() {
        Some(text) => text.to_owned(),
        None => format!("<{}>", part["type"].as_str().unwrap_or("?")),
    });
    parts.collect::<Vec<_>>().join(" | ")
}

/// A value with every text in it changed.
fn filled(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(text).into(),
        Value::Array(items) => items.iter().map(|item| filled(item, change)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), filled(member, change))).collect()
        }
        other => other.clone(),
    }
}
