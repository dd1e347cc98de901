//! A wrapped entry started as its client would start it.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::{Home, Said};

/// Answers one request with what is in `GREETING` and `OTHER`.
const SERVER: &str = r#"read line; printf '{"jsonrpc":"2.0","id":1,"result":{"said":"%s/%s"}}\n' "$GREETING" "${OTHER-nothing}""#;

#[test]
fn a_wrapped_entry_starts_its_server_with_the_variables_that_the_entry_names() {
    let config = serde_json::json!({"mcpServers": {"greeter": {
        "command": "/bin/sh", "args": ["-c", SERVER], "env": {"GREETING": "good-day"}
    }}});
    let home = Home::with_cursor(&config.to_string());
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    let config: Value = serde_json::from_str(&home.cursor()).unwrap();
    let entry = &config["mcpServers"]["greeter"];
    let args: Vec<&str> =
        entry["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let mut command = home.command(Path::new(entry["command"].as_str().unwrap()), &args);
    command.env("GREETING", entry["env"]["GREETING"].as_str().unwrap()).env("OTHER", "not for the server");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let request = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let said = Said::from(child.wait_with_output().unwrap());
    assert!(said.stdout.contains("\"good-day/nothing\""), "{}\n{}", said.stdout, said.stderr);
}
