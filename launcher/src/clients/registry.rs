//! What is known of each client, as data; the operating system is a value, so every table can be tested anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::host::Facts;

/// Operating systems on which the clients keep their configs in different places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Os {
    /// Linux and whatever follows its conventions.
    Linux,
    /// macOS.
    Mac,
    /// Windows.
    Windows,
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The user's own.
    User,
    /// A project's, often under version control.
    Project,
    /// The administrator's.
    Managed,
    /// Part of a plugin.
    Plugin,
    /// Part of an extension, or made by its code.
    Extension,
}

impl Reach {
    /// The word of it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Managed => "managed",
            Self::Plugin => "plugin",
            Self::Extension => "extension",
        }
    }
}

/// How sure it is that the client reads this file in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Confidence {
    /// Nobody has tried it: reported, never written.
    Low,
    /// Several tools agree.
    Medium,
    /// The vendor's documentation or source says so.
    High,
}

/// A file in which a client keeps servers, at one of several paths; or what is no such file.
#[derive(Debug)]
pub(crate) struct Place {
    /// On these systems.
    pub os: &'static [Os],
    /// Whose it is.
    pub reach: Reach,
    /// How sure that is.
    pub confidence: Confidence,
    /// Candidates, best first, with `/` between the parts. `~/` is home, `$VAR` what the variable names if that is absolute,
    /// `<project>/` a project's directory; `*` in a part stands for anything.
    pub paths: &'static [&'static str],
    /// `None`: it is no file with entries (a database, code).
    pub format: Option<Format>,
    /// Why nothing of it is wrapped, where that is so; else empty.
    pub why: &'static str,
    /// Where the entries stand.
    pub layouts: &'static [Layout],
}

/// Language of a config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON, with or without comments and trailing commas.
    Json,
    /// TOML 1.0.
    Toml,
    /// YAML 1.2.
    Yaml,
}

/// How an entry gives the command line of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A program and an array of its arguments.
    Words,
    /// One array: the program and its arguments.
    Line,
}

/// Where the entries stand in a file, and the names of their members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Keys from the root. `*` is any key, and what it is called is the project's directory.
    pub at: &'static [&'static str],
    /// Are the entries items of an array, each with its `name`?
    pub list: bool,
    /// How the command line is given.
    pub form: Form,
    /// Name of the member with the program, or with the whole command line.
    pub command: &'static str,
    /// Name of the member with the arguments.
    pub args: &'static str,
    /// Name of the member with the environment.
    pub env: &'static str,
}

/// What an entry that we write ourselves has to have beside its command.
#[derive(Debug)]
pub(crate) struct New {
    /// Under which keys, if a file may have several; empty: those of the place's first layout.
    pub at: &'static [&'static str],
    /// Whether it says its own name once more.
    pub name: bool,
    /// Names and values, as JSON, TOML and YAML write them alike.
    pub members: &'static [(&'static str, &'static str)],
}

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its name in ids and flags.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// How a change of the file reaches the running client.
    pub reload: &'static str,
    /// Whether a running client takes it up by itself; `None`: not known.
    pub hot_reload: Option<bool>,
    /// Whether it asks its user again about a changed server.
    pub asks_again: Option<bool>,
    /// Whether it takes a lock beside the file before it writes it (`FILE.lock`, a directory).
    pub locks: bool,
    /// Openings of references that it expands in commands and arguments; `None`: not known.
    pub expands: Option<&'static [&'static str]>,
    /// What it needs in a new entry.
    pub new: New,
    /// Where servers may be named.
    pub places: &'static [Place],
}

/// A path of a client, and the directory that links on it must not leave.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    /// Whose.
    pub client: &'static Client,
    /// Which of its places.
    pub place: &'static Place,
    /// The file.
    pub path: PathBuf,
    /// Home, or what the relocating variable names.
    pub root: PathBuf,
}

/// What paths are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World<'a> {
    /// The system.
    pub os: Os,
    /// The user's home directory.
    pub home: &'a Path,
    /// The environment.
    pub env: &'a BTreeMap<OsString, OsString>,
    /// The project whose files are looked at, if any.
    pub project: Option<&'a Path>,
}

/// The client of this id.
pub(crate) fn named(id: &str) -> Option<&'static Client> {
    CLIENTS.iter().find(|client| client.id == id)
}

mod table {
    use super::{Client, Confidence, Form, Format, Layout, New, Os, Place, Reach};

    include!(concat!(env!("OUT_DIR"), "/clients.rs"));
}
pub(crate) use table::CLIENTS;

/// Names of all variables that paths are made of.
pub(crate) fn variables() -> BTreeSet<&'static str> {
    let paths = CLIENTS.iter().flat_map(|client| client.places).flat_map(|place| place.paths);
    paths.filter_map(|path| path.strip_prefix('$')?.split('/').next()).collect()
}

impl Os {
    /// The system that this binary runs on.
    pub(crate) fn current() -> Self {
        match std::env::consts::OS {
            "macos" => Self::Mac,
            "windows" => Self::Windows,
            _ => Self::Linux,
        }
    }
}

impl<'a> World<'a> {
    /// Of this process.
    pub(crate) fn of(facts: &'a Facts) -> Self {
        Self { os: Os::current(), home: &facts.home, env: &facts.env, project: None }
    }

    /// The same, with the files of this project.
    pub(crate) fn with_project(self, project: &'a Path) -> Self {
        Self { project: Some(project), ..self }
    }

