//! What of a user's servers is under Stockade and what is not, and why: read from the configs and the journal, nothing is changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// A project's entry: one of the same name, which starts it through Stockade, goes before it.
    Shadowed,
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
    /// Other entries with the very same command line: `CLIENT/NAME`, with the project if it is one's.
    pub also: Vec<String>,
}

impl Standing {
    /// Whether its client starts it through Stockade.
    pub(crate) fn is_covered(&self) -> bool {
        matches!(self, Self::Wrapped | Self::Shadowed)
    }
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

impl Server {
    /// `CLIENT/NAME`, with its project or file if it is not the user's own.
    pub(crate) fn label(&self, location: &Location) -> String {
        let id = entry::id(location.client, &self.name);
        match (&self.scope, location.place.reach) {
            (Scope::Project(path), _) => format!("{id} [{path}]"),
            (Scope::User, Reach::User) => id,
            (Scope::User, _) => format!("{id} [{}]", location.path.display()),
        }
    }
}

impl Ledger {
    /// Whether anything that is named here starts without Stockade, as far as is known.
    pub(crate) fn is_uncovered(&self) -> bool {
        self.problem.is_some() || self.servers.iter().any(|server| !server.standing.is_covered())
    }
}

/// Every client's files on this machine, those of the user first, with those of the world's project if it has one.
pub(crate) fn ledgers(world: World<'_>, journal: &Journal) -> Vec<Ledger> {
    let project = world.project.map(Path::to_owned);
    ledgers_in(world, project.as_slice(), journal)
}

/// The same, with the files of these projects.
pub(crate) fn ledgers_in(world: World<'_>, projects: &[PathBuf], journal: &Journal) -> Vec<Ledger> {
    let mut found: Vec<Ledger> = Vec::new();
    let mut add = |reach: Reach, world: World<'_>| {
        for location in CLIENTS.iter().flat_map(|client: &'static Client| client.files(reach, world)) {
            // One file may be read by several clients: it is told of once.
            if found.iter().all(|known| known.location.path != location.path) {
                found.extend(ledger(location, journal));
            }
        }
    };
    add(Reach::User, world);
    for project in projects {
        add(Reach::Project, world.with_project(project));
    }
    for reach in [Reach::Managed, Reach::Plugin, Reach::Extension] {
        add(reach, world);
    }
    shadowed(&mut found);
    join(&mut found);
    found
}

/// An entry of a project in the user's own file goes before the one in the project's.
fn shadowed(ledgers: &mut [Ledger]) {
    let users = ledgers.iter().filter(|ledger| ledger.location.place.reach == Reach::User);
    let wrapped = users.flat_map(|ledger| {
        let wrapped = ledger.servers.iter().filter(|server| server.standing == Standing::Wrapped);
        wrapped.filter_map(|server| match &server.scope {
            Scope::Project(path) => Some((ledger.location.client.id, path.clone(), server.name.clone())),
            Scope::User => None,
        })
    });
    let wrapped: Vec<(&str, String, String)> = wrapped.collect();
    for ledger in ledgers.iter_mut().filter(|ledger| ledger.location.place.reach == Reach::Project) {
        let (client, root) = (ledger.location.client.id, ledger.location.root.display().to_string());
        for server in ledger.servers.iter_mut().filter(|server| !server.standing.is_covered()) {
            if wrapped.iter().any(|(id, project, name)| (*id, project, name) == (client, &root, &server.name))
            {
                server.standing = Standing::Shadowed;
            }
        }
    }
}

/// Tells each server where else the very same command line stands.
fn join(ledgers: &mut [Ledger]) {
    let mut by_words: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for ledger in ledgers.iter() {
        // A shadow and what it goes before are one.
        let stands = |server: &&Server| !server.words.is_empty() && server.standing != Standing::Shadowed;
        for server in ledger.servers.iter().filter(stands) {
            by_words.entry(server.words.clone()).or_default().push(server.label(&ledger.location));
        }
    }
    for ledger in ledgers.iter_mut() {
        for server in ledger.servers.iter_mut().filter(|server| server.standing != Standing::Shadowed) {
            let own = server.label(&ledger.location);
            let all = by_words.get(&server.words).into_iter().flatten();
            server.also = all.filter(|other| **other != own).cloned().collect();
        }
    }
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
    Server { name: place.name, scope: place.scope, standing, words, also: Vec::new() }
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
        (Shape::Bare(_), Reach::Project) => not(
            "a project's file, which is not edited: `[defaults] project_files` of a policy says otherwise",
        ),
        (Shape::Bare(_), Reach::Managed) => not("the administrator's file"),
        (Shape::Bare(_), Reach::Plugin) => not("part of a plugin"),
        (Shape::Bare(_), Reach::Extension) => not("part of an extension"),
    }
}

#[cfg(test)]
mod tests;
