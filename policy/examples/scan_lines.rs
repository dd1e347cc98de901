use std::io::{BufRead, Write};
use stockade_policy::detect::{Confidence, Engine, HashKey};
fn main() {
    let engine = Engine::new(&[], HashKey([1; 32])).expect("engine");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let v: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = v["text"].as_str().unwrap();
        let mut found = Vec::new();
        let _ = engine.scan_text(text, &mut found);
        let ch = |at: usize| text[..text.floor_char_boundary(at)].chars().count();
        let rows: Vec<_> = found.iter().map(|f| serde_json::json!({"detector": f.detector, "start": ch(f.raw.start), "end": ch(f.raw.end), "confidence": match f.confidence { Confidence::High => "high", Confidence::Medium => "medium", Confidence::Low => "low" }})).collect();
        writeln!(out, "{}", serde_json::json!({"id": v["id"], "findings": rows})).unwrap();
    }
}
