//! Streamable HTTP of 2026-07-28 in front of a server on stdio: `conformance-front PORT COMMAND…`. It does what that
//! transport asks of the HTTP side alone (methods, `Host`, `Origin`, headers that repeat the body, statuses, streams);
//! messages go through as they are, ids and all. Other fronts speak to the server as clients of their own.

#[path = "front/headers.rs"]
mod headers;

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use headers::Headers;

/// How often a silent stream is looked at, whether its client is still there.
const LOOK: Duration = Duration::from_millis(50);

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let port: u16 = words.next().ok_or("no port")?.parse()?;
    let program = words.next().ok_or("no command")?;
    let mut child = Command::new(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take().ok_or("no stdin")?;
    let stdout = child.stdout.take().ok_or("no stdout")?;
    let shared = Arc::new(Mutex::new(Shared { stdin, waiting: BTreeMap::new(), mirrored: BTreeMap::new() }));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let reader = Arc::clone(&shared);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            lock(&reader).route(&line);
        }
        // Whoever waits learns that the server is gone.
        lock(&reader).waiting.clear();
    });
    for stream in listener.incoming() {
        let (stream, shared) = (stream?, Arc::clone(&shared));
        thread::spawn(move || {
            // A client that hangs up misses its own answer only.
            let _ = serve(stream, &shared);
        });
    }
    Ok(())
}

struct Shared {
    stdin: ChildStdin,
    /// Who waits for the answer under an id.
    waiting: BTreeMap<String, Waiting>,
    /// Headers that repeat arguments of tools: tool, then argument and header.
    mirrored: BTreeMap<String, BTreeMap<String, String>>,
}

struct Waiting {
    to: Sender<Value>,
    method: String,
    progress: Value,
}

impl Shared {
    /// A line of the server, to the request that it belongs to.
    fn route(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return };
        let params = &message["params"];
        let subscription = &params["_meta"]["io.modelcontextprotocol/subscriptionId"];
        if message["method"].is_null() {
            for tool in message["result"]["tools"].as_array().into_iter().flatten() {
                let name = tool["name"].as_str().unwrap_or_default();
                self.mirrored.insert(name.to_owned(), headers::mirrored(&tool["inputSchema"]));
            }
            if let Some(waiting) = self.waiting.remove(&message["id"].to_string()) {
                let _ = waiting.to.send(message);
            }
        } else if !subscription.is_null() {
            if let Some(waiting) = self.waiting.get(&subscription.to_string()) {
                let _ = waiting.to.send(message);
            }
        } else {
            let token = &params["progressToken"];
            let is_for = |waiting: &&Waiting| match token {
                // stdio does not say to which request a log line belongs.
                Value::Null => waiting.method == "tools/call",
                token => waiting.progress == *token,
            };
            for waiting in self.waiting.values().filter(is_for) {
                let _ = waiting.to.send(message.clone());
            }
        }
    }

    fn say(&mut self, message: &Value) -> io::Result<()> {
        writeln!(self.stdin, "{message}")?;
        self.stdin.flush()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request a connection.
fn serve(mut stream: TcpStream, shared: &Mutex<Shared>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (line, headers) = Headers::read(&mut reader)?;
    if !headers.is_local() {
        return respond(&mut stream, 403, None);
    }
    if !line.starts_with("POST ") {
        return respond(&mut stream, 405, None);
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return respond(&mut stream, 400, Some(&error(&Value::Null, -32_700, "no JSON")));
    };
    let mut shared_now = lock(shared);
    if message["id"].is_null() {
        shared_now.say(&message)?;
        return respond(&mut stream, 202, None);
    }
    if let Err(why) = headers.repeat(&message, &shared_now.mirrored) {
        return respond(&mut stream, 400, Some(&error(&message["id"], -32_020, why)));
    }
    let (to, answers) = channel();
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    let progress = message["params"]["_meta"]["progressToken"].clone();
    shared_now.waiting.insert(message["id"].to_string(), Waiting { to, method, progress });
    // What `serde_json` prints is what came, but for white space and the order of keys.
    shared_now.say(&message)?;
    drop(shared_now);
    let outcome = pass_on(&mut stream, &answers, &message);
    if outcome.is_err() && lock(shared).waiting.remove(&message["id"].to_string()).is_some() {
        let cancel = json!({ "requestId": message["id"], "reason": "the stream was closed" });
        return lock(shared).say(&json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel,
        }));
    }
    outcome
}

/// The answer alone as JSON; what comes before it makes a stream.
fn pass_on(stream: &mut TcpStream, answers: &Receiver<Value>, request: &Value) -> io::Result<()> {
    let mut is_stream = false;
    loop {
        let message = match answers.recv_timeout(LOOK) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => {
                if is_gone(stream)? {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => {
                return respond(stream, 502, Some(&error(&request["id"], -32_603, "the server ended")));
            }
        };
        let is_answer = message["method"].is_null();
        if is_answer && !is_stream {
            return respond(stream, status(request, &message), Some(&message));
        }
        if !is_stream {
            is_stream = true;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
            stream.write_all(head.as_bytes())?;
        }
        write!(stream, "event: message\ndata: {message}\n\n")?;
        if is_answer {
            return Ok(());
        }
    }
}

fn is_gone(stream: &TcpStream) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    match peeked {
        Ok(length) => Ok(length == 0),
        Err(error) => Ok(error.kind() != io::ErrorKind::WouldBlock),
    }
}

/// The HTTP status that the transport wants for an answer.
fn status(request: &Value, answer: &Value) -> u16 {
    let meta = &request["params"]["_meta"];
    let lacks_meta = ["protocolVersion", "clientCapabilities"]
        .iter()
        .any(|key| meta[format!("io.modelcontextprotocol/{key}")].is_null());
    match answer["error"]["code"].as_i64() {
        Some(-32_601) => 404,
        Some(-32_022..=-32_020) => 400,
        Some(-32_602) if lacks_meta => 400,
        _ => 200,
    }
}

fn error(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

fn respond(stream: &mut TcpStream, status: u16, body: Option<&Value>) -> io::Result<()> {
    let body = body.map(Value::to_string).unwrap_or_default();
    write!(
        stream,
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
