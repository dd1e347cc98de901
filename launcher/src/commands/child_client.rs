//! A client of a child process, for `demo` and `bisect`: writes one JSON value a line and reads as Python's text streams
//! do. It uses threads and no runtime.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::{Failure, Kind};

/// Bytes of stderr that are kept: the last ones.
const STDERR_BYTES_KEPT: usize = 4096;
/// So long nothing may come before a server that has ended counts as silent.
const QUIET: Duration = Duration::from_millis(20);
/// How long the end of a server's stderr is waited for once it has ended.
const GRACE: Duration = Duration::from_secs(2);

/// A client with its server.
#[derive(Debug)]
pub(super) struct Client {
    child: Child,
    patience: Duration,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    heard: Heard,
    next_id: u64,
}

/// All that came from the server.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Every line, as text.
    pub(super) text: String,
    /// Requests and notifications.
    pub(super) unasked: Vec<Value>,
}

/// What came back for a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// `result`
    Result(Value),
    /// `error`
    Error(Value),
    /// Nothing in time, or the server went away.
    Silence(&'static str),
}

/// How a session was over.
#[derive(Debug)]
pub(super) struct Over {
    /// All that came.
    pub(super) heard: Heard,
    /// How the process ended; `None` if it had to be killed.
    pub(super) status: Option<ExitStatus>,
    /// The end of what it wrote to stderr.
    pub(super) stderr: String,
}

impl Client {
    /// Starts the server; an answer may take as long as `patience`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(super) fn start(mut command: Command, patience: Duration) -> Result<Self, Failure> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |why: &str| Failure::new(Kind::Software, "cannot start the server").cause(why);
        let mut child = command.spawn().map_err(|error| failed(&error.to_string()))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed("its pipes are missing"));
        };
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || split_lines(stdout, &sender));
        let stderr = std::thread::spawn(move || tail(stderr));
        Ok(Self {
            child,
            patience,
            stdin: Some(stdin),
            lines,
            stderr: Some(stderr),
            heard: Heard::default(),
            next_id: 1,
        })
    }

    /// Number of the server's process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks and waits for the answer; what else comes meanwhile is kept.
    pub(super) fn request(&mut self, method: &str, params: &Value) -> Reply {
        let id = self.next_id;
        self.next_id += 1;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        if self.write(&message).is_err() {
            return Reply::Silence("the server closed its input");
        }
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = match self.lines.recv_timeout(left) {
                Ok(line) => self.heard.take(&line),
                Err(RecvTimeoutError::Timeout) => return Reply::Silence("no answer in time"),
                Err(RecvTimeoutError::Disconnected) => return Reply::Silence("the server went away"),
            };
            if let Some(mut message) = message.filter(|message| message["id"] == id) {
                return match message.get_mut("result") {
                    Some(result) => Reply::Result(result.take()),
                    None => Reply::Error(message["error"].take()),
                };
            }
        }
    }

    /// Says something that has no answer.
    pub(super) fn notify(&mut self, method: &str) {
        // A server that is gone is noticed at the next request.
        let _ = self.write(&json!({ "jsonrpc": "2.0", "method": method }));
    }

    /// Closes stdin, hears the rest, and waits for the end.
    pub(super) fn close(self) -> Over {
        let patience = self.patience;
        self.close_within(patience)
    }

    /// The same, for a server that may not end by itself.
    pub(super) fn close_within(mut self, patience: Duration) -> Over {
        drop(self.stdin.take());
        let deadline = Instant::now() + patience;
        let mut status = None;
        // A process that it started may hold stdout open for ever: what counts is its own end, and a quiet moment then.
        while Instant::now() < deadline {
            match self.lines.recv_timeout(QUIET) {
                Ok(line) => drop(self.heard.take(&line)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if status.is_some() => break,
                Err(RecvTimeoutError::Timeout) => status = self.child.try_wait().ok().flatten(),
            }
        }
        let status = status.or_else(|| self.wait(deadline));
        if status.is_none() {
            // Fails only when it is gone already.
            let _ = self.child.kill();
        }
        // Whatever it left behind may hold stderr open for ever.
        let grace = Instant::now() + GRACE;
        let stderr = self.stderr.take().filter(|thread| {
            while !thread.is_finished() && Instant::now() < grace {
                std::thread::sleep(Duration::from_millis(2));
            }
            thread.is_finished()
        });
        let stderr = stderr.and_then(|thread| thread.join().ok());
        Over { heard: std::mem::take(&mut self.heard), status, stderr: stderr.unwrap_or_default() }
    }

    fn wait(&mut self, deadline: Instant) -> Option<ExitStatus> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn write(&mut self, message: &Value) -> std::io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        stdin.write_all(format!("{message}\n").as_bytes())?;
        stdin.flush()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            // Both fail only when it is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Heard {
    /// Keeps a line; an answer is handed out, the rest is noted. What is not JSON is noise to a client.
    fn take(&mut self, line: &str) -> Option<Value> {
        self.text.push_str(line);
        self.text.push('\n');
        let message: Value = serde_json::from_str(line).ok()?;
        if message.get("method").is_some() {
            self.unasked.push(message);
            return None;
        }
        Some(message)
    }
}

/// Universal newlines: LF, CR and CR LF each end a line, as in Python's text streams, which the MCP SDK of that
/// language reads with. Empty lines are dropped.
fn split_lines(mut from: impl Read, to: &Sender<String>) {
    let mut chunk = [0; 8192];
    let mut line = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        for &byte in &chunk[..count] {
            if !matches!(byte, b'\n' | b'\r') {
                line.push(byte);
            } else if !line.is_empty() {
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                if to.send(text).is_err() {
                    return;
                }
            }
        }
    }
}

fn tail(mut from: impl Read) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..count]);
        let surplus = kept.len().saturating_sub(STDERR_BYTES_KEPT);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_cr_ends_a_line_as_it_does_in_python() {
        let (sender, lines) = mpsc::channel();
        split_lines(&b"a\rb\r\nc\n\ntorn"[..], &sender);
        drop(sender);
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_request_of_the_server_is_no_answer() {
        let mut heard = Heard::default();
        assert!(heard.take(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#).is_none());
        assert!(heard.take(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).is_some());
        assert_eq!(heard.unasked.len(), 1);
    }
}
