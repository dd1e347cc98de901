//! Runners of Python packages: `uvx` (uv 0.11 to 0.13), `uv run`, `pipx run` (pipx 1.8).

use std::ffi::{OsStr, OsString};

use super::options::{self, Grammar, Name, Read};
use super::spec::{self, AtVersion};
use super::{Ecosystem, Invocation, PackageRun, Runner, Runs};

/// Options with a value that uv knows everywhere, and those of its installer.
macro_rules! uv_values {
    ($($more:expr),* $(,)?) => {
        &[
            ("w", "with"), ("", "with-editable"), ("", "with-requirements"), ("", "env-file"),
            ("", "python-platform"), ("", "torch-backend"), ("", "index"), ("", "default-index"), ("i", "index-url"),
            ("", "extra-index-url"), ("f", "find-links"), ("", "index-strategy"), ("", "keyring-provider"),
            ("P", "upgrade-package"), ("", "upgrade-group"), ("", "resolution"), ("", "prerelease"),
            ("", "prerelease-package"), ("", "fork-strategy"), ("", "exclude-newer"), ("", "exclude-newer-package"),
            ("", "no-sources-package"), ("", "reinstall-package"), ("", "link-mode"), ("C", "config-setting"),
            ("", "config-settings-package"), ("", "no-build-isolation-package"), ("", "no-build-package"),
            ("", "no-binary-package"), ("", "cache-dir"), ("", "refresh-package"), ("p", "python"), ("", "color"),
            ("", "allow-insecure-host"), ("", "directory"), ("", "project"), ("", "config-file"),
            ("", "python-preference"), ("", "python-fetch"),
            $($more),*
        ]
    };
}

/// The same, without a value.
macro_rules! uv_flags {
    ($($more:expr),* $(,)?) => {
        &[
            ("", "isolated"), ("", "no-env-file"), ("", "no-index"), ("U", "upgrade"), ("", "no-sources"),
            ("", "reinstall"), ("", "compile-bytecode"), ("", "no-build-isolation"), ("", "no-build"),
            ("", "no-binary"), ("", "require-build-hashes"), ("", "no-require-build-hashes"), ("n", "no-cache"),
            ("", "no-cache-dir"), ("", "refresh"), ("", "managed-python"), ("", "no-managed-python"),
            ("", "no-python-downloads"), ("q", "quiet"), ("v", "verbose"), ("", "system-certs"), ("", "native-tls"),
            ("", "offline"), ("", "no-progress"), ("", "no-config"), ("", "preview"), ("", "no-color"),
            $($more),*
        ]
    };
}

const UVX: Grammar = Grammar {
    values: uv_values![("", "from"), ("c", "constraints"), ("b", "build-constraints"), ("", "overrides")],
    flags: uv_flags![("", "lfs")],
};
const UV_RUN: Grammar = Grammar {
    values: uv_values![
        ("", "extra"),
        ("", "no-extra"),
        ("", "group"),
        ("", "no-group"),
        ("", "only-group"),
        ("", "no-editable-package"),
        ("", "package"),
    ],
    flags: uv_flags![
        ("", "all-extras"),
        ("", "no-dev"),
        ("", "dev"),
        ("", "only-dev"),
        ("", "no-default-groups"),
        ("", "all-groups"),
        ("m", "module"),
        ("", "no-editable"),
        ("", "exact"),
        ("", "active"),
        ("", "no-sync"),
        ("", "locked"),
        ("", "frozen"),
        ("s", "script"),
        ("", "gui-script"),
        ("", "all-packages"),
        ("", "no-project"),
    ],
};
/// Options of uv that change neither what is fetched nor what runs, and those that are looked at.
const UV_HARMLESS: &[&str] = &[
    "from",
    "with",
    "with-editable",
    "python",
    "default-index",
    "index-url",
    "isolated",
    "no-env-file",
    "upgrade",
    "upgrade-package",
    "reinstall",
    "reinstall-package",
    "compile-bytecode",
    "no-cache",
    "no-cache-dir",
    "cache-dir",
    "refresh",
    "refresh-package",
    "managed-python",
    "no-managed-python",
    "no-python-downloads",
    "python-preference",
    "python-fetch",
    "quiet",
    "verbose",
    "system-certs",
    "native-tls",
    "offline",
    "no-progress",
    "no-config",
    "no-color",
    "color",
    "link-mode",
    "keyring-provider",
    "no-build",
    "no-build-package",
    "require-build-hashes",
    "module",
    "script",
    "no-project",
    "preview",
    "no-sync",
    "locked",
    "frozen",
    "exact",
];

