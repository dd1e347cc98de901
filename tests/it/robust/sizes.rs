//! Large messages.

use serde_json::json;

use super::{call, converse, only_answer, text_of, wait_for};
use crate::support::{World, fixture_command};

const TEN_MB: usize = 10_000_000;

#[test]
fn ten_megabytes_pass_in_both_directions_unchanged() {
    let world = World::new();
    let unit = "0123456789 äöü🦊 \\\" ";
    // As it stands on the wire, with the escapes of JSON.
    let message = unit.repeat(TEN_MB / json!(unit).to_string().len());
    let steps = json!([
        {"handshake": true},
        call(1, "echo", json!({"message": message})),
        wait_for(1),
        call(2, "echo", json!({"message": "afterwards"})),
        wait_for(2),
    ]);
    let outcome = converse(&world, &steps, &[], fixture_command("scripted.py", &[]));
    assert_eq!(outcome["late"], json!(null));
    assert!(text_of(only_answer(&outcome, "1")) == message, "ten megabytes came back changed");
    assert_eq!(text_of(only_answer(&outcome, "2")), "afterwards");
}

#[test]
fn what_is_over_the_limit_is_answered_under_its_id_and_the_session_goes_on() {
    let world = World::new();
    let steps = json!([
        {"handshake": true},
        call(1, "echo", json!({"message": "x".repeat(11 << 20)})),
        wait_for(1),
        call(2, "repeat", json!({"unit": "0123456789abcdef", "times": (33 << 20) / 16})),
        wait_for(2),
        call(3, "echo", json!({"message": "afterwards"})),
        wait_for(3),
    ]);
    let outcome = converse(&world, &steps, &[], fixture_command("scripted.py", &[]));
    for id in ["1", "2"] {
        let refused = only_answer(&outcome, id);
        let refused_text = refused.to_string();
        assert!(refused["error"].is_object() || refused["result"]["isError"] == true, "{id}: not refused");
        assert!(refused_text.len() < 4096, "{id}: the refusal is short");
    }
    assert_eq!(text_of(only_answer(&outcome, "3")), "afterwards");
}
