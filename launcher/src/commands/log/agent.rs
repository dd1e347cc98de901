//! Rows of what the agent wrote.

use serde_json::Value;

use crate::telemetry::StoredEvent;

/// Word, what and why.
pub(super) fn row<'a>(event: &'a StoredEvent, kind: &'a str) -> (&'a str, String, String) {
    let what = |key: &str| event.what(key).to_owned();
    let of_client = || format!("{}/{}", event.what("client"), event.what("server"));
    match kind {
        "inventory.wrapped" => {
            ("wrapped", of_client(), format!("{}, bare for {} ms", what("file"), number(event, "bare_ms")))
        }
        "inventory.server" => {
            let state = [event.what("state"), event.what("why")].join(" ");
            (event.what("change"), of_client(), format!("{}: {}", what("file"), state.trim_end()))
        }
        "inventory.bare" => {
            let why = format!(
                "pid {} below {} (pid {}) without Stockade: {}; {}",
                number(event, "pid"),
                event.what("client"),
                number(event, "client_pid"),
                event.what("evidence"),
                event.what("done")
            );
            ("alert", format!("bare {}", event.what("server")), why)
        }
        "inventory.problem" => ("alert", what("file"), what("why")),
        _ => ("agent", kind.trim_start_matches("agent.").to_owned(), format!("pid {}", number(event, "pid"))),
    }
}

fn number(event: &StoredEvent, key: &str) -> u64 {
    event.value["what"].get(key).and_then(Value::as_u64).unwrap_or(0)
}
