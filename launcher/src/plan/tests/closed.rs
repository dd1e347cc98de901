//! What stays closed inside of grants, what opens it, and what is left for backends without a view.

use super::*;

const PROJECT: &str = "[fs]\nwrite = [{ path = \"${args.paths}\", reason = \"work\" }]";

fn project() -> FakeTree {
    tree(&[
        "/srv/p",
        "/srv/p/src",
        "/srv/p/src/main.rs",
        "/srv/p/.env",
        "/srv/p/.env.example",
        "/srv/p/api",
        "/srv/p/api/.env.production",
        "/srv/p/node_modules",
        "/srv/p/node_modules/.env",
        "/srv/p/.git",
        "/srv/p/.git/hooks",
        "/srv/p/.git/hooks/pre-commit",
        "/srv/p/.git/config",
        "/srv/p/.git/index",
        "/srv/p/.vscode",
        "/srv/p/sub",
        "/srv/p/sub/.git",
        "/srv/p/sub/.git/HEAD",
    ])
}

#[test]
fn the_secrets_of_a_project_stay_closed_however_deep_they_lie() {
    let plan = plan_by(PROJECT, &project(), &["/srv/p"]).unwrap();
    for secret in ["/srv/p/.env", "/srv/p/api/.env.production"] {
        assert_eq!(closed(&plan, secret), Some(Closed::Contents), "{secret}");
    }
    assert_eq!(closed(&plan, "/srv/p/.env.local"), Some(Closed::Contents), "it may appear later");
    assert_eq!(closed(&plan, "/srv/p/.env.example"), None);
    assert_eq!(access(&files(&plan).wide, "/srv/p"), Some(Access::ReadWrite));
    let narrow = |path: &str| access(&files(&plan).narrow, path);
    assert_eq!(narrow("/srv/p/src"), Some(Access::ReadWrite));
    assert_eq!(narrow("/srv/p/.env.example"), Some(Access::ReadWrite));
    for shut in ["/srv/p", "/srv/p/api", "/srv/p/.env", "/srv/p/api/.env.production"] {
        assert_eq!(narrow(shut), None, "{shut}");
    }
    let later = plan.without_view.iter().find(|line| line.contains("/srv/p: open, should they appear:"));
    assert!(later.is_some_and(|line| line.contains(" .env.local ")), "{:?}", plan.without_view);
}

#[test]
fn what_other_programs_obey_is_closed_for_writing_in_every_repository() {
    let plan = plan_by(PROJECT, &project(), &["/srv/p"]).unwrap();
    for place in [".git/hooks", ".git/config", ".vscode", ".mcp.json", ".envrc", "sub/.git/hooks"] {
        let found = closed(&plan, &format!("/srv/p/{place}"));
        let expected = if place == ".envrc" { Closed::Contents } else { Closed::ForWriting };
        assert_eq!(found, Some(expected), "{place}");
    }
    let narrow = |path: &str| access(&files(&plan).narrow, path);
    assert_eq!(narrow("/srv/p/.git/hooks"), Some(Access::Read));
    assert_eq!(narrow("/srv/p/.git/config"), Some(Access::Read));
    assert_eq!(narrow("/srv/p/.git/index"), Some(Access::ReadWrite));
    assert_eq!(narrow("/srv/p/.vscode"), Some(Access::Read));
    // For reading nothing of it is closed.
    let read = PROJECT.replace("write", "read");
    let plan = plan_by(&read, &project(), &["/srv/p"]).unwrap();
    assert_eq!(closed(&plan, "/srv/p/.git/hooks"), None);
    assert_eq!(closed(&plan, "/srv/p/.env"), Some(Closed::Contents));
}

#[test]
fn a_project_without_secrets_is_granted_as_a_whole_everywhere() {
    let tree = tree(&["/srv/p", "/srv/p/a", "/srv/p/a/b"]);
    let plan = plan_by(PROJECT, &tree, &["/srv/p"]).unwrap();
    assert_eq!(access(&files(&plan).narrow, "/srv/p"), Some(Access::ReadWrite));
    assert_eq!(closed(&plan, "/srv/p/.env"), Some(Closed::Contents), "should it appear");
}

#[test]
fn a_repository_named_by_its_git_directory_works_without_a_view() {
    let lines = "[fs]\nwrite = [{ path = \"${args.paths}\", reason = \"r\" }, \
                 { path = \"${args.paths}/.git\", reason = \"r\" }]";
    let tree = tree(&[
        "/srv/p",
        "/srv/p/a.txt",
        "/srv/p/.git",
        "/srv/p/.git/hooks",
        "/srv/p/.git/config",
        "/srv/p/.git/index",
    ]);
    let plan = plan_by(lines, &tree, &["/srv/p"]).unwrap();
    // With a view, hooks and configuration are closed all the same.
    assert_eq!(closed(&plan, "/srv/p/.git/hooks"), Some(Closed::ForWriting));
    assert_eq!(access(&files(&plan).narrow, "/srv/p"), Some(Access::ReadWrite));
    assert!(plan.without_view.iter().any(|line| line == "/srv/p/.git/hooks: open to writing"));
    assert_eq!(closed(&plan, "/srv/p/.git/.vscode"), None, "a repository is no project");
}

