//! The lines of a policy that would grant what was refused, for the one who writes it.
//!
//! The strictest rule wins, so a line that allows does nothing against one that denies: what else has to change is said beside it.

use stockade_policy::verdict::Content;

use super::place::RulePlace;
use crate::approvals::identities;
use crate::telemetry::StoredEvent;

/// What would grant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// Lines of a policy file; `None` where no line could.
    pub(crate) lines: Option<String>,
    /// What has to be done beside them, or why there are none.
    pub(crate) note: String,
}

/// What would grant it. `who` asks, `until` is the day on which it should end.
pub(crate) fn fragment(
    event: &StoredEvent,
    place: Option<&RulePlace>,
    (id, who, until): (&str, &str, &str),
) -> Fragment {
    let none = |note: &str| Fragment { lines: None, note: note.to_owned() };
    let Some(server) = identities(event).into_iter().next() else {
        return none("the server has no identity that a rule could name");
    };
    if let Some(place) = place.filter(|place| place.dlp.is_some()) {
        return finding(place, &server, (id, who, until));
    }
    if event.what("content") == "block" {
        return none("the rule that blocked it is not in the policy files any more, or was never in one");
    }
    let (access, layer) = (event.what("access"), event.what("layer"));
    if !matches!(access, "ask" | "deny") || layer.is_empty() || (layer == "built-in" && place.is_none()) {
        return none(
            "no policy decides this: the message itself was refused, by the grammar or the session table",
        );
    }
    let item = event.what("item");
    let list = match event.what("method") {
        "tools/call" | "tools/list" => "tools",
        "prompts/get" | "prompts/list" | "completion/complete" => "prompts",
        _ => return none("rules of this version cannot name such a request by itself"),
    };
    if item.is_empty() || item.contains("[REDACTED:") {
        return none("the name on record is not the whole name, since it was masked");
    }
    let lines = format!(
        "# requested by {who}\n[[rule]]\nid = {}\neffect = \"allow\"\nservers = [{}]\n{list} = [{}]\nuntil = \"{until}\"\nreason = {}\n",
        quoted(&format!("grant-{id}")),
        quoted(&server),
        quoted(item),
        quoted(&format!("granted to {who} until {until} (request {id})")),
    );
    let note = match place.and_then(|place| place.rule.as_ref().map(|rule| (place, rule))) {
        Some((place, rule)) => format!(
            "rule `{}` in {} is stricter and wins as long as it names this: take the {} or the server out of it as well",
            rule.id,
            at(place),
            if list == "tools" { "tool" } else { "prompt" },
        ),
        None => format!("they belong in the layer that refused it ({layer}); they end with {until}"),
    };
    Fragment { lines: Some(lines), note }
}

/// A rule about findings, with this server excepted: to be put in its place.
fn finding(place: &RulePlace, server: &str, (id, who, until): (&str, &str, &str)) -> Fragment {
    let Some(rule) = &place.dlp else { return Fragment { lines: None, note: String::new() } };
    let list = |all: &[String]| all.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(", ");
    let mut except = rule.except_servers.clone();
    except.push(server.to_owned());
    let direction = match rule.direction {
        stockade_policy::document::policy::Directions::ToServer => "to-server",
        stockade_policy::document::policy::Directions::ToClient => "to-client",
        stockade_policy::document::policy::Directions::Both => "both",
    };
    let action = match rule.action {
        Content::Block => "block",
        Content::Redact => "redact",
        Content::Monitor | Content::Pass => "monitor",
    };
    let confidence = match rule.confidence {
        stockade_policy::detect::Confidence::Low => "low",
        stockade_policy::detect::Confidence::Medium => "medium",
        stockade_policy::detect::Confidence::High => "high",
    };
    let servers = if rule.servers.is_empty() {
        String::new()
    } else {
        format!("servers = [{}]\n", list(&rule.servers))
    };
    let lines = format!(
        "# until {until}, requested by {who} (request {id})\n[[dlp]]\nid = {}\ndetect = [{}]\ndirection = \"{direction}\"\n\
         action = \"{action}\"\nconfidence = \"{confidence}\"\n{servers}except = {{ servers = [{}] }}\nreason = {}\n",
        quoted(&rule.id),
        list(&rule.detect),
        list(&except),
        quoted(&rule.reason),
    );
    let note = format!("they take the place of rule `{}` in {}; put it back on {until}", rule.id, at(place));
    Fragment { lines: Some(lines), note }
}

fn at(place: &RulePlace) -> String {
    match place.line {
        Some(line) => format!("{}:{line}", place.file),
        None => place.file.clone(),
    }
}

/// A TOML string: what JSON escapes, TOML reads the same way (TOML 1.0, basic strings).
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