    /// Where a path of the registry starts and what follows; `None` if that start does not exist here.
    fn start<'p>(&self, path: &'p str) -> Option<(PathBuf, &'p str)> {
        if let Some(rest) = path.strip_prefix("~/") {
            return Some((self.home.to_owned(), rest));
        }
        if let Some(named) = path.strip_prefix('$') {
            let (name, rest) = named.split_once('/').unwrap_or((named, ""));
            let root = self.env.get(&OsString::from(name)).map(PathBuf::from);
            return Some((root.filter(|root| root.is_absolute())?, rest));
        }
        if let Some(rest) = path.strip_prefix("<project>/") {
            return Some((self.project?.to_owned(), rest));
        }
        path.strip_prefix('/').map(|rest| (PathBuf::from("/"), rest))
    }
}

impl Place {
    /// Whether entries of this file can be changed.
    pub(crate) fn is_writable(&self) -> bool {
        self.confidence > Confidence::Low && self.is_readable()
    }

    /// Whether entries of this file can be told.
    pub(crate) fn is_readable(&self) -> bool {
        self.format.is_some() && !self.layouts.is_empty()
    }
}

impl Client {
    /// Where its files of this kind may be, best first; `*` is not looked up.
    pub(crate) fn candidates(&'static self, reach: Reach, world: World<'_>) -> Vec<Location> {
        let mut found: Vec<Location> = Vec::new();
        for place in self.places_of(reach, world.os) {
            for path in place.paths {
                let Some((root, rest)) = world.start(path) else { continue };
                let location = Location { client: self, place, path: below(&root, rest), root };
                if found.iter().all(|known| known.path != location.path) {
                    found.push(location);
                }
            }
        }
        found
    }

    /// Its files of this kind that exist: of each place the first of its paths, all of them where the path has a `*`.
    pub(crate) fn files(&'static self, reach: Reach, world: World<'_>) -> Vec<Location> {
        let mut found: Vec<Location> = Vec::new();
        for place in self.places_of(reach, world.os) {
            for path in place.paths {
                let Some((root, rest)) = world.start(path) else { continue };
                let paths = if rest.contains('*') { matches(&root, rest) } else { vec![below(&root, rest)] };
                let mut exist = paths.into_iter().filter(|path| path.symlink_metadata().is_ok()).peekable();
                let exists = exist.peek().is_some();
                let new: Vec<PathBuf> =
                    exist.filter(|path| found.iter().all(|known| known.path != *path)).collect();
                let root = &root;
                found.extend(new.into_iter().map(|path| Location {
                    client: self,
                    place,
                    path,
                    root: root.clone(),
                }));
                if exists {
                    break;
                }
            }
        }
        found
    }

    /// Places of it that exist here and are no files with entries (databases, code, texts): what they name is not known.
    pub(crate) fn unread(&'static self, world: World<'_>) -> Vec<(&'static Place, PathBuf)> {
        let places =
            self.places.iter().filter(|place| place.format.is_none() && place.os.contains(&world.os));
        let mut found: Vec<(&'static Place, PathBuf)> = Vec::new();
        for place in places {
            for path in place.paths {
                let Some((root, rest)) = world.start(path) else { continue };
                let paths = matches(&root, rest).into_iter().filter(|path| path.symlink_metadata().is_ok());
                found.extend(paths.map(|path| (place, path)));
            }
        }
        found
    }

    /// Its place in a project for a file that the journal knows, with that project's directory; `None` if it has none such.
    pub(crate) fn in_project(&'static self, file: &Path, os: Os) -> Option<Location> {
        self.places_of(Reach::Project, os).find_map(|place| {
            place.paths.iter().find_map(|path| {
                let rest = Path::new(path.strip_prefix("<project>/")?);
                let root = file.ancestors().nth(rest.components().count())?;
                (root.join(rest) == file).then(|| Location {
                    client: self,
                    place,
                    path: file.to_owned(),
                    root: root.to_owned(),
                })
            })
        })
    }

    /// The directories on the way to its files of this kind, and the paths themselves: a start, and the parts behind it, `*` among them.
    pub(crate) fn ways(&'static self, reach: Reach, world: World<'_>) -> Vec<(PathBuf, Vec<&'static str>)> {
        let paths = self.places_of(reach, world.os).flat_map(|place| place.paths);
        paths
            .filter_map(|path| {
                let (root, rest) = world.start(path)?;
                Some((root, rest.split('/').filter(|part| !part.is_empty()).collect()))
            })
            .collect()
    }

    fn places_of(&'static self, reach: Reach, os: Os) -> impl Iterator<Item = &'static Place> {
        self.places
            .iter()
            .filter(move |place| place.reach == reach && place.os.contains(&os) && place.format.is_some())
    }
}

fn below(root: &Path, rest: &str) -> PathBuf {
    rest.split('/').filter(|part| !part.is_empty()).fold(root.to_owned(), |path, part| path.join(part))
}

/// What exists below `root` under a path with `*` in some of its parts, in the order of names. Hidden names only where the part
/// says so.
fn matches(root: &Path, rest: &str) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    for part in rest.split('/').filter(|part| !part.is_empty()) {
        found = match part.split_once('*') {
            None => found.into_iter().map(|path| path.join(part)).collect(),
            Some((before, after)) => found.iter().flat_map(|path| names(path, (before, after))).collect(),
        };
    }
    found
}

fn names(directory: &Path, (before, after): (&str, &str)) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let fits = |name: &str| {
        let rest = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        rest.is_some_and(|rest| !rest.is_empty()) && (!name.starts_with('.') || before.starts_with('.'))
    };
    let mut names: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(fits))
        .map(|entry| entry.path())
        .collect();
    names.sort();
    names
}

/// A client and its first place, as most of the tests of this room need them.
#[cfg(test)]
pub(super) fn first_of(id: &str) -> (&'static Client, &'static Place) {
    let client = named(id).unwrap_or_else(|| panic!("no client {id}"));
    (client, &client.places[0])
}

#[cfg(test)]
mod tests;
