//! Servers that a project's files name: listed, shadowed by a nearer scope, or wrapped in the file itself.

use std::path::Path;

use serde_json::{Value, json};

use super::{Home, STOCKADE, Said};

const PROJECT: &str = "{\n  \"mcpServers\": {\n    \"docs\": { \"type\": \"stdio\", \"command\": \"node\", \"args\": [\"docs.js\"], \"env\": { \"A\": \"${A:-b}\" } },\n    \"new\": { \"command\": \"node\", \"args\": [\"new.js\"] }\n  }\n}\n";

/// A home with a project that Claude Code knows, in which its user approved `docs`.
struct Clone(Home);

impl Clone {
    fn new() -> Self {
        let home = Home::empty();
        home.write("work/.mcp.json", PROJECT.as_bytes());
        let clone = Self(home);
        clone.claude(&json!(["docs"]), &json!([]));
        clone
    }

    fn root(&self) -> String {
        self.0.path("work").display().to_string()
    }

    fn claude(&self, enabled: &Value, disabled: &Value) {
        let project = json!({ "enabledMcpjsonServers": enabled, "disabledMcpjsonServers": disabled, "mcpServers": {}, "history": [] });
        let config = json!({ "numStartups": 3, "projects": { (self.root()): project }, "userID": "x" });
        self.0.write(".claude.json", format!("{config:#}\n").as_bytes());
    }

    /// In the project's directory.
    fn says(&self, args: &[&str]) -> Said {
        let mut command = self.0.command(Path::new(STOCKADE), args);
        Said::from(command.current_dir(self.0.path("work")).output().unwrap())
    }

    fn local(&self) -> Value {
        let config: Value = serde_json::from_str(&self.0.read(".claude.json")).unwrap();
        config["projects"][self.root()]["mcpServers"].clone()
    }

    /// `docs` of the project's file, as `status` sees it.
    fn state(&self, server: &str) -> String {
        let status: Value = serde_json::from_str(&self.says(&["status", "--json"]).stdout).unwrap();
        let file = status["files"].as_array().unwrap().iter().find(|file| file["of"] == "project").unwrap();
        let one = file["servers"].as_array().unwrap().iter().find(|one| one["name"] == server).unwrap();
        one["state"].as_str().unwrap().to_owned()
    }
}

