//! What an administrator puts into place so that a client starts servers only through Stockade: its vendor's own managed settings, written
//! from the entries that are wrapped here.

use serde_json::{Map, Value, json};

use crate::clients::entry::{self, Entry, Shape};
use crate::clients::registry::{Client, Os, Reach, World};
use crate::clients::spans::Document;
use crate::clients::{edit, store};

/// A vendor's way to bind a client to a list of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lever {
    /// `allowedMcpServers` with `serverCommand`, every word of a command line. With the switch that makes the managed list the only one,
    /// where the client has it.
    ExactCommands {
        /// `allowManagedMcpServersOnly`
        only_switch: bool,
    },
    /// The servers themselves, and no others.
    Servers,
    /// `mcp_servers.NAME.identity.command`: name and program.
    Identities,
    /// The servers themselves, and `mcp.allowed` with their names.
    ServersAndNames,
    /// The servers themselves, which win over those of the user with the same name.
    Override,
}

/// A file of an administrator.
#[derive(Debug)]
struct Setting {
    client: &'static str,
    /// Its name, where the client has more than one.
    name: &'static str,
    lever: Lever,
    /// Where it goes on Linux, macOS and Windows.
    paths: [&'static str; 3],
    /// What it does, and what it does not.
    holds: &'static str,
}

const SETTINGS: [Setting; 6] = [
    Setting {
        client: "claude-code",
        name: "allowlist",
        lever: Lever::ExactCommands { only_switch: true },
        paths: [
            "/etc/claude-code/managed-settings.json",
            "/Library/Application Support/ClaudeCode/managed-settings.json",
            "C:/Program Files/ClaudeCode/managed-settings.json",
        ],
        holds: "a server starts only if its whole command line is listed, from whatever place it comes; users add no servers of their own",
    },
    Setting {
        client: "claude-code",
        name: "exclusive",
        lever: Lever::Servers,
        paths: [
            "/etc/claude-code/managed-mcp.json",
            "/Library/Application Support/ClaudeCode/managed-mcp.json",
            "C:/Program Files/ClaudeCode/managed-mcp.json",
        ],
        holds: "these servers are there for everybody, and no others: users, plugins and `--mcp-config` cannot add any",
    },
    Setting {
        client: "copilot",
        name: "allowlist",
        lever: Lever::ExactCommands { only_switch: false },
        paths: ["managed-settings.json", "managed-settings.json", "managed-settings.json"],
        holds: "a server starts only if its whole command line is listed; deliver it as the vendor's administration does (MDM, the organisation's repository, or a file)",
    },
    Setting {
        client: "codex",
        name: "requirements",
        lever: Lever::Identities,
        paths: [
            "/etc/codex/requirements.toml",
            "/etc/codex/requirements.toml",
            "C:/ProgramData/OpenAI/Codex/requirements.toml",
        ],
        holds: "a server starts only under a listed name and through this program; the rest of its command line stays the user's",
    },
    Setting {
        client: "gemini-cli",
        name: "system settings",
        lever: Lever::ServersAndNames,
        paths: [
            "/etc/gemini-cli/settings.json",
            "/Library/Application Support/GeminiCli/settings.json",
            "C:/ProgramData/gemini-cli/settings.json",
        ],
        holds: "only servers of these names start, and these entries win over the user's of the same name",
    },
    Setting {
        client: "opencode",
        name: "managed directory",
        lever: Lever::Override,
        paths: [
            "/etc/opencode/opencode.json",
            "/Library/Application Support/opencode/opencode.json",
            "C:/ProgramData/opencode/opencode.json",
        ],
        holds: "these entries win over the user's of the same name; servers of other names are NOT kept out",
    },
];

/// What is to be put into place.
#[derive(Debug)]
pub(crate) struct Managed {
    /// The file's text.
    pub text: String,
    /// Where it goes.
    pub path: &'static str,
    /// What it does, and what it does not.
    pub holds: &'static str,
    /// Servers that are not wrapped, so that they are not in it.
    pub left_out: Vec<String>,
}

/// One wrapped server.
struct Server {
    name: String,
    words: Vec<String>,
    env: Vec<String>,
}

/// Names of the settings that are known for a client.
pub(crate) fn kinds(client: &Client) -> Vec<&'static str> {
    SETTINGS.iter().filter(|setting| setting.client == family(client)).map(|setting| setting.name).collect()
}

