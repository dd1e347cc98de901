//! The same tokens written in 22 ways: what people paste, what programs print, and what somebody writes who does not want
//! to be read.

#[path = "../build/catalogue.rs"]
#[expect(dead_code, reason = "the build script reads the tables, this test the examples")]
mod catalogue;
#[path = "../build/fields.rs"]
mod fields;
#[path = "../build/personal.rs"]
#[expect(dead_code, reason = "the build script reads the tables, this test the examples")]
mod personal;
#[path = "../build/phrases.rs"]
#[expect(dead_code, reason = "the build script reads the tables, this test the examples")]
mod phrases;
#[path = "../build/shapes.rs"]
mod shapes;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use stockade_policy::detect::{Confidence, Engine, Finding, HashKey, ScanEnd};
use stockade_policy::wire::{Direction, Limits, Parser};

/// Made-up tokens of one kind.
const TOKENS_A_KIND: usize = 12;
/// Random letters behind a prefix: the prefix itself and what is fixed in a body stay.
const FIXED_MAX: usize = 14;
/// How much of them has to be found, and in how many of the ways.
const SHARE: f64 = 0.95;
const FORMS: usize = 20;

/// The same numbers on every run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }
}

fn engine() -> Engine {
    Engine::new(&[], HashKey([4; 32])).expect("the engine compiles")
}

fn findings(engine: &Engine, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    assert_eq!(engine.scan_text(text, &mut findings), ScanEnd::Complete, "{text}");
    findings
}

/// Raw texts of what a detector finds in a call that carries this JSON text as an argument.
fn found_in_call(engine: &Engine, detector: &str, json: &str) -> Vec<String> {
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"a","arguments":{{"text":{json}}}}}}}"#
    );
    let mut parser = Parser::default();
    let limits = Limits::of(Direction::ToServer);
    let frame = parser.parse(line.as_bytes(), Direction::ToServer, &limits).expect("the line is well formed");
    let mut findings = Vec::new();
    assert_eq!(engine.scan(&frame, &mut findings), ScanEnd::Complete);
    findings.retain(|f| f.detector == detector && f.confidence >= Confidence::Medium);
    findings.iter().map(|f| line[f.raw.clone()].to_owned()).collect()
}

/// Tokens by kind (detector and first letters): the examples of every detector of secrets that needs no name beside the
/// value, and as many of the same shape with other letters.
fn tokens(engine: &Engine) -> BTreeMap<(String, String), Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/detectors");
    let detectors = catalogue::read_folder(&folder).expect("the detectors were built from the same files");
    let mut dice = Dice(6);
    let mut kinds: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for detector in detectors.iter().filter(|d| d.name.starts_with("secret/")) {
        for example in detector.matches.iter().filter(|example| example.key.is_none()) {
            let found = findings(engine, &example.text);
            let Some(found) = found.iter().find(|f| f.detector == detector.name) else { continue };
            let token = &example.text[found.raw.clone()];
            let kind = (detector.name.clone(), token.chars().take(5).collect::<String>());
            let known = kinds.entry(kind).or_default();
            for _ in 0..10 * TOKENS_A_KIND {
                let made_up = altered(token, &mut dice);
                if known.len() < TOKENS_A_KIND && stands_alone(engine, &detector.name, &made_up) {
                    known.push(made_up);
                }
            }
        }
    }
    kinds.retain(|_, tokens| !tokens.is_empty());
    kinds
}

/// Other letters and digits in the place of those behind the prefix.
fn altered(token: &str, dice: &mut Dice) -> String {
    let fixed = FIXED_MAX.min(token.len() / 2);
    let body = &token[fixed..];
    let hex = body.bytes().filter(u8::is_ascii_alphabetic).all(|b| b.is_ascii_hexdigit());
    let letters = if hex { 6 } else { 26 };
    let mut one = |c: char| match c {
        '0'..='9' => char::from(b'0' + u8::try_from(dice.below(10)).expect("a digit")),
        'a'..='z' => char::from(b'a' + u8::try_from(dice.below(letters)).expect("a letter")),
        'A'..='Z' => char::from(b'A' + u8::try_from(dice.below(letters)).expect("a letter")),
        other => other,
    };
    // The first line and the last one of a block say what it is.
    let mut lines: Vec<String> = body.split('\n').map(str::to_owned).collect();
    let block = lines.len() > 2;
    let last = lines.len() - 1;
    for (index, line) in lines.iter_mut().enumerate() {
        if !block || (index > 0 && index < last) {
            *line = line.chars().map(&mut one).collect();
        }
    }
    format!("{}{}", &token[..fixed], lines.join("\n"))
}

fn stands_alone(engine: &Engine, detector: &str, token: &str) -> bool {
    let found = findings(engine, token);
    found
        .iter()
        .any(|f| f.detector == detector && f.raw == (0..token.len()) && f.confidence >= Confidence::Medium)
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Groups of `width` bits as letters of an alphabet.
fn written(bytes: &[u8], alphabet: &[u8], width: u32, padding: usize) -> String {
    let (mut out, mut bits, mut count) = (String::new(), 0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= width {
            count -= width;
            out.push(char::from(alphabet[(bits >> count & ((1 << width) - 1)) as usize]));
        }
    }
    if count > 0 {
        out.push(char::from(alphabet[(bits << (width - count) & ((1 << width) - 1)) as usize]));
    }
    while padding > 0 && !out.len().is_multiple_of(padding) {
        out.push('=');
    }
    out
}

fn base64(bytes: &[u8]) -> String {
    written(bytes, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, 4)
}

fn base64url(bytes: &[u8]) -> String {
    written(bytes, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6, 0)
}

fn base32(bytes: &[u8]) -> String {
    written(bytes, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5, 8)
}

/// As `gzip -n` writes it; nobody checks the sum at the end, so there is none.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    packed.extend(miniz_oxide::deflate::compress_to_vec(bytes, 6));
    packed.extend([0; 8]);
    packed
}

