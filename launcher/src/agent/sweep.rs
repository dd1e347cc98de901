//! One look at all files: what changed since the last one is wrapped.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use stockade_policy::document::policy::ProjectFiles;

use super::rivals::Rivals;
use crate::clients::{
    self, CLIENTS, Client, Journal, Location, Mode, Outcome, Reach, Request, Row, Scope, Way, World,
};
use crate::host;

/// A file that could not be read or written is tried again so soon, then twice as late each time.
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A file that did not come out as it should.
#[derive(Clone, Copy, Debug)]
struct Retry {
    at: Instant,
    wait: Duration,
}

/// Where clients work, and what becomes of the files there.
#[derive(Clone, Debug, Default)]
pub(super) struct Projects {
    /// Their directories.
    pub directories: Vec<PathBuf>,
    /// What the policy says.
    pub way: ProjectFiles,
}

/// What is known of the files.
#[derive(Debug, Default)]
pub(super) struct Sweeper {
    seen: BTreeMap<PathBuf, Stamp>,
    retries: BTreeMap<PathBuf, Retry>,
    rivals: Rivals,
    said: BTreeMap<PathBuf, String>,
}

/// An entry that was wrapped.
#[derive(Clone, Debug)]
pub(super) struct Wrapped {
    /// Whose.
    pub client: &'static Client,
    /// In which file.
    pub file: PathBuf,
    /// Its key, with the project if it is one's.
    pub server: String,
    /// For how long it stood in the file bare: since the file was last written.
    pub bare_ms: u64,
}

/// What a look came to.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Did any file change, come or go?
    pub changed: bool,
    /// What was wrapped.
    pub wrapped: Vec<Wrapped>,
    /// Files that could not be, with the reason; each reason once.
    pub problems: Vec<(PathBuf, String)>,
    /// Files that are left to another program, and for how long.
    pub rivals: Vec<(PathBuf, Duration)>,
}

impl Sweeper {
    /// Looks at every file and wraps what is new; in those of projects, as it is said.
    pub(super) fn sweep(
        &mut self,
        (world, projects): (World<'_>, &Projects),
        launcher: &str,
        state_dir: &Path,
    ) -> Swept {
        let mut swept = Swept::default();
        let mut present = BTreeMap::new();
        for reach in [Reach::User, Reach::Plugin, Reach::Managed, Reach::Extension] {
            for location in CLIENTS.iter().flat_map(|client: &'static Client| client.files(reach, world)) {
                if let Some(stamp) = stamp(&location.path) {
                    present.entry(location.path.clone()).or_insert((stamp, location));
                }
            }
        }
        for project in &projects.directories {
            for location in clients::project_files(world.with_project(project)) {
                if let Some(stamp) = stamp(&location.path) {
                    present.entry(location.path.clone()).or_insert((stamp, location));
                }
            }
        }
        let gone: Vec<PathBuf> =
            self.seen.keys().filter(|path| !present.contains_key(*path)).cloned().collect();
        for path in gone {
            self.seen.remove(&path);
            self.retries.remove(&path);
            self.said.remove(&path);
            swept.changed = true;
        }
        for (path, (stamp, location)) in present {
            let is_due = self.retries.get(&path).is_some_and(|retry| retry.at <= Instant::now());
            if self.seen.get(&path) == Some(&stamp) && !is_due {
                continue;
            }
            swept.changed |= self.seen.insert(path.clone(), stamp) != Some(stamp);
            if location.place.reach == Reach::User && location.place.is_writable() {
                self.look((&location, None), (world, launcher), state_dir, &mut swept);
            }
        }
        // What is approved stands in the user's files, so any change may concern any project.
        if swept.changed && projects.way != ProjectFiles::Report {
            for project in &projects.directories {
                let world = world.with_project(project);
                for location in clients::project_files(world).iter().filter(|file| file.place.is_writable()) {
                    self.look((location, Some(projects.way)), (world, launcher), state_dir, &mut swept);
                }
            }
        }
        swept
    }

    /// When the next file is to be tried again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.retries.values().map(|retry| retry.at).min()
    }

    fn look(
        &mut self,
        (location, way): (&Location, Option<ProjectFiles>),
        (world, launcher): (World<'_>, &str),
        state_dir: &Path,
        swept: &mut Swept,
    ) {
        let path = &location.path;
        if let Some(until) = self.rivals.left_until(path, Instant::now()) {
            self.retries.insert(path.clone(), Retry { at: until, wait: RETRY });
            return;
        }
        let request = Request { way: Way::Keep { launcher: launcher.to_owned() }, server: None };
        let change = |mode: Mode, journal: &Journal| match way {
            None => clients::change(location, &request, mode, Some(journal)),
            Some(way) => {
                clients::change_project_file(location, (way, &request), (mode, Some(journal)), world)
            }
        };
        // First without the journal's lock: most changes of a client's file are none of its servers.
        let peek = Journal::peek(state_dir);
        let Some(shown) = change(Mode::Show, &peek) else { return };
        if shown.problem.is_none() && shown.changed() == 0 {
            self.retries.remove(path);
            self.said.remove(path);
            return;
        }
        let written = written_ms_ago(path);
        let report = match Journal::open(state_dir) {
            Ok(journal) => change(Mode::Write, &journal),
            Err(error) => {
                self.again(path, &error.to_string(), swept);
                return;
            }
        };
        let Some(report) = report else { return };
        if let Some(problem) = &report.problem {
            self.again(path, problem, swept);
            return;
        }
        self.retries.remove(path);
        self.said.remove(path);
        // Our own version is looked at like any other: another program may have been as quick.
        swept.changed = true;
        let is_new = |row: &&Row| matches!(row.outcome, Outcome::Wrapped | Outcome::Shadowed);
        for row in report.rows.iter().filter(is_new) {
            let server = match &row.place.scope {
                Scope::User => row.place.name.clone(),
                Scope::Project(project) => format!("{} [{project}]", row.place.name),
            };
            if let Some(peace) = self.rivals.wrapped(path, &server, Instant::now()) {
                swept.rivals.push((path.clone(), peace));
            }
            swept.wrapped.push(Wrapped {
                client: location.client,
                file: path.clone(),
                server,
                bare_ms: written,
            });
        }
    }

    fn again(&mut self, path: &Path, problem: &str, swept: &mut Swept) {
        let wait = self.retries.get(path).map_or(RETRY, |retry| (retry.wait * 2).min(RETRY_MAX));
        self.retries.insert(path.to_owned(), Retry { at: Instant::now() + wait, wait });
        // A file may be half written: only what lasts is said.
        let lasts = wait > RETRY * 2;
        if lasts && self.said.get(path).is_none_or(|said| said != problem) {
            self.said.insert(path.to_owned(), problem.to_owned());
            swept.problems.push((path.to_owned(), problem.to_owned()));
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let facts = std::fs::metadata(path).ok()?;
    Some(Stamp {
        inode: (facts.dev(), facts.ino()),
        size: facts.size(),
        modified: (facts.mtime(), facts.mtime_nsec()),
        changed: (facts.ctime(), facts.ctime_nsec()),
    })
}

fn written_ms_ago(path: &Path) -> u64 {
    let written = std::fs::metadata(path).and_then(|facts| facts.modified());
    let age = written.ok().and_then(|written| SystemTime::from(host::now()).duration_since(written).ok());
    age.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}
