//! The file system outside of the jail, as far as denials are held against it.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};
use stockade_sandbox::Access;

use super::court::Outside;
use super::tried::FileKind;

/// The real one.
#[derive(Debug)]
pub struct HostFiles;

impl Outside for HostFiles {
    fn look(&self, path: &Path) -> Option<(PathBuf, FileKind)> {
        let real = std::fs::canonicalize(path).ok()?;
        let kind = if std::fs::metadata(&real).ok()?.is_dir() { FileKind::Directory } else { FileKind::File };
        Some((real, kind))
    }

    fn permits(&self, path: &Path, access: Access) -> bool {
        let wanted = match access {
            Access::Read => AccessFlags::R_OK,
            Access::ReadExecute => AccessFlags::X_OK,
            Access::ReadWrite => AccessFlags::W_OK,
        };
        eaccess(path, wanted).is_ok()
    }
}
