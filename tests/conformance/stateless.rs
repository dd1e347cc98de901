//! The same server in the stateless era (2026-07-28), by hand: rmcp neither asks back nor makes tasks as the suite wants.
//! One line is answered after the other; tasks do not run, their state follows from the time that has passed.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::PAUSE;

const VERSION: &str = "2026-07-28";
const TASKS: &str = "io.modelcontextprotocol/tasks";

const NO_METHOD: i32 = -32_601;
const PARAMS: i32 = -32_602;
const MISSING_CAPABILITY: i32 = -32_021;
const UNSUPPORTED_VERSION: i32 = -32_022;

/// What seals the states that clients hand back.
const SEAL: &str = "a fixture has no secrets";

/// Code, message and data of an error.
type Failure = (i32, String, Value);

/// Whether a client that says this first speaks the stateless era: all but the older handshake.
pub(crate) fn speaks(line: &str) -> bool {
    let message: Value = serde_json::from_str(line).unwrap_or_default();
    message["method"] != "initialize" || !meta(&message["params"], "protocolVersion").is_null()
}

/// Answers until stdin ends; `first` was read already.
pub(crate) fn serve(surface: Value, first: &str) -> Result<(), Box<dyn Error>> {
    let own = serde_json::from_str(include_str!("stateless.json"))?;
    let mut server = Server { surface, own, tasks: BTreeMap::new(), listeners: Vec::new(), minted: 0 };
    server.take(first)?;
    for line in io::stdin().lock().lines() {
        server.take(&line?)?;
    }
    Ok(())
}

struct Server {
    /// What both eras have.
    surface: Value,
    /// What this era has besides.
    own: Value,
    tasks: BTreeMap<String, Task>,
    /// Subscriptions, by the id of their request.
    listeners: Vec<(Value, Value)>,
    minted: u32,
}

struct Task {
    made: Instant,
    stamp: String,
    takes: Duration,
    cancelled: bool,
    /// Questions that are open.
    questions: Map<String, Value>,
    /// `result` or `error`, and what it is.
    outcome: (&'static str, Value),
}

impl Task {
    fn status(&self) -> &'static str {
        match self.outcome.0 {
            _ if self.cancelled => "cancelled",
            _ if !self.questions.is_empty() => "input_required",
            _ if self.made.elapsed() < self.takes => "working",
            "error" => "failed",
            _ => "completed",
        }
    }

    fn base(&self, id: &str) -> Value {
        json!({
            "taskId": id, "status": self.status(), "createdAt": self.stamp, "lastUpdatedAt": self.stamp,
            "ttlMs": 600_000, "pollIntervalMs": 100,
        })
    }
}

