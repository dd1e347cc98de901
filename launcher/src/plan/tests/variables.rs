//! What variables stand for.

use super::*;

const WORKSPACE: &str = "[fs]\nread = [{ path = \"${workspace}\", reason = \"r\" }]\n\
                         [env.set]\nROOT = \"${workspace}/x\"";

fn workspace(facts: &Facts, tree: &FakeTree) -> (Vec<String>, Option<OsString>) {
    let plan = plan_of(&profile_of(WORKSPACE), tree, &[], &JailArgs::default(), facts).unwrap();
    let root = plan.ruleset.env.iter().find(|(name, _)| name == "ROOT").map(|(_, value)| value.clone());
    (granted(&plan).into_iter().map(str::to_owned).collect(), root)
}

#[test]
fn the_workspace_is_what_the_client_says_else_the_working_directory() {
    let tree = tree(&["/home/u/work", "/home/u/work/a", "/srv/project", "/srv/project/b"]);
    let mut facts = facts();
    assert_eq!(workspace(&facts, &tree), (vec!["/home/u/work".into()], Some("/home/u/work/x".into())));
    facts.env.insert("CLAUDE_PROJECT_DIR".into(), "/srv/project".into());
    assert_eq!(workspace(&facts, &tree).0, ["/srv/project"]);
    facts.env.insert("CLAUDE_PROJECT_DIR".into(), "/nowhere".into());
    assert_eq!(workspace(&facts, &tree).0, ["/home/u/work"]);
}

#[test]
fn the_workspace_is_never_the_home_directory_or_what_is_above_it() {
    let tree = tree(&["/", "/home", "/home/u", "/home/u/a", "/tmp", "/tmp/a", "/etc", "/etc/a"]);
    for cwd in ["/home/u", "/home", "/", "/tmp", "/etc"] {
        let facts = Facts { cwd: cwd.into(), ..facts() };
        assert_eq!(workspace(&facts, &tree), (Vec::new(), None), "{cwd}");
    }
}

#[test]
fn what_an_entry_in_a_config_sets_is_not_what_the_client_says() {
    let tree = tree(&["/home/u/work", "/home/u/work/a", "/srv/other", "/srv/other/b"]);
    let mut facts = facts();
    facts.env.insert("CLAUDE_PROJECT_DIR".into(), "/srv/other".into());
    let profile = profile_of(WORKSPACE);
    let jail = JailArgs::default();
    let resolved = Resolved {
        name: "srv".into(),
        program: "/usr/bin/srv".into(),
        argv: vec!["srv".into()],
        code: String::new(),
        identities: vec!["file:sha256:00".into()],
        exec_roots: Vec::new(),
        package_roots: Vec::new(),
        argument_paths: Vec::new(),
    };
    let input = Input {
        facts: &facts,
        jail: &jail,
        id: None,
        resolved: &resolved,
        profile: &profile,
        profile_why: String::new(),
        policy_hash: String::new(),
        entry_env: &["CLAUDE_PROJECT_DIR".to_owned()],
        tmp_name: "t",
        without: None,
    };
    assert_eq!(granted(&Plan::make(&input, &tree).unwrap()), ["/home/u/work"]);
}

#[test]
fn arguments_are_counted_behind_the_program() {
    let tree = tree(&["/data", "/data/a", "/home/u/work", "/home/u/work/rel", "/home/u/work/rel/x"]);
    let lines = "[fs]\nread = [{ path = \"${args.2}\", reason = \"r\" }, { path = \"${args.9}\", reason = \"r\" }]\n\
                 [env.set]\nMODE = \"m-${args.1}\"\nNONE = \"${args.9}\"";
    let plan = plan_by(lines, &tree, &["fast", "/data"]).unwrap();
    assert_eq!(granted(&plan), ["/data"]);
    let env: Vec<_> = plan.ruleset.env.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    assert!(plan.ruleset.env.contains(&("MODE".into(), "m-fast".into())), "{env:?}");
    assert!(!env.contains(&"NONE".to_owned()), "there is no ninth argument: {env:?}");
    assert_eq!(granted(&plan_by(lines, &tree, &["fast", "rel"]).unwrap()), ["/home/u/work/rel"]);
}
