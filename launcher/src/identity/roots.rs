//! Directories that a program and its code need to start, and paths that arguments name.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::host::Facts;

/// Directories of a script's own code: the outermost `node_modules` that holds it, else the nearest directory with a
/// package manifest, else the directory that it lies in; never the home directory or what is above it.
pub(super) fn code_roots(script: Option<&Path>, facts: &Facts) -> Vec<PathBuf> {
    let Some(script) = script else { return Vec::new() };
    if is_system(script) {
        return Vec::new();
    }
    let mut outermost = None;
    let mut walked = PathBuf::new();
    for part in script.components() {
        walked.push(part);
        if part == Component::Normal(OsStr::new("node_modules")) && outermost.is_none() {
            outermost = Some(walked.clone());
        }
    }
    let manifest = || {
        let holds = |dir: &Path| {
            ["package.json", "pyproject.toml", "deno.json"].iter().any(|name| dir.join(name).is_file())
        };
        script.ancestors().skip(1).find(|dir| !too_wide(dir, facts) && holds(dir)).map(Path::to_owned)
    };
    let own_dir =
        || script.parent().filter(|dir| !too_wide(dir, facts) && !is_program_dir(dir)).map(Path::to_owned);
    vec![outermost.or_else(manifest).or_else(own_dir).unwrap_or_else(|| script.to_owned())]
}

/// Where a program outside of the system directories lives: `ROOT/bin/PROGRAM` → ROOT, so that its libraries are found;
/// where ROOT would be too much (`~/.local`), its `bin` alone. The path as typed and its target both count.
pub(super) fn runtime_roots(program: &Path, facts: &Facts) -> Vec<PathBuf> {
    let canonical = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let mut roots = Vec::new();
    for path in [program.to_owned(), canonical] {
        if is_system(&path) {
            continue;
        }
        let Some(dir) = path.parent() else { continue };
        let root = dir
            .parent()
            .filter(|root| is_program_dir(dir) && !too_wide(root, facts) && !is_shared(root, facts));
        roots.push(match root {
            Some(root) => root.to_owned(),
            None if is_program_dir(dir) => dir.to_owned(),
            None => path,
        });
    }
    roots
}

fn is_program_dir(dir: &Path) -> bool {
    dir.file_name().is_some_and(|name| name == "bin" || name == "shims" || name == "Scripts")
}

/// Directories below home that hold more than one program's files.
fn is_shared(root: &Path, facts: &Facts) -> bool {
    [".local", ".cargo", ".config", ".cache"].iter().any(|name| root == facts.home.join(name))
}

/// `/`, the home directory and everything above it, the places where everybody writes, and those that hold a bit of everything.
fn too_wide(dir: &Path, facts: &Facts) -> bool {
    const AT_HOME: [&str; 13] = [
        "Downloads",
        "Desktop",
        "Documents",
        "Pictures",
        "Music",
        "Videos",
        "Public",
        "Templates",
        ".config",
        ".cache",
        ".local",
        ".local/share",
        ".local/state",
    ];
    const ELSEWHERE: [&str; 6] = ["/tmp", "/var/tmp", "/dev/shm", "/etc", "/var", "/home"];
    facts.home.starts_with(dir)
        || ELSEWHERE.iter().any(|wide| dir == Path::new(wide))
        || AT_HOME.iter().any(|below| dir == facts.home.join(below))
}

fn is_system(path: &Path) -> bool {
    ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt"].iter().any(|dir| path.starts_with(dir))
}

/// What an argument says: itself, or the value of `--option=value`; an option without one says nothing.
pub fn argument_value(word: &OsStr) -> Option<&OsStr> {
    let bytes = word.as_bytes();
    match bytes.iter().position(|&byte| byte == b'=') {
        Some(at) if bytes.starts_with(b"-") => Some(OsStr::from_bytes(&bytes[at + 1..])),
        _ if bytes.starts_with(b"-") => None,
        _ => Some(word),
    }
}

/// Arguments that name something that exists, alone or as `--option=PATH`; what the package grants already cover is left
/// out. A bare word counts only if it looks like a path: `main` is a branch more often than a file.
pub(super) fn argument_paths(
    arguments: &[OsString],
    facts: &Facts,
    package_roots: &[PathBuf],
) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for word in arguments {
        let Some(value) = argument_value(word) else { continue };
        let looks_like_a_path = value.as_bytes().contains(&b'/') || value == "." || value == "..";
        let Ok(path) = std::fs::canonicalize(facts.cwd.join(value)) else { continue };
        if looks_like_a_path
            && path != Path::new("/")
            && !package_roots.iter().any(|root| path.starts_with(root))
        {
            paths.push(path);
        }
    }
    paths
}