impl Server {
    fn take(&mut self, line: &str) -> io::Result<()> {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return Ok(()) };
        let (id, method, params) = (&message["id"], &message["method"], &message["params"]);
        let method = method.as_str().unwrap_or_default();
        if method == "notifications/cancelled" {
            self.listeners.retain(|(listener, _)| *listener != params["requestId"]);
        }
        if id.is_null() {
            return Ok(());
        }
        match self.answer(id, method, params) {
            Ok(None) => Ok(()),
            Ok(Some(mut result)) => {
                if result["resultType"].is_null() {
                    result["resultType"] = "complete".into();
                }
                result["_meta"]["io.modelcontextprotocol/serverInfo"] =
                    self.surface["info"]["serverInfo"].clone();
                say(&json!({ "jsonrpc": "2.0", "id": id, "result": result }))
            }
            Err((code, message, data)) => {
                let error = json!({ "code": code, "message": message, "data": data });
                say(&json!({ "jsonrpc": "2.0", "id": id, "error": error }))
            }
        }
    }

    /// The result; `None` if there will be none yet.
    fn answer(&mut self, id: &Value, method: &str, params: &Value) -> Result<Option<Value>, Failure> {
        let (version, capabilities) = (meta(params, "protocolVersion"), meta(params, "clientCapabilities"));
        if !version.is_string() || !capabilities.is_object() {
            return Err(wrong("`_meta` lacks the version or the capabilities"));
        }
        if *version != VERSION {
            let data = json!({ "supported": [VERSION], "requested": version });
            return Err((UNSUPPORTED_VERSION, "unsupported protocol version".into(), data));
        }
        let mut result = match method {
            "server/discover" => self.own["info"].clone(),
            "tools/list" => json!({ "tools": self.tools() }),
            "prompts/list" => json!({ "prompts": self.both("prompts") }),
            "resources/list" => json!({ "resources": self.surface["resources"] }),
            "resources/templates/list" => json!({ "resourceTemplates": self.surface["templates"] }),
            "resources/read" => self.read(params)?,
            "prompts/get" => return self.prompt(params).map(Some),
            "tools/call" => return self.call(params).map(Some),
            "completion/complete" => {
                return Ok(Some(json!({ "completion": { "values": ["paris", "park"], "hasMore": false } })));
            }
            "subscriptions/listen" => return self.listen(id, params),
            "tasks/get" | "tasks/update" | "tasks/cancel" => return self.task(method, params).map(Some),
            _ => return Err((NO_METHOD, format!("there is no method {method}"), Value::Null)),
        };
        result["ttlMs"] = 1000.into();
        result["cacheScope"] = "private".into();
        Ok(Some(result))
    }

    /// What the eras have in common and what this one has besides.
    fn both(&self, key: &str) -> Vec<Value> {
        [&self.surface[key], &self.own[key]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .cloned()
            .collect()
    }

    /// Without those that ask by requests of their own: in this era servers send none.
    fn tools(&self) -> Vec<Value> {
        let mut tools = self.both("tools");
        tools.retain(|tool| {
            let name = tool["name"].as_str().unwrap_or_default();
            name != "test_sampling" && self.surface["questions"][name].is_null()
        });
        tools
    }

    fn read(&self, params: &Value) -> Result<Value, Failure> {
        let uri = params["uri"].as_str().unwrap_or_default();
        let content = match uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data")) {
            Some(id) => {
                let text = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                json!({ "uri": uri, "mimeType": "application/json", "text": text.to_string() })
            }
            None => self.surface["contents"][uri].clone(),
        };
        if content.is_null() {
            return Err((PARAMS, "there is no such resource".into(), json!({ "uri": uri })));
        }
        Ok(json!({ "contents": [content] }))
    }

    fn prompt(&mut self, params: &Value) -> Result<Value, Failure> {
        let name = params["name"].as_str().unwrap_or_default();
        if let Some(question) = self.ask(name, params)? {
            return Ok(question);
        }
        if name == "test_input_required_result_prompt" {
            return Ok(
                json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": "Thank you." } }] }),
            );
        }
        let mut messages = self.surface["messages"][name].to_string();
        for (key, value) in params["arguments"].as_object().into_iter().flatten() {
            messages = messages.replace(&format!("${{{key}}}"), value.as_str().unwrap_or_default());
        }
        match serde_json::from_str(&messages).unwrap_or_default() {
            Value::Null => Err(wrong("there is no such prompt")),
            messages => Ok(json!({ "messages": messages })),
        }
    }

    fn call(&mut self, params: &Value) -> Result<Value, Failure> {
        let name = params["name"].as_str().unwrap_or_default();
        if let known @ Value::Object(_) = &self.surface["answers"][name] {
            return Ok(known.clone());
        }
        if name == "test_streaming_elicitation" || name == "test_tool_with_progress" {
            progress(params);
        }
        if let Some(question) = self.ask(name, params)? {
            return Ok(question);
        }
        if !self.tools().iter().any(|tool| tool["name"] == name) {
            return Err(wrong("there is no such tool"));
        }
        let arguments = &params["arguments"];
        let done = |text: &str| json!({ "content": [{ "type": "text", "text": text }] });
        let declares_tasks = !meta(params, "clientCapabilities")["extensions"][TASKS].is_null();
        let seconds = Duration::try_from_secs_f64(arguments["seconds"].as_f64().unwrap_or_default());
        let seconds = seconds.map_err(|_| wrong("`seconds` is no span of time"))?;
        let name_given = params["inputResponses"]["user_name"]["content"]["name"].as_str().unwrap_or("none");
        let (takes, questions, outcome) = match name {
            "slow_compute" if declares_tasks && !seconds.is_zero() => {
                (seconds, &[][..], ("result", done("computed")))
            }
            "slow_compute" => {
                thread::sleep(seconds);
                return Ok(done("computed"));
            }
            "failing_job" => {
                let mut failed = done("the job failed");
                failed["isError"] = true.into();
                (PAUSE, &[][..], ("result", failed))
            }
            "protocol_error_job" => {
                (PAUSE, &[][..], ("error", json!({ "code": -32_603, "message": "the job broke" })))
            }
            "confirm_delete" => (PAUSE, &["confirm"][..], ("result", done("deleted"))),
            "multi_input" => (PAUSE, &["first", "second"][..], ("result", done("both answered"))),
            "test_tool_with_task" => (PAUSE, &[][..], ("result", done(&format!("Hello, {name_given}!")))),
            _ => return self.work(name, params).map(|text| done(&text)),
        };
        if !declares_tasks {
            return Err(lacks(json!({ "extensions": { TASKS: {} } })));
        }
        let ask = |key: &&str| ((*key).to_owned(), self.own["questions"]["ok"].clone());
        let questions = questions.iter().map(ask).collect();
        Ok(self.make_task(Task {
            made: Instant::now(),
            stamp: now(),
            takes,
            cancelled: false,
            questions,
            outcome,
        }))
    }

    /// What the tools say that answer at once.
    fn work(&mut self, name: &str, params: &Value) -> Result<String, Failure> {
        match name {
            "test_missing_capability" if meta(params, "clientCapabilities")["sampling"].is_null() => {
                return Err(lacks(json!({ "sampling": {} })));
            }
            "test_logging_tool" | "test_tool_with_logging" if !meta(params, "logLevel").is_null() => {
                let message = json!({ "level": "info", "logger": "conformance", "data": "working" });
                notify("notifications/message", &message);
            }
            "test_trigger_tool_change" => self.tell("toolsListChanged", "notifications/tools/list_changed"),
            "test_trigger_prompt_change" => {
                self.tell("promptsListChanged", "notifications/prompts/list_changed")
            }
            "greet" => {
                return Ok(format!("Hello, {}!", params["arguments"]["name"].as_str().unwrap_or("whoever")));
            }
            _ => {}
        }
        Ok(format!("{name} is done"))
    }

    /// The next questions of a call, or `None` if all were answered.
    fn ask(&mut self, name: &str, params: &Value) -> Result<Option<Value>, Failure> {
        let Some(rounds) = self.own["rounds"][name].as_array() else { return Ok(None) };
        let keeps_state =
            self.own["stateful"].as_array().is_some_and(|names| names.iter().any(|it| it == name));
        let round = match params["requestState"].as_str() {
            _ if !keeps_state => 0,
            None => {
                let first = rounds.first().cloned().unwrap_or_default();
                return self.input_required(name, params, &first, keeps_state.then_some(0)).map(Some);
            }
            Some(state) => unsealed(name, state).ok_or_else(|| wrong("this state was tampered with"))?,
        };
        let asked = rounds.get(round).cloned().unwrap_or_default();
        let given = &params["inputResponses"];
        let mut keys = asked.as_object().into_iter().flatten().map(|(key, _)| key);
        if !keys.all(|key| given[key].is_object()) {
            return self.input_required(name, params, &asked, keeps_state.then_some(round)).map(Some);
        }
        match self.own["rounds"][name].get(round + 1).cloned() {
            Some(next) => self.input_required(name, params, &next, Some(round + 1)).map(Some),
            None => Ok(None),
        }
    }

    /// A result that asks what the client says that it can answer.
    fn input_required(
        &mut self,
        name: &str,
        params: &Value,
        asked: &Value,
        round: Option<usize>,
    ) -> Result<Value, Failure> {
        let mut requests = Map::new();
        let mut wanted = Map::new();
        for (key, kind) in asked.as_object().into_iter().flatten() {
            let question = &self.own["questions"][kind.as_str().unwrap_or_default()];
            let capability =
                question["method"].as_str().and_then(|method| method.split('/').next()).unwrap_or("");
            wanted.insert(capability.to_owned(), json!({}));
            if !meta(params, "clientCapabilities")[capability].is_null() {
                requests.insert(key.clone(), question.clone());
            }
        }
        if requests.is_empty() {
            return Err(lacks(wanted.into()));
        }
        let mut result = json!({ "resultType": "input_required", "inputRequests": requests });
        if let Some(round) = round {
            self.minted += 1;
            result["requestState"] = sealed(name, round, self.minted).into();
        }
        Ok(result)
    }

    fn make_task(&mut self, task: Task) -> Value {
        self.minted += 1;
        let id = format!("conformance-task-{}", self.minted);
        let mut made = task.base(&id);
        made["resultType"] = "task".into();
        self.tasks.insert(id, task);
        made
    }

    fn task(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        if meta(params, "clientCapabilities")["extensions"][TASKS].is_null() {
            return Err(lacks(json!({ "extensions": { TASKS: {} } })));
        }
        let id = params["taskId"].as_str().unwrap_or_default();
        let task = self.tasks.get_mut(id).ok_or_else(|| wrong("there is no such task"))?;
        match method {
            "tasks/cancel" => task.cancelled |= !matches!(task.status(), "completed" | "failed"),
            "tasks/update" => task.questions.retain(|key, _| params["inputResponses"][key].is_null()),
            _ => {
                let mut state = task.base(id);
                match task.status() {
                    "input_required" => state["inputRequests"] = task.questions.clone().into(),
                    "completed" | "failed" => state[task.outcome.0] = task.outcome.1.clone(),
                    _ => {}
                }
                return Ok(state);
            }
        }
        Ok(json!({}))
    }

    fn listen(&mut self, id: &Value, params: &Value) -> Result<Option<Value>, Failure> {
        let wanted = params["notifications"].clone();
        notify(
            "notifications/subscriptions/acknowledged",
            &json!({ "notifications": wanted, "_meta": { "io.modelcontextprotocol/subscriptionId": id } }),
        );
        self.listeners.push((id.clone(), wanted));
        Ok(None)
    }

    fn tell(&self, key: &str, method: &str) {
        for (id, _) in self.listeners.iter().filter(|(_, wanted)| wanted[key] == true) {
            notify(method, &json!({ "_meta": { "io.modelcontextprotocol/subscriptionId": id } }));
        }
    }
}

