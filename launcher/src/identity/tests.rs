//! Command lines and what they run, on files made here.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn facts(home: &Path, cwd: &Path) -> Facts {
    Facts { home: home.to_owned(), cwd: cwd.to_owned(), ..Facts::gather().unwrap() }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[test]
fn a_script_in_node_modules_is_its_package() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let script = home.join("app/node_modules/@scope/server-x/dist/index.js");
    write(&script, "", 0o644);
    write(
        &home.join("app/node_modules/@scope/server-x/package.json"),
        r#"{"name":"@scope/server-x","version":"1.2.3"}"#,
        0o644,
    );
    write(&home.join("rt/bin/node"), "\x7fELF", 0o755);
    let node = home.join("rt/bin/node");
    let command = words(&[node.to_str().unwrap(), script.to_str().unwrap(), "--dir=app", "main", "."]);
    let resolved = resolve(&command, &facts(&home, &home.join("app"))).unwrap();
    assert_eq!(resolved.identities[0], "pkg:npm/%40scope/server-x@1.2.3");
    assert!(resolved.identities[1].starts_with("file:sha256:"));
    assert_eq!(resolved.name, "server-x");
    assert_eq!(resolved.package_roots, [home.join("app/node_modules")]);
    assert_eq!(resolved.exec_roots, [home.join("rt")]);
    assert_eq!(
        resolved.argument_paths,
        [home.join("app")],
        "`main` is no path, `--dir=app` names nothing there"
    );
}

#[test]
fn an_entry_point_of_a_virtual_environment_is_its_distribution() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let venv = home.join("work/venv");
    write(&home.join("py/bin/python3"), "\x7fELF", 0o755);
    fs::create_dir_all(venv.join("bin")).unwrap();
    symlink(home.join("py/bin/python3"), venv.join("bin/python")).unwrap();
    write(&venv.join("bin/mcp-x"), &format!("#!{}\nimport x\n", venv.join("bin/python").display()), 0o755);
    let info = venv.join("lib/python3.11/site-packages/mcp_x-2.0.dist-info");
    write(&info.join("entry_points.txt"), "[console_scripts]\nmcp-x = x:main\n", 0o644);
    write(&info.join("METADATA"), "Metadata-Version: 2.1\nName: Mcp_X\nVersion: 2.0\n", 0o644);
    let resolved =
        resolve(&words(&[venv.join("bin/mcp-x").to_str().unwrap()]), &facts(&home, &home)).unwrap();
    assert_eq!(resolved.identities[0], "pkg:pypi/mcp-x@2.0");
    assert_eq!(resolved.exec_roots, [home.join("py"), venv]);
}

#[test]
fn a_program_in_a_shared_directory_does_not_open_that_directory() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    write(&home.join(".local/bin/tool"), "\x7fELF", 0o755);
    write(&home.join("bin/tool"), "\x7fELF", 0o755);
    for (program, root) in [(".local/bin/tool", ".local/bin"), ("bin/tool", "bin")] {
        let command = words(&[home.join(program).to_str().unwrap()]);
        let resolved = resolve(&command, &facts(&home, &home)).unwrap();
        assert_eq!(resolved.exec_roots, [home.join(root)], "{program}");
    }
}

#[test]
fn a_missing_program_and_one_without_execute_permission_differ() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("plain"), "x", 0o644);
    let facts = facts(dir.path(), dir.path());
    assert_eq!(resolve(&words(&["./absent"]), &facts).unwrap_err().kind, Kind::NotFound);
    assert_eq!(resolve(&words(&["no-such-program-anywhere"]), &facts).unwrap_err().kind, Kind::NotFound);
    assert_eq!(resolve(&words(&["./plain"]), &facts).unwrap_err().kind, Kind::NotExecutable);
}

fn line(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

/// A place with a node whose directory is the whole PATH.
fn with_node(home: &Path) -> Facts {
    write(&home.join("rt/bin/node"), "\x7fELF", 0o755);
    for program in ["npx", "uvx", "docker", "python3", "deno", "uv"] {
        write(&home.join("rt/bin").join(program), "\x7fELF", 0o755);
    }
    let mut facts = facts(home, &home.join("app"));
    fs::create_dir_all(home.join("app")).unwrap();
    facts.env.insert("PATH".into(), format!("{}:/usr/bin:/bin", home.join("rt/bin").display()).into());
    facts
}

#[test]
fn wrappers_are_peeled_and_what_they_set_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let facts = with_node(&home);
    write(&home.join("app/server.js"), "the server", 0o644);
    let bare = resolve(&line("node server.js --x"), &facts).unwrap();
    let command = words(&["/usr/bin/env", "A=1", "sh", "-c", "B='2 3' exec node server.js --x"]);
    let wrapped = resolve(&command, &facts).unwrap();
    assert_eq!(wrapped.set, [("A".to_owned(), "1".into()), ("B".to_owned(), "2 3".into())]);
    assert_eq!(wrapped.argv, line("node server.js --x"));
    assert_eq!(Resolved { set: Vec::new(), ..wrapped }, bare, "but for the variables nothing differs");
    assert_eq!(bare.identities, [format!("file:sha256:{}", sha256_hex(b"the server"))]);
    assert_eq!(bare.code, home.join("app/server.js").display().to_string());
}

