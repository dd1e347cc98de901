//! uv and pip: which programs they are, what they are told to do, and what they answer.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::Speaks;
use super::pin::Locked;
use super::program;
use super::request::Wanted;
use crate::error::{Failure, Kind};
use crate::host::Facts;

/// The Python and the tool of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    /// uv, if there is one; else pip is used.
    pub(crate) uv: Option<PathBuf>,
    /// The Python that servers run on.
    pub(crate) python: Interpreter,
}

/// A Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// Its program, links resolved: a virtual environment of a project is nobody else's.
    pub(crate) program: PathBuf,
    /// `3.12`
    pub(crate) version: String,
}

/// What is installed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// Wheels: nothing of a package runs while it is installed.
    Wheels,
    /// Source archives too, which run the package's own build.
    Sources,
}

impl Tool {
    /// Looks at the machine.
    ///
    /// # Errors
    /// When there is no such Python.
    pub(crate) fn of(runner: Option<&OsStr>, wanted: Option<&str>, facts: &Facts) -> Result<Self, Failure> {
        let beside = runner.filter(|word| word.as_bytes().contains(&b'/'));
        let beside = beside.and_then(|word| Some(facts.cwd.join(word).parent()?.to_owned()));
        let uv = program::find("uv", beside.as_deref(), facts);
        let found = match wanted {
            Some(path) if path.starts_with('/') => Some(PathBuf::from(path)).filter(|path| path.is_file()),
            Some(wanted) => named(wanted, facts),
            None => {
                uv.as_ref().and_then(|_| managed("", facts)).or_else(|| program::find("python3", None, facts))
            }
        };
        let missing = || {
            let which = wanted.map_or_else(|| "Python 3".to_owned(), |wanted| format!("Python `{wanted}`"));
            Failure::new(Kind::NotFound, format!("there is no {which} for the package to run on"))
                .cause("neither in PATH nor among those of uv; none is downloaded here")
                .hint("install it: with uv, `uv python install 3.12`")
        };
        let found = found.ok_or_else(missing)?;
        // A shim of pyenv or asdf is a script that starts another Python: it is asked which.
        let found =
            if program::is_binary(&found) { found } else { behind(&found, facts).ok_or_else(missing)? };
        let program = std::fs::canonicalize(found).map_err(|_| missing())?;
        let version = version_in_name(&program).or_else(|| version_asked(&program)).ok_or_else(missing)?;
        Ok(Self { uv, python: Interpreter { program, version } })
    }

    /// Whose configuration is read.
    pub(crate) fn speaks(&self) -> Speaks {
        if self.uv.is_some() { Speaks::Uv } else { Speaks::Pip }
    }

    fn python_word(&self) -> String {
        self.python.program.display().to_string()
    }

    /// Programs, one after the other, that resolve `wanted.in` of the working directory to [`Tool::answer`].
    pub(crate) fn resolve(&self, files: Files) -> Vec<Vec<String>> {
        let words = match &self.uv {
            Some(uv) => {
                let uv = uv.display().to_string();
                let mut words =
                    vec![uv.as_str(), "pip", "compile", "--generate-hashes", "--no-header", "--no-annotate"];
                let python = self.python_word();
                words.extend(["--no-config", "--quiet", "--python", &python, "-o", "lock.txt", "wanted.in"]);
                return vec![with(words, only(files))];
            }
            None => {
                let mut words = self.pip("venv/bin/python");
                words.extend(
                    ["install", "--dry-run", "--ignore-installed", "--quiet", "--report", "report.json"]
                        .map(str::to_owned),
                );
                words.extend(only(files).iter().map(|word| (*word).to_owned()));
                words.extend(["-r", "wanted.in"].map(str::to_owned));
                words
            }
        };
        vec![self.venv(), words]
    }

    /// Programs that install `lock.txt` of the working directory into its `venv`.
    pub(crate) fn install(&self, files: Files) -> Vec<Vec<String>> {
        let words = match &self.uv {
            Some(uv) => {
                let uv = uv.display().to_string();
                let words = vec![
                    uv.as_str(),
                    "pip",
                    "sync",
                    "--require-hashes",
                    "--no-config",
                    "--quiet",
                    "--link-mode",
                    "copy",
                    "--python",
                    "venv/bin/python",
                    "lock.txt",
                ];
                with(words, only(files))
            }
            None => {
                let mut words = self.pip("venv/bin/python");
                words.extend(["install", "--no-deps", "--require-hashes", "--quiet"].map(str::to_owned));
                words.extend(only(files).iter().map(|word| (*word).to_owned()));
                words.extend(["-r", "lock.txt"].map(str::to_owned));
                words
            }
        };
        vec![self.venv(), words]
    }

    fn venv(&self) -> Vec<String> {
        let python = self.python_word();
        match &self.uv {
            Some(uv) => {
                let uv = uv.display().to_string();
                with(
                    vec![&uv, "venv", "--no-config", "--quiet", "--no-project", "--python", &python, "venv"],
                    &[],
                )
            }
            // ensurepip is a package of its own on Debian; the pip of the system serves.
            None => with(vec![&python, "-I", "-m", "venv", "--without-pip", "venv"], &[]),
        }
    }

