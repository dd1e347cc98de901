//! A session without a relay: says what became of a line.

use std::sync::Arc;

use serde_json::Value;
use stockade_policy::detect::{Engine, HashKey};
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::mediator::{Action, Mediator, Now, Peer, Record, RecordKind, ServerEnd, SessionFacts};
use stockade_policy::rules::{Layer, Origin, Policy};

/// Words that stand for every kind of finding, so that these tests do not hang on what a detector knows.
pub(crate) const POLICY: &str = r#"
version = 1

[[rule]]
id = "no-merge"
effect = "deny"
tools = ["merge_*"]
prompts = ["merge-*"]
reason = "merges go through review"

[[rule]]
id = "ask-deploy"
effect = "ask"
tools = ["deploy"]
reason = "a deployment is seen by customers"

[[dlp]]
id = "stop-projects"
detect = ["keyword/projects"]
action = "block"
reason = "project names stay in the house"

[[dlp]]
id = "hide-customers"
detect = ["keyword/customers"]
action = "redact"
reason = "names of customers are replaced"

[[dlp]]
id = "note-places"
detect = ["keyword/places"]
action = "monitor"

[[dlp]]
id = "no-instructions"
detect = ["injection/*"]
direction = "to-client"
action = "block"
reason = "it gives instructions to the model"

[keywords.projects]
words = ["Nightfall"]

[keywords.customers]
words = ["Umbrella"]

[keywords.places]
words = ["Lisbon"]
"#;

/// Text that no person sees and a model reads: "ignore" in tag characters.
pub(crate) const HIDDEN: &str = "\u{E0069}\u{E0067}\u{E006E}\u{E006F}\u{E0072}\u{E0065}";

pub(crate) struct Session {
    pub(crate) mediator: Mediator,
    pub(crate) now_ms: u64,
}

/// What became of one line.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The line as the other side got it.
    pub(crate) forwarded: Option<String>,
    /// It went on byte for byte, without a copy.
    pub(crate) untouched: bool,
    pub(crate) to_client: Vec<Value>,
    pub(crate) to_server: Vec<Value>,
    pub(crate) records: Vec<Record>,
}

impl Session {
    pub(crate) fn new() -> Self {
        Self::with(POLICY)
    }

    pub(crate) fn with(policy: &str) -> Self {
        Self::with_facts(policy, SessionFacts::default())
    }

    /// A session whose server's jail grants these directories.
    pub(crate) fn with_roots(policy: &str, within: &[&str]) -> Self {
        let within = within.iter().map(|&directory| directory.to_owned()).collect();
        Self::with_facts(policy, SessionFacts { roots_within: Some(within), ..SessionFacts::default() })
    }

    pub(crate) fn with_facts(policy: &str, facts: SessionFacts) -> Self {
        let (policy, engine) = judges(policy);
        let facts = SessionFacts {
            identities: vec!["pkg:npm/example-server@1.0.0".to_owned()],
            server_name: "example".to_owned(),
            ..facts
        };
        Self { mediator: Mediator::new(policy, engine, facts, *b"sixteen bytes ok"), now_ms: 1_000 }
    }

    pub(crate) fn client(&mut self, line: impl AsRef<[u8]>) -> Outcome {
        self.line(Peer::Client, line.as_ref())
    }

    pub(crate) fn server(&mut self, line: impl AsRef<[u8]>) -> Outcome {
        self.line(Peer::Server, line.as_ref())
    }

    pub(crate) fn line(&mut self, from: Peer, line: &[u8]) -> Outcome {
        let mut actions = Vec::new();
        self.now_ms += 7;
        self.mediator.line(from, line, Now(self.now_ms), &mut actions);
        Outcome::read(line, actions)
    }

    pub(crate) fn server_ends(&mut self, how: &str, stderr_tail: &str) -> Outcome {
        let mut actions = Vec::new();
        let end = ServerEnd { how: how.to_owned(), stderr_tail: stderr_tail.to_owned() };
        self.mediator.server_ended(&end, Now(self.now_ms), &mut actions);
        Outcome::read(b"", actions)
    }

    /// Another policy is in force, and the client hears what that means for it.
    pub(crate) fn policy_changes(&mut self, policy: &str) -> Outcome {
        let (policy, engine) = judges(policy);
        self.mediator.set_policy(policy, engine);
        let mut actions = Vec::new();
        self.mediator.announce(Now(self.now_ms), &mut actions);
        Outcome::read(b"", actions)
    }

