//! A session of messages in both directions.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use stockade_policy::detect::{Engine, HashKey};
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::mediator::{Action, Mediator, Now, PENDING_MAX, Peer, ServerEnd, SessionFacts};
use stockade_policy::rules::Policy;
use stockade_policy::wire::{Direction, Frame, Limits, Parser, Refusal, Refused, Shape};

use super::{LINE_ENDS, composed};

const SESSION_POLICY: &str = r#"
version = 1

[[rule]]
id = "no-merge"
effect = "deny"
tools = ["merge_*"]
prompts = ["merge-*"]
resources = ["file:///private/*"]
reason = "r"

[[rule]]
id = "ask-deploy"
effect = "ask"
tools = ["deploy"]
reason = "r"

[[dlp]]
id = "stop-projects"
detect = ["keyword/projects"]
action = "block"

[[dlp]]
id = "hide-customers"
detect = ["keyword/customers"]
action = "redact"

[[dlp]]
id = "hide-secrets"
detect = ["secret/*", "pii/payment-card"]
confidence = "medium"
action = "redact"

[[dlp]]
id = "no-instructions"
detect = ["injection/*"]
direction = "to-client"
action = "block"

[keywords.projects]
words = ["Nightfall"]
match = "word"

[keywords.customers]
words = ["Umbrella"]
match = "word"
"#;

thread_local! {
    static JUDGES: (Arc<Policy>, Arc<Engine>) = judges();
}

