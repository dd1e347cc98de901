//! npm: which program it is, what it is told to do, and what its lock file says.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::pin::Locked;
use super::request::Wanted;
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::identity::sha256_hex;

/// The npm of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its own directory, if it lies as npm installs itself.
    pub(crate) own: Option<PathBuf>,
    /// The directory above its Node's `bin`.
    pub(crate) prefix: Option<PathBuf>,
    /// The directory that it was found in.
    pub(crate) dir: PathBuf,
}

/// npm, from beside the runner if that was named by a path, else from PATH; `None` if there is none.
pub(crate) fn tool(runner: Option<&OsStr>, facts: &Facts) -> Option<Tool> {
    let beside = runner.filter(|word| word.as_bytes().contains(&b'/'));
    let beside = beside.and_then(|word| Some(facts.cwd.join(word).parent()?.to_owned()));
    let program = super::program::find("npm", beside.as_deref(), facts)?;
    let dir = program.parent()?.to_owned();
    let real = std::fs::canonicalize(&program).ok();
    let own = real.as_deref().and_then(Path::parent).and_then(Path::parent);
    let own = own.filter(|own| own.join("package.json").is_file()).map(Path::to_owned);
    let node = super::program::find("node", Some(&dir), facts);
    let prefix = node.and_then(|node| Some(std::fs::canonicalize(node).ok()?.ancestors().nth(2)?.to_owned()));
    Some(Tool { program, own, prefix, dir })
}

/// `package.json` of a tree to be resolved.
pub(crate) fn manifest(wanted: &[Wanted]) -> Vec<u8> {
    let asked = |one: &Wanted| (one.name.clone(), Value::from(one.version.as_deref().unwrap_or("latest")));
    manifest_of(wanted.iter().map(asked).collect())
}

fn manifest_of(dependencies: Map<String, Value>) -> Vec<u8> {
    let manifest =
        json!({ "name": "stockade-tree", "version": "0.0.0", "private": true, "dependencies": dependencies });
    format!("{manifest:#}\n").into_bytes()
}

/// Words that resolve a tree and install nothing.
pub(crate) const RESOLVE: [&str; 8] = [
    "install",
    "--package-lock-only",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--omit=dev",
    "--prefer-online",
    "--loglevel=error",
];
/// Words that install what a lock file says; whether it is exactly that is looked at afterwards. `npm ci` would look, too,
/// and refuse a lock in which an optional package for another platform is missing because the registry has none.
pub(crate) const INSTALL: [&str; 6] =
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"];
/// Words that run the install scripts of what lies there.
pub(crate) const SCRIPTS: [&str; 3] = ["rebuild", "--foreground-scripts", "--loglevel=error"];

/// A lock file, read and brought into the form in which it is pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    /// The text to be pinned: what is asked for in it are exact versions.
    pub(crate) text: String,
    /// `package.json` that goes with it.
    pub(crate) manifest: Vec<u8>,
    /// Version of the first package.
    pub(crate) version: String,
    /// The whole tree, sorted.
    pub(crate) packages: Vec<Locked>,
    /// Packages that have install scripts.
    pub(crate) with_scripts: Vec<String>,
}

impl Lock {
    /// SHA-256 of the text.
    pub(crate) fn sha256(&self) -> String {
        sha256_hex(self.text.as_bytes())
    }

    /// Reads what npm wrote.
    ///
    /// # Errors
    /// When it is no lock file, or a package in it cannot be pinned.
    pub(crate) fn parse(text: &str, wanted: &[Wanted]) -> Result<Self, Failure> {
        let damaged = || {
            Failure::new(Kind::Software, "npm wrote a lock file that cannot be read")
                .hint("npm 7 or newer is needed")
        };
        let mut lock: Value = serde_json::from_str(text).map_err(|error| damaged().because(&error))?;
        let entries = lock["packages"].as_object_mut().ok_or_else(damaged)?;
        let mut exact = Map::new();
        for one in wanted {
            let version = entries
                .get(&format!("node_modules/{}", one.name))
                .and_then(|entry| entry["version"].as_str());
            exact.insert(one.name.clone(), version.ok_or_else(damaged)?.into());
        }
        let first = wanted.first().and_then(|one| exact[&one.name].as_str()).ok_or_else(damaged)?.to_owned();
        let manifest = manifest_of(exact.clone());
        entries.insert(
            String::new(),
            json!({ "name": "stockade-tree", "version": "0.0.0", "dependencies": exact }),
        );
        let mut packages = Vec::new();
        let mut with_scripts = Vec::new();
        for (place, entry) in entries.iter().filter(|(place, _)| !place.is_empty()) {
            // What a package carries in its own file is covered by that file's hash.
            if entry["inBundle"] == true {
                continue;
            }
            let one = locked(place, entry)?;
            if entry["hasInstallScript"] == true {
                with_scripts.push(one.name.clone());
            }
            packages.push(one);
        }
        packages.sort();
        packages.dedup();
        with_scripts.sort();
        with_scripts.dedup();
        let text = format!("{lock:#}\n");
        Ok(Self { text, manifest, version: first, packages, with_scripts })
    }
}

