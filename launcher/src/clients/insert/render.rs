//! How a new entry is written: JSON over several lines, YAML as a block, or all of it between brackets.

use crate::clients::registry::Format;
use crate::clients::spans::quoted;

/// Indentation of what has no neighbour to be set out like.
pub(super) const UNIT: &str = "  ";

/// A value as it is about to be written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A scalar or an array, written out: it means the same in all three languages.
    Literal(String),
    /// An object, table or mapping.
    Map(Vec<(String, Value)>),
}

/// An object over several lines, its members one step further in than `indent`.
pub(super) fn json(value: &Value, indent: &str, eol: &str) -> String {
    match value {
        Value::Literal(text) => text.clone(),
        Value::Map(members) => {
            // Tabs go with tabs.
            let unit = if indent.starts_with('\t') { "\t" } else { UNIT };
            let inner = format!("{indent}{unit}");
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{eol}{inner}{}: {}", quoted(key), json(value, &inner, eol)))
                .collect();
            format!("{{{}{eol}{indent}}}", members.join(","))
        }
    }
}

/// In one line, in brackets.
pub(super) fn render_flow(value: &Value, format: Format) -> String {
    match value {
        Value::Literal(text) => text.clone(),
        Value::Map(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| {
                    format!("{}{}{}", flow_key(key, format), colon(format), render_flow(value, format))
                })
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}

/// A member of a block mapping of YAML, line by line.
pub(super) fn block(key: &str, value: &Value, indent: &str) -> Vec<String> {
    let key = flow_key(key, Format::Yaml);
    match value {
        Value::Literal(text) => vec![format!("{indent}{key}: {text}")],
        Value::Map(members) => {
            let inner = format!("{indent}{UNIT}");
            let members = members.iter().flat_map(|(key, value)| block(key, value, &inner));
            [format!("{indent}{key}:")].into_iter().chain(members).collect()
        }
    }
}

pub(super) fn flow_key(key: &str, format: Format) -> String {
    let is_bare = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let begins = key.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    // Words that YAML takes for something else.
    let is_odd = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| key.eq_ignore_ascii_case(word));
    match format {
        Format::Json => quoted(key),
        Format::Toml | Format::Yaml if is_bare && begins && !is_odd => key.to_owned(),
        Format::Toml | Format::Yaml => quoted(key),
    }
}

pub(super) fn colon(format: Format) -> &'static str {
    match format {
        Format::Json | Format::Yaml => ": ",
        Format::Toml => " = ",
    }
}
