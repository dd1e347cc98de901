//! PURE: which call of the client was in flight when something happened, from the session's events.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::telemetry::StoredEvent;

/// What is opened is told so long afterwards.
const TOLD_AFTER: SignedDuration = SignedDuration::from_millis(20);
/// Times in events are of whole milliseconds, and threads wake up late.
const SLACK: SignedDuration = SignedDuration::from_millis(3);

/// The client's calls of one session.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug)]
struct Call {
    words: String,
    began: Timestamp,
    ended: Option<Timestamp>,
}

impl Calls {
    /// Those of these events.
    pub(super) fn of(events: &[StoredEvent]) -> Self {
        let mut calls = Vec::<Call>::new();
        let mut open: HashMap<String, usize> = HashMap::new();
        for event in events {
            let Some(time) = event.value["time"].as_str().and_then(|text| text.parse::<Timestamp>().ok())
            else {
                continue;
            };
            let (method, id) = (event.what("method"), event.what("request_id"));
            if id.is_empty() {
                continue;
            }
            match event.value["kind"].as_str() {
                Some("call") if event.what("direction") == TO_SERVER => {
                    open.insert(id.to_owned(), calls.len());
                    let words = words(method, event.what("item"));
                    calls.push(Call { words, began: time, ended: None });
                }
                Some("answer") if event.what("direction") != TO_SERVER => {
                    let ended = open.remove(id).and_then(|at| calls.get_mut(at));
                    if let Some(call) = ended {
                        call.ended = Some(time);
                    }
                }
                _ => {}
            }
        }
        Self(calls)
    }

    /// The call in flight when something happened that was told at `told`; empty if there was none. By the time: a claim,
    /// not proof.
    pub(super) fn during(&self, told: Timestamp) -> String {
        let Ok(at) = told.checked_sub(TOLD_AFTER) else { return String::new() };
        let flies = |call: &&Call| {
            let after = |end: Timestamp| end.checked_add(SLACK).is_ok_and(|end| end >= at);
            call.began.checked_sub(SLACK).is_ok_and(|began| began <= at) && call.ended.is_none_or(after)
        };
        // A busy server is told about earlier than that: then it is the next call that began.
        let soon = |call: &&Call| call.began >= at && call.began <= told;
        let call = self.0.iter().rev().find(flies).or_else(|| self.0.iter().find(soon));
        call.map_or_else(String::new, |call| call.words.clone())
    }
}

/// The word of events for what goes to the server.
const TO_SERVER: &str = "to-server";

/// Characters of a method or a tool's name that are kept.
const WORD_MAX: usize = 80;

/// `tools/call read`
pub(super) fn words(method: &str, item: &str) -> String {
    // Both are chosen by the client, and the names of tools by the server.
    let short = |text: &str| text.chars().take(WORD_MAX).collect::<String>();
    if item.is_empty() { short(method) } else { format!("{} {}", short(method), short(item)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, direction: &str, id: &str, ms: u32) -> StoredEvent {
        let value = json!({
            "kind": kind, "time": format!("2026-01-01T00:00:00.{ms:03}Z"),
            "what": { "method": "tools/call", "item": format!("t{id}"), "request_id": id, "direction": direction },
        });
        StoredEvent { line: String::new(), value }
    }

    #[test]
    fn an_open_belongs_to_the_call_that_flew_twenty_milliseconds_before_it_was_told() {
        let calls = Calls::of(&[
            event("call", TO_SERVER, "1", 100),
            event("answer", "to-client", "1", 150),
            event("call", TO_SERVER, "2", 200),
        ]);
        let during = |ms: u32| calls.during(format!("2026-01-01T00:00:00.{ms:03}Z").parse().unwrap());
        assert_eq!(during(50), "");
        assert_eq!(during(130), "tools/call t1");
        assert_eq!(during(165), "tools/call t1");
        assert_eq!(during(190), "");
        assert_eq!(during(215), "tools/call t2", "told early, in a burst");
        assert_eq!(during(900), "tools/call t2", "it was never answered");
    }
}
