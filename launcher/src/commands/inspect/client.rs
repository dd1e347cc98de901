//! A small MCP client on an in-process pipe: requests with a limit on their time, and fitting answers to what the
//! server asks.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout_at};

/// The client's end of a session.
#[derive(Debug)]
pub(super) struct Client {
    lines: BufReader<ReadHalf<DuplexStream>>,
    out: WriteHalf<DuplexStream>,
    next_id: u64,
    /// What a server that is no longer there left behind: the mediator's message and the masked end of stderr.
    pub(super) epitaph: Option<Epitaph>,
}

/// What is known of a dead server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Epitaph {
    /// `the MCP server ended (exit status 1) before it answered`
    pub(super) how: String,
    /// The masked end of its stderr; empty if it said nothing.
    pub(super) stderr_tail: String,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoResult {
    /// An error of the server, or of the mediator in its stead.
    Error {
        /// JSON-RPC code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// Nothing in time.
    Timeout,
    /// The session is over.
    Gone,
}

/// The mediator's code for "the server ended before it answered".
const SERVER_ENDED: i64 = 1502;
/// "Method not found": such a server does not have what was asked for.
pub(super) const METHOD_NOT_FOUND: i64 = -32601;

impl Client {
    /// A client on this end.
    pub(super) fn new(end: DuplexStream) -> Self {
        let (lines, out) = tokio::io::split(end);
        Self { lines: BufReader::new(lines), out, next_id: 1, epitaph: None }
    }

    /// Asks and waits for the answer; the server's own requests are answered meanwhile.
    pub(super) async fn request(
        &mut self,
        method: &str,
        params: &Value,
        patience: Duration,
    ) -> Result<Value, NoResult> {
        let id = self.next_id;
        self.next_id += 1;
        let deadline = Instant::now() + patience;
        let exchange = self.exchange(id, method, params);
        match timeout_at(deadline, exchange).await {
            Ok(Ok(answer)) => self.outcome(answer),
            Ok(Err(_)) => Err(NoResult::Gone),
            Err(_) => Err(NoResult::Timeout),
        }
    }

    /// Says something that has no answer.
    pub(super) async fn notify(&mut self, method: &str) {
        // A session that is over is noticed at the next request.
        let _ = self.write(&json!({ "jsonrpc": "2.0", "method": method })).await;
    }

    async fn exchange(&mut self, id: u64, method: &str, params: &Value) -> io::Result<Value> {
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
        loop {
            let mut line = Vec::new();
            if self.lines.read_until(b'\n', &mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Ok(message) = serde_json::from_slice::<Value>(&line) else { continue };
            match (message["method"].as_str(), message.get("id")) {
                (Some(method), Some(asked)) => self.write(&answer_to(method, asked)).await?,
                (None, Some(answered)) if *answered == id => return Ok(message),
                _ => {}
            }
        }
    }

    fn outcome(&mut self, mut answer: Value) -> Result<Value, NoResult> {
        if let Some(result) = answer.get_mut("result") {
            return Ok(result.take());
        }
        let error = &answer["error"];
        let code = error["code"].as_i64().unwrap_or(0);
        let message = error["message"].as_str().unwrap_or("an error without a message").to_owned();
        if code == SERVER_ENDED {
            let stderr_tail = error["data"]["stderr"].as_str().unwrap_or_default().to_owned();
            self.epitaph = Some(Epitaph { how: message, stderr_tail });
            return Err(NoResult::Gone);
        }
        Err(NoResult::Error { code, message })
    }

    async fn write(&mut self, message: &Value) -> io::Result<()> {
        self.out.write_all(format!("{message}\n").as_bytes()).await?;
        self.out.flush().await
    }
}

/// A client without sampling, elicitation and roots, polite enough that no server hangs on it.
fn answer_to(method: &str, id: &Value) -> Value {
    match method {
        "ping" => json!({ "jsonrpc": "2.0", "id": id, "result": {} }),
        "roots/list" => json!({ "jsonrpc": "2.0", "id": id, "result": { "roots": [] } }),
        _ => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": METHOD_NOT_FOUND, "message": "Method not found" } })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    /// A server that says these lines and reads whatever comes.
    async fn script(mut end: DuplexStream, lines: &[&str]) -> DuplexStream {
        for line in lines {
            end.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
        end
    }

    #[test]
    fn what_the_server_asks_is_answered_before_its_own_answer_comes() {
        run(async {
            let (ours, theirs) = tokio::io::duplex(4096);
            let theirs = script(
                theirs,
                &[
                    r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#,
                    r#"{"jsonrpc":"2.0","method":"notifications/message"}"#,
                    r#"{"jsonrpc":"2.0","id":1,"result":{"n":1}}"#,
                ],
            )
            .await;
            let mut client = Client::new(ours);
            let result = client.request("x", &json!({}), Duration::from_secs(5)).await;
            assert_eq!(result, Ok(json!({ "n": 1 })));
            let mut lines = BufReader::new(theirs).lines();
            lines.next_line().await.unwrap();
            let answer = lines.next_line().await.unwrap().unwrap();
            assert!(answer.contains(r#""roots":[]"#), "{answer}");
        });
    }

    #[test]
    fn a_dead_server_leaves_its_last_words() {
        run(async {
            let (ours, theirs) = tokio::io::duplex(4096);
            let line = r#"{"jsonrpc":"2.0","id":1,"error":{"code":1502,"message":"ended","data":{"stderr":"boom"}}}"#;
            let _theirs = script(theirs, &[line]).await;
            let mut client = Client::new(ours);
            let result = client.request("x", &json!({}), Duration::from_secs(5)).await;
            assert_eq!(result, Err(NoResult::Gone));
            assert_eq!(client.epitaph.unwrap().stderr_tail, "boom");
        });
    }

    #[test]
    fn silence_and_a_closed_session_are_told_apart() {
        run(async {
            let (ours, theirs) = tokio::io::duplex(4096);
            let mut client = Client::new(ours);
            let patience = Duration::from_millis(20);
            assert_eq!(client.request("x", &json!({}), patience).await, Err(NoResult::Timeout));
            drop(theirs);
            assert_eq!(client.request("x", &json!({}), patience).await, Err(NoResult::Gone));
        });
    }
}
