//! Finding programs, and what a script says about its interpreter.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::host::Facts;

/// How much of a `#!` line the kernel reads (Linux `BINPRM_BUF_SIZE`).
const LINE_BYTES_MAX: u64 = 256;

/// An executable file of this name: in `first`, else in PATH. A relative directory of PATH is the project's, and skipped.
pub(crate) fn find(name: &str, first: Option<&Path>, facts: &Facts) -> Option<PathBuf> {
    let path = facts.var("PATH").cloned().unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
    let dirs = first.map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
    let is_program = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    };
    dirs.filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(is_program)
}

/// The words of a script's `#!` line, without `env` and its options; `None` if it has none.
pub(crate) fn interpreter(script: &Path) -> Option<Vec<OsString>> {
    let mut bytes = Vec::new();
    File::open(script).ok()?.take(LINE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.trim().strip_prefix("#!")?.split_whitespace().peekable();
    let first = words.next()?;
    if Path::new(first).file_name()? != "env" {
        // The kernel hands over all that follows as one word.
        let rest = words.collect::<Vec<_>>().join(" ");
        let rest = (!rest.is_empty()).then(|| OsString::from(rest));
        return Some(std::iter::once(OsString::from(first)).chain(rest).collect());
    }
    while words.peek().is_some_and(|word| word.starts_with('-') || word.contains('=')) {
        words.next();
    }
    let words: Vec<OsString> = words.map(OsString::from).collect();
    (!words.is_empty()).then_some(words)
}

/// Whether the kernel starts it without an interpreter that its text names.
pub(crate) fn is_binary(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_of_a_script_is_read_as_the_kernel_and_env_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let of = |text: &str| {
            let path = dir.path().join("x");
            std::fs::write(&path, text).unwrap();
            interpreter(&path).map(|words| words.join(std::ffi::OsStr::new("|")).into_string().unwrap())
        };
        assert_eq!(of("#!/usr/bin/env node\nx").as_deref(), Some("node"));
        assert_eq!(of("#!/usr/bin/env -S node --no-warnings\r\n").as_deref(), Some("node|--no-warnings"));
        assert_eq!(of("#! /bin/sh -e x\n").as_deref(), Some("/bin/sh|-e x"));
        assert_eq!(of("console.log(1)"), None);
        assert_eq!(of("#!/usr/bin/env\n"), None);
    }
}
