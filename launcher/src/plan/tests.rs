//! Plans without a file system.

use std::collections::BTreeMap;

use super::*;

struct FakeTree(Vec<(&'static str, &'static str)>);

impl Tree for FakeTree {
    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        let text = path.to_str()?;
        self.0.iter().find(|(from, _)| *from == text).map(|(_, to)| PathBuf::from(to))
    }
    fn children(&self, path: &Path) -> Vec<PathBuf> {
        self.0
            .iter()
            .map(|(from, _)| PathBuf::from(from))
            .filter(|child| child.parent() == Some(path))
            .collect()
    }
}

fn tree(paths: &[&'static str]) -> FakeTree {
    FakeTree(paths.iter().map(|path| (*path, *path)).collect())
}

fn facts() -> Facts {
    Facts {
        home: "/home/u".into(),
        cwd: "/home/u/work".into(),
        env: BTreeMap::from([
            ("PATH".into(), "/usr/bin".into()),
            ("LC_ALL".into(), "C".into()),
            ("AWS_SECRET_ACCESS_KEY".into(), "hush".into()),
            ("TOKEN".into(), "t".into()),
        ]),
        uid: 1000,
        user: "u".into(),
        state_dir: "/home/u/.local/state/stockade".into(),
        config_dir: "/home/u/.config/stockade".into(),
        system_dir: "/etc/stockade".into(),
    }
}

fn profile() -> Profile {
    let text = r#"
        name = "t"
        description = "for tests"
        [fs]
        read = [{ path = "${args.paths}", reason = "its arguments" }]
        [env]
        pass = ["PATH", "LC_*"]
        [require]
        fs = "full"
        net = "full"
        process = "best-effort"
    "#;
    Profile::parse("t.toml", text, &|_| None).expect("the profile of this test is in order")
}

fn plan(tree: &FakeTree, arguments: &[&str], jail: JailArgs) -> Result<Plan, Failure> {
    let facts = facts();
    let resolved = Resolved {
        name: "srv".into(),
        program: "/usr/bin/srv".into(),
        argv: vec!["srv".into()],
        code: "/usr/bin/srv".into(),
        identities: vec!["file:sha256:00".into()],
        exec_roots: Vec::new(),
        package_roots: Vec::new(),
        argument_paths: arguments.iter().map(PathBuf::from).collect(),
    };
    let profile = profile();
    let input = Input {
        facts: &facts,
        jail: &jail,
        id: None,
        resolved: &resolved,
        profile: &profile,
        profile_why: String::new(),
        policy_hash: String::new(),
        entry_env: &["TOKEN".to_owned()],
        tmp_name: "t",
        without: None,
    };
    Plan::make(&input, tree)
}

fn granted(plan: &Plan) -> Vec<&str> {
    let own = "/home/u/.local/state/stockade/servers/";
    let rules = &plan.ruleset.files.as_ref().unwrap().narrow;
    rules.iter().filter_map(|rule| rule.path.to_str()).filter(|path| !path.starts_with(own)).collect()
}

#[test]
fn a_home_directory_is_granted_without_its_sensitive_places() {
    let tree = tree(&[
        "/home/u",
        "/home/u/.ssh",
        "/home/u/notes",
        "/home/u/.config",
        "/home/u/.config/gh",
        "/home/u/.config/vim",
        "/home/u/.bash_history",
    ]);
    let plan = plan(&tree, &["/home/u"], JailArgs::default()).unwrap();
    assert_eq!(granted(&plan), ["/home/u/notes", "/home/u/.config/vim"]);
    assert!(plan.notes[0].contains("without the sensitive places"), "{:?}", plan.notes);
}

#[test]
fn a_link_into_a_sensitive_place_is_not_followed() {
    let tree = FakeTree(vec![
        ("/home/u", "/home/u"),
        ("/home/u/.ssh", "/home/u/.ssh"),
        ("/home/u/keys", "/home/u/.ssh"),
        ("/home/u/up", "/home"),
        ("/home/u/notes", "/srv/notes"),
    ]);
    let plan = plan(&tree, &["/home/u"], JailArgs::default()).unwrap();
    assert_eq!(granted(&plan), ["/srv/notes"]);
}

#[test]
fn no_flag_opens_a_sensitive_place_or_our_own_files() {
    let tree = tree(&["/home/u/.ssh", "/home/u/.ssh/id", "/home/u/.local/state/stockade"]);
    for path in ["/home/u/.ssh", "/home/u/.ssh/id", "/home/u/.local/state/stockade"] {
        let jail = JailArgs { grant_read: vec![path.into()], ..JailArgs::default() };
        let failure = plan(&tree, &[], jail).expect_err(path);
        assert_eq!(failure.kind, Kind::Permission, "{failure}");
    }
}

#[test]
fn a_flag_for_a_path_that_does_not_exist_is_a_mistake_with_a_remedy() {
    let jail = JailArgs { grant_write: vec!["nowhere".into()], ..JailArgs::default() };
    let failure = plan(&tree(&[]), &[], jail).expect_err("granted");
    assert!(failure.to_string().contains("/home/u/work/nowhere: no such file"), "{failure}");
}

#[test]
fn the_environment_is_built_from_nothing() {
    let jail = JailArgs { env: vec!["A=b=c".into(), "UNSET".into()], ..JailArgs::default() };
    let plan = plan(&tree(&[]), &[], jail).unwrap();
    let env: Vec<(&str, &str)> = plan
        .ruleset
        .env
        .iter()
        .map(|(name, value)| (name.to_str().unwrap(), value.to_str().unwrap()))
        .collect();
    assert_eq!(env, [("A", "b=c"), ("LC_ALL", "C"), ("PATH", "/usr/bin"), ("TOKEN", "t")]);
}

#[test]
fn state_survives_a_new_version_of_the_server() {
    assert_eq!(without_version("pkg:npm/%40a/b@1.2.3"), "pkg:npm/%40a/b");
    assert_eq!(without_version("pkg:npm/@a/b"), "pkg:npm/@a/b");
    assert_eq!(without_version("pkg:pypi/x"), "pkg:pypi/x");
}

#[test]
fn a_write_grant_of_the_home_directory_leaves_start_up_files_readable_only() {
    let tree = tree(&[
        "/home/u",
        "/home/u/.ssh",
        "/home/u/.bashrc",
        "/home/u/.local",
        "/home/u/.local/bin",
        "/home/u/notes",
    ]);
    let jail = JailArgs { grant_write: vec!["/home/u".into()], ..JailArgs::default() };
    let plan = plan(&tree, &[], jail).unwrap();
    let access = |path: &str| {
        let rules = &plan.ruleset.files.as_ref().unwrap().narrow;
        rules.iter().find(|rule| rule.path == Path::new(path)).map(|rule| rule.access)
    };
    assert_eq!(access("/home/u/notes"), Some(Access::ReadWrite));
    assert_eq!(access("/home/u/.bashrc"), Some(Access::Read));
    assert_eq!(access("/home/u/.local/bin"), Some(Access::Read));
    assert_eq!(access("/home/u/.ssh"), None);
}

#[test]
fn a_link_that_the_server_could_have_planted_is_not_followed() {
    let tree = FakeTree(vec![
        ("/", "/"),
        ("/srv", "/srv"),
        ("/srv/w", "/srv/w"),
        ("/srv/w/sub", "/srv/private"),
        ("/srv/alias", "/srv/data"),
    ]);
    let jail = JailArgs {
        grant_write: vec!["/srv/w".into(), "/srv/w/sub".into(), "/srv/alias".into()],
        ..JailArgs::default()
    };
    let plan = plan(&tree, &[], jail).unwrap();
    assert_eq!(granted(&plan), ["/srv/w", "/srv/data"]);
    assert!(plan.notes[0].contains("/srv/private: not granted"), "{:?}", plan.notes);
}
