//! The official conformance suites ask a server of ours over an HTTP front: through `run`, with rules and detectors in
//! force, they have to find what they find bare.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
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

/// What supergateway and mcp-proxy get wrong, bare as well: they take any Host and Origin.
const OF_THE_FRONT: &str = "dns-rebinding-protection";

/// A suite and the front that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suite {
    /// 0.1.16 behind supergateway: up to 2025-11-25.
    Handshake,
    /// 0.2.0-alpha behind mcp-proxy: what 2026-07-28 requires, of a server that the front shakes hands with (2025-11-25).
    Translated,
    /// 0.2.0-alpha behind a front of ours, which passes messages on as they are.
    Stateless,
}

/// What mcp-proxy keeps from a server that it shakes hands with: no tool of it asks back inside of a result, there are no
/// tasks, and no headers repeat arguments.
const LOST_IN_TRANSLATION: &[&str] = &[
    "dns-rebinding-protection",
    "http-custom-header-server-validation",
    "input-required-result-basic-elicitation",
    "input-required-result-basic-list-roots",
    "input-required-result-basic-sampling",
    "input-required-result-capability-check",
    "input-required-result-multi-round",
    "input-required-result-multiple-input-requests",
    "input-required-result-non-tool-request",
    "input-required-result-request-state",
    "input-required-result-result-type",
    "input-required-result-tampered-state",
    "server-stateless",
    "tasks-capability-negotiation",
    "tasks-dispatch-and-envelope",
    "tasks-lifecycle",
    "tasks-mrtr-composition",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-request-state-removal",
    "tasks-required-task-error",
    "tasks-wire-fields",
];

#[test]
fn the_suite_finds_through_run_what_it_finds_bare() {
    compare(Suite::Handshake, &[OF_THE_FRONT]);
}

#[test]
fn the_suite_of_2026_finds_through_run_and_a_translating_front_what_it_finds_bare() {
    compare(Suite::Translated, LOST_IN_TRANSLATION);
}

#[test]
fn the_suite_of_2026_finds_nothing_wrong_bare_or_through_run() {
    compare(Suite::Stateless, &[]);
}

/// Bare and in both backends; `wrong` is what fails in all of them.
fn compare(suite: Suite, wrong: &[&str]) {
    let world = World::new();
    world.user_policy(POLICY);
    let server = example("conformance-server");
    let bare = asked(&world, suite, &[server.as_os_str()]);
    let failed: Vec<&String> =
        bare.iter().filter(|(_, line)| !line.ends_with("0 failed")).map(|(name, _)| name).collect();
    assert_eq!(failed, wrong, "{bare:#?}");
    assert!(bare.len() >= wrong.len() + 25, "{} scenarios", bare.len());
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
        assert_eq!(asked(&world, suite, &words), bare, "{backend}");
    }
}

fn example(name: &str) -> PathBuf {
    let program = stockade_bin().with_file_name("examples").join(name);
    assert!(
        program.is_file(),
        "{} is not there: `cargo build -p stockade --example {name}`",
        program.display()
    );
    program
}

/// What the suite says of each scenario.
fn asked(world: &World, which: Suite, server: &[&OsStr]) -> BTreeMap<String, String> {
    let front = Front::start(world, which, server);
    let mut suite = Command::new(newer_node());
    let url = format!("http://127.0.0.1:{}/mcp", front.port);
    match which {
        Suite::Handshake => {
            suite.arg(node_modules().join("@modelcontextprotocol/conformance/dist/index.js"));
            suite.args(["server", "--suite", "all", "--url", &url]);
        }
        Suite::Translated | Suite::Stateless => {
            suite.arg(node_modules().join("conformance-2026-07-28/dist/index.js"));
            suite.args(["server", "--requirements", "2026-07-28", "--url", &url]);
        }
    }
    world.dress(&mut suite);
    let suite =
        suite.current_dir(world.root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = finish(suite.spawn().expect("the suite starts"), DEADLINE);
    let text = said.stdout_text();
    let (_, summary) = text.split_once("=== SUMMARY ===").unwrap_or_else(|| panic!("no summary: {said:#?}"));
    let scenarios =
        summary.lines().filter_map(|line| line.trim_start_matches(['✓', '✗', ' ']).split_once(": "));
    scenarios
        .filter(|(_, found)| found.ends_with(" failed"))
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
    fn start(world: &World, suite: Suite, server: &[&OsStr]) -> Self {
        let words: Vec<&str> = server.iter().map(|word| word.to_str().expect("a path")).collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("a port").port();
        drop(listener);
        let mut command = match suite {
            Suite::Handshake => supergateway(&words, port),
            Suite::Translated => mcp_proxy(&words, port),
            Suite::Stateless => front(&words, port),
        };
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

fn supergateway(server: &[&str], port: u16) -> Command {
    let mut command = Command::new(node());
    command.arg(node_modules().join("supergateway/dist/index.js"));
    command.args(["--stdio", &server.join(" "), "--port", &port.to_string()]);
    command.args(["--outputTransport", "streamableHttp", "--stateful"]);
    command.args(["--protocolVersion", "2025-11-25", "--logLevel", "none"]);
    command
}

fn mcp_proxy(server: &[&str], port: u16) -> Command {
    let mut command = Command::new(newer_node());
    command.arg(node_modules().join("mcp-proxy/dist/bin/mcp-proxy.mjs"));
    command.args([
        "--modern",
        "--server",
        "stream",
        "--host",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--",
    ]);
    command.args(server);
    command
}

fn front(server: &[&str], port: u16) -> Command {
    let mut command = Command::new(example("conformance-front"));
    command.arg(port.to_string()).args(server);
    command
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}
