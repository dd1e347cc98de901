//! The `env` block of a wrapped entry, read afresh at every start: a token that was added later must arrive.

use std::ffi::OsString;
use std::path::Path;

use crate::clients::entry::{self, Entry, Scope, Shape};
use crate::clients::registry::{self, Reach, World};
use crate::clients::spans::Document;
use crate::clients::store;
use crate::host::{Environment, Facts};

/// Names of the variables in the `env` block of the entry that `id` (`CLIENT/NAME`) points to. `None` when there is no
/// such file or entry, or more than one: then nothing is known, and nothing is passed.
pub(crate) fn env_names(id: &str, facts: &Facts) -> Option<Vec<String>> {
    let (client, name) = id.split_once('/')?;
    let client = registry::named(client)?;
    let files = client.files(Reach::User, World::of(facts));
    let mut known = files.iter().filter(|location| location.place.is_writable()).filter_map(|location| {
        in_file(&store::read(location).ok().flatten()?.bytes, location.place, (id, name), facts)
    });
    let first = known.next()?;
    known.next().is_none().then_some(first)
}

/// The same of one file.
fn in_file(
    bytes: &[u8],
    place: &registry::Place,
    (id, name): (&str, &str),
    facts: &Facts,
) -> Option<Vec<String>> {
    let document = Document::parse(bytes, place.format?).ok()?;
    let mut entries = entry::entries(&document, place.layouts).ok()?;
    let says_so = |entry: &Entry| matches!(&entry.shape, Shape::Wrapped(w) if w.id.as_deref() == Some(id));
    // An entry that was renamed since still carries its id; only where none does is the name asked.
    if entries.iter().any(says_so) {
        entries.retain(says_so);
    } else {
        entries.retain(|entry| entry.place.name == name);
    }
    entry::env_names(&document, nearest(&entries, &facts.cwd)?)
}

/// Where no file is to be read (a config given on the command line, a client that this version does not know): the variables that our
/// parent added to its own environment for us alone. What it changed for all that it starts (some clients load the whole
/// environment of the user's shell) is not the entry's, and may hold the tokens of everything else.
pub(crate) fn env_names_by_parent(
    own: &Environment,
    (parent, siblings): &(Environment, Vec<Environment>),
) -> Vec<String> {
    const OF_EVERY_PROGRAM: [&str; 8] =
        ["PATH", "PWD", "OLDPWD", "SHLVL", "_", "HOME", "STOCKADE_SHIM", "INIT_CWD"];
    if parent.is_empty() {
        return Vec::new();
    }
    let has = |env: &Environment, name: &OsString, value: &OsString| env.get(name) == Some(value);
    let ours = own.iter().filter(|(name, value)| {
        !has(parent, name, value) && !siblings.iter().any(|sibling| has(sibling, name, value))
    });
    let names = ours.filter_map(|(name, _)| name.to_str().map(str::to_owned));
    names.filter(|name| !OF_EVERY_PROGRAM.contains(&name.as_str())).collect()
}

/// Claude Code starts servers in the project's directory, and there a project's entry goes before the user's.
fn nearest<'a>(entries: &'a [Entry], cwd: &Path) -> Option<&'a Entry> {
    let rank = |entry: &Entry| match &entry.place.scope {
        Scope::User => Some(0),
        Scope::Project(path) if cwd.starts_with(path) => Some(1 + Path::new(path).components().count()),
        Scope::Project(_) => None,
    };
    let best = entries.iter().filter_map(rank).max();
    let mut first = entries.iter().filter(|entry| best.is_none() || rank(entry) == best);
    let only = first.next()?;
    first.next().is_none().then_some(only)
}

#[cfg(test)]
mod tests;
