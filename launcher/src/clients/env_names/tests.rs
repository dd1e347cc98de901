use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

fn names(file: &str, text: &str, id: &str, cwd: &str) -> Option<Vec<String>> {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    let facts = Facts {
        home: home.path().to_owned(),
        cwd: PathBuf::from(cwd),
        env: BTreeMap::new(),
        uid: 0,
        user: String::new(),
        state_dir: PathBuf::new(),
        config_dir: PathBuf::new(),
        system_dir: PathBuf::new(),
    };
    env_names(id, &facts)
}

fn cursor(text: &str, id: &str) -> Option<Vec<String>> {
    names(".cursor/mcp.json", text, id, "/")
}

fn list(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn names_of_the_entrys_variables_are_read_and_no_values() {
    let text = r#"{"mcpServers": {"a": {"command": "c", "env": {"TOKEN": "t", "\u0042": ""}}, "b": {"command": "d"}}}"#;
    assert_eq!(cursor(text, "cursor/a"), list(&["TOKEN", "B"]));
    assert_eq!(cursor(text, "cursor/b"), list(&[]));
}

#[test]
fn what_is_not_there_or_not_readable_gives_nothing() {
    for (text, id) in [
        ("{}", "cursor/a"),
        ("{\"mcpServers\": ", "cursor/a"),
        (r#"{"mcpServers": {"a": {"command": "c", "env": ["T"]}}}"#, "cursor/a"),
        (r#"{"mcpServers": {"a": {"command": "c", "env": {"T": ""}}}}"#, "claude-code/a"),
        (r#"{"mcpServers": {"a": {"command": "c", "env": {"T": ""}}}}"#, "other/a"),
        (r#"{"mcpServers": {"a": {"command": "c", "env": {"T": ""}}}}"#, "a"),
        (r#"{"mcpServers": {"a": {"command": "c", "env": {"T": ""}, "env": {}}}}"#, "cursor/a"),
    ] {
        assert_eq!(cursor(text, id), None, "{text}");
    }
}

#[test]
fn a_renamed_entry_is_found_by_the_id_that_it_carries() {
    let text = r#"{"mcpServers": {
        "new": {"command": "stockade", "args": ["run", "--id", "cursor/old", "--", "c"], "env": {"A": ""}},
        "old": {"command": "d", "env": {"B": ""}}
    }}"#;
    assert_eq!(cursor(text, "cursor/old"), list(&["A"]));
}

#[test]
fn two_entries_with_one_id_give_nothing() {
    let entry =
        r#"{"command": "stockade", "args": ["run", "--id", "cursor/a", "--", "c"], "env": {"A": ""}}"#;
    assert_eq!(cursor(&format!("{{\"mcpServers\": {{\"a\": {entry}, \"b\": {entry}}}}}"), "cursor/a"), None);
}

#[test]
fn in_a_projects_directory_its_own_entry_goes_first() {
    let text = r#"{
        "mcpServers": {"a": {"command": "c", "env": {"USER_WIDE": ""}}},
        "projects": {
            "/p": {"mcpServers": {"a": {"command": "c", "env": {"P": ""}}, "only": {"command": "c", "env": {"O": ""}}}},
            "/p/q": {"mcpServers": {"a": {"command": "c", "env": {"Q": ""}}}}
        }
    }"#;
    for (id, cwd, expected) in [
        ("claude-code/a", "/", list(&["USER_WIDE"])),
        ("claude-code/a", "/pq", list(&["USER_WIDE"])),
        ("claude-code/a", "/p", list(&["P"])),
        ("claude-code/a", "/p/q/r", list(&["Q"])),
        ("claude-code/only", "/", list(&["O"])),
    ] {
        assert_eq!(names(".claude.json", text, id, cwd), expected, "{id} in {cwd}");
    }
}

#[test]
fn without_a_file_only_what_the_parent_set_for_us_alone_is_passed() {
    let env = |pairs: &[(&str, &str)]| -> Environment {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    let parent = env(&[("USER", "ada"), ("PATH", "/bin")]);
    let own = env(&[
        ("USER", "ada"),
        ("PATH", "/x:/bin"),
        ("CLOUD_TOKEN", "of the shell"),
        ("TOKEN", "mine"),
        ("_", "x"),
    ]);
    let sibling = env(&[("USER", "ada"), ("CLOUD_TOKEN", "of the shell"), ("TOKEN", "another one's")]);
    assert_eq!(env_names_by_parent(&own, &(parent.clone(), vec![sibling])), ["TOKEN"]);
    assert_eq!(env_names_by_parent(&own, &(parent, Vec::new())), ["CLOUD_TOKEN", "TOKEN"]);
    assert!(env_names_by_parent(&own, &(env(&[]), Vec::new())).is_empty(), "nothing is known of it");
}
