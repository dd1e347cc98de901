//! What may happen to a wrapped entry afterwards: the state is deleted, the config copied, a token added, the program replaced or gone.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::{Home, STOCKADE, Said};

/// Answers each request with what is in `TOKEN`.
const SERVER: &str = r#"while read -r line; do
    id=$(printf %s "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
    printf '{"jsonrpc":"2.0","id":%s,"result":{"said":"%s"}}\n' "$id" "${TOKEN-nothing}"
done"#;

fn config(env: Value) -> String {
    json!({"mcpServers": {"greeter": {"command": "/bin/sh", "args": ["-c", SERVER], "env": env}}}).to_string()
}

/// Starts Cursor's entry of this home as Cursor would.
fn start(home: &Home) -> Child {
    start_from(home, &serde_json::from_str(&home.cursor()).unwrap())
}

fn start_from(home: &Home, config: &Value) -> Child {
    let entry = &config["mcpServers"]["greeter"];
    let words: Vec<&str> =
        entry["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let mut command = home.command(Path::new(entry["command"].as_str().unwrap()), &words);
    for (name, value) in entry["env"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn ask(child: &mut Child, id: u32) -> String {
    let request = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    writeln!(child.stdin.as_mut().unwrap(), "{request}").unwrap();
    let mut line = String::new();
    let mut reader = BufReader::with_capacity(1, child.stdout.as_mut().unwrap());
    reader.read_line(&mut line).unwrap();
    line
}

fn end(mut child: Child) -> Said {
    drop(child.stdin.take());
    Said::from(child.wait_with_output().unwrap())
}

/// The program behind the shim, as a package installs the two: the shim and the program.
fn installed(home: &Home) -> (PathBuf, PathBuf) {
    let (shim, program) = (home.path("opt/bin/stockade"), home.path("opt/lib/stockade/stockade"));
    for path in [&shim, &program] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/shim/stockade");
    std::fs::copy(source, &shim).unwrap();
    std::fs::copy(STOCKADE, &program).unwrap();
    (shim, program)
}

fn called(home: &Home, program: &Path, words: &[&str]) -> Said {
    Said::from(home.command(program, words).output().unwrap())
}

#[test]
fn without_the_state_directory_it_starts_and_is_unwrapped() {
    let before = config(json!({"TOKEN": "t"}));
    let home = Home::with_cursor(&before);
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    std::fs::remove_dir_all(home.state()).unwrap();
    let mut child = start(&home);
    assert!(ask(&mut child, 1).contains("\"said\":\"t\""));
    assert_eq!(end(child).code, 0);
    std::fs::remove_dir_all(home.state()).unwrap();
    assert_eq!(home.stockade(&["unwrap"]).code, 0);
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(value(&home.cursor()), value(&before));
}

#[test]
fn a_config_that_was_copied_to_another_home_starts_there_and_is_unwrapped_there() {
    let before = config(json!({"TOKEN": "t"}));
    let home = Home::with_cursor(&before);
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    let other = Home::with_cursor(&home.cursor());
    let mut child = start(&other);
    assert!(ask(&mut child, 1).contains("\"said\":\"t\""), "the names are those of the other home's file");
    assert_eq!(end(child).code, 0);
    assert_eq!(other.stockade(&["unwrap"]).code, 0);
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(value(&other.cursor()), value(&before));
}

#[test]
fn a_token_that_was_added_by_hand_arrives_at_the_next_start() {
    let home = Home::with_cursor(&config(json!({})));
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    let mut child = start(&home);
    assert!(ask(&mut child, 1).contains("\"said\":\"nothing\""));
    let mut config: Value = serde_json::from_str(&home.cursor()).unwrap();
    config["mcpServers"]["greeter"]["env"]["TOKEN"] = "added".into();
    home.write(".cursor/mcp.json", config.to_string().as_bytes());
    assert!(ask(&mut child, 2).contains("\"said\":\"nothing\""), "the running one goes on as it was");
    end(child);
    let mut child = start(&home);
    assert!(ask(&mut child, 1).contains("\"said\":\"added\""));
    end(child);
}

#[test]
fn an_entry_in_no_file_gets_the_variables_that_its_client_sets_for_it_alone() {
    let home = Home::with_cursor(&config(json!({"TOKEN": "t"})));
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    let config: Value = serde_json::from_str(&home.cursor()).unwrap();
    std::fs::remove_file(home.path(".cursor/mcp.json")).unwrap();
    let mut child = start_from(&home, &config);
    assert!(ask(&mut child, 1).contains("\"said\":\"t\""));
    end(child);
}

#[test]
fn the_program_is_replaced_under_a_running_session_and_back() {
    let home = Home::with_cursor(&config(json!({"TOKEN": "t"})));
    let (shim, program) = installed(&home);
    let said = called(&home, &shim, &["wrap"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        home.cursor().contains(shim.to_str().unwrap()),
        "the entry names the path that stays: {}",
        home.cursor()
    );
    let mut running = start(&home);
    assert!(ask(&mut running, 1).contains("\"said\":\"t\""));
    // An upgrade puts another file in place; a downgrade does so again.
    for id in [2, 3] {
        let new = program.with_extension("new");
        std::fs::copy(STOCKADE, &new).unwrap();
        std::fs::rename(&new, &program).unwrap();
        assert!(ask(&mut running, id).contains("\"said\":\"t\""), "the session goes on");
        let mut next = start(&home);
        assert!(ask(&mut next, 1).contains("\"said\":\"t\""), "a new one starts");
        assert_eq!(end(next).code, 0);
    }
    assert_eq!(end(running).code, 0);
    let said = called(&home, &shim, &["unwrap"]);
    assert_eq!((said.code, home.cursor()), (0, config(json!({"TOKEN": "t"}))), "{}", said.stderr);
}

#[test]
fn a_client_gets_a_sentence_where_the_program_is_gone_and_its_server_where_it_is_back() {
    let home = Home::with_cursor(&config(json!({"TOKEN": "t"})));
    let (shim, program) = installed(&home);
    assert_eq!(called(&home, &shim, &["wrap"]).code, 0);
    let kept = home.path("kept");
    std::fs::rename(&program, &kept).unwrap();
    let mut child = start(&home);
    let answer: Value = serde_json::from_str(&ask(&mut child, 7)).unwrap();
    assert_eq!(answer["id"], 7);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("not installed") && message.contains("behind --"), "{message}");
    let said = end(child);
    assert_eq!(said.code, 127);
    assert!(said.stderr.contains("not installed"), "{}", said.stderr);
    std::fs::rename(&kept, &program).unwrap();
    let mut child = start(&home);
    assert!(ask(&mut child, 1).contains("\"said\":\"t\""));
    end(child);
}

#[test]
fn a_variable_that_names_something_else_than_the_shim_is_not_believed() {
    let home = Home::with_cursor(&config(json!({})));
    let other = home.path("evil/stockade");
    home.write("evil/stockade", b"#!/bin/sh\nexec id\n");
    let mut command = home.command(Path::new(STOCKADE), &["wrap"]);
    command.env("STOCKADE_SHIM", &other);
    assert_eq!(Said::from(command.output().unwrap()).code, 0);
    assert!(!home.cursor().contains("evil"), "{}", home.cursor());
}

#[test]
fn the_short_form_names_its_server_by_id_alone_and_comes_back_byte_for_byte() {
    let before = config(json!({"TOKEN": "t"}));
    let home = Home::with_cursor(&before);
    let codex = "[mcp_servers.a]\ncommand = \"b\" # c\nargs = [\n  \"d\",\n]\n";
    let goose = "extensions:\n  g:\n    cmd: h\n    args:\n    - i # j\n";
    home.write(".codex/config.toml", codex.as_bytes());
    home.write(".config/goose/config.yaml", goose.as_bytes());
    let said = home.stockade(&["wrap", "--short"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let entry: Value = serde_json::from_str(&home.cursor()).unwrap();
    assert_eq!(entry["mcpServers"]["greeter"]["args"], json!(["run", "cursor/greeter"]));
    assert!(home.read(".codex/config.toml").contains("args = [\"run\", \"codex/a\"]"));
    assert!(home.read(".config/goose/config.yaml").contains("args: [\"run\", \"goose/g\"]"));
    let mut child = start(&home);
    assert!(ask(&mut child, 1).contains("\"said\":\"t\""));
    assert_eq!(end(child).code, 0);
    assert_eq!(home.stockade(&["status"]).code, 0, "all is covered");
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    assert_eq!(home.stockade(&["unwrap"]).code, 0);
    assert_eq!(
        (home.cursor(), home.read(".codex/config.toml"), home.read(".config/goose/config.yaml")),
        (before, codex.to_owned(), goose.to_owned())
    );
}

#[test]
fn a_short_entry_without_its_journal_says_so_and_is_left() {
    let home = Home::with_cursor(&config(json!({})));
    assert_eq!(home.stockade(&["wrap", "--short"]).code, 0);
    let wrapped = home.cursor();
    std::fs::remove_dir_all(home.state()).unwrap();
    let said = end(start(&home));
    assert_eq!(said.code, 125);
    assert!(said.stderr.contains("nothing is known of the server `cursor/greeter`"), "{}", said.stderr);
    let said = home.stockade(&["unwrap"]);
    assert_eq!((said.code, home.cursor()), (1, wrapped));
    assert!(said.stdout.contains("write the command by hand"), "{}", said.stdout);
}

#[test]
fn a_short_entry_that_somebody_edited_keeps_the_edit() {
    let home = Home::with_cursor(&config(json!({})));
    assert_eq!(home.stockade(&["wrap", "--short"]).code, 0);
    let mut edited: Value = serde_json::from_str(&home.cursor()).unwrap();
    edited["mcpServers"]["greeter"]["env"]["TOKEN"] = "added".into();
    home.write(".cursor/mcp.json", edited.to_string().as_bytes());
    assert_eq!(home.stockade(&["unwrap"]).code, 0);
    let value: Value = serde_json::from_str(&home.cursor()).unwrap();
    assert_eq!(value, serde_json::from_str::<Value>(&config(json!({"TOKEN": "added"}))).unwrap());
}
