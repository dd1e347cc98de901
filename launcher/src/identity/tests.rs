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
