//! What holds for every input, whoever wrote it. Each function takes the bytes of one input and panics where something does
//! not hold. libFuzzer drives them (`fuzz_targets`), and so does a test of `policy` with a mutator of its own.

mod session;

use serde_json::Value;
use stockade_policy::detect::{Confidence, Engine, Finding, HashKey, KeywordList, Place};
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::redact::{Redaction, Replaced, redact};
use stockade_policy::rules::{Arguments, Circumstances, Item, Layer, Origin, Policy, UnixTime};
use stockade_policy::uri::{Uri, origin};
use stockade_policy::verdict::Access;
use stockade_policy::wire::{Direction, Frame, Limits, NodeKind, Outcome, Parser, Shape, TokenKind};

pub use session::mediate;

/// What ends a line for some reader.
const LINE_ENDS: [char; 5] = ['\n', '\u{2028}', '\u{2029}', '\u{85}', '\r'];

/// A line, in both directions: what is let through reads the same to `serde_json`, and needs no second repair.
pub fn wire(data: &[u8]) {
    for direction in [Direction::ToServer, Direction::ToClient] {
        // What the parser remembers of the line before is of no account.
        let mut parser = Parser::default();
        let cut = data.len() / 2;
        let _ = parser.parse(&data[..cut], direction, &Limits::of(direction));
        match parser.parse(data, direction, &Limits::of(direction)) {
            Ok(frame) => {
                agrees(&frame);
                again(&frame, direction);
            }
            Err(refused) => {
                assert!(refused.offset <= data.len(), "{refused:?}");
                if let Some(id) = refused.id {
                    let id: Value = serde_json::from_slice(&id).expect("an id to answer under is JSON");
                    assert!(id.is_string() || id.is_number(), "{id}");
                }
            }
        }
    }
}

/// `serde_json` reads what the frame says.
fn agrees(frame: &Frame<'_>) {
    let text = std::str::from_utf8(frame.bytes).expect("what is forwarded is UTF-8");
    let message = text.strip_suffix('\r').unwrap_or(text);
    assert!(!message.contains(LINE_ENDS), "{message:?}");
    let read: Value = serde_json::from_str(message).expect("what is forwarded is JSON");
    assert_eq!(read["jsonrpc"], "2.0");
    let (id, method) = match &frame.shape {
        Shape::Request { id, method, .. } => (Some(id), Some(method)),
        Shape::Notification { method, .. } => (None, Some(method)),
        Shape::Response { id, .. } => (Some(id), None),
    };
    assert_eq!(read.get("method").and_then(Value::as_str), method.map(|method| &**method));
    let id = id.map(|id| serde_json::from_slice::<Value>(id.raw).expect("an id is JSON"));
    assert_eq!(read.get("id"), id.as_ref());
    let body = match &frame.shape {
        Shape::Response { outcome: Outcome::Result(_), .. } => &read["result"],
        Shape::Response { outcome: Outcome::Error(_), .. } => &read["error"],
        Shape::Request { .. } | Shape::Notification { .. } => &read["params"],
    };
    if let Some(node) = frame.body().filter(|node| frame.kind(*node) == NodeKind::Object) {
        let members: Vec<_> = frame.members(node).map(|(key, ..)| key).collect();
        let theirs = body.as_object().expect("an object");
        assert_eq!(members.len(), theirs.len(), "{message}");
        for key in members {
            let node = frame.get(node, &key).expect("a member is found by its name");
            assert_eq!(frame.text(node).as_deref(), theirs[&*key].as_str(), "{message}");
        }
    }
    // A pointer is a slow walk: a few are enough.
    for token in frame.tape.iter().take(64) {
        let raw = &text[token.start as usize..token.end as usize];
        if matches!(token.kind, TokenKind::String | TokenKind::Key) {
            let decoded: String = serde_json::from_str(raw).expect("a string is JSON");
            assert_eq!(frame.token_text(token), decoded);
        }
        let pointed = read.pointer(&frame.pointer(token.start as usize)).expect("a pointer leads to a value");
        match token.kind {
            TokenKind::Key => assert!(pointed.is_object(), "{message}"),
            _ => assert_eq!(Some(pointed), serde_json::from_str(raw).ok().as_ref(), "{message}"),
        }
    }
}

/// What is forwarded would be let through again as it is.
fn again(frame: &Frame<'_>, direction: Direction) {
    let mut parser = Parser::default();
    let second =
        parser.parse(frame.bytes, direction, &Limits::of(direction)).expect("it was let through before");
    assert_eq!(second.bytes, frame.bytes);
    assert_eq!(second.repairs.total(), 0);
    assert_eq!(second.tape, frame.tape);
}