#[test]
fn a_program_is_looked_for_where_the_wrapper_says() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let facts = with_node(&home);
    write(&home.join("other/bin/srv"), "\x7fELF", 0o755);
    assert_eq!(resolve(&line("srv"), &facts).unwrap_err().kind, Kind::NotFound);
    let path = format!("PATH={}", home.join("other/bin").display());
    let resolved = resolve(&words(&["env", &path, "srv"]), &facts).unwrap();
    assert_eq!(resolved.program, home.join("other/bin/srv"));
    assert_eq!(resolved.identities.len(), 1, "a changed PATH leaves open what else runs");
    assert!(resolved.identities[0].starts_with("command:sha256:"), "{:?}", resolved.identities);
}

#[test]
fn what_an_option_leaves_open_is_known_by_its_words_alone() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let facts = with_node(&home);
    write(&home.join("app/server.js"), "", 0o644);
    write(&home.join("app/evil.mjs"), "", 0o644);
    let plain = resolve(&line("node server.js"), &facts).unwrap();
    for changed in [
        "node --import ./evil.mjs server.js",
        "env NODE_OPTIONS=--import=./evil.mjs node server.js",
        "sudo node server.js",
        "npx --wat @a/b",
    ] {
        write(&home.join("rt/bin/sudo"), "\x7fELF", 0o755);
        let resolved = resolve(&line(changed), &facts).unwrap();
        assert!(
            matches!(resolved.identities.as_slice(), [one] if one.starts_with("command:sha256:")),
            "{changed}: {:?}",
            resolved.identities
        );
        assert!(!resolved.identities.contains(&plain.identities[0]), "{changed}");
    }
}

#[test]
fn what_is_yet_to_be_fetched_is_named_by_its_words() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let facts = with_node(&home);
    for (command, purl) in [
        ("npx -y @scope/srv", Some("pkg:npm/%40scope/srv")),
        ("npx -y srv@1.2.3", Some("pkg:npm/srv@1.2.3")),
        ("npx -y srv@latest", Some("pkg:npm/srv")),
        ("npx -y srv@1", Some("pkg:npm/srv")),
        ("npx -p @scope/srv srv", Some("pkg:npm/%40scope/srv")),
        ("uvx Mcp_Srv==1.2.0", Some("pkg:pypi/mcp-srv@1.2.0")),
        ("uvx --with x srv", Some("pkg:pypi/srv")),
        ("env A=1 uvx srv", Some("pkg:pypi/srv")),
        ("npx --registry https://r.example srv", None),
        ("npx github:a/b", None),
        ("uvx --from git+https://h.example/a srv", None),
        ("uv run --with httpx server.py", None),
        ("uv run --with httpx --with srv other", None),
    ] {
        let identities = resolve(&line(command), &facts).unwrap().identities;
        let (named, rest) = identities.split_last().unwrap();
        assert!(named.starts_with("command:sha256:"), "{command}: {identities:?}");
        assert_eq!(rest.first().map(String::as_str), purl, "{command}");
    }
}

#[test]
fn images_scripts_and_inline_code_are_named_as_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let facts = with_node(&home);
    let first = |command: &[OsString]| resolve(command, &facts).unwrap().identities.remove(0);
    assert_eq!(first(&line("docker run -i mcp/x:1")), "pkg:oci/x?repository_url=docker.io/mcp/x&tag=1");
    assert!(first(&line("docker run -i 0123")).starts_with("pkg:oci/0123?"));
    assert!(first(&line("docker compose up")).starts_with("command:"));
    let script = "cd /x && node server.js";
    assert_eq!(
        first(&words(&["sh", "-c", script])),
        format!("script:sha256:{}", sha256_hex(script.as_bytes()))
    );
    assert_eq!(first(&line("deno run -A npm:@s/x@1.2.3/srv")), "pkg:npm/%40s/x@1.2.3");
    assert_eq!(first(&line("deno run -A jsr:@s/x@^1")), "pkg:jsr/%40s/x");
    assert!(first(&line("deno run -A https://h.example/x.ts")).starts_with("command:"));
    assert!(first(&line("node -e 1")).starts_with("command:"));
    assert_ne!(first(&line("node -e 1")), first(&line("node -e 2")));
}

