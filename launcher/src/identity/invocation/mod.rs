//! PURE: what a command line asks for, read from its words alone. Wrappers (`env`, `sh -c`, `cmd /c`) are peeled off, the
//! words of package runners, container engines and interpreters are read as these programs read them. Nothing is
//! looked up: which version that is, and whether it is there at all, is found out by others.

mod container;
mod inside;
mod interpreters;
mod known;
mod npm;
mod options;
mod python;
mod shell;
mod spec;
mod words;

use std::ffi::{OsStr, OsString};
use std::path::Path;

pub use inside::{Inside, inside};
pub(super) use interpreters::{Code, interpreted};
pub use known::runs_others;
pub(super) use python::{uv_run_in_project, uv_verb};

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Programs that only start the next one, as people know them (`env`, `sh -c`), outermost first.
    pub wrappers: Vec<String>,
    /// Variables that the wrappers set, in their order.
    pub set: Vec<(String, OsString)>,
    /// What runs in the end.
    pub runs: Runs,
    /// What is not understood of it and may change what runs, in words for people. Empty for most.
    pub remainder: Vec<String>,
}

/// What runs in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runs {
    /// A package that a runner fetches first.
    Package(PackageRun),
    /// A container.
    Container(ContainerRun),
    /// A program of this machine, with its arguments: a binary, `node server.js`, `python -m module`.
    Program(Vec<OsString>),
    /// A script for a shell that is more than one plain command.
    Script(String),
}

/// Where packages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ecosystem {
    /// The npm registry, or one like it.
    Npm,
    /// The Python package index, or one like it.
    Pypi,
}

/// A program that fetches packages and runs them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// `npx` and `npm exec`
    Npx,
    /// `bunx` and `bun x`
    Bunx,
    /// `pnpm dlx` and `pnpx`
    PnpmDlx,
    /// `yarn dlx`
    YarnDlx,
    /// `uvx` and `uv tool run`
    Uvx,
    /// `pipx run`
    PipxRun,
    /// `uv run --with …` outside of a project
    UvRun,
}

/// A package as it is asked for: `@scope/name@^1`, `name[extra]>=2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name as its registry writes it: `@scope/name`, or normalised as PEP 503 has it; `None` for a URL or a path.
    pub name: Option<String>,
    /// Version, range or tag as the ecosystem writes it (`1.2.3`, `^1`, `latest`, `>=2,<3`); `None` if none is named.
    pub version: Option<String>,
    /// The words as they were typed, for whoever installs it.
    pub typed: String,
}

/// A package that a runner fetches and starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageRun {
    /// Who fetches it.
    pub runner: Runner,
    /// Where from.
    pub ecosystem: Ecosystem,
    /// Everything that is installed together. The first is the one whose program runs, unless `entry` is another's.
    pub specs: Vec<Spec>,
    /// The program that starts, if another than the runner would choose: of `npx -p PACKAGE PROGRAM`, `uvx --from`.
    pub entry: Option<String>,
    /// A Python that the words ask for (`3.12`), if they do.
    pub python: Option<String>,
    /// A registry that the words name (`--registry URL`, `--index-url URL`), if they do.
    pub registry: Option<String>,
    /// Arguments of the server.
    pub arguments: Vec<OsString>,
}

/// A container engine's command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerRun {
    /// `docker` or `podman`
    pub engine: String,
    /// The image as it was typed: `ghcr.io/github/github-mcp-server:1.2`
    pub image: String,
    /// Options before the image, as name and value; flags without a value have none.
    pub options: Vec<(String, Option<OsString>)>,
    /// Words after the image.
    pub arguments: Vec<OsString>,
}

/// A runner as people type it.
pub fn runner_name(runner: Runner) -> &'static str {
    match runner {
        Runner::Npx => "npx",
        Runner::Bunx => "bunx",
        Runner::PnpmDlx => "pnpm dlx",
        Runner::YarnDlx => "yarn dlx",
        Runner::Uvx => "uvx",
        Runner::PipxRun => "pipx run",
        Runner::UvRun => "uv run",
    }
}