fn percent(text: &str, stays: impl Fn(u8) -> bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if stays(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn each(text: &str, write: impl Fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

fn zero_width(text: &str) -> String {
    let mark = |n: usize| if n > 0 && n.is_multiple_of(6) { "\u{200b}" } else { "" };
    text.chars().enumerate().map(|(n, c)| format!("{}{c}", mark(n))).collect()
}

fn homoglyph(c: char) -> char {
    let (latin, cyrillic) = ("aceopxyijsABCEHKMOPTX", "асеорхуіјѕАВСЕНКМОРТХ");
    latin.chars().zip(cyrillic.chars()).find(|(l, _)| *l == c).map_or(c, |(_, look_alike)| look_alike)
}

fn full_width(c: char) -> char {
    let wide = if c.is_ascii_graphic() { u32::from(c) + 0xfee0 } else { u32::from(c) };
    char::from_u32(wide).expect("a full-width form")
}

/// A token as a JSON text, in each way.
fn forms(token: &str) -> Vec<(&'static str, String)> {
    let text = |text: String| json(&text);
    let utf16 = |text: &str| {
        text.encode_utf16().fold(String::new(), |mut out, unit| {
            let _ = write!(out, "\\u{unit:04x}");
            out
        })
    };
    let middle = token.len() / 3;
    let (first, second) = token.split_at(middle);
    let (second, third) = second.split_at(middle);
    let escaped = json(token);
    let literal = escaped.trim_matches('"');
    let literals = |part: &str| json(part);
    vec![
        ("assignment", text(format!("export TOKEN=\"{token}\"\nexport MODE=fast"))),
        ("bare", text(token.to_owned())),
        ("in prose", text(format!("The new one is {token}, so please take it from now on."))),
        ("in a JSON string with \\n around", text(format!(r#"{{"log": "start\n{literal}\nend", "n": 3}}"#))),
        (
            "JSON in JSON",
            text(json(&format!(r#"{{"outer": {}}}"#, json(&format!(r#"{{"inner": {escaped}}}"#))))),
        ),
        ("every character as \\u00XX", format!("\"{}\"", utf16(token))),
        ("escapes in the decoded value", text(format!("it reads {}", utf16(token)))),
        ("base64", text(format!("blob: {}", base64(token.as_bytes())))),
        ("base64 twice", text(format!("blob: {}", base64(base64(token.as_bytes()).as_bytes())))),
        ("base64url without padding", text(format!("?state={}", base64url(token.as_bytes())))),
        ("hex", text(format!("0x{}", hex(token.as_bytes())))),
        ("base32", text(format!("seed {}", base32(token.as_bytes())))),
        ("percent for every byte", text(percent(token, |_| false))),
        (
            "URL query",
            text(format!(
                "https://files.acme.io/get?v=2&key={}&x=1",
                percent(token, |b| b.is_ascii_alphanumeric() || b == b'.')
            )),
        ),
        ("zero-width every 6", text(format!("note {} end", zero_width(token)))),
        ("Cyrillic homoglyphs", text(format!("use {}", each(token, |c| homoglyph(c).to_string())))),
        (
            "split literals",
            text(format!("t = {} + {} + {};", literals(first), literals(second), literals(third))),
        ),
        ("one character a line", text(each(token, |c| format!("{c}\n")))),
        ("reversed", text(format!("backwards: {}", token.chars().rev().collect::<String>()))),
        ("HTML numbers", text(format!("<p>{}</p>", each(token, |c| format!("&#{};", u32::from(c)))))),
        ("gzip, then base64", text(base64(&gzip(token.as_bytes())))),
        ("full-width", text(format!("wide: {}", each(token, |c| full_width(c).to_string())))),
    ]
}

#[test]
fn tokens_are_found_however_they_are_written() {
    let engine = engine();
    let kinds = tokens(&engine);
    let all = kinds.values().map(Vec::len).sum::<usize>();
    assert!(kinds.len() >= 20 && all >= 200, "only {} kinds with {all} tokens", kinds.len());
    let mut found: Vec<(&str, usize, BTreeMap<&str, usize>)> = Vec::new();
    for ((detector, _), tokens) in &kinds {
        for token in tokens {
            for (index, (form, json)) in forms(token).into_iter().enumerate() {
                if found.len() == index {
                    found.push((form, 0, BTreeMap::new()));
                }
                if found_in_call(&engine, detector, &json).is_empty() {
                    *found[index].2.entry(detector).or_default() += 1;
                } else {
                    found[index].1 += 1;
                }
            }
        }
    }
    let mut table = format!("{} kinds, {all} tokens\n", kinds.len());
    let mut good = 0;
    for (form, count, missed) in &found {
        let share = *count as f64 / all as f64;
        good += usize::from(share >= SHARE);
        let _ = writeln!(table, "{form:34} {share:.3}  {missed:?}");
    }
    eprintln!("{table}");
    assert!(found.len() == 22 && good >= FORMS, "only {good} of {} ways:\n{table}", found.len());
}
