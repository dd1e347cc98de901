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
        set: Vec::new(),
        integrity: None,
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

#[test]
fn a_file_that_the_environment_names_is_granted_and_nothing_wide_or_secret_is() {
    let tree = tree(&[
        "/",
        "/home",
        "/home/u",
        "/home/u/x",
        "/home/u/.ssh",
        "/home/u/.ssh/id",
        "/etc",
        "/etc/a",
        "/tmp",
        "/tmp/a",
        "/srv/keys.json",
        "/home/u/work",
        "/home/u/work/keys.json",
    ]);
    let profile = profile_of(
        "[fs]\nread = [{ path = \"${env.KEYS}\", reason = \"r\" }]\nwrite = [{ path = \"${env.OTHER}/x\", reason = \"r\" }]\n\
         [env]\npass = [\"KEYS\"]",
    );
    let with = |keys: &str| {
        let mut facts = facts();
        facts.env.insert("KEYS".into(), keys.into());
        facts.env.insert("OTHER".into(), "/srv".into());
        let plan = plan_of(&profile, &tree, &[], &JailArgs::default(), &facts).unwrap();
        granted(&plan).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    // Not passed, so the server never learns what it would find there.
    assert_eq!(with("/srv/keys.json"), ["/srv/keys.json"]);
    assert_eq!(with("keys.json"), ["/home/u/work/keys.json"]);
    for wrong in [
        "",
        "/",
        "/home",
        "/home/u",
        "/etc",
        "/tmp",
        "/nowhere",
        "/home/u/.ssh",
        "/home/u/.ssh/id",
        "/srv/keys.json:/etc/a",
    ] {
        assert_eq!(with(wrong), Vec::<String>::new(), "{wrong}");
    }
}

#[test]
fn directories_of_arguments_are_those_that_hold_what_is_named_even_what_is_not_there_yet() {
    let tree = tree(&[
        "/srv/db",
        "/srv/db/a.db",
        "/srv/new",
        "/srv/new/x",
        "/home/u/work",
        "/home/u/work/c",
        "/home/u",
        "/home/u/b.db",
        "/tmp",
        "/tmp/t",
    ]);
    let lines = "[fs]\nwrite = [{ path = \"${args.dirs}\", reason = \"r\" }]";
    let arguments = [
        "--db-path",
        "/srv/db/a.db",
        "--dsn=/srv/new/b.db",
        "./c.db",
        "main",
        "/home/u/b.db",
        "/tmp/t.db",
        "/nowhere/x.db",
        "http://h/x",
        "--flag/x",
    ];
    let plan = plan_by(lines, &tree, &arguments).unwrap();
    let mut dirs = granted(&plan);
    dirs.sort_unstable();
    assert_eq!(dirs, ["/home/u/work", "/srv/db", "/srv/new"]);
    assert!(granted(&plan_by(lines, &tree, &["a.db", "/srv/db/a.db/"]).unwrap()).len() <= 1);
}

#[test]
fn roots_of_arguments_are_directories_to_work_in_and_neither_files_nor_the_systems_nor_a_home() {
    let tree = tree(&[
        "/srv/p",
        "/srv/p/a.txt",
        "/home/u",
        "/home/u/work",
        "/home/u/work/c",
        "/home/u/b.db",
        "/usr/bin/chromium",
        "/usr/share/x",
        "/usr/share/x/y",
        "/tmp",
        "/tmp/t",
    ]);
    let lines = "[fs]\nwrite = [{ path = \"${args.roots}\", reason = \"r\" }]";
    let roots = |arguments: &[&str]| -> Vec<String> {
        granted(&plan_by(lines, &tree, arguments).unwrap()).iter().map(ToString::to_string).collect()
    };
    assert_eq!(roots(&["/srv/p", "/home/u/work"]), ["/srv/p", "/home/u/work"]);
    for wide in ["/home/u", "/home", "/tmp", "/usr/share/x", "/usr/bin/chromium", "/srv/p/a.txt", "/srv/none"]
    {
        assert!(roots(&[wide]).is_empty(), "{wide}");
    }
}