/// One entry of the lock.
fn locked(place: &str, entry: &Value) -> Result<Locked, Failure> {
    let by_place = place.rsplit_once("node_modules/").map_or(place, |(_, name)| name);
    let name = entry["name"].as_str().unwrap_or(by_place);
    let unpinnable = |why: &str| {
        Failure::new(Kind::Permission, format!("`{name}` of this tree cannot be pinned"))
            .cause(why.to_owned())
            .hint("install the server yourself and name its program instead of `npx`")
    };
    if entry["link"] == true {
        return Err(unpinnable("it is a link to a directory"));
    }
    let from = entry["resolved"].as_str().unwrap_or("https:");
    if !from.starts_with("https:") && !from.starts_with("http:") {
        return Err(unpinnable("it comes from a version control system or a file, not from a registry"));
    }
    let integrity = entry["integrity"].as_str().filter(|text| !text.is_empty());
    let integrity = integrity.ok_or_else(|| unpinnable("its registry names no hash of it"))?;
    Ok(Locked {
        name: name.to_owned(),
        version: entry["version"].as_str().ok_or_else(|| unpinnable("it has no version"))?.to_owned(),
        integrity: integrity.split_whitespace().map(str::to_owned).collect(),
    })
}

/// Whether what was installed is what was pinned: npm's own record of the tree, entry by entry.
pub(crate) fn is_as_pinned(record: &str, lock: &str) -> bool {
    let entries = |text: &str| -> Option<Map<String, Value>> {
        serde_json::from_str::<Value>(text).ok()?["packages"].as_object().cloned()
    };
    let (Some(installed), Some(pinned)) = (entries(record), entries(lock)) else { return false };
    installed.iter().filter(|(place, _)| !place.is_empty()).all(|(place, entry)| {
        pinned.get(place).is_some_and(|known| {
            known["version"] == entry["version"] && known["integrity"] == entry["integrity"]
        })
    })
}

/// The command line that starts a tree's program.
///
/// # Errors
/// When the tree has no such program, or several and none is named.
pub(crate) fn start(
    tree: &Path,
    name: &str,
    entry: Option<&str>,
    tool: Option<&Tool>,
) -> Result<Vec<OsString>, Failure> {
    let script = script(tree, name, entry)?;
    let node = || match tool.map(|tool| tool.dir.join("node")).filter(|node| node.is_file()) {
        Some(node) => node.into_os_string(),
        None => OsString::from("node"),
    };
    let mut words = match super::program::interpreter(&script) {
        Some(words) => words,
        None if super::program::is_binary(&script) => return Ok(vec![script.into_os_string()]),
        None => vec![OsString::from("node")],
    };
    if words.first().is_some_and(|word| word == "node") {
        words[0] = node();
    }
    words.push(script.into_os_string());
    Ok(words)
}

/// The script that `npx` would start: the named one, the only one, or the one called like the package.
fn script(tree: &Path, name: &str, entry: Option<&str>) -> Result<PathBuf, Failure> {
    let failed = |why: String, hint: &str| {
        Failure::new(Kind::NotFound, format!("cannot tell which program of `{name}` to start"))
            .cause(why)
            .hint(hint)
    };
    let modules = tree.join("node_modules");
    let inside = |path: PathBuf| -> Option<PathBuf> {
        let real = std::fs::canonicalize(path).ok()?;
        (real.starts_with(std::fs::canonicalize(&modules).ok()?) && real.is_file()).then_some(real)
    };
    if let Some(entry) = entry {
        let named = (!entry.contains('/')).then(|| modules.join(".bin").join(entry)).and_then(inside);
        let hint = "check the word behind the package, or use `-p PACKAGE PROGRAM`";
        return named.ok_or_else(|| failed(format!("no package of the tree has a program `{entry}`"), hint));
    }
    let dir = modules.join(name);
    let manifest = std::fs::read(dir.join("package.json")).ok();
    let manifest: Value = manifest.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(Value::Null);
    let short = name.rsplit('/').next().unwrap_or(name);
    let chosen = match &manifest["bin"] {
        Value::String(path) => Some(path.as_str()),
        Value::Object(all) => {
            let mut paths: Vec<&str> = all.values().filter_map(Value::as_str).collect();
            paths.sort_unstable();
            paths.dedup();
            match paths.as_slice() {
                [only] => Some(*only),
                _ => all.get(short).and_then(Value::as_str),
            }
        }
        _ => None,
    };
    chosen.and_then(|path| inside(dir.join(path))).ok_or_else(|| {
        let names = manifest["bin"].as_object().map(|all| all.keys().cloned().collect::<Vec<_>>().join(", "));
        let why = names.map_or_else(|| "it has no programs".to_owned(), |names| format!("it has {names}"));
        failed(why, "name one: `npx -p PACKAGE PROGRAM`")
    })
}

#[cfg(test)]
mod tests;
