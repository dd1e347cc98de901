//! The JSON and the sentences that we write ourselves.
//!
//! Readers are models and people: a sentence says what was stopped, by which rule, and what can be done about it. It
//! never holds a command: the agent is not trusted, and what widens anything is for the user to type.

use super::clamp::TASKS_KEY;
use super::pending::Era;
use crate::verdict::{Access, Content, Reason, Verdict};
use crate::wire::IdKey;

/// JSON-RPC: the line is no JSON.
pub(super) const SYNTAX: i32 = -32_700;
/// JSON-RPC: JSON, but no message.
pub(super) const SHAPE: i32 = -32_600;
/// JSON-RPC: only for methods that the policy does not let through.
pub(super) const NO_METHOD: i32 = -32_601;
/// JSON-RPC: parameters that cannot be judged, and items that are hidden.
pub(super) const PARAMS: i32 = -32_602;
/// MCP since 2026-07-28: the client did not declare what the request needs. The code is the specification's, and says
/// here what the specification says with it.
pub(super) const UNDECLARED: i32 = -32_021;
// Codes of ours stand outside of −32768…−32000, which JSON-RPC and MCP keep for themselves: 1000 and the HTTP status
// that says the same.
/// The user does not want it: what the specification's own example of a refused sampling has.
pub(super) const REJECTED: i32 = -1;
/// Denied or blocked by policy.
pub(super) const DENIED: i32 = 1403;
/// Given up because too many requests wait.
pub(super) const TOO_MANY: i32 = 1429;
/// The server ended, or its answer could not be let through.
pub(super) const BAD_SERVER: i32 = 1502;
/// The session is over.
pub(super) const ENDED: i32 = 1503;

/// Whom a refusal is about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// Tool or prompt, or else the method.
    pub(super) what: &'a str,
    /// An answer was stopped, not a call.
    pub(super) answer: bool,
    /// Detectors that found something, `secret/github-pat, pii/email`; empty if none did.
    pub(super) found: &'a str,
    /// The code that the user can ask about.
    pub(super) code: &'a str,
}

