//! PURE: what is approved of a server → a section of a policy that expects just that.

use std::fmt::Write as _;

use super::pin::{Entry, ServerPins};

/// Longest id that policies take.
const ID_CHARS_MAX: usize = 48;

/// `[[baseline]]`, to be put behind what an organisation's policy says. `None`: nothing is approved.
pub(crate) fn export(pins: &ServerPins, today: &str) -> Option<String> {
    let hash = |entry: &Entry| entry.approved.as_ref().map(|approved| approved.definition.sha256.clone());
    let server = pins.says.as_ref().and_then(hash);
    let tools: Vec<(&String, String)> =
        pins.tools.iter().filter_map(|(name, entry)| Some((name, hash(entry)?))).collect();
    if server.is_none() && tools.is_empty() {
        return None;
    }
    // A package in whatever version; anything else by its content.
    let server_id = if pins.server.starts_with("pkg:") { Some(&pins.server) } else { pins.identity.first() };
    let name = pins.names.first().map_or("server", String::as_str);
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
    let id: String = plain.take(ID_CHARS_MAX).collect();
    let mut out = String::from(
        "# Definitions as they were approved on one machine. A tool that is not among them is new.\n",
    );
    let _ = writeln!(out, "[[baseline]]\nid = {}", quoted(&format!("{id}-{today}")));
    let _ = writeln!(out, "servers = [{}]", server_id.map_or(String::new(), |id| quoted(id)));
    let _ = writeln!(out, "reason = {}", quoted(&format!("as approved on {today}")));
    if let Some(hash) = server {
        let _ = writeln!(
            out,
            "# The server's name, version and instructions; leave this line out and they are free.\nserver = {}",
            quoted(&format!("sha256:{hash}"))
        );
    }
    out.push_str("[baseline.tools]\n");
    for (name, hash) in tools {
        let _ = writeln!(out, "{} = {}", quoted(name), quoted(&format!("sha256:{hash}")));
    }
    Some(out)
}

/// A basic string of TOML, in plain characters: what is copied from a terminal is what was meant.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use stockade_policy::document::policy::PolicyDocument;

    use super::*;
    use crate::definitions::pin::{Approved, Definition, How};

    fn entry(sha256: &str) -> Entry {
        let definition = Definition { sha256: sha256.to_owned(), text: None };
        let approved = Approved {
            definition,
            at: String::new(),
            how: How::FirstUse,
            by: String::new(),
            terminal: None,
            processes: Vec::new(),
        };
        Entry { approved: Some(approved), ..Entry::first("now") }
    }

    #[test]
    fn what_is_exported_is_read_as_a_policy_whatever_tools_are_called() {
        let mut pins = ServerPins::new("pkg:npm/a", "now");
        pins.names.push("it's \"mine\"\u{1b}[2J".to_owned());
        pins.says = Some(entry(&"b".repeat(64)));
        let odd = ["read", "a.b", "quo\"te\\", "new\nline = 1", "\u{7f}\u{e0041}\u{202e}", "[[rule]]"];
        for name in odd {
            pins.tools.insert(name.to_owned(), entry(&"a".repeat(64)));
        }
        pins.tools.insert("waits".to_owned(), Entry::first("now"));
        let text = export(&pins, "2026-11-23").unwrap();
        assert!(text.chars().all(|c| matches!(c, '\n' | ' '..='~')), "{text}");
        let document = PolicyDocument::parse("p", &format!("version = 1\n{text}"));
        let document = document.unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
        let [baseline] = &document.baselines[..] else { panic!("one") };
        assert_eq!(baseline.servers, ["pkg:npm/a"]);
        assert_eq!(baseline.server, Some("b".repeat(64)));
        let tools = baseline.tools.as_ref().unwrap();
        assert!(odd.iter().all(|name| tools.contains_key(*name)) && tools.len() == odd.len(), "{tools:?}");
        assert!(document.rules.is_empty());
        assert_eq!(export(&ServerPins::new("pkg:npm/a", "now"), "2026-11-23"), None);
    }
}
