//! What a client learns of a server: its era, its name, and all that it offers.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::DuplexStream;

use super::client::{Client, METHOD_NOT_FOUND, NoResult};
use crate::error::{Failure, Kind};

/// The stateless revision that is asked for first.
const MODERN: &str = "2026-07-28";
/// The revision with a handshake that is asked for otherwise.
const LEGACY: &str = "2025-11-25";
/// How long the first answer may take: a server that installs or compiles something first is slow.
const FIRST_PATIENCE: Duration = Duration::from_secs(10);
/// How long every other answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pages of one list.
const PAGES_MAX: usize = 64;
/// Items of one list.
const ITEMS_MAX: usize = 1000;

/// All that was learned.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// What `server/discover` brought: the supported revisions, or why there is none.
    pub(super) discover: Option<Result<Vec<String>, String>>,
    /// The revision in use, if the two agreed on one.
    pub(super) version: Option<String>,
    /// The server's own words about itself: `discover` or `initialize`.
    pub(super) opening: Value,
    /// `tools/list`
    pub(super) tools: Listing,
    /// `prompts/list`
    pub(super) prompts: Listing,
    /// `resources/list`
    pub(super) resources: Listing,
    /// `resources/templates/list`
    pub(super) templates: Listing,
    /// Why the survey ended early.
    pub(super) failure: Option<Failure>,
}

/// One list over all its pages.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Its items.
    pub(super) items: Vec<Value>,
    /// Why there are not more: an error, a limit.
    pub(super) incomplete: Option<String>,
}

/// Asks everything; ends with what was learned so far if the server does.
pub(super) async fn survey(end: DuplexStream) -> Survey {
    let mut client = Client::new(end);
    let mut survey = Survey::default();
    if let Err(failure) = fill(&mut client, &mut survey).await {
        survey.failure = Some(failure);
    }
    survey
}

pub(super) async fn fill(client: &mut Client, survey: &mut Survey) -> Result<(), Failure> {
    let modern = discover(client, survey).await?;
    if !modern {
        initialize(client, survey).await?;
    }
    // Only in the stateless era does a request say for itself who asks.
    let base = if modern { json!({ "_meta": modern_meta() }) } else { json!({}) };
    survey.tools = list(client, "tools/list", "tools", &base).await?;
    survey.prompts = list(client, "prompts/list", "prompts", &base).await?;
    survey.resources = list(client, "resources/list", "resources", &base).await?;
    survey.templates = list(client, "resources/templates/list", "resourceTemplates", &base).await?;
    Ok(())
}

/// Whether the server speaks the stateless revision. Any error and any silence mean that it does not (the
/// 2026-07-28 revision, on clients that speak both eras).
async fn discover(client: &mut Client, survey: &mut Survey) -> Result<bool, Failure> {
    let outcome = client.request("server/discover", &json!({ "_meta": modern_meta() }), FIRST_PATIENCE).await;
    let why = match outcome {
        Ok(result) => {
            let supported: Vec<String> = texts(&result["supportedVersions"]);
            if supported.iter().any(|version| version == MODERN) {
                survey.version = Some(MODERN.to_owned());
                survey.discover = Some(Ok(supported));
                survey.opening = result;
                return Ok(true);
            }
            format!("it supports {}, none of them ours", supported.join(", "))
        }
        Err(NoResult::Gone) => return Err(died(client, "server/discover")),
        Err(NoResult::Timeout) => format!("no answer in {} s", FIRST_PATIENCE.as_secs()),
        Err(NoResult::Error { code, message }) => format!("{code} {message}"),
    };
    survey.discover = Some(Err(why));
    Ok(false)
}

