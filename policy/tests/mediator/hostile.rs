//! Lines that nobody would write, against what must hold for every line.

use serde_json::Value;
use stockade_policy::mediator::Peer;

use crate::session::{
    HIDDEN, POLICY, Random, Session, call, call_with, modern_call, notification, request, result,
};

/// Lines to start from: every shape, with names that are denied and words that are found.
fn seeds() -> Vec<String> {
    vec![
        call(1, "read"),
        call(2, "merge_x"),
        modern_call(3, "deploy"),
        call_with(4, "send", "Umbrella and Nightfall"),
        request(5, "prompts/get", r#"{"name":"merge-a","arguments":{"a":"b"}}"#),
        request(6, "completion/complete", r#"{"ref":{"type":"ref/prompt","name":"merge-a"}}"#),
        request(7, "tools/list", "{}"),
        notification("notifications/cancelled", r#"{"requestId":1}"#),
        result(1, r#"{"content":[{"type":"text","text":"Umbrella \ud83d\ude00"}]}"#),
        result(
            7,
            &format!(
                r#"{{"tools":[{{"name":"merge_x"}},{{"name":"b","description":"{HIDDEN}"}},{{"name":"c"}}]}}"#
            ),
        ),
        r#"{"jsonrpc":"2.0","id":"x","error":{"code":-1,"message":"no"}}"#.to_owned(),
    ]
}

/// One to four bytes replaced, inserted, removed or doubled.
fn mutate(line: &str, random: &mut Random) -> Vec<u8> {
    const BYTES: &[u8] = b"\"\\{}[]:,0 \r\n\tumrnaeg1-.\x00\xe2\x80\xa8\xff/";
    let mut bytes = line.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() as u64) as usize;
        let byte = BYTES[random.below(BYTES.len() as u64) as usize];
        match random.below(5) {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 if bytes.len() > 1 => drop(bytes.remove(at)),
            3 => {
                let end = (at + random.below(40) as usize).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {}
        }
    }
    bytes
}

/// What a receiver reads must be what was judged.
fn check(from: Peer, forwarded: &str) {
    let message: Value =
        serde_json::from_str(forwarded).unwrap_or_else(|error| panic!("{error}: {forwarded}"));
    assert!(!forwarded.contains(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}']), "{forwarded:?}");
    assert!(!message.to_string().contains("Nightfall"), "{forwarded}");
    assert!(!message.to_string().contains("Umbrella"), "{forwarded}");
    if from == Peer::Client {
        let name = match message["method"].as_str() {
            Some("tools/call" | "prompts/get") => message["params"]["name"].as_str().unwrap(),
            Some("completion/complete") => message["params"]["ref"]["name"].as_str().unwrap_or_default(),
            _ => return,
        };
        assert!(!name.starts_with("merge") || !name[5..].starts_with(['_', '-']), "{forwarded}");
        assert!(name != "deploy", "{forwarded}");
    }
}

#[test]
fn whatever_a_line_is_what_goes_on_is_what_was_judged() {
    let seeds = seeds();
    // Parts of words count as well: a mutation may put letters around one.
    let policy = POLICY.replace("words = [", "match = \"substring\"\nwords = [");
    let mut random = Random(42);
    let mut forwarded = 0;
    for round in 0..300 {
        let mut session = Session::with(&policy);
        for _ in 0..60 {
            let seed = &seeds[random.below(seeds.len() as u64) as usize];
            let from = if random.below(2) == 0 { Peer::Client } else { Peer::Server };
            let line =
                if random.below(4) == 0 { seed.clone().into_bytes() } else { mutate(seed, &mut random) };
            let outcome = session.line(from, &line);
            if let Some(line) = outcome.forwarded {
                check(from, &line);
                forwarded += 1;
            }
        }
        assert!(session.mediator.pending(Peer::Client) < 200, "round {round}");
    }
    assert!(forwarded > 1_000, "the walk lets something through: {forwarded}");
}
