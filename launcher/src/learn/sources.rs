//! Which variables of the environment a server's own source mentions. No kernel tells which names a program asks for, so that
//! a mention is all there is: it is told, never granted.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::identity::Resolved;

/// Files that are looked into.
const FILES_MAX: usize = 1_500;
/// Bytes that are read of all of them.
const BYTES_MAX: u64 = 24 << 20;
/// Names that are told.
const NAMES_MAX: usize = 40;
/// Directories of others' code.
const NOT_OWN: [&str; 6] = ["node_modules", ".git", ".venv", "venv", "__pycache__", "test"];

/// How a name stands behind what introduces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `process.env.NAME`
    Bare,
    /// `os.environ["NAME"]`
    Quoted,
}

const MARKS: [(&str, Form); 7] = [
    ("process.env.", Form::Bare),
    ("Bun.env.", Form::Bare),
    ("process.env[", Form::Quoted),
    ("environ[", Form::Quoted),
    ("environ.get(", Form::Quoted),
    ("getenv(", Form::Quoted),
    ("env.get(", Form::Quoted),
];

/// Names with the first file that mentions each, by its path in the package.
pub(super) fn mentions(resolved: &Resolved) -> BTreeMap<String, String> {
    mentions_below(own_code(&resolved.code, &resolved.name, &resolved.package_roots))
}

fn mentions_below(roots: Vec<PathBuf>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut files, mut bytes) = (0, 0);
    for root in roots {
        let mut waiting = VecDeque::from([root.clone()]);
        while let Some(path) = waiting.pop_front() {
            // Links lead to others' code.
            let Ok(facts) = std::fs::symlink_metadata(&path) else { continue };
            if facts.is_dir() {
                waiting.extend(children(&path));
                continue;
            }
            if !facts.is_file() || !(is_source(&path) || path == root) || bytes + facts.len() > BYTES_MAX {
                continue;
            }
            files += 1;
            bytes += facts.len();
            if files > FILES_MAX {
                return found;
            }
            let Ok(text) = std::fs::read(&path) else { continue };
            let shown =
                path.strip_prefix(root.parent().unwrap_or(&root)).unwrap_or(&path).display().to_string();
            for name in names(&String::from_utf8_lossy(&text)) {
                if found.len() < NAMES_MAX {
                    found.entry(name).or_insert_with(|| shown.clone());
                }
            }
        }
    }
    found
}

/// Where the server's own code lies, without its dependencies.
fn own_code(code: &str, name: &str, package_roots: &[PathBuf]) -> Vec<PathBuf> {
    let script = Path::new(code);
    if script.is_absolute() {
        let modules = script.ancestors().find(|dir| dir.file_name() == Some(OsStr::new("node_modules")));
        if let Some(modules) = modules {
            let below = script.strip_prefix(modules).unwrap_or(script);
            let parts = if below.to_string_lossy().starts_with('@') { 2 } else { 1 };
            return vec![below.components().take(parts).fold(modules.to_owned(), |dir, part| dir.join(part))];
        }
    }
    let module = name.replace('-', "_");
    let in_site = |root: &PathBuf| root.ends_with("site-packages").then(|| root.join(&module));
    let modules: Vec<PathBuf> =
        package_roots.iter().filter_map(in_site).filter(|path| path.exists()).collect();
    if !modules.is_empty() {
        return modules;
    }
    match package_roots.iter().find(|root| script.starts_with(root)) {
        Some(root) => vec![root.clone()],
        None if script.is_absolute() => vec![script.to_owned()],
        None => Vec::new(),
    }
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let own =
        |path: &PathBuf| path.file_name().is_some_and(|name| !NOT_OWN.iter().any(|other| name == *other));
    let mut children: Vec<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(own)
        .collect();
    children.sort();
    children
}

fn is_source(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or("");
    ["js", "mjs", "cjs", "ts", "mts", "py"].contains(&ending)
}

/// The names that a text mentions.
fn names(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (mark, form) in MARKS {
        for (at, _) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let rest = match form {
                Form::Bare => rest,
                Form::Quoted => match rest.trim_start().strip_prefix(['"', '\'', '`']) {
                    Some(rest) => rest,
                    None => continue,
                },
            };
            let name: String =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').take(65).collect();
            let starts = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
            if starts && (2..=64).contains(&name.len()) {
                found.push(name);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_ways_that_programs_write_them() {
        let text = r#"
            const a = process.env.API_KEY ?? process.env["BASE_URL"]; process.env[name];
            b = os.environ["TOKEN"]; c = os.environ.get( 'REGION' ); d = os.getenv("LEVEL"); Deno.env.get("DENO_DIR")
            process.env.hasOwnProperty("x")
        "#;
        let mut found = names(text);
        found.sort();
        assert_eq!(found, ["API_KEY", "BASE_URL", "DENO_DIR", "LEVEL", "REGION", "TOKEN"]);
    }

    #[test]
    fn dependencies_and_links_are_not_the_servers_own_code() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("node_modules/@scope/server");
        for (path, text) in [
            ("dist/index.js", "process.env.OWN_NAME"),
            ("node_modules/dep/index.js", "process.env.OTHER_NAME"),
            ("dist/data.bin", "process.env.NO_SOURCE"),
        ] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let outside = dir.path().join("outside.js");
        std::fs::write(&outside, "process.env.LINKED").unwrap();
        std::os::unix::fs::symlink(&outside, root.join("dist/linked.js")).unwrap();
        let code = root.join("dist/index.js").display().to_string();
        let roots = own_code(&code, "server", &[dir.path().join("node_modules")]);
        let found: Vec<(String, String)> = mentions_below(roots).into_iter().collect();
        assert_eq!(found, [("OWN_NAME".to_owned(), "server/dist/index.js".to_owned())]);
    }
}
