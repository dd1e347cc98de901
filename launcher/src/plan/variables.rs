//! `${variables}` of a profile: their values in this session.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Input;
use super::paths::PrivateDirs;
use super::tree::{EntryKind, Tree};
use crate::error::{Failure, Kind};

/// Variables by which clients tell a server the project's directory, the best first.
const OF_CLIENTS: [&str; 2] = ["CLAUDE_PROJECT_DIR", "WORKSPACE_FOLDER_PATHS"];

/// Directories that hold more than a project: a client that was started from a desktop stands in one of them.
const NO_WORKSPACE: [&str; 16] = [
    "/", "/tmp", "/var", "/var/tmp", "/dev", "/dev/shm", "/etc", "/usr", "/opt", "/home", "/root", "/run",
    "/srv", "/mnt", "/media", "/proc",
];

/// A path that a profile grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    /// The whole path.
    pub(super) path: PathBuf,
    /// What the variable at its start stood for; `None` if it has none.
    pub(super) base: Option<PathBuf>,
}

/// The variables of one session.
#[derive(Debug)]
pub(super) struct Variables<'a> {
    input: &'a Input<'a>,
    dirs: &'a PrivateDirs,
    workspace: Option<PathBuf>,
    arguments: &'a [OsString],
}

impl<'a> Variables<'a> {
    pub(super) fn new(input: &'a Input<'a>, dirs: &'a PrivateDirs, tree: &dyn Tree) -> Self {
        Self { input, dirs, workspace: workspace(input, tree), arguments: own_arguments(input, tree) }
    }

    /// The paths that a path of a profile stands for: none if a variable has no value here.
    pub(super) fn paths(&self, text: &str) -> Result<Vec<Expanded>, Failure> {
        let resolved = self.input.resolved;
        let lists: [(&str, &[PathBuf]); 3] = [
            ("${runtime}", &resolved.exec_roots),
            ("${package}", &resolved.package_roots),
            ("${args.paths}", &resolved.argument_paths),
        ];
        let Some(end) = text.starts_with("${").then(|| text.find('}')).flatten() else {
            return Ok(vec![Expanded { path: PathBuf::from(text), base: None }]);
        };
        let (variable, below) = text.split_at(end + 1);
        let bases = match lists.iter().find(|(name, _)| *name == variable) {
            Some((_, paths)) => paths.to_vec(),
            // An argument is meant as the server would read it: from its working directory.
            None => self.value(variable)?.map(|value| self.input.facts.cwd.join(value)).into_iter().collect(),
        };
        Ok(bases.into_iter().map(|base| Expanded { path: join(&base, below), base: Some(base) }).collect())
    }

    /// A text with its variables filled in, for the environment: `None` if one of them has no value here.
    pub(super) fn text(&self, text: &str) -> Result<Option<OsString>, Failure> {
        let mut out = OsString::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            out.push(&rest[..at]);
            let end = rest[at..].find('}').map_or(rest.len(), |length| at + length + 1);
            match self.value(&rest[at..end])? {
                Some(value) => out.push(value),
                None => return Ok(None),
            }
            rest = &rest[end..];
        }
        out.push(rest);
        Ok(Some(out))
    }

    /// `${name}` → its value; `None` if it has none here.
    fn value(&self, variable: &str) -> Result<Option<OsString>, Failure> {
        let facts = self.input.facts;
        let known: [(&str, Option<&Path>); 6] = [
            ("${home}", Some(&facts.home)),
            ("${cwd}", Some(&facts.cwd)),
            ("${workspace}", self.workspace.as_deref()),
            ("${state}", Some(&self.dirs.state)),
            ("${cache}", Some(&self.dirs.cache)),
            ("${tmp}", Some(&self.dirs.tmp)),
        ];
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == variable) {
            return Ok(value.map(OsString::from));
        }
        let number = variable.strip_prefix("${args.").and_then(|rest| rest.strip_suffix('}'));
        match number.and_then(|number| number.parse::<usize>().ok()) {
            Some(number @ 1..) => Ok(self.arguments.get(number - 1).cloned()),
            _ => Err(Failure::new(
                Kind::Config,
                format!("profile `{}` uses an unknown variable", self.input.profile.name),
            )
            .cause(format!("`{variable}`"))
            .hint("`stockade profile check` says what a profile may use")),
        }
    }
}

fn join(path: &Path, below: &str) -> PathBuf {
    match below.trim_start_matches('/') {
        "" => path.to_owned(),
        below => path.join(below),
    }
}

/// The project: what the client says in its environment, else the working directory; never the home directory, what is
/// above it, or a directory of the system's.
fn workspace(input: &Input<'_>, tree: &dyn Tree) -> Option<PathBuf> {
    let facts = input.facts;
    // What the entry in a config sets is not what the client says: the config may be the project's own.
    let said = OF_CLIENTS.iter().filter(|name| !input.entry_env.iter().any(|set| set == *name));
    let candidates = said.filter_map(|name| facts.var(name)).map(PathBuf::from).chain([facts.cwd.clone()]);
    let home = tree.canonical(&facts.home).unwrap_or_else(|| facts.home.clone());
    candidates
        .filter(|path| path.is_absolute())
        .filter_map(|path| tree.canonical(&path))
        .filter(|path| tree.kind(path) == Some(EntryKind::Directory))
        .find(|path| !home.starts_with(path) && !NO_WORKSPACE.iter().any(|wide| path == Path::new(wide)))
}

/// The words behind the server's program, and behind its script if the program is an interpreter.
fn own_arguments<'a>(input: &Input<'a>, tree: &dyn Tree) -> &'a [OsString] {
    let words = input.resolved.argv.get(1..).unwrap_or(&[]);
    let is_script = |word: &OsString| {
        tree.canonical(&input.facts.cwd.join(word))
            .is_some_and(|path| path == Path::new(&input.resolved.code))
    };
    match words.iter().position(is_script) {
        Some(at) => &words[at + 1..],
        None => words,
    }
}
