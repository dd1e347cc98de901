//! Finds a recorded event by what people call it: the code of a refusal, an event's id, or nothing (the latest refusal).

use crate::telemetry::StoredEvent;

/// Shortest beginning of an id that is looked for.
const PREFIX_CHARS_MIN: usize = 8;

/// What a person typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A code such as `4F2K`.
    Code(String),
    /// An event's id, or its beginning.
    Id(String),
    /// Nothing: the latest refusal.
    Latest,
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// The event.
    One(Box<StoredEvent>),
    /// Several sessions gave out this code: the events, oldest first.
    Several(Vec<StoredEvent>),
    /// None.
    Nothing,
}

impl Named {
    /// Codes are Crockford's base 32, read out and typed by people: O is 0, I and L are 1, lower case is upper case.
    pub(crate) fn of(text: Option<&str>) -> Self {
        let Some(text) = text.map(str::trim) else { return Self::Latest };
        let letter = |c: char| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        };
        if text.contains('-') || !matches!(text.len(), 4 | 6 | 8) {
            return Self::Id(text.to_ascii_lowercase());
        }
        Self::Code(text.chars().map(letter).collect())
    }
}

/// Looks for it in all events, which are in order of time.
pub(crate) fn find(events: &[StoredEvent], named: &Named) -> Found {
    let is_it = |event: &&StoredEvent| match named {
        Named::Code(code) => {
            event.what("code") == code
                || (code.len() >= PREFIX_CHARS_MIN && begins(event, &code.to_ascii_lowercase()))
        }
        Named::Id(id) => id.len() >= PREFIX_CHARS_MIN && begins(event, id),
        Named::Latest => is_refusal(event),
    };
    let mut found: Vec<StoredEvent> = match named {
        Named::Latest => events.iter().rev().find(is_it).cloned().into_iter().collect(),
        Named::Code(_) | Named::Id(_) => events.iter().filter(is_it).cloned().collect(),
    };
    match (found.pop(), found.is_empty()) {
        (None, _) => Found::Nothing,
        (Some(one), true) => Found::One(Box::new(one)),
        (Some(one), false) => {
            found.push(one);
            Found::Several(found)
        }
    }
}

fn begins(event: &StoredEvent, id: &str) -> bool {
    event.value["id"].as_str().is_some_and(|own| own.starts_with(id))
}

/// Whether something was stopped that somebody will ask about: not the rest of a session that ended, and not what a list
/// was filtered of.
pub(crate) fn is_refusal(event: &StoredEvent) -> bool {
    let kind = event.value["kind"].as_str().unwrap_or("");
    let stopped = matches!(event.what("verdict"), "deny" | "ask" | "block" | "refused");
    match kind {
        "session.refused" => true,
        "call" | "answer" | "notification" | "refused" => stopped,
        "synthesised" => stopped && event.what("rule") != "session/ended",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(id: &str, code: &str, verdict: &str) -> StoredEvent {
        let value = json!({ "id": id, "kind": "call", "what": { "verdict": verdict, "code": code } });
        StoredEvent { line: value.to_string(), value }
    }

    fn id(found: Found) -> Result<String, usize> {
        match found {
            Found::One(event) => Ok(event.value["id"].as_str().unwrap().to_owned()),
            Found::Several(all) => Err(all.len()),
            Found::Nothing => Err(0),
        }
    }

    #[test]
    fn a_code_an_id_its_beginning_or_nothing_finds_an_event() {
        let events = [
            event("0190a000-1111", "4F20", "ask"),
            event("0190a000-2222", "", "allow"),
            event("0190b000-3333", "AAAA", "deny"),
            event("0190b000-4444", "AAAA", "deny"),
            event("0190b000-5555", "", "allow"),
        ];
        let find = |text: Option<&str>| id(find(&events, &Named::of(text)));
        assert_eq!(find(Some("4f2o")), Ok("0190a000-1111".to_owned()), "as people type it");
        assert_eq!(find(None), Ok("0190b000-4444".to_owned()), "the latest refusal");
        assert_eq!(find(Some("0190a000-2222")), Ok("0190a000-2222".to_owned()));
        assert_eq!(find(Some("0190a000-2")), Ok("0190a000-2222".to_owned()));
        assert_eq!(find(Some("AAAA")), Err(2));
        assert_eq!(find(Some("0190A000")), Err(2), "it looks like a code and is none");
        assert_eq!(find(Some("0190a000-")), Err(2));
        for nothing in ["ZZZZ", "0190a00-", "x", "", "*"] {
            assert_eq!(find(Some(nothing)), Err(0), "{nothing}");
        }
    }
}
