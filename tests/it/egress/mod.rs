//! What a jailed server can reach, and what can reach it: real servers on this machine's loopback, a real jail between.

mod browser;
mod crowds;
mod inward;
mod outward;
mod proxied;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{World, drive, finish, fixture_command, raw_driver};

/// Backends that can have a network.
const BACKENDS: [&str; 2] = ["namespaces", "notify"];

/// What came of a session.
#[derive(Debug)]
struct Session {
    /// The tools' answers, in the order of the calls.
    answers: Vec<String>,
    /// What a person would have read.
    stderr: String,
    /// `run`'s exit code.
    code: i64,
    /// All events.
    events: Vec<Value>,
}

impl Session {
    /// All events of a kind.
    fn of(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["kind"] == kind).map(|event| &event["what"]).collect()
    }

    /// The only event of a kind.
    #[track_caller]
    fn one(&self, kind: &str) -> &Value {
        let all = self.of(kind);
        assert_eq!(all.len(), 1, "events of kind {kind}: {:#?}", self.events);
        all[0]
    }
}

/// A profile in the world's configuration, that reads nothing of the user's, with these tables.
fn profile(world: &World, tables: &str) {
    let text = format!(
        "name = \"connected\"\ndescription = \"A server of the tests\"\nextends = \"offline\"\n\n{tables}\n"
    );
    world.write("config/stockade/profiles/connected.toml", &text);
}

/// A grant of loopback in a profile.
fn loopback(port: u16, more: &str) -> String {
    format!(
        "{{ host = \"127.0.0.1\", port = {port}, addresses = [\"loopback\"], {more}reason = \"a test\" }}"
    )
}

/// A session of the server `network.py` under the world's profile: the calls, one after the other.
fn session(world: &World, backend: &str, env: &[(&str, &str)], calls: &[(&str, Value)]) -> Session {
    let mut steps = vec![json!({ "handshake": true })];
    for (n, (tool, arguments)) in calls.iter().enumerate() {
        let params = json!({ "name": tool, "arguments": arguments });
        steps.push(
            json!({ "send": { "jsonrpc": "2.0", "id": n + 10, "method": "tools/call", "params": params } }),
        );
        steps.push(json!({ "await": n + 10, "within": 60 }));
    }
    let script = world.write("script.json", &Value::from(steps).to_string());
    let mut driver = raw_driver("converse.py");
    let mut words = vec![script.into_os_string(), "--".into(), "/usr/bin/env".into()];
    words.extend(env.iter().map(|(name, value)| format!("{name}={value}").into()));
    words.push(crate::support::stockade_bin().into());
    words.extend(["run", "--backend", backend, "--profile", "connected", "--"].map(Into::into));
    words.extend(fixture_command("network.py", &[]));
    driver.args(words);
    let outcome = drive(world, driver, Vec::<String>::new(), Duration::from_secs(120));
    assert!(outcome["late"].is_null(), "{outcome:#}");
    let answer = |n: usize| {
        let result = &outcome["answers"][(n + 10).to_string()][0]["result"]["content"][0]["text"];
        result.as_str().unwrap_or_else(|| panic!("no answer {n}: {outcome:#}")).to_owned()
    };
    Session {
        answers: (0..calls.len()).map(answer).collect(),
        stderr: outcome["stderr"].as_str().expect("stderr").to_owned(),
        code: outcome["code"].as_i64().expect("an exit code"),
        events: events(world),
    }
}

/// All events of the world.
fn events(world: &World) -> Vec<Value> {
    let child = world.stockade(["log", "--json"]).spawn().expect("the log can be read");
    let finished = finish(child, Duration::from_secs(30));
    let text = finished.stdout_text();
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

/// What `network.py` answers without a jail: the same call outside.
fn outside(world: &World, tool: &str, arguments: &Value) -> String {
    let words = fixture_command("network.py", &[]);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    world.dress(&mut command);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("the server starts");
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": { "name": tool, "arguments": arguments } });
    writeln!(child.stdin.take().expect("a pipe"), "{call}").expect("it reads");
    let finished = finish(child, Duration::from_secs(60));
    let answer: Value = serde_json::from_slice(&finished.stdout).expect("an answer");
    answer["result"]["content"][0]["text"].as_str().expect("a text").to_owned()
}

/// A server on loopback that gives every connection to `serve`, each on a thread.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has room");
    // A busy machine's server is slow to take what comes, and must not be what refuses a crowd.
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::MAXCONN).expect("a longer queue");
    let address = listener.local_addr().expect("an address");
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads to the end, then sends it back in upper case.
fn shout(mut stream: TcpStream) {
    let mut text = String::new();
    if stream.read_to_string(&mut text).is_ok() {
        let _ = stream.write_all(text.to_uppercase().as_bytes());
    }
}
