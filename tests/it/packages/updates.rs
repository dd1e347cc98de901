//! What a registry offers later: it changes nothing until it is accepted.

use serde_json::json;

use super::*;

#[test]
fn a_new_version_of_a_dependency_changes_nothing_until_a_person_approves_it() {
    let registry = Registry::new(&two_packages(""));
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    registry.change(|packages| packages["npm"]["leaf"]["1.1.0"] = leaf("1.1.0"));
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0", "nobody has asked yet");

    let checked = registry.stockade(&["pins", "check", "@team/server"]);
    assert_eq!(
        (checked.code(), registry.pins()[0]["state"].clone()),
        (1, json!("update available")),
        "{}",
        checked.stderr
    );
    let told = registry.jail(&RUN);
    assert!(told.stdout_text().contains("\"1.0.0\""), "{told:#?}");
    assert!(told.stderr.contains("pins diff"), "{}", told.stderr);
    let diff = registry.stockade(&["pins", "diff", "@team/server"]).stdout_text();
    assert!(diff.contains("leaf 1.0.0 → 1.1.0"), "{diff}");
    assert_eq!(registry.events("package.update").len(), 1);

    // Without a terminal nobody approves.
    let failure = registry.fails(&["pins", "approve", "@team/server"]);
    assert!(failure.contains("terminal"), "{failure}");
    let refused = registry.on_a_terminal("n", &["pins", "approve", "@team/server"]);
    assert_ne!(refused.code(), 0);
    // Nor does an agent that made itself one.
    let refused = registry.on_a_terminal_of("CLAUDECODE", "y", &["pins", "approve", "@team/server"]);
    assert!(refused.code() == 77 && refused.stdout_text().contains("CLAUDECODE"), "{refused:#?}");
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");

    let approved = registry.on_a_terminal("y", &["pins", "approve", "@team/server"]);
    assert_eq!(approved.code(), 0, "{}", approved.stdout_text());
    registry.switch_off();
    assert_eq!(registry.says(&RUN)["leaf"], "1.1.0");
    assert_eq!(registry.events("package.accepted")[0]["by"], "approved by a person");
    assert_eq!(registry.trees("npm").len(), 2);
    assert_eq!(registry.stockade(&["pins", "prune"]).stdout_text(), "1 tree removed\n");
    assert_eq!(registry.says(&RUN)["leaf"], "1.1.0");
}

#[test]
fn under_follow_what_a_check_found_runs_from_the_next_start_on() {
    let registry = Registry::new(&two_packages(""));
    registry.world.user_policy("version = 1\n[defaults]\npackages = \"follow\"\n");
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    registry.change(|packages| packages["npm"]["leaf"]["1.1.0"] = leaf("1.1.0"));
    assert_eq!(registry.stockade(&["pins", "check", "@team/server"]).code(), 1);
    registry.switch_off();
    assert_eq!(registry.says(&RUN)["leaf"], "1.1.0", "it was fetched by the check");
    assert_eq!(registry.events("package.accepted")[0]["by"], "followed, as the policy says");
}

#[test]
fn not_even_follow_follows_other_content_under_an_old_version() {
    let registry = Registry::new(&two_packages(""));
    registry.world.user_policy("version = 1\n[defaults]\npackages = \"follow\"\n");
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    registry.change(|packages| packages["npm"]["leaf"]["1.0.0"] = leaf("evil"));
    assert_eq!(registry.stockade(&["pins", "check", "@team/server"]).code(), 1);
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    assert_eq!(registry.pins()[0]["state"], "changed without a version");
}

#[test]
fn under_freeze_the_registry_is_not_asked() {
    let registry = Registry::new(&two_packages(""));
    registry.world.user_policy("version = 1\n[defaults]\npackages = \"freeze\"\n");
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    let asked = registry.asked().len();
    let failure = registry.fails(&["pins", "check", "@team/server"]);
    assert!(failure.contains("freezes"), "{failure}");
    assert_eq!(registry.asked().len(), asked);
}

#[test]
fn a_session_leaves_the_daily_question_behind_and_does_not_wait_for_it() {
    let registry = Registry::new(&two_packages(""));
    let run = [&["run", "--"], &RUN[..]].concat();
    assert_eq!(registry.stockade(&[&["fetch", "--"], &RUN[..]].concat()).code(), 0);
    registry.change(|packages| packages["npm"]["leaf"]["1.1.0"] = leaf("1.1.0"));
    registry.stockade(&run);
    // Pinned a moment ago: nothing is due. As if it were long ago:
    let dir = registry.world.state().join("stockade/pins/packages");
    let pin = std::fs::read_dir(&dir).expect("pins").map(|entry| entry.expect("an entry").path());
    let pin = pin.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).expect("a pin");
    let mut value: Value = serde_json::from_slice(&std::fs::read(&pin).expect("the pin")).expect("JSON");
    assert!(value["waiting"].is_null());
    value["checked"] = json!("2020-01-01T00:00:00Z");
    std::fs::write(&pin, value.to_string()).expect("it can be written");
    registry.stockade(&run);
    assert_eq!(
        registry.pins()[0]["checked"],
        "2020-01-01T00:00:00Z",
        "the session is over before the question"
    );
    let found = || registry.pins()[0]["state"] == "update available";
    assert!(crate::support::wait_until(PATIENCE, found), "{:#?}", registry.pins());
}

#[test]
fn a_forgotten_pin_is_made_anew() {
    let registry = Registry::new(&two_packages(""));
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    registry.change(|packages| packages["npm"]["leaf"]["1.1.0"] = leaf("1.1.0"));
    assert!(registry.fails(&["pins", "forget", "@team/server"]).contains("terminal"));
    assert_eq!(registry.on_a_terminal("y", &["pins", "forget", "@team/server"]).code(), 0);
    assert_eq!(registry.says(&RUN)["leaf"], "1.1.0");
}
