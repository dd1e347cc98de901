use std::os::unix::fs::PermissionsExt;

use super::*;

fn refused() -> Knowledge {
    let step = "clone into new namespaces".to_owned();
    Knowledge::new(vec![BackendFailure { backend: Backend::Namespaces, step, errno: nix::libc::EPERM }])
}

/// A state directory in which a start has learnt something.
fn learnt() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let memory = BackendMemory::open(dir.path());
    assert!(memory.known().is_empty());
    memory.keep(&refused());
    assert_eq!(*BackendMemory::open(dir.path()).known(), refused());
    dir
}

fn text_of(dir: &tempfile::TempDir) -> Vec<u8> {
    fs::read(dir.path().join(NAME)).unwrap()
}

#[test]
fn what_was_learnt_is_known_in_the_same_situation_and_readable_for_the_user_alone() {
    let dir = learnt();
    let mode = fs::metadata(dir.path().join(NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn in_any_other_situation_nothing_is_known() {
    let dir = learnt();
    let here = situation().unwrap();
    for name in [
        "boot",
        "kernel",
        "user",
        "mnt",
        "Uid",
        "Seccomp",
        "executable",
        "root",
        "/proc/sys/user/max_user_namespaces",
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "/proc/self/attr/current",
    ] {
        assert!(here.contains_key(name), "{name}");
        let mut elsewhere = here.clone();
        elsewhere.insert(name.to_owned(), Some("another".to_owned()));
        assert!(BackendMemory::open_in(dir.path(), || Some(elsewhere)).known().is_empty(), "{name}");
        let mut less = here.clone();
        less.remove(name);
        assert!(BackendMemory::open_in(dir.path(), || Some(less)).known().is_empty(), "{name}");
    }
    assert_eq!(*BackendMemory::open_in(dir.path(), || Some(here)).known(), refused());
}

#[test]
fn where_the_boot_cannot_be_told_nothing_is_kept_and_nothing_believed() {
    let dir = learnt();
    let before = text_of(&dir);
    let memory = BackendMemory::open_in(dir.path(), || None);
    assert!(memory.known().is_empty());
    memory.write(&refused(), None).unwrap();
    assert_eq!(text_of(&dir), before);
}

#[test]
fn a_torn_file_is_no_knowledge() {
    let dir = learnt();
    let whole = text_of(&dir);
    for length in 0..whole.len() {
        fs::write(dir.path().join(NAME), &whole[..length]).unwrap();
        assert!(BackendMemory::open(dir.path()).known().is_empty(), "{length}");
    }
    let other = String::from_utf8(whole.clone()).unwrap().replace("\"version\":1", "\"version\":2");
    fs::write(dir.path().join(NAME), other).unwrap();
    assert!(BackendMemory::open(dir.path()).known().is_empty());
    let mut long = whole.clone();
    long.resize(usize::try_from(BYTES_MAX).unwrap() + 1, b' ');
    fs::write(dir.path().join(NAME), long).unwrap();
    assert!(BackendMemory::open(dir.path()).known().is_empty());
    fs::write(dir.path().join(NAME), whole).unwrap();
    assert_eq!(*BackendMemory::open(dir.path()).known(), refused());
}

#[test]
fn a_file_that_others_may_have_written_is_no_knowledge() {
    let dir = learnt();
    let path = dir.path().join(NAME);
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        assert!(BackendMemory::open(dir.path()).known().is_empty(), "{mode:o}");
    }
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(*BackendMemory::open(dir.path()).known(), refused());
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        assert!(BackendMemory::open(dir.path()).known().is_empty());
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
    fs::rename(&path, dir.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    assert!(BackendMemory::open(dir.path()).known().is_empty());
}

#[test]
fn success_writes_nothing_and_what_was_asked_of_the_host_itself_replaces_everything() {
    let dir = tempfile::tempdir().unwrap();
    BackendMemory::open(dir.path()).keep(&Knowledge::default());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    BackendMemory::open(dir.path()).replace(&refused());
    assert_eq!(*BackendMemory::open(dir.path()).known(), refused());
    // A start that leaves nothing out has learnt nothing new.
    BackendMemory::open(dir.path()).keep(&Knowledge::default());
    assert_eq!(*BackendMemory::open(dir.path()).known(), refused());
    BackendMemory::open(dir.path()).replace(&Knowledge::default());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
