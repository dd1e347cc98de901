//! PURE: what the fence says to a file that was opened: the grants of the plan, read as the backend carries them out.

use std::path::{Path, PathBuf};

use stockade_sandbox::{Access, Backend, Closed, ClosedPlace, Files, PathRule};

/// What becomes of an open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is covered by a grant.
    Passes,
    /// Refused.
    Refused(Why),
    /// Nobody can tell from a path: `/proc` leads to other files by links that are none.
    Unknown,
}

/// Why the fence refuses a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// No grant holds it.
    NoGrant,
    /// It is granted for this, but not for what was tried.
    Otherwise(Access),
    /// It lies in a place that no wider grant opens.
    Closed(PathBuf, Closed),
    /// The jail shows a directory of the server's own in its place.
    Private,
    /// Its directory is granted, and holds closed places: Landlock can only grant what stood beside them at the start.
    ByChildren,
    /// It was to be executed, and lies in this place, where the server may write.
    Writable(PathBuf),
}

impl Why {
    /// In one clause.
    pub fn words(&self) -> String {
        match self {
            Self::NoGrant => "no grant holds it".to_owned(),
            Self::Private => {
                "the jail's /tmp and /var/tmp are the server's own, and no grant holds this file of the \
                              machine's"
                    .to_owned()
            }
            Self::Otherwise(Access::ReadWrite) => {
                "it is granted for reading and writing, and so never for execution".to_owned()
            }
            Self::Otherwise(Access::ReadExecute) => "it is granted for reading and execution only".to_owned(),
            Self::Otherwise(Access::Read) => "it is granted for reading only".to_owned(),
            Self::Closed(place, Closed::Entirely) => {
                format!("{} stays closed inside every wider grant", place.display())
            }
            Self::Closed(place, Closed::Contents) => format!(
                "the contents of {} stay closed inside every wider grant (with a mount namespace, a text that says so \
                 stands in its place)",
                place.display()
            ),
            Self::Closed(place, Closed::ForWriting) => {
                format!("{} stays closed for writing inside every wider grant", place.display())
            }
            Self::Writable(place) => format!(
                "the server may write in {}, and what can be written is never executed (W^X)",
                place.display()
            ),
            Self::ByChildren => {
                "its directory is granted, but holds sensitive places: without a mount namespace only \
                                 what stood beside them at the start can be granted"
                    .to_owned()
            }
        }
    }
}

/// The files of a plan under a backend.
#[derive(Clone, Debug)]
pub struct Fence {
    /// `None`: no fence at all.
    files: Option<Files>,
    backend: Backend,
}

impl Fence {
    /// The fence that a jail with these files has.
    pub fn new(files: Option<Files>, backend: Backend) -> Self {
        Self { files, backend }
    }

    /// Where the file really lies if the view shows a directory of the server's own in its place.
    pub fn scratch(&self, path: &Path) -> Option<PathBuf> {
        let scratch = self.files.as_ref()?.scratch.as_ref()?;
        if self.backend != Backend::Namespaces {
            return None;
        }
        let below = TEMPORARY.iter().find_map(|place| path.strip_prefix(place).ok())?;
        Some(scratch.join(below))
    }

    /// Whether the directory can be listed though its files are granted one by one.
    pub fn lists(&self, dir: &Path) -> bool {
        let Some(files) = self.files.as_ref().filter(|_| self.backend != Backend::Namespaces) else {
            return false;
        };
        files.listed.iter().any(|listed| dir.starts_with(listed))
    }

    /// What it says to opening `path`, which has its links resolved, for `access`.
    pub fn judge(&self, path: &Path, access: Access) -> Outcome {
        let Some(files) = &self.files else { return Outcome::Passes };
        if leads_elsewhere(path) {
            return Outcome::Unknown;
        }
        let judge = |access| match self.backend {
            Backend::Namespaces => in_view(files, path, access),
            Backend::Notify | Backend::Static => in_landlock(files, path, access),
        };
        match judge(access) {
            Outcome::Refused(_)
                if access == Access::ReadExecute && judge(Access::ReadWrite) == Outcome::Passes =>
            {
                Outcome::Refused(Why::Writable(written(files, path)))
            }
            said => said,
        }
    }
}

/// The deepest place above the path that is granted for writing.
fn written(files: &Files, path: &Path) -> PathBuf {
    let above = files.wide.iter().chain(&files.narrow);
    let above = above.filter(|rule| rule.access == Access::ReadWrite && path.starts_with(&rule.path));
    let deepest = above.max_by_key(|rule| rule.path.components().count());
    deepest.map_or_else(|| path.to_owned(), |rule| rule.path.clone())
}

/// Landlock's rules only add: whatever one of them grants on the way from the root to the file is granted.
fn in_landlock(files: &Files, path: &Path, access: Access) -> Outcome {
    if granted(&files.narrow, path, access) {
        return Outcome::Passes;
    }
    if in_view(files, path, access) == Outcome::Passes {
        return Outcome::Refused(Why::ByChildren);
    }
    refused(&files.narrow, &files.closed, path)
}

