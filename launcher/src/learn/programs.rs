//! What the kernel opens for a program without being asked for: the interpreter of its `#!` line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};

/// `#!` lines may name scripts; the kernel follows four (Linux `BINPRM_MAX_RECURSION`).
const DEPTH_MAX: usize = 4;

/// The interpreters of a script, nearest first; none for a binary.
pub(super) fn interpreters(program: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    while found.len() < DEPTH_MAX {
        let Some(next) = interpreter(found.last().map_or(program, PathBuf::as_path)) else { break };
        found.push(next);
    }
    found
}

/// The program of the path's `#!` line.
pub(super) fn interpreter(path: &Path) -> Option<PathBuf> {
    // Nothing but a file is opened: a pipe would be waited for.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut line = Vec::new();
    // The kernel reads 256 bytes of the line (Linux `BINPRM_BUF_SIZE`).
    BufReader::new(File::open(path).ok()?.take(256)).read_until(b'\n', &mut line).ok()?;
    let text = String::from_utf8(line).ok()?;
    let first = text.strip_prefix("#!")?.split_whitespace().next()?.to_owned();
    first.starts_with('/').then(|| PathBuf::from(first))
}

/// Whether the user may not read this program: then nothing can be read from its processes either, and what they open is
/// not seen.
pub(super) fn is_unreadable(program: &Path) -> bool {
    program.is_file() && eaccess(program, AccessFlags::R_OK).is_err()
}

/// `python3` of `/usr/bin/python3`.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_lead_to_their_interpreters_and_binaries_to_none() {
        let dir = tempfile::tempdir().unwrap();
        let (outer, inner) = (dir.path().join("outer"), dir.path().join("inner"));
        std::fs::write(&outer, format!("#! {} -x\n", inner.display())).unwrap();
        std::fs::write(&inner, "#!/bin/sh\n").unwrap();
        assert_eq!(interpreters(&outer)[..2], [inner, PathBuf::from("/bin/sh")]);
        assert!(interpreter(Path::new("/proc/self/exe")).is_none());
        assert!(interpreter(dir.path()).is_none());
    }
}