    /// The system's pip, working on another Python (pip 22.3).
    fn pip(&self, on: &str) -> Vec<String> {
        with(
            vec![
                &self.python_word(),
                "-I",
                "-m",
                "pip",
                "--python",
                on,
                "--no-input",
                "--disable-pip-version-check",
            ],
            &[],
        )
    }

    /// The file that a resolution leaves.
    pub(crate) fn answer(&self) -> &'static str {
        if self.uv.is_some() { "lock.txt" } else { "report.json" }
    }

    /// Reads it: the lock file to be pinned, and its packages.
    ///
    /// # Errors
    /// When it is not what these tools write.
    pub(crate) fn read(&self, text: &str) -> Result<(String, Vec<Locked>), Failure> {
        let mut packages = match &self.uv {
            Some(_) => locked_lines(text),
            None => reported(text),
        }
        .ok_or_else(|| {
            Failure::new(Kind::Software, "pip or uv wrote an answer that cannot be read")
                .hint("pip 22.3 or uv 0.4 is needed")
        })?;
        packages.sort();
        packages.dedup();
        if let Some(one) = packages.iter().find(|one| one.integrity.is_empty()) {
            return Err(Failure::new(
                Kind::Permission,
                format!("`{}` of this tree cannot be pinned", one.name),
            )
            .cause("its index names no hash of it")
            .hint("install the server yourself and name its program instead of `uvx`"));
        }
        Ok((lock_text(&packages), packages))
    }
}

/// `wanted.in`: one requirement a line.
pub(crate) fn wanted(wanted: &[Wanted]) -> String {
    wanted.iter().map(|one| format!("{}\n", requirement(one))).collect()
}

/// PEP 508, from the words that uvx and pipx take: `name@1.2`, `name@latest`, `name[extra]>=2`.
fn requirement(one: &Wanted) -> String {
    let extras =
        one.typed.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(extras, _)| extras);
    let extras = extras.map_or_else(String::new, |extras| format!("[{extras}]"));
    let version = match one.version.as_deref() {
        None | Some("latest" | "") => String::new(),
        Some(version) if version.starts_with(['=', '>', '<', '~', '!']) => version.to_owned(),
        Some(version) => format!("=={version}"),
    };
    format!("{}{extras}{version}", one.name)
}

/// The lock file: `name==version --hash=…`, which both tools read.
fn lock_text(packages: &[Locked]) -> String {
    let line = |one: &Locked| {
        let hashes: String = one.integrity.iter().map(|hash| format!(" \\\n    --hash={hash}")).collect();
        format!("{}=={}{hashes}\n", one.name, one.version)
    };
    packages.iter().map(line).collect()
}

/// What `uv pip compile --generate-hashes` writes.
fn locked_lines(text: &str) -> Option<Vec<Locked>> {
    let mut packages: Vec<Locked> = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_end_matches('\\').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(hash) = line.strip_prefix("--hash=") {
            packages.last_mut()?.integrity.push(hash.to_owned());
            continue;
        }
        let requirement = line.split([';', ' ']).next()?;
        let (name, version) = requirement.split_once("==")?;
        packages.push(Locked { name: normalised(name), version: version.to_owned(), integrity: Vec::new() });
    }
    for one in &mut packages {
        one.integrity.sort();
        one.integrity.dedup();
    }
    (!packages.is_empty()).then_some(packages)
}

/// pip's installation report (its format 1).
fn reported(text: &str) -> Option<Vec<Locked>> {
    let report: Value = serde_json::from_str(text).ok()?;
    let entry = |entry: &Value| {
        let hashes = entry["download_info"]["archive_info"]["hashes"].as_object();
        Some(Locked {
            name: normalised(entry["metadata"]["name"].as_str()?),
            version: entry["metadata"]["version"].as_str()?.to_owned(),
            integrity: hashes
                .into_iter()
                .flatten()
                .filter_map(|(kind, hash)| Some(format!("{kind}:{}", hash.as_str()?)))
                .collect(),
        })
    };
    let packages: Option<Vec<Locked>> = report["install"].as_array()?.iter().map(entry).collect();
    packages.filter(|packages| !packages.is_empty())
}

/// PEP 503.
pub(crate) fn normalised(name: &str) -> String {
    let name = name.split('[').next().unwrap_or(name).trim().to_ascii_lowercase();
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.push(c),
        }
    }
    out
}

