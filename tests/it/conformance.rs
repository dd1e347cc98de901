//! The official conformance suite asks a server of ours over an HTTP front: through `run`, with rules and detectors in
//! force, it has to find what it finds bare.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{World, finish, newer_node, node, node_modules, stockade_bin, wait_until};

const DEADLINE: Duration = Duration::from_secs(240);

/// As an organisation would write it, with names that no scenario calls.
const POLICY: &str = r#"
version = 1

[[rule]]
id = "no-merge"
effect = "deny"
tools = ["merge_*", "delete_*"]
reason = "Merges go through review."

[[dlp]]
id = "no-secrets-out"
detect = ["secret/*"]
direction = "to-server"
action = "block"

[[dlp]]
id = "watch"
detect = ["secret/*", "pii/*", "injection/*", "keyword/*"]
direction = "both"
action = "monitor"

[keywords.projects]
words = ["Nightfall", "Bluebird"]
match = "word"
"#;

/// What the front itself gets wrong, bare as well: it takes any Host and Origin.
const OF_THE_FRONT: &str = "dns-rebinding-protection";

#[test]
fn the_suite_finds_through_run_what_it_finds_bare() {
    let world = World::new();
    world.user_policy(POLICY);
    let server = stockade_bin().with_file_name("examples").join("conformance-server");
    assert!(
        server.is_file(),
        "{} is not there: `cargo build -p stockade --example conformance-server`",
        server.display()
    );
    let bare = asked(&world, &[server.as_os_str()]);
    let wrong: Vec<&String> =
        bare.iter().filter(|(_, line)| !line.ends_with("0 failed")).map(|(name, _)| name).collect();
    assert_eq!(wrong, [OF_THE_FRONT], "{bare:#?}");
    assert!(bare.len() >= 30, "{} scenarios", bare.len());
    let stockade = stockade_bin();
    for backend in ["namespaces", "notify"] {
        let words = [
            stockade.as_os_str(),
            "run".as_ref(),
            "--backend".as_ref(),
            backend.as_ref(),
            "--".as_ref(),
            server.as_os_str(),
        ];
        assert_eq!(asked(&world, &words), bare, "{backend}");
    }
}

/// What the suite says of each scenario.
fn asked(world: &World, server: &[&OsStr]) -> BTreeMap<String, String> {
    let front = Front::start(world, server);
    let mut suite = Command::new(newer_node());
    suite.arg(node_modules().join("@modelcontextprotocol/conformance/dist/index.js"));
    suite.args(["server", "--suite", "all", "--url", &format!("http://127.0.0.1:{}/mcp", front.port)]);
    world.dress(&mut suite);
    let suite =
        suite.current_dir(world.root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = finish(suite.spawn().expect("the suite starts"), DEADLINE);
    let text = said.stdout_text();
    let (_, summary) = text.split_once("=== SUMMARY ===").unwrap_or_else(|| panic!("no summary: {said:#?}"));
    let scenarios =
        summary.lines().filter_map(|line| line.trim_start_matches(['✓', '✗', ' ']).split_once(": "));
    scenarios
        .filter(|(name, _)| *name != "Total")
        .map(|(name, found)| (name.to_owned(), found.to_owned()))
        .collect()
}

/// A server behind HTTP.
struct Front {
    gateway: Child,
    port: u16,
}

impl Front {
    fn start(world: &World, server: &[&OsStr]) -> Self {
        let words: Vec<&str> = server.iter().map(|word| word.to_str().expect("a path")).collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("a port").port();
        drop(listener);
        let mut command = Command::new(node());
        command.arg(node_modules().join("supergateway/dist/index.js"));
        command.args([
            "--stdio",
            &words.join(" "),
            "--port",
            &port.to_string(),
            "--outputTransport",
            "streamableHttp",
        ]);
        command.args(["--stateful", "--protocolVersion", "2025-11-25", "--logLevel", "none"]);
        world.dress(&mut command);
        let command = command
            .current_dir(world.project())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let gateway = command.spawn().expect("the front starts");
        let front = Self { gateway, port };
        assert!(
            wait_until(DEADLINE, || TcpStream::connect(("127.0.0.1", port)).is_ok()),
            "the front listens"
        );
        front
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}