/// Clients with one such setting at all.
pub(crate) fn clients() -> Vec<&'static str> {
    let mut all: Vec<&str> = SETTINGS.iter().map(|setting| setting.client).collect();
    all.dedup();
    all.extend(["copilot-cli", "vscode"]);
    all.sort_unstable();
    all
}

/// These read the settings of GitHub Copilot.
fn family(client: &Client) -> &'static str {
    match client.id {
        "vscode" | "vscode-insiders" | "copilot-cli" | "copilot-jetbrains" => "copilot",
        id => id,
    }
}

/// The setting of this name, from the servers that are wrapped in the user's files of the client.
///
/// # Errors
/// In words: what is missing.
pub(crate) fn managed(client: &'static Client, kind: &str, world: World<'_>) -> Result<Managed, String> {
    let setting = SETTINGS
        .iter()
        .find(|setting| setting.client == family(client) && setting.name == kind)
        .ok_or("its vendor has no setting of that name that is known here")?;
    let (servers, left_out) = servers(client, world);
    if servers.is_empty() {
        return Err("none of its servers is wrapped, so nothing could be listed".to_owned());
    }
    let path = match world.os {
        Os::Linux => setting.paths[0],
        Os::Mac => setting.paths[1],
        Os::Windows => setting.paths[2],
    };
    Ok(Managed { text: text(client, setting.lever, &servers), path, holds: setting.holds, left_out })
}

fn text(client: &Client, lever: Lever, servers: &[Server]) -> String {
    let by_name = |entry: &dyn Fn(&Server) -> Value| {
        Value::Object(
            servers.iter().map(|server| (server.name.clone(), entry(server))).collect::<Map<_, _>>(),
        )
    };
    let json = match lever {
        Lever::Identities => return identities(servers),
        Lever::ExactCommands { only_switch } => {
            let commands: Vec<Value> =
                servers.iter().map(|server| json!({ "serverCommand": server.words })).collect();
            match only_switch {
                true => json!({ "allowManagedMcpServersOnly": true, "allowedMcpServers": commands }),
                false => json!({ "allowedMcpServers": commands }),
            }
        }
        Lever::Servers => json!({ "mcpServers": by_name(&|server| words_entry(client, server)) }),
        Lever::ServersAndNames => {
            let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
            json!({ "mcpServers": by_name(&|server| words_entry(client, server)), "mcp": { "allowed": names } })
        }
        Lever::Override => {
            let entry = |server: &Server| json!({ "type": "local", "command": server.words, "environment": references(client, &server.env) });
            json!({ "mcp": by_name(&entry) })
        }
    };
    format!("{json:#}\n")
}

fn words_entry(client: &Client, server: &Server) -> Value {
    let (program, args) =
        server.words.split_first().map_or(("", &[][..]), |(program, args)| (program.as_str(), args));
    json!({ "command": program, "args": args, "env": references(client, &server.env) })
}

/// An administrator's file is everybody's: a variable is named in it, and its value stays the user's.
fn references(client: &Client, names: &[String]) -> Value {
    let reference = |name: &String| match client.id {
        "opencode" => format!("{{env:{name}}}"),
        "gemini-cli" => format!("${name}"),
        _ => format!("${{{name}}}"),
    };
    Value::Object(names.iter().map(|name| (name.clone(), reference(name).into())).collect())
}

