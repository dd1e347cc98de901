//! What is redacted or filtered changes where it stands and nowhere else: lines made at random, in every spelling that JSON
//! allows, against an expectation that knows nothing of the code that cuts.

use std::sync::{Arc, LazyLock};

use stockade_policy::detect::{Engine, HashKey};
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::mediator::{Action, Mediator, Now, Peer, SessionFacts};
use stockade_policy::rules::{Layer, Origin, Policy};

const POLICY: &str = r#"
version = 1

[[rule]]
id = "no-merge"
effect = "deny"
tools = ["merge_*"]
reason = "merges go through review"

[[dlp]]
id = "hide-customers"
detect = ["keyword/customers"]
action = "redact"

[keywords.customers]
words = ["Umbrella"]
match = "word"
"#;

/// The same numbers on every run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn space(&mut self) -> &'static str {
        self.one(&["", "", "", " ", "\t", "  "])
    }

    /// Some JSON in which nothing is found.
    fn json(&mut self, depth: usize) -> String {
        let plain = [
            "0",
            "-0",
            "1.50",
            "1E+2",
            "true",
            "null",
            "\"\"",
            "\"a b\"",
            "\"\\u0041\\/\\n\"",
            "\"gr\u{fc}n\"",
            "\"\\ud83d\\ude00\"",
            "12345678901",
            "[]",
            "{}",
            "\"mbrella\"",
            "\"merge_a\"",
        ];
        if depth == 0 {
            return self.one(&plain).to_owned();
        }
        let count = self.below(4);
        let spaces = [self.space(), self.space()];
        match self.below(4) {
            0 => self.one(&plain).to_owned(),
            1 => {
                let items: Vec<String> = (0..count).map(|_| self.json(depth - 1)).collect();
                format!("[{}{}]", items.join(&format!("{},{}", spaces[0], spaces[1])), self.space())
            }
            _ => {
                let items: Vec<String> = (0..count)
                    .map(|n| format!("\"k{n}\"{}:{}{}", self.space(), self.space(), self.json(depth - 1)))
                    .collect();
                format!("{{{}{}}}", self.space(), items.join(&format!("{},{}", spaces[0], spaces[1])))
            }
        }
    }
}