async fn initialize(client: &mut Client, survey: &mut Survey) -> Result<(), Failure> {
    let params = json!({ "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client_info() });
    match client.request("initialize", &params, PATIENCE).await {
        Ok(result) => {
            survey.version = result["protocolVersion"].as_str().map(str::to_owned);
            survey.opening = result;
            client.notify("notifications/initialized").await;
            Ok(())
        }
        Err(NoResult::Gone) => Err(died(client, "initialize")),
        Err(NoResult::Timeout) => Err(unanswered("initialize")),
        Err(NoResult::Error { code, message }) => {
            Err(Failure::new(Kind::Software, "the server refused to be initialised")
                .cause(format!("{code} {message}")))
        }
    }
}

/// All pages of one list. A server without such a thing says "method not found", and has none.
async fn list(client: &mut Client, method: &str, member: &str, base: &Value) -> Result<Listing, Failure> {
    let mut listing = Listing::default();
    let mut params = base.clone();
    for _ in 0..PAGES_MAX {
        let page = match client.request(method, &params, PATIENCE).await {
            Ok(page) => page,
            Err(NoResult::Gone) => return Err(died(client, method)),
            Err(NoResult::Error { code: METHOD_NOT_FOUND, .. }) => return Ok(listing),
            Err(NoResult::Timeout) => {
                listing.incomplete = Some(format!("no answer in {} s", PATIENCE.as_secs()));
                return Ok(listing);
            }
            Err(NoResult::Error { code, message }) => {
                listing.incomplete = Some(format!("{code} {message}"));
                return Ok(listing);
            }
        };
        let items = page[member].as_array().into_iter().flatten();
        listing.items.extend(items.take(ITEMS_MAX.saturating_sub(listing.items.len())).cloned());
        let Some(cursor) = page["nextCursor"].as_str() else { return Ok(listing) };
        if listing.items.len() >= ITEMS_MAX {
            listing.incomplete = Some(format!("cut at {ITEMS_MAX} items"));
            return Ok(listing);
        }
        params["cursor"] = json!(cursor);
    }
    listing.incomplete = Some(format!("cut at {PAGES_MAX} pages"));
    Ok(listing)
}

pub(super) fn modern_meta() -> Map<String, Value> {
    let mut meta = Map::new();
    meta.insert("io.modelcontextprotocol/protocolVersion".to_owned(), json!(MODERN));
    meta.insert("io.modelcontextprotocol/clientCapabilities".to_owned(), json!({}));
    meta.insert("io.modelcontextprotocol/clientInfo".to_owned(), client_info());
    meta
}

fn client_info() -> Value {
    json!({ "name": "stockade-inspect", "version": env!("CARGO_PKG_VERSION") })
}

fn died(client: &Client, asked: &str) -> Failure {
    let mut failure =
        Failure::new(Kind::Software, format!("the server ended while it was asked for `{asked}`"));
    if let Some(epitaph) = &client.epitaph {
        failure = failure.cause(epitaph.how.clone());
        if !epitaph.stderr_tail.trim().is_empty() {
            failure = failure.cause(format!("the end of its stderr:\n{}", epitaph.stderr_tail.trim_end()));
        }
    }
    failure.hint("`stockade log` shows what was denied; `stockade run --explain -- …` shows what it may do")
}

fn unanswered(asked: &str) -> Failure {
    Failure::new(
        Kind::Software,
        format!("the server did not answer `{asked}` within {} s", PATIENCE.as_secs()),
    )
    .hint("is it an MCP server that talks on stdin and stdout?")
}

/// The strings of an array.
pub(super) fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    use super::*;

    /// Surveys a server that answers each request by `answer`.
    fn survey_of(answer: impl Fn(&str, &Value) -> Value) -> Survey {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let (read, mut write) = tokio::io::split(theirs);
            let serve = async {
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let request: Value = serde_json::from_str(&line).unwrap();
                    let Some(id) = request.get("id") else { continue };
                    let mut reply = answer(request["method"].as_str().unwrap(), &request["params"]);
                    reply["jsonrpc"] = json!("2.0");
                    reply["id"] = id.clone();
                    write.write_all(format!("{reply}\n").as_bytes()).await.unwrap();
                }
            };
            tokio::join!(serve, survey(ours)).1
        })
    }

    fn no_such_method() -> Value {
        json!({ "error": { "code": -32601, "message": "Method not found" } })
    }

    #[test]
    fn a_server_of_the_old_era_is_initialised_and_its_pages_are_joined() {
        let survey = survey_of(|method, params| match method {
            "initialize" => {
                json!({ "result": { "protocolVersion": "2025-06-18", "serverInfo": { "name": "s" } } })
            }
            "tools/list" if params["cursor"] == "2" => json!({ "result": { "tools": [{ "name": "b" }] } }),
            "tools/list" => json!({ "result": { "tools": [{ "name": "a" }], "nextCursor": "2" } }),
            _ => no_such_method(),
        });
        assert!(survey.failure.is_none());
        assert_eq!(survey.version.as_deref(), Some("2025-06-18"));
        assert_eq!(survey.discover, Some(Err("-32601 Method not found".to_owned())));
        assert_eq!(survey.tools.items.len(), 2);
        assert!(survey.prompts.items.is_empty() && survey.prompts.incomplete.is_none());
    }

    #[test]
    fn a_server_of_the_new_era_is_not_initialised_and_every_request_says_who_asks() {
        let survey = survey_of(|method, params| {
            assert_eq!(params["_meta"]["io.modelcontextprotocol/protocolVersion"], MODERN, "{method}");
            match method {
                "server/discover" => json!({ "result": { "supportedVersions": [MODERN, LEGACY] } }),
                "initialize" => panic!("initialised"),
                _ => no_such_method(),
            }
        });
        assert!(survey.failure.is_none());
        assert_eq!(survey.version.as_deref(), Some(MODERN));
    }

    #[test]
    fn a_list_without_end_is_cut() {
        let survey = survey_of(|method, _| match method {
            "initialize" => json!({ "result": { "protocolVersion": LEGACY } }),
            "tools/list" => {
                json!({ "result": { "tools": vec![json!({ "name": "t" }); 300], "nextCursor": "n" } })
            }
            "prompts/list" => json!({ "result": { "prompts": [], "nextCursor": "n" } }),
            _ => no_such_method(),
        });
        assert_eq!(survey.tools.items.len(), ITEMS_MAX);
        assert_eq!(survey.tools.incomplete.as_deref(), Some("cut at 1000 items"));
        assert_eq!(survey.prompts.incomplete.as_deref(), Some("cut at 64 pages"));
    }
}
