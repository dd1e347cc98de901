//! Embedded profiles, files beside them, and files that are not to be trusted.

use std::os::unix::fs::PermissionsExt;

use super::*;

struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        for part in ["etc", "config"] {
            let folder = machine.dir.path().join(part).join(FOLDER);
            std::fs::create_dir_all(&folder).expect("a folder of profiles");
            mode(&folder, 0o755);
        }
        machine
    }

    fn write(&self, part: &str, name: &str, more: &str) -> PathBuf {
        let path = self.dir.path().join(part).join(FOLDER).join(format!("{name}.toml"));
        let text = format!("name = \"{name}\"\ndescription = \"from {part}\"\n{more}\n");
        std::fs::write(&path, text).expect("a profile is written");
        mode(&path, 0o644);
        path
    }

    /// As if `/etc` belonged to whoever runs the tests.
    fn load(&self) -> Result<Available, Failure> {
        let uid = std::fs::metadata(self.dir.path()).expect("facts of the directory").uid();
        let folder = |part: &str| read_folder(&self.dir.path().join(part).join(FOLDER), uid);
        Available::joined(folder("etc")?, folder("config")?)
    }
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("permissions are set");
}

fn identities(identity: &str) -> Vec<String> {
    vec![identity.to_owned()]
}

fn described(profile: Option<&Profile>) -> Option<(&str, &str)> {
    profile.map(|profile| (profile.name.as_ref(), profile.description.as_ref()))
}

#[test]
fn the_tables_inside_the_binary_say_what_the_files_of_the_repository_say() {
    let mut sources = Vec::new();
    for folder in ["base", "servers"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles").join(folder);
        for entry in std::fs::read_dir(folder).expect("the folder of profiles") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a profile");
            sources.push(Source { file: path.display().to_string(), text });
        }
    }
    let (mut parsed, mistakes) = parse_all(&sources, &|_| None);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    parsed.sort_by(|a, b| a.name.cmp(&b.name));
    let mut inside = embedded().to_vec();
    inside.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(parsed, inside);
}

#[test]
fn a_server_gets_the_embedded_profile_of_its_package_and_an_unknown_one_none() {
    let available = Machine::new().load().expect("no files at all");
    let profile =
        available.for_identities(&identities("pkg:npm/%40modelcontextprotocol/server-memory@2026.8.31"));
    assert_eq!(profile.map(|profile| profile.name.as_ref()), Some("server-memory"));
    assert!(available.for_identities(&identities("pkg:npm/unknown@1.0.0")).is_none());
    assert!(available.named("default").is_ok());
    let failure = available.named("defualt").expect_err("no such profile").to_string();
    assert!(failure.contains("default, "), "{failure}");
}

#[test]
fn a_file_of_the_user_replaces_the_embedded_profile_of_its_name() {
    let machine = Machine::new();
    machine.write("config", "server-memory", "identity = [\"pkg:npm/@modelcontextprotocol/server-memory\"]");
    let available = machine.load().expect("a profile of the user");
    let own = Some(("server-memory", "from config"));
    assert_eq!(described(available.named("server-memory").ok()), own);
    let memory = identities("pkg:npm/@modelcontextprotocol/server-memory@1.0.0");
    assert_eq!(described(available.for_identities(&memory)), own);
}

#[test]
fn the_most_specific_pattern_wins_but_the_organisation_comes_first() {
    let machine = Machine::new();
    machine.write("config", "wide", "identity = [\"pkg:npm/@modelcontextprotocol/*\"]");
    machine.write("config", "exact", "identity = [\"pkg:npm/@modelcontextprotocol/server-memory@1.0.0\"]");
    let memory =
        |version: &str| identities(&format!("pkg:npm/@modelcontextprotocol/server-memory@{version}"));
    let name = |available: &Available, version: &str| {
        available.for_identities(&memory(version)).map(|profile| profile.name.clone().into_owned())
    };
    let available = machine.load().expect("profiles of the user");
    assert_eq!(name(&available, "1.0.0").as_deref(), Some("exact"));
    assert_eq!(name(&available, "2.0.0").as_deref(), Some("server-memory"));
    machine.write("etc", "ours", "identity = [\"pkg:npm/*\"]");
    let available = machine.load().expect("a profile of the organisation");
    assert_eq!(name(&available, "1.0.0").as_deref(), Some("ours"));
}

#[test]
fn a_file_may_extend_an_embedded_profile() {
    let machine = Machine::new();
    machine.write("config", "mine", "extends = \"server-memory\"\nremove = [\"MEMORY_FILE_PATH\"]");
    let available = machine.load().expect("a profile of the user");
    let mine = available.named("mine").expect("the profile");
    assert_eq!(mine.bases.as_ref(), ["server-memory", "node", "offline", "linux"]);
    assert!(mine.env_set.iter().all(|set| set.name != "MEMORY_FILE_PATH"));
    assert!(mine.env_set.iter().any(|set| set.name == "HOME"));
}

#[test]
fn what_others_can_write_is_refused() {
    let machine = Machine::new();
    let file = machine.write("config", "mine", "");
    for wrong in [0o666, 0o664] {
        mode(&file, wrong);
        assert_eq!(machine.load().expect_err("a writable file").kind, Kind::Permission, "{wrong:o}");
    }
    mode(&file, 0o600);
    assert!(machine.load().is_ok());
    let folder = file.parent().expect("its folder");
    mode(folder, 0o777);
    assert_eq!(machine.load().expect_err("a writable folder").kind, Kind::Permission);
    mode(folder, 0o755);
}

#[test]
fn only_root_may_write_the_organisations_profiles() {
    let machine = Machine::new();
    machine.write("etc", "ours", "");
    let part = |part: &str| machine.dir.path().join(part);
    let owner = std::fs::metadata(part("etc")).expect("facts of the directory").uid();
    let outcome = Available::load(&part("etc"), &part("config"), owner);
    assert_eq!(outcome.is_ok(), owner == 0, "trusted exactly if root runs this test");
    assert!(Available::load(&part("nowhere"), &part("config"), owner).is_ok());
}

#[test]
fn all_mistakes_of_all_files_are_told_and_nothing_is_skipped() {
    let machine = Machine::new();
    machine.write("config", "a", "colour = \"blue\"");
    machine.write("config", "b", "[fs]\nread = [\"/usr\"]");
    let failure = machine.load().expect_err("two files with mistakes").to_string();
    assert!(failure.contains("a.toml:3:1") && failure.contains("b.toml:4:9"), "{failure}");
    let odd = machine.dir.path().join("config").join(FOLDER).join("odd.toml");
    std::fs::create_dir(&odd).expect("a directory that is called like a profile");
    assert_eq!(machine.load().expect_err("no file").kind, Kind::Config);
}

#[test]
fn the_users_profile_must_not_take_the_name_of_the_organisations() {
    let machine = Machine::new();
    machine.write("etc", "same", "");
    machine.write("config", "same", "");
    let failure = machine.load().expect_err("two profiles of one name").to_string();
    assert!(failure.contains("there twice"), "{failure}");
}

#[test]
fn every_starting_policy_that_can_be_asked_for_is_there() {
    for name in ["observe", "default", "strict"] {
        assert!(starting_policy(name).is_some_and(|text| text.contains("version = 1")), "{name}");
    }
    assert!(starting_policy("lax").is_none());
}
