//! What uv and pip write, and what is made of it.

use super::*;

fn one(name: &str, version: Option<&str>, typed: &str) -> Wanted {
    Wanted { name: name.to_owned(), version: version.map(str::to_owned), typed: typed.to_owned() }
}

#[test]
fn the_words_of_uvx_become_requirements() {
    let text = wanted(&[
        one("mcp-server-time", None, "mcp-server-time"),
        one("a", Some("latest"), "a@latest"),
        one("b", Some("1.2.3"), "b@1.2.3"),
        one("c", Some(">=2,<3"), "c[x,y]>=2,<3"),
    ]);
    assert_eq!(text, "mcp-server-time\na\nb==1.2.3\nc[x,y]>=2,<3\n");
}

#[test]
fn the_lock_of_uv_is_read_with_every_hash() {
    let text = "# c\nAnyio==4.0 \\\n    --hash=sha256:bb \\\n    --hash=sha256:aa\nb.c==1 ; python_version > '3' \\\n    --hash=sha256:cc\n";
    let packages = locked_lines(text).unwrap();
    assert_eq!(packages[0].name, "anyio");
    assert_eq!(packages[0].integrity, ["sha256:aa", "sha256:bb"]);
    assert_eq!((packages[1].name.as_str(), packages[1].version.as_str()), ("b-c", "1"));
    let lock = lock_text(&packages);
    assert_eq!(locked_lines(&lock).unwrap(), packages, "what is pinned reads the same");
    assert_eq!(locked_lines(""), None);
}

#[test]
fn the_report_of_pip_is_read_and_a_package_without_hash_is_refused() {
    let tool = Tool {
        uv: None,
        python: Interpreter { program: PathBuf::from("/usr/bin/python3.11"), version: "3.11".to_owned() },
    };
    let report = |hashes: Value| {
        serde_json::json!({ "install": [{ "metadata": { "name": "A_b", "version": "2" }, "download_info": { "archive_info": { "hashes": hashes } } }] }).to_string()
    };
    let (lock, packages) = tool.read(&report(serde_json::json!({ "sha256": "ff" }))).unwrap();
    assert_eq!(lock, "a-b==2 \\\n    --hash=sha256:ff\n");
    assert_eq!(packages[0].name, "a-b");
    let failure = tool.read(&report(serde_json::json!({}))).unwrap_err();
    assert!(failure.to_string().contains("no hash"), "{failure}");
}

#[test]
fn a_python_is_known_by_its_name() {
    assert_eq!(version_in_name(Path::new("/usr/bin/python3.12")).as_deref(), Some("3.12"));
    for other in ["/usr/bin/python3", "/usr/bin/pypy3.10x", "/usr/bin/python3.x"] {
        assert_eq!(version_in_name(Path::new(other)), None, "{other}");
    }
}
