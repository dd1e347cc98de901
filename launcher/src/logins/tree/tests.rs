use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::*;

const SECRET: &str = "the key of somebody else";

/// A directory with a place in it, a secret beside it, and room for a copy.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new(files: &[(&str, &str)]) -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        for dir in ["place", "copy", "ssh"] {
            std::fs::create_dir(scene.at(dir)).unwrap();
        }
        std::fs::write(scene.at("ssh/id"), SECRET).unwrap();
        for (name, text) in files {
            let path = scene.at("place").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        scene
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn place(&self) -> Result<Place, Unfit> {
        let dir = File::open(self.0.path()).unwrap();
        Place::below(dir.as_fd(), OsStr::new("place"))
    }

    fn copy(&self, place: &Place, only: &[&str]) -> Result<Survey, Unfit> {
        let dir = File::open(self.at("copy")).unwrap();
        place.copy(only, dir.as_fd(), OsStr::new("new"))
    }

    /// Texts of all files of the copy, by their names in it.
    fn copied(&self) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        let mut waiting = vec![self.at("copy/new")];
        while let Some(path) = waiting.pop() {
            let facts = path.symlink_metadata().unwrap();
            if facts.is_dir() {
                assert_eq!(facts.permissions().mode() & 0o777, 0o700, "{}", path.display());
                waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            assert!(facts.is_file(), "{}", path.display());
            assert_eq!(facts.permissions().mode() & 0o777, 0o600, "{}", path.display());
            let name = path.strip_prefix(self.at("copy/new")).unwrap().display().to_string();
            texts.push((name, std::fs::read_to_string(&path).unwrap()));
        }
        texts.sort();
        texts
    }
}

fn left_out(found: &Survey) -> Vec<(String, &'static str)> {
    found.left_out.iter().map(|(path, what)| (path.display().to_string(), *what)).collect()
}

fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn what_is_surveyed_is_copied_with_private_modes_and_its_times() {
    let scene = Scene::new(&[("tokens.json", "t1"), ("v1/a/deep.json", "t22")]);
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    for name in ["place/tokens.json", "place/v1/a/deep.json"] {
        std::fs::set_permissions(scene.at(name), PermissionsExt::from_mode(0o755)).unwrap();
        File::options().write(true).open(scene.at(name)).unwrap().set_modified(then).unwrap();
    }
    let place = scene.place().unwrap();
    let found = place.survey(&[]).unwrap();
    assert_eq!((found.files, found.bytes, found.newest), (2, 5, Some(then)));
    assert_eq!(scene.copy(&place, &[]).unwrap(), found);
    assert_eq!(scene.copied(), texts(&[("tokens.json", "t1"), ("v1/a/deep.json", "t22")]));
    assert_eq!(std::fs::metadata(scene.at("copy/new/tokens.json")).unwrap().modified().unwrap(), then);
}

#[test]
fn a_login_may_be_one_file_and_some_parts_of_a_directory() {
    let scene = Scene::new(&[("a.json", "a"), ("b/c.json", "c"), ("b/log", "noise"), ("big/log", "noise")]);
    let place = scene.place().unwrap();
    let found = scene.copy(&place, &["a.json", "b/c.json", "not/there", "a.json/x"]).unwrap();
    assert_eq!(scene.copied(), texts(&[("a.json", "a"), ("b/c.json", "c")]));
    assert_eq!(left_out(&found), [("a.json".to_owned(), "no directory that can be entered")]);
    let dir = File::open(scene.at("place")).unwrap();
    let file = Place::below(dir.as_fd(), OsStr::new("a.json")).unwrap();
    std::fs::remove_dir_all(scene.at("copy/new")).unwrap();
    assert_eq!(file.survey(&[]).unwrap().bytes, 1);
    assert_eq!(scene.copy(&file, &[]).unwrap().files, 1);
    assert_eq!(std::fs::read_to_string(scene.at("copy/new")).unwrap(), "a");
}

