//! Every example of every detector, as plain text and inside JSON, written plainly and with every character escaped.

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

use std::path::Path;

use catalogue::{Detector, Example, read_file, read_folder};
use stockade_policy::detect::{Engine, Finding, HashKey, ScanEnd};
use stockade_policy::wire::{Direction, Limits, Parser};

fn detectors() -> Vec<Detector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/detectors");
    read_folder(&folder).expect("the detectors were built from the same files")
}

fn engine() -> Engine {
    Engine::new(&[], HashKey([3; 32])).expect("the engine compiles")
}

/// Raw texts found by `detector` in a message that carries the example as a value.
fn found_in_frame(engine: &Engine, detector: &str, key: &str, value_json: &str) -> Vec<String> {
    let key = serde_json::to_string(key).expect("a string is JSON");
    let line = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{{key}:{value_json}}}]}}}}"#);
    let mut parser = Parser::default();
    let limits = Limits::of(Direction::ToClient);
    let frame = parser.parse(line.as_bytes(), Direction::ToClient, &limits).expect("the line is well formed");
    let mut findings = Vec::new();
    assert_eq!(engine.scan(&frame, &mut findings), ScanEnd::Complete);
    findings.retain(|f| f.detector == detector);
    findings.iter().map(|f| line[f.raw.clone()].to_owned()).collect()
}

fn found_in_text(engine: &Engine, detector: &str, text: &str) -> Vec<String> {
    let mut findings: Vec<Finding> = Vec::new();
    assert_eq!(engine.scan_text(text, &mut findings), ScanEnd::Complete);
    findings.retain(|f| f.detector == detector);
    findings.iter().map(|f| text[f.raw.clone()].to_owned()).collect()
}

/// The text as a JSON string in which every UTF-16 unit is escaped.
fn all_escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}

/// What the example finds, read in each way; the ways must agree.
fn findings_of(engine: &Engine, detector: &str, example: &Example) -> Vec<String> {
    let key = example.key.as_deref().unwrap_or("text");
    let plain = serde_json::to_string(&example.text).expect("a string is JSON");
    let in_frame = found_in_frame(engine, detector, key, &plain);
    let escaped = found_in_frame(engine, detector, key, &all_escaped(&example.text));
    assert_eq!(in_frame.len(), escaped.len(), "{detector}: {:?}", example.text);
    for (raw, raw_escaped) in in_frame.iter().zip(&escaped) {
        let read = |raw: &str| {
            serde_json::from_str::<String>(&format!("\"{raw}\"")).expect("a span holds whole escapes")
        };
        assert_eq!(read(raw), read(raw_escaped), "{detector}: {:?}", example.text);
    }
    if example.key.is_none() {
        let in_text = found_in_text(engine, detector, &example.text);
        assert_eq!(in_text.len(), in_frame.len(), "{detector}: {:?}", example.text);
    }
    in_frame
}

#[test]
fn every_example_that_must_match_does() {
    let engine = engine();
    let mut mistakes = Vec::new();
    for detector in detectors() {
        for example in &detector.matches {
            let found = findings_of(&engine, &detector.name, example);
            if found.is_empty() {
                mistakes.push(format!("{} finds nothing in {:?}", detector.name, example.text));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn no_example_that_must_not_match_does() {
    let engine = engine();
    let mut mistakes = Vec::new();
    for detector in detectors() {
        for example in &detector.not_matches {
            let found = findings_of(&engine, &detector.name, example);
            if !found.is_empty() {
                mistakes.push(format!("{} finds {found:?} in {:?}", detector.name, example.text));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn every_detector_of_the_files_is_in_the_engine() {
    let known = engine().detectors();
    for detector in detectors() {
        assert!(known.contains(&detector.name.into()));
    }
}

#[test]
fn all_mistakes_of_a_detector_file_are_named_at_once() {
    let text = r#"
[[detector]]
name = "secrets/Bad"
vendor = "Acme"
source = "their forum"
kind = "token"
confidence = "sure"
colour = "red"
form = [
  { prefixes = ["a_"], body = [{ set = "latin", length = 3 }] },
  { prefixes = ["acme_"], body = [{ set = "alnum", min = 3, max = 9 }, { text = "x" }, { set = "hex", length = 4 }] },
]
match = ["acme_x"]
"#;
    let (mut detectors, mut mistakes) = (Vec::new(), Vec::new());
    read_file("acme.toml", text, &mut detectors, &mut mistakes);
    let all = mistakes.join("\n");
    for expected in [
        "acme.toml:8:1: unknown key `colour`",
        "`secrets/Bad` is not",
        "`source` must be",
        "acme.toml:7:14: `sure` is not low, medium or high",
        "acme.toml:10:17: `a_` is not at least three",
        "acme.toml:10:40: unknown set `latin`",
        "a run of variable length must be followed by a text that cannot belong to it",
        "at least one text that matches and one that does not",
    ] {
        assert!(all.contains(expected), "{expected} is missing in:\n{all}");
    }
}
