//! G1 in granted projects: secrets stay closed, and what other programs obey stays as it is, by whatever way a server
//! goes there. The rest of the project is what was granted.

use serde_json::json;

use super::{Outcomes, inside, outside};
use crate::support::World;

const BACKENDS: [&str; 3] = ["namespaces", "notify", "static"];

/// A repository with secrets in it, and a place with what it needs to be searched for.
fn project() -> World {
    let world = World::new();
    for (name, text) in [
        (".env", "TOKEN=x"),
        ("api/.env.production", "TOKEN=x"),
        (".envrc", "export TOKEN=x"),
        (".git/config", "[core]"),
        (".git/index", "index"),
        (".git/hooks/pre-commit", "#!/bin/sh"),
        (".vscode/tasks.json", "{}"),
        (".mcp.json", "{}"),
        ("sub/.git/hooks/post-merge", "#!/bin/sh"),
        ("src/main.rs", "fn main() {}"),
        (".env.example", "TOKEN="),
    ] {
        world.write(&format!("project/{name}"), text);
    }
    world
}

fn found(outcomes: &Outcomes, names: &[&str]) -> Vec<String> {
    names.iter().filter(|name| outcomes[**name] == "done").map(|name| (*name).to_owned()).collect()
}

#[test]
fn secrets_of_a_granted_project_stay_closed() {
    let world = project();
    let at = |name: &str| world.project().join(name).display().to_string();
    let attempts = json!([
        ["read", "read", at(".env")],
        ["read a deeper one", "read", at("api/.env.production")],
        ["read .envrc", "read", at(".envrc")],
        ["read through a link", "through_link", at(".env"), at("src/alias")],
        ["read through /proc", "read", format!("/proc/self/root{}", at(".env"))],
        ["read through the directory", "read", "/proc/self/cwd/.env"],
        ["link it elsewhere", "link", at(".env"), at("src/linked")],
        ["rename it", "rename", at(".env"), at("src/moved")],
        ["rename its directory", "rename", at("api"), at("src/moved")],
        ["overwrite it", "write", at(".env")],
    ]);
    let names: Vec<&str> = attempts.as_array().unwrap().iter().filter_map(|one| one[0].as_str()).collect();
    assert_eq!(found(&outside(&world, &attempts), &names), names, "what fails outside proves nothing");
    for flag in ["--grant-read", "--grant-write"] {
        let project = world.project().display().to_string();
        for backend in BACKENDS {
            let outcomes = inside(&world, backend, &[flag, &project], &attempts);
            assert_eq!(found(&outcomes, &names), [""; 0], "{backend}, {flag}");
        }
    }
}

#[test]
fn what_other_programs_obey_is_not_written_in_a_granted_project() {
    let world = project();
    let at = |name: &str| world.project().join(name).display().to_string();
    let attempts = json!([
        ["change a hook", "write", at(".git/hooks/pre-commit")],
        ["add a hook", "create", at(".git/hooks/post-commit")],
        ["truncate a hook", "truncate", at(".git/hooks/pre-commit")],
        ["replace the hooks", "rename", at(".git/hooks"), at(".git/old")],
        ["replace the repository", "rename", at(".git"), at("old")],
        ["change the configuration", "write", at(".git/config")],
        ["replace the configuration", "rename", at(".git/index"), at(".git/config2")],
        ["change a task", "write", at(".vscode/tasks.json")],
        ["add a task", "create", at(".vscode/settings.json")],
        ["add a server", "write", at(".mcp.json")],
        ["change a deeper hook", "write", at("sub/.git/hooks/post-merge")],
        ["change a hook through a link", "write", "/proc/self/cwd/.git/hooks/pre-commit"],
    ]);
    let names: Vec<&str> = attempts.as_array().unwrap().iter().filter_map(|one| one[0].as_str()).collect();
    assert_eq!(found(&outside(&world, &attempts), &names), names, "what fails outside proves nothing");
    // Renaming the index is git's daily bread: it shows that the repository as such may be written.
    let closed: Vec<&str> =
        names.iter().copied().filter(|name| *name != "replace the configuration").collect();
    let project = world.project().display().to_string();
    for backend in BACKENDS {
        let outcomes = inside(&world, backend, &["--grant-write", &project], &attempts);
        assert_eq!(found(&outcomes, &closed), [""; 0], "{backend}");
    }
}

#[test]
fn the_rest_of_a_granted_project_is_granted() {
    let world = project();
    let at = |name: &str| world.project().join(name).display().to_string();
    let attempts = json!([
        ["read a source", "read", at("src/main.rs")],
        ["write a source", "write", at("src/main.rs")],
        ["create a source", "create", at("src/new.rs")],
        ["read a hook", "read", at(".git/hooks/pre-commit")],
        ["read the configuration", "read", at(".git/config")],
        ["write the index", "write", at(".git/index")],
        ["read an example", "read", at(".env.example")],
    ]);
    let names: Vec<&str> = attempts.as_array().unwrap().iter().filter_map(|one| one[0].as_str()).collect();
    let project = world.project().display().to_string();
    for backend in BACKENDS {
        let outcomes = inside(&world, backend, &["--grant-write", &project], &attempts);
        assert_eq!(found(&outcomes, &names), names, "{backend}: {outcomes:?}");
    }
    // Only where closed places are masked can a directory that holds some be granted as a whole.
    let root = json!([["create beside secrets", "create", at("new.txt")]]);
    let created = |backend| {
        inside(&world, backend, &["--grant-write", &project], &root)["create beside secrets"].clone()
    };
    assert_eq!(created("namespaces"), "done");
    assert_ne!(created("notify"), "done", "the plan says that it is granted by its children");
    // Its names are no secret: a server that cannot list the project it works in is of no use.
    let names = json!([["list the project", "list", project], ["read a secret", "read", at(".env")]]);
    for backend in BACKENDS {
        let outcomes = inside(&world, backend, &["--grant-write", &project], &names);
        assert_eq!(outcomes["list the project"], "done", "{backend}");
        assert_ne!(outcomes["read a secret"], "done", "{backend}");
    }
}