fn composed(document: PolicyDocument) -> Policy {
    Policy::compose(vec![Layer {
        origin: Origin::User,
        name: String::new(),
        document,
        sha256: String::new(),
    }])
}

thread_local! {
    static DETECTORS: Engine = detectors();
}

fn detectors() -> Engine {
    let words = ["Umbrella", "é", "REDACTED"].map(str::to_owned).to_vec();
    let list = KeywordList { name: "words".to_owned(), words, regexes: Vec::new(), whole_word: false };
    Engine::new(&[list], HashKey([3; 32])).expect("the engine compiles")
}

/// Any bytes as a text, as a string of a message, and as a message if they are one: findings stand where they say, and what
/// is redacted reads as a message of the same shape in which none of them is found again.
pub fn detect(data: &[u8]) {
    DETECTORS.with(|engine| {
        let text = String::from_utf8_lossy(data);
        let mut findings = Vec::new();
        let _ = engine.scan_text(&text, &mut findings);
        placed(&findings, &text);
        let mut again = Vec::new();
        let _ = engine.scan_text(&text, &mut again);
        assert_eq!(findings, again, "a second look finds the same");
        let _ = engine.mask(&text);
        let quoted = serde_json::to_string(&text).expect("a string is JSON");
        let body = format!(r#"{{"password":{quoted},"t":[{quoted}]}}"#);
        let result = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{body}}}"#);
        for line in [result.as_bytes(), data] {
            let mut parser = Parser::default();
            if let Ok(frame) = parser.parse(line, Direction::ToClient, &Limits::of(Direction::ToClient)) {
                searched(engine, &frame);
            }
        }
    });
}

/// What was found lies within its token and cuts no character, the tokens come in order and lie within the text.
fn placed(findings: &[Finding], text: &str) {
    assert!(findings.is_sorted_by_key(|finding| finding.token.start));
    for Finding { raw, token, detector, .. } in findings {
        assert!(
            token.start <= raw.start
                && raw.start < raw.end
                && raw.end <= token.end
                && token.end <= text.len()
                && text.is_char_boundary(raw.start)
                && text.is_char_boundary(raw.end),
            "{detector}: {raw:?} in {token:?}"
        );
    }
}

/// Redacts what is at least of medium confidence, and looks again.
fn searched(engine: &Engine, frame: &Frame<'_>) {
    let mut findings = Vec::new();
    let _ = engine.scan(frame, &mut findings);
    let text = std::str::from_utf8(frame.bytes).expect("what is forwarded is UTF-8");
    placed(&findings, text);
    asked_alone(engine, frame, &findings);
    let sure: Vec<_> = findings
        .iter()
        .filter(|finding| finding.confidence >= Confidence::Medium && finding.place != Place::Key)
        .collect();
    let Ok(Redaction { bytes: redacted, replaced }) = redact(frame, &sure, engine, |_| false) else { return };
    given_back(text, &sure, (&redacted, &replaced));
    let mut parser = Parser::default();
    let limits = Limits { frame_bytes_max: usize::MAX, ..Limits::of(Direction::ToClient) };
    let again =
        parser.parse(&redacted, Direction::ToClient, &limits).expect("what was redacted is a message");
    agrees(&again);
    assert_eq!(again.repairs.total(), 0);
    let shape = |frame: &Frame<'_>| frame.tape.iter().map(|t| (t.kind, t.depth)).collect::<Vec<_>>();
    assert_eq!(shape(&again), shape(frame));
    let mut left = Vec::new();
    let _ = engine.scan(&again, &mut left);
    for one in &left {
        let was =
            sure.iter().any(|known| known.detector == one.detector && known.confidence <= one.confidence);
        assert!(!was, "{} is found again in {}", one.detector, String::from_utf8_lossy(&redacted));
    }
}

/// Who asks about one detector alone is told what who asks about all is told of it.
fn asked_alone(engine: &Engine, frame: &Frame<'_>, findings: &[Finding]) {
    let Some(one) = findings.iter().find(|finding| finding.confidence >= Confidence::Medium) else { return };
    let mut alone = Vec::new();
    let _ = engine.scan_for(&engine.wanted(|detector| detector == one.detector), frame, &mut alone);
    let found = alone
        .iter()
        .any(|it| it.detector == one.detector && it.raw.start <= one.raw.start && it.raw.end >= one.raw.end);
    assert!(found, "{} is found only beside others: {:?}", one.detector, one.raw);
}

