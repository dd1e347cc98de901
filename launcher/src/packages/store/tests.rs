//! The store in a directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::super::pin::{Accepted, Tree};
use super::super::request::{Asked, Wanted};
use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let facts = Facts { state_dir: dir.path().join("state"), ..Facts::gather().unwrap() };
    let store = Store::of(&facts);
    store.open(&facts).unwrap();
    (dir, store)
}

fn pin() -> Pin {
    let wanted = vec![Wanted { name: "x".to_owned(), version: None, typed: "x".to_owned() }];
    Pin {
        v: FORMAT,
        ecosystem: "npm".to_owned(),
        asked: Asked { wanted, registry: None, python: None },
        registry: "https://r/".to_owned(),
        python: None,
        first_seen: "2026-01-01T00:00:00Z".to_owned(),
        accepted_at: "2026-01-01T00:00:00Z".to_owned(),
        accepted: Accepted::FirstUse,
        checked: None,
        tree: Tree {
            version: "1.0.0".to_owned(),
            lock_sha256: "aa".to_owned(),
            scripts: false,
            packages: Vec::new(),
        },
        waiting: None,
    }
}

#[test]
fn a_pin_is_read_as_it_was_written_and_a_damaged_one_is_no_first_use() {
    let (_dir, store) = store();
    assert_eq!(store.load("npm-x").unwrap(), None);
    store.save("npm-x", &pin()).unwrap();
    assert_eq!(store.load("npm-x").unwrap(), Some(pin()));
    fs::write(store.pin_path("npm-x"), "{\"v\":1").unwrap();
    assert!(store.load("npm-x").unwrap_err().to_string().contains("damaged"));
    let newer = serde_json::to_string(&Pin { v: FORMAT + 1, ..pin() }).unwrap();
    fs::write(store.pin_path("npm-x"), newer).unwrap();
    assert!(store.load("npm-x").unwrap_err().to_string().contains("another version"));
}

#[test]
fn a_lock_file_that_was_changed_is_not_taken() {
    let (_dir, store) = store();
    let sha256 = crate::identity::sha256_hex(b"lock");
    store.keep_lock(&sha256, "lock").unwrap();
    assert_eq!(store.lock_text(&sha256).unwrap(), "lock");
    fs::write(store.lock_path(&sha256), "other").unwrap();
    assert!(store.lock_text(&sha256).is_err());
}

#[test]
fn what_a_killed_fetch_left_is_removed_by_the_next_of_the_same_request() {
    let (_dir, store) = store();
    let held = store.hold("npm-x").unwrap();
    let left = store.staging("npm-x", &held).unwrap();
    let dir = left.dir().to_owned();
    fs::create_dir(dir.join("closed")).unwrap();
    fs::write(dir.join("closed/file"), "").unwrap();
    fs::set_permissions(dir.join("closed"), fs::Permissions::from_mode(0o500)).unwrap();
    std::mem::forget(left);
    let other = store.staging("npm-xy", &held).unwrap();
    assert!(dir.exists(), "another request's is left alone");
    let next = store.staging("npm-x", &held).unwrap();
    assert!(!dir.exists() && next.dir().exists() && other.dir().exists());
}

#[test]
fn a_tree_that_others_can_write_is_not_taken_for_ours() {
    let (dir, store) = store();
    let tree = dir.path().join("tree");
    assert!(!store.has_tree(&tree));
    fs::create_dir(&tree).unwrap();
    assert!(store.has_tree(&tree));
    fs::set_permissions(&tree, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(!store.has_tree(&tree));
    std::os::unix::fs::symlink("/usr", dir.path().join("link")).unwrap();
    assert!(!store.has_tree(&dir.path().join("link")));
}

#[test]
fn a_request_is_held_by_one_at_a_time() {
    let (_dir, store) = store();
    let held = store.hold("npm-x").unwrap();
    assert!(store.try_hold("npm-x").is_none());
    assert!(store.try_hold("npm-y").is_some());
    drop(held);
    assert!(store.try_hold("npm-x").is_some());
}

#[test]
fn only_what_no_pin_names_is_pruned() {
    let (_dir, store) = store();
    let (kept, lost) = (store.tree("npm", "kept"), store.tree("npm", "lost"));
    for tree in [&kept, &lost] {
        fs::create_dir_all(tree).unwrap();
    }
    store.keep_lock("aa", "").unwrap();
    store.keep_lock("bb", "").unwrap();
    let removed = store.prune(std::slice::from_ref(&kept), &["aa".to_owned()]).unwrap();
    assert_eq!(removed, [lost]);
    assert!(kept.exists() && store.lock_path("aa").exists() && !store.lock_path("bb").exists());
}
