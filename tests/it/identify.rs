//! `stockade identify`, and containers: what a command line really runs, and what a container engine is asked for. The
//! engine here is a script that plays one; a real one was never tried.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Finished, World, finish};

const DEADLINE: Duration = Duration::from_secs(60);
const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Plays an engine: knows one image, takes containers away, and is the server of a container that it runs. What it was told
/// it says in the description of its tool; what it does outside of its jail it writes beside itself.
const ENGINE: &str = r#"#!/bin/sh
log="$(dirname "$0")/log"
case "$1 $2" in
  "image inspect") echo '["mcp/known@sha256:HEX"]'; exit 0 ;;
  rm\ *) echo "$*" >> "$log"; exit 0 ;;
esac
echo "escaped" 2>/dev/null >> "$log"
names="$(env | cut -d= -f1 | tr '\n' ' ')"
while read -r line; do
  case "$line" in
    *'"initialize"'*) echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"c","version":"1"}}}' ;;
    *'"tools/list"'*) echo '{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"told","description":"argv: '"$*"' names: '"$names"'","inputSchema":{"type":"object"}}]}}' ;;
  esac
done
"#;

struct Place {
    world: World,
    _socket: UnixListener,
}

impl Place {
    fn new() -> Self {
        let world = World::new();
        let program = |name: &str, text: &str| {
            let path = world.write(&format!("bin/{name}"), text);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a program");
        };
        program("docker", &ENGINE.replace("HEX", HEX));
        for name in ["npx", "node"] {
            program(name, "#!/bin/sh\nexit 1\n");
        }
        let socket = UnixListener::bind(world.root().join("e.sock")).expect("a socket");
        Self { world, _socket: socket }
    }

    fn stockade(&self, words: &[&str]) -> Command {
        let mut command = self.world.stockade(words.iter().copied());
        command.env("PATH", format!("{}:/usr/bin:/bin", self.world.root().join("bin").display()));
        command.env("DOCKER_HOST", format!("unix://{}", self.world.root().join("e.sock").display()));
        command.env("CANARY", "of the environment");
        command
    }

    fn identify(&self, command: &[&str]) -> (i32, Value) {
        let words = [&["identify", "--json", "--"], command].concat();
        let finished = finish(self.stockade(&words).spawn().expect("it starts"), DEADLINE);
        let json = serde_json::from_slice(&finished.stdout).unwrap_or(Value::Null);
        assert!(json.is_object() || finished.code() == 127, "{finished:#?}");
        (finished.code(), json)
    }

