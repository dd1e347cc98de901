//! What of a user's servers is under Stockade and what is not, and why: read from the configs and the journal, nothing is changed.

use std::path::Path;

use crate::clients::entry::{self, Entry, Place, Scope, Shape};
use crate::clients::journal::Journal;
use crate::clients::registry::{CLIENTS, Client, Location, Reach, World};
use crate::clients::spans::Document;
use crate::clients::store;

/// How one server stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its entry starts it through Stockade.
    Wrapped,
    /// It is not, and why.
    NotCovered(String),
    /// It was wrapped, and is not any more.
    Drift,
}

/// A server of a client.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Its key in the file.
    pub name: String,
    /// For whom the entry holds.
    pub scope: Scope,
    /// How it stands.
    pub standing: Standing,
    /// Its own command line, if it has one.
    pub words: Vec<String>,
}

/// A file of a client. Places that are no files (databases, code) are not told of.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    /// Which.
    pub location: Location,
    /// Its servers.
    pub servers: Vec<Server>,
    /// Why its servers are not known.
    pub problem: Option<String>,
}

impl Ledger {
    /// Whether anything that is named here starts without Stockade, as far as is known.
    pub(crate) fn is_uncovered(&self) -> bool {
        self.problem.is_some() || self.servers.iter().any(|server| server.standing != Standing::Wrapped)
    }
}

/// Every client's files on this machine, those of the user first.
pub(crate) fn ledgers(world: World<'_>, journal: &Journal) -> Vec<Ledger> {
    let mut found: Vec<Ledger> = Vec::new();
    for reach in [Reach::User, Reach::Project, Reach::Managed, Reach::Plugin, Reach::Extension] {
        for location in CLIENTS.iter().flat_map(|client: &'static Client| client.files(reach, world)) {
            // One file may be read by several clients: it is told of once.
            if found.iter().all(|known| known.location.path != location.path) {
                found.extend(ledger(location, journal));
            }
        }
    }
    found
}

/// `None` if it is gone, or names no servers.
fn ledger(location: Location, journal: &Journal) -> Option<Ledger> {
    let problem =
        |location: Location, why: String| Some(Ledger { location, servers: Vec::new(), problem: Some(why) });
    let original = match store::read(&location) {
        Ok(original) => original?,
        Err(error) => return problem(location, error.to_string()),
    };
    let Some(format) = location.place.format.filter(|_| location.place.is_readable()) else {
        let why = unreadable(&location);
        return problem(location, why);
    };
    let entries = Document::parse(&original.bytes, format)
        .map_err(|malformed| format!("malformed: {malformed}"))
        .and_then(|document| entry::entries(&document, location.place.layouts));
    let entries = match entries {
        Ok(entries) => entries,
        Err(why) => return problem(location, why),
    };
    let servers: Vec<Server> =
        entries.into_iter().map(|entry| server(&location, entry, journal, &original.path)).collect();
    (!servers.is_empty()).then_some(Ledger { location, servers, problem: None })
}

fn unreadable(location: &Location) -> String {
    match location.place.why {
        "" => "its format is not read yet".to_owned(),
        why => why.to_owned(),
    }
}

fn server(location: &Location, entry: Entry, journal: &Journal, file: &Path) -> Server {
    let Entry { place, shape, .. } = entry;
    let standing = standing(location, &place, &shape, (journal, file));
    let words = match shape {
        Shape::Bare(launch) => launch.words().into_iter().map(str::to_owned).collect(),
        Shape::Wrapped(wrapped) => {
            let words = wrapped.launch.words().into_iter().map(str::to_owned);
            wrapped.inner.map_or_else(Vec::new, |inner| words.skip(1 + inner).collect())
        }
        Shape::Remote | Shape::Odd(_) => Vec::new(),
    };
    Server { name: place.name, scope: place.scope, standing, words }
}

fn standing(
    location: &Location,
    place: &Place,
    shape: &Shape,
    (journal, file): (&Journal, &Path),
) -> Standing {
    let not = |why: &str| Standing::NotCovered(why.to_owned());
    match (shape, location.place.reach) {
        (Shape::Wrapped(_), _) => Standing::Wrapped,
        (Shape::Remote, _) => not("remote server: not mediated yet"),
        (Shape::Odd(why), _) => Standing::NotCovered(format!("cannot be understood: {why}")),
        (Shape::Bare(_), Reach::User) if journal.find(file, place).is_some() => Standing::Drift,
        (Shape::Bare(_), Reach::User) if journal.taken_back(file, place).is_some() => {
            not("unwrapped by its user: `stockade wrap` wraps it again")
        }
        (Shape::Bare(_), Reach::User) if !location.place.is_writable() => {
            Standing::NotCovered(unreadable(location))
        }
        (Shape::Bare(_), Reach::User) => not("not wrapped: `stockade wrap` does"),
        (Shape::Bare(_), Reach::Project) => not("a project's file, which is not edited"),
        (Shape::Bare(_), Reach::Managed) => not("the administrator's file"),
        (Shape::Bare(_), Reach::Plugin) => not("part of a plugin"),
        (Shape::Bare(_), Reach::Extension) => not("part of an extension"),
    }
}

#[cfg(test)]
mod tests;
