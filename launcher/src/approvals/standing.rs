//! The approvals as a running session sees them: looked at before every message of the client, read when they changed.

use std::path::{Path, PathBuf};

use stockade_policy::approvals::Approval;

use super::file;
use crate::watch::FileWatch;

/// The file of approvals, watched.
#[derive(Debug)]
pub(crate) struct Standing {
    state_dir: PathBuf,
    watch: FileWatch,
}

impl Standing {
    /// Nothing is read yet: the first look does.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned(), watch: FileWatch::new([file::path(state_dir)]) }
    }

    /// Where Stockade keeps its own files.
    pub(crate) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The files that it looks after.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.watch.paths()
    }

    /// What stands now; `None` if that is what stood at the last look.
    ///
    /// # Errors
    /// Why the file is not to be trusted, in words: nothing is approved then.
    pub(crate) fn look(&mut self) -> Option<Result<Vec<Approval>, String>> {
        if !self.watch.changed() {
            return None;
        }
        let loaded = file::load(&self.state_dir);
        Some(match loaded {
            Ok(all) => Ok(all.iter().map(file::Stored::approval).collect()),
            Err(error) => Err(format!("{}: {error}", file::path(&self.state_dir).display())),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_session_sees_what_was_approved_revoked_and_tampered_with() {
        let dir = tempfile::tempdir().unwrap();
        let mut standing = Standing::new(dir.path());
        assert_eq!(standing.look(), Some(Ok(Vec::new())));
        assert_eq!(standing.look(), None);
        let one = file::tests::stored("a");
        file::update(dir.path(), 1_000, |all| all.push(one.clone())).unwrap();
        assert_eq!(standing.look(), Some(Ok(vec![one.approval()])));
        assert_eq!(standing.look(), None);
        std::fs::set_permissions(file::path(dir.path()), PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(standing.look(), Some(Err(why)) if why.contains("0644")));
        std::fs::set_permissions(file::path(dir.path()), PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(standing.look(), Some(Ok(vec![one.approval()])));
        file::update(dir.path(), 1_000, Vec::clear).unwrap();
        assert_eq!(standing.look(), Some(Ok(Vec::new())));
    }
}