static JUDGES: LazyLock<(Arc<Policy>, Arc<Engine>)> = LazyLock::new(|| {
    let document = PolicyDocument::parse("p", POLICY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let layer = Layer { origin: Origin::User, name: String::new(), document, sha256: String::new() };
    let policy = Policy::compose(vec![layer]);
    let engine = Engine::new(&policy.keywords(), HashKey([5; 32])).expect("the engine compiles");
    (Arc::new(policy), Arc::new(engine))
});

fn session() -> Mediator {
    let (policy, engine) = &*JUDGES;
    Mediator::new(Arc::clone(policy), Arc::clone(engine), SessionFacts::default(), *b"sixteen bytes ok")
}

/// What became of a line at the other end.
fn forwarded(mediator: &mut Mediator, from: Peer, line: &str) -> String {
    let mut actions = Vec::new();
    mediator.line(from, line.as_bytes(), Now(0), &mut actions);
    let bytes = actions.iter().find_map(|action| match action {
        Action::Forward => Some(line.as_bytes()),
        Action::ForwardRewritten(bytes) => Some(bytes.as_slice()),
        Action::Send(..) | Action::Record(_) => None,
    });
    let bytes = bytes.unwrap_or_else(|| panic!("{line} was stopped: {actions:?}"));
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Whether `line` is these parts with one placeholder between each two.
fn is_joined_by_placeholders(line: &str, parts: &[String]) -> bool {
    let (first, others) = parts.split_first().expect("a part");
    let Some(mut rest) = line.strip_prefix(first.as_str()) else { return false };
    for part in others {
        let Some(end) = rest.starts_with('[').then(|| rest.find(']')).flatten() else { return false };
        let placeholder = &rest[1..end];
        let Some(after) = rest[end + 1..].strip_prefix(part.as_str()) else { return false };
        if !placeholder.contains("customers") || placeholder.contains(['"', '\\', '{', '[']) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

#[test]
fn a_redaction_changes_no_other_byte() {
    let mut dice = Dice(1);
    let mut redacted = 0;
    for round in 0..3_000 {
        // Strings that hold the word, each spelt in some way, with other JSON between and around them.
        let mut parts = vec![format!("{{{}\"before\":{}", dice.space(), dice.json(3))];
        for n in 0..dice.below(4) {
            let last = parts.last_mut().expect("a part");
            let ahead = dice.one(&["", "of ", "\\u0041 \\\"", "gr\u{fc}n\\n", "\\\\ "]);
            *last += &format!(
                "{},{}\"t{n}\"{}:{}\"{ahead}",
                dice.space(),
                dice.space(),
                dice.space(),
                dice.space()
            );
            let behind = dice.one(&["", " it", "\\u002e", "\\\\", "\\\"", " \u{1f642}"]);
            parts.push(format!("{behind}\",\"o{n}\":{}", dice.json(2)));
        }
        parts.last_mut().expect("a part").push_str(dice.one(&["}", " }", "\t}"]));
        let words = ["Umbrella", "umbrella", "UMBRELLA", "Umb\\u0072ella", "\\u0055mbrella"];
        let mut params = parts[0].clone();
        for part in &parts[1..] {
            params += dice.one(&words);
            params += part;
        }
        let head = format!(
            "{{\"jsonrpc\":\"2.0\",{}\"id\":{round},\"method\":\"tools/call\",\"params\":{{\"name\":\"send\",\"arguments\":",
            dice.space()
        );
        let line = format!("{head}{params}}}}}");
        let came = forwarded(&mut session(), Peer::Client, &line);
        let inside = came.strip_prefix(&head).and_then(|came| came.strip_suffix("}}"));
        let inside = inside.unwrap_or_else(|| panic!("the envelope changed: {line}\n{came}"));
        assert!(is_joined_by_placeholders(inside, &parts), "{line}\n{came}");
        assert_eq!(came == line, parts.len() == 1, "{line}");
        redacted += parts.len() - 1;
    }
    assert!(redacted > 3_000, "{redacted}");
}

#[test]
fn a_filtered_list_keeps_every_byte_of_what_stays() {
    let mut dice = Dice(2);
    let (mut removed, mut kept) = (0, 0);
    for _ in 0..3_000 {
        let mut tools = Vec::new();
        for n in 0..dice.below(7) {
            let name = match dice.below(3) {
                0 => format!("merge_{n}"),
                1 => format!("\\u006derge_{n}"),
                _ => format!("tool{}", (b'a' + u8::try_from(n).expect("few tools")) as char),
            };
            let member = format!("\"name\"{}:{}\"{name}\"", dice.space(), dice.space());
            let other = format!("\"x\":{}", dice.json(3));
            let both =
                if dice.below(2) == 0 { format!("{member},{other}") } else { format!("{other} ,{member}") };
            tools.push((format!("{{{}{both}{}}}", dice.space(), dice.space()), !name.contains("erge_")));
        }
        let texts: Vec<&str> = tools.iter().map(|(text, _)| text.as_str()).collect();
        let comma = format!("{},{}", dice.space(), dice.space());
        let (ahead, behind) = (dice.json(2), dice.json(2));
        let head =
            format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"y\":{ahead},\"tools\":{}[", dice.space());
        let tail = format!("]{},\"z\":{behind}}}}}", dice.space());
        let line = format!("{head}{}{tail}", texts.join(&comma));
        let mut mediator = session();
        forwarded(&mut mediator, Peer::Client, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        let came = forwarded(&mut mediator, Peer::Server, &line);
        let inside = came.strip_prefix(&head).and_then(|came| came.strip_suffix(&tail));
        let inside = inside.unwrap_or_else(|| panic!("what stands around the list changed: {line}\n{came}"));
        let stays: Vec<&str> =
            tools.iter().filter(|(_, stays)| *stays).map(|(text, _)| text.as_str()).collect();
        assert_eq!(inside, stays.join(&comma), "{line}\n{came}");
        kept += stays.len();
        removed += tools.len() - stays.len();
    }
    assert!(removed > 2_000 && kept > 2_000, "{removed} {kept}");
}
