//! Which directories have to be listened to, so that no change of a client's config goes by; and what in them counts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::clients::{CLIENTS, Reach, World};

/// Directories, and what in them counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// To be listened to: they exist.
    pub directories: BTreeSet<PathBuf>,
    /// Files that count, and directories that lead to them.
    names: BTreeSet<PathBuf>,
    /// Directories in which everything counts, since a path of the registry has a `*` there.
    open: BTreeSet<PathBuf>,
}

impl Places {
    /// Of all clients' files of the user, of plugins and of the administrator, and of those of these projects.
    pub(super) fn of(world: World<'_>, projects: &[PathBuf]) -> Self {
        let mut places = Self::default();
        for project in projects {
            let world = world.with_project(project);
            for (root, parts) in CLIENTS.iter().flat_map(|client| client.ways(Reach::Project, world)) {
                places.add(&root, &parts);
            }
        }
        for reach in [Reach::User, Reach::Plugin, Reach::Managed] {
            for (root, parts) in CLIENTS.iter().flat_map(|client| client.ways(reach, world)) {
                places.add(&root, &parts);
            }
        }
        places
    }

    /// Whether a change at this path may concern a config.
    pub(super) fn counts(&self, path: &Path) -> bool {
        self.names.contains(path) || path.parent().is_some_and(|parent| self.open.contains(parent))
    }

    fn add(&mut self, root: &Path, parts: &[&str]) {
        if !root.is_dir() {
            return;
        }
        let mut here = vec![root.to_owned()];
        for part in parts {
            self.directories.extend(here.iter().cloned());
            let mut next = Vec::new();
            for directory in here {
                if part.contains('*') {
                    let children = std::fs::read_dir(&directory).into_iter().flatten().flatten();
                    next.extend(children.map(|child| child.path()));
                    self.open.insert(directory);
                } else {
                    let path = directory.join(part);
                    self.names.insert(path.clone());
                    next.push(path);
                }
            }
            for path in &next {
                self.follow(path);
            }
            here = next.into_iter().filter(|path| path.is_dir()).collect();
        }
    }

    /// What a link leads to changes elsewhere.
    fn follow(&mut self, path: &Path) {
        if !path.is_symlink() {
            return;
        }
        if let Ok(target) = std::fs::canonicalize(path) {
            self.directories.extend(target.parent().map(Path::to_owned));
            self.names.insert(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clients::Os;

    #[test]
    fn what_does_not_exist_yet_is_waited_for_in_what_does() {
        let home = tempfile::tempdir().unwrap();
        let env = BTreeMap::new();
        let places = || Places::of(World { os: Os::Linux, home: home.path(), env: &env, project: None }, &[]);
        let in_home = |path: &str| home.path().join(path);
        let before = places();
        assert!(before.directories.contains(home.path()));
        assert!(before.counts(&in_home(".cursor")) && before.counts(&in_home(".claude.json")));
        assert!(!before.counts(&in_home(".bash_history")) && !before.counts(&in_home(".claude.json.tmp.1")));
        std::fs::create_dir_all(in_home(".config/Code/User/profiles/p1")).unwrap();
        std::fs::create_dir(in_home("dotfiles")).unwrap();
        std::fs::write(in_home("dotfiles/mcp.json"), "{}").unwrap();
        std::fs::create_dir(in_home(".cursor")).unwrap();
        std::os::unix::fs::symlink(in_home("dotfiles/mcp.json"), in_home(".cursor/mcp.json")).unwrap();
        let after = places();
        for directory in [
            ".cursor",
            "dotfiles",
            ".config/Code/User",
            ".config/Code/User/profiles",
            ".config/Code/User/profiles/p1",
        ] {
            assert!(after.directories.contains(&in_home(directory)), "{directory}");
        }
        let target = std::fs::canonicalize(in_home("dotfiles/mcp.json")).unwrap();
        assert!(after.counts(&target) && after.counts(&in_home(".cursor/mcp.json")));
        assert!(after.counts(&in_home(".config/Code/User/profiles/p2")), "a new profile");
    }
}
