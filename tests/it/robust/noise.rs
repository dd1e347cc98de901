//! A server that writes a gigabyte without ending the line: memory stays bounded, and the other direction lives.

use std::time::Duration;

use serde_json::Value;

use super::run_words;
use crate::support::{World, drive, fixture_command, raw_driver};

const GIGABYTE: &str = "1000000000";
const POLICY: &str = r#"
version = 1
[[rule]]
id = "not-this"
effect = "deny"
tools = ["forbidden"]
reason = "It is asked for only to see an answer of Stockade's own"
"#;

fn noise_that_begins_with(first: &str) -> Value {
    let world = World::new();
    world.user_policy(POLICY);
    let log_dir = world.root().join("log");
    std::fs::create_dir(&log_dir).expect("a directory for the log");
    let log = log_dir.join("received.hex").display().to_string();
    let grant = log_dir.display().to_string();
    let words = run_words(&["--grant-write", &grant], fixture_command("scripted.py", &["--log", &log]));
    let words = [GIGABYTE.into(), first.into(), log.clone().into()].into_iter().chain(words);
    drive(&world, raw_driver("noise.py"), words, Duration::from_secs(300))
}

fn is_borne(outcome: &Value, peak_kib_max: f64) {
    let below = |what: &str, limit: f64| {
        let value = outcome[what].as_f64().unwrap_or(f64::INFINITY);
        assert!(value < limit, "{what} = {value}, not below {limit}: {outcome}");
    };
    below("peak_kib", peak_kib_max);
    // The one place where a time is asserted, since it is the promise: the other direction is not held up. The
    // slowest may have been held up by whatever else this machine does.
    below("usual_denial_s", 1.0);
    below("usual_carriage_s", 1.0);
    below("slowest_denial_s", 5.0);
    below("slowest_carriage_s", 5.0);
    assert_eq!(outcome["foreign"], serde_json::json!([]), "none of the noise reaches the client");
}

#[test]
fn a_gigabyte_of_noise_without_a_newline_is_borne() {
    is_borne(&noise_that_begins_with("x"), 40.0 * 1024.0);
}

#[test]
fn a_gigabyte_that_begins_like_a_message_is_borne() {
    let beginning = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":""#;
    let outcome = noise_that_begins_with(beginning);
    // Up to 32 MiB of it may yet become a message for the client: that much is kept, once, and not more.
    let idle_kib = outcome["idle_kib"].as_f64().expect("KiB");
    is_borne(&outcome, idle_kib + 34.0 * 1024.0);
}
