//! A session that lasts: what it holds stays bounded over hundreds of thousands of messages, whatever the peers do with ids, names, states
//! and tasks. Alone in its test program, so that nothing else moves the memory that is measured.
#![cfg(target_os = "linux")]

use std::fs;
use std::sync::{Arc, Mutex};

use stockade_policy::detect::{Engine, HashKey};
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::mediator::{Action, Mediator, Now, PENDING_MAX, Peer, SessionFacts};
use stockade_policy::rules::{Layer, Origin, Policy};

const POLICY: &str = r#"
version = 1

[[rule]]
id = "no-merge"
effect = "deny"
tools = ["merge_*"]
reason = "merges go through review"

[[rule]]
id = "ask-deploy"
effect = "ask"
tools = ["deploy"]
reason = "a deployment is seen by customers"

[[limit]]
id = "few"
tools = ["tool*"]
calls = 1000000
per = "1h"
reason = "enough is enough"

[[dlp]]
id = "hide-customers"
detect = ["keyword/customers", "secret/*"]
action = "redact"
direction = "both"

[keywords.customers]
words = ["Umbrella"]
"#;

/// How many messages go through a session.
const MESSAGES: u64 = 1_000_000;
/// Tables are full and buffers grown by then.
const SETTLED: u64 = 150_000;

/// More than the allocator's own noise. A leak of ten bytes a message would hold more over the whole session.
const GROWTH_BYTES_MAX: u64 = 3 << 20;

/// One at a time: the memory of the whole process is measured.
static MEASURING: Mutex<()> = Mutex::new(());

/// Memory of this process that is in use, without files.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("proc(5) is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("proc_pid_status(5)");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
    kib * 1024
}

struct Session {
    mediator: Mediator,
    actions: Vec<Action>,
    messages: u64,
}

impl Session {
    fn new() -> Self {
        let document = PolicyDocument::parse("p", POLICY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let layer = Layer { origin: Origin::User, name: String::new(), document, sha256: String::new() };
        let policy = Policy::compose(vec![layer]);
        let engine = Engine::new(&policy.keywords(), HashKey([5; 32])).expect("the engine compiles");
        let facts = SessionFacts { identities: vec!["pkg:npm/a@1".to_owned()], ..SessionFacts::default() };
        let mediator = Mediator::new(Arc::new(policy), Arc::new(engine), facts, *b"sixteen bytes ok");
        Self { mediator, actions: Vec::new(), messages: 0 }
    }

    fn client(&mut self, line: &str) {
        self.line(Peer::Client, line.as_bytes());
    }

    fn server(&mut self, line: &str) {
        self.line(Peer::Server, line.as_bytes());
    }

    fn line(&mut self, from: Peer, line: &[u8]) {
        self.messages += 1;
        self.mediator.line(from, line, Now(self.messages), &mut self.actions);
    }

    /// One of everything that a session remembers something of. `n` makes ids and names new.
    fn turn(&mut self, n: u64) {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}"#;
        let call = |id: String, tool: &str, more: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}{more}}}}}"#
            )
        };
        let result = |id: String, result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        let padding = "x".repeat(200);
        // Answered, and the id used again.
        self.client(&call("7".into(), "tool", ""));
        self.server(&result("7".into(), r#"{"content":[{"type":"text","text":"Umbrella"}]}"#));
        // Never answered, under a long id and a name of its own.
        self.client(&call(format!("\"{padding}{n}\""), &format!("tool{n}"), ""));
        // Denied, and asked about.
        self.client(&call(format!("\"d{n}\""), &format!("merge_{n}"), ""));
        self.client(&call(format!("\"e{n}\""), "deploy", ""));
        // A round that nobody continues, and a task that nobody fetches.
        let (round, task) = (format!("\"r{n}\""), format!("\"t{n}\""));
        self.client(&call(round.clone(), &format!("tool_r{n}"), &format!(",{meta}")));
        let asks = r#"{"a":{"method":"elicitation/create","params":{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{}}}}}"#;
        self.server(&result(
            round,
            &format!(
                r#"{{"resultType":"input_required","inputRequests":{asks},"requestState":"{padding}{n}"}}"#
            ),
        ));
        self.client(&call(task.clone(), &format!("tool_t{n}"), r#","task":{"ttl":60000}"#));
        self.server(&result(task, &format!(r#"{{"task":{{"taskId":"{padding}{n}","status":"working","createdAt":"2026-01-01T00:00:00Z","ttl":60000}}}}"#)));
        // A list whose tools are new each time.
        self.client(r#"{"jsonrpc":"2.0","id":8,"method":"tools/list"}"#);
        self.server(&result("8".into(), &format!(r#"{{"tools":[{{"name":"tool_l{n}","description":"{n}","annotations":{{"readOnlyHint":true}}}},{{"name":"merge_{n}"}},{{"name":"Tool.L{n}"}}]}}"#)));
        // What the server asks, and nobody answers.
        self.server(&format!(r#"{{"jsonrpc":"2.0","id":"s{n}","method":"roots/list"}}"#));
        // Notifications, subscriptions, answers that nobody waits for, ids used twice, lines that are refused.
        self.client(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":"c{n}"}}}}"#
        ));
        self.server(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":"p{n}","progress":1}}}}"#));
        self.client(&format!(r#"{{"jsonrpc":"2.0","id":"l{n}","method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":["file:///{padding}{n}"]}},{meta}}}}}"#));
        self.client(&format!(r#"{{"jsonrpc":"2.0","id":"u{n}","method":"resources/subscribe","params":{{"uri":"file:///{n}"}}}}"#));
        self.server(&result(format!("\"unknown{n}\""), "{}"));
        self.client(&call(format!("\"d{n}\""), &format!("unknown{n}"), ""));
        self.client(&call(format!("\"d{n}\""), &format!("unknown{n}"), ""));
        self.server(&format!("a line of a log {padding}{n}"));
        self.client(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"id\":{n}}}"));
    }
}

#[test]
fn a_session_of_a_million_messages_holds_no_more_than_one_of_some() {
    let _alone = MEASURING.lock().expect("no other test failed");
    let mut session = Session::new();
    // Both eras are spoken, or the server could ask nothing.
    session.client(r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},"clientInfo":{"name":"c","version":"1"}}}"#);
    session.server(r#"{"jsonrpc":"2.0","id":"i","result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#);
    let mut settled = None;
    let mut turns = 0;
    while session.messages < MESSAGES {
        session.turn(turns);
        turns += 1;
        if settled.is_none() && session.messages >= SETTLED {
            settled = Some(resident_bytes());
        }
    }
    let settled = settled.expect("it was measured on the way");
    let grown = resident_bytes().saturating_sub(settled);
    assert!(session.mediator.pending(Peer::Client) <= PENDING_MAX);
    assert_eq!(
        session.mediator.pending(Peer::Server),
        PENDING_MAX,
        "requests of the server were let through"
    );
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes more than after {SETTLED} messages ({settled} bytes)");
    // The positive control: what one byte in twenty would be that is kept of each message is seen by this measure.
    let kept: Vec<Vec<u8>> = (0..session.messages / 20).map(|n| vec![1; 40 + usize::from(n == 0)]).collect();
    let seen = resident_bytes().saturating_sub(settled + grown);
    assert!(seen > 1 << 20, "{} kept parts made {seen} bytes", kept.len());
}
