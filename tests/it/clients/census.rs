//! Servers that run without Stockade, however they came about: thirty ways past the wrapped configs, and the agent names each.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Home, STOCKADE};

/// A way past: which client, what it is started with, and what it starts.
struct Way {
    /// What the client's program is called.
    client: &'static str,
    env: Vec<(&'static str, PathBuf)>,
    cwd: PathBuf,
    /// What its shell does: `@` is the number by which the server is told.
    does: String,
    /// Further words of its command line.
    words: Vec<String>,
}

struct Seeds {
    home: Home,
    number: u32,
    running: Vec<(u32, Child)>,
}

impl Seeds {
    fn of(home: Home) -> Self {
        std::fs::create_dir_all(home.path("bin")).unwrap();
        // Of no other test of this run, and of no other run.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let hundreds = (std::process::id() % 1_000_000) * 10 + NEXT.fetch_add(1, Ordering::Relaxed);
        Self { home, number: 1_000_000_000 + hundreds * 100, running: Vec::new() }
    }

    fn way(&self, client: &'static str, does: &str) -> Way {
        Way { client, env: Vec::new(), cwd: self.home.path(""), does: does.to_owned(), words: Vec::new() }
    }

    /// The number of the next one.
    fn next(&self) -> u32 {
        self.number + 1
    }

    fn start(&mut self, way: Way) {
        self.number += 1;
        let program = self.home.path("bin").join(way.client);
        if !program.exists() {
            std::os::unix::fs::symlink("/bin/sh", &program).unwrap();
        }
        let script = way.does.replace('@', &self.number.to_string());
        let mut command: Command = self.home.command(&program, &["-c", &script]);
        command.args(&way.words).current_dir(&way.cwd).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        for (name, value) in &way.env {
            command.env(name, value);
        }
        self.running.push((self.number, command.spawn().unwrap()));
    }

    /// A file with one server that sleeps for its number of seconds.
    fn config(&self, path: &str, key: &str) -> PathBuf {
        let number = self.next().to_string();
        let config = json!({ key: { format!("s{number}"): { "command": "/bin/sleep", "args": [number] } } });
        self.home.write(path, config.to_string().as_bytes());
        self.home.path(path)
    }