/// Words before the verb of `uv`, and those behind `uv tool run`; or those behind `uvx`.
pub(super) fn uvx(before: &[OsString], words: &[OsString]) -> Option<Invocation> {
    let read = joined(before, words, UVX);
    let mut remainder = super::remains("uvx", &read, UV_HARMLESS);
    let (first, arguments) = read.rest.split_first()?;
    let first = first.to_str()?;
    let from = read.last("from");
    let python = read.last("python");
    // `uvx python@3.12` is a Python with the packages that `--with` names.
    let interpreter = first.split('@').next().filter(|name| is_python(name));
    let mut specs = with(&read);
    let (entry, python) = match (from, interpreter) {
        (Some(from), _) => {
            specs.insert(0, spec::pypi(&from, AtVersion::Read));
            (Some(first.to_owned()), python)
        }
        (None, Some(name)) => {
            let asked = first.split_once('@').map(|(_, version)| version.to_owned()).or(python);
            (Some(name.to_owned()), asked)
        }
        (None, None) => {
            specs.insert(0, spec::pypi(first, AtVersion::Read));
            (None, python)
        }
    };
    if specs.is_empty() {
        return None;
    }
    if first.ends_with(".py") {
        remainder.push(format!("uvx does not start scripts (`{first}`)"));
    }
    let runs = PackageRun {
        runner: Runner::Uvx,
        ecosystem: Ecosystem::Pypi,
        specs,
        entry,
        python,
        registry: registry(&read),
        arguments: arguments.to_vec(),
    };
    Some(of(runs, remainder))
}

/// `uv run` as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::identity) struct UvRun {
    /// What it starts, with its arguments: a script, a program of the project, `python -m …`.
    pub(in crate::identity) words: Vec<OsString>,
    /// Where: `--directory`, and from there `--project`.
    pub(in crate::identity) directory: Option<OsString>,
    /// `--project`
    pub(in crate::identity) project: Option<OsString>,
    /// What may change what runs.
    pub(in crate::identity) remainder: Vec<String>,
}

/// Words before the verb of `uv`, and those behind `uv run`, without `--with`: what it starts in a project.
pub(in crate::identity) fn uv_run_in_project(before: &[OsString], words: &[OsString]) -> Option<UvRun> {
    const PROJECTS: &[&str] = &[
        "directory",
        "project",
        "extra",
        "no-extra",
        "all-extras",
        "group",
        "no-group",
        "all-groups",
        "only-group",
        "no-default-groups",
        "dev",
        "no-dev",
        "only-dev",
        "no-editable",
        "no-editable-package",
        "package",
        "all-packages",
        "active",
    ];
    let read = joined(before, words, UV_RUN);
    let known: Vec<&str> = UV_HARMLESS.iter().chain(PROJECTS).copied().collect();
    let last = |name: &str| read.all(name).last().map(OsStr::to_owned);
    Some(UvRun {
        remainder: super::remains("uv run", &read, &known),
        directory: last("directory"),
        project: last("project"),
        words: started(&read)?,
    })
}

/// Words before the verb of `uv`, and those behind `uv run`: a package if `--with` names one.
pub(super) fn uv_run(before: &[OsString], words: &[OsString]) -> Option<Invocation> {
    let read = joined(before, words, UV_RUN);
    let specs = with(&read);
    if specs.is_empty() {
        return None;
    }
    let remainder = super::remains("uv run", &read, UV_HARMLESS);
    let started = started(&read)?;
    let (first, arguments) = started.split_first()?;
    let runs = PackageRun {
        runner: Runner::UvRun,
        ecosystem: Ecosystem::Pypi,
        specs,
        entry: Some(first.to_str()?.to_owned()),
        python: read.last("python"),
        registry: registry(&read),
        arguments: arguments.to_vec(),
    };
    Some(of(runs, remainder))
}

