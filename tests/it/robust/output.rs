//! A server that writes faster than its profile allows is read no faster; nothing is lost, and one event says so.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Finished, World, finish, python};

const MIB: usize = 1 << 20;

/// Writes six MiB to a stream, in lines.
fn flood(stream: &str) -> String {
    format!("import sys\nfor n in range(6144): sys.{stream}.write('%1023d\\n' % n)")
}

/// `VERB --profile flooded -- python -c SCRIPT` under a limit.
fn under(world: &World, verb: &str, limits: &str, script: &str) -> (Finished, Duration) {
    let profile = format!(
        "name = \"flooded\"\ndescription = \"A server of the tests\"\nextends = \"offline\"\n\n[limits]\n{limits}\n"
    );
    world.write("config/stockade/profiles/flooded.toml", &profile);
    let began = Instant::now();
    let program = python();
    let words = [verb, "--profile", "flooded", "--", program.to_str().expect("text"), "-c", script];
    let mut child = world.stockade(words).stdin(Stdio::piped()).spawn().expect("it starts");
    // Open until it has ended by itself: a server whose client is gone gets little time.
    let stdin = child.stdin.take();
    let finished = finish(child, Duration::from_secs(120));
    drop(stdin);
    (finished, began.elapsed())
}

/// All events of a kind.
fn events(world: &World, kind: &str) -> Vec<Value> {
    let child = world.stockade(["log", "--json"]).spawn().expect("the log can be read");
    let text = finish(child, Duration::from_secs(30)).stdout_text();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    all.filter(|event| event["kind"] == kind).map(|event| event["what"].clone()).collect()
}

#[test]
fn a_flood_is_read_at_the_profiles_rate_and_nothing_of_it_is_lost() {
    for stream in ["stdout", "stderr"] {
        let world = World::new();
        let (flooded, took) = under(&world, "jail", "output = \"1MiB/s\"", &flood(stream));
        assert_eq!(flooded.code(), 0);
        let bytes = if stream == "stdout" { flooded.stdout.len() } else { flooded.stderr.len() };
        assert_eq!(bytes, 6 * MIB, "{stream}");
        // Four seconds' worth may come at once, and the rest of it at the end, from the pipe and what is on its way.
        assert!(took > Duration::from_millis(1_500), "{stream}: all came within {took:?}");
        let events = events(&world, "limit.output");
        assert_eq!(events.len(), 1, "{stream}: {events:#?}");
        assert_eq!((&events[0]["what"], &events[0]["bytes_per_second"]), (&"output".into(), &MIB.into()));
        assert!(events[0]["remedy"].as_str().expect("a remedy").contains("`[limits] output`"));
    }
}

#[test]
fn without_a_limit_in_the_profile_the_same_flood_is_not_held_up() {
    let world = World::new();
    let (flooded, _) = under(&world, "jail", "processes = 64", &flood("stdout"));
    assert_eq!((flooded.code(), flooded.stdout.len()), (0, 6 * MIB));
    assert!(events(&world, "limit.output").is_empty());
}

#[test]
fn between_client_and_server_the_rate_is_kept_as_well_and_all_is_counted() {
    let world = World::new();
    let (flooded, took) = under(&world, "run", "output = \"1MiB/s\"", &flood("stderr"));
    assert!(took > Duration::from_millis(1_500), "all came within {took:?}");
    assert!(flooded.stderr.len() >= 6 * MIB, "{} bytes came through", flooded.stderr.len());
    assert_eq!(events(&world, "limit.output").len(), 1);
    let end = events(&world, "session.end").pop().expect("an end");
    assert_eq!(end["stderr_bytes"], serde_json::json!([6 * MIB, 0]));
}