    /// Names in a config or in the words of the processes that were found, by number.
    fn found(&self, pids: &BTreeSet<u64>) -> BTreeSet<u32> {
        let words: Vec<String> = pids
            .iter()
            .filter_map(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
            .collect();
        let has = |number: &u32| words.iter().any(|words| words.contains(&number.to_string()));
        self.running.iter().map(|(number, _)| *number).filter(has).collect()
    }
}

impl Drop for Seeds {
    fn drop(&mut self) {
        for (number, client) in &mut self.running {
            // What they started goes by its number.
            let _ = Command::new("pkill").args(["-KILL", "-f", &number.to_string()]).status();
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

const SLEEPS: &str = "/bin/sleep @ & wait";

/// Servers that some config names, but none that `wrap` changes.
fn configured(seeds: &mut Seeds) {
    // Plugins.
    for (client, path) in [
        ("claude", ".claude/plugins/cache/m/p/1.0/.mcp.json"),
        ("claude", ".claude/plugins/repos/m/p/.mcp.json"),
    ] {
        seeds.config(path, "mcpServers");
        seeds.start(seeds.way(client, SLEEPS));
    }
    // The client's own command line: a file, several words, one word, JSON itself.
    let file = seeds.config("given.json", "mcpServers").display().to_string();
    seeds.start(Way { words: vec!["--mcp-config".to_owned(), file], ..seeds.way("claude", SLEEPS) });
    let file = seeds.config("given2.json", "mcpServers").display().to_string();
    let words = ["--mcp-config", "none.json", &file, "--print"].map(str::to_owned).to_vec();
    seeds.start(Way { words, ..seeds.way("claude", SLEEPS) });
    let file = seeds.config("given3.json", "mcpServers").display().to_string();
    seeds.start(Way { words: vec![format!("--mcp-config={file}")], ..seeds.way("claude", SLEEPS) });
    let number = seeds.next();
    let inline = json!({ "mcpServers": { "i": { "command": "/bin/sleep", "args": [number.to_string()] } } });
    seeds.start(Way {
        words: vec!["--mcp-config".to_owned(), inline.to_string()],
        ..seeds.way("claude", SLEEPS)
    });
    let file = seeds.config("given4.json", "mcpServers").display().to_string();
    let words = vec!["--additional-mcp-config".to_owned(), format!("@{file}")];
    seeds.start(Way { words, ..seeds.way("copilot", SLEEPS) });
    // Copied configs: another home, and the variables that move one.
    seeds.config("other/.cursor/mcp.json", "mcpServers");
    let env = vec![("HOME", seeds.home.path("other"))];
    seeds.start(Way { env, ..seeds.way("cursor", SLEEPS) });
    seeds.config("moved/.claude.json", "mcpServers");
    let env = vec![("CLAUDE_CONFIG_DIR", seeds.home.path("moved"))];
    seeds.start(Way { env, ..seeds.way("claude", SLEEPS) });
    let toml = format!("[mcp_servers.c]\ncommand = \"/bin/sleep\"\nargs = [\"{}\"]\n", seeds.next());
    seeds.home.write("codex/config.toml", toml.as_bytes());
    let env = vec![("CODEX_HOME", seeds.home.path("codex"))];
    seeds.start(Way { env, ..seeds.way("codex", SLEEPS) });
    let number = seeds.next();
    let config =
        json!({ "mcp": { "o": { "type": "local", "command": ["/bin/sleep", number.to_string()] } } });
    seeds.home.write("xdg/opencode/opencode.json", config.to_string().as_bytes());
    let env = vec![("XDG_CONFIG_HOME", seeds.home.path("xdg"))];
    seeds.start(Way { env, ..seeds.way("opencode", SLEEPS) });
    // Projects: the directory in which the client works.
    for (client, path, key) in [
        ("claude", ".mcp.json", "mcpServers"),
        ("cursor", ".cursor/mcp.json", "mcpServers"),
        ("code", ".vscode/mcp.json", "servers"),
        ("gemini", ".gemini/settings.json", "mcpServers"),
    ] {
        let project = format!("work/{client}");
        seeds.config(&format!("{project}/{path}"), key);
        let cwd = seeds.home.path(&project);
        seeds.start(Way { cwd, ..seeds.way(client, SLEEPS) });
    }
    // Sessions from before the agent's wrap, of two clients; a shell around the server.
    for (client, path) in
        [("windsurf", ".codeium/windsurf/mcp_config.json"), ("zed", ".config/zed/settings.json")]
    {
        let key = if client == "zed" { "context_servers" } else { "mcpServers" };
        seeds.config(path, key);
        seeds.start(seeds.way(client, SLEEPS));
    }
    let number = seeds.next().to_string();
    let config = json!({ "mcpServers": { "sh": { "command": "/bin/sh", "args": ["-c", format!("sleep {number}; true")] } } });
    seeds.home.write(".qwen/settings.json", config.to_string().as_bytes());
    seeds.start(seeds.way("qwen", "/bin/sh -c 'sleep @; true' & wait"));
}

/// Servers that no config names: scripts, programs, wrappers.
fn unnamed(seeds: &mut Seeds) {
    let home = &seeds.home;
    let speaks = "import sys, time\n# answers tools/list\ntime.sleep(600)\n";
    home.write("tools/server.py", speaks.as_bytes());
    home.write("tools/fast.py", b"try:\n    from fastmcp import FastMCP\nexcept ImportError:\n    pass\nimport time\ntime.sleep(600)\n");
    home.write("tools/plain.py", b"import time\ntime.sleep(600)\n");
    std::fs::create_dir_all(home.path("tools/my_mcp")).unwrap();
    std::fs::copy(home.path("tools/plain.py"), home.path("tools/my_mcp/main.py")).unwrap();
    home.write("tools/start.sh", b"#!/bin/sh\n/usr/bin/python3 tools/server.py $1\ntrue\n");
    home.write("tools/again.sh", b"#!/bin/sh\n/bin/sh tools/start.sh $1\ntrue\n");
    // By a process of its own: a program that this one has open for writing could not be started.
    let make = "cp /bin/sleep tools/time-mcp && cp /bin/sleep tools/compiled && printf 'tools/list' >> tools/compiled";
    assert!(home.command(std::path::Path::new("/bin/sh"), &["-c", make]).status().unwrap().success());
    let piped = |server: &str| format!("/bin/sleep 600 | {server} | /bin/cat > /dev/null & wait");
    for (client, server) in [
        ("claude", "/usr/bin/python3 tools/server.py @"),
        ("cursor", "/usr/bin/python3 tools/fast.py @"),
        ("code", "/usr/bin/python3 -u tools/my_mcp/main.py @"),
        ("claude", "/bin/sh tools/start.sh @"),
        ("codex", "/bin/sh tools/again.sh @"),
        ("gemini", "/usr/bin/env A=1 /usr/bin/python3 tools/server.py @"),
        ("goose", "nohup /usr/bin/python3 tools/server.py @"),
        ("crush", "tools/time-mcp @"),
        ("amp", "tools/compiled @"),
        ("kiro", "/usr/bin/setsid -w /usr/bin/python3 tools/server.py @"),
        ("windsurf", "/usr/bin/timeout 600 /usr/bin/python3 tools/server.py @"),
        ("copilot", "/usr/bin/python3 tools/plain.py run -i mcp/time @"),
    ] {
        seeds.start(seeds.way(client, &piped(server)));
    }
}

#[test]
fn thirty_ways_past_the_configs_are_named_by_the_agent_within_a_minute() {
    let home = Home::with_cursor(r#"{"mcpServers":{}}"#);
    let mut agent =
        home.command(std::path::Path::new(STOCKADE), &["watch"]).stdout(Stdio::null()).spawn().unwrap();
    let mut seeds = Seeds::of(home);
    configured(&mut seeds);
    unnamed(&mut seeds);
    let wanted: BTreeSet<u32> = seeds.running.iter().map(|(number, _)| *number).collect();
    assert_eq!(wanted.len(), 30);
    let start = Instant::now();
    let mut found = BTreeSet::new();
    while found != wanted && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(500));
        let said = seeds.home.stockade(&["log", "--json"]);
        let events = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let pids = events
            .filter(|event| event["kind"] == "inventory.bare")
            .filter_map(|event| event["what"]["pid"].as_u64());
        found = seeds.found(&pids.collect());
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
    let missed: Vec<String> = seeds
        .running
        .iter()
        .filter(|(number, _)| !found.contains(number))
        .map(|(number, client)| format!("{number} below pid {}", client.id()))
        .collect();
    assert_eq!(missed, Vec::<String>::new());
    // What a person sees is the same.
    let said = seeds.home.stockade(&["status", "--live", "--json"]);
    let status: Value = serde_json::from_str(&said.stdout).unwrap();
    let pids = status["bare_processes"].as_array().unwrap().iter().filter_map(|one| one["pid"].as_u64());
    assert_eq!(seeds.found(&pids.collect()), wanted);
    assert_eq!(said.code, 1);
}

#[test]
fn what_is_no_server_is_not_called_one() {
    let home = Home::with_cursor(r#"{"mcpServers":{}}"#);
    home.write("plain.py", b"import time\ntime.sleep(600)\n");
    let mut seeds = Seeds::of(home);
    for does in [
        // A language server, a shell with the word in its script, a program that reads a terminal's file.
        "/bin/sleep 600 | /usr/bin/python3 plain.py @ | /bin/cat > /dev/null & wait",
        "/bin/sleep 600 | /bin/sh -c 'sleep @; echo mcp' | /bin/cat > /dev/null & wait",
        "/usr/bin/python3 plain.py mcp-notes.txt @ < /dev/null > /dev/null & wait",
    ] {
        seeds.start(seeds.way("claude", does));
    }
    std::thread::sleep(Duration::from_millis(700));
    let said = seeds.home.stockade(&["status", "--live", "--json"]);
    let status: Value = serde_json::from_str(&said.stdout).unwrap();
    let pids = status["bare_processes"].as_array().unwrap().iter().filter_map(|one| one["pid"].as_u64());
    assert_eq!(seeds.found(&pids.collect()), BTreeSet::new(), "{status:#}");
}

#[test]
fn a_server_that_only_the_wrapping_shell_can_find_starts_below_a_client_with_hardly_any_path() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::with_cursor(r#"{"mcpServers":{"own":{"command":"own-server","args":["x"]}}}"#);
    home.write("mine/own-server", b"#!/bin/sh\nexec /bin/cat\n");
    std::fs::set_permissions(home.path("mine/own-server"), PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", home.path("mine").display());
    let stockade = std::path::Path::new(STOCKADE);
    assert!(home.command(stockade, &["wrap"]).env("PATH", &path).status().unwrap().success());
    let run = |id: &str| {
        let words = ["run", "--id", id, "--explain", "--", "own-server", "x"];
        home.command(stockade, &words).env("PATH", "/usr/bin:/bin").output().unwrap()
    };
    let explained = run("cursor/own");
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.status.success() && text.contains("mine/own-server"), "{text}");
    assert_eq!(run("cursor/other").status.code(), Some(127), "nothing is known of it");
}