#[test]
fn they_are_listed_and_left_unless_somebody_says_otherwise() {
    let clone = Clone::new();
    let before = clone.0.read(".claude.json");
    let said = clone.says(&["wrap"]);
    assert!(
        said.code == 0 && said.stdout.contains("--project-files shadow"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    assert_eq!((clone.0.read("work/.mcp.json").as_str(), clone.0.read(".claude.json")), (PROJECT, before));
    assert_eq!(clone.state("docs"), "not-covered");
}

#[test]
fn what_is_approved_is_shadowed_and_the_project_s_file_stays() {
    let clone = Clone::new();
    let before = clone.0.read(".claude.json");
    let said = clone.says(&["wrap", "--project-files", "shadow"]);
    assert!(
        said.stdout.contains("in your local scope") && said.stdout.contains("not shadowed"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    assert_eq!(clone.0.read("work/.mcp.json"), PROJECT);
    let docs = &clone.local()["docs"];
    assert!(docs["command"].as_str().unwrap().ends_with("stockade"), "{docs:#}");
    assert_eq!(docs["args"], json!(["run", "--id", "claude-code/docs", "--", "node", "docs.js"]));
    assert_eq!((&docs["type"], &docs["env"]["A"]), (&json!("stdio"), &json!("${A:-b}")));
    assert_eq!(
        clone.local()["new"],
        Value::Null,
        "nobody has looked at it: the client would start it at once"
    );
    assert_eq!((clone.state("docs").as_str(), clone.state("new").as_str()), ("shadowed", "not-covered"));
    // The project's entry changes: the shadow follows, also where an equal entry stands before it.
    clone.0.write("work/.mcp.json", PROJECT.replace("docs.js", "docs2.js").as_bytes());
    clone.says(&["wrap", "--project-files", "shadow"]);
    assert_eq!(clone.local()["docs"]["args"][5], "docs2.js");
    // It is gone there, and goes here.
    clone.0.write("work/.mcp.json", PROJECT.replace("\"docs\"", "\"other\"").as_bytes());
    clone.says(&["wrap", "--project-files", "shadow"]);
    assert_eq!(clone.local(), json!({}));
    assert_eq!(
        serde_json::from_str::<Value>(&clone.0.read(".claude.json")).unwrap(),
        serde_json::from_str::<Value>(&before).unwrap()
    );
}

#[test]
fn an_approval_that_is_taken_back_takes_the_shadow_with_it_and_unwrap_takes_all() {
    let clone = Clone::new();
    clone.says(&["wrap", "--project-files", "shadow"]);
    let placed = clone.0.read(".claude.json");
    clone.0.write(
        ".claude.json",
        placed.replace("\"disabledMcpjsonServers\": []", "\"disabledMcpjsonServers\": [\"docs\"]").as_bytes(),
    );
    let said = clone.says(&["wrap", "--project-files", "shadow"]);
    assert!(said.stdout.contains("was taken out"), "{}", said.stdout);
    assert_eq!(clone.local(), json!({}));
    clone.claude(&json!(["docs"]), &json!([]));
    clone.says(&["wrap", "--project-files", "shadow"]);
    assert_ne!(clone.local(), json!({}));
    // From anywhere, as an uninstaller does.
    let said = clone.0.stockade(&["unwrap"]);
    assert!(said.code == 0 && said.stderr.contains("docs"), "{}{}", said.stdout, said.stderr);
    assert_eq!(clone.local(), json!({}));
    assert_eq!(clone.0.read("work/.mcp.json"), PROJECT);
}

#[test]
fn what_a_person_wrote_in_the_nearer_scope_is_never_touched() {
    let clone = Clone::new();
    let own = clone
        .0
        .read(".claude.json")
        .replace("\"mcpServers\": {}", "\"mcpServers\": {\"docs\": {\"url\": \"http://x\"}}");
    clone.0.write(".claude.json", own.as_bytes());
    let said = clone.says(&["wrap", "--project-files", "shadow"]);
    assert!(said.stdout.contains("an entry of yours of the same name goes before it"), "{}", said.stdout);
    assert_eq!(clone.0.read(".claude.json"), own);
    // One of ours that was edited since is the person's.
    let clone = Clone::new();
    clone.says(&["wrap", "--project-files", "shadow"]);
    let edited = clone.0.read(".claude.json").replace("${A:-b}", "mine");
    clone.0.write(".claude.json", edited.as_bytes());
    clone.says(&["wrap", "--project-files", "shadow"]);
    clone.0.stockade(&["unwrap", "--server", "none"]);
    assert_eq!(clone.0.read(".claude.json"), edited);
}

#[test]
fn a_project_s_own_settings_approve_nothing_before_the_project_is_trusted() {
    let clone = Clone::new();
    clone.claude(&json!([]), &json!([]));
    clone.0.write("work/.claude/settings.local.json", br#"{"enableAllProjectMcpServers": true}"#);
    clone.says(&["wrap", "--project-files", "shadow"]);
    assert_eq!(clone.local(), json!({}));
    let trusted = clone
        .0
        .read(".claude.json")
        .replace("\"history\": []", "\"history\": [], \"hasTrustDialogAccepted\": true");
    clone.0.write(".claude.json", trusted.as_bytes());
    clone.says(&["wrap", "--project-files", "shadow"]);
    assert!(clone.local()["docs"].is_object() && clone.local()["new"].is_object());
}

#[test]
fn rewritten_files_come_back_byte_for_byte_from_anywhere() {
    let clone = Clone::new();
    clone.0.write(
        "work/.vscode/mcp.json",
        b"{\"servers\": {\"x\": {\"command\": \"node\", \"args\": [\"x.js\"]}}}\n",
    );
    let policy = "version = 1\n[defaults]\nproject_files = \"rewrite\"\n";
    clone.0.write(".config/stockade/policy.toml", policy.as_bytes());
    let said = clone.says(&["wrap"]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    for file in ["work/.mcp.json", "work/.vscode/mcp.json"] {
        assert!(clone.0.read(file).contains("\"--id\""), "{file}");
    }
    assert_eq!(clone.state("docs"), "wrapped");
    clone.0.stockade(&["unwrap"]);
    assert_eq!(clone.0.read("work/.mcp.json"), PROJECT);
    assert_eq!(
        clone.0.read("work/.vscode/mcp.json"),
        "{\"servers\": {\"x\": {\"command\": \"node\", \"args\": [\"x.js\"]}}}\n"
    );
}

#[test]
fn the_same_server_in_several_places_is_told_once() {
    let clone = Clone::new();
    let cursor = r#"{"mcpServers": {"d": {"command": "node", "args": ["docs.js"]}}}"#;
    clone.0.write(".cursor/mcp.json", cursor.as_bytes());
    let said = clone.says(&["status"]);
    let told: Vec<&str> = said.stdout.lines().filter(|line| line.starts_with("the same server")).collect();
    assert!(
        told.len() == 1 && told[0].contains("cursor/d") && told[0].contains("claude-code/docs"),
        "{}",
        said.stdout
    );
    let status: Value = serde_json::from_str(&clone.says(&["status", "--json"]).stdout).unwrap();
    let all = status["files"].as_array().unwrap().iter().flat_map(|file| file["servers"].as_array().unwrap());
    assert_eq!(all.filter(|server| !server["also"].as_array().unwrap().is_empty()).count(), 2);
}