/// The command line that starts a tree's program.
///
/// # Errors
/// When the tree has no such program.
pub(crate) fn start(tree: &Path, name: &str, entry: Option<&str>) -> Result<Vec<OsString>, Failure> {
    let bin = tree.join("venv/bin");
    let candidates = match entry {
        Some(entry) => vec![entry.to_owned()],
        None => vec![name.to_owned(), name.replace('-', "_")],
    };
    let there = |name: &String| !name.contains('/') && bin.join(name).is_file();
    let chosen = candidates.iter().find(|name| there(name)).cloned();
    let chosen = chosen.or_else(|| entry.is_none().then(|| only_script(tree, name)).flatten());
    let Some(script) = chosen.map(|chosen| bin.join(chosen)) else {
        return Err(Failure::new(Kind::NotFound, format!("cannot tell which program of `{name}` to start"))
            .cause(format!("it has no program `{}`", candidates[0]))
            .hint("name one: `uvx --from PACKAGE PROGRAM`"));
    };
    if program::is_binary(&script) {
        return Ok(vec![script.into_os_string()]);
    }
    // The script's own first line names the directory that it was installed in, which is not this one.
    Ok(vec![bin.join("python").into_os_string(), script.into_os_string()])
}

/// The console script of a distribution that has only one.
fn only_script(tree: &Path, name: &str) -> Option<String> {
    let lib = std::fs::read_dir(tree.join("venv/lib")).ok()?.filter_map(Result::ok);
    let infos =
        lib.filter_map(|python| std::fs::read_dir(python.path().join("site-packages")).ok()).flatten();
    let is_its = |path: &PathBuf| {
        let stem = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_suffix(".dist-info"));
        stem.and_then(|stem| stem.rsplit_once('-')).is_some_and(|(found, _)| normalised(found) == name)
    };
    let info = infos.filter_map(|entry| Some(entry.ok()?.path())).find(is_its)?;
    let text = std::fs::read_to_string(info.join("entry_points.txt")).ok()?;
    let lines = text.lines().skip_while(|line| line.trim() != "[console_scripts]").skip(1);
    let mut names = lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once('=')?.0.trim()));
    match (names.next(), names.next()) {
        (Some(only), None) => Some(only.to_owned()),
        _ => None,
    }
}

fn only(files: Files) -> &'static [&'static str] {
    match files {
        Files::Wheels => &["--only-binary", ":all:"],
        Files::Sources => &[],
    }
}

fn with(words: Vec<&str>, more: &[&str]) -> Vec<String> {
    words.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

/// `3.12`, `python3.12`, `cpython@3.12`, `3`.
fn named(wanted: &str, facts: &Facts) -> Option<PathBuf> {
    let version = wanted.trim_start_matches(|c: char| !c.is_ascii_digit());
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let minor = version.split('.').take(2).collect::<Vec<_>>().join(".");
    program::find(&format!("python{minor}"), None, facts).or_else(|| managed(version, facts))
}

/// The newest Python that uv manages and whose version begins so.
fn managed(version: &str, facts: &Facts) -> Option<PathBuf> {
    let data = facts.var("XDG_DATA_HOME").map_or_else(|| facts.home.join(".local/share"), PathBuf::from);
    let dir = facts.var("UV_PYTHON_INSTALL_DIR").map_or_else(|| data.join("uv/python"), PathBuf::from);
    let entries = std::fs::read_dir(dir).ok()?.filter_map(Result::ok);
    let mut found: Vec<(Vec<u32>, PathBuf)> = Vec::new();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        // `cpython-3.12.4-linux-x86_64-gnu`; free-threaded ones (`3.13.0+freethreaded`) and previews are for who asks for them.
        let Some(of) = name.strip_prefix("cpython-").and_then(|rest| rest.split('-').next()) else {
            continue;
        };
        let numbers: Option<Vec<u32>> = of.split('.').map(|part| part.parse().ok()).collect();
        let begins = version.is_empty() || of == version || of.starts_with(&format!("{version}."));
        let program = entry.path().join("bin/python3");
        if let Some(numbers) = numbers.filter(|_| begins && program.is_file()) {
            found.push((numbers, program));
        }
    }
    found.into_iter().max().map(|(_, program)| program)
}

/// `python3.12` says what it is.
fn version_in_name(program: &Path) -> Option<String> {
    let version = program.file_name()?.to_str()?.strip_prefix("python")?;
    let (major, minor) = version.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(major) && is_number(minor)).then(|| version.to_owned())
}

/// Any other is asked.
fn version_asked(program: &Path) -> Option<String> {
    let text = said(program, "import sys; print('%d.%d' % sys.version_info[:2])", Path::new("/"))?;
    Some(text).filter(|text| text.contains('.'))
}

/// The Python that a shim starts in the user's home: in a project the project would say which.
fn behind(shim: &Path, facts: &Facts) -> Option<PathBuf> {
    let code = "import sys; print(getattr(sys, '_base_executable', sys.executable))";
    Some(PathBuf::from(said(shim, code, &facts.home)?)).filter(|path| program::is_binary(path))
}

/// One line of a Python of the user's.
fn said(python: &Path, code: &str, cwd: &Path) -> Option<String> {
    let mut command = std::process::Command::new(python);
    let output = command
        .args(["-I", "-S", "-c", code])
        .current_dir(cwd)
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
