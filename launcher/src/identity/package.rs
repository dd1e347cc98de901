//! Package URLs (purl) of scripts that package managers installed.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A package that a script belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// `server-github`
    pub(super) name: String,
    /// `pkg:npm/%40modelcontextprotocol/server-github@2025.4.8`
    pub(super) purl: String,
    /// Where its code and its dependencies live, beyond what the script's path tells.
    pub(super) roots: Vec<PathBuf>,
}

/// The package of a script, or of the module that `python -m` names.
pub(super) fn of(
    script: &Option<PathBuf>,
    arguments: &[OsString],
    interpreters: &[PathBuf],
) -> Option<Package> {
    script.as_deref().and_then(npm).or_else(|| pypi(script.as_deref(), arguments, interpreters))
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
    })
}

/// The distribution whose metadata names the script as an entry point, or holds the module of `python -m`.
fn pypi(script: Option<&Path>, arguments: &[OsString], interpreters: &[PathBuf]) -> Option<Package> {
    let module = module_argument(arguments);
    let entry = script.filter(|_| interpreters.len() > 1 || module.is_none())?.file_name();
    let entry = entry.map(|name| name.to_string_lossy().into_owned()).filter(|_| module.is_none());
    let site = interpreters.iter().find_map(|path| site_packages(path))?;
    for found in std::fs::read_dir(&site).ok()?.filter_map(Result::ok) {
        let info = found.path();
        if info.extension() != Some(OsStr::new("dist-info")) {
            continue;
        }
        let owns = match (&entry, &module) {
            (Some(entry), _) => entry_points(&info).iter().any(|name| name == entry),
            (None, Some(module)) => holds_module(&info, module),
            (None, None) => false,
        };
        if owns {
            return distribution(&info, site);
        }
    }
    None
}

fn module_argument(arguments: &[OsString]) -> Option<String> {
    let at = arguments.iter().position(|word| word == "-m")?;
    arguments.get(at + 1).map(|word| word.to_string_lossy().into_owned())
}

fn site_packages(interpreter: &Path) -> Option<PathBuf> {
    let lib = interpreter.parent()?.parent()?.join("lib");
    let entries = std::fs::read_dir(lib).ok()?.filter_map(Result::ok);
    let pythons = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python"));
    pythons.map(|entry| entry.path().join("site-packages")).find(|path| path.is_dir())
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

fn distribution(info: &Path, site: PathBuf) -> Option<Package> {
    let text = std::fs::read_to_string(info.join("METADATA")).ok()?;
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    };
    // PEP 503: names are compared in lower case with runs of `-_.` folded to `-`.
    let name = field("Name")?.to_lowercase().replace(['_', '.'], "-");
    Some(Package { purl: format!("pkg:pypi/{name}@{}", field("Version")?), name, roots: vec![site] })
}