/// A member of the request's own `_meta`.
fn meta<'p>(params: &'p Value, key: &str) -> &'p Value {
    &params["_meta"][format!("io.modelcontextprotocol/{key}")]
}

fn progress(params: &Value) {
    let token = &params["_meta"]["progressToken"];
    for progress in [0, 50, 100].into_iter().filter(|_| !token.is_null()) {
        notify(
            "notifications/progress",
            &json!({ "progressToken": token, "progress": progress, "total": 100 }),
        );
        thread::sleep(PAUSE);
    }
}

fn sealed(name: &str, round: usize, nonce: u32) -> String {
    let open = format!("{name}:{round}:{nonce}");
    let seal: String =
        Sha256::digest(format!("{SEAL}:{open}")).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{open}:{seal}")
}

/// The round of a state that was sealed for this call.
fn unsealed(name: &str, state: &str) -> Option<usize> {
    let mut parts = state.split(':').skip(1);
    let (round, nonce) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (sealed(name, round, nonce) == state).then_some(round)
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

fn lacks(capabilities: Value) -> Failure {
    (
        MISSING_CAPABILITY,
        "the client lacks a capability".into(),
        json!({ "requiredCapabilities": capabilities }),
    )
}

fn wrong(text: &str) -> Failure {
    (PARAMS, text.into(), Value::Null)
}

fn notify(method: &str, params: &Value) {
    // The next answer fails as well, and ends the server.
    let _ = say(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
}

fn say(message: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{message}")?;
    stdout.flush()
}
