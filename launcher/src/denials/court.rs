//! Opens that were seen → denials: links resolved, held against the fence, and against what the user may do anyway.

use std::path::{Path, PathBuf};

use stockade_sandbox::{Access, Opened};

use super::fence::{Fence, Outcome, Why};
use super::propose::{Remedy, remedy};
use super::tried::{FileKind, Tried};
use crate::plan::ClosedPlaces;

/// What has to be known of the file system outside of the jail.
pub trait Outside: std::fmt::Debug {
    /// The path with all links resolved, and whether a directory is there; `None` if nothing is.
    fn look(&self, path: &Path) -> Option<(PathBuf, FileKind)>;
    /// Whether we ourselves may do this to the file: what the user may not do, no grant allows.
    fn permits(&self, path: &Path, access: Access) -> bool;
}

/// Judges opens.
#[derive(Debug)]
pub struct Court {
    fence: Fence,
    places: ClosedPlaces,
    outside: Box<dyn Outside>,
}

/// A judged denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ruled {
    pub(super) tried: Tried,
    pub(super) why: String,
    pub(super) remedy: Remedy,
}

impl Court {
    /// A court for one session.
    pub fn new(fence: Fence, places: ClosedPlaces, outside: Box<dyn Outside>) -> Self {
        Self { fence, places, outside }
    }

    /// The places that stay closed.
    pub fn places(&self) -> &ClosedPlaces {
        &self.places
    }

    /// `None` if the jail let it pass, nobody can tell, or it would have failed without a jail as well: programs look for
    /// many files that are not there.
    pub(super) fn judge(&self, opened: &Opened) -> Option<Ruled> {
        let (path, access) = (&opened.path, opened.access);
        if let Some((own, kind)) = self.fence.scratch(path).and_then(|own| self.outside.look(&own)) {
            // What is the server's own it may do anything with, but execute it.
            let Outcome::Refused(why @ Why::Writable(_)) = self.fence.judge(&own, access) else {
                return None;
            };
            let tried = Tried::File { path: path.clone(), access, kind };
            return self.outside.permits(&own, access).then(|| self.ruled(tried, &why));
        }
        let (path, kind) = if path.starts_with("/proc") {
            // Links in there mean something else to every process.
            (path.clone(), FileKind::File)
        } else {
            self.meant(path, access)?
        };
        let Outcome::Refused(why) = self.fence.judge(&path, access) else { return None };
        if access == Access::Read && kind == FileKind::Directory && self.fence.lists(&path) {
            return None;
        }
        let at = if kind == FileKind::New { path.parent()? } else { &path };
        if !path.starts_with("/proc") && !self.outside.permits(at, access) {
            return None;
        }
        Some(self.ruled(Tried::File { path, access, kind }, &why))
    }

    fn ruled(&self, tried: Tried, why: &Why) -> Ruled {
        let remedy = remedy(&tried, Some(why), &self.places);
        Ruled { tried, why: why.words(), remedy }
    }

    /// What a path led to: what is there, or the place of a file that was to be created.
    fn meant(&self, path: &Path, access: Access) -> Option<(PathBuf, FileKind)> {
        if let Some(found) = self.outside.look(path) {
            return Some(found);
        }
        // In a directory of its own the server may create what it wants.
        let own = self.fence.scratch(path).and_then(|own| Some(own.parent()?.to_owned()));
        if access != Access::ReadWrite || own.is_some_and(|own| self.outside.look(&own).is_some()) {
            return None;
        }
        match self.outside.look(path.parent()?)? {
            (parent, FileKind::Directory) => Some((parent.join(path.file_name()?), FileKind::New)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
