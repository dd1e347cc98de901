//! What must hold when things go wrong: on the wire, with the server, with the host.

mod exits;
mod flood;
mod hosts;
mod lifetimes;
mod memory;
mod noise;
mod output;
mod pending;
mod servers;
mod sizes;

use std::ffi::OsString;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{World, drive, raw_driver, stockade_bin};

/// `stockade run FLAGS… -- COMMAND…` as the words after a driver's own.
fn run_words(flags: &[&str], command: Vec<OsString>) -> Vec<OsString> {
    let head = ["--".into(), stockade_bin().into_os_string(), "run".into()];
    let flags = flags.iter().map(OsString::from);
    head.into_iter().chain(flags).chain(["--".into()]).chain(command).collect()
}

/// Speaks `steps` (see `drivers/converse.py`) with a server under Stockade.
fn converse(world: &World, steps: &Value, flags: &[&str], command: Vec<OsString>) -> Value {
    converse_with(world, steps, run_words(flags, command))
}

/// Speaks `steps` with any command; `words` begin with `--`.
fn converse_with(world: &World, steps: &Value, words: Vec<OsString>) -> Value {
    let script = world.write("script.json", &steps.to_string()).into_os_string();
    let words = [script].into_iter().chain(words);
    drive(world, raw_driver("converse.py"), words, Duration::from_secs(120))
}

/// A `tools/call` request.
fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    json!({"send": {"jsonrpc": "2.0", "id": id.into(), "method": "tools/call",
        "params": {"name": tool, "arguments": arguments}}})
}

/// Waits for the answer to `id`.
fn wait_for(id: impl Into<Value>) -> Value {
    json!({"await": id.into()})
}

/// The only answer to `id`.
fn only_answer<'a>(outcome: &'a Value, id: &str) -> &'a Value {
    let answers = outcome["answers"][id].as_array().unwrap_or_else(|| panic!("no answer to {id}: {outcome}"));
    assert_eq!(answers.len(), 1, "{id} was answered more than once: {outcome}");
    &answers[0]
}

/// The text of a tool's answer.
fn text_of(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}
