//! Five real servers, driven by the Python and the TypeScript SDK: under Stockade they give what they give without.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    World, drive, node, node_sdk_driver, npm_server, pypi_script, python_sdk_driver, stockade_bin,
};

const DEADLINE: Duration = Duration::from_secs(120);

/// A client SDK and the era that it is told to speak.
#[derive(Clone, Copy, Debug)]
pub(super) enum Client {
    /// PyPI `mcp`, with the `initialize` handshake.
    PythonHandshake,
    /// PyPI `mcp`, stateless.
    PythonStateless,
    /// npm `@modelcontextprotocol/sdk`, which knows the handshake only.
    TypeScriptV1,
    /// npm `@modelcontextprotocol/client`, stateless.
    TypeScriptStateless,
}

const HANDSHAKE: [Client; 2] = [Client::PythonHandshake, Client::TypeScriptV1];
/// For servers that speak the stateless era as well: the PyPI ones do, the npm ones do not.
const BOTH_ERAS: [Client; 4] =
    [Client::PythonHandshake, Client::TypeScriptV1, Client::PythonStateless, Client::TypeScriptStateless];

impl Client {
    fn driver(self) -> (Command, &'static str) {
        match self {
            Self::PythonHandshake => (python_sdk_driver("sdk_client.py"), "legacy"),
            Self::PythonStateless => (python_sdk_driver("sdk_client.py"), "2026-07-28"),
            Self::TypeScriptV1 => (node_sdk_driver("sdk_client.mjs"), "v1"),
            Self::TypeScriptStateless => (node_sdk_driver("sdk_client.mjs"), "2026-07-28"),
        }
    }

    /// Takes stock of a server and makes the calls of `plan`.
    pub(super) fn visit(self, world: &World, plan: &Value, command: Vec<OsString>) -> Value {
        let (driver, mode) = self.driver();
        let plan = world.write("plan.json", &plan.to_string());
        let words = [mode.into(), plan.into_os_string(), "--".into()].into_iter().chain(command);
        drive(world, driver, words, DEADLINE)
    }
}

/// `stockade run FLAGS… -- COMMAND…`
pub(super) fn jailed(flags: &[&str], command: &[OsString]) -> Vec<OsString> {
    let head = [stockade_bin().into_os_string(), "run".into()];
    let flags = flags.iter().map(OsString::from);
    head.into_iter().chain(flags).chain(["--".into()]).chain(command.iter().cloned()).collect()
}

/// Visits a server bare and under Stockade with every client, `reset` before each; both visits must give the same.
/// Returns what the last client got.
fn same_inside_and_outside(
    (clients, world): (&[Client], &World),
    plan: &Value,
    (flags, command): (&[&str], Vec<OsString>),
    reset: impl Fn(&World),
) -> Value {
    let mut last = Value::Null;
    for &client in clients {
        reset(world);
        let bare = client.visit(world, plan, command.clone());
        reset(world);
        last = client.visit(world, plan, jailed(flags, &command));
        assert_eq!(last, bare, "{client:?} got something else under Stockade (left) than without (right)");
        assert_ne!(last["tools"], json!([]), "{client:?} saw no tools at all");
    }
    assert!(
        String::from_utf8_lossy(&world.stockade(["log", "--json"]).output().expect("log").stdout)
            .contains("tools/call"),
        "nothing is on record, so it was not Stockade that carried the calls"
    );
    last
}

fn texts(calls: &Value) -> Vec<String> {
    let calls = calls.as_array().expect("a list of calls");
    calls.iter().map(|call| call["content"][0]["text"].as_str().unwrap_or("").to_owned()).collect()
}

pub(super) fn npm_command(name: &str) -> Vec<OsString> {
    vec![node().into_os_string(), npm_server(name).into_os_string()]
}

