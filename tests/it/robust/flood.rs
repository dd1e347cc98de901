//! A server that talks for long before it listens.

use serde_json::json;

use super::{call, converse, only_answer, text_of, wait_for};
use crate::support::{World, fixture_command};

/// A server that sends so many requests that are refused before it reads anything hears at least so many answers, and
/// serves after that.
fn floods(count: usize, least: usize) {
    let steps = json!([{ "handshake": true }, call(5, "heard", json!({ "least": least })), wait_for(5)]);
    let world = World::new();
    let outcome = converse(&world, &steps, &[], fixture_command("flood.py", &[&count.to_string()]));
    assert_eq!(text_of(only_answer(&outcome, "5")), "heard", "{outcome}");
}

#[test]
fn refused_requests_that_nobody_reads_the_answers_of_do_not_stop_a_session() {
    // Their answers are more than a pipe (64 KiB) and our queue (1 MiB) hold.
    floods(40_000, 1_000);
}

#[test]
fn answers_that_find_room_are_all_given() {
    floods(2_000, 2_000);
}
