//! The `[[suppress]]` that speaks for what was found: whoever pastes it has to sign it.

use jiff::Timestamp;
use stockade_policy::document::policy::PolicyDocument;

use super::tally::Found;

/// How long it is to hold.
const DAYS: i64 = 90;
/// Longest place that is put into one.
const PLACE_CHARS_MAX: usize = 200;
const ID_CHARS_MAX: usize = 60;

/// One for each, with ids of their own.
pub(super) fn all(rows: &[&Found], now: Timestamp) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    rows.iter()
        .map(|found| {
            let id = unused(id(found), &ids);
            ids.push(id.clone());
            suppression(found, &id, now)
        })
        .collect()
}

/// As narrow as what was found lets it be: one value by its hash, several by their place. Nobody's name stands in it, so no
/// policy takes it as it is.
fn suppression(found: &Found, id: &str, now: Timestamp) -> String {
    let hash = found.only_value().filter(|hash| !hash.is_empty());
    // Another file may not have the list of words; where the hash is known, it says enough.
    let detect = hash.is_none() || !found.detector.starts_with("keyword/");
    let lines = [
        Some(format!("[[suppress]]\nid = {}", quoted(id))),
        detect.then(|| format!("detect = [{}]", quoted(&found.detector))),
        hash.map(|hash| format!("hash = {}", quoted(hash))),
        server(found).map(|server| format!("servers = [{}]", quoted(server))),
        only_place(found).filter(|_| hash.is_none()).map(|place| format!("path = {}", quoted(place))),
        only_tool(found).filter(|_| hash.is_none()).map(|tool| format!("tools = [{}]", quoted(tool))),
        only(&found.directions).map(|direction| format!("direction = {}", quoted(direction))),
        Some("author = \"\"  # who answers for it\nreason = \"\"  # why it is no finding".to_owned()),
        Some(format!("until = \"{}\"\n", until(now))),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// `github-pat-3fa9c1d2`, `email-crm`
fn id(found: &Found) -> String {
    let short = found.detector.rsplit('/').next().unwrap_or(&found.detector);
    let of = found.only_value().unwrap_or(&found.server);
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    format!("{short}-{of}").chars().map(plain).take(ID_CHARS_MAX).collect()
}

fn unused(id: String, used: &[String]) -> String {
    let numbered = |n: usize| if n == 1 { id.clone() } else { format!("{id}-{n}") };
    (1..).map(numbered).find(|id| !used.contains(id)).unwrap_or(id)
}

/// What the server is, if a policy can name it.
fn server(found: &Found) -> Option<&str> {
    let identity = found.identity.as_deref()?;
    let list = format!(
        "version = 1\n[[rule]]\nid = \"x\"\neffect = \"deny\"\nreason = \"x\"\nservers = [{}]\n",
        quoted(identity)
    );
    PolicyDocument::parse("", &list).is_ok().then_some(identity)
}

fn only_place(found: &Found) -> Option<&str> {
    only(&found.places).filter(|place| {
        let is_shown = !place.contains("[REDACTED:") && !place.chars().any(char::is_control);
        place.starts_with('/') && is_shown && place.chars().count() <= PLACE_CHARS_MAX
    })
}

fn only_tool(found: &Found) -> Option<&str> {
    let mut tools = found.tools.iter();
    let tool = tools.next().filter(|_| tools.next().is_none())?;
    tool.as_deref().filter(|tool| !tool.is_empty() && !tool.contains("[REDACTED:"))
}

fn only(of: &std::collections::BTreeSet<String>) -> Option<&str> {
    let mut each = of.iter();
    each.next().filter(|one| !one.is_empty() && each.next().is_none()).map(String::as_str)
}

fn until(now: Timestamp) -> String {
    let end = now.checked_add(jiff::SignedDuration::from_hours(24 * DAYS)).unwrap_or(now);
    end.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// A string as JSON writes it is one of TOML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
