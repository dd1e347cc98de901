//! A call on record: what is known of it beside the log, and of whose server it was.

use serde_json::Value;

use super::call::Call;
use crate::approvals::{self, Found, Named};
use crate::commands::approve::{events, nothing, several};
use crate::commands::screen::harmless;
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::telemetry::StoredEvent;

/// What stands where a detector found something.
const MASK: &str = "[REDACTED:";

/// A call that was made before.
#[derive(Debug)]
pub(super) struct Recorded {
    /// To be made again.
    pub(super) call: Call,
    /// `CLIENT/NAME`, if the session said so.
    pub(super) server: Option<String>,
    /// What the session called its server.
    pub(super) shown: String,
}

/// Looks for it by the id or the code of its event.
pub(super) fn recorded(name: &str, facts: &Facts) -> Result<Recorded, Failure> {
    let all = events(facts)?;
    let event = match approvals::find(&all, &Named::of(Some(name))) {
        Found::One(event) => *event,
        Found::Several(events) => return Err(several(name, &events)),
        Found::Nothing => return Err(nothing(name)),
    };
    let shown = event.who("server").to_owned();
    let server = event.value["who"]["client"]["id"].as_str().map(|client| format!("{client}/{shown}"));
    let call = match event.what("method") {
        "tools/list" => Call::List,
        "tools/call" => tool(&event, &all, facts)?,
        other => {
            return Err(Failure::new(
                Kind::Usage,
                format!("event `{}` is no call of a tool", harmless(name)),
            )
            .cause(format!(
                "it is about `{}`",
                harmless(if other.is_empty() { shown_kind(&event) } else { other })
            ))
            .hint("`stockade log` shows the calls of tools; those whose answer reports a failure say so"));
        }
    };
    Ok(Recorded { call, server, shown })
}

fn shown_kind(event: &StoredEvent) -> &str {
    event.value["kind"].as_str().unwrap_or("nothing")
}

fn tool(event: &StoredEvent, all: &[StoredEvent], facts: &Facts) -> Result<Call, Failure> {
    let name = event.what("item");
    let again = |what: &str, cause: &str| {
        Failure::new(Kind::Usage, what.to_owned()).cause(cause).hint(
            "make the call anew: `stockade bisect SERVER --call 'TOOL={…}'`, with the arguments that it had",
        )
    };
    if name.is_empty() || name.contains(MASK) {
        return Err(again(
            "the name of the tool is not on record",
            "it was masked, as it holds what a detector finds",
        ));
    }
    let session = event.who("session");
    let kept = |one: &StoredEvent| {
        let key = one.what("code");
        let by_code =
            (!key.is_empty()).then(|| approvals::arguments_of(&facts.state_dir, session, key)).flatten();
        by_code.or_else(|| approvals::arguments_of(&facts.state_dir, session, one.value["id"].as_str()?))
    };
    let Some(text) = kept(event).or_else(|| answer(event, all).and_then(kept)) else {
        return Err(again(
            &format!("the arguments of this call of `{}` are not kept", harmless(name)),
            "they are kept, masked, of calls that failed or that a rule asked about: up to 4 KiB, of the last 128 of them",
        ));
    };
    if text.contains(MASK) {
        return Err(again(
            &format!("the arguments of this call of `{}` are masked", harmless(name)),
            "they hold what a detector finds, and with its mask in its place this would be another call",
        ));
    }
    match serde_json::from_str(&text) {
        Ok(arguments @ Value::Object(_)) => Ok(Call::Tool { name: name.to_owned(), arguments }),
        Ok(_) | Err(_) => Err(again(
            &format!("the arguments of this call of `{}` are not kept as a whole", harmless(name)),
            "they were too long for the person who was asked about them",
        )),
    }
}

/// The answer to a request: the first in its session after it that has its id.
fn answer<'e>(request: &StoredEvent, all: &'e [StoredEvent]) -> Option<&'e StoredEvent> {
    let is_request = |one: &&StoredEvent| one.value["id"] == request.value["id"];
    let (at, _) = all.iter().enumerate().find(|(_, one)| is_request(one))?;
    all.get(at..)?.iter().find(|one| {
        one.value["kind"] == "answer"
            && one.who("session") == request.who("session")
            && one.what("request_id") == request.what("request_id")
    })
}
