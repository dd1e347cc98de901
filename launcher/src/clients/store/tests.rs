use std::os::unix::fs::symlink;

use super::*;
use crate::clients::registry::named;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn location(&self, name: &str) -> Location {
        Location {
            client: named("cursor").unwrap(),
            place: &named("cursor").unwrap().places[0],
            path: self.path(name),
            root: self.0.path().to_owned(),
        }
    }

    fn file(&self, name: &str, mode: u32) -> Location {
        std::fs::write(self.path(name), b"{}").unwrap();
        std::fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
        self.location(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn refusal(location: &Location) -> String {
    read(location).map_or_else(|problem| problem.to_string(), |_| "read".to_owned())
}

#[test]
fn a_file_that_is_not_there_is_no_problem() {
    let home = Home::new();
    assert!(read(&home.location("a.json")).unwrap().is_none());
    home.file("b", 0o600);
    assert!(read(&home.location("b/a.json")).unwrap().is_none());
}

#[test]
fn the_new_version_keeps_the_mode_and_leaves_nothing_beside_it() {
    let home = Home::new();
    for mode in [0o600, 0o644, 0o640, 0o755] {
        let location = home.file("a.json", mode);
        let original = read(&location).unwrap().unwrap();
        replace(&location, &original, b"{ }").unwrap();
        assert_eq!(std::fs::read(home.path("a.json")).unwrap(), b"{ }");
        assert_eq!(std::fs::metadata(home.path("a.json")).unwrap().mode() & 0o7777, mode);
        assert_eq!(home.names(), ["a.json"]);
    }
}

#[test]
fn root_keeps_the_owner() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let home = Home::new();
    let location = home.file("a.json", 0o640);
    std::os::unix::fs::chown(home.path("a.json"), Some(12345), Some(23456)).unwrap();
    let original = read(&location).unwrap().unwrap();
    replace(&location, &original, b"{ }").unwrap();
    let metadata = std::fs::metadata(home.path("a.json")).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (12345, 23456, 0o640));
}

#[test]
fn a_read_only_file_is_left_alone() {
    let home = Home::new();
    let location = home.file("a.json", 0o444);
    let original = read(&location).unwrap().unwrap();
    let problem = replace(&location, &original, b"{ }").unwrap_err();
    assert!(matches!(problem, FileProblem::ReadOnly), "{problem}");
    assert_eq!(std::fs::read(home.path("a.json")).unwrap(), b"{}");
    assert_eq!(home.names(), ["a.json"]);
}

#[test]
fn a_link_inside_of_the_home_is_followed_and_stays_a_link() {
    let home = Home::new();
    home.file("dotfile.json", 0o600);
    symlink("dotfile.json", home.path("a.json")).unwrap();
    let location = home.location("a.json");
    let original = read(&location).unwrap().unwrap();
    replace(&location, &original, b"{ }").unwrap();
    assert!(std::fs::symlink_metadata(home.path("a.json")).unwrap().is_symlink());
    assert_eq!(std::fs::read(home.path("dotfile.json")).unwrap(), b"{ }");
}

#[test]
fn a_link_that_leaves_the_home_is_not_followed() {
    let (home, elsewhere) = (Home::new(), Home::new());
    elsewhere.file("real.json", 0o600);
    symlink(elsewhere.path("real.json"), home.path("a.json")).unwrap();
    assert!(refusal(&home.location("a.json")).contains("a link that leaves"));
    symlink(home.path("a.json"), home.path("b.json")).unwrap();
    assert!(refusal(&home.location("b.json")).contains("a link that leaves"));
    symlink("absent", home.path("c.json")).unwrap();
    assert!(refusal(&home.location("c.json")).contains("cannot be read"));
}

#[test]
fn a_home_that_is_itself_a_link_is_a_home() {
    let (real, links) = (Home::new(), Home::new());
    real.file("a.json", 0o600);
    symlink(real.0.path(), links.path("home")).unwrap();
    let root = links.path("home");
    let location = Location {
        client: named("cursor").unwrap(),
        place: &named("cursor").unwrap().places[0],
        path: root.join("a.json"),
        root,
    };
    assert!(read(&location).unwrap().is_some());
}