#[test]
fn links_pipes_and_sockets_are_left_out_and_named() {
    let scene = Scene::new(&[("tokens.json", "t")]);
    let place = scene.at("place");
    symlink(scene.at("ssh/id"), place.join("link")).unwrap();
    symlink(scene.at("ssh"), place.join("linked")).unwrap();
    symlink("tokens.json", place.join("near")).unwrap();
    nix::unistd::mkfifo(&place.join("pipe"), Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.join("socket")).unwrap();
    // Positive control: what follows links reads the key.
    assert_eq!(std::fs::read_to_string(place.join("link")).unwrap(), SECRET);
    let opened = scene.place().unwrap();
    let found = scene.copy(&opened, &[]).unwrap();
    let expected = [
        ("link", "a link"),
        ("linked", "a link"),
        ("near", "a link"),
        ("pipe", "a pipe"),
        ("socket", "a socket"),
    ];
    assert_eq!(left_out(&found), expected.map(|(name, what)| (name.to_owned(), what)));
    assert_eq!(scene.copied(), texts(&[("tokens.json", "t")]));
    for only in ["linked/id", "link"] {
        std::fs::remove_dir_all(scene.at("copy/new")).unwrap();
        let found = scene.copy(&opened, &[only]).unwrap();
        assert_eq!((found.files, found.left_out.len()), (0, 1), "{only}");
    }
}

#[test]
fn a_place_that_is_a_link_a_pipe_or_not_there_is_none() {
    let scene = Scene::new(&[]);
    std::fs::remove_dir(scene.at("place")).unwrap();
    assert!(matches!(scene.place(), Err(Unfit::Open(_))));
    symlink(scene.at("ssh"), scene.at("place")).unwrap();
    assert!(matches!(scene.place(), Err(Unfit::Special)));
    std::fs::remove_file(scene.at("place")).unwrap();
    nix::unistd::mkfifo(&scene.at("place"), Mode::S_IRWXU).unwrap();
    assert!(matches!(scene.place(), Err(Unfit::Special)));
}

#[test]
fn what_is_exchanged_after_the_survey_leads_nowhere() {
    let scene = Scene::new(&[("v1/id", "token"), ("other", "o")]);
    let place = scene.place().unwrap();
    assert_eq!(place.survey(&[]).unwrap().files, 2);
    std::fs::rename(scene.at("place/v1"), scene.at("place-v1")).unwrap();
    symlink(scene.at("ssh"), scene.at("place/v1")).unwrap();
    std::fs::rename(scene.at("place"), scene.at("was")).unwrap();
    symlink(scene.at("ssh"), scene.at("place")).unwrap();
    let found = scene.copy(&place, &[]).unwrap();
    assert_eq!(left_out(&found), [("v1".to_owned(), "a link")]);
    assert_eq!(scene.copied(), texts(&[("other", "o")]));
}

#[test]
fn what_is_exchanged_during_the_copy_leads_nowhere() {
    let scene = Scene::new(&[("v1/id", "token")]);
    let place = scene.place().unwrap();
    let (dir, link) = (scene.at("place/v1"), scene.at("link"));
    symlink(scene.at("ssh"), &link).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // One step, so that the name is never free: the two take each other's place as often as they can.
        scope.spawn(|| {
            // Bounded, for a test that fails ends no other thread.
            for _ in 0..5_000_000 {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                renameat2(AT_FDCWD, &dir, AT_FDCWD, &link, RenameFlags::RENAME_EXCHANGE).unwrap();
            }
        });
        for _ in 0..2_000 {
            scene.copy(&place, &[]).unwrap();
            let texts = scene.copied();
            assert!(texts.iter().all(|(_, text)| text == "token"), "{texts:?}");
            std::fs::remove_dir_all(scene.at("copy/new")).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn too_much_is_refused_as_a_whole() {
    let scene = Scene::new(&[("a", "a")]);
    let place = scene.place().unwrap();
    let sparse = File::create(scene.at("place/huge")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    assert!(matches!(place.survey(&[]), Err(Unfit::TooLarge(path)) if path == Path::new("huge")));
    assert!(matches!(scene.copy(&place, &[]), Err(Unfit::TooLarge(_))));
    std::fs::remove_dir_all(scene.at("copy/new")).unwrap();
    sparse.set_len(0).unwrap();
    let mut deep = scene.at("place");
    for _ in 0..=DEPTH_MAX {
        deep.push("d");
    }
    std::fs::create_dir_all(&deep).unwrap();
    assert!(matches!(place.survey(&[]), Err(Unfit::TooDeep)));
    std::fs::remove_dir_all(scene.at("place/d")).unwrap();
    for n in 0..=ENTRIES_MAX {
        File::create(scene.at("place").join(n.to_string())).unwrap();
    }
    assert!(matches!(place.survey(&[]), Err(Unfit::TooMany)));
}

#[test]
fn ages_are_in_the_largest_unit() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let ago = |seconds| age(now - Duration::from_secs(seconds), now);
    assert_eq!(
        [ago(0), ago(60), ago(7_200), ago(90_000)],
        ["just now", "1 minute ago", "2 hours ago", "1 day ago"]
    );
    assert_eq!(age(now + Duration::from_secs(5), now), "just now");
}
