//! Real clients, by exact version from the npm registry (`tests/npm-clients`): a server is added by the client's own command line, the
//! agent wraps it, the client lists it and, where it needs no account for that, starts it through Stockade; then it is given back.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Home, STOCKADE};

/// A client.
struct Real {
    /// Its id in the registry.
    id: &'static str,
    program: &'static str,
    /// What adds a server; the command follows.
    add: &'static [&'static str],
    file: &'static str,
    /// What its list says of a server that it has started; `None`: it only shows the entry.
    connected: Option<&'static str>,
}

const CLIENTS: [Real; 6] = [
    Real {
        id: "claude-code",
        program: "claude",
        add: &["mcp", "add", "--scope", "user", "probe", "--"],
        file: ".claude.json",
        connected: Some("Connected"),
    },
    Real {
        id: "qwen-code",
        program: "qwen",
        add: &["mcp", "add", "--scope", "user", "probe"],
        file: ".qwen/settings.json",
        connected: Some("Connected"),
    },
    // It adds servers only in a dialogue; so its file is written as its documentation has it.
    Real {
        id: "opencode",
        program: "opencode",
        add: &[],
        file: ".config/opencode/opencode.jsonc",
        connected: Some("connected"),
    },
    Real {
        id: "codex",
        program: "codex",
        add: &["mcp", "add", "probe", "--"],
        file: ".codex/config.toml",
        connected: None,
    },
    Real {
        id: "gemini-cli",
        program: "gemini",
        add: &["mcp", "add", "--scope", "user", "probe"],
        file: ".gemini/settings.json",
        connected: None,
    },
    Real {
        id: "copilot-cli",
        program: "copilot",
        add: &["mcp", "add", "probe", "--"],
        file: ".copilot/mcp-config.json",
        connected: None,
    },
];

fn servers() -> PathBuf {
    let path = std::env::var_os("STOCKADE_TEST_SERVERS").expect("`tests/run` sets STOCKADE_TEST_SERVERS");
    PathBuf::from(path)
}

fn client(home: &Home, program: &str, args: &[&str]) -> Output {
    client_in(home, &home.path(""), program, args)
}

fn client_in(home: &Home, directory: &Path, program: &str, args: &[&str]) -> Output {
    let path = servers().join("clients/node_modules/.bin").join(program);
    assert!(path.exists(), "{} is missing: `tests/run --set-up` installs it", path.display());
    let node = servers().join("bin");
    let mut command: Command = home.command(&path, args);
    command.current_dir(directory);
    command
        .env("PATH", format!("{}:/usr/bin:/bin", node.display()))
        .env("CI", "1")
        .env("DISABLE_AUTOUPDATER", "1");
    command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Whatever it waits for does not come.
    let end = Instant::now() + Duration::from_secs(90);
    let (out, err) = (drained(child.stdout.take()), drained(child.stderr.take()));
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = child.wait().unwrap();
    Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() }
}

fn drained(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.unwrap().read_to_end(&mut bytes);
        bytes
    })
}

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn real_clients_add_a_server_that_the_agent_wraps_and_start_it_through_stockade() {
    let server = servers().join("node/node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let (node, server) = (servers().join("bin/node").display().to_string(), server.display().to_string());
    for real in CLIENTS {
        let home = Home::empty();
        let agent =
            Agent(home.command(Path::new(STOCKADE), &["watch"]).stdout(Stdio::null()).spawn().unwrap());
        if real.add.is_empty() {
            let text = format!(
                "{{\n  // mine\n  \"mcp\": {{\n    \"probe\": {{ \"type\": \"local\", \"command\": [\"{node}\", \"{server}\"], }},\n  }},\n}}\n"
            );
            home.write(real.file, text.as_bytes());
        } else {
            let args: Vec<&str> = real.add.iter().copied().chain([node.as_str(), server.as_str()]).collect();
            let added = client(&home, real.program, &args);
            assert!(added.status.success(), "{}: {added:?}", real.id);
        }
        let id = format!("{}/probe", real.id);
        let end = Instant::now() + Duration::from_secs(30);
        while !home.read(real.file).contains(&id) {
            assert!(Instant::now() < end, "{}: not wrapped\n{}", real.id, home.read(real.file));
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(agent);
        // There and back, before the client writes its file again.
        let wrapped = home.read(real.file);
        let backup =
            std::fs::read_dir(home.state().join("journal")).unwrap().map(|entry| entry.unwrap().path());
        let backup: Vec<PathBuf> =
            backup.filter(|path| path.extension().is_some_and(|end| end == "backup")).collect();
        let original = std::fs::read_to_string(&backup[0]).unwrap();
        assert_eq!(home.stockade(&["unwrap"]).code, 0);
        assert_eq!(home.read(real.file), original, "{}", real.id);
        assert_eq!(home.stockade(&["wrap"]).code, 0);
        assert_eq!(home.read(real.file), wrapped, "{}", real.id);
        let listed = client(&home, real.program, &["mcp", "list"]);
        let text =
            format!("{}{}", String::from_utf8_lossy(&listed.stdout), String::from_utf8_lossy(&listed.stderr));
        assert!(listed.status.success() && text.contains("probe"), "{}: {text}", real.id);
        let log = home.stockade(&["log", "--json"]).stdout;
        let starts = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let starts = starts
            .filter(|event| event["kind"] == "session.start" && event["who"]["client"]["id"] == real.id)
            .count();
        match real.connected {
            Some(connected) => {
                assert!(
                    text.contains(connected) && text.contains("stockade") && starts > 0,
                    "{}: {starts} sessions, {text}",
                    real.id
                )
            }
            None => assert_eq!(starts, 0, "{} starts servers now: say so in docs/clients.md", real.id),
        }
        assert_eq!(home.stockade(&["unwrap"]).code, 0);
        assert!(!home.read(real.file).contains(&id), "{}", real.id);
    }
}

/// Claude Code itself: its local scope goes before a project's file, and what nobody approved does not start.
#[test]
fn claude_code_starts_a_project_s_server_through_its_shadow() {
    let server = servers().join("node/node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let (node, server) = (servers().join("bin/node"), server.display());
    let home = Home::empty();
    let entry = |mark: &str| serde_json::json!({ "command": node.display().to_string(), "args": [server.to_string(), mark] });
    let project = serde_json::json!({ "mcpServers": { "docs": entry("stdio"), "unseen": entry("stdio") } });
    home.write(".mcp.json", b"{}");
    home.write("work/.mcp.json", project.to_string().as_bytes());
    let root = std::fs::canonicalize(home.path("work")).unwrap();
    let known = serde_json::json!({ "enabledMcpjsonServers": ["docs"], "mcpServers": {}, "hasTrustDialogAccepted": true });
    let config = serde_json::json!({ "hasCompletedOnboarding": true, "projects": { (root.display().to_string()): known } });
    home.write(".claude.json", config.to_string().as_bytes());
    let mut wrap = home.command(Path::new(STOCKADE), &["wrap", "--project-files", "shadow"]);
    assert!(wrap.current_dir(&root).output().unwrap().status.success());
    let listed = client_in(&home, &root, "claude", &["mcp", "list"]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("docs:").contains("stockade") && line("docs:").contains("Connected"), "{text}");
    assert!(line("unseen:").contains("Pending approval"), "{text}");
    let log = home.stockade(&["log", "--json"]).stdout;
    assert!(log.contains("session.start"), "{log}");
}
