//! Where the rule of a recorded decision stands: the layer that was in force then, its file, and the line in it.

use std::path::Path;

use serde_json::Value;
use stockade_policy::document::policy::{DlpRule, PolicyDocument, Rule};

use crate::host::{self, Facts};
use crate::identity::sha256_hex;
use crate::profiles;
use crate::telemetry::StoredEvent;

/// A rule in its file.
#[derive(Clone, Debug)]
pub(crate) struct RulePlace {
    /// Path, or the name of a policy inside this binary.
    pub(crate) file: String,
    /// From 1; `None`: the file does not hold it (any more), or it is the layer's default.
    pub(crate) line: Option<usize>,
    /// Whether the file is as it was then.
    pub(crate) text: Text,
    /// The rule, if it is about access.
    pub(crate) rule: Option<Rule>,
    /// The rule, if it is about findings.
    pub(crate) dlp: Option<DlpRule>,
}

/// Whether a file is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// It is.
    Same,
    /// It was changed since.
    Changed,
    /// It cannot be read or understood.
    Gone,
}

/// Where the rule that decided stands; `None` if it stands in no layer: rules of the grammar and of the session table.
pub(crate) fn place(event: &StoredEvent, all: &[StoredEvent], facts: &Facts) -> Option<RulePlace> {
    let (rule, layer) = (event.what("rule"), event.what("layer"));
    let layers = layers(event, all)?;
    let mut places = layers
        .filter(|(name, _)| is_layer(name, layer, facts))
        .map(|(name, sha256)| look(name, sha256, rule, facts));
    let place = places.next()?;
    // What is built in and stands in no starting policy is no rule of a layer.
    (layer != "built-in" || place.line.is_some() || rule == "default").then_some(place)
}

/// The layers that were in force: name and the beginning of the hash. The last event that names them under the policy by
/// which it was decided.
fn layers<'e>(
    event: &StoredEvent,
    all: &'e [StoredEvent],
) -> Option<impl Iterator<Item = (&'e str, &'e str)>> {
    let (session, policy) = (event.who("session"), event.who("policy"));
    let names_them = |one: &&StoredEvent| {
        let kind = one.value["kind"].as_str();
        one.who("session") == session
            && one.who("policy") == policy
            && matches!(kind, Some("session.start" | "policy.changed"))
    };
    let naming = all.iter().rev().find(names_them)?;
    let lines = naming.value["what"]["layers"].as_array()?.iter().filter_map(Value::as_str);
    Some(lines.filter_map(|line| line.rsplit_once(" sha256:")))
}

/// Whether the layer of this name is called so in verdicts.
fn is_layer(name: &str, word: &str, facts: &Facts) -> bool {
    let own = |dir: &Path| Path::new(name) == dir.join("policy.toml");
    let built_in = name.starts_with("built-in ");
    match word {
        "organisation" => own(&facts.system_dir),
        "user" => own(&facts.config_dir),
        "built-in" => built_in,
        "group" => Path::new(name).starts_with(facts.system_dir.join("policy.d")),
        "project" => name.ends_with("/.stockade/policy.toml"),
        _ => !built_in && !own(&facts.system_dir) && !own(&facts.config_dir),
    }
}

fn look(name: &str, sha256: &str, rule: &str, facts: &Facts) -> RulePlace {
    let gone = RulePlace { file: name.to_owned(), line: None, text: Text::Gone, rule: None, dlp: None };
    let text = match name.strip_prefix("built-in ") {
        // As it is put together when a policy is loaded.
        Some(starting) => profiles::starting_policy(starting).map(|text| format!("{text}\n")),
        None => host::read_text(&facts.cwd.join(name)).ok(),
    };
    let Some(text) = text else { return gone };
    let Ok(document) = PolicyDocument::parse(name, &text) else { return gone };
    let access = document.rules.iter().find(|one| one.id == rule).cloned();
    let dlp = document.dlp.iter().find(|one| one.id == rule).cloned();
    let same = sha256_hex(text.as_bytes()).starts_with(sha256);
    RulePlace {
        line: access.as_ref().map(|one| one.line).or_else(|| dlp.as_ref().map(|one| one.line)),
        text: if same { Text::Same } else { Text::Changed },
        rule: access,
        dlp,
        ..gone
    }
}