/// How package URLs call an ecosystem.
pub fn purl_type(ecosystem: Ecosystem) -> &'static str {
    match ecosystem {
        Ecosystem::Npm => "npm",
        Ecosystem::Pypi => "pypi",
    }
}

/// Wrappers around wrappers are peeled this often; nobody who means well writes more.
const LAYERS_MAX: usize = 8;

/// What `command` asks for, from its words alone.
pub fn parse(command: &[OsString]) -> Invocation {
    let mut asked = Invocation {
        wrappers: Vec::new(),
        set: Vec::new(),
        runs: Runs::Program(command.to_vec()),
        remainder: Vec::new(),
    };
    let mut words = command.to_vec();
    let mut kept = None;
    for _ in 0..LAYERS_MAX {
        match shell::peel(&base_name(&words), &words) {
            shell::Peeled::Nothing => break,
            shell::Peeled::Layer { name, set, words: inner } => {
                asked.wrappers.push(name);
                asked.set.extend(set);
                words = inner;
            }
            shell::Peeled::Script { name, text } => {
                asked.wrappers.push(name);
                asked.runs = Runs::Script(text);
                asked.remainder.extend(known::telling_variables(&asked.set));
                return asked;
            }
            shell::Peeled::Kept(why) => {
                kept = Some(why);
                break;
            }
        }
    }
    let inner = match kept {
        Some(why) => program(&words, vec![why]),
        None => innermost(&words),
    };
    asked.wrappers.extend(inner.wrappers);
    asked.set.extend(inner.set);
    asked.runs = inner.runs;
    asked.remainder.extend(known::telling_variables(&asked.set));
    asked.remainder.extend(inner.remainder);
    asked
}

/// A program's name without its directory and without what Windows adds; empty if there is none.
pub(super) fn base_name(words: &[OsString]) -> String {
    let Some(word) = words.first() else { return String::new() };
    let text = word.to_string_lossy();
    let file = text.rsplit(['/', '\\']).next().unwrap_or(&text).to_ascii_lowercase();
    let stem = [".exe", ".cmd", ".bat", ".ps1"].iter().find_map(|ending| file.strip_suffix(ending));
    stem.map_or_else(|| file.clone(), str::to_owned)
}

/// Is this a bare name, or a place where only administrators install? Wrappers and container engines are taken for what
/// their name says only there: any program may call itself `env`.
fn is_the_systems(word: &OsStr) -> bool {
    const PLACES: &[&str] = &[
        "/bin",
        "/sbin",
        "/usr",
        "/opt",
        "/snap/bin",
        "/nix/store",
        "/run/current-system",
        "/Applications",
        "/System",
    ];
    let text = word.to_string_lossy();
    let windows = text.contains('\\') || text.as_bytes().get(1) == Some(&b':');
    let path = Path::new(word);
    !text.contains(['/', '\\'])
        || windows && text.to_ascii_lowercase().contains("\\windows\\")
        || PLACES.iter().any(|place| path.starts_with(place))
            && !path.components().any(|part| part == std::path::Component::ParentDir)
}