/// What `uv run` starts: scripts and modules by Python, anything else as a program.
fn started(read: &Read) -> Option<Vec<OsString>> {
    let first = read.rest.first()?.to_str()?;
    let is_script = ["script", "gui-script"].iter().any(|name| read.has(name)) || first.ends_with(".py");
    let python: &[&str] = match (read.has("module"), is_script) {
        (true, _) => &["python", "-m"],
        (false, true) => &["python"],
        (false, false) => &[],
    };
    Some(python.iter().map(OsString::from).chain(read.rest.iter().cloned()).collect())
}

/// Where the verb of `uv …` stands.
pub(in crate::identity) fn uv_verb(words: &[OsString]) -> Option<usize> {
    let rest = options::read(words, UV_RUN).rest.len();
    words.len().checked_sub(rest).filter(|at| *at < words.len())
}

fn joined(before: &[OsString], words: &[OsString], grammar: Grammar) -> Read {
    let mut read = options::read(before, grammar);
    let after = options::read(words, grammar);
    read.options.extend(after.options);
    read.unknown.extend(after.unknown);
    read.rest = after.rest;
    read
}

fn with(read: &Read) -> Vec<super::Spec> {
    let named = read.all("with").flat_map(|word| spec::between_commas(&word.to_string_lossy()));
    let mut specs: Vec<_> = named.map(|typed| spec::pypi(&typed, AtVersion::Read)).collect();
    let editable = read.all("with-editable").map(|word| word.to_string_lossy().into_owned());
    specs.extend(editable.map(|typed| super::Spec { name: None, version: None, typed }));
    specs
}

fn registry(read: &Read) -> Option<String> {
    read.last("default-index").or_else(|| read.last("index-url"))
}

/// `python`, `python3`, `python3.12`
fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

const PIPX: Grammar = Grammar { values: PIPX_VALUES, flags: PIPX_FLAGS };
const PIPX_VALUES: &[Name] = &[
    ("", "spec"),
    ("", "with"),
    ("", "python"),
    ("", "fetch-python"),
    ("i", "index-url"),
    ("", "pip-args"),
    ("", "python-args"),
    ("", "cooldown"),
    ("", "backend"),
];
const PIPX_FLAGS: &[Name] = &[
    ("q", "quiet"),
    ("v", "verbose"),
    ("", "skip-maintenance"),
    ("", "global"),
    ("", "no-cache"),
    ("", "refresh"),
    ("", "no-path-check"),
    ("", "path"),
    ("", "pypackages"),
    ("", "fetch-missing-python"),
    ("", "system-site-packages"),
    ("e", "editable"),
];

/// Words behind `pipx run`.
pub(super) fn pipx_run(words: &[OsString]) -> Option<Invocation> {
    const HARMLESS: &[&str] = &[
        "spec",
        "with",
        "python",
        "index-url",
        "fetch-python",
        "fetch-missing-python",
        "cooldown",
        "backend",
        "quiet",
        "verbose",
        "skip-maintenance",
        "no-cache",
        "refresh",
        "no-path-check",
    ];
    let read = options::read(words, PIPX);
    let mut remainder = super::remains("pipx run", &read, HARMLESS);
    let (first, arguments) = read.rest.split_first()?;
    let first = first.to_str()?;
    let (top, entry) = match read.last("spec") {
        Some(spec) => (spec::pypi(&spec, AtVersion::Url), Some(first.to_owned())),
        None => (spec::pypi(first, AtVersion::Url), None),
    };
    if entry.is_none() && (first.ends_with(".py") || top.name.is_none()) {
        remainder.push(format!("pipx runs `{first}` as a script"));
    }
    let more = read.all("with").map(|word| spec::pypi(&word.to_string_lossy(), AtVersion::Url));
    let runs = PackageRun {
        runner: Runner::PipxRun,
        ecosystem: Ecosystem::Pypi,
        specs: std::iter::once(top).chain(more).collect(),
        entry,
        python: read.last("python"),
        registry: read.last("index-url"),
        arguments: arguments.to_vec(),
    };
    Some(of(runs, remainder))
}

fn of(runs: PackageRun, remainder: Vec<String>) -> Invocation {
    Invocation { wrappers: Vec::new(), set: Vec::new(), runs: Runs::Package(runs), remainder }
}
