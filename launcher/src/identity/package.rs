//! Package URLs (purl) of scripts that package managers installed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::sha256_hex;

/// A package that a script belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// `server-github`
    pub(super) name: String,
    /// `pkg:npm/%40modelcontextprotocol/server-github@2025.4.8`
    pub(super) purl: String,
    /// Where its code and its dependencies live, beyond what the script's path tells.
    pub(super) roots: Vec<PathBuf>,
    /// The directory that its manager keeps about it: the package's own, or its `dist-info`.
    kept: PathBuf,
}

/// What is known of a package's content, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integrity {
    /// `sha512-…`, `sha256:…`
    pub hash: String,
    /// What it is a hash of, and whose word that is.
    pub of: &'static str,
}

/// The package of a script, or of the module that `python -m` names.
pub(super) fn of(script: Option<&Path>, module: Option<&str>, interpreters: &[PathBuf]) -> Option<Package> {
    script.and_then(npm).or_else(|| pypi(script, module, interpreters))
}

impl Package {
    /// What its manager wrote down about its content.
    pub(super) fn integrity(&self) -> Option<Integrity> {
        if self.purl.starts_with("pkg:npm/") {
            return Some(Integrity {
                hash: locked(&self.kept)?,
                of: "the tarball, as npm wrote it down at installation; the files may have changed since",
            });
        }
        let record = std::fs::read(self.kept.join("RECORD")).ok()?;
        Some(Integrity {
            hash: format!("sha256:{}", sha256_hex(&record)),
            of: "the installer's list of files and their hashes (RECORD): not the wheel's, and not of the files now",
        })
    }
}

/// What npm's lock of the installed tree says of the package in `dir`.
fn locked(dir: &Path) -> Option<String> {
    let modules = dir.ancestors().filter(|dir| dir.file_name() == Some(OsStr::new("node_modules")));
    // Trees within trees are in the lock of the outermost.
    let outermost = modules.last()?;
    let lock: Value =
        serde_json::from_slice(&std::fs::read(outermost.join(".package-lock.json")).ok()?).ok()?;
    let key = dir.strip_prefix(outermost.parent()?).ok()?.to_str()?;
    lock["packages"][key]["integrity"].as_str().map(str::to_owned)
}

/// The nearest `package.json` above the script, if the package was installed (it lies in a `node_modules`).
fn npm(script: &Path) -> Option<Package> {
    let installed = |dir: &&Path| {
        let parent = dir.parent();
        let scoped =
            parent.and_then(Path::file_name).is_some_and(|name| name.to_string_lossy().starts_with('@'));
        let holder = if scoped { parent.and_then(Path::parent) } else { parent };
        holder.and_then(Path::file_name) == Some(OsStr::new("node_modules"))
    };
    let dir = script.ancestors().skip(1).find(installed)?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(dir.join("package.json")).ok()?).ok()?;
    let (name, version) = (manifest["name"].as_str()?, manifest["version"].as_str()?);
    // npm installs a package below its own name: another name in the manifest is a claim to be somebody else.
    if !dir.ends_with(Path::new("node_modules").join(name)) {
        return None;
    }
    let short = name.rsplit('/').next().unwrap_or(name).to_owned();
    Some(Package {
        name: short,
        purl: format!("pkg:npm/{}@{version}", name.replacen('@', "%40", 1)),
        roots: Vec::new(),
        kept: dir.to_owned(),
    })
}

/// The distribution whose metadata names the script as an entry point, or holds the module of `python -m`.
fn pypi(script: Option<&Path>, module: Option<&str>, interpreters: &[PathBuf]) -> Option<Package> {
    let (environment, site) = interpreters.iter().find_map(|path| site_packages(path))?;
    // An entry point lies among the programs of its environment: any file may be called like one.
    let programs = |script: &&Path| script.parent() == Some(environment.join("bin").as_path());
    let entry =
        script.filter(programs).and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    if module.is_none() && entry.is_none() {
        return None;
    }
    for found in std::fs::read_dir(&site).ok()?.filter_map(Result::ok) {
        let info = found.path();
        if info.extension() != Some(OsStr::new("dist-info")) {
            continue;
        }
        let owns = match (module, &entry) {
            (Some(module), _) => holds_module(&info, module),
            (None, Some(entry)) => entry_points(&info).iter().any(|name| name == entry),
            (None, None) => false,
        };
        if owns {
            return distribution(info, site);
        }
    }
    None
}

/// The environment of an interpreter, and its `site-packages`.
fn site_packages(interpreter: &Path) -> Option<(PathBuf, PathBuf)> {
    let environment = interpreter.parent()?.parent()?;
    let entries = std::fs::read_dir(environment.join("lib")).ok()?.filter_map(Result::ok);
    let pythons = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python"));
    let site = pythons.map(|entry| entry.path().join("site-packages")).find(|path| path.is_dir())?;
    Some((std::fs::canonicalize(environment).ok()?, site))
}

fn entry_points(info: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(info.join("entry_points.txt")).unwrap_or_default();
    let lines = text.lines().skip_while(|line| line.trim() != "[console_scripts]").skip(1);
    let own = lines.take_while(|line| !line.starts_with('['));
    own.filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned())).collect()
}

fn holds_module(info: &Path, module: &str) -> bool {
    let record = std::fs::read_to_string(info.join("RECORD")).unwrap_or_default();
    let path = module.replace('.', "/");
    let (package, file) = (format!("{path}/__main__.py,"), format!("{path}.py,"));
    record.lines().any(|line| line.starts_with(&package) || line.starts_with(&file))
}

fn distribution(info: PathBuf, site: PathBuf) -> Option<Package> {
    let text = std::fs::read_to_string(info.join("METADATA")).ok()?;
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    };
    // PEP 503: names are compared in lower case with runs of `-_.` folded to `-`.
    let name = field("Name")?.to_lowercase().replace(['_', '.'], "-");
    Some(Package {
        purl: format!("pkg:pypi/{name}@{}", field("Version")?),
        name,
        roots: vec![site],
        kept: info,
    })
}
