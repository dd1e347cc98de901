//! The `env` block of a wrapped entry, read afresh at every start: a token that was added later must arrive.

use std::path::Path;

use crate::clients::entry::{self, Entry, Scope, Shape};
use crate::clients::registry::{self, Client, Reach, World};
use crate::clients::spans::Document;
use crate::clients::store;
use crate::host::Facts;

/// Names of the variables in the `env` block of the entry that `id` (`CLIENT/NAME`) points to. `None` when there is no
/// such file or entry, or more than one: then nothing is known, and nothing is passed.
pub(crate) fn env_names(id: &str, facts: &Facts) -> Option<Vec<String>> {
    let (client, name) = id.split_once('/')?;
    let client = registry::named(client)?;
    let files = client.files(Reach::User, World::of(facts));
    let mut known = files.iter().filter(|location| location.place.is_writable()).filter_map(|location| {
        in_file(&store::read(location).ok().flatten()?.bytes, client, (id, name), facts)
    });
    let first = known.next()?;
    known.next().is_none().then_some(first)
}

/// The same of one file.
fn in_file(bytes: &[u8], client: &Client, (id, name): (&str, &str), facts: &Facts) -> Option<Vec<String>> {
    let document = Document::parse(bytes).ok()?;
    let mut entries = entry::entries(&document, client.scopes()).ok()?;
    let says_so = |entry: &Entry| matches!(&entry.shape, Shape::Wrapped(w) if w.id.as_deref() == Some(id));
    // An entry that was renamed since still carries its id; only where none does is the name asked.
    if entries.iter().any(says_so) {
        entries.retain(says_so);
    } else {
        entries.retain(|entry| entry.place.name == name);
    }
    entry::env_names(&document, nearest(&entries, &facts.cwd)?)
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