#[test]
fn a_module_is_its_distribution_unless_the_working_directory_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let facts = with_node(&home);
    let info = home.join("venv/lib/python3.11/site-packages/mcp_x-2.0.dist-info");
    write(&home.join("venv/bin/python"), "\x7fELF", 0o755);
    write(&info.join("METADATA"), "Name: mcp-x\nVersion: 2.0\n", 0o644);
    write(&info.join("RECORD"), "mcp_x/__main__.py,sha256=x,1\n", 0o644);
    let command = words(&[home.join("venv/bin/python").to_str().unwrap(), "-um", "mcp_x", "-m", "other"]);
    let resolved = resolve(&command, &facts).unwrap();
    assert_eq!(resolved.identities[0], "pkg:pypi/mcp-x@2.0");
    assert!(resolved.integrity.unwrap().of.contains("RECORD"));
    write(&home.join("app/mcp_x.py"), "evil", 0o644);
    assert!(resolve(&command, &facts).unwrap().identities[0].starts_with("command:"));
}

#[test]
fn uv_run_starts_a_script_or_a_program_of_the_project() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let facts = with_node(&home);
    write(&home.join("proj/pyproject.toml"), "", 0o644);
    write(&home.join("proj/server.py"), "", 0o644);
    write(&home.join("proj/.venv/bin/srv"), "#!/nowhere/python\n", 0o755);
    let proj = home.join("proj").display().to_string();
    for (command, code) in [
        (words(&["uv", "--directory", &proj, "run", "server.py", "--x"]), "proj/server.py"),
        (words(&["uv", "run", "--directory", &proj, "srv"]), "proj/.venv/bin/srv"),
        (words(&["uv", "run", "--project", &proj, "srv"]), "proj/.venv/bin/srv"),
    ] {
        let resolved = resolve(&command, &facts).unwrap();
        assert_eq!(resolved.code, home.join(code).display().to_string(), "{command:?}");
        assert!(resolved.identities[0].starts_with("file:sha256:"), "{command:?}");
        assert_eq!(resolved.package_roots, [home.join("proj")], "{command:?}");
    }
    let other = resolve(&words(&["uv", "--directory", &proj, "run", "pytest"]), &facts).unwrap();
    assert!(other.identities[0].starts_with("command:"), "nothing of it is installed there");
}

#[test]
fn npms_lock_says_what_was_installed() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let facts = with_node(&home);
    let modules = home.join("app/node_modules");
    write(&modules.join("@s/x/index.js"), "", 0o644);
    write(&modules.join("@s/x/package.json"), r#"{"name":"@s/x","version":"1.0.0"}"#, 0o644);
    let integrity = || resolve(&line("node node_modules/@s/x/index.js"), &facts).unwrap().integrity;
    assert_eq!(integrity(), None);
    let lock = r#"{"packages":{"node_modules/@s/x":{"version":"1.0.0","integrity":"sha512-abc"}}}"#;
    write(&modules.join(".package-lock.json"), lock, 0o644);
    assert_eq!(integrity().unwrap().hash, "sha512-abc");
}

#[test]
fn a_scripts_interpreter_that_is_itself_a_script_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(dir.path()).unwrap();
    let facts = with_node(&home);
    write(&home.join("tools/node_modules/tsx/cli.mjs"), "#!/usr/bin/env node\n", 0o755);
    fs::create_dir_all(home.join("tools/node_modules/.bin")).unwrap();
    symlink("../tsx/cli.mjs", home.join("tools/node_modules/.bin/tsx")).unwrap();
    write(&home.join("srv/package.json"), "{}", 0o644);
    write(&home.join("srv/index.ts"), "", 0o644);
    let tsx = home.join("tools/node_modules/.bin/tsx").display().to_string();
    let resolved =
        resolve(&words(&[&tsx, &home.join("srv/index.ts").display().to_string()]), &facts).unwrap();
    assert_eq!(resolved.package_roots, [home.join("srv"), home.join("tools/node_modules")]);
    assert!(resolved.identities[0].starts_with("file:sha256:"), "the script's, not tsx's");
}
