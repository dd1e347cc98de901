use super::*;

fn client(id: &str) -> &'static Client {
    CLIENTS.iter().find(|client| client.id == id).unwrap_or_else(|| panic!("no client {id}"))
}

fn variables(env: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
    env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn paths(id: &str, os: Os, env: &[(&str, &str)]) -> Vec<String> {
    let env = variables(env);
    let found =
        client(id).candidates(Reach::User, World { os, home: Path::new("/h"), env: &env, project: None });
    found.into_iter().map(|location| location.path.display().to_string()).collect()
}

#[test]
fn the_clients_that_most_people_have_are_where_they_are_on_every_system() {
    let env = [("APPDATA", "/h/AppData/Roaming")];
    for (id, linux, macos, windows) in [
        (
            "claude-desktop",
            "/h/.config/Claude/claude_desktop_config.json",
            "/h/Library/Application Support/Claude/claude_desktop_config.json",
            "/h/AppData/Roaming/Claude/claude_desktop_config.json",
        ),
        ("claude-code", "/h/.claude.json", "/h/.claude.json", "/h/.claude.json"),
        ("cursor", "/h/.cursor/mcp.json", "/h/.cursor/mcp.json", "/h/.cursor/mcp.json"),
        (
            "vscode",
            "/h/.config/Code/User/mcp.json",
            "/h/Library/Application Support/Code/User/mcp.json",
            "/h/AppData/Roaming/Code/User/mcp.json",
        ),
        ("codex", "/h/.codex/config.toml", "/h/.codex/config.toml", "/h/.codex/config.toml"),
        ("gemini-cli", "/h/.gemini/settings.json", "/h/.gemini/settings.json", "/h/.gemini/settings.json"),
    ] {
        assert_eq!(paths(id, Os::Linux, &env)[0], linux, "{id}");
        assert_eq!(paths(id, Os::Mac, &env)[0], macos, "{id}");
        assert_eq!(paths(id, Os::Windows, &env)[0], windows, "{id}");
    }
}

#[test]
fn a_relocating_variable_comes_first_if_it_is_absolute() {
    let moved = [("CLAUDE_CONFIG_DIR", "/x")];
    assert_eq!(paths("claude-code", Os::Linux, &moved)[..2], ["/x/.claude.json", "/h/.claude.json"]);
    assert_eq!(paths("claude-code", Os::Linux, &[("CLAUDE_CONFIG_DIR", "x")])[0], "/h/.claude.json");
    let same = [("XDG_CONFIG_HOME", "/h/.config")];
    assert_eq!(paths("claude-desktop", Os::Linux, &same).len(), 1);
}

#[test]
fn of_each_place_the_first_path_that_exists_is_the_file() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("moved");
    for file in ["moved/.claude.json", ".claude.json"] {
        let path = home.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "{}").unwrap();
    }
    let files = |env: &BTreeMap<OsString, OsString>| -> Vec<PathBuf> {
        let world = World { os: Os::Linux, home: home.path(), env, project: None };
        client("claude-code").files(Reach::User, world).into_iter().map(|location| location.path).collect()
    };
    assert_eq!(files(&variables(&[])), [home.path().join(".claude.json")]);
    let moved = variables(&[("CLAUDE_CONFIG_DIR", config.to_str().unwrap())]);
    assert_eq!(files(&moved), [config.join(".claude.json")]);
    std::fs::remove_file(config.join(".claude.json")).unwrap();
    assert_eq!(files(&moved), [home.path().join(".claude.json")]);
}

#[test]
fn a_star_stands_for_every_name_but_hidden_ones() {
    let root = tempfile::tempdir().unwrap();
    for file in [
        "profiles/b/mcp.json",
        "profiles/a/mcp.json",
        "profiles/.c/mcp.json",
        "profiles/x.yaml",
        "profiles/.yaml",
    ] {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let at = |pattern: &str| -> Vec<String> {
        let found = matches(root.path(), pattern);
        let found = found.iter().map(|path| path.strip_prefix(root.path()).unwrap().display().to_string());
        found.filter(|path| root.path().join(path).is_file()).collect()
    };
    assert_eq!(at("profiles/*/mcp.json"), ["profiles/a/mcp.json", "profiles/b/mcp.json"]);
    assert_eq!(at("profiles/*.yaml"), ["profiles/x.yaml"]);
}

#[test]
fn every_client_can_be_told_from_every_other_one() {
    let ids: std::collections::BTreeSet<&str> = CLIENTS.iter().map(|client| client.id).collect();
    assert_eq!(ids.len(), CLIENTS.len());
    let names: std::collections::BTreeSet<&str> = CLIENTS.iter().map(|client| client.name).collect();
    assert_eq!(names.len(), CLIENTS.len());
}
