//! `status`: what is found, what is wrapped, and what is not and why.

use serde_json::{Value, json};

use super::{FIXTURES, Home};

fn told(home: &Home) -> (i32, Value) {
    let said = home.stockade(&["status", "--json"]);
    (said.code, serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {}", said.stderr)))
}

fn states(told: &Value) -> Vec<(String, String)> {
    let files = told["files"].as_array().unwrap().iter();
    let servers = files.flat_map(|file| file["servers"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    servers.map(|server| (text(&server["name"]), text(&server["state"]))).collect()
}

#[test]
fn an_empty_home_is_in_order_and_says_so() {
    let home = Home::empty();
    let said = home.stockade(&["status"]);
    assert_eq!((said.code, home.tree().len()), (0, 0), "nothing is made: {}", said.stderr);
    assert!(said.stdout.contains("No client's config"), "{}", said.stdout);
}

#[test]
fn every_server_stands_before_and_after_wrapping() {
    let home =
        Home::with_cursor(r#"{"mcpServers":{"a":{"command":"b"},"far":{"url":"https://example.org"}}}"#);
    home.write(".codex/config.toml", b"[mcp_servers.c]\ncommand = \"d\"\n");
    home.write(".config/goose/config.yaml", b"extensions:\n  g:\n    cmd: h\n    args: []\n");
    let (code, before) = told(&home);
    assert_eq!(code, 1);
    let state = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    let bare = "not-covered";
    assert_eq!(states(&before), [state("c", bare), state("a", bare), state("far", bare), state("g", bare)]);
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    let (code, after) = told(&home);
    assert_eq!(
        (code, &after["wrapped"], &after["servers"]),
        (1, &json!(3), &json!(4)),
        "the remote one is left"
    );
    home.write(".cursor/mcp.json", br#"{"mcpServers":{"a":{"command":"b"}}}"#);
    let (code, drifted) = told(&home);
    assert_eq!(
        (code, states(&drifted)),
        (1, vec![state("c", "wrapped"), state("a", "drift"), state("g", "wrapped")])
    );
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    assert_eq!(told(&home).0, 0, "all is wrapped");
}

#[test]
fn what_cannot_be_read_and_what_is_a_projects_is_told_and_left() {
    let home = Home::with_cursor("{\"mcpServers\": {");
    home.write(".mcp.json", br#"{"mcpServers":{"p":{"command":"b"}}}"#);
    let (code, told) = told(&home);
    assert_eq!(code, 1);
    let files = told["files"].as_array().unwrap();
    assert!(files[0]["problem"].as_str().unwrap().contains("malformed: line 1"), "{told:#}");
    assert_eq!(
        (&files[1]["of"], &files[1]["servers"][0]["name"]),
        (&json!("project"), &json!("p")),
        "{told:#}"
    );
    let said = home.stockade(&["status"]);
    assert!(said.stdout.contains("not covered: a project's file"), "{}", said.stdout);
}

#[test]
fn a_server_that_runs_bare_is_found_with_its_client() {
    let home =
        Home::with_cursor(r#"{"mcpServers":{"slow":{"command":"/bin/sh","args":["-c","sleep 31 & wait"]}}}"#);
    std::os::unix::fs::symlink("/bin/sh", home.path("cursor")).unwrap();
    let start = ["-c", "/bin/sh -c 'sleep 31 & wait' & wait"];
    let mut client = home.command(&home.path("cursor"), &start).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let said = home.stockade(&["status", "--live", "--json"]);
    client.kill().unwrap();
    client.wait().unwrap();
    let told: Value = serde_json::from_str(&said.stdout).unwrap();
    // Other tests have clients of their own.
    let of_ours = |one: &&Value| one["client_pid"] == client.id();
    let bare: Vec<&Value> = told["bare_processes"].as_array().unwrap().iter().filter(of_ours).collect();
    assert_eq!(
        (bare.len(), &bare[0]["server"], &bare[0]["client"]),
        (1, &json!("slow"), &json!("Cursor")),
        "{told:#}"
    );
}

#[test]
fn the_three_fixtures_are_told_without_a_change() {
    let home = Home::furnished();
    let tree = home.tree();
    let said = home.stockade(&["status"]);
    assert_eq!(said.code, 1);
    for fixture in &FIXTURES {
        assert!(said.stdout.contains(&home.path(fixture.path).display().to_string()), "{}", said.stdout);
        assert_eq!(std::fs::read(home.path(fixture.path)).unwrap(), fixture.before);
    }
    assert_eq!(home.tree(), tree);
}

#[test]
fn places_that_are_no_files_with_entries_are_told_and_are_no_failure() {
    let home = Home::empty();
    home.write(".claude/agents/reviewer.md", b"---\nmcpServers: [x]\n---\n");
    let said = home.stockade(&["status"]);
    assert_eq!(said.code, 0, "nobody knows whether it names a server");
    let told: Vec<&str> = said.stdout.lines().filter(|line| line.starts_with("not looked into: ")).collect();
    assert!(told.len() == 1 && told[0].contains("agents/reviewer.md (Claude Code)"), "{}", said.stdout);
    let status: Value = serde_json::from_str(&home.stockade(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["unread"][0]["client"], "Claude Code");
}
