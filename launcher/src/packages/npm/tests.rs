//! Lock files and trees as npm leaves them, made here.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn wanted(name: &str, version: Option<&str>) -> Vec<Wanted> {
    vec![Wanted { name: name.to_owned(), version: version.map(str::to_owned), typed: name.to_owned() }]
}

fn lock(entries: &Value) -> String {
    json!({ "lockfileVersion": 3, "packages": entries }).to_string()
}

#[test]
fn a_lock_is_pinned_with_exact_versions_and_every_package() {
    let text = lock(&json!({
        "": { "dependencies": { "@a/b": "^1" } },
        "node_modules/@a/b": { "version": "1.2.0", "integrity": "sha512-AA==", "resolved": "https://r/b.tgz" },
        "node_modules/@a/b/node_modules/c": { "version": "3.0.0", "integrity": "sha512-CC==", "hasInstallScript": true },
        "node_modules/@a/b/node_modules/d": { "version": "1.0.0", "inBundle": true },
    }));
    let lock = Lock::parse(&text, &wanted("@a/b", Some("^1"))).unwrap();
    assert_eq!(lock.version, "1.2.0");
    let names: Vec<_> = lock.packages.iter().map(|one| format!("{}@{}", one.name, one.version)).collect();
    assert_eq!(names, ["@a/b@1.2.0", "c@3.0.0"]);
    assert_eq!(lock.with_scripts, ["c"]);
    let pinned: Value = serde_json::from_str(&lock.text).unwrap();
    assert_eq!(pinned["packages"][""]["dependencies"]["@a/b"], "1.2.0");
    assert_eq!(Lock::parse(&lock.text, &wanted("@a/b", Some("^1"))).unwrap(), lock, "it reads itself");
}

#[test]
fn a_package_that_no_hash_or_registry_vouches_for_is_refused() {
    for (entry, why) in [
        (json!({ "version": "1.0.0" }), "no hash"),
        (
            json!({ "version": "1.0.0", "integrity": "sha512-A", "resolved": "git+ssh://git@h/r.git#abc" }),
            "version control",
        ),
        (
            json!({ "version": "1.0.0", "integrity": "sha512-A", "resolved": "file:../evil" }),
            "version control",
        ),
        (json!({ "link": true, "resolved": "../evil" }), "link"),
    ] {
        let good = json!({ "version": "1.0.0", "integrity": "sha512-A" });
        let text = lock(&json!({ "": {}, "node_modules/x": good, "node_modules/y": entry }));
        let failure = Lock::parse(&text, &wanted("x", None)).unwrap_err();
        assert!(failure.to_string().contains(why), "{failure}");
    }
}

#[test]
fn what_npm_installed_is_held_against_the_lock() {
    let pinned = lock(
        &json!({ "": {}, "node_modules/x": { "version": "1", "integrity": "sha512-A" }, "node_modules/win": { "version": "1" } }),
    );
    let same = lock(&json!({ "node_modules/x": { "version": "1", "integrity": "sha512-A" } }));
    let other = lock(&json!({ "node_modules/x": { "version": "1", "integrity": "sha512-B" } }));
    let more = lock(
        &json!({ "node_modules/x": { "version": "1", "integrity": "sha512-A" }, "node_modules/y": { "version": "1" } }),
    );
    assert!(is_as_pinned(&same, &pinned), "what is for another system may be missing");
    assert!(!is_as_pinned(&other, &pinned) && !is_as_pinned(&more, &pinned) && !is_as_pinned("", &pinned));
}

fn installed(bin: &Value, files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let package = dir.path().join("node_modules/@a/b");
    fs::create_dir_all(&package).unwrap();
    fs::create_dir_all(dir.path().join("node_modules/.bin")).unwrap();
    fs::write(package.join("package.json"), json!({ "name": "@a/b", "bin": bin }).to_string()).unwrap();
    for (name, text) in files {
        fs::write(package.join(name), text).unwrap();
        fs::set_permissions(package.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

fn words(tree: &Path, entry: Option<&str>) -> Result<Vec<String>, Failure> {
    let words = start(tree, "@a/b", entry, None)?;
    Ok(words.iter().map(|word| word.to_string_lossy().rsplit('/').next().unwrap_or("").to_owned()).collect())
}

#[test]
fn the_program_is_the_one_that_npx_would_choose() {
    let files = [
        ("one.js", "#!/usr/bin/env node\n"),
        ("two.js", "#!/usr/bin/env -S node --x\n"),
        ("bin", "\x7fELF..."),
    ];
    let only = installed(&json!("one.js"), &files);
    assert_eq!(words(only.path(), None).unwrap(), ["node", "one.js"]);
    let named = installed(&json!({ "other": "one.js", "b": "two.js" }), &files);
    assert_eq!(words(named.path(), None).unwrap(), ["node", "--x", "two.js"]);
    let same = installed(&json!({ "p": "one.js", "q": "one.js" }), &files);
    assert_eq!(words(same.path(), None).unwrap(), ["node", "one.js"]);
    let native = installed(&json!({ "x": "bin" }), &files);
    assert_eq!(words(native.path(), None).unwrap(), ["bin"]);
    symlink("../@a/b/one.js", same.path().join("node_modules/.bin/prog")).unwrap();
    assert_eq!(words(same.path(), Some("prog")).unwrap(), ["node", "one.js"]);
}

#[test]
fn a_program_outside_of_the_tree_is_none() {
    let dir = installed(&json!({ "b": "../../../../outside.js", "c": "x" }), &[]);
    fs::write(dir.path().join("outside.js"), "").unwrap();
    assert!(words(dir.path(), None).is_err());
    symlink("/bin/sh", dir.path().join("node_modules/.bin/evil")).unwrap();
    for entry in ["evil", "../../x", "missing"] {
        assert!(words(dir.path(), Some(entry)).is_err(), "{entry}");
    }
}