/// What is redacted is the message with its values cut out and nothing else, and what is kept of a value is what its reader
/// reads there: so whoever puts the values back has the message.
fn given_back(text: &str, sure: &[&Finding], (redacted, replaced): (&[u8], &[Replaced])) {
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    let mut raws: Vec<_> = sure.iter().map(|finding| (finding.raw.start, finding.raw.end)).collect();
    raws.sort_unstable();
    for (start, end) in raws {
        match cuts.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => cuts.push((start, end)),
        }
    }
    assert_eq!(cuts.len(), replaced.len());
    let (mut expected, mut done) = (String::new(), 0);
    for ((start, end), one) in cuts.into_iter().zip(replaced) {
        let read: String =
            serde_json::from_str(&format!("\"{}\"", &text[start..end])).expect("a part of a string");
        assert_eq!(one.text, read);
        expected.push_str(&text[done..start]);
        expected.push_str(&one.placeholder);
        done = end;
    }
    // The quotes of what was a number of JSON in a string are written as that JSON needs them.
    if replaced.iter().all(|one| one.quote.is_empty()) {
        expected.push_str(&text[done..]);
        assert_eq!(redacted, expected.as_bytes());
    }
}

/// A URI: one that was read reads the same when it is read again, and so does each of its readings.
pub fn uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(origin_of) = origin(text) {
        assert_eq!(origin(&origin_of).as_ref(), Some(&origin_of), "{text:?}");
    }
    let Ok(read) = Uri::read(text) else { return };
    match Uri::read(read.text()) {
        Ok(again) => {
            assert_eq!(again.text(), read.text(), "{text:?}");
            assert!(again.readings().eq(read.readings()), "{text:?}");
        }
        // An escaped space may end it, a written one may not.
        Err(fault) => assert!(read.text().ends_with(char::is_whitespace), "{text:?}: {fault}"),
    }
    let mut readings = 0;
    for reading in read.readings() {
        readings += 1;
        let path = reading.split(['?', '#']).next().unwrap_or_default();
        assert!(!path.contains("/../") && !path.ends_with("/.."), "{text:?}: {reading:?}");
        assert!(!reading.contains(['\\', '\n', '\t', '\0']), "{text:?}: {reading:?}");
    }
    assert!((1..=2).contains(&readings), "{text:?}");
}

/// A policy file: mistakes have a place in it; what is read can be put in force, and judges without panic.
pub fn document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match PolicyDocument::parse("p", text) {
        Ok(document) => judge(document),
        Err(mistakes) => {
            assert!(!mistakes.mistakes.is_empty());
            assert!(!mistakes.to_string().is_empty());
            let lines: Vec<_> = text.split('\n').collect();
            for one in &mistakes.mistakes {
                let line = lines.get(one.line.wrapping_sub(1)).unwrap_or_else(|| panic!("{mistakes}"));
                assert!((1..=line.chars().count() + 1).contains(&one.column), "{mistakes}");
            }
        }
    }
}

/// A condition of a rule, and what it makes of some calls.
pub fn condition(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let quoted = Value::from(text).to_string();
    // TOML's basic strings know JSON's escapes, and take DEL only as one.
    let quoted = quoted.replace('\u{7f}', "\\u007f");
    let file = format!(
        "version = 1\n[[rule]]\nid = \"r\"\neffect = \"deny\"\nreason = \"r\"\ntools = [\"*\"]\nwhen = {quoted}\n"
    );
    if let Ok(document) = PolicyDocument::parse("p", &file) {
        judge(document);
    }
}

fn judge(document: PolicyDocument) {
    let policy = composed(document);
    if !policy.keywords().is_empty() {
        // Too large it may be, and says so.
        let _ = Engine::new(&policy.keywords(), HashKey([7; 32]));
    }
    let identities = ["pkg:npm/a@1.0.0".to_owned(), "file:sha256:00".to_owned()];
    let arguments = [
        Arguments::None,
        Arguments::Json("{}"),
        Arguments::Json(r#"{"a":1,"b":"x","c":[1,2,{"d":null}],"path":"/srv/../a","n":1e300,"t":true}"#),
        Arguments::Json("{\"a\": 1e999}"),
    ];
    for arguments in arguments {
        let groups = ["g".to_owned()];
        let known = Circumstances {
            arguments,
            user: Some("ada"),
            groups: Some(&groups),
            now: Some(UnixTime(1_795_411_800_000)),
            ..Circumstances::default()
        };
        for item in
            [Item::Tool("merge_x"), Item::Tool("a"), Item::Resource("file:///a"), Item::Server, Item::Roots]
        {
            let (ahead, call) =
                (policy.foresee(&identities, item, &known), policy.decide(&identities, item, &known));
            // What is shown may still be denied, never the other way round.
            assert!(ahead.verdict <= call.verdict, "{item:?}");
            assert!(call.verdict == Access::Allow || call.reason.is_some(), "{item:?}");
            let explained = policy.explain(&identities, item, &known);
            assert!(!format!("{explained:?}").is_empty());
        }
    }
}
