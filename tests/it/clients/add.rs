//! `add` and `remove`: one server in one client's config.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use super::{Home, STOCKADE};

const CURSOR: &str =
    "{\n  // mine\n  \"mcpServers\": {\n    \"a\": {\"command\": \"x\"}, // first\n  },\n}\n";

#[test]
fn a_server_is_added_wrapped_started_unwrapped_and_removed() {
    let home = Home::with_cursor(CURSOR);
    let said = home.stockade(&["add", "cursor", "new", "--env", "T=a=b", "--", "/bin/cat", "-u"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.starts_with("added: cursor/new in "), "{}", said.stdout);
    let text = home.cursor();
    let rest = text.strip_prefix(CURSOR.strip_suffix("\n  },\n}\n").unwrap()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&format!(
        "{{{}}}",
        rest.trim_end_matches(['}', ',', '\n', ' ']).to_owned() + "}}"
    ))
    .unwrap();
    let entry = &json["new"];
    assert_eq!(entry["command"], STOCKADE);
    assert_eq!(entry["args"], serde_json::json!(["run", "--id", "cursor/new", "--", "/bin/cat", "-u"]));
    assert_eq!(entry["env"]["T"], "a=b");
    // What a client would start does start: `cat` gives back a line that is no message, and is stopped for it, not for its entry.
    let words: Vec<String> = serde_json::from_value(entry["args"].clone()).unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut child = home
        .command(Path::new(STOCKADE), &words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(home.stockade(&["status"]).code, 1, "`a` is bare, as it was");
    let said = home.stockade(&["unwrap", "--server", "new"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        home.cursor().contains("\"command\": \"/bin/cat\",\n      \"args\": [\"-u\"]"),
        "{}",
        home.cursor()
    );
    let said = home.stockade(&["remove", "cursor", "new"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(home.cursor(), CURSOR, "byte for byte");
    let kept = said.stderr.split("The entry as it was: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    assert!(std::fs::read_to_string(&kept).unwrap().contains("/bin/cat"));
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_cannot_be_added_or_removed_is_said_and_changes_nothing() {
    let home = Home::with_cursor(CURSOR);
    for (args, code, text) in [
        (&["add", "cursor", "a", "--", "x"][..], 78, "already; `stockade remove` takes that out"),
        (&["add", "nobody", "b", "--", "x"], 64, "known clients: "),
        (&["add", "windsurf", "b", "--", "x"], 78, "start it once"),
        (&["add", "cursor", "${b}", "--", "x"], 78, "which the client would expand"),
        (&["remove", "cursor", "b"], 64, "`stockade status` lists them"),
        (&["add", "cursor", "b", "--env", "T", "--", "x"], 64, "NAME=VALUE"),
    ] {
        let said = home.stockade(args);
        assert_eq!(said.code, code, "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains(text), "{args:?}: {}", said.stderr);
        assert_eq!(home.cursor(), CURSOR, "{args:?}");
    }
    let said = home.stockade(&["add", "cursor", "b", "--dry-run", "--", "x"]);
    assert!(said.stdout.contains("\n+      \"command\": "), "{}", said.stdout);
    assert_eq!(home.cursor(), CURSOR);
}

#[test]
fn a_file_that_is_missing_is_made_for_its_user_alone() {
    let home = Home::empty();
    std::fs::create_dir(home.path(".codex")).unwrap();
    let said = home.stockade(&["add", "codex", "git", "--", "uvx", "mcp-server-git"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("which was made"), "{}", said.stdout);
    let text = home.read(".codex/config.toml");
    let words = "args = [\"run\", \"--id\", \"codex/git\", \"--\", \"uvx\", \"mcp-server-git\"]\n";
    assert!(text.starts_with("[mcp_servers.git]\ncommand = \"") && text.ends_with(words), "{text}");
    let mode = std::fs::metadata(home.path(".codex/config.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(home.stockade(&["status"]).code, 0);
}
