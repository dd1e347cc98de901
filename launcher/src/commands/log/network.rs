//! Events of the network as rows.

use crate::telemetry::StoredEvent;

/// Whether events of this kind are shown here.
pub(super) fn is_one(kind: &str) -> bool {
    kind.starts_with("net.") || kind == "browser"
}

/// Verdict, what and why of an event.
pub(super) fn row<'e>(event: &'e StoredEvent, kind: &'e str) -> (&'e str, String, String) {
    let number = |key: &str| event.value["what"][key].as_u64();
    let amount = |key: &str| number(key).map_or_else(|| "?".to_owned(), |bytes| bytes.to_string());
    let target = || format!("{}:{}", event.what("host"), amount("port"));
    let moved = |up: &str, down: &str| format!("{} bytes out, {} in", amount(up), amount(down));
    match kind {
        "net.first_seen" => (
            "new",
            format!("⇄ {}", target()),
            format!("first connection to this {} host", event.what("class")),
        ),
        "net.connect" => {
            let why = format!(
                "{}, {} ({})",
                event.what("ended"),
                moved("bytes_up", "bytes_down"),
                event.what("way")
            );
            (event.what("verdict"), format!("⇄ {}", target()), why)
        }
        "net.refused" => {
            (event.what("verdict"), format!("⇄ {}", event.what("what")), event.what("why").to_owned())
        }
        "net.dns_refused" => {
            (event.what("verdict"), format!("? {}", event.what("what")), event.what("why").to_owned())
        }
        "net.dns_failed" => ("failed", format!("? {}", event.what("name")), event.what("why").to_owned()),
        "net.inbound" => {
            let why = format!("{}, {}", event.what("ended"), moved("bytes_out", "bytes_in"));
            ("allow", format!("⇇ port {}", amount("port")), why)
        }
        "browser" => {
            (event.what("verdict"), format!("⧉ {}", event.what("page")), event.what("why").to_owned())
        }
        _ => {
            let why = format!("{} refused, {}", amount("refused"), moved("bytes_up", "bytes_down"));
            ("sum", format!("{} connections", amount("connections")), why)
        }
    }
}
