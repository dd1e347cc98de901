//! G5: the environment holds the allowlist and what was named; no file descriptor is inherited but 0, 1 and 2.

use std::ffi::OsString;
use std::process::Command;

use serde_json::json;

use super::{BACKENDS, is_closed, outcomes};
use crate::support::{World, fixture_command, stockade_bin};

const SECRETS: [&str; 5] =
    ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "NODE_OPTIONS"];

#[test]
fn secrets_of_the_parents_environment_stay_there() {
    let world = World::new();
    let attempts = json!(SECRETS.map(|name| json!([name, "environment", name])));
    let words = |command: &mut Command| {
        world.dress(command);
        command.envs(SECRETS.map(|name| (name, "value")));
    };
    let bare = fixture_command("probe.py", &[&attempts.to_string()]);
    let mut command = Command::new(&bare[0]);
    command.args(&bare[1..]);
    words(&mut command);
    assert!(
        outcomes(&mut command).values().all(|outcome| outcome == "done"),
        "the probe finds nothing outside either"
    );
    for backend in BACKENDS {
        let mut command = Command::new(stockade_bin());
        command.args(["run", "--backend", backend, "--env", "GITHUB_TOKEN", "--"]).args(&bare);
        words(&mut command);
        let found = outcomes(&mut command);
        for name in SECRETS {
            let expected = if name == "GITHUB_TOKEN" { "done" } else { "ENOENT" };
            assert_eq!(found[name], expected, "{name} ({backend})");
        }
    }
}

#[test]
fn no_file_descriptor_is_inherited_but_the_three() {
    let world = World::new();
    let secret = world.write("home/secret", "open for the parent");
    // The directory that lists the descriptors is one itself while it is read, and gone when it is looked at.
    let attempts = json!([["the leak", "descriptor", 9], ["descriptors", "descriptors", [0, 1, 2]]]);
    let with_leak = |words: Vec<OsString>| {
        let mut command = Command::new("/bin/bash");
        command.arg("-c").arg(format!("exec 9<'{}'; exec \"$0\" \"$@\"", secret.display())).args(words);
        world.dress(&mut command);
        outcomes(&mut command)
    };
    let probe = fixture_command("probe.py", &[&attempts.to_string()]);
    let bare = with_leak(probe.clone());
    assert_eq!(bare["the leak"], "done", "nothing was inherited outside either");
    assert_ne!(bare["descriptors"], "done", "the probe does not see what was inherited");
    for backend in BACKENDS {
        let mut words: Vec<OsString> = vec![stockade_bin().into()];
        words.extend(["run", "--backend", backend, "--"].map(OsString::from));
        words.extend(probe.clone());
        let found = with_leak(words);
        assert_eq!((&*found["the leak"], &*found["descriptors"]), ("EBADF", "done"), "{backend}");
    }
}

#[test]
fn the_private_home_is_writable_and_not_the_users_also_behind_a_link() {
    let world = World::new();
    let marker = world.write("home/marker", "x");
    let link = world.root().join("link");
    std::os::unix::fs::symlink(world.state(), &link).unwrap();
    let attempts =
        json!([["the user's home", "read", marker.display().to_string()], ["write in HOME", "in_home"]]);
    let probe = fixture_command("probe.py", &[&attempts.to_string()]);
    for backend in BACKENDS {
        let mut words: Vec<OsString> = ["run", "--backend", backend, "--"].map(OsString::from).to_vec();
        words.extend(probe.clone());
        let mut command = world.stockade(words);
        command.env("XDG_STATE_HOME", &link);
        let found = outcomes(&mut command);
        assert!(is_closed(&found["the user's home"]), "{backend}: {found:?}");
        assert_eq!(found["write in HOME"], "done", "{backend}");
    }
}
