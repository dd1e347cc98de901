//! The messages that are measured, and the sessions that they pass through.

use std::fmt::Write as _;
use std::sync::Arc;

use stockade_policy::detect::{Engine, HashKey};
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::mediator::{Action, Mediator, Now, Peer, SessionFacts};
use stockade_policy::rules::{Layer, Origin, Policy, UnixTime};

pub(crate) const KB: usize = 1_000;

/// What a message mostly consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One long string of plain words.
    Text,
    /// Rows of small objects, as programs generate them; where the protocol wants a text, the same written as one.
    Table,
    /// One string of source code: a line end, tabs and quotes every few words.
    Source,
}

/// Classes of messages: each is judged along another path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Call,
    StatelessCall,
    TextResult,
    StructuredResult,
    ToolsList,
    Notification,
    ResourceRequest,
    Resource,
}

/// One message, and what has to go before and after it so that it can be sent again and again under one id.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) line: Vec<u8>,
    from: Peer,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

/// Whether detectors look into the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dlp {
    Off,
    On,
}

/// Whether a rule about the tool looks at the arguments of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    None,
    Some,
}

/// A session that is asked the same again and again.
pub(crate) struct Session {
    mediator: Mediator,
    actions: Vec<Action>,
}

impl Form {
    pub(crate) const ALL: [Self; 3] = [Self::Text, Self::Table, Self::Source];

    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Table => "table",
            Self::Source => "source",
        }
    }

    /// JSON of about so many bytes.
    fn value(self, bytes: usize) -> String {
        match self {
            Self::Text => string("The quick brown fox jumps over the lazy dog, and then it rests. ", bytes),
            Self::Source => string(
                "\\tif let Some(row) = rows.get(n) {\\n\\t\\tprintln!(\\\"{row}\\\");\\n\\t}\\n",
                bytes,
            ),
            Self::Table => rows(bytes, |n| {
                format!(
                    r#"{{"id":{n},"name":"item {n}","size":{},"tags":["a","b"],"ok":true,"next":null}}"#,
                    n * 37
                )
            }),
        }
    }

    /// The same as one string.
    fn string(self, bytes: usize) -> String {
        match self {
            Self::Text | Self::Source => self.value(bytes),
            Self::Table => format!("\"{}\"", self.value(bytes * 4 / 5).replace('"', "\\\"")),
        }
    }
}

fn string(sentence: &str, bytes: usize) -> String {
    format!("\"{}\"", sentence.repeat(bytes / sentence.len()))
}

fn rows(bytes: usize, row: impl Fn(usize) -> String) -> String {
    let mut text = "[".to_owned();
    for n in 0.. {
        let row = row(n);
        if n > 0 && text.len() + row.len() > bytes {
            break;
        }
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{row}");
    }
    text + "]"
}

fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

