//! A server entered into a client's file, wrapped at once; and one taken out of it.

use std::path::{Path, PathBuf};

use crate::clients::change::{ATTEMPTS_MAX, keep};
use crate::clients::entry::{self, Entry, Scope, Shape};
use crate::clients::insert::{self, NewServer};
use crate::clients::journal::Journal;
use crate::clients::propose::{self, Proposal, Request, Way};
use crate::clients::registry::{Client, Location, Reach, World};
use crate::clients::spans::Document;
use crate::clients::store::{self, FileProblem, Original};
use crate::clients::take_out;

/// What was done.
#[derive(Debug)]
pub(crate) struct Altered {
    /// The file.
    pub path: PathBuf,
    /// Whether it did not exist before.
    pub is_new: bool,
    /// Of a server that was taken out: where its entry is kept.
    pub kept: Option<PathBuf>,
}

/// The file into which this client's new servers go: the one that exists, else one that it would make itself.
///
/// # Errors
/// When there is none that may be written; in words.
pub(crate) fn home_of(client: &'static Client, world: World<'_>) -> Result<Location, String> {
    let fits = |location: &Location| {
        location.place.is_writable() && location.place.layouts.iter().any(|layout| !layout.at.contains(&"*"))
    };
    if let Some(location) = client.files(Reach::User, world).into_iter().find(fits) {
        return Ok(location);
    }
    let new = client.candidates(Reach::User, world).into_iter().find(|location| {
        let is_one = !location.path.as_os_str().as_encoded_bytes().contains(&b'*');
        fits(location) && is_one && location.path.parent().is_some_and(Path::is_dir)
    });
    let reported = client.files(Reach::User, world).first().map(|location| location.place.why);
    new.ok_or_else(|| match reported {
        Some(why) if !why.is_empty() => format!("its file is not written: {why}"),
        _ => "it has no config here, nor the directory in which it would keep one; start it once".to_owned(),
    })
}

/// The file before and after a server would be entered.
///
/// # Errors
/// Why it would not, in words.
pub(crate) fn preview(
    location: &Location,
    server: NewServer<'_>,
    launcher: &str,
) -> Result<(String, String), String> {
    let original = store::read(location).map_err(|problem| problem.to_string())?;
    let before = original.map(|original| original.bytes).unwrap_or_default();
    let after = proposed(location, &before, server, launcher)?.text;
    Ok((String::from_utf8_lossy(&before).into_owned(), after))
}

fn proposed(
    location: &Location,
    before: &[u8],
    server: NewServer<'_>,
    launcher: &str,
) -> Result<Proposal, String> {
    let whose = (location.client, location.place);
    let bare = insert::insert(whose, before, server)?;
    let way = Way::Wrap { launcher: launcher.to_owned() };
    let request = Request { way, server: Some(server.name.to_owned()) };
    let proposal = propose::propose(whose, bare.as_bytes(), &request, &|_| None)?;
    // Entries of projects may have the same name: they are not meant.
    let is_one = proposal.rows.len() == 1 && proposal.changed.len() == 1;
    if is_one { Ok(proposal) } else { Err(unwrapped(&proposal.rows, server.name)) }
}

/// Enters a server, under Stockade from the first moment on.
///
/// # Errors
/// Why it was not entered, in words; nothing has changed then.
pub(crate) fn add(
    location: &Location,
    server: NewServer<'_>,
    launcher: &str,
    journal: &Journal,
) -> Result<Altered, String> {
    for _ in 0..ATTEMPTS_MAX {
        let original = store::read(location).map_err(|problem| problem.to_string())?;
        let before = original.as_ref().map(|original| original.bytes.as_slice()).unwrap_or_default();
        let proposal = proposed(location, before, server, launcher)?;
        let path = original.as_ref().map_or(&location.path, |original| &original.path);
        keep(location, (path, before), &proposal, journal).map_err(|error| error.to_string())?;
        let written = match &original {
            Some(original) => store::replace(location, original, proposal.text.as_bytes()),
            None => store::create(location, proposal.text.as_bytes()),
        };
        match written {
            Ok(()) => return Ok(Altered { path: path.clone(), is_new: original.is_none(), kept: None }),
            Err(FileProblem::Changed) => {}
            Err(problem) => return Err(problem.to_string()),
        }
    }
    Err(FileProblem::Changed.to_string())
}