/// What the view shows as a directory of the server's own.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// The private view: grants add up, a closed place cuts off those that stand above it, and what may be written may not be
/// executed unless something between grants just that.
fn in_view(files: &Files, path: &Path, access: Access) -> Outcome {
    let above = || files.wide.iter().filter(|rule| path.starts_with(&rule.path));
    let left = |rule: &&PathRule| match (cut(&files.closed, &rule.path, path), rule.access) {
        (Some(Closed::Entirely | Closed::Contents), _) | (Some(Closed::ForWriting), Access::ReadWrite) => {
            None
        }
        (_, access) => Some(access),
    };
    let passes = match access {
        Access::Read => above().any(|rule| {
            cut(&files.closed, &rule.path, path).is_none_or(|closed| closed == Closed::ForWriting)
        }),
        Access::ReadWrite => above().any(|rule| left(&rule) == Some(Access::ReadWrite)),
        Access::ReadExecute => {
            let deciding =
                above().filter(|rule| matches!(left(rule), Some(Access::ReadWrite | Access::ReadExecute)));
            let deepest = deciding
                .max_by_key(|rule| (rule.path.components().count(), rule.access == Access::ReadExecute));
            deepest.is_some_and(|rule| rule.access == Access::ReadExecute)
        }
    };
    let hidden = TEMPORARY.iter().any(|place| path.starts_with(place)) && files.scratch.is_some();
    match refused(&files.wide, &files.closed, path) {
        _ if passes => Outcome::Passes,
        Outcome::Refused(Why::NoGrant) if hidden => Outcome::Refused(Why::Private),
        refused => refused,
    }
}

fn granted(rules: &[PathRule], path: &Path, access: Access) -> bool {
    rules.iter().any(|rule| gives(rule.access, access) && path.starts_with(&rule.path))
}

/// Every access holds reading; writing and executing hold each other nowhere.
fn gives(granted: Access, wanted: Access) -> bool {
    wanted == Access::Read || granted == wanted
}

/// What closes `path` to a grant that stands at `grant`; the stricter one, if several do.
fn cut(closed: &[ClosedPlace], grant: &Path, path: &Path) -> Option<Closed> {
    let between = |place: &&ClosedPlace| path.starts_with(&place.path) && place.path.starts_with(grant);
    closed.iter().filter(between).map(|place| place.closed).min()
}

fn refused(rules: &[PathRule], closed: &[ClosedPlace], path: &Path) -> Outcome {
    if let Some(place) = closed.iter().find(|place| path.starts_with(&place.path)) {
        return Outcome::Refused(Why::Closed(place.path.clone(), place.closed));
    }
    let there =
        |access: Access| rules.iter().any(|rule| rule.access == access && path.starts_with(&rule.path));
    let granted =
        [Access::ReadWrite, Access::ReadExecute, Access::Read].into_iter().find(|&access| there(access));
    Outcome::Refused(granted.map_or(Why::NoGrant, Why::Otherwise))
}

