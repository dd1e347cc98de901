//! Plans without a file system.

mod closed;
mod network;
mod variables;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use stockade_sandbox::{Closed, Network};

use super::*;

/// Paths and where they lead; what nothing lies below is a file.
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
    plan_of(&profile(), tree, arguments, &jail, &facts())
}

/// The plan of a profile whose file says this, with a name and a description before it.
fn plan_by(lines: &str, tree: &FakeTree, arguments: &[&str]) -> Result<Plan, Failure> {
    plan_of(&profile_of(lines), tree, arguments, &JailArgs::default(), &facts())
}

fn profile_of(lines: &str) -> Profile {
    let text = format!("name = \"t\"\ndescription = \"for tests\"\n{lines}");
    Profile::parse("t.toml", &text, &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn plan_of(
    profile: &Profile,
    tree: &FakeTree,
    arguments: &[&str],
    jail: &JailArgs,
    facts: &Facts,
) -> Result<Plan, Failure> {
    let resolved = Resolved {
        set: Vec::new(),
        integrity: None,
        name: "srv".into(),
        program: "/usr/bin/srv".into(),
        argv: ["srv"].iter().chain(arguments).map(OsString::from).collect(),
        code: "/usr/bin/srv".into(),
        identities: vec!["file:sha256:00".into()],
        exec_roots: Vec::new(),
        package_roots: Vec::new(),
        argument_paths: arguments.iter().map(PathBuf::from).collect(),
    };
    let input = Input {
        facts,
        jail,
        id: None,
        resolved: &resolved,
        profile,
        profile_why: String::new(),
        policy_hash: String::new(),
        entry_env: &["TOKEN".to_owned()],
        tmp_name: "t",
        without: None,
    };
    Plan::make(&input, tree)
}

fn files(plan: &Plan) -> &Files {
    plan.ruleset.files.as_ref().expect("a fence")
}

fn access(rules: &[PathRule], path: &str) -> Option<Access> {
    rules.iter().find(|rule| rule.path == Path::new(path)).map(|rule| rule.access)
}

fn closed(plan: &Plan, path: &str) -> Option<Closed> {
    files(plan).closed.iter().find(|place| place.path == Path::new(path)).map(|place| place.closed)
}

fn granted(plan: &Plan) -> Vec<&str> {
    let own = ["/home/u/.local/state/stockade/servers/", "/home/u/.local/state/stockade/tmp/"];
    files(plan)
        .narrow
        .iter()
        .filter_map(|rule| rule.path.to_str())
        .filter(|path| !own.iter().any(|own| path.starts_with(own)))
        .collect()
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
    assert!(plan.without_view[0].contains("/home/u: granted by its children"), "{:?}", plan.without_view);
    // With a view of its own the home is granted as a whole, and what is sensitive is masked, there or not.
    assert_eq!(access(&files(&plan).wide, "/home/u"), Some(Access::Read));
    for place in ["/home/u/.ssh", "/home/u/.config/gh", "/home/u/.aws", "/home/u/.local/state/stockade"] {
        assert_eq!(closed(&plan, place), Some(Closed::Entirely), "{place}");
    }
}

#[test]
fn links_inside_of_a_grant_are_not_followed() {
    let tree = FakeTree(vec![
        ("/home/u", "/home/u"),
        ("/home/u/.ssh", "/home/u/.ssh"),
        ("/home/u/keys", "/home/u/.ssh"),
        ("/home/u/up", "/home"),
        ("/home/u/notes", "/srv/notes"),
        ("/home/u/own", "/home/u/own"),
    ]);
    let plan = plan(&tree, &["/home/u"], JailArgs::default()).unwrap();
    assert_eq!(granted(&plan), ["/home/u/own"]);
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
    let narrow = |path: &str| access(&files(&plan).narrow, path);
    assert_eq!(narrow("/home/u/notes"), Some(Access::ReadWrite));
    assert_eq!(narrow("/home/u/.bashrc"), Some(Access::Read));
    assert_eq!(narrow("/home/u/.local/bin"), Some(Access::Read));
    assert_eq!(narrow("/home/u/.ssh"), None);
    assert_eq!(closed(&plan, "/home/u/.bashrc"), Some(Closed::ForWriting));
    assert_eq!(closed(&plan, "/home/u/.zshrc"), Some(Closed::ForWriting), "not there yet");
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
