//! A server driven without a client: everything is listed, and what is asked for is called.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::DuplexStream;

use super::client::{Client, NoResult};
use super::survey::{Survey, fill, modern_meta};
use crate::error::Failure;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of it.
#[derive(Debug)]
pub(in crate::commands) struct Exercise {
    /// How many tools there are.
    pub(in crate::commands) tools: usize,
    /// Each call that was asked for, and what came of it.
    pub(in crate::commands) calls: Vec<(String, Result<(), String>)>,
    /// Why it ended early.
    pub(in crate::commands) failure: Option<Failure>,
}

/// Initialises, lists, and calls these tools with these arguments, one after the other.
pub(in crate::commands) async fn exercise(end: DuplexStream, calls: &[(String, Value)]) -> Exercise {
    let mut client = Client::new(end);
    let mut survey = Survey::default();
    let failure = fill(&mut client, &mut survey).await.err();
    let mut exercise = Exercise { tools: survey.tools.items.len(), calls: Vec::new(), failure };
    if exercise.failure.is_some() {
        return exercise;
    }
    let modern = matches!(survey.discover, Some(Ok(_)));
    for (tool, arguments) in calls {
        let mut params = json!({ "name": tool, "arguments": arguments });
        if modern {
            params["_meta"] = modern_meta().into();
        }
        let outcome = match client.request("tools/call", &params, PATIENCE).await {
            Ok(result) if result["isError"] == true => Err(format!("the tool says: {}", said(&result))),
            Ok(_) => Ok(()),
            Err(NoResult::Error { code, message }) => Err(format!("{code} {message}")),
            Err(NoResult::Timeout) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
            Err(NoResult::Gone) => Err("the server ended".to_owned()),
        };
        exercise.calls.push((tool.clone(), outcome));
    }
    exercise
}

/// The first text of a result.
fn said(result: &Value) -> String {
    const CHARACTERS_MAX: usize = 200;
    let text = result["content"].as_array().into_iter().flatten().find_map(|part| part["text"].as_str());
    text.unwrap_or("an error without words").chars().take(CHARACTERS_MAX).collect()
}
