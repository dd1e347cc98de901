//! `${variables}` of a profile: their values in this session.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Input;
use super::paths::{OF_THE_SYSTEM, PrivateDirs};
use super::tree::{EntryKind, Tree};
use crate::error::{Failure, Kind};
use crate::identity::argument_value;

/// Variables by which clients tell a server the project's directory, the best first.
pub const OF_CLIENTS: [&str; 2] = ["CLAUDE_PROJECT_DIR", "WORKSPACE_FOLDER_PATHS"];

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
    /// Directories that arguments are or lie in.
    argument_dirs: Vec<PathBuf>,
    /// Directories that arguments are.
    argument_roots: Vec<PathBuf>,
    /// What the server's environment names, of that which the profile asks for.
    environment: Vec<(String, PathBuf)>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(input: &'a Input<'a>, dirs: &'a PrivateDirs, tree: &dyn Tree) -> Self {
        let arguments = own_arguments(input, tree);
        Self {
            input,
            dirs,
            workspace: workspace(input, tree),
            arguments,
            argument_dirs: argument_dirs(arguments, input, tree),
            argument_roots: argument_roots(input, tree),
            environment: Vec::new(),
        }
    }

    /// With the paths that the server's environment names: `${env.NAME}`.
    pub(super) fn with_environment(self, env: &[(OsString, OsString)], tree: &dyn Tree) -> Self {
        let profile = self.input.profile;
        let lists = [&profile.read, &profile.write, &profile.exec, &profile.closed, &profile.unix_allow];
        let asked =
            lists.iter().flat_map(|list| list.iter()).filter_map(|grant| environment_name(&grant.path));
        let named = |name: &str| {
            let value = env.iter().find(|(known, _)| known == name).map(|(_, value)| value)?;
            let path = tree.canonical(&self.input.facts.cwd.join(value)).filter(|_| !value.is_empty())?;
            is_narrow(&path, self.input, tree).then(|| (name.to_owned(), path))
        };
        let environment = asked.filter_map(named).collect();
        Self { environment, ..self }
    }

    /// The paths that a path of a profile stands for: none if a variable has no value here.
    pub(super) fn paths(&self, text: &str) -> Result<Vec<Expanded>, Failure> {
        let resolved = self.input.resolved;
        let lists: [(&str, &[PathBuf]); 5] = [
            ("${runtime}", &resolved.exec_roots),
            ("${package}", &resolved.package_roots),
            ("${args.paths}", &resolved.argument_paths),
            ("${args.dirs}", &self.argument_dirs),
            ("${args.roots}", &self.argument_roots),
        ];
        let Some(end) = text.starts_with("${").then(|| text.find('}')).flatten() else {
            return Ok(vec![Expanded { path: PathBuf::from(text), base: None }]);
        };
        let (variable, below) = text.split_at(end + 1);
        let bases = match lists.iter().find(|(name, _)| *name == variable) {
            Some((_, paths)) => paths.to_vec(),
            None if variable.starts_with("${env.") => {
                let named = |name: &String| Some(name.as_str()) == environment_name(variable);
                self.environment
                    .iter()
                    .filter(|(name, _)| named(name))
                    .map(|(_, path)| path.clone())
                    .collect()
            }
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

    /// The server's argument of this number, counted from 1.
    pub(super) fn argument(&self, number: usize) -> Option<String> {
        let argument = self.arguments.get(number.checked_sub(1)?)?;
        Some(argument.to_string_lossy().into_owned())
    }

    /// Every URL among the server's arguments, also behind the `=` of a flag.
    pub(super) fn urls(&self) -> Vec<String> {
        self.arguments.iter().filter_map(|word| url(&word.to_string_lossy()).map(str::to_owned)).collect()
    }

    /// The server's own directories.
    pub(super) fn private_dirs(&self) -> [&'a PathBuf; 3] {
        [&self.dirs.state, &self.dirs.cache, &self.dirs.tmp]
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

/// `${env.NAME}/below` → `NAME`
fn environment_name(path: &str) -> Option<&str> {
    path.strip_prefix("${env.")?.split_once('}').map(|(name, _)| name)
}

/// The directories that arguments name, and those of the files that they name, whether these exist yet or not: a database
/// keeps its journal beside itself.
fn argument_dirs(arguments: &[OsString], input: &Input<'_>, tree: &dyn Tree) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for word in arguments {
        let Some(value) = argument_value(word) else { continue };
        // As for `${args.paths}`: a bare word is a name more often than a file. A URL is none either.
        if !value.as_bytes().contains(&b'/') || url(&word.to_string_lossy()).is_some() {
            continue;
        }
        let path = input.facts.cwd.join(value);
        let is_directory = |path: &PathBuf| tree.kind(path) == Some(EntryKind::Directory);
        let own = tree.canonical(&path).filter(is_directory);
        let dir = own.or_else(|| path.parent().and_then(|dir| tree.canonical(dir)).filter(is_directory));
        if let Some(dir) = dir.filter(|dir| is_narrow(dir, input, tree) && !dirs.contains(dir)) {
            dirs.push(dir);
        }
    }
    dirs
}

/// The directories that arguments name as places to work in: those that exist, less than a home directory, and outside of
/// the system's own, where a browser or an interpreter is named more often than a project.
fn argument_roots(input: &Input<'_>, tree: &dyn Tree) -> Vec<PathBuf> {
    let of_the_system = |path: &Path| OF_THE_SYSTEM.iter().any(|system| path.starts_with(system));
    let is_root = |path: &&PathBuf| {
        tree.kind(path) == Some(EntryKind::Directory) && is_narrow(path, input, tree) && !of_the_system(path)
    };
    input.resolved.argument_paths.iter().filter(is_root).cloned().collect()
}

/// Whether a place that somebody else named is less than a whole home directory or one of the system's: the config that
/// named it may be a stranger's.
fn is_narrow(path: &Path, input: &Input<'_>, tree: &dyn Tree) -> bool {
    let home = tree.canonical(&input.facts.home).unwrap_or_else(|| input.facts.home.clone());
    !home.starts_with(path) && !NO_WORKSPACE.iter().any(|wide| path == Path::new(wide))
}

/// The URL that a word is or sets: `--dsn=postgres://…`.
fn url(word: &str) -> Option<&str> {
    let word = match (word.strip_prefix('-'), word.split_once('=')) {
        (Some(_), Some((_, value))) => value,
        _ => word,
    };
    let (scheme, rest) = word.split_once("://")?;
    // RFC 3986, section 3.1.
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    (named && !rest.is_empty() && scheme != "file").then_some(word)
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
    candidates
        .filter(|path| path.is_absolute())
        .filter_map(|path| tree.canonical(&path))
        .filter(|path| tree.kind(path) == Some(EntryKind::Directory))
        .find(|path| is_narrow(path, input, tree))
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