/// What a command line without wrappers runs.
fn innermost(words: &[OsString]) -> Invocation {
    let rest = words.get(1..).unwrap_or(&[]);
    let name = base_name(words);
    let verb = rest.first().and_then(|verb| verb.to_str()).unwrap_or("");
    let behind = rest.get(1..).unwrap_or(&[]);
    let read = match (name.as_str(), verb) {
        ("npx", _) => npm::npm(rest, npm::Npm::Npx),
        ("npm", "exec" | "x") => npm::npm(behind, npm::Npm::Exec),
        ("bunx", _) => npm::bunx(rest),
        ("bun", _) => match rest.iter().position(|word| !word.to_string_lossy().starts_with('-')) {
            Some(at) if rest.get(at).is_some_and(|verb| verb == "x") => {
                let (flags, behind) = (rest.get(..at).unwrap_or(&[]), rest.get(at + 1..).unwrap_or(&[]));
                npm::bunx(&[flags, behind].concat())
            }
            _ => return of_interpreter(&name, words),
        },
        ("pnpx" | "pnx", _) => npm::pnpm_dlx(&[], rest),
        ("pnpm" | "pn", _) => {
            npm::pnpm_verb(rest).and_then(|at| match rest.get(at).and_then(|verb| verb.to_str()) {
                Some("dlx") => npm::pnpm_dlx(rest.get(..at)?, rest.get(at + 1..)?),
                _ => None,
            })
        }
        ("yarn" | "yarnpkg", "dlx") => npm::yarn_dlx(behind),
        ("uvx", _) => python::uvx(&[], rest),
        ("uv", _) => return uv(words, rest),
        ("pipx", "run") => python::pipx_run(behind),
        ("docker" | "podman", _) if words.first().is_some_and(|word| is_the_systems(word)) => {
            let engine = if name == "docker" { container::Engine::Docker } else { container::Engine::Podman };
            container::run(engine, rest)
        }
        ("python" | "python3" | "py", "-m")
            if ["uv", "pipx"].iter().any(|tool| Some(*tool) == text(behind)) =>
        {
            let inner = innermost(behind);
            return Invocation { wrappers: vec![format!("{name} -m")], ..inner };
        }
        _ => return of_interpreter(&name, words),
    };
    match read {
        Some(read) => read,
        None => program(words, vec![starts_others(&name, verb)]),
    }
}

fn text(words: &[OsString]) -> Option<&str> {
    words.first()?.to_str()
}

/// `uv tool run`, `uv run`, and what else uv does.
fn uv(words: &[OsString], rest: &[OsString]) -> Invocation {
    let read =
        || {
            let at = uv_verb(rest)?;
            let (before, verb) = rest.split_at(at);
            match (text(verb)?, text(verb.get(1..)?)) {
                ("tool", Some("run")) => Some(python::uvx(before, verb.get(2..)?)),
                ("run", _) => {
                    let behind = verb.get(1..)?;
                    Some(python::uv_run(before, behind).or_else(|| {
                        uv_run_in_project(before, behind).map(|run| program(words, run.remainder))
                    }))
                }
                _ => None,
            }
        };
    match read().flatten() {
        Some(read) => read,
        None => program(words, vec![starts_others("uv", text(rest).unwrap_or(""))]),
    }
}

/// A program, with what an interpreter's options, or the program's trade, leave open.
fn of_interpreter(name: &str, words: &[OsString]) -> Invocation {
    let rest = words.get(1..).unwrap_or(&[]);
    match interpreted(name, rest) {
        Some(read) => program(words, read.remainder),
        None if known::starts_others(name) => {
            let verb = text(rest).filter(|verb| !verb.starts_with('-')).unwrap_or("");
            program(words, vec![starts_others(name, verb)])
        }
        None => program(words, Vec::new()),
    }
}

fn program(words: &[OsString], remainder: Vec<String>) -> Invocation {
    Invocation { wrappers: Vec::new(), set: Vec::new(), runs: Runs::Program(words.to_vec()), remainder }
}

fn starts_others(name: &str, verb: &str) -> String {
    let space = if verb.is_empty() { "" } else { " " };
    format!("`{name}{space}{verb}` starts what its arguments or other files say")
}

/// A line of the remainder about an option.
fn option_remains(program: &str, option: &str) -> String {
    // The value may be a secret; the name says enough.
    let name = option.split('=').next().unwrap_or(option);
    format!("`{program}`: the option `{name}` may change what runs")
}

/// Lines of the remainder about all options that are not among `harmless`.
fn remains(program: &str, read: &options::Read, harmless: &[&str]) -> Vec<String> {
    let telling = read.options.iter().map(|(name, _)| *name).filter(|name| !harmless.contains(name));
    let telling = telling.map(|name| if name.len() == 1 { format!("-{name}") } else { format!("--{name}") });
    telling.chain(read.unknown.iter().cloned()).map(|option| option_remains(program, &option)).collect()
}

#[cfg(test)]
mod tests;
