//! One `[[baseline]]`.

use std::collections::BTreeMap;

use super::Baseline;
use super::parse::{Ids, sentence};
use crate::document::identity::identity_patterns;
use crate::document::reader::{Reader, Section, shown};
use crate::document::tree::{Kind, Member};

/// What stands before the digits.
const PREFIX: &str = "sha256:";
/// What [`hash`] takes, for the schema.
pub(super) const HASH_PATTERN: &str = "^sha256:[0-9a-f]{64}$";
const NOT_YET: &[&str] = &["file", "prompts", "resources", "instructions", "until"];

pub(super) fn baseline(r: &mut Reader<'_>, mut s: Section<'_>, ids: &mut Ids) -> Option<Baseline> {
    let (line, at) = (r.line(s.at), s.at);
    let id = ids.read(r, &mut s);
    if s.value("servers").is_none() {
        s.lacks(r, "servers", "name whose definitions these are: `servers = [\"pkg:npm/NAME\"]`");
    }
    let servers = s.names(r, "servers");
    let servers = identity_patterns(r, &servers);
    let server = s.string(r, "server").map(|text| hash(r, "server", text.text, text.at));
    let tools = s.table(r, "tools").map(|table| tools(r, table.members()));
    if s.value("server").is_none() && s.value("tools").is_none() {
        let remedy = "`stockade pins export` writes what is approved on a machine".to_owned();
        r.lacking(at, "[[baseline]] has neither `server` nor `tools`", Some(remedy));
    }
    let reason = s.required(r, "reason", "say in one sentence who looked at these definitions");
    let reason = reason.and_then(|text| sentence(r, text));
    s.close(r, NOT_YET);
    let server = server.map_or(Some(None), |hash| hash.map(Some))?;
    Some(Baseline { id: id?, servers, server, tools, reason: reason?, line })
}

/// Hex digits by the tool's name. Wrong ones are told of and left out: such a file is not used.
fn tools(r: &mut Reader<'_>, members: &[Member]) -> BTreeMap<String, String> {
    let mut tools = BTreeMap::new();
    for Member { key, key_at, value } in members {
        if key.is_empty() {
            r.wrong(*key_at, "a tool without a name", None);
        }
        match &value.kind {
            Kind::Text(text) => {
                if let Some(hash) = hash(r, key, text, value.at) {
                    tools.insert(key.clone(), hash);
                }
            }
            other => {
                let what = format!("`{}` must be a string, not {}", shown(key), other.words());
                r.wrong(value.at, what, None);
            }
        }
    }
    tools
}

fn hash(r: &mut Reader<'_>, key: &str, text: &str, at: usize) -> Option<String> {
    let is_hex =
        |hex: &&str| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let hex = text.strip_prefix(PREFIX).filter(is_hex);
    if hex.is_none() {
        let remedy =
            "write `sha256:` and 64 hex digits in lower case, as `stockade pins export` does".to_owned();
        r.wrong(at, format!("`{}` cannot be `{}`", shown(key), shown(text)), Some(remedy));
    }
    hex.map(str::to_owned)
}
