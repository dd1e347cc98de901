//! Opens held against a small file system.

use std::collections::BTreeMap;

use stockade_sandbox::{Backend, Files, PathRule, Program};

use super::*;

/// Links and kinds by path; what a name begins with `locked` the user may not touch.
#[derive(Debug)]
struct Small(BTreeMap<&'static str, (&'static str, FileKind)>);

impl Outside for Small {
    fn look(&self, path: &Path) -> Option<(PathBuf, FileKind)> {
        let (real, kind) = self.0.get(path.to_str()?)?;
        Some((PathBuf::from(real), *kind))
    }

    fn permits(&self, path: &Path, _access: Access) -> bool {
        !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("locked"))
    }
}

fn court(backend: Backend) -> Court {
    let rule = |path: &str, access| PathRule { path: path.into(), access };
    let rules =
        vec![rule("/srv", Access::ReadWrite), rule("/usr", Access::ReadExecute), rule("/proc", Access::Read)];
    let mut files = Files::plain(rules);
    files.wide.push(rule("/h/tmp", Access::ReadWrite));
    files.narrow.push(rule("/h/tmp", Access::ReadWrite));
    files.scratch = Some("/h/tmp".into());
    let there = [
        ("/srv", ("/srv", FileKind::Directory)),
        ("/srv/tool", ("/srv/tool", FileKind::File)),
        ("/srv/alias", ("/data/secret", FileKind::File)),
        ("/bin/sh", ("/usr/bin/dash", FileKind::File)),
        ("/data", ("/data", FileKind::Directory)),
        ("/data/secret", ("/data/secret", FileKind::File)),
        ("/data/locked", ("/data/locked", FileKind::File)),
        ("/tmp", ("/tmp", FileKind::Directory)),
        ("/tmp/d", ("/tmp/d", FileKind::Directory)),
        ("/tmp/x", ("/tmp/x", FileKind::File)),
        ("/tmp/y", ("/tmp/y", FileKind::File)),
        ("/h/tmp", ("/h/tmp", FileKind::Directory)),
        ("/h/tmp/x", ("/h/tmp/x", FileKind::File)),
    ];
    Court::new(
        Fence::new(Some(files), backend),
        ClosedPlaces::default(),
        Box::new(Small(there.into_iter().collect())),
    )
}

fn judged(backend: Backend, path: &str, access: Access) -> Option<Tried> {
    let opened = Opened { program: Program::default(), path: path.into(), access, exists: true };
    court(backend).judge(&opened).map(|ruled| ruled.tried)
}

#[test]
fn what_a_grant_covers_and_what_is_not_there_is_no_denial() {
    use Access::{Read, ReadExecute, ReadWrite};
    for (path, access) in [
        ("/bin/sh", ReadExecute),
        ("/srv", Read),
        ("/srv/new", ReadWrite),
        ("/data/nothing", Read),
        ("/nowhere/at/all", ReadWrite),
        ("/proc/self/status", Read),
        ("/proc/self/fd/7", ReadWrite),
    ] {
        assert_eq!(judged(Backend::Notify, path, access), None, "{path}");
    }
}

#[test]
fn a_link_is_judged_by_where_it_leads() {
    let denied = judged(Backend::Notify, "/srv/alias", Access::Read);
    let meant = Tried::File { path: "/data/secret".into(), access: Access::Read, kind: FileKind::File };
    assert_eq!(denied, Some(meant));
}

#[test]
fn a_file_that_was_to_be_created_is_a_denial_where_its_directory_exists() {
    let denied = judged(Backend::Notify, "/data/new", Access::ReadWrite);
    let meant = Tried::File { path: "/data/new".into(), access: Access::ReadWrite, kind: FileKind::New };
    assert_eq!(denied, Some(meant));
}

#[test]
fn what_the_user_may_not_do_outside_is_not_the_jails_denial() {
    assert!(judged(Backend::Notify, "/data/secret", Access::ReadWrite).is_some());
    assert_eq!(judged(Backend::Notify, "/data/locked", Access::ReadWrite), None);
}

#[test]
fn the_servers_own_scratch_directory_is_not_the_hosts() {
    for path in ["/tmp/x", "/tmp/new"] {
        assert_eq!(judged(Backend::Namespaces, path, Access::ReadWrite), None, "{path}");
    }
    let elsewhere = judged(Backend::Namespaces, "/tmp/d/new", Access::ReadWrite);
    assert!(elsewhere.is_some(), "its directory is there outside alone");
    assert!(judged(Backend::Namespaces, "/tmp/y", Access::Read).is_some(), "it is there outside alone");
    assert!(judged(Backend::Notify, "/tmp/x", Access::Read).is_some());
}

#[test]
fn a_program_in_a_place_that_the_server_may_write_is_refused_for_that_and_no_grant_is_proposed() {
    for (backend, path) in [
        (Backend::Notify, "/srv/tool"),
        (Backend::Namespaces, "/srv/tool"),
        // In its own /tmp as well, where it may do anything else.
        (Backend::Namespaces, "/tmp/x"),
    ] {
        let opened = Opened {
            program: Program::default(),
            path: path.into(),
            access: Access::ReadExecute,
            exists: true,
        };
        let ruled = court(backend).judge(&opened).unwrap_or_else(|| panic!("{backend:?} {path}"));
        let tried = Tried::File { path: path.into(), access: Access::ReadExecute, kind: FileKind::File };
        assert_eq!(ruled.tried, tried);
        assert!(ruled.why.contains("W^X"), "{}", ruled.why);
        let Remedy::None(instead) = ruled.remedy else { panic!("{:?}", ruled.remedy) };
        assert!(instead.contains("`[fs] exec`") && instead.contains("installed before"), "{instead}");
    }
    // Opened otherwise, it is the server's own.
    assert_eq!(judged(Backend::Namespaces, "/tmp/x", Access::Read), None);
    assert_eq!(judged(Backend::Namespaces, "/srv/tool", Access::ReadWrite), None);
}
