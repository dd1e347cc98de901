//! Memory is flat for any length of session.

use std::time::Duration;

use super::run_words;
use crate::support::{World, drive, fixture_command, raw_driver};

#[test]
fn a_hundred_thousand_calls_need_no_more_memory_than_a_thousand() {
    let world = World::new();
    let words = run_words(&[], fixture_command("scripted.py", &[]));
    let words = ["1000".into(), "100000".into()].into_iter().chain(words);
    let outcome = drive(&world, raw_driver("memory.py"), words, Duration::from_secs(300));
    let kib = |when: &str| outcome[when]["kib"].as_i64().expect("KiB");
    let grown = kib("many") - kib("few");
    assert!(grown.abs() <= 512, "{grown} KiB: {outcome}");
    assert_eq!(outcome["foreign"], serde_json::json!([]), "stdout holds the protocol alone");
}
