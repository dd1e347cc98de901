//! Packages that a runner would not fetch, because they are installed: then it starts these, and so do we.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::invocation::{PackageRun, Runner, Spec};
use crate::host::Facts;

/// The installed program that the runner would start instead of fetching anything, with its arguments.
pub fn installed(run: &PackageRun, facts: &Facts) -> Option<Vec<OsString>> {
    // What one words' package is, a registry of theirs decides.
    let [spec] = run.specs.as_slice() else { return None };
    if run.registry.is_some() {
        return None;
    }
    let program = match run.runner {
        Runner::Npx => npx(spec, run.entry.as_deref(), facts),
        Runner::Bunx => bunx(spec, run.entry.as_deref(), facts),
        Runner::Uvx if run.python.is_none() => uvx(spec, run.entry.as_deref(), facts),
        // These always make an environment of their own (pnpm 10, Yarn 4, pipx 1.8).
        Runner::Uvx | Runner::PnpmDlx | Runner::YarnDlx | Runner::PipxRun | Runner::UvRun => None,
    }?;
    Some(std::iter::once(program.into_os_string()).chain(run.arguments.iter().cloned()).collect())
}

/// npx looks for a program of that name in the project's package, in `node_modules/.bin` here and above, and among the
/// global ones; then for the package in the project's own tree (npm 11, libnpmexec). A tag it asks the registry about.
fn npx(spec: &Spec, entry: Option<&str>, facts: &Facts) -> Option<PathBuf> {
    if entry.is_none() && is_program_name(&spec.typed) {
        let of_project = || {
            let project = project(&facts.cwd)?;
            let program = bin(&project, |bins| bins.get(&spec.typed).cloned())?;
            program.is_file().then_some(program)
        };
        let found = of_project()
            .or_else(|| in_bin_above(&spec.typed, &facts.cwd))
            .or_else(|| global(&spec.typed, facts));
        if found.is_some() {
            return found;
        }
    }
    let name = spec.name.as_deref()?;
    let package = project(&facts.cwd)?.join("node_modules").join(name);
    let manifest = manifest(&package)?;
    let version = manifest["version"].as_str()?;
    let wanted = spec.version.as_deref();
    // Ranges and tags: which version they come to now is for the store's pins to say.
    if manifest["name"].as_str() != Some(name)
        || wanted.is_some_and(|wanted| wanted != version && wanted != "*")
    {
        return None;
    }
    // The bin links are what npx starts: the package's own program, or the one that is named.
    let program = match entry {
        Some(entry) => entry.to_owned(),
        None => default_bin(&manifest, name)?,
    };
    let link = project(&facts.cwd)?.join("node_modules/.bin").join(program);
    link.is_file().then_some(link)
}

/// bunx looks in `node_modules/.bin` here and above, if no version is named.
fn bunx(spec: &Spec, entry: Option<&str>, facts: &Facts) -> Option<PathBuf> {
    let name = spec.name.as_deref().filter(|_| spec.version.is_none() && entry.is_none())?;
    in_bin_above(name.rsplit('/').next()?, &facts.cwd)
}

/// uvx takes the tool that `uv tool install` put there, unless the words ask for another version, or for the latest.
fn uvx(spec: &Spec, entry: Option<&str>, facts: &Facts) -> Option<PathBuf> {
    let name = spec.name.as_deref()?;
    // Extras may need more than is installed.
    if spec.typed.contains('[') {
        return None;
    }
    let absolute = |name: &str| facts.var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let tools = absolute("UV_TOOL_DIR").unwrap_or_else(|| {
        absolute("XDG_DATA_HOME").unwrap_or_else(|| facts.home.join(".local/share")).join("uv/tools")
    });
    let tool = tools.join(name);
    let receipt = tool.join("uv-receipt.toml").is_file();
    let program = tool.join("bin").join(entry.unwrap_or(&spec_program(spec, name)));
    let fits = match spec.version.as_deref().map(|version| version.trim_start_matches("==")) {
        None => true,
        Some(version) => is_installed(&tool, name, version),
    };
    (receipt && fits && program.is_file()).then_some(program)
}

/// The command that uvx would look for: the name as it is typed, without its version.
fn spec_program(spec: &Spec, name: &str) -> String {
    let end = spec.typed.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let typed = spec.typed.get(..end.unwrap_or(spec.typed.len())).filter(|typed| !typed.is_empty());
    typed.unwrap_or(name).to_owned()
}

fn is_installed(tool: &Path, name: &str, version: &str) -> bool {
    let plain = version.bytes().all(|b| b.is_ascii_alphanumeric() || b".!+".contains(&b));
    let info = format!("{}-{version}.dist-info", name.replace('-', "_"));
    let pythons = std::fs::read_dir(tool.join("lib")).into_iter().flatten().flatten();
    plain && pythons.into_iter().any(|python| python.path().join("site-packages").join(&info).is_dir())
}

/// A word that could be the name of a program: npx looks for a file of that very name.
fn is_program_name(word: &str) -> bool {
    !word.is_empty() && !word.contains(['/', '\\']) && !word.starts_with('.')
}

/// The nearest directory with a manifest or a tree of packages: npm's local prefix.
fn project(cwd: &Path) -> Option<PathBuf> {
    let is_project = |dir: &&Path| dir.join("package.json").is_file() || dir.join("node_modules").is_dir();
    cwd.ancestors().find(is_project).map(Path::to_owned)
}

fn in_bin_above(program: &str, cwd: &Path) -> Option<PathBuf> {
    cwd.ancestors().map(|dir| dir.join("node_modules/.bin").join(program)).find(|path| path.is_file())
}

/// Global programs lie beside node, and are links into `lib/node_modules`.
fn global(program: &str, facts: &Facts) -> Option<PathBuf> {
    let path = facts.var("PATH")?;
    let node =
        std::env::split_paths(path).filter(|dir| dir.is_absolute()).find(|dir| dir.join("node").is_file())?;
    let program = node.join(program);
    let target = std::fs::canonicalize(&program).ok()?;
    let modules = std::fs::canonicalize(node.parent()?.join("lib/node_modules")).ok()?;
    (target.is_file() && target.starts_with(modules)).then_some(program)
}

fn manifest(package: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(package.join("package.json")).ok()?).ok()
}

/// A program of the package in `dir`, as its manifest has it.
fn bin(dir: &Path, choose: impl Fn(&serde_json::Map<String, Value>) -> Option<Value>) -> Option<PathBuf> {
    let manifest = manifest(dir)?;
    Some(dir.join(choose(manifest["bin"].as_object()?)?.as_str()?))
}

/// The one program of a package, or the one that is called like it.
fn default_bin(manifest: &Value, name: &str) -> Option<String> {
    let short = name.rsplit('/').next().unwrap_or(name);
    match &manifest["bin"] {
        Value::String(_) => Some(short.to_owned()),
        Value::Object(bins) => {
            let mut targets: Vec<&Value> = bins.values().collect();
            targets.dedup();
            match (targets.as_slice(), bins.keys().next()) {
                ([_], Some(only)) => Some(only.clone()),
                _ => bins.contains_key(short).then(|| short.to_owned()),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