#[test]
fn server_everything_gives_the_same_under_stockade() {
    let world = World::new();
    let plan = json!({
        "calls": [
            {"tool": "echo", "arguments": {"message": "Grüße, 世界 🦊 \u{2028} end"}},
            {"tool": "get-sum", "arguments": {"a": 20, "b": 22.5}},
            {"tool": "get-structured-content", "arguments": {"location": "Chicago"}},
            {"tool": "get-tiny-image"},
            {"tool": "no-such-tool"},
        ],
        "prompts": [
            {"name": "simple-prompt"},
            {"name": "args-prompt", "arguments": {"city": "Berlin"}},
            {"name": "args-prompt"},
        ],
        "resources": ["demo://resource/static/document/features.md", "demo://resource/static/document/none.md"],
    });
    let got = same_inside_and_outside((&HANDSHAKE, &world), &plan, (&[], npm_command("everything")), |_| ());
    let said = texts(&got["calls"]);
    assert_eq!(said[0], "Echo: Grüße, 世界 🦊 \u{2028} end");
    assert!(said[1].contains("42.5"), "{said:?}");
    assert_eq!(got["calls"][4]["isError"], true);
    assert!(
        got["got_prompts"][2]["error"].is_object(),
        "a prompt without its argument is refused by the server"
    );
    assert!(got["read"][0]["contents"][0]["text"].as_str().is_some_and(|text| !text.is_empty()));
}

#[test]
fn server_filesystem_works_in_its_grant_and_not_outside_it() {
    let world = World::new();
    let shared = world.root().join("shared");
    let secret = world.write("home/secret.txt", "not for the server");
    let reset = |world: &World| {
        let _ = fs::remove_dir_all(&shared);
        world.write("shared/notes/one.txt", "first line\nsecond line\n");
    };
    reset(&world);
    let at = |name: &str| shared.join(name).display().to_string();
    let plan = json!({"calls": [
        {"tool": "list_directory", "arguments": {"path": at("notes")}},
        {"tool": "read_text_file", "arguments": {"path": at("notes/one.txt")}},
        {"tool": "write_file", "arguments": {"path": at("two.txt"), "content": "written through the jail"}},
        {"tool": "read_text_file", "arguments": {"path": at("two.txt")}},
        {"tool": "move_file", "arguments": {"source": at("two.txt"), "destination": at("notes/three.txt")}},
        {"tool": "search_files", "arguments": {"path": at(""), "pattern": "**/*.txt"}},
        {"tool": "read_text_file", "arguments": {"path": secret}},
    ]});
    let mut command = npm_command("filesystem");
    command.push(shared.clone().into_os_string());
    let grant = shared.display().to_string();
    let flags = ["--grant-write", grant.as_str()];
    let got = same_inside_and_outside((&HANDSHAKE, &world), &plan, (&flags, command.clone()), reset);
    let said = texts(&got["calls"]);
    assert!(said[0].contains("one.txt"), "{said:?}");
    assert_eq!(said[1], "first line\nsecond line\n");
    assert_eq!(said[3], "written through the jail");
    assert_eq!(
        fs::read_to_string(shared.join("notes/three.txt")).expect("moved"),
        "written through the jail"
    );
    assert_eq!(got["calls"][6]["isError"], true, "the server's own check");

    // The server's own check is gone when it is told that the whole world is its directory: then it is the jail
    // that stops it, and bare it reads.
    let mut wide = npm_command("filesystem");
    wide.push("/".into());
    let plan = json!({"calls": [
        {"tool": "read_text_file", "arguments": {"path": at("notes/three.txt")}},
        {"tool": "read_text_file", "arguments": {"path": secret}},
    ]});
    let bare = Client::PythonHandshake.visit(&world, &plan, wide.clone());
    assert_eq!(texts(&bare["calls"])[1], "not for the server", "outside the jail it can be read");
    let inside = Client::PythonHandshake.visit(&world, &plan, jailed(&flags, &wide));
    assert_eq!(texts(&inside["calls"])[0], "written through the jail");
    assert_eq!(inside["calls"][1]["isError"], true, "{inside}");
}