/// An error under an id, with data of text members.
pub(super) fn error(id: &[u8], code: i32, message: &str, data: &[(&str, &str)]) -> Vec<u8> {
    let mut line = start(id);
    line.extend_from_slice(
        format!(r#""error":{{"code":{code},"message":{}"#, json_string(message)).as_bytes(),
    );
    if !data.is_empty() {
        line.extend_from_slice(format!(r#","data":{}"#, object(data)).as_bytes());
    }
    line.extend_from_slice(b"}}");
    line
}

/// The client asks about a task and did not declare that it knows tasks (extension of 2026-07-28).
pub(super) fn undeclared_tasks(id: &[u8], message: &str, rule: &str) -> Vec<u8> {
    let mut line = start(id);
    let needed = format!(r#"{{"extensions":{{"{TASKS_KEY}":{{}}}}}}"#);
    let error = format!(
        r#""error":{{"code":{UNDECLARED},"message":{},"data":{{"rule":{},"requiredCapabilities":{needed}}}}}}}"#,
        json_string(message),
        json_string(rule),
    );
    line.extend_from_slice(error.as_bytes());
    line
}

/// A denial as an error: `1403` with the decision in its data.
pub(super) fn denial(id: &[u8], verdict: &Verdict, text: &str, code: &str) -> Vec<u8> {
    error(id, DENIED, text, &decision(verdict, code))
}

/// A denial of a tool call: a result, since models get to read results and clients often keep errors to themselves.
/// No `structuredContent`: clients do not check a result with `isError` against the tool's output schema.
pub(super) fn tool_denial(id: &[u8], era: Era, verdict: &Verdict, text: &str, code: &str) -> Vec<u8> {
    let result_type = result_type(era);
    let mut line = start(id);
    let result = format!(
        r#""result":{{"content":[{{"type":"text","text":{}}}],"isError":true{result_type},"_meta":{{"dev.stockade/decision":{}}}}}}}"#,
        json_string(text),
        object(&decision(verdict, code)),
    );
    line.extend_from_slice(result.as_bytes());
    line
}

/// The user says no: what an elicitation gets instead of an error, since servers know what to do with it.
pub(super) fn decline(id: &[u8]) -> Vec<u8> {
    let mut line = start(id);
    line.extend_from_slice(br#""result":{"action":"decline"}}"#);
    line
}

/// The client has no roots.
pub(super) fn no_roots(id: &[u8]) -> Vec<u8> {
    let mut line = start(id);
    line.extend_from_slice(br#""result":{"roots":[]}}"#);
    line
}

/// Nothing to complete with.
pub(super) fn no_completion(id: &[u8], era: Era) -> Vec<u8> {
    let mut line = start(id);
    let completion = r#""result":{"completion":{"values":[],"total":0,"hasMore":false}"#;
    line.extend_from_slice(format!("{completion}{}}}}}", result_type(era)).as_bytes());
    line
}

/// The sentence for a refusal.
pub(super) fn sentence(verdict: &Verdict, about: About<'_>) -> String {
    let built_in =
        Reason { rule: "built-in".into(), text: "it is not allowed".into(), layer: "built-in".into() };
    let Reason { rule, text, .. } = verdict.reason.as_ref().unwrap_or(&built_in);
    let About { what, answer, found, code } = about;
    let found = if found.is_empty() { String::new() } else { format!(" (found: {found})") };
    match (verdict.access, verdict.content) {
        (Access::Deny | Access::Ask, _) if answer => format!(
            "Stockade policy rule `{rule}` withheld the answer of `{what}`: {text}. \
             The request itself may have been carried out. \
             Repeating or rephrasing will not help; the user can ask about decision {code}."
        ),
        (Access::Deny, _) => format!(
            "Stockade policy rule `{rule}` does not let `{what}` run: {text}. \
             Repeating or rephrasing will not help; the user can ask about decision {code}."
        ),
        (Access::Ask, _) => format!(
            "Stockade policy rule `{rule}` lets `{what}` run only after the user has approved it: {text}. \
             The user approves outside of this client; until then repeating will not help. \
             The user can ask about decision {code}."
        ),
        (Access::Allow, Content::Block) if answer => format!(
            "Stockade policy rule `{rule}` withheld the answer of `{what}`: {text}{found}. \
             The request itself was carried out. \
             Repeating or rephrasing will not help; the user can ask about decision {code}."
        ),
        (Access::Allow, _) => format!(
            "Stockade policy rule `{rule}` stopped `{what}` before it was sent: {text}{found}. \
             Sending the same content again will not help; the user can ask about decision {code}."
        ),
    }
}

/// An id as JSON, for answers under an id that only the table remembers.
pub(super) fn id_json(key: &IdKey) -> Vec<u8> {
    match key {
        IdKey::Number(number) => number.to_string().into_bytes(),
        IdKey::Text(text) => json_string(text).into_bytes(),
    }
}

/// A JSON string. Beside what JSON demands, everything is escaped at which some reader ends a line.
pub(super) fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\t' => json.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                json.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

fn result_type(era: Era) -> &'static str {
    match era {
        Era::Handshake => "",
        Era::Stateless => r#","resultType":"complete""#,
    }
}

fn start(id: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(512);
    line.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    line.extend_from_slice(id);
    line.push(b',');
    line
}

/// Rule, verdict and code, for the machine.
pub(super) fn decision<'a>(verdict: &'a Verdict, code: &'a str) -> [(&'a str, &'a str); 3] {
    let rule = verdict.reason.as_ref().map_or("built-in", |reason| &reason.rule);
    [("rule", rule), ("verdict", verdict.word()), ("code", code)]
}

fn object(members: &[(&str, &str)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("{}:{}", json_string(key), json_string(value))).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(access: Access, content: Content) -> Verdict {
        let reason = Reason {
            rule: "no-\"merge\"".into(),
            text: "merges go\nthrough review".into(),
            layer: "user".into(),
        };
        Verdict { access, content, reason: Some(reason), would_have: None }
    }

    #[test]
    fn whatever_stands_in_a_text_the_line_is_json_without_a_line_end() {
        let text = "a\"b\\c\nd\re\u{0}f\u{85}g\u{2028}h\u{2029}i\u{7f}😀";
        for line in [
            error(b"7", DENIED, text, &[("stderr", text)]),
            tool_denial(b"\"x\"", Era::Stateless, &verdict(Access::Deny, Content::Pass), text, text),
            denial(b"-1", &verdict(Access::Allow, Content::Block), text, text),
        ] {
            let line = String::from_utf8(line).unwrap();
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(
                value["error"]["message"] == text || value["result"]["content"][0]["text"] == text,
                "{line}"
            );
            assert!(!line.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}', '\0']), "{line:?}");
        }
    }

    #[test]
    fn an_id_from_the_table_is_the_same_id() {
        for (key, json) in [(IdKey::Number(-7), "-7"), (IdKey::Text("a\"\u{2028}".into()), r#""a\"\u2028""#)]
        {
            assert_eq!(id_json(&key), json.as_bytes());
        }
    }
}
