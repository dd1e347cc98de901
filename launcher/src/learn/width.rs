//! How wide the jail is while learning: ordinary files and public hosts. Everything else stays as the profile in force
//! has it (decision 9).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use stockade_policy::document::profile::places::{OBEYED_IN_HOME, is_env_file};
use stockade_policy::document::profile::{PathGrant, Profile};

use super::case::Case;
use super::ports;
use crate::plan::{ClosedPlaces, EntryKind, Tree, tree_size};

/// What a session may send while nothing else says so: as in the built-in `default`.
const UPLOAD_BYTES: u64 = 64 << 20;
/// Entries of the home directory that are looked at.
const CHILDREN_MAX: usize = 4_096;
/// Files of /etc that stay closed, whoever may read them.
const CLOSED_IN_ETC: [&str; 10] =
    ["shadow", "shadow-", "gshadow", "gshadow-", "sudoers", "sudoers.d", "ssh", "ssl", "pki", "stockade"];

/// The profile in force, widened; and which ordinary places stay closed all the same, in words.
pub(super) fn widened(case: &Case, tried: &BTreeSet<u16>, tree: &dyn Tree) -> (Profile, Vec<String>) {
    let mut profile = case.in_force().clone();
    let mut wide = Wide { tree, places: ClosedPlaces::of(case.facts(), tree), ..Wide::new(tree) };
    wide.read.push(grant("${workspace}", "the project"));
    wide.write.push(grant("${workspace}", "the project"));
    wide.write.push(grant("${args.paths}", "named on its command line"));
    wide.home(&case.facts().home);
    wide.system();
    append(&mut profile.read, wide.read);
    append(&mut profile.write, wide.write);
    append(&mut profile.exec, wide.exec);
    let taken: BTreeSet<u16> = profile.net_allow.iter().map(|grant| grant.port).collect();
    let flags = case.jail.grant_net.iter().filter_map(|text| text.rsplit_once(':')?.1.parse::<u16>().ok());
    let taken: BTreeSet<u16> = taken.into_iter().chain(flags).collect();
    let open = ports::open(tried, &taken);
    let all: Vec<u16> = open.into_iter().chain(taken).collect::<BTreeSet<_>>().into_iter().collect();
    // The profile's own grants stand last: of equally close ones the last decides.
    let mut hosts = ports::everywhere(&all);
    hosts.extend(profile.net_allow.iter().cloned());
    profile.net_allow = Cow::Owned(hosts);
    profile.unix_private = Some(true);
    profile.limits.upload_bytes = profile.limits.upload_bytes.or(Some(UPLOAD_BYTES));
    (profile, wide.left_closed)
}

/// Reasons in the plan; in an event they say that this was a run to learn from.
fn grant(path: impl Into<Cow<'static, str>>, what: &str) -> PathGrant {
    PathGrant { path: path.into(), reason: format!("{what}, while learning").into() }
}

fn append(list: &mut Cow<'static, [PathGrant]>, more: Vec<PathGrant>) {
    let mut all = std::mem::take(list).into_owned();
    for grant in more {
        if !all.iter().any(|known| known.path == grant.path) {
            all.push(grant);
        }
    }
    *list = Cow::Owned(all);
}

struct Wide<'t> {
    tree: &'t dyn Tree,
    places: ClosedPlaces,
    read: Vec<PathGrant>,
    write: Vec<PathGrant>,
    exec: Vec<PathGrant>,
    left_closed: Vec<String>,
}

impl<'t> Wide<'t> {
    fn new(tree: &'t dyn Tree) -> Self {
        Self {
            tree,
            places: ClosedPlaces::default(),
            read: Vec::new(),
            write: Vec::new(),
            exec: Vec::new(),
            left_closed: Vec::new(),
        }
    }

    /// The children of the home directory, never the directory itself: what appears in it while the server runs stays
    /// out of reach. A tree that is too large to be searched for files of secrets stays closed.
    fn home(&mut self, home: &Path) {
        let Some(home) = self.tree.canonical(home) else { return };
        let mut directories = Vec::new();
        for (path, kind) in self.tree.entries(&home, CHILDREN_MAX) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
                continue;
            };
            if self.places.sensitive.contains(&path) || is_env_file(&name) || is_odd(&name) {
                continue;
            }
            let hidden = name.starts_with('.') || OBEYED_IN_HOME.iter().any(|obeyed| *obeyed == name);
            match kind {
                EntryKind::File if hidden => self.read.push(grant(text(&path), "a file at home")),
                EntryKind::File => self.write.push(grant(text(&path), "a file at home")),
                EntryKind::Directory => directories.push((path, hidden)),
                EntryKind::Link | EntryKind::Other => {}
            }
        }
        let mut sized: Vec<(Option<usize>, PathBuf, bool)> = directories
            .into_iter()
            .map(|(path, hidden)| (tree_size(self.tree, &path, &self.places.sensitive), path, hidden))
            .collect();
        sized.sort_by_key(|(size, ..)| size.unwrap_or(usize::MAX));
        // Half of it: the project and what the command line names are searched with it.
        let mut left = self.tree.searched_entries() / 2;
        for (size, path, hidden) in sized {
            let Some(rest) = size.and_then(|size| left.checked_sub(size)) else {
                self.left_closed
                    .push(format!("{}: too large to be searched for files of secrets", path.display()));
                continue;
            };
            left = rest;
            if hidden {
                // Programs that people install for themselves lie in there; what may be written may not be executed.
                self.read.push(grant(text(&path), "a directory at home"));
                self.exec.push(grant(text(&path), "a directory at home"));
            } else {
                self.write.push(grant(text(&path), "a directory at home"));
            }
        }
    }

    /// What everybody may read of the system's configuration. For root the modes of files below say nothing, so that
    /// directories stay closed then.
    fn system(&mut self) {
        for (path, kind) in self.tree.entries(Path::new("/etc"), CHILDREN_MAX) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if CLOSED_IN_ETC.contains(&name) || is_odd(name) {
                continue;
            }
            let mode = std::fs::symlink_metadata(&path).map_or(0, |facts| facts.mode());
            let open = match kind {
                EntryKind::File => mode & 0o004 != 0,
                EntryKind::Directory => mode & 0o005 == 0o005 && !nix::unistd::geteuid().is_root(),
                EntryKind::Link | EntryKind::Other => false,
            };
            if open {
                self.read.push(grant(text(&path), "the system's configuration"));
            }
        }
    }
}

/// A name that would mean something else in a profile.
fn is_odd(name: &str) -> bool {
    name.contains("${") || name.contains('*')
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
