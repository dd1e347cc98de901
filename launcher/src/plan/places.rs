//! The places that stay closed inside wider grants, as they are called on this machine.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use stockade_policy::document::profile::places::{
    OBEYED_IN_HOME, OBEYED_IN_PROJECTS, SENSITIVE_IN_HOME, USUAL_ENV_FILES, is_env_file,
};

use super::tree::{EntryKind, Tree};
use crate::host::Facts;

/// Directories that hold what was installed or built, not what somebody wrote; they are large.
const NOT_SEARCHED: [&str; 7] =
    ["node_modules", "target", "__pycache__", ".venv", ".tox", ".gradle", ".mypy_cache"];

/// The places that stay closed inside any wider grant, as they are called on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClosedPlaces {
    /// The home directory, links resolved.
    pub home: PathBuf,
    /// Closed to everything.
    pub sensitive: Vec<PathBuf>,
    /// Closed for writing.
    pub for_writing: Vec<PathBuf>,
}

impl ClosedPlaces {
    /// Those of this user.
    pub fn of(facts: &Facts, tree: &dyn Tree) -> Self {
        // Granted paths are compared with their links resolved, so the home directory is too.
        let home = tree.canonical(&facts.home).unwrap_or_else(|| facts.home.clone());
        let below = |names: &[&str]| -> Vec<PathBuf> { names.iter().map(|name| home.join(name)).collect() };
        let sensitive = below(SENSITIVE_IN_HOME).into_iter().chain(own(facts));
        let sensitive = sensitive.flat_map(|path| both_names(tree, path)).collect();
        let for_writing = below(OBEYED_IN_HOME).into_iter().flat_map(|path| both_names(tree, path)).collect();
        Self { home, sensitive, for_writing }
    }
}

/// Stockade's own files: nothing opens them.
pub(super) fn own(facts: &Facts) -> [PathBuf; 3] {
    [facts.state_dir.clone(), facts.config_dir.clone(), facts.system_dir.clone()]
}

/// What is not there yet is named as it would be; what is a link is closed at its target too.
pub(super) fn both_names(tree: &dyn Tree, path: PathBuf) -> impl Iterator<Item = PathBuf> {
    let target = tree.canonical(&path).filter(|target| *target != path);
    [target, Some(path)].into_iter().flatten()
}

/// How many entries of a tree are looked at for files of secrets; `None` if it is too large to be searched to its end. `but`
/// is not looked into.
pub fn tree_size(tree: &dyn Tree, root: &Path, but: &[PathBuf]) -> Option<usize> {
    let mut search = Search::new(tree);
    let all = search.left;
    search.project(root, but);
    search.unfinished.is_empty().then(|| all - search.left)
}

/// Looks for a project's secrets, and for what other programs obey, in granted trees.
#[derive(Debug)]
pub(super) struct Search<'a> {
    tree: &'a dyn Tree,
    left: usize,
    /// Files that hold secrets.
    pub(super) secrets: Vec<PathBuf>,
    /// What is run or obeyed by others.
    pub(super) obeyed: Vec<PathBuf>,
    /// Trees that were too large to be searched to their end.
    pub(super) unfinished: Vec<PathBuf>,
}

impl<'a> Search<'a> {
    pub(super) fn new(tree: &'a dyn Tree) -> Self {
        Self {
            tree,
            left: tree.searched_entries(),
            secrets: Vec::new(),
            obeyed: Vec::new(),
            unfinished: Vec::new(),
        }
    }

    /// Whether the search of `outer` comes to `inner`.
    pub(super) fn reaches(outer: &Path, inner: &Path, but: &[PathBuf]) -> bool {
        let Ok(below) = inner.strip_prefix(outer) else { return false };
        let skipped = |part: &OsStr| part == ".git" || NOT_SEARCHED.iter().any(|name| part == *name);
        let apart = |place: &PathBuf| place.starts_with(outer) && inner.starts_with(place);
        !below.iter().any(skipped) && !but.iter().any(apart)
    }

    /// A tree that may hold projects: all of it, nearest first, and the usual names at its root even if they do not
    /// exist yet. `but` is not looked into.
    pub(super) fn project(&mut self, root: &Path, but: &[PathBuf]) {
        if root.ends_with(".git") {
            // No project: the repository of one.
            self.look_at(root, ".git", EntryKind::Directory);
            return;
        }
        self.usual(root);
        self.obeyed.extend(OBEYED_IN_PROJECTS.iter().map(|place| root.join(place)));
        let but: HashSet<&Path> = but.iter().map(PathBuf::as_path).collect();
        let mut waiting = VecDeque::from([root.to_owned()]);
        while let Some(dir) = waiting.pop_front() {
            let entries = self.tree.entries(&dir, self.left + 1);
            if entries.len() > self.left {
                self.unfinished.push(root.to_owned());
                return;
            }
            self.left -= entries.len();
            for (path, kind) in entries {
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
                self.look_at(&path, name, kind);
                if kind != EntryKind::Directory || name == ".git" || NOT_SEARCHED.contains(&name) {
                    continue;
                }
                if !but.contains(path.as_path()) {
                    waiting.push_back(path);
                }
            }
        }
    }

    /// The usual names of files with secrets, at the root of a tree that is nobody's project.
    pub(super) fn usual(&mut self, root: &Path) {
        self.secrets.extend(USUAL_ENV_FILES.iter().map(|name| root.join(name)));
    }

    fn look_at(&mut self, path: &Path, name: &str, kind: EntryKind) {
        // A directory of that name is a virtual environment of Python's.
        if is_env_file(name) && kind != EntryKind::Directory {
            self.secrets.push(path.to_owned());
        }
        match (name, kind) {
            // The file of a further working tree says where the repository is, hooks included.
            (".git", EntryKind::File) => self.obeyed.push(path.to_owned()),
            (".git", _) => {
                let below = OBEYED_IN_PROJECTS.iter().filter_map(|place| place.strip_prefix(".git/"));
                self.obeyed.extend(below.map(|place| path.join(place)));
            }
            (name, _) if OBEYED_IN_PROJECTS.contains(&name) => self.obeyed.push(path.to_owned()),
            _ => {}
        }
    }
}