fn judges() -> (Arc<Policy>, Arc<Engine>) {
    let document = PolicyDocument::parse("p", SESSION_POLICY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let policy = composed(document);
    let engine = Engine::new(&policy.keywords(), HashKey([5; 32])).expect("the engine compiles");
    (Arc::new(policy), Arc::new(engine))
}

/// A session: lines that begin with `>` come from the client, the others from the server (a leading `<` is taken off).
pub fn mediate(data: &[u8]) {
    let (policy, engine) = JUDGES.with(Clone::clone);
    let facts = SessionFacts { identities: vec!["pkg:npm/a@1".to_owned()], ..SessionFacts::default() };
    let mut mediator = Mediator::new(policy, engine, facts, *b"sixteen bytes ok");
    let (mut actions, mut open, mut at) = (Vec::new(), Open::default(), 0);
    for line in data.split(|byte| *byte == b'\n') {
        let (from, line) = match line.split_first() {
            Some((b'>', line)) => (Peer::Client, line),
            Some((b'<', line)) => (Peer::Server, line),
            _ => (Peer::Server, line),
        };
        at += 1;
        let batch: Option<Vec<&[u8]>> =
            mediator.batch(line).map(|messages| messages.into_iter().map(str::as_bytes).collect());
        for line in batch.unwrap_or_else(|| vec![line]) {
            open.asks(from, line);
            mediator.line(from, line, Now(at), &mut actions);
            acted(from, line, &actions, &mut open);
        }
        assert!(
            mediator.pending(Peer::Client) <= PENDING_MAX && mediator.pending(Peer::Server) <= PENDING_MAX
        );
    }
    let end = ServerEnd { how: "exit status 1".to_owned(), stderr_tail: String::new() };
    mediator.server_ended(&end, Now(at), &mut actions);
    acted(Peer::Server, b"", &actions, &mut open);
    mediator.client_ended("it is over", Now(at), &mut actions);
    acted(Peer::Client, b"", &actions, &mut open);
    assert_eq!((mediator.pending(Peer::Client), mediator.pending(Peer::Server)), (0, 0));
}

/// What may be done about a line, and what may be said, shown and written on record of it.
fn acted(from: Peer, line: &[u8], actions: &[Action], open: &mut Open) {
    let mut forwarded = 0;
    for action in actions {
        match action {
            Action::Forward | Action::ForwardRewritten(_) => {
                let bytes = if let Action::ForwardRewritten(bytes) = action { bytes } else { line };
                forwarded += 1;
                passed(from, bytes);
                open.is_told(from.other(), bytes);
            }
            Action::Send(to, bytes) => {
                said(*to, bytes);
                open.is_told(*to, bytes);
            }
            Action::Record(record) => {
                let shown = format!("{record:?}");
                assert!(!shown.split(' ').any(is_word), "{shown}");
            }
        }
    }
    assert!(forwarded <= 1, "a line goes on once");
}

/// How often each id stood in a line of a peer, and was not answered yet.
#[derive(Default)]
struct Open(HashMap<(Peer, String), usize>);

impl Open {
    fn asks(&mut self, from: Peer, line: &[u8]) {
        let mut parser = Parser::default();
        let id = match parser.parse(line, from.direction(), &Limits::of(from.direction())) {
            Ok(Frame { shape: Shape::Request { id, .. }, .. }) => id.raw.to_vec(),
            Ok(_) => return,
            Err(Refused { id: Some(id), .. }) => id,
            Err(_) => return,
        };
        *self.0.entry((from, normal(&id))).or_default() += 1;
    }

    /// Who is answered asked, and was not answered before.
    fn is_told(&mut self, to: Peer, bytes: &[u8]) {
        let message = message(bytes);
        if message.get("method").is_none() {
            let id = (to, message["id"].to_string());
            let left = self.0.get(&id).and_then(|asked| asked.checked_sub(1));
            self.0.insert(id, left.unwrap_or_else(|| panic!("nobody asked: {message}")));
        }
    }
}

/// An id as `serde_json` writes it.
fn normal(id: &[u8]) -> String {
    serde_json::from_slice::<Value>(id).expect("an id is JSON").to_string()
}

/// What we say ourselves is a message that the grammar lets pass, and repeats none of the policy's words, but for the id:
/// that is the asker's own, and goes back as it came even where the grammar refuses the line for it.
fn said(to: Peer, bytes: &[u8]) {
    let mut message = message(bytes);
    message["id"].take();
    assert_eq!(message["jsonrpc"], "2.0");
    assert!(!holds_word(&message), "{message}");
    let fault = in_the_grammar(to.other().direction(), bytes).err();
    assert!(fault.is_none_or(|fault| fault == Refusal::IdForm), "{fault:?}: {message}");
}

/// Whether the grammar lets it pass as it is.
fn in_the_grammar(direction: Direction, bytes: &[u8]) -> Result<(), Refusal> {
    let mut parser = Parser::default();
    let limits = Limits { frame_bytes_max: usize::MAX, ..Limits::of(direction) };
    let frame = parser.parse(bytes, direction, &limits).map_err(|refused| refused.reason)?;
    assert_eq!(frame.repairs.total(), 0);
    Ok(())
}

fn message(bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).expect("what is written is UTF-8");
    let text = text.strip_suffix('\r').unwrap_or(text);
    assert!(!text.contains(LINE_ENDS), "{text:?}");
    serde_json::from_str(text).expect("what is written is JSON")
}

/// What a receiver reads must be what was judged.
fn passed(from: Peer, bytes: &[u8]) {
    let message = message(bytes);
    assert!(!holds_word(&message), "{message}");
    in_the_grammar(from.direction(), bytes).expect("what goes on is in the grammar");
    if from == Peer::Client {
        let name = message["params"]["name"].as_str().unwrap_or_default();
        match message["method"].as_str() {
            Some("tools/call") => assert!(!name.starts_with("merge_") && name != "deploy", "{message}"),
            Some("prompts/get") => assert!(!name.starts_with("merge-"), "{message}"),
            Some("resources/read") => {
                let uri = message["params"]["uri"].as_str().expect("a string");
                assert!(!uri.starts_with("file:///private/"), "{message}");
            }
            _ => {}
        }
    }
}

/// Whether one of the policy's words stands in a string or key, as it is written in the policy and between spaces. (The
/// engine finds more than that; less would be a hole.)
fn holds_word(value: &Value) -> bool {
    let holds = |text: &str| text.split(' ').any(is_word);
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => holds(text),
        Value::Array(items) => items.iter().any(holds_word),
        Value::Object(members) => members.iter().any(|(key, value)| holds(key) || holds_word(value)),
    }
}

fn is_word(word: &str) -> bool {
    matches!(word, "Nightfall" | "Umbrella")
}