#[test]
fn what_is_not_a_regular_file_is_not_opened() {
    let home = Home::new();
    std::fs::create_dir(home.path("dir")).unwrap();
    nix::unistd::mkfifo(&home.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(home.path("socket")).unwrap();
    assert_eq!(refusal(&home.location("dir")), "it is a directory, not a file");
    assert_eq!(refusal(&home.location("fifo")), "it is a FIFO, not a file");
    assert_eq!(refusal(&home.location("socket")), "it is a socket, not a file");
}

#[test]
fn a_file_above_the_limit_is_not_read() {
    let home = Home::new();
    let location = home.file("a.json", 0o600);
    let file = OpenOptions::new().write(true).open(home.path("a.json")).unwrap();
    file.set_len(FILE_BYTES_MAX).unwrap();
    assert!(read(&location).unwrap().is_some());
    file.set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(refusal(&location).contains("larger than 20 MiB"));
}

#[test]
fn a_file_that_changed_since_it_was_read_is_not_replaced() {
    let home = Home::new();
    let change_content = |path: &Path| std::fs::write(path, b"{\"new\": 1}").unwrap();
    let change_mode = |path: &Path| std::fs::set_permissions(path, Permissions::from_mode(0o640)).unwrap();
    let replace_by_equal = |path: &Path| {
        std::fs::write(path.with_extension("new"), b"{}").unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    };
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    let changes: [&dyn Fn(&Path); 4] = [&change_content, &change_mode, &replace_by_equal, &remove];
    for change in changes {
        let location = home.file("a.json", 0o600);
        let original = read(&location).unwrap().unwrap();
        change(&location.path);
        let now = std::fs::read(&location.path).ok();
        assert!(matches!(replace(&location, &original, b"{ }"), Err(FileProblem::Changed)));
        assert_eq!(std::fs::read(&location.path).ok(), now);
        assert!(home.names().len() <= 1);
    }
}

/// An access list that lets user 1234 read: version 2, then tag, permissions and id of each entry (acl(5), as in linux/posix_acl_xattr.h).
fn access_list() -> Vec<u8> {
    let nobody = u32::MAX;
    let entries =
        [(0x01u16, 6u16, nobody), (0x02, 4, 1234), (0x04, 0, nobody), (0x10, 4, nobody), (0x20, 0, nobody)];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

#[test]
fn the_new_version_keeps_attributes_and_the_access_list() {
    // In the working tree: not every file system for temporary files has attributes.
    let home = Home(tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap());
    let location = home.file("a.json", 0o600);
    xattr::set(&location.path, "user.note", b"kept").unwrap();
    xattr::set(&location.path, "system.posix_acl_access", &access_list()).unwrap();
    let original = read(&location).unwrap().unwrap();
    replace(&location, &original, b"{ }").unwrap();
    assert_eq!(std::fs::read(&location.path).unwrap(), b"{ }");
    assert_eq!(xattr::get(&location.path, "user.note").unwrap().as_deref(), Some(&b"kept"[..]));
    assert_eq!(xattr::get(&location.path, "system.posix_acl_access").unwrap(), Some(access_list()));
}

#[test]
fn a_client_that_locks_its_file_is_waited_for() {
    let home = Home::new();
    let file = home.file(".claude.json", 0o600);
    let location = Location { client: named("claude-code").unwrap(), ..file };
    let original = read(&location).unwrap().unwrap();
    let lock = home.path(".claude.json.lock");
    std::fs::create_dir(&lock).unwrap();
    let writer = std::thread::spawn({
        let location = location.clone();
        move || replace(&location, &original, b"{ }").map_err(|problem| problem.to_string())
    });
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(std::fs::read(&location.path).unwrap(), b"{}", "not under somebody else's lock");
    std::fs::remove_dir(&lock).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(home.names(), [".claude.json"]);
}

#[test]
fn what_was_written_after_the_last_look_comes_back() {
    type Write = fn(&Path);
    let by_rename: Write = |path| {
        std::fs::write(path.with_extension("tmp"), b"{\"theirs\":1}").unwrap();
        std::fs::rename(path.with_extension("tmp"), path).unwrap();
    };
    let in_place: Write = |path| std::fs::write(path, b"{\"theirs\":1}").unwrap();
    let removed: Write = |path| std::fs::remove_file(path).unwrap();
    for (write, left) in [(by_rename, true), (in_place, true), (removed, false)] {
        let home = Home::new();
        let location = home.file("a.json", 0o600);
        let original = read(&location).unwrap().unwrap();
        let mut ours = NamedTempFile::new_in(home.0.path()).unwrap();
        ours.write_all(b"{\"ours\":1}").unwrap();
        write(&location.path);
        assert!(matches!(put(ours, &original), Err(FileProblem::Changed)));
        assert_eq!(std::fs::read(&location.path).ok().as_deref(), left.then_some(&b"{\"theirs\":1}"[..]));
        assert_eq!(home.names().len(), usize::from(left), "{:?}", home.names());
    }
}
