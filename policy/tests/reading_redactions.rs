//! Values in other readings are redacted without a trace, and nothing else changes: lines made at random, in which each
//! value is written in some way, against an expectation that knows nothing of the code that reads.

use std::fmt::Write as _;

use stockade_policy::detect::{Engine, Finding, HashKey, ScanEnd};
use stockade_policy::redact::redact;
use stockade_policy::wire::{Direction, Frame, Limits, Parser};

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

    fn letters(&mut self, count: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..count).map(|_| char::from(LETTERS[self.below(LETTERS.len())])).collect()
    }

    /// Text in which nothing is found, and in which nothing is worth reading anew beside what is put between.
    fn plain(&mut self) -> &'static str {
        self.one(&[
            "",
            "a b ",
            "größe: ",
            "100 % of ",
            "x\n\ty; ",
            "{} [1,2] ",
            "日本語、",
            "\\ \"q\" & ",
            "- ",
            "key ",
        ])
    }
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

/// The text as it stands within a JSON string, so many strings deep.
fn inside(text: &str, depth: usize) -> String {
    (0..depth).fold(text.to_owned(), |text, _| {
        let written = json(&text);
        written[1..written.len() - 1].to_owned()
    })
}

fn bytes_as(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]);
            out.push(if place <= group.len() { letter } else { '=' });
        }
    }
    out
}

/// A token in some way that a reader has to see through.
fn disguised(dice: &mut Dice, token: &str) -> String {
    let (first, second) = token.split_at(12 + dice.below(10));
    match dice.below(10) {
        0 => token.to_owned(),
        1 => base64(token.as_bytes()),
        2 => base64(base64(token.as_bytes()).as_bytes()),
        3 => bytes_as(token, |b| format!("{b:02x}")),
        4 => bytes_as(token, |b| format!("%{b:02X}")),
        5 => bytes_as(token, |b| format!("&#{b};")),
        6 => bytes_as(token, |b| format!("\\u{:04x}", b)),
        7 => format!("{first}\u{200b}{second}"),
        8 => token.chars().rev().collect(),
        _ => {
            token.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).expect("a full-width form")).collect()
        }
    }
}

fn redacted(engine: &Engine, line: &str) -> String {
    let mut parser = Parser::default();
    let frame = frame(&mut parser, line);
    let mut findings: Vec<Finding> = Vec::new();
    assert_eq!(engine.scan(&frame, &mut findings), ScanEnd::Complete);
    let all: Vec<&Finding> = findings.iter().collect();
    let bytes = redact(&frame, &all, engine, |_| false)
        .map(|it| it.bytes)
        .unwrap_or_else(|error| panic!("{line}: {error}"));
    String::from_utf8(bytes).expect("a redacted line is UTF-8")
}

fn frame<'l>(parser: &'l mut Parser, line: &'l str) -> Frame<'l> {
    let direction = Direction::ToClient;
    parser
        .parse(line.as_bytes(), direction, &Limits::of(direction))
        .unwrap_or_else(|e| panic!("{line}: {e:?}"))
}

/// Whether `line` is these parts with one placeholder between each two.
fn is_joined_by_placeholders(line: &str, parts: &[String]) -> bool {
    let Some(mut rest) = line.strip_prefix(parts[0].as_str()) else { return false };
    for part in &parts[1..] {
        let Some(after) = rest.strip_prefix("[REDACTED:github-pat:") else { return false };
        let Some(after) = after.get(9..).and_then(|after| after.strip_prefix(part.as_str())) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}

#[test]
fn a_redaction_of_a_disguised_value_changes_no_other_byte() {
    let engine = Engine::new(&[], HashKey([8; 32])).expect("the engine compiles");
    let mut dice = Dice(3);
    for round in 0..3_000 {
        let count = 1 + dice.below(3);
        let mut texts = vec![dice.plain().to_owned()];
        let mut values = Vec::new();
        for _ in 0..count {
            let token = format!("ghp_{}", dice.letters(36));
            values.push(disguised(&mut dice, &token));
            // Far enough from the next one that neither is part of the other's run.
            texts.push(format!(" {}, {}", dice.plain(), dice.plain()));
        }
        // Deep in JSON within JSON, as deep as it is read: the innermost text is written once more for each of them.
        let levels = dice.below(3);
        let (open, close) = ("{\"k\": [1, \"", "\"], \"z\": null}");
        let head: String = (0..levels).map(|level| inside(open, level + 1)).collect();
        let tail: String = (0..levels).rev().map(|level| inside(close, level + 1)).collect();
        let mut parts: Vec<String> = texts.iter().map(|text| inside(text, levels + 1)).collect();
        let frame_head = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{round},\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\""
        );
        parts[0] = format!("{frame_head}{head}{}", parts[0]);
        let last = parts.len() - 1;
        let _ = write!(parts[last], "{tail}\"}}]}}}}");
        let mut line = parts[0].clone();
        for (value, part) in values.iter().zip(&parts[1..]) {
            line += &inside(value, levels + 1);
            line += part;
        }
        let after = redacted(&engine, &line);
        assert!(is_joined_by_placeholders(&after, &parts), "round {round}:\n{line}\n{after}");
    }
}

/// The work is linear, and readings of readings end: the budget of a message is not used up by any of these.
#[test]
fn hostile_texts_are_read_to_their_end() {
    let engine = Engine::new(&[], HashKey([8; 32])).expect("the engine compiles");
    let wrapped = format!("{}\n", "QUJD".repeat(19));
    for unit in [
        "%41",
        "%",
        "&#65;",
        "&#",
        "\\u0041",
        "\\",
        "QUJD",
        "41",
        "0x4142-",
        "A/",
        "g\n",
        "a, ",
        "\" \"",
        "'a'+'b'",
        "\"a\"+",
        "\u{430}a",
        "a\u{200b}",
        "\u{ff41}",
        "{\"a\":",
        "[[",
        "{\"a\":\"b\"}\n",
        "YEK ETAVIRP",
        "H4sI",
        "eJw",
        "_phg9",
        &wrapped,
    ] {
        let text = unit.repeat((2 << 20) / unit.len());
        let mut findings = Vec::new();
        assert_eq!(engine.scan_text(&text, &mut findings), ScanEnd::Complete, "{unit:?}");
    }
}
