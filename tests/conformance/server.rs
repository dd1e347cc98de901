//! A server that implements what the official conformance suite asks of servers (`@modelcontextprotocol/conformance`),
//! over stdio. What it lists and answers stands in `surface.json`. Whoever shakes hands first gets a server of rmcp, the
//! others the one in `stateless.rs`.
#![expect(
    deprecated,
    reason = "logging and sampling are deprecated since 2026-07-28, and the suite asks for both"
)]

mod stateless;

use std::error::Error;
use std::time::Duration;

use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ServerConfig, SetLevelRequestParams,
    SubscribeRequestParams, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

/// One red pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";

/// RIFF, PCM, 8 kHz, no samples.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

/// Between two notifications, so that a client sees them one by one.
const PAUSE: Duration = Duration::from_millis(50);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let surface = include_str!("surface.json").replace("${PNG}", PNG).replace("${WAV}", WAV);
    let surface: Value = serde_json::from_str(&surface)?;
    let mut first = String::new();
    std::io::stdin().read_line(&mut first)?;
    if stateless::speaks(&first) {
        return stateless::serve(surface, &first);
    }
    let stdin = std::io::Cursor::new(first).chain(tokio::io::stdin());
    Server { surface }.serve((stdin, tokio::io::stdout())).await?.waiting().await?;
    Ok(())
}

struct Server {
    surface: Value,
}

impl Server {
    /// What stands under these keys.
    fn get<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<T, ErrorData> {
        let found = keys.iter().try_fold(&self.surface, |value, key| value.get(*key));
        let found = found
            .ok_or_else(|| ErrorData::invalid_params(format!("there is no {}", keys.join(" ")), None))?;
        typed(found.clone())
    }

    /// The answer of a tool that asks the client something first, or says something while it works.
    async fn work(
        &self,
        name: &str,
        arguments: &Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, ErrorData> {
        let text = match name {
            "test_tool_with_logging" => {
                for line in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                    let message = json!({ "level": "info", "logger": "conformance", "data": line });
                    send(context.peer.notify_logging_message(typed(message)?).await)?;
                    tokio::time::sleep(PAUSE).await;
                }
                "Tool with logging executed successfully".to_owned()
            }
            "test_tool_with_progress" => {
                let token = serde_json::to_value(&context.meta)
                    .ok()
                    .and_then(|meta| meta.get("progressToken").cloned());
                for progress in [0, 50, 100] {
                    if let Some(token) = &token {
                        let message = json!({ "progressToken": token, "progress": progress, "total": 100 });
                        send(context.peer.notify_progress(typed(message)?).await)?;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                "Tool with progress executed successfully".to_owned()
            }
            "test_sampling" => {
                let content = json!({ "type": "text", "text": arguments["prompt"] });
                let question =
                    json!({ "messages": [{ "role": "user", "content": content }], "maxTokens": 100 });
                let answer = send(context.peer.create_message(typed(question)?).await)?;
                let answer = plain(&answer)?;
                let said =
                    answer["content"]["text"].as_str().or_else(|| answer["content"][0]["text"].as_str());
                format!("LLM response: {}", said.unwrap_or("none"))
            }
            _ => {
                let schema: Value = self.get(&["questions", name])?;
                let message = arguments["message"].as_str().unwrap_or("Please answer");
                let question = json!({ "mode": "form", "message": message, "requestedSchema": schema });
                let answer = plain(&send(context.peer.create_elicitation(typed(question)?).await)?)?;
                let (action, content) = (answer["action"].as_str().unwrap_or("none"), &answer["content"]);
                match name {
                    "test_elicitation" => format!("User response: action={action}, content={content}"),
                    _ => format!("Elicitation completed: action={action}, content={content}"),
                }
            }
        };
        Ok(json!({ "content": [{ "type": "text", "text": text }] }))
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        self.get(&["info"]).unwrap_or_default()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        typed(json!({ "tools": self.surface["tools"] }))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let answer = match self.get::<Value>(&["answers", &request.name]) {
            Ok(known) => known,
            Err(_) => self.work(&request.name, &arguments, &context).await?,
        };
        Ok(typed::<CallToolResult>(answer)?.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        typed(json!({ "prompts": self.surface["prompts"] }))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let mut messages = self.get::<Value>(&["messages", &request.name])?.to_string();
        for (name, value) in request.arguments.unwrap_or_default() {
            let value = serde_json::to_value(&value).ok().and_then(|value| value.as_str().map(str::to_owned));
            messages = messages.replace(&format!("${{{name}}}"), &value.unwrap_or_default());
        }
        let messages: Value = serde_json::from_str(&messages).map_err(wrong)?;
        Ok(typed::<GetPromptResult>(json!({ "messages": messages }))?.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        typed(json!({ "resources": self.surface["resources"] }))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        typed(json!({ "resourceTemplates": self.surface["templates"] }))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.as_str();
        let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let content = match id {
            Some(id) => {
                let text = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                json!({ "uri": uri, "mimeType": "application/json", "text": text.to_string() })
            }
            None => match self.get::<Value>(&["contents", uri]) {
                Ok(content) => content,
                Err(_) => return Err(ErrorData::resource_not_found("there is no such resource", None)),
            },
        };
        Ok(typed::<ReadResourceResult>(json!({ "contents": [content] }))?.into())
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        typed(
            json!({ "completion": { "values": ["paris", "park", "party"], "total": 150, "hasMore": false } }),
        )
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(wrong)
}

fn plain<T: serde::Serialize>(value: &T) -> Result<Value, ErrorData> {
    serde_json::to_value(value).map_err(wrong)
}

fn send<T, E: std::fmt::Display>(outcome: Result<T, E>) -> Result<T, ErrorData> {
    outcome.map_err(wrong)
}

fn wrong(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}
