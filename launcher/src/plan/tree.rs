//! What a plan may ask the file system.

use std::path::{Path, PathBuf};

/// What stands at a path; links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A symbolic link.
    Link,
    /// A socket, a pipe, a device.
    Other,
}

/// The file system, as far as a plan looks at it.
pub trait Tree {
    /// The path with all links resolved; `None` if it does not exist.
    fn canonical(&self, path: &Path) -> Option<PathBuf>;

    /// Children of a directory; empty for anything else.
    fn children(&self, path: &Path) -> Vec<PathBuf>;

    /// What stands at the path itself; `None` if nothing does.
    fn kind(&self, path: &Path) -> Option<EntryKind> {
        match self.canonical(path)? {
            target if target != path => Some(EntryKind::Link),
            _ if self.children(path).is_empty() => Some(EntryKind::File),
            _ => Some(EntryKind::Directory),
        }
    }

    /// So many entries of granted trees are looked at for secrets: a few hundredths of a second at the start of a session.
    fn searched_entries(&self) -> usize {
        20_000
    }

    /// At most so many children of a directory, with what they are.
    fn entries(&self, path: &Path, most: usize) -> Vec<(PathBuf, EntryKind)> {
        let children = self.children(path).into_iter().take(most);
        children.filter_map(|child| self.kind(&child).map(|kind| (child, kind))).collect()
    }
}

impl std::fmt::Debug for dyn Tree + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tree")
    }
}
