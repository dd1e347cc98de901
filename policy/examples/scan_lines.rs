//! Scans JSON lines: `{"id", "text"}` in, `{"id", "findings": [{"detector", "start", "end", "confidence"}]}` out, `start`
//! and `end` in characters: `cargo run --release -p stockade-policy --example scan_lines < cases.jsonl`.
#![expect(clippy::print_stdout, reason = "an example answers on stdout")]

use std::io::{self, BufRead as _};

use serde_json::{Value, json};
use stockade_policy::detect::{Engine, HashKey, ScanEnd};

fn main() {
    let engine = Engine::new(&[], HashKey([1; 32])).expect("the engine compiles");
    for line in io::stdin().lock().lines() {
        let line = line.expect("stdin is UTF-8 text");
        let case: Value = serde_json::from_str(&line).expect("a line is one JSON object");
        let text = case["text"].as_str().expect("`text` is a string");
        let mut found = Vec::new();
        assert_eq!(
            engine.scan_text(text, &mut found),
            ScanEnd::Complete,
            "the budget was spent: {}",
            case["id"]
        );
        let characters = |at: usize| text[..text.floor_char_boundary(at)].chars().count();
        let findings: Vec<_> = found
            .iter()
            .map(|f| {
                let confidence = format!("{:?}", f.confidence).to_lowercase();
                let (start, end) = (characters(f.raw.start), characters(f.raw.end));
                json!({"detector": f.detector, "start": start, "end": end, "confidence": confidence})
            })
            .collect();
        println!("{}", json!({"id": case["id"], "findings": findings}));
    }
}
