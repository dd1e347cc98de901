//! `stockade doctor` and `stockade profile show`: what this host can enforce, and what a profile grants.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use stockade_sandbox::probes::{claims, claims_text, table};

use crate::support::{Finished, World, finish, tests_dir};

const DEADLINE: Duration = Duration::from_secs(30);

fn stockade(world: &World, words: &[&str]) -> Finished {
    finish(world.stockade(words).spawn().expect("stockade starts"), DEADLINE)
}

fn doctor(world: &World) -> (Finished, Value) {
    let finished = stockade(world, &["doctor", "--json"]);
    let report = serde_json::from_slice(&finished.stdout);
    (finished, report.expect("doctor prints JSON"))
}

fn check<'r>(report: &'r Value, name: &str) -> &'r Value {
    let checks = report["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {report:#}"))
}

#[test]
fn the_exit_code_says_whether_every_line_is_full() {
    let world = World::new();
    let (finished, report) = doctor(&world);
    let checks = report["checks"].as_array().expect("checks");
    let gaps: Vec<&Value> =
        checks.iter().filter(|check| check["state"] == "partial" || check["state"] == "missing").collect();
    assert_eq!(report["ok"], gaps.is_empty(), "{report:#}");
    assert_eq!(finished.code(), i32::from(!gaps.is_empty()), "{finished:#?}");
    for gap in gaps {
        assert!(gap["means"].is_string() && gap["remedy"].is_string(), "a gap without a way on: {gap:#}");
    }
    for name in
        ["Linux", "Landlock", "seccomp", "namespaces", "Yama", "backend", "unix", "limits", "state", "policy"]
    {
        check(&report, name);
    }
    assert_eq!(check(&report, "hosts")["state"], "note");
}

#[test]
fn looking_at_the_host_makes_nothing() {
    let world = World::new();
    doctor(&world);
    let made: Vec<_> = std::fs::read_dir(world.state()).expect("it is there").flatten().collect();
    assert!(made.is_empty(), "{made:?}");
}

#[test]
fn a_broken_policy_and_an_open_state_directory_are_told_with_their_remedy() {
    let world = World::new();
    world.user_policy("version = 1\nnonsense = true\n");
    let state = world.state().join("stockade");
    std::fs::create_dir_all(&state).expect("a directory");
    std::fs::set_permissions(&state, PermissionsExt::from_mode(0o777)).expect("its mode");
    let (finished, report) = doctor(&world);
    assert_eq!(finished.code(), 1);
    let policy = check(&report, "policy");
    assert_eq!(policy["state"], "missing");
    assert!(policy["found"].as_str().expect("text").contains("policy.toml:2:"), "{policy:#}");
    assert_eq!(check(&report, "state")["state"], "missing", "{report:#}");
}

#[test]
fn the_text_is_readable_without_colours() {
    let world = World::new();
    let finished = stockade(&world, &["doctor"]);
    let text = finished.stdout_text();
    assert!(text.contains("Landlock") && text.contains("grants no hosts yet"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn the_page_of_the_guarantees_says_what_jails_claim() {
    let page = std::fs::read_to_string(tests_dir().join("../docs/guarantees.md"));
    // The tests alone may have been copied to another place.
    let Ok(page) = page else { return };
    let claimed = claims_text(&claims());
    assert!(
        page.contains(&claimed),
        "docs/guarantees.md is old: stockade doctor --prove --markdown prints it"
    );
    for probe in table() {
        assert!(page.contains(&format!("| {} |", probe.id)), "docs/guarantees.md lacks {}", probe.id);
    }
}

#[test]
fn probes_are_run_bare_and_in_each_backend_and_compared_with_the_claims() {
    let world = World::new();
    let words = ["doctor", "--prove", "--json", "--only", "G5-"];
    let finished = finish(world.stockade(words).spawn().expect("stockade starts"), Duration::from_secs(120));
    let proof: Value = serde_json::from_slice(&finished.stdout).expect("doctor prints JSON");
    assert_eq!(proof["ok"], true, "{proof:#}");
    assert_eq!(finished.code(), 0, "{finished:#?}");
    let tried = proof["backends"].as_array().expect("backends").len();
    let left_out = proof["left_out"].as_array().expect("left out").len();
    assert!(tried >= 1 && tried + left_out == 3, "{proof:#}");
    let probes = proof["probes"].as_array().expect("probes");
    let of = |id: &str| probes.iter().find(|probe| probe["id"] == id).expect("a probe");
    let leak = of("G5-variable-cloud");
    assert_eq!((&leak["bare"]["is"], &leak["static"]["is"]), (&"open".into(), &"stopped".into()), "{leak:#}");
}

#[test]
fn what_a_profile_grants_is_granted_to_the_probes_too() {
    let proof = |grants: &str| {
        let world = World::new();
        std::fs::create_dir(world.root().join("tmp")).expect("a directory");
        let profile = format!("name = \"tried\"\ndescription = \"d\"\nextends = \"offline\"\n{grants}");
        world.write(
            "config/stockade/profiles/tried.toml",
            &profile.replace("PLACE", world.root().to_str().expect("text")),
        );
        let words =
            ["doctor", "--prove", "--json", "--only", "G1-secret", "--only", "G1-o", "--profile", "tried"];
        let mut command = world.stockade(words);
        command.env("TMPDIR", world.root().join("tmp"));
        let finished = finish(command.spawn().expect("stockade starts"), Duration::from_secs(120));
        let proof: Value =
            serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{finished:#?}"));
        (finished.code(), proof["ok"].clone(), proof.to_string())
    };
    let (code, ok, told) = proof("[fs]\nread = [{ path = \"PLACE/project\", reason = \"the test\" }]\n");
    assert_eq!((code, ok), (0, true.into()), "{told}");
    // A grant of the place in which the probes play: then they get what they should not.
    let (code, ok, told) = proof("[fs]\nread = [{ path = \"PLACE/tmp\", reason = \"the test\" }]\n");
    assert_eq!((code, ok), (1, false.into()), "{told}");
}

#[test]
fn a_profile_is_shown_with_a_reason_for_every_grant() {
    let world = World::new();
    let finished = stockade(&world, &["profile", "show", "default"]);
    let text = finished.stdout_text();
    assert_eq!(finished.code(), 0, "{finished:#?}");
    for part in ["default", "Read", "Environment", "Required of the host"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn an_unknown_profile_is_refused_with_the_nearest_name() {
    let world = World::new();
    let finished = stockade(&world, &["profile", "show", "defualt"]);
    assert_eq!(finished.code(), 78, "{finished:#?}");
    assert!(finished.stderr.contains("`default`"), "{finished:#?}");
}