fn unwrapped(rows: &[propose::Row], name: &str) -> String {
    let why = rows.iter().find_map(|row| match &row.outcome {
        propose::Outcome::Failed(why) | propose::Outcome::Left(why) => Some(why.clone()),
        _ => None,
    });
    why.unwrap_or_else(|| format!("a project's entry is called `{name}`, too; choose another name"))
}

/// Takes a server out of the file. `None`: the file has none of that name that holds for `cwd`.
///
/// # Errors
/// Why it was not taken out, in words; nothing has changed then.
pub(crate) fn remove(
    location: &Location,
    name: &str,
    cwd: &Path,
    journal: &Journal,
) -> Result<Option<Altered>, String> {
    for _ in 0..ATTEMPTS_MAX {
        let Some(original) = store::read(location).map_err(|problem| problem.to_string())? else {
            return Ok(None);
        };
        let Some((text, entry_text, place)) = without(location, &original, name, cwd)? else {
            return Ok(None);
        };
        let kept = journal
            .keep_removed(&entry::id(location.client, name), &entry_text)
            .map_err(|error| format!("it was not changed: {error}"))?;
        match store::replace(location, &original, text.as_bytes()) {
            Ok(()) => {
                journal.forget(&original.path, &place);
                return Ok(Some(Altered { path: original.path, is_new: false, kept: Some(kept) }));
            }
            Err(FileProblem::Changed) => {}
            Err(problem) => return Err(problem.to_string()),
        }
    }
    Err(FileProblem::Changed.to_string())
}

type Without = (String, String, entry::Place);

fn without(
    location: &Location,
    original: &Original,
    name: &str,
    cwd: &Path,
) -> Result<Option<Without>, String> {
    let format = location.place.format.ok_or("it is no file with entries")?;
    let document =
        Document::parse(&original.bytes, format).map_err(|malformed| format!("malformed: {malformed}"))?;
    let entries = entry::entries(&document, location.place.layouts)?;
    let holds = |entry: &&Entry| {
        entry.place.name == name
            && match &entry.place.scope {
                Scope::User => true,
                Scope::Project(path) => cwd.starts_with(path),
            }
    };
    let mut named = entries.iter().filter(holds);
    let (Some(entry), other) = (named.next(), named.next()) else { return Ok(None) };
    if other.is_some() {
        let why = "more than one of its entries is called so (one may be a project's); take one out by hand";
        return Err(why.to_owned());
    }
    // Which of two counts is not defined, so which of them to take is not either.
    if let Shape::Odd(why) = &entry.shape
        && why.contains("twice")
    {
        return Err(why.clone());
    }
    let text = take_out::take_out(location.place, &document, entry)?;
    Ok(Some((text, document.raw(&entry.span).to_owned(), entry.place.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::registry::{Os, named};

    #[test]
    fn a_file_is_made_only_where_the_client_has_been() {
        let dir = tempfile::tempdir().unwrap();
        let env = std::collections::BTreeMap::new();
        let world = World { os: Os::Linux, home: dir.path(), env: &env, project: None };
        let cursor = named("cursor").unwrap();
        assert!(home_of(cursor, world).unwrap_err().contains("start it once"));
        std::fs::create_dir(dir.path().join(".cursor")).unwrap();
        assert_eq!(home_of(cursor, world).unwrap().path, dir.path().join(".cursor/mcp.json"));
        let auggie = named("auggie-cli").unwrap();
        std::fs::create_dir(dir.path().join(".augment")).unwrap();
        std::fs::write(dir.path().join(".augment/settings.json"), "{}").unwrap();
        assert!(home_of(auggie, world).unwrap_err().contains("not written"), "low confidence");
    }
}
