//! G1: files outside of the grants cannot be read, listed, executed, created, written, truncated, renamed, linked or
//! removed.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{BACKENDS, check, inside, is_closed, outside};
use crate::support::World;

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("paths of this test are text")
}

#[test]
fn files_outside_of_the_grants_are_closed_to_every_kind_of_access() {
    let world = World::new();
    let secret = world.write("home/.ssh/id_rsa", "key material");
    let notes = world.write("home/notes.txt", "notes of the user");
    let script = world.write("home/tool", "#!/bin/sh\nexit 0\n");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let project = world.write("project/.env", "TOKEN=x");
    let home = world.home();
    let at = |name: &str| home.join(name).display().to_string();
    let attempts = json!([
        ["read a key", "read", text(&secret)],
        ["list the home", "list", text(&home)],
        ["read a secret of the project", "read", text(&project)],
        ["read through /proc/self/root", "read", format!("/proc/self/root{}", text(&secret))],
        ["read through /proc/self/cwd", "read", "/proc/self/cwd/.env"],
        ["run a program", "run", text(&script)],
        ["create a file", "create", at("new")],
        ["append to a file", "write", text(&notes)],
        ["truncate a file", "truncate", text(&notes)],
        ["rename a file", "rename", text(&notes), at("moved")],
        ["link a file", "link", text(&notes), at("linked")],
        ["make a directory", "mkdir", at("dir")],
        ["read through a link", "through_link", text(&secret), at("alias")],
    ]);
    check(&world, &[], &attempts, &[]);
    assert_eq!(
        std::fs::read_to_string(&notes).unwrap().len(),
        3,
        "only the probe outside may have truncated it"
    );
}

#[test]
fn stockades_own_files_are_closed() {
    let world = World::new();
    world.user_policy("version = 1\n");
    // A first session makes the state directory.
    inside(&world, "static", &[], &json!([]));
    let state = world.state().join("stockade");
    let other = state.join("servers/other-00000000/state/home");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("token"), "a token").unwrap();
    let own = |below: &str| state.join(below).display().to_string();
    let policy = world.root().join("config/stockade/policy.toml");
    let attempts = json!([
        ["read the hash key", "read", own("key")],
        ["list the events", "list", own("events")],
        ["forge an event", "create", own("events/forged.jsonl")],
        ["change the policy", "write", text(&policy)],
        ["read what another server wrote", "read", own("servers/other-00000000/state/home/token")],
    ]);
    // Outside, changing the policy would change the run inside: its own two attempts come first.
    for backend in BACKENDS {
        for (name, outcome) in inside(&world, backend, &[], &attempts) {
            assert!(is_closed(&outcome), "`{name}` ({backend}): {outcome}");
        }
    }
    for (name, outcome) in outside(&world, &attempts) {
        assert_eq!(outcome, "done", "`{name}` fails without a jail as well: it proves nothing");
    }
}

#[test]
fn a_read_grant_is_no_write_grant_and_a_write_grant_is_no_execute_grant() {
    let world = World::new();
    let file = world.write("data/file", "four");
    let data = world.root().join("data");
    let attempts = json!([
        ["read", "read", text(&file)],
        ["write", "write", text(&file)],
        ["create", "create", data.join("new")],
        ["execute", "run_copy", "/bin/true", data.join("copy")],
    ]);
    for (name, outcome) in outside(&world, &attempts) {
        assert_eq!(outcome, "done", "`{name}`");
    }
    for backend in BACKENDS {
        let read = inside(&world, backend, &["--grant-read", text(&data)], &attempts);
        assert_eq!(read["read"], "done", "{backend}");
        assert!(is_closed(&read["write"]) && is_closed(&read["create"]), "{backend}: {read:?}");
        let write = inside(&world, backend, &["--grant-write", text(&data)], &attempts);
        assert_eq!(
            (&*write["read"], &*write["write"], &*write["create"]),
            ("done", "done", "done"),
            "{backend}"
        );
        assert_eq!(write["execute"], "EACCES", "a program in a writable directory ran ({backend})");
    }
}

#[test]
fn a_grant_of_the_home_directory_keeps_its_sensitive_places_closed() {
    let world = World::new();
    let secret = world.write("home/.aws/credentials", "key material");
    let history = world.write("home/.bash_history", "history");
    let notes = world.write("home/notes/a.txt", "notes");
    let link = world.home().join("alias");
    std::os::unix::fs::symlink(world.home().join(".aws"), &link).unwrap();
    let attempts = json!([
        ["a credential", "read", text(&secret)],
        ["a history", "read", text(&history)],
        ["a credential through a link", "read", link.join("credentials")],
        ["notes", "read", text(&notes)],
    ]);
    for (name, outcome) in outside(&world, &attempts) {
        assert_eq!(outcome, "done", "`{name}`");
    }
    let home = world.home();
    for backend in BACKENDS {
        let found = inside(&world, backend, &["--grant-write", text(&home)], &attempts);
        assert_eq!(found["notes"], "done", "{backend}");
        for name in ["a credential", "a history", "a credential through a link"] {
            assert!(is_closed(&found[name]), "`{name}` ({backend}): {found:?}");
        }
    }
}
