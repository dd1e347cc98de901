//! `stockade profile`: what there is, what one grants, whether a file is in order, what two differ in.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Finished, World, finish, tests_dir};

const DEADLINE: Duration = Duration::from_secs(30);

fn profile(world: &World, words: &[&str]) -> Finished {
    let mut command = world.stockade(["profile"].iter().chain(words));
    finish(command.spawn().expect("stockade starts"), DEADLINE)
}

fn with_input(world: &World, words: &[&str], input: &str) -> Finished {
    let mut command = world.stockade(["profile"].iter().chain(words));
    let mut child = command.stdin(Stdio::piped()).spawn().expect("stockade starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    finish(child, DEADLINE)
}

fn json(finished: &Finished) -> Value {
    assert_eq!(finished.code(), 0, "{finished:#?}");
    serde_json::from_slice(&finished.stdout)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {finished:#?}"))
}

/// A profile of the user's, found without a path.
fn own(world: &World, name: &str, lines: &str) -> String {
    let text = format!("name = \"{name}\"\ndescription = \"mine\"\n{lines}\n");
    let path = world.write(&format!("config/stockade/profiles/{name}.toml"), &text);
    path.display().to_string()
}

const GITHUB: &str = "extends = \"offline\"\n[net]\n\
                      allow = [{ host = \"api.github.com\", port = 443, reason = \"its API\" }]";

#[test]
fn the_list_says_where_each_profile_is_from() {
    let world = World::new();
    let file = own(&world, "mine", GITHUB);
    let list = json(&profile(&world, &["list", "--json"]));
    let entry =
        |name: &str| list.as_array().expect("a list").iter().find(|entry| entry["name"] == name).cloned();
    let mine = entry("mine").expect("it is listed");
    assert_eq!((&mine["from"], &mine["file"]), (&"user".into(), &file.into()));
    assert_eq!(mine["extends"], serde_json::json!(["offline", "linux"]));
    for name in ["default", "offline", "server-filesystem"] {
        assert_eq!(entry(name).expect("it is listed")["from"], "built-in", "{name}");
    }
    let text = profile(&world, &["list"]).stdout_text();
    assert!(text.contains("Yours\n  mine") && text.contains("Built in\n"), "{text}");
    assert!(text.contains("for pkg:pypi/mcp-server-git"), "{text}");
}

#[test]
fn a_profile_is_shown_by_name_and_by_file_with_reasons() {
    let world = World::new();
    let file = own(&world, "mine", GITHUB);
    let by_name = json(&profile(&world, &["show", "mine", "--json"]));
    assert_eq!(by_name, json(&profile(&world, &["show", &file, "--json"])));
    assert_eq!(by_name["net"]["allow"][0]["host"], "api.github.com");
    assert!(by_name["fs"]["exec"].as_array().expect("a list").len() > 5, "bases are folded in");
    let text = profile(&world, &["show", "mine"]).stdout_text();
    assert!(text.contains("api.github.com:443") && text.contains("its API"), "{text}");
    let slip = profile(&world, &["show", "defualt"]);
    assert_eq!(slip.code(), 78, "{slip:#?}");
    assert!(slip.stderr.contains("did you mean `default`?"), "{slip:#?}");
}

#[test]
fn a_file_in_order_passes_and_all_mistakes_of_others_are_told() {
    let world = World::new();
    let right = own(&world, "right", GITHUB);
    let passed = profile(&world, &["check", &right]);
    assert_eq!((passed.code(), passed.stderr.as_str()), (0, ""), "{passed:#?}");
    assert!(passed.stdout_text().contains("in order, profile `right`"), "{passed:#?}");
    let wrong = world.write(
        "wrong.toml",
        "name = \"wrong\"\ndescription = \"d\"\nextends = \"right\"\nremove = [\"api.github.com:80\"]\n[net]\n\
         allow = [{ host = \"API.example\", port = 0, reason = \"r\" }]\n[test]\nrefuses = [\"api.github.com:443\"]\n",
    );
    let failed = profile(&world, &["check", &right, wrong.to_str().expect("text")]);
    assert_eq!(failed.code(), 1, "{failed:#?}");
    for place in ["wrong.toml:4:11", "wrong.toml:6:19", "wrong.toml:6:41", "wrong.toml:8:12"] {
        assert!(failed.stderr.contains(place), "{place}: {}", failed.stderr);
    }
    assert!(failed.stdout_text().contains("in order, profile `right`"), "{failed:#?}");
    let missing = profile(&world, &["check", "nowhere.toml"]);
    assert_eq!(missing.code(), 78, "{missing:#?}");
}

#[test]
fn a_file_among_the_profiles_can_be_checked_before_and_after_it_is_mended() {
    let world = World::new();
    let file = own(&world, "mine", "extends = \"offlin\"");
    let failed = profile(&world, &["check", &file]);
    assert_eq!(failed.code(), 1, "{failed:#?}");
    assert!(failed.stderr.contains("there is no profile `offlin` to extend"), "{failed:#?}");
    own(&world, "mine", "extends = \"offline\"");
    assert_eq!(profile(&world, &["check", &file]).code(), 0);
    // One that takes the place of a built-in one says so.
    let file = own(&world, "default", "extends = \"offline\"");
    assert!(profile(&world, &["check", &file]).stdout_text().contains("takes the place of the built-in"));
}

#[test]
fn the_lines_that_a_denial_prints_are_accepted_and_can_be_pasted() {
    let world = World::new();
    let fragment = "[net]\nallow = [{ host = \"x.example\", port = 443, reason = \"…\" }]\n";
    for words in [&["check", "-"][..], &["check", "--fragment", "-"]] {
        let passed = with_input(&world, words, fragment);
        assert_eq!(passed.code(), 0, "{passed:#?}");
        assert!(passed.stdout_text().contains("to be pasted into a profile (1 host)"), "{passed:#?}");
    }
    let pasted = own(&world, "mine", &format!("extends = \"offline\"\n{fragment}"));
    assert_eq!(profile(&world, &["check", &pasted]).code(), 0);
    let failed =
        with_input(&world, &["check", "-"], "[net]\nallow = [{ host = \"X\", port = 443 }]\n[fss]\n");
    assert_eq!(failed.code(), 1, "{failed:#?}");
    assert!(failed.stderr.contains("standard input has 3 mistakes"), "{failed:#?}");
    // What looks like a profile has to be a whole one, unless one says otherwise.
    let named = format!("name = \"x\"\n{fragment}");
    assert_eq!(with_input(&world, &["check", "-"], &named).code(), 1);
}

#[test]
fn a_diff_names_what_one_profile_grants_and_the_other_does_not() {
    let world = World::new();
    let file = own(&world, "mine", GITHUB);
    let diff = json(&profile(&world, &["diff", "offline", &file, "--json"]));
    let added = diff["added"].as_array().expect("a list");
    assert_eq!(added.len(), 1, "{diff:#}");
    assert_eq!((&added[0]["what"], &added[0]["reason"]), (&"api.github.com:443".into(), &"its API".into()));
    assert!(diff["removed"].as_array().expect("a list").is_empty(), "{diff:#}");
    let text = profile(&world, &["diff", &file, "offline"]);
    assert_eq!(text.code(), 0, "{text:#?}");
    assert!(
        text.stdout_text().contains("- connect to") && !text.stdout_text().contains('\u{1b}'),
        "{text:#?}"
    );
    assert!(profile(&world, &["diff", "offline", "offline"]).stdout_text().contains("the same"));
}

#[test]
fn the_examples_of_the_manual_are_in_order() {
    let manual = tests_dir().parent().expect("the repository").join("docs/profiles.md");
    let manual = std::fs::read_to_string(manual).expect("docs/profiles.md");
    let blocks = manual.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let (tables, blocks): (Vec<&str>, Vec<&str>) = blocks.partition(|block| block.starts_with("[[server]]"));
    assert_eq!(
        (blocks.len(), tables.len()),
        (3, 1),
        "a profile, a login and a fragment; and a table of trials"
    );
    for block in blocks {
        let passed = with_input(&World::new(), &["check", "-"], block);
        assert_eq!(passed.code(), 0, "{block}\n{passed:#?}");
    }
    // Read and found in order before it is found to hold no such server; a mistake in it is told otherwise (78).
    let world = World::new();
    let table = world.write("table.toml", tables[0]).display().to_string();
    let tried = |table: &str| profile(&world, &["test", "another", "--yes", "--table", table]).code();
    assert_eq!(tried(&table), 64);
    let wrong = world.write("wrong.toml", &tables[0].replace("tools", "tolls")).display().to_string();
    assert_eq!(tried(&wrong), 78);
}

#[test]
fn the_schema_is_json_and_knows_the_network() {
    let schema = json(&profile(&World::new(), &["schema"]));
    assert_eq!(schema["properties"]["net"]["properties"]["allow"]["items"]["required"][0], "host");
}

#[test]
fn a_plan_says_what_is_granted_closed_and_different_elsewhere() {
    let world = World::new();
    world.write("project/.env", "SECRET=1");
    world.write("project/src/main.rs", "fn main() {}");
    let words = ["run", "--explain", "--grant-net", "10.0.0.5:22", "--", "/bin/true"];
    let explained = finish(world.stockade(words).spawn().expect("stockade starts"), DEADLINE);
    assert_eq!(explained.code(), 0, "{explained:#?}");
    let text = explained.stdout_text();
    let project = world.project().canonicalize().expect("it is there");
    for part in [
        format!("read          {}", project.display()),
        format!("its contents  {}/.env\n", project.display()),
        "connect to   *:443".to_owned(),
        "connect to   10.0.0.5:22 at private addresses".to_owned(),
        format!("{}: granted by its children", project.display()),
        "67108864 bytes in all".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
}

#[test]
fn a_policy_that_forbids_flags_forbids_all_that_widen() {
    let world = World::new();
    world.user_policy("version = 1\n[defaults]\ngrants_by_flag = \"deny\"\n");
    let run = |words: &[&str]| {
        let words = ["run", "--explain"].iter().chain(words).chain(&["--", "/bin/true"]);
        finish(world.stockade(words).spawn().expect("stockade starts"), DEADLINE)
    };
    assert_eq!(run(&[]).code(), 0);
    assert_eq!(
        run(&["--profile", "default", "--backend", "namespaces"]).code(),
        0,
        "neither widens anything"
    );
    for words in [
        &["--grant-net", "a.example:443"][..],
        &["--grant-read", "/srv"],
        &["--grant-write", "/srv"],
        &["--env", "TOKEN"],
        &["--profile", "server-filesystem"],
        &["--backend", "notify"],
        &["--backend", "static"],
    ] {
        let refused = run(words);
        assert_eq!(refused.code(), 125, "{words:?}: {refused:#?}");
        assert!(refused.stderr.contains(&format!("forbids `{}`", words[0])), "{words:?}: {refused:#?}");
    }
    world.user_policy("version = 1\n");
    let refused = run(&["--grant-net", "169.254.169.254:80"]);
    assert!(refused.code() == 125 && refused.stderr.contains("credentials"), "{refused:#?}");
}
