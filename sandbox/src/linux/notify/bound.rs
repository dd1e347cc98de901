//! Unix sockets that the tree has made itself, each of which was bound by us.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

/// How many are remembered; the oldest go first.
const BOUND_MAX: usize = 1024;

/// A file that is no other's: its number is given again after it was removed, but not with the same time of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Birth {
    device: u64,
    number: u64,
    /// `None` where the file system doesn't keep it.
    time: Option<SystemTime>,
}

impl Birth {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), number: metadata.ino(), time: metadata.created().ok() }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Bound(VecDeque<Birth>);

impl Bound {
    pub(super) fn put(&mut self, socket: &Metadata) {
        if self.0.len() >= BOUND_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Birth::of(socket));
    }

    pub(super) fn has(&self, socket: &Metadata) -> bool {
        self.0.contains(&Birth::of(socket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_one_that_came_after_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        let metadata = || {
            std::fs::write(&path, "").expect("write");
            path.metadata().expect("metadata")
        };
        let first = metadata();
        let mut bound = Bound::default();
        bound.put(&first);
        assert!(bound.has(&first));
        std::fs::remove_file(&path).expect("remove");
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!bound.has(&metadata()));
    }
}