/// `/proc/PID/{root,cwd,exe,fd,map_files}` lead to files that have paths of their own, by which the kernel judges.
fn leads_elsewhere(path: &Path) -> bool {
    let Ok(below) = path.strip_prefix("/proc") else { return false };
    let links = ["root", "cwd", "exe", "fd", "map_files"];
    below.components().skip(1).any(|part| links.iter().any(|link| part.as_os_str() == *link))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, access: Access) -> PathRule {
        PathRule { path: path.into(), access }
    }

    fn files() -> Files {
        let closed = |path: &str, closed| ClosedPlace { path: path.into(), closed };
        let shared = [
            rule("/usr", Access::ReadExecute),
            rule("/srv/data", Access::ReadWrite),
            rule("/proc", Access::Read),
            rule("/h/.state/own", Access::ReadWrite),
        ];
        let (mut wide, mut narrow) = (shared.to_vec(), shared.to_vec());
        wide.push(rule("/h", Access::ReadWrite));
        narrow.extend([rule("/h/notes", Access::ReadWrite), rule("/h/.bashrc", Access::Read)]);
        Files {
            wide,
            closed: vec![
                closed("/h/.ssh", Closed::Entirely),
                closed("/h/.state", Closed::Entirely),
                closed("/h/.bashrc", Closed::ForWriting),
            ],
            narrow,
            listed: vec!["/h/notes".into()],
            scratch: Some("/h/.state/own".into()),
        }
    }

    /// What the fence says: true if it passes.
    fn passes(backend: Backend, path: &str, access: Access) -> bool {
        match Fence::new(Some(files()), backend).judge(Path::new(path), access) {
            Outcome::Passes => true,
            Outcome::Refused(_) => false,
            Outcome::Unknown => panic!("{path} is unknown"),
        }
    }

    #[test]
    fn both_ways_of_carrying_grants_out_agree_on_what_is_plain() {
        use Access::{Read, ReadExecute, ReadWrite};
        let cases = [
            ("/usr/lib/x.so", Read, true),
            ("/usr/bin/cat", ReadExecute, true),
            ("/usr/lib/x.so", ReadWrite, false),
            ("/srv/data/a/b", ReadWrite, true),
            ("/srv/data/a/b", ReadExecute, false),
            ("/srv/database", Read, false),
            ("/h/notes/n", ReadWrite, true),
            ("/h/.ssh/id_rsa", Read, false),
            ("/h/.state/key", Read, false),
            ("/h/.state/own/f", ReadWrite, true),
            ("/h/.bashrc", Read, true),
            ("/h/.bashrc", ReadWrite, false),
            ("/etc/shadow", Read, false),
            ("/proc/self/status", Read, true),
        ];
        for backend in [Backend::Namespaces, Backend::Notify, Backend::Static] {
            for (path, access, expected) in cases {
                assert_eq!(passes(backend, path, access), expected, "{path} {access:?} {backend:?}");
            }
        }
    }

    #[test]
    fn names_that_may_be_listed_open_no_file() {
        let fence = |backend| Fence::new(Some(files()), backend);
        assert!(fence(Backend::Notify).lists(Path::new("/h/notes/below")));
        assert!(!fence(Backend::Notify).lists(Path::new("/h")));
        assert!(!fence(Backend::Namespaces).lists(Path::new("/h/notes")), "the view shows what it grants");
    }

    #[test]
    fn a_view_shows_what_landlock_can_only_grant_by_its_children() {
        for (path, access) in [("/h", Access::Read), ("/h/later", Access::ReadWrite)] {
            assert!(passes(Backend::Namespaces, path, access), "{path}");
            assert!(!passes(Backend::Notify, path, access), "{path}");
        }
        let said = Fence::new(Some(files()), Backend::Notify).judge(Path::new("/h/later"), Access::Read);
        assert!(matches!(said, Outcome::Refused(why) if why.words().contains("mount namespace")));
    }

    #[test]
    fn the_reason_tells_a_missing_grant_from_one_of_another_kind_and_from_a_closed_place() {
        let why = |path: &str, access| match Fence::new(Some(files()), Backend::Namespaces)
            .judge(Path::new(path), access)
        {
            Outcome::Refused(why) => why.words(),
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(why("/etc/x", Access::Read), "no grant holds it");
        assert!(why("/usr/x", Access::ReadWrite).contains("reading and execution only"));
        assert_eq!(
            why("/srv/data/x", Access::ReadExecute),
            "the server may write in /srv/data, and what can be written is never executed (W^X)"
        );
        // In the server's own directories too, which lie in a place that is closed to wider grants.
        assert!(why("/h/.state/own/tool", Access::ReadExecute).contains("/h/.state/own, and"));
        assert!(why("/h/.state/other/tool", Access::ReadExecute).contains("/h/.state stays closed"));
        assert!(why("/proc/x", Access::ReadWrite).contains("for reading only"));
        assert!(why("/h/.ssh/x", Access::Read).starts_with("/h/.ssh stays closed"));
        assert!(why("/h/.bashrc", Access::ReadWrite).contains("for writing"));
    }

    #[test]
    fn in_a_view_what_may_be_written_is_executed_only_where_just_that_is_granted() {
        let mut files = files();
        files.wide.extend([rule("/srv/data/bin", Access::ReadExecute), rule("/srv", Access::ReadExecute)]);
        let fence = Fence::new(Some(files), Backend::Namespaces);
        let runs = |path: &str| fence.judge(Path::new(path), Access::ReadExecute) == Outcome::Passes;
        assert!(runs("/srv/tool") && runs("/srv/data/bin/tool"));
        assert!(!runs("/srv/data/tool"), "the write grant lies deeper than the one for execution");
    }

    #[test]
    fn the_machines_temporary_files_are_told_from_the_servers_own() {
        let view = Fence::new(Some(files()), Backend::Namespaces);
        assert_eq!(view.scratch(Path::new("/tmp/a/b")), Some("/h/.state/own/a/b".into()));
        assert_eq!(view.scratch(Path::new("/srv/a")), None);
        assert_eq!(Fence::new(Some(files()), Backend::Notify).scratch(Path::new("/tmp/a")), None);
        let said = view.judge(Path::new("/tmp/a"), Access::Read);
        assert_eq!(said, Outcome::Refused(Why::Private));
    }

    #[test]
    fn what_a_path_cannot_tell_is_not_claimed() {
        let fence = Fence::new(Some(files()), Backend::Notify);
        for path in ["/proc/self/fd/3", "/proc/12/root/etc/shadow", "/proc/12/task/13/cwd", "/proc/self/exe"]
        {
            assert_eq!(fence.judge(Path::new(path), Access::Read), Outcome::Unknown, "{path}");
        }
        assert_eq!(Fence::new(None, Backend::Notify).judge(Path::new("/x"), Access::Read), Outcome::Passes);
    }
}
