//! What was learnt, put beside a profile that is there.

use serde_json::json;

use super::{alone, check, granted, learn};
use crate::support::World;

const MINE: &str = "# Mine, by hand.\nname = \"mine\"\ndescription = \"Mine\"\nextends = \"offline\"\n\n[fs]\nread = [\n  \
                    { path = \"${workspace}/kept.txt\", reason = \"mine\" }, # keep this\n]\n\n# The end.\n";

#[test]
fn lines_are_added_to_a_profile_of_the_users_and_every_other_byte_stays() {
    let world = World::new();
    let file = world.write("config/stockade/profiles/mine.toml", MINE);
    let note = world.write("home/notes/x", "a note");
    world.write("project/kept.txt", "kept");
    let kept = world.project().join("kept.txt");
    learn(&world, "namespaces", &[("read", json!({ "path": note })), ("read", json!({ "path": kept }))]);
    let merged = alone(&world, &["--propose", "--merge", "mine"]);
    assert_eq!(merged.code(), 0, "{merged:#?}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(granted(&text)["read"], ["${workspace}/kept.txt", "${home}/notes/x"], "{text}");
    let without: String =
        text.lines().filter(|line| !line.contains("notes/x")).map(|line| format!("{line}\n")).collect();
    assert_eq!(without, MINE, "{text}");
    check(&world, &text.replace("\"mine\"", "\"other\""));
    let again = alone(&world, &["--propose", "--merge", "mine"]);
    assert!(again.stderr.contains("grants all of it already"), "{again:#?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "nothing was added twice");
}

#[test]
fn a_profile_that_cannot_be_added_to_stays_as_it_is() {
    let world = World::new();
    let text = "name = \"mine\"\ndescription = \"Mine\"\nextends = \"offline\"\nfs = { write = [] }\n";
    let file = world.write("mine.toml", text);
    let note = world.write("home/notes/x", "a note");
    learn(&world, "namespaces", &[("read", json!({ "path": note }))]);
    let merged = alone(&world, &["--propose", "--merge", file.to_str().unwrap()]);
    assert_ne!(merged.code(), 0, "{merged:#?}");
    assert!(merged.stderr.contains("by hand"), "{merged:#?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn the_difference_to_the_profile_in_force_is_shown() {
    let world = World::new();
    let note = world.write("home/notes/x", "a note");
    learn(&world, "namespaces", &[("read", json!({ "path": note }))]);
    let shown = alone(&world, &["--propose", "--diff"]);
    let text = shown.stdout_text();
    assert!(text.contains("default → ") && text.contains("${home}/notes/x"), "{shown:#?}");
    assert!(text.contains("- ") && text.contains("*:443"), "what is not needed is told as well: {text}");
}