fn identities(servers: &[Server]) -> String {
    let quoted = crate::clients::spans::quoted;
    let one = |server: &Server| {
        let program = server.words.first().map_or("", String::as_str);
        format!("[mcp_servers.{}.identity]\ncommand = {}\n", quoted(&server.name), quoted(program))
    };
    servers.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// The wrapped servers of the user's files, and the names of the others. Of two with one name, the first.
fn servers(client: &'static Client, world: World<'_>) -> (Vec<Server>, Vec<String>) {
    let (mut found, mut others): (Vec<Server>, Vec<String>) = (Vec::new(), Vec::new());
    for location in client.files(Reach::User, world) {
        let Some(original) = store::read(&location).ok().flatten() else { continue };
        let Some(format) = location.place.format else { continue };
        let Ok(document) = Document::parse(&original.bytes, format) else { continue };
        for entry in entry::entries(&document, location.place.layouts).unwrap_or_default() {
            let Entry { place, shape, .. } = &entry;
            let launch = edit::launch_of(shape).filter(|_| matches!(shape, Shape::Wrapped(_)));
            match launch {
                Some(_) if found.iter().any(|known| known.name == place.name) => {}
                Some(launch) => found.push(Server {
                    name: place.name.clone(),
                    words: launch.words().into_iter().map(str::to_owned).collect(),
                    env: entry::env_names(&document, &entry).unwrap_or_default(),
                }),
                None => others.push(place.name.clone()),
            }
        }
    }
    others.retain(|name| found.iter().all(|known| known.name != *name));
    (found, others)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clients::registry::named;

    fn of(client: &str, kind: &str, file: &str, config: &str) -> Result<Managed, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, config).unwrap();
        let env = BTreeMap::new();
        managed(
            named(client).unwrap(),
            kind,
            World { os: Os::Linux, home: dir.path(), env: &env, project: None },
        )
    }

    const CLAUDE: &str = r#"{"mcpServers": {
        "a": {"command": "/b/stockade", "args": ["run", "--id", "claude-code/a", "--", "node"], "env": {"TOKEN": "secret"}},
        "short": {"command": "/b/stockade", "args": ["run", "claude-code/short"]},
        "bare": {"command": "node"}, "far": {"url": "https://example.org"}}}"#;

    #[test]
    fn only_wrapped_servers_are_listed_with_every_word_and_no_value() {
        let made = of("claude-code", "allowlist", ".claude.json", CLAUDE).unwrap();
        let json: Value = serde_json::from_str(&made.text).unwrap();
        assert_eq!(json["allowManagedMcpServersOnly"], true);
        let commands = json["allowedMcpServers"].as_array().unwrap();
        assert_eq!(commands.len(), 2);
        assert_eq!(
            commands[0],
            json!({ "serverCommand": ["/b/stockade", "run", "--id", "claude-code/a", "--", "node"] })
        );
        assert_eq!(made.left_out, ["bare", "far"]);
        let made = of("claude-code", "exclusive", ".claude.json", CLAUDE).unwrap();
        assert!(
            made.text.contains("\"TOKEN\": \"${TOKEN}\"") && !made.text.contains("secret"),
            "{}",
            made.text
        );
    }

    #[test]
    fn each_vendor_s_file_is_in_its_own_language() {
        let codex = "[mcp_servers.\"a b\"]\ncommand = \"/b/stockade\"\nargs = [\"run\", \"--id\", \"codex/a b\", \"--\", \"x\"]\n";
        let made = of("codex", "requirements", ".codex/config.toml", codex).unwrap();
        let table: toml::Table = made.text.parse().unwrap();
        assert_eq!(table["mcp_servers"]["a b"]["identity"]["command"].as_str(), Some("/b/stockade"));
        let gemini = CLAUDE.replace("claude-code", "gemini-cli");
        let made = of("gemini-cli", "system settings", ".gemini/settings.json", &gemini).unwrap();
        let json: Value = serde_json::from_str(&made.text).unwrap();
        assert_eq!(json["mcp"]["allowed"], json!(["a", "short"]));
        assert_eq!(json["mcpServers"]["a"]["env"]["TOKEN"], "$TOKEN");
        let opencode = r#"{"mcp": {"a": {"type": "local", "command": ["/b/stockade", "run", "--id", "opencode/a", "--", "x"]}}}"#;
        let made = of("opencode", "managed directory", ".config/opencode/opencode.json", opencode).unwrap();
        assert!(made.holds.contains("NOT kept out"));
        assert!(made.text.contains("\"type\": \"local\""), "{}", made.text);
    }

    #[test]
    fn nothing_is_printed_that_would_stop_every_server() {
        let none =
            of("claude-code", "allowlist", ".claude.json", "{\"mcpServers\": {\"b\": {\"command\": \"x\"}}}");
        assert!(none.unwrap_err().contains("none of its servers is wrapped"));
    }
}