    /// A whole session with what the engine is asked to run.
    fn session(&self, flags: &[&str], command: &[&str]) -> Finished {
        let words = [&["run"], flags, &["--"], command].concat();
        let mut child = self.stockade(&words).stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        for line in [
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#,
        ] {
            // Where the start is refused nobody reads.
            let _ = writeln!(stdin, "{line}");
        }
        let held = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(2));
            drop(stdin);
        });
        let finished = finish(child, DEADLINE);
        held.join().expect("the pipe is closed");
        finished
    }

    fn log(&self) -> String {
        let log: PathBuf = self.world.root().join("bin/log");
        std::fs::read_to_string(log).unwrap_or_default()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

#[test]
fn a_package_is_named_before_it_is_fetched() {
    let place = Place::new();
    let (code, report) = place.identify(&["env", "A=1", "npx", "-y", "@no-such-scope/srv@^1", "--stdio"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["wrappers"], serde_json::json!(["env"]));
    assert_eq!(report["set"], serde_json::json!(["A"]));
    assert_eq!(report["runs"]["kind"], "package");
    assert_eq!(report["runs"]["packages"][0]["version"], "^1");
    assert_eq!(report["identities"][0], "pkg:npm/%40no-such-scope/srv");
    assert_eq!(report["source"]["kind"], "to fetch", "{report:#}");
    assert!(text(&report["source"]["packages"][0]).contains("^1"), "{report:#}");
    assert_eq!(report["profile"]["name"], "default");
    assert_eq!(report["start"]["allowed"], true);
}

#[test]
fn a_file_a_script_and_what_remains_open_are_told_apart() {
    let place = Place::new();
    place.world.write("project/server.js", "the code");
    let (_, bare) = place.identify(&["node", "server.js"]);
    let (_, wrapped) = place.identify(&["sh", "-c", "A=1 exec node server.js"]);
    assert!(text(&bare["identities"][0]).starts_with("file:sha256:"), "{bare:#}");
    assert_eq!(bare["identities"], wrapped["identities"]);
    assert!(text(&bare["code"]).ends_with("project/server.js"));
    let (_, opened) = place.identify(&["node", "--import", "./evil.mjs", "server.js"]);
    assert!(text(&opened["identities"][0]).starts_with("command:sha256:"), "{opened:#}");
    assert!(text(&opened["open"][0]).contains("--import"), "{opened:#}");
    let (_, script) = place.identify(&["sh", "-c", "cd / && node server.js"]);
    assert!(text(&script["identities"][0]).starts_with("script:sha256:"), "{script:#}");
    assert_eq!(script["runs"]["text"], "cd / && node server.js");
}

#[test]
fn a_program_that_is_not_there_is_127() {
    let place = Place::new();
    let words = ["identify", "--", "no-such-program-anywhere"];
    let finished = finish(place.stockade(&words).spawn().expect("it starts"), DEADLINE);
    assert_eq!(finished.code(), 127, "{finished:#?}");
    assert!(finished.stderr.contains("no such program"), "{finished:#?}");
    let (code, report) = place.identify(&["uvx-that-is-not-there", "x"]);
    assert_eq!((code, report), (127, Value::Null));
}

#[test]
fn a_policy_that_denies_is_told() {
    let place = Place::new();
    place.world.user_policy(
        "version = 1\n[[rule]]\nid = \"n\"\neffect = \"deny\"\nservers = [\"pkg:oci/docker.io/mcp/known\"]\nreason = \"no\"\n",
    );
    let (_, denied) = place.identify(&["docker", "run", "-i", "mcp/known:1"]);
    assert_eq!(denied["start"]["allowed"], false, "{denied:#}");
    let (_, other) = place.identify(&["docker", "run", "-i", "ghcr.io/mcp/known:1"]);
    assert_eq!(other["start"]["allowed"], true, "{other:#}");
}

#[test]
fn an_image_is_known_by_the_digest_that_the_engine_has() {
    let place = Place::new();
    let (code, report) = place.identify(&["docker", "run", "-i", "--rm", "mcp/known:1"]);
    let expected = format!("pkg:oci/known@sha256:{HEX}?repository_url=docker.io/mcp/known&tag=1");
    assert_eq!((code, text(&report["identities"][0])), (0, expected.as_str()), "{report:#}");
    let (_, other) = place.identify(&["docker", "run", "-i", "mcp/other"]);
    assert_eq!(other["source"]["state"], "built here", "{other:#}");
    assert!(!text(&other["open"][0]).is_empty(), "{other:#}");
}

#[test]
fn a_container_is_started_with_its_walls_and_taken_away() {
    let place = Place::new();
    let command = ["docker", "run", "-it", "--rm", "-e", "CANARY", "-e", "GIVEN=1", "mcp/known:1", "--stdio"];
    let finished = place.session(&["--profile", "offline"], &command);
    let answers: Vec<Value> =
        finished.stdout_text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told = answers.iter().find(|answer| answer["id"] == 2).unwrap_or_else(|| panic!("{finished:#?}"));
    let told = text(&told["result"]["tools"][0]["description"]);
    for part in [
        "argv: run --interactive --rm --init --name=stockade-",
        "--cap-drop=ALL --security-opt=no-new-privileges",
        "--network=none",
        "--env=GIVEN=1",
        &format!("docker.io/mcp/known@sha256:{HEX} --stdio"),
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    assert!(!told.contains("CANARY") && !told.contains("--tty"), "{told}");
    let log = place.log();
    assert!(log.contains("rm --force --volumes stockade-"), "{log}");
    assert!(!log.contains("escaped"), "the engine's program wrote outside of its jail: {log}");
    let words = ["log", "--json"];
    let events = finish(place.stockade(&words).spawn().expect("it starts"), DEADLINE).stdout_text();
    assert!(events.contains("\"backend\":\"container\""), "{events}");
}

#[test]
fn a_granted_variable_reaches_the_container_and_its_value_no_command_line() {
    let place = Place::new();
    let command = ["docker", "run", "-i", "-e", "CANARY", "mcp/known:1"];
    let finished = place.session(&["--profile", "offline", "--env", "CANARY"], &command);
    let stdout = finished.stdout_text();
    assert!(stdout.contains("--env=CANARY") && stdout.contains("names: "), "{finished:#?}");
    assert!(stdout.split("names: ").nth(1).is_some_and(|names| names.contains("CANARY ")), "{stdout}");
    assert!(!stdout.contains("of the environment"), "{stdout}");
}

#[test]
fn what_a_container_may_not_have_stops_the_start() {
    let place = Place::new();
    for (flags, command, why) in [
        (&["--profile", "offline"][..], &["docker", "run", "--privileged", "mcp/known"][..], "--privileged"),
        (&["--profile", "offline"], &["docker", "run", "-v", "/:/host", "mcp/known"], "container engine"),
        (&["--profile", "offline"], &["docker", "--context", "x", "run", "mcp/known"], "--context"),
        (&["--profile", "default"], &["docker", "run", "-i", "mcp/known"], "network"),
    ] {
        let finished = place.session(flags, command);
        assert_eq!(finished.code(), 125, "{command:?}: {finished:#?}");
        assert!(
            finished.stderr.contains(why) && finished.stderr.contains("hint:"),
            "{command:?}: {finished:#?}"
        );
        assert!(finished.stdout.is_empty(), "{command:?}: {finished:#?}");
    }
    assert_eq!(place.log(), "", "the engine was asked to do something");
}