    pub(crate) fn client_ends(&mut self, why: &str) -> Outcome {
        let mut actions = Vec::new();
        self.mediator.client_ended(why, Now(self.now_ms), &mut actions);
        Outcome::read(b"", actions)
    }

    /// A call of the handshake era, forwarded.
    pub(crate) fn calls(&mut self, id: u32, tool: &str) {
        let outcome = self.client(call(id, tool));
        assert!(outcome.untouched, "{outcome:?}");
    }

    /// A request with empty params, forwarded.
    pub(crate) fn asks(&mut self, id: u32, method: &str) {
        let outcome = self.client(request(id, method, "{}"));
        assert!(outcome.untouched, "{outcome:?}");
    }
}

impl Outcome {
    pub(crate) fn read(line: &[u8], actions: Vec<Action>) -> Self {
        let mut outcome = Self::default();
        for action in actions {
            match action {
                Action::Forward => {
                    assert!(outcome.forwarded.is_none(), "a line goes on once");
                    outcome.untouched = true;
                    outcome.forwarded = Some(String::from_utf8_lossy(line).into_owned());
                }
                Action::ForwardRewritten(bytes) => {
                    assert!(outcome.forwarded.is_none(), "a line goes on once");
                    outcome.forwarded = Some(String::from_utf8(bytes).unwrap());
                }
                Action::Send(Peer::Client, bytes) => outcome.to_client.push(read_line(&bytes)),
                Action::Send(Peer::Server, bytes) => outcome.to_server.push(read_line(&bytes)),
                Action::Record(record) => outcome.records.push(*record),
            }
        }
        outcome
    }

    /// Nothing left the session but a record.
    pub(crate) fn is_dropped(&self) -> bool {
        self.forwarded.is_none()
            && self.to_client.is_empty()
            && self.to_server.is_empty()
            && self.records.len() == 1
    }

    /// The one line that the client got from us.
    pub(crate) fn answer(&self) -> &Value {
        assert_eq!((self.to_client.len(), self.to_server.len()), (1, 0), "{self:?}");
        assert_eq!(self.forwarded, None);
        &self.to_client[0]
    }

    /// The one line that the server got from us.
    pub(crate) fn answer_to_server(&self) -> &Value {
        assert_eq!((self.to_client.len(), self.to_server.len()), (0, 1), "{self:?}");
        assert_eq!(self.forwarded, None);
        &self.to_server[0]
    }

    /// The one record of this kind.
    pub(crate) fn record(&self, kind: RecordKind) -> &Record {
        let mut of_kind = self.records.iter().filter(|record| record.kind == kind);
        let record = of_kind.next().unwrap_or_else(|| panic!("no {kind:?} in {:?}", self.records));
        assert_eq!(of_kind.next(), None, "more than one {kind:?}");
        record
    }

    /// The id of the built-in or policy rule that decided.
    pub(crate) fn rule(&self) -> &str {
        let record = self.records.last().expect("no record");
        &record.verdict.reason.as_ref().expect("no reason").rule
    }
}

pub(crate) fn judges(policy: &str) -> (Arc<Policy>, Arc<Engine>) {
    let document =
        PolicyDocument::parse("policy.toml", policy).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let layer =
        Layer { origin: Origin::User, name: "policy.toml".to_owned(), document, sha256: "0".repeat(64) };
    let policy = Policy::compose(vec![layer]);
    let engine = Engine::new(&policy.keywords(), HashKey([5; 32])).unwrap();
    (Arc::new(policy), Arc::new(engine))
}

pub(crate) fn request(id: u32, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

pub(crate) fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

pub(crate) fn call(id: u32, tool: &str) -> String {
    call_with(id, tool, "")
}

pub(crate) fn call_with(id: u32, tool: &str, text: &str) -> String {
    request(id, "tools/call", &format!(r#"{{"name":"{tool}","arguments":{{"text":"{text}"}}}}"#))
}

/// A call of the stateless era.
pub(crate) fn modern_call(id: u32, tool: &str) -> String {
    request(id, "tools/call", &format!(r#"{{"name":"{tool}","arguments":{{}},{MODERN_META}}}"#))
}

pub(crate) const MODERN_META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

pub(crate) fn result(id: u32, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

pub(crate) fn text_result(id: u32, text: &str) -> String {
    result(id, &format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#))
}

/// A line of ours: one JSON-RPC message without anything at which a reader could end it early.
fn read_line(bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(!text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']), "{text:?}");
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(value["jsonrpc"], "2.0");
    value
}

/// A generator of our own: the same numbers on every machine (Steele, Lea and Flood, SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}