fn result(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1.0.0"},"io.modelcontextprotocol/clientCapabilities":{"roots":{},"sampling":{}}}"#;

impl Class {
    pub(crate) const ALL: [Self; 8] = [
        Self::Call,
        Self::StatelessCall,
        Self::TextResult,
        Self::StructuredResult,
        Self::ToolsList,
        Self::Notification,
        Self::ResourceRequest,
        Self::Resource,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::StatelessCall => "call 2026-07-28",
            Self::TextResult => "text result",
            Self::StructuredResult => "structured result",
            Self::ToolsList => "tools list",
            Self::Notification => "notification",
            Self::ResourceRequest => "resource request",
            Self::Resource => "resource",
        }
    }

    /// Whether a message of this class can look like this.
    pub(crate) fn takes(self, form: Form, bytes: usize) -> bool {
        match self {
            Self::ToolsList => form == Form::Table,
            Self::ResourceRequest => form == Form::Text && bytes <= KB,
            _ => bytes > 10 * KB || form == Form::Text,
        }
    }

    pub(crate) fn sample(self, form: Form, bytes: usize) -> Sample {
        // What stands around the payload.
        const ENVELOPE: usize = 150;
        let payload = bytes - ENVELOPE;
        let (before, line) = match self {
            Self::Call | Self::StatelessCall => (None, self.call(form, payload)),
            Self::TextResult | Self::StructuredResult => {
                let call = request("tools/call", r#"{"name":"read_file","arguments":{"path":"/srv/a"}}"#);
                (Some(call), self.result(form, payload))
            }
            Self::ToolsList => (Some(request("tools/list", "{}")), self.result(form, payload)),
            Self::Resource => {
                let read = request("resources/read", r#"{"uri":"file:///srv/a.txt"}"#);
                (Some(read), self.result(form, payload))
            }
            Self::Notification => {
                let value = form.value(payload);
                let params = format!(r#"{{"level":"info","logger":"bench","data":{value}}}"#);
                (None, format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{params}}}"#))
            }
            Self::ResourceRequest => {
                (None, request("resources/read", r#"{"uri":"file:///srv/data/reports/2026/november.txt"}"#))
            }
        };
        let is_request = line.contains("\"method\"") && line.contains("\"id\":1,");
        let is_from_client = before.is_none() && self != Self::Notification;
        Sample {
            name: format!("{}/{}/{} KB", self.word(), form.word(), bytes / KB),
            line: line.into_bytes(),
            from: if is_from_client { Peer::Client } else { Peer::Server },
            before: before.map(String::into_bytes),
            after: is_request.then(|| result("{}").into_bytes()),
        }
    }

    fn call(self, form: Form, payload: usize) -> String {
        let (bytes, meta) = match self {
            Self::StatelessCall => (payload - META.len(), format!(",{META}")),
            _ => (payload, String::new()),
        };
        let arguments = format!(r#"{{"path":"/srv/a","content":{}}}"#, form.value(bytes));
        request("tools/call", &format!(r#"{{"name":"read_file","arguments":{arguments}{meta}}}"#))
    }

    fn result(self, form: Form, payload: usize) -> String {
        result(&match self {
            Self::ToolsList => format!(r#"{{"tools":{}}}"#, tools(payload)),
            Self::StructuredResult => {
                let value = form.value(payload);
                format!(
                    r#"{{"content":[{{"type":"text","text":"see there"}}],"structuredContent":{{"rows":{value}}}}}"#
                )
            }
            Self::Resource => {
                let text = form.string(payload);
                format!(
                    r#"{{"contents":[{{"uri":"file:///srv/a.txt","mimeType":"text/plain","text":{text}}}]}}"#
                )
            }
            _ => {
                let text = form.string(payload);
                format!(r#"{{"content":[{{"type":"text","text":{text}}}],"isError":false}}"#)
            }
        })
    }
}

/// A list of tools with schemas as SDKs generate them.
fn tools(bytes: usize) -> String {
    rows(bytes, |n| {
        format!(
            r#"{{"name":"tool_{n}","title":"Tool {n}","description":"Does the thing number {n} and says what came of it.","inputSchema":{{"type":"object","properties":{{"path":{{"type":"string","description":"Where to look"}},"limit":{{"type":"integer","minimum":1,"maximum":500}}}},"required":["path"],"additionalProperties":false}},"annotations":{{"readOnlyHint":true}}}}"#
        )
    })
}

/// Rules as security teams write them: most name a server and some tools, some name tools of any server.
fn policy(rules: usize, dlp: Dlp, condition: Condition) -> String {
    let mut text = "version = 1\n".to_owned();
    for n in 0..rules {
        let about = match n % 4 {
            0 => format!("servers = [\"pkg:npm/server-{n}\"]\ntools = [\"merge_*\", \"delete_*\"]"),
            1 => format!("servers = [\"pkg:npm/server-{n}@1.*\"]"),
            2 => format!("tools = [\"stop_{n}\", \"other_{n}\"]"),
            _ => format!("servers = [\"pkg:pypi/server-{n}\"]\ntools = [\"run_{n}\"]"),
        };
        let _ = write!(text, "[[rule]]\nid = \"r{n}\"\neffect = \"deny\"\nreason = \"r\"\n{about}\n");
    }
    if condition == Condition::Some {
        text += "[[rule]]\nid = \"main\"\neffect = \"deny\"\nreason = \"r\"\ntools = [\"read_file\"]\nwhen = 'args.path == \"/etc/shadow\"'\n";
    }
    if dlp == Dlp::On {
        text += "[[dlp]]\nid = \"all\"\ndetect = [\"secret/*\", \"pii/*\", \"injection/*\"]\naction = \"block\"\ndirection = \"both\"\nreason = \"r\"\n";
    }
    text
}

impl Session {
    pub(crate) fn new(rules: usize, dlp: Dlp, condition: Condition) -> Self {
        let text = policy(rules, dlp, condition);
        let document = PolicyDocument::parse("bench", &text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let layer = Layer { origin: Origin::User, name: "bench".to_owned(), document, sha256: String::new() };
        let policy = Arc::new(Policy::compose(vec![layer]));
        let engine =
            Arc::new(Engine::new(&policy.keywords(), HashKey([1; 32])).expect("the engine compiles"));
        let facts = SessionFacts {
            identities: vec!["pkg:npm/example-server@1.0.0".to_owned(), "file:sha256:00".to_owned()],
            server_name: "example".to_owned(),
            client_name: Some("bench".to_owned()),
            ..SessionFacts::default()
        };
        let mut mediator = Mediator::new(policy, engine, facts, *b"sixteen bytes ok");
        mediator.set_unix_time(UnixTime(1_795_411_800_000));
        Self { mediator, actions: Vec::new() }
    }

    /// Passes the sample once and makes sure that it goes on: a refusal would be measured as something quick.
    pub(crate) fn check(&mut self, sample: &Sample) {
        self.before(sample);
        self.measured_line(sample);
        let goes_on = |action: &Action| matches!(action, Action::Forward | Action::ForwardRewritten(_));
        assert!(self.actions.iter().any(goes_on), "{} was refused: {:?}", sample.name, self.actions);
        self.after(sample);
    }

    pub(crate) fn before(&mut self, sample: &Sample) {
        if let Some(line) = &sample.before {
            self.mediator.line(Peer::Client, line, Now(0), &mut self.actions);
        }
    }

    /// What is measured: one line in, actions out. Not inlined, so that callgrind finds it by its name.
    #[inline(never)]
    pub(crate) fn measured_line(&mut self, sample: &Sample) {
        self.mediator.line(sample.from, &sample.line, Now(0), &mut self.actions);
    }

    pub(crate) fn after(&mut self, sample: &Sample) {
        if let Some(line) = &sample.after {
            self.mediator.line(Peer::Server, line, Now(0), &mut self.actions);
        }
    }
}