#[test]
fn server_memory_keeps_its_file_in_a_granted_place() {
    let world = World::new();
    let file = world.root().join("graph/memory.jsonl");
    let reset = |_: &World| {
        let _ = fs::remove_dir_all(world.root().join("graph"));
        fs::create_dir(world.root().join("graph")).expect("a fresh directory");
    };
    reset(&world);
    let plan = json!({"calls": [
        {"tool": "create_entities", "arguments": {"entities": [
            {"name": "Ada", "entityType": "person", "observations": ["wrote the first program"]},
            {"name": "Engine", "entityType": "machine", "observations": []},
        ]}},
        {"tool": "create_relations", "arguments": {"relations": [
            {"from": "Ada", "to": "Engine", "relationType": "programs"},
        ]}},
        {"tool": "read_graph"},
        {"tool": "search_nodes", "arguments": {"query": "first program"}},
    ]});
    let setting = format!("MEMORY_FILE_PATH={}", file.display());
    // Bare, the variable comes through env(1); under Stockade through its flag.
    let command = npm_command("memory");
    let bare_command: Vec<OsString> =
        ["/usr/bin/env".into(), setting.clone().into()].into_iter().chain(command.clone()).collect();
    let directory = world.root().join("graph").display().to_string();
    let flags = ["--grant-write", directory.as_str(), "--env", setting.as_str()];
    for client in HANDSHAKE {
        reset(&world);
        let bare = client.visit(&world, &plan, bare_command.clone());
        reset(&world);
        let inside = client.visit(&world, &plan, jailed(&flags, &command));
        assert_eq!(inside, bare, "{client:?}");
        assert!(texts(&inside["calls"])[3].contains("Ada"), "{inside}");
        assert!(fs::read_to_string(&file).expect("the file of the graph").contains("programs"));
    }
}

/// A repository with two commits and a change, the same on every run.
fn make_repository(at: &Path) {
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(words).current_dir(at).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("HOME", at).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Test").env(format!("GIT_{who}_EMAIL"), "test@localhost");
            command.env(format!("GIT_{who}_DATE"), "2026-01-02T03:04:05Z");
        }
        let output = command.output().expect("git starts");
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    fs::create_dir_all(at).expect("its directory");
    git(&["init", "--quiet", "--initial-branch", "main"]);
    for (name, text) in [("a.txt", "one\n"), ("b.txt", "two\n")] {
        fs::write(at.join(name), text).expect("a file");
        git(&["add", name]);
        git(&["commit", "--quiet", "--message", &format!("Add {name}")]);
    }
    fs::write(at.join("a.txt"), "one, changed\n").expect("a change");
}

#[test]
fn server_git_reads_a_repository_in_both_eras() {
    let world = World::new();
    let repository = world.root().join("repository");
    make_repository(&repository);
    let path = repository.display().to_string();
    let plan = json!({"calls": [
        {"tool": "git_status", "arguments": {"repo_path": path}},
        {"tool": "git_log", "arguments": {"repo_path": path, "max_count": 5}},
        {"tool": "git_diff_unstaged", "arguments": {"repo_path": path}},
        {"tool": "git_show", "arguments": {"repo_path": path, "revision": "HEAD"}},
    ]});
    let command =
        vec![pypi_script("mcp-server-git").into_os_string(), "--repository".into(), path.clone().into()];
    let flags = ["--grant-read", path.as_str()];
    let got = same_inside_and_outside((&BOTH_ERAS, &world), &plan, (&flags, command), |_| ());
    let said = texts(&got["calls"]);
    assert!(said[0].contains("a.txt"), "{said:?}");
    assert!(said[1].contains("Add b.txt"), "{said:?}");
    assert!(said[2].contains("+one, changed"), "{said:?}");
}

#[test]
fn server_time_converts_in_both_eras() {
    let world = World::new();
    let plan = json!({"calls": [
        {"tool": "convert_time", "arguments":
            {"source_timezone": "Europe/Berlin", "time": "16:30", "target_timezone": "Asia/Tokyo"}},
        {"tool": "get_current_time", "arguments": {"timezone": "Mars/Olympus"}},
    ]});
    let command = vec![pypi_script("mcp-server-time").into_os_string()];
    let got = same_inside_and_outside((&BOTH_ERAS, &world), &plan, (&[], command), |_| ());
    assert!(texts(&got["calls"])[0].contains("Asia/Tokyo"), "{got}");
    assert_eq!(got["calls"][1]["isError"], true);
}
