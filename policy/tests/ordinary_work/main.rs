//! Interruptions: messages of ordinary work in which nothing is secret, and how often the engine says otherwise. The
//! messages are made by composition, from a seed; `STOCKADE_SHOW=1` prints what was found.
#![expect(clippy::print_stdout, reason = "the counts are for people to read")]

mod code;
mod data;
mod dice;
mod kinds;
mod prose;
mod words;

use std::collections::BTreeMap;

use dice::Dice;
use kinds::KINDS;
use stockade_policy::detect::{Confidence, Engine, HashKey, ScanEnd};
use stockade_policy::wire::{Direction, Limits, Parser};

/// How many messages are made of each kind.
const PER_KIND: u64 = 1_000;

/// A result of a tool: the text, and what is JSON as structured content as well.
fn message(id: u64, text: &str) -> String {
    let block = serde_json::json!({"type": "text", "text": text});
    let structured = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => format!(",\"structuredContent\":{{\"value\":{value}}}"),
        Err(_) => String::new(),
    };
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{block}]{structured}}}}}")
}

#[test]
fn ordinary_work_is_hardly_ever_interrupted() {
    let engine = Engine::new(&[], HashKey([5; 32])).expect("the engine compiles");
    let mut parser = Parser::default();
    let limits = Limits::of(Direction::ToClient);
    let (mut counts, mut sure, mut messages) = (BTreeMap::<String, u64>::new(), Vec::new(), 0);
    for (kind, make) in KINDS {
        let mut dice = Dice::new(kind.len() as u64 * 977 + 11);
        for id in 0..PER_KIND {
            let line = message(id, &make(&mut dice));
            let frame =
                parser.parse(line.as_bytes(), Direction::ToClient, &limits).expect("the line is well formed");
            let mut findings = Vec::new();
            assert_eq!(engine.scan(&frame, &mut findings), ScanEnd::Complete);
            messages += 1;
            for finding in findings {
                let from = line.floor_char_boundary(finding.raw.start.saturating_sub(40));
                let shown = format!("{kind}, {}: {}", finding.detector, &line[from..finding.raw.end]);
                *counts
                    .entry(format!("{:?} {} in {kind}", finding.confidence, finding.detector))
                    .or_default() += 1;
                if std::env::var_os("STOCKADE_SHOW").is_some() {
                    println!("{:?} {shown}", finding.confidence);
                }
                if finding.confidence == Confidence::High {
                    sure.push(shown);
                }
            }
        }
    }
    for (what, count) in &counts {
        println!("{what}: {count}");
    }
    assert!(messages >= 10_000);
    // At most 0.1 in 1,000 messages.
    assert!(sure.len() as u64 * 10_000 <= messages, "{} in {messages}: {sure:#?}", sure.len());
}
