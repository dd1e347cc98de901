//! Files and command lines that make trouble: said clearly, nothing changed.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::{FIXTURES, Home, STOCKADE};

const ONE: &str = "{\"mcpServers\": {\"a\": {\"command\": \"c\", \"args\": [\"x\"]}}}";

#[test]
fn without_any_config_the_paths_that_were_looked_at_are_named() {
    let home = Home::empty();
    let said = home.stockade(&["wrap"]);
    assert_eq!(said.code, 0);
    for fixture in &FIXTURES {
        let path = home.path(fixture.path).display().to_string();
        assert!(said.stderr.contains(&path), "{path} is not in\n{}", said.stderr);
    }
    assert_eq!((said.stdout.as_str(), home.tree().len()), ("", 0));
}

#[test]
fn an_unknown_client_is_a_usage_error_that_names_the_known_ones() {
    let home = Home::furnished();
    for verb in ["wrap", "unwrap"] {
        let said = home.stockade(&[verb, "--client", "emacs"]);
        assert_eq!(said.code, 64);
        assert!(
            ["known clients: ", "claude-code", "claude-desktop", "cursor"]
                .iter()
                .all(|word| said.stderr.contains(word)),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn an_unknown_server_is_said() {
    let home = Home::furnished();
    let said = home.stockade(&["wrap", "--server", "nope"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("no server is named `nope`"), "{}", said.stderr);
}

#[test]
fn a_malformed_file_is_left_alone_with_its_place_and_the_others_are_wrapped() {
    let home = Home::furnished();
    let broken = "{\n  \"mcpServers\": {\n    \"a\": {\"command\": \"c\"}\n    \"b\": {}\n  }\n}\n";
    home.write(".cursor/mcp.json", broken.as_bytes());
    let said = home.stockade(&["wrap"]);
    assert_eq!(said.code, 1);
    assert!(
        said.stdout.contains("left alone: malformed: line 4, column 5: expected `,` or `}`"),
        "{}",
        said.stdout
    );
    assert!(said.stderr.contains("not everything could be wrapped: Cursor"), "{}", said.stderr);
    assert_eq!(home.cursor(), broken);
    assert_eq!(home.read(".claude.json"), FIXTURES[1].after(STOCKADE));
}

#[test]
fn an_entry_that_makes_no_sense_does_not_hinder_its_neighbours() {
    let home =
        Home::with_cursor("{\"mcpServers\": {\"bad\": {\"command\": 1}, \"a\": {\"command\": \"c\"}}}");
    let said = home.stockade(&["wrap"]);
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("bad  error: `command` is not a string"), "{}", said.stdout);
    assert!(home.cursor().contains("\"bad\": {\"command\": 1}") && home.cursor().contains("\"cursor/a\""));
}

#[test]
fn a_read_only_file_is_left_alone() {
    let home = Home::with_cursor(ONE);
    let path = home.path(".cursor/mcp.json");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let said = home.stockade(&["wrap"]);
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("left alone: it is read-only; `chmod u+w` it"), "{}", said.stdout);
    assert_eq!(home.cursor(), ONE);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_fifo_a_directory_and_a_link_that_leaves_the_home_are_not_touched() {
    let elsewhere = Home::empty();
    elsewhere.write("real.json", ONE.as_bytes());
    let home = Home::empty();
    std::fs::create_dir(home.path(".cursor")).unwrap();
    symlink(elsewhere.path("real.json"), home.path(".cursor/mcp.json")).unwrap();
    std::fs::create_dir_all(home.path(".config/Claude/claude_desktop_config.json")).unwrap();
    assert!(Command::new("mkfifo").arg(home.path(".claude.json")).status().unwrap().success());
    let said = home.stockade(&["wrap"]);
    assert_eq!(said.code, 1);
    for line in ["it is a directory, not a file", "it is a FIFO, not a file", "it is a link that leaves"] {
        assert!(said.stdout.contains(line), "{line:?} is not in\n{}", said.stdout);
    }
    assert_eq!(elsewhere.read("real.json"), ONE);
}

#[test]
fn a_file_above_20_mib_is_not_read() {
    let home = Home::with_cursor(ONE);
    let file = std::fs::OpenOptions::new().write(true).open(home.path(".cursor/mcp.json")).unwrap();
    file.set_len(20 * 1024 * 1024 + 1).unwrap();
    let said = home.stockade(&["wrap"]);
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("larger than 20 MiB"), "{}", said.stdout);
}

#[test]
fn a_link_inside_of_the_home_is_followed_and_stays() {
    let home = Home::empty();
    home.write("dotfiles/mcp.json", ONE.as_bytes());
    std::fs::create_dir(home.path(".cursor")).unwrap();
    symlink("../dotfiles/mcp.json", home.path(".cursor/mcp.json")).unwrap();
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    assert!(home.read("dotfiles/mcp.json").contains("\"cursor/a\""));
    assert!(home.path(".cursor/mcp.json").is_symlink());
    home.stockade(&["unwrap"]);
    assert_eq!(home.read("dotfiles/mcp.json"), ONE);
}

#[test]
fn nothing_is_wrapped_if_the_original_cannot_be_kept_but_all_can_be_undone() {
    let home = Home::with_cursor(ONE);
    home.write(".local/state", b"in the way");
    let said = home.stockade(&["wrap"]);
    assert_eq!(said.code, 78);
    assert!(said.stderr.contains("nothing was wrapped: there is no journal"), "{}", said.stderr);
    assert!(said.stderr.contains("hint: make "), "{}", said.stderr);
    assert_eq!(home.cursor(), ONE);
    std::fs::remove_file(home.path(".local/state")).unwrap();
    assert_eq!(home.stockade(&["wrap"]).code, 0);
    std::fs::remove_dir_all(home.path(".local/state")).unwrap();
    home.write(".local/state", b"in the way again");
    let said = home.stockade(&["unwrap"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("warning: unwrapping without the journal"), "{}", said.stderr);
    assert_eq!(home.cursor(), ONE);
}

#[test]
fn names_cannot_steer_the_terminal() {
    let home = Home::with_cursor("{\"mcpServers\": {\"a\\u001b[2Jb\\u202e\": {\"command\": \"c\"}}}");
    let said = home.stockade(&["wrap"]);
    assert_eq!(said.code, 0);
    assert!(!said.stdout.contains(['\u{1b}', '\u{202e}']), "{:?}", said.stdout);
    assert!(home.cursor().contains("cursor/a\\u001b[2Jb"), "{}", home.cursor());
}

#[test]
fn a_program_that_is_not_named_stockade_refuses_to_wrap() {
    let home = Home::with_cursor(ONE);
    std::fs::copy(STOCKADE, home.path("renamed")).unwrap();
    let output = home.command(&home.path("renamed"), &["wrap"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(home.cursor(), ONE);
}
