//! PURE: what a bridge carries: the server behind `mcp-remote`, `mcp-proxy` and `supergateway`. It is told to people and inventories; no rule is
//! met by it, since the bridge is what runs.

use std::ffi::OsString;

use super::words::plain_words;
use super::{Invocation, Runs};

/// What a bridge carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inside {
    /// A server that it starts.
    Command(Vec<OsString>),
    /// A server elsewhere: its URL without login, query and fragment.
    Remote(String),
}

/// Options of `mcp-proxy` (PyPI and npm) that are followed by so many values.
const PROXY_OPTIONS: &[(&str, usize)] = &[
    ("-H", 2),
    ("--headers", 2),
    ("-e", 2),
    ("--env", 2),
    ("--named-server", 2),
    ("--named-server-config", 1),
    ("--transport", 1),
    ("--host", 1),
    ("--port", 1),
    ("--sse-host", 1),
    ("--sse-port", 1),
    ("--cwd", 1),
    ("--log-level", 1),
    ("--client-id", 1),
    ("--client-secret", 1),
    ("--token-url", 1),
    ("--endpoint", 1),
    ("--sseEndpoint", 1),
    ("--streamEndpoint", 1),
    ("--server", 1),
    ("--apiKey", 1),
    ("--debug", 0),
    ("--stateless", 0),
    ("--no-stateless", 0),
    ("--pass-environment", 0),
    ("--no-pass-environment", 0),
    ("--no-verify-ssl", 0),
    ("--shell", 0),
];

/// What it carries, if its words are those of a bridge and say so.
pub fn inside(asked: &Invocation) -> Option<Inside> {
    let (name, arguments) = match &asked.runs {
        Runs::Package(run) => {
            (run.entry.as_deref().or(run.specs.first()?.name.as_deref())?, run.arguments.as_slice())
        }
        Runs::Program(words) => {
            let (program, arguments) = words.split_first()?;
            let name = program.to_str()?.rsplit(['/', '\\']).next()?;
            (name.trim_end_matches(".cmd").trim_end_matches(".exe"), arguments)
        }
        Runs::Container(_) | Runs::Script(_) => return None,
    };
    let words: Option<Vec<&str>> = arguments.iter().map(|word| word.to_str()).collect();
    let words = words?;
    match name {
        "mcp-remote" => words.first().and_then(|word| remote(word)),
        "supergateway" => supergateway(&words),
        "mcp-proxy" => proxy(&words),
        _ => None,
    }
}

fn supergateway(words: &[&str]) -> Option<Inside> {
    let value = |name: &str| {
        words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(name)? {
            "" => words.get(at + 1).copied(),
            rest => rest.strip_prefix('='),
        })
    };
    if let Some(command) = value("--stdio") {
        return Some(Inside::Command(plain_words(command)?.into_iter().map(OsString::from).collect()));
    }
    remote(value("--streamableHttp").or_else(|| value("--sse"))?)
}

/// Options, then a URL or a command with its arguments.
fn proxy(words: &[&str]) -> Option<Inside> {
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        if *word == "--" {
            rest = after;
            break;
        }
        if !word.starts_with('-') {
            break;
        }
        let values = match PROXY_OPTIONS.iter().find(|(name, _)| name == word) {
            Some((_, values)) => *values,
            // Whether the next word is its value is not known.
            None => word.contains('=').then_some(0)?,
        };
        rest = after.get(values..)?;
    }
    match remote(rest.first()?) {
        Some(remote) => Some(remote),
        None => Some(Inside::Command(rest.iter().map(OsString::from).collect())),
    }
}

fn remote(word: &str) -> Option<Inside> {
    let (scheme, rest) =
        ["https://", "http://"].iter().find_map(|scheme| Some((scheme, word.strip_prefix(scheme)?)))?;
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then(|| Inside::Remote(format!("{scheme}{host}{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::invocation::parse;

    fn told(line: &[&str]) -> Option<String> {
        let words: Vec<OsString> = line.iter().map(OsString::from).collect();
        inside(&parse(&words)).map(|inside| match inside {
            Inside::Remote(url) => url,
            Inside::Command(words) => words.join(std::ffi::OsStr::new(" ")).into_string().unwrap(),
        })
    }

    #[test]
    fn bridges_say_what_they_carry() {
        for (line, expected) in [
            (&["npx", "-y", "supergateway", "--stdio", "npx -y @x/fs '/a b'"][..], Some("npx -y @x/fs /a b")),
            (&["npx", "-y", "supergateway", "--port", "1", "--sse=https://h/sse"], Some("https://h/sse")),
            (&["supergateway", "--streamableHttp", "https://h/mcp?token=t"], Some("https://h/mcp")),
            (&["npx", "mcp-remote@latest", "https://u:p@h/sse#x", "--header", "A: b"], Some("https://h/sse")),
            (&["cmd", "/c", "npx", "-y", "mcp-remote", "https://h"], Some("https://h")),
            (
                &["uvx", "mcp-proxy", "-H", "A", "b", "--transport=sse", "http://h:1/sse"],
                Some("http://h:1/sse"),
            ),
            (
                &["uvx", "mcp-proxy", "--port", "80", "--", "uvx", "mcp-server-fetch", "-v"],
                Some("uvx mcp-server-fetch -v"),
            ),
            (&["/opt/bin/mcp-proxy", "node", "s.js"], Some("node s.js")),
            (&["uvx", "mcp-proxy", "--unknown", "node", "s.js"], None),
            (&["npx", "-y", "supergateway", "--stdio", "a | b"], None),
            (&["npx", "-y", "@x/server", "https://h"], None),
            (&["mcp-remote"], None),
        ] {
            assert_eq!(told(line).as_deref(), expected, "{line:?}");
        }
    }
}