#[test]
fn the_file_that_names_the_repository_of_a_working_tree_is_not_written() {
    let tree = tree(&["/srv/p", "/srv/p/a.txt", "/srv/p/.git"]);
    let plan = plan_by(PROJECT, &tree, &["/srv/p"]).unwrap();
    assert_eq!(closed(&plan, "/srv/p/.git"), Some(Closed::ForWriting));
    assert_eq!(access(&files(&plan).narrow, "/srv/p/.git"), Some(Access::Read));
    let failure =
        super::plan(&tree, &[], JailArgs { grant_write: vec!["/srv/p/.git".into()], ..JailArgs::default() });
    assert_eq!(failure.unwrap_err().kind, Kind::Permission);
}

#[test]
fn only_a_profile_that_names_a_sensitive_place_opens_it() {
    let tree = tree(&[
        "/home/u",
        "/home/u/.aws",
        "/home/u/.aws/credentials",
        "/home/u/.ssh",
        "/home/u/.ssh/known_hosts",
        "/home/u/.local",
        "/home/u/.local/state",
        "/home/u/.local/state/stockade",
        "/home/u/.local/state/stockade/key",
    ]);
    let grant = |path: &str| format!("[fs]\nread = [{{ path = \"{path}\", reason = \"r\" }}]");
    let opened = |path: &str, arguments: &[&str]| {
        let plan = plan_by(&grant(path), &tree, arguments).unwrap();
        granted(&plan).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(opened("${home}/.aws", &[]), ["/home/u/.aws"]);
    assert_eq!(opened("/home/u/.aws", &[]), ["/home/u/.aws"]);
    assert_eq!(opened("${home}/.ssh/known_hosts", &[]), ["/home/u/.ssh/known_hosts"]);
    // What a variable leads to was not named.
    assert!(opened("${args.paths}", &["/home/u/.aws"]).is_empty());
    assert!(opened("${args.1}", &["/home/u/.aws/credentials"]).is_empty());
    // Stockade's own files are not for sale.
    assert!(opened("${home}/.local/state/stockade", &[]).is_empty());
    assert!(opened("${home}/.local/state/stockade/key", &[]).is_empty());
}

#[test]
fn a_place_opened_by_name_is_not_closed_again_by_a_wider_grant() {
    let tree = tree(&["/home/u", "/home/u/.aws", "/home/u/.aws/config", "/home/u/.ssh", "/home/u/notes"]);
    let lines = "[fs]\nread = [{ path = \"${home}/.aws\", reason = \"r\" }]\n\
                 write = [{ path = \"${args.paths}\", reason = \"r\" }]";
    let plan = plan_by(lines, &tree, &["/home/u"]).unwrap();
    assert_eq!(closed(&plan, "/home/u/.aws"), Some(Closed::ForWriting), "named for reading");
    assert_eq!(closed(&plan, "/home/u/.ssh"), Some(Closed::Entirely));
    let narrow = |path: &str| access(&files(&plan).narrow, path);
    assert_eq!(narrow("/home/u/.aws"), Some(Access::Read));
    assert_eq!(narrow("/home/u/notes"), Some(Access::ReadWrite));
}

#[test]
fn secrets_inside_of_an_opened_place_stay_closed() {
    let tree = tree(&[
        "/home/u",
        "/home/u/.claude",
        "/home/u/.claude/p",
        "/home/u/.claude/p/.env",
        "/home/u/.claude/p/a",
    ]);
    let lines = "[fs]\nread = [{ path = \"${home}/.claude/p\", reason = \"r\" }, \
                 { path = \"${args.paths}\", reason = \"r\" }]";
    let plan = plan_by(lines, &tree, &["/home/u"]).unwrap();
    assert_eq!(closed(&plan, "/home/u/.claude"), Some(Closed::Entirely));
    assert_eq!(closed(&plan, "/home/u/.claude/p/.env"), Some(Closed::Contents));
    assert_eq!(granted(&plan), ["/home/u/.claude/p/a"]);
}

#[test]
fn a_profile_closes_places_of_its_own_to_everybody_but_itself() {
    let tree = tree(&["/srv/p", "/srv/p/a", "/srv/p/keys", "/srv/p/keys/public", "/srv/p/keys/private"]);
    let lines = "[fs]\nread = [{ path = \"${args.paths}\", reason = \"r\" }, \
                 { path = \"/srv/p/keys/public\", reason = \"r\" }]\n\
                 closed = [{ path = \"/srv/p/keys\", reason = \"r\" }, { path = \"/srv/p/later\", reason = \"r\" }]";
    let plan = plan_by(lines, &tree, &["/srv/p"]).unwrap();
    assert_eq!(closed(&plan, "/srv/p/keys"), Some(Closed::Entirely));
    assert_eq!(closed(&plan, "/srv/p/later"), Some(Closed::Entirely));
    assert_eq!(granted(&plan), ["/srv/p/a", "/srv/p/keys/public"]);
    let jail = JailArgs { grant_read: vec!["/srv/p/keys/private".into()], ..JailArgs::default() };
    let failure = plan_of(&profile_of(lines), &tree, &[], &jail, &facts()).unwrap_err();
    assert_eq!(failure.kind, Kind::Permission, "{failure}");
}

#[test]
fn no_flag_opens_secrets_or_what_other_programs_obey() {
    let tree = project();
    let refused = |jail: JailArgs| super::plan(&tree, &[], jail).expect_err("granted").kind;
    let read = |path: &str| JailArgs { grant_read: vec![path.into()], ..JailArgs::default() };
    let write = |path: &str| JailArgs { grant_write: vec![path.into()], ..JailArgs::default() };
    assert_eq!(refused(read("/srv/p/.env")), Kind::Permission);
    for obeyed in
        ["/srv/p/.git/hooks", "/srv/p/.git/hooks/pre-commit", "/srv/p/.vscode", "/srv/p/.git/config"]
    {
        assert_eq!(refused(write(obeyed)), Kind::Permission, "{obeyed}");
        assert!(super::plan(&tree, &[], read(obeyed)).is_ok(), "{obeyed} may be read");
    }
}

#[test]
fn what_a_variable_leads_to_is_written_only_where_nobody_obeys() {
    let plan = plan_by(PROJECT, &project(), &["/srv/p/.git/hooks"]).unwrap();
    assert_eq!(access(&files(&plan).wide, "/srv/p/.git/hooks"), Some(Access::Read));
    assert!(plan.notes[0].contains("for reading only"), "{:?}", plan.notes);
    let plan = plan_by(PROJECT, &project(), &["/srv/p/.env"]).unwrap();
    assert!(granted(&plan).is_empty() && plan.notes[0].contains("sensitive"), "{:?}", plan.notes);
}

#[test]
fn a_strict_profile_wants_a_view_of_its_own() {
    let strict = format!("strict = true\n{PROJECT}");
    let plan = plan_by(&strict, &project(), &["/srv/p"]).unwrap();
    assert_eq!(plan.ruleset.backend, BackendChoice::Namespaces);
    let jail = JailArgs { backend: BackendArg::Notify, ..JailArgs::default() };
    let failure = plan_of(&profile_of(&strict), &project(), &["/srv/p"], &jail, &facts()).unwrap_err();
    assert_eq!(failure.kind, Kind::Permission, "{failure}");
    // Where nothing has to be closed, any backend is good enough.
    let plan = plan_by("strict = true", &project(), &["/srv/p"]).unwrap();
    assert_eq!(plan.ruleset.backend, BackendChoice::Auto);
}

/// A directory with as many files as one asks for.
struct Endless;

impl Tree for Endless {
    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        Some(path.to_owned())
    }
    fn children(&self, _path: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
    fn kind(&self, path: &Path) -> Option<EntryKind> {
        Some(if path == Path::new("/srv/p") { EntryKind::Directory } else { EntryKind::File })
    }
    fn entries(&self, path: &Path, most: usize) -> Vec<(PathBuf, EntryKind)> {
        (0..most.min(1_000_000)).map(|n| (path.join(n.to_string()), EntryKind::File)).collect()
    }
}

#[test]
fn an_endless_tree_is_searched_for_a_while_and_said_to_be() {
    let make = |lines: &str| {
        let facts = facts();
        let profile = profile_of(lines);
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
            argument_paths: vec!["/srv/p".into()],
        };
        let input = Input {
            facts: &facts,
            jail: &jail,
            id: None,
            resolved: &resolved,
            profile: &profile,
            profile_why: String::new(),
            policy_hash: String::new(),
            entry_env: &[],
            tmp_name: "t",
            without: None,
        };
        Plan::make(&input, &Endless)
    };
    let plan = make(PROJECT).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("too large")), "{:?}", plan.notes);
    assert_eq!(
        closed(&plan, "/srv/p/.env"),
        Some(Closed::Contents),
        "its usual names are known without a search"
    );
    assert_eq!(make(&format!("strict = true\n{PROJECT}")).unwrap_err().kind, Kind::Permission);
}
