//! The call that is made over and over.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::{said, shortened};
use crate::bisect::Outcome;
use crate::commands::child_client::{Client, Reply};
use crate::error::{Failure, Kind};

/// Pages of `tools/list`.
const PAGES_MAX: usize = 64;

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Its list of tools.
    List,
    /// A tool.
    Tool {
        /// Its name.
        name: String,
        /// Its arguments.
        arguments: Value,
    },
}

impl Call {
    /// `TOOL` or `TOOL={…}`
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = text else { return Ok(Self::List) };
        let (name, arguments) = match text.split_once('=') {
            None => (text, json!({})),
            Some((name, written)) => {
                let wrong = |why: String| {
                    Failure::new(Kind::Usage, format!("the arguments of `{name}` are no JSON object"))
                        .cause(why)
                        .hint("as in --call 'echo={\"message\":\"hi\"}'")
                };
                let value: Value = serde_json::from_str(written).map_err(|error| wrong(error.to_string()))?;
                if !value.is_object() {
                    return Err(wrong(format!("it is `{value}`")));
                }
                (name, value)
            }
        };
        Ok(Self::Tool { name: name.to_owned(), arguments })
    }

    /// For the person who agrees to it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::List => "its list of tools".to_owned(),
            Self::Tool { name, arguments } => format!("`{name}` with {arguments}"),
        }
    }

    /// Starts the program, makes the call, ends the program.
    pub(super) fn make(&self, command: Command, patience: Duration) -> Result<Outcome, Failure> {
        let mut client = Client::start(command, patience)?;
        let hello = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "stockade-bisect", "version": env!("CARGO_PKG_VERSION") },
        });
        let mut reply = client.request("initialize", &hello);
        if matches!(reply, Reply::Result(_)) {
            client.notify("notifications/initialized");
            reply = match self {
                Self::List => list(&mut client),
                Self::Tool { name, arguments } => {
                    client.request("tools/call", &json!({ "name": name, "arguments": arguments }))
                }
            };
        }
        let over = client.close();
        Ok(match reply {
            Reply::Result(result) if result["isError"] == true => Outcome::ToolError(said(&result)),
            Reply::Result(result) => Outcome::Answer(result),
            Reply::Error(error) => Outcome::Error {
                code: error["code"].as_i64().unwrap_or(0),
                message: shortened(error["message"].as_str().unwrap_or("an error without a message")),
            },
            Reply::Silence(why) => {
                let stderr = shortened(last_lines(&over.stderr));
                let said = if stderr.is_empty() { String::new() } else { format!("; on stderr: {stderr}") };
                Outcome::Silence(format!("{why}{said}"))
            }
        })
    }
}

fn list(client: &mut Client) -> Reply {
    let (mut tools, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let params = cursor.take().map_or_else(|| json!({}), |cursor: Value| json!({ "cursor": cursor }));
        match client.request("tools/list", &params) {
            Reply::Result(mut page) => {
                if let Some(more) = page["tools"].as_array_mut() {
                    tools.append(more);
                }
                match page.get_mut("nextCursor") {
                    Some(next) if !next.is_null() => cursor = Some(next.take()),
                    _ => break,
                }
            }
            other => return other,
        }
    }
    Reply::Result(json!({ "tools": tools }))
}

/// What a program says last is why it ended.
fn last_lines(text: &str) -> &str {
    const LINES: usize = 4;
    let text = text.trim_end();
    match text.rmatch_indices('\n').nth(LINES - 1) {
        Some((at, _)) => &text[at + 1..],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_a_name_and_an_object() {
        assert_eq!(Call::parse(None).unwrap(), Call::List);
        let call = Call::parse(Some(r#"read={"path":"a=b"}"#)).unwrap();
        assert_eq!(call, Call::Tool { name: "read".to_owned(), arguments: json!({ "path": "a=b" }) });
        assert!(Call::parse(Some("read=[1]")).unwrap_err().causes[0].contains("[1]"));
        assert!(Call::parse(Some("read={")).is_err());
    }

    #[test]
    fn the_last_lines_are_kept() {
        assert_eq!(last_lines("a\nb\nc\nd\ne\n"), "b\nc\nd\ne");
        assert_eq!(last_lines("a\n"), "a");
    }
}
