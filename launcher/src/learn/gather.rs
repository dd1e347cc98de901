//! From what was heard and recorded in one session to its evidence: links resolved, what every server has left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use nix::unistd::{AccessFlags, eaccess};
use stockade_policy::detect::Engine;
use stockade_sandbox::{Access, Backend};

use super::calls::{Calls, words};
use super::evidence::{Became, Evidence, FileSeen, HostSeen, RefusedSeen, Sighting, VERSION, Way, What};
use super::programs;
use super::witness::{Seen, Sight, Witness};
use crate::denials::{Entry, Fence, Outcome, Remedy, Tried, merged};
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::plan::{ClosedPlaces, Plan};
use crate::telemetry::{Reader, StoredEvent};

/// Files of one directory that are kept one by one.
const FILES_OF_ONE_MAX: usize = 48;
/// Files kept of one session; the first ones.
const FILES_MAX: usize = 4_000;
/// Hosts and refusals kept.
const OTHERS_MAX: usize = 500;

/// A session that has ended.
#[derive(Debug)]
pub struct Finished<'s> {
    /// Its id.
    pub session: &'s str,
    /// When it began.
    pub began: Timestamp,
    /// What carried its jail.
    pub backend: Backend,
    /// The plan that was carried out.
    pub plan: &'s Plan,
    /// The plan of a server that was granted nothing: what it allows needs no evidence.
    pub least: &'s Plan,
    /// Whether somebody heard what was opened.
    pub files_seen: bool,
    /// Variables given by flag.
    pub given: Vec<String>,
    /// The detectors: names that hold secrets are not kept.
    pub engine: &'s Engine,
}

/// The evidence of a session.
///
/// # Errors
/// When its events cannot be read.
pub fn gather(
    finished: &Finished<'_>,
    witness: &Witness,
    facts: &Facts,
    closed: &ClosedPlaces,
) -> Result<Evidence, Failure> {
    let events = Reader::of_session(&facts.state_dir, finished.session).poll().map_err(|error| {
        Failure::new(Kind::Software, "cannot read what happened in this session").because(&error)
    })?;
    let mut evidence = Evidence {
        version: VERSION,
        began: finished.began.to_string(),
        backend: finished.backend.word().to_owned(),
        identities: finished.plan.identities.clone(),
        files_seen: finished.files_seen,
        given: finished.given.clone(),
        ..Evidence::default()
    };
    let calls = Calls::of(&events);
    Files::of(finished, &calls).gather(witness.take(), &mut evidence);
    hosts(&events, &mut evidence);
    refused(&events, closed, &mut evidence);
    Ok(evidence)
}

/// Key of a file: what is the same in another opening of it.
type Key = (PathBuf, Way, What, Became);

struct Files<'s> {
    finished: &'s Finished<'s>,
    calls: &'s Calls,
    wide: Fence,
    least: Fence,
    /// Directory of the server's own files.
    own: Option<PathBuf>,
    began: SystemTime,
    found: BTreeMap<Key, (Timestamp, Sighting)>,
    hidden: u64,
    gone: u64,
}

impl<'s> Files<'s> {
    fn of(finished: &'s Finished<'s>, calls: &'s Calls) -> Self {
        let own = finished.plan.private_dirs.first().and_then(|state| state.parent()).map(Path::to_owned);
        Self {
            finished,
            calls,
            wide: Fence::new(finished.plan.ruleset.files.clone(), finished.backend),
            // What is to be granted is the same in every backend.
            least: Fence::new(finished.least.ruleset.files.clone(), Backend::Namespaces),
            own,
            began: finished.began.into(),
            found: BTreeMap::new(),
            hidden: 0,
            gone: 0,
        }
    }

    fn gather(mut self, seen: Seen, evidence: &mut Evidence) {
        evidence.lost = seen.lost;
        let mut unreadable: Vec<String> = Vec::new();
        for (path, access, sight) in &seen.files {
            self.file(path, *access, sight);
            if *access == Access::ReadExecute && programs::is_unreadable(path) {
                unreadable.push(programs::name(path));
            }
        }
        for (path, access, sight) in &seen.crowded {
            self.crowd(path, *access, sight);
        }
        unreadable.sort();
        unreadable.dedup();
        evidence.unreadable = unreadable;
        (evidence.hidden, evidence.gone) = (self.hidden, self.gone);
        let mut files: Vec<(Timestamp, FileSeen)> = folded(self.found)
            .into_iter()
            .map(|((path, way, what, became), (first, sight))| {
                (first, FileSeen { path: path.to_string_lossy().into_owned(), way, what, became, sight })
            })
            .collect();
        files.sort_by_key(|(first, _)| *first);
        evidence.lost += files.len().saturating_sub(FILES_MAX) as u64;
        evidence.files = files.into_iter().take(FILES_MAX).map(|(_, file)| file).collect();
    }

    fn file(&mut self, path: &Path, access: Access, sight: &Sight) {
        if self.is_its_own(path) || path.starts_with("/proc") {
            return;
        }
        let Some((real, what)) = self.meant(path, access, sight) else { return };
        if access == Access::ReadExecute {
            for interpreter in programs::interpreters(&real) {
                if let Ok(real) = std::fs::canonicalize(interpreter) {
                    self.add(real, access, What::File, sight);
                }
            }
        }
        self.add(real, access, what, sight);
    }

    fn crowd(&mut self, path: &Path, access: Access, sight: &Sight) {
        if self.is_its_own(path) || path.starts_with("/proc") {
            return;
        }
        match std::fs::canonicalize(path) {
            Ok(real) => self.add(real, access, What::Crowd, sight),
            Err(_) => self.gone += sight.times,
        }
    }

    /// Its private directories, also where the jail shows them as /tmp: what nobody has there outside is its own.
    fn is_its_own(&self, path: &Path) -> bool {
        let shown_instead = || {
            self.wide.scratch(path).is_some()
                && self.wide.judge(path, Access::Read) != Outcome::Passes
                && std::fs::symlink_metadata(path).is_err()
        };
        self.own.as_ref().is_some_and(|own| path.starts_with(own)) || shown_instead()
    }

    /// What a path led to, asked now: links may have changed since, so that nothing but the place where they lead *now* is
    /// ever proposed, by its own name.
    fn meant(&mut self, path: &Path, access: Access, sight: &Sight) -> Option<(PathBuf, What)> {
        if let Ok(real) = std::fs::canonicalize(path) {
            let facts = std::fs::metadata(&real).ok()?;
            if facts.is_dir() {
                return Some((real, What::Directory));
            }
            // Where nobody can tell, it is taken for new: a grant of a file that is not there yet would be none.
            let is_new = access == Access::ReadWrite && facts.created().map_or(true, |at| at >= self.began);
            let inside = real.parent().filter(|_| is_new).map(Path::to_owned);
            return Some(inside.map_or((real, What::File), |dir| (dir, What::Inside)));
        }
        if access == Access::ReadWrite {
            let parent = path.ancestors().skip(1).find_map(|dir| std::fs::canonicalize(dir).ok())?;
            return parent.is_dir().then_some((parent, What::Inside));
        }
        // Programs look for many files that are not there.
        self.gone += if sight.existed { sight.times } else { 0 };
        None
    }

    fn add(&mut self, path: PathBuf, access: Access, what: What, sight: &Sight) {
        let way = match access {
            Access::Read => Way::Read,
            Access::ReadWrite => Way::Write,
            Access::ReadExecute => Way::Exec,
        };
        if self.least.judge(&path, access) == Outcome::Passes {
            return;
        }
        let became = match self.wide.judge(&path, access) {
            Outcome::Passes => Became::Allowed,
            Outcome::Refused(_) => Became::Refused,
            Outcome::Unknown => return,
        };
        if !permits(&path, access) {
            return;
        }
        if self.finished.engine.mask(&path.to_string_lossy()) != path.to_string_lossy() {
            self.hidden += sight.times;
            return;
        }
        let own = Sighting {
            times: sight.times,
            by: sight.by.iter().map(|program| programs::name(program)).collect(),
            during: self.calls.during(sight.first),
        };
        match self.found.get_mut(&(path.clone(), way, what, became)) {
            Some((first, known)) => {
                known.add(&own);
                *first = (*first).min(sight.first);
            }
            None => {
                self.found.insert((path, way, what, became), (sight.first, own));
            }
        }
    }
}

/// Whether we ourselves may do this: what the user may not do, no grant allows.
fn permits(path: &Path, access: Access) -> bool {
    let wanted = match access {
        Access::Read => AccessFlags::R_OK,
        Access::ReadExecute => AccessFlags::X_OK,
        Access::ReadWrite => AccessFlags::W_OK,
    };
    eaccess(path, wanted).is_ok()
}

/// Many files of one directory as one crowd.
fn folded(found: BTreeMap<Key, (Timestamp, Sighting)>) -> BTreeMap<Key, (Timestamp, Sighting)> {
    let dir = |(path, way, what, became): &Key| match what {
        What::File => path.parent().map(|dir| (dir.to_owned(), *way, *became)),
        _ => None,
    };
    let mut counts: BTreeMap<(PathBuf, Way, Became), usize> = BTreeMap::new();
    for key in found.keys().filter_map(dir) {
        *counts.entry(key).or_default() += 1;
    }
    let mut folded: BTreeMap<Key, (Timestamp, Sighting)> = BTreeMap::new();
    for (key, (first, sight)) in found {
        let crowd = dir(&key).filter(|dir| counts.get(dir).is_some_and(|count| *count > FILES_OF_ONE_MAX));
        let key = crowd.map_or(key, |(dir, way, became)| (dir, way, What::Crowd, became));
        match folded.get_mut(&key) {
            Some((known, sighting)) => {
                *known = (*known).min(first);
                sighting.add(&sight);
            }
            None => {
                folded.insert(key, (first, sight));
            }
        }
    }
    folded
}

/// The destinations, from the broker's events. Names are masked there; a masked one is no destination any more.
fn hosts(events: &[StoredEvent], evidence: &mut Evidence) {
    for event in events {
        let refused = match event.value["kind"].as_str() {
            Some("net.connect") => false,
            Some("net.refused" | "net.dns_refused") => true,
            _ => continue,
        };
        let what = &event.value["what"];
        let (host, port, class) = if refused {
            let (host, port) = host_and_port(event.what("what"));
            let class = if event.what("fragment").contains("addresses")
                || event.what("why").contains("no connection can go")
            {
                "not public".to_owned()
            } else {
                class_of(&host).to_owned()
            };
            (host, port, class)
        } else {
            let port = what["port"].as_u64().and_then(|port| u16::try_from(port).ok());
            (event.what("host").to_owned(), port, event.what("class").to_owned())
        };
        let again = what["suppressed"].as_u64().unwrap_or(0);
        let call = &what["during"]["calls"][0];
        let during = match (call["method"].as_str(), call["item"].as_str()) {
            (Some(method), item) => words(method, item.unwrap_or("")),
            (None, _) => String::new(),
        };
        let by = what["program"].as_str().map(|program| programs::name(Path::new(program)));
        let sight = Sighting { times: 1 + again, by: by.into_iter().collect(), during };
        let became = if refused { Became::Refused } else { Became::Allowed };
        let room = evidence.hosts.len() < OTHERS_MAX;
        let same = |known: &&mut HostSeen| known.host == host && known.port == port && known.became == became;
        match evidence.hosts.iter_mut().find(same) {
            Some(known) => known.sight.add(&sight),
            None if room => evidence.hosts.push(HostSeen { host, port, class, became, sight }),
            None => evidence.lost += 1,
        }
    }
}

/// `api.example.org:443`, `[::1]:80`, or a name alone.
fn host_and_port(what: &str) -> (String, Option<u16>) {
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match what.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && (!host.contains(':') || host.starts_with('[')) => {
            match port.parse() {
                Ok(port) => (bare(host), Some(port)),
                Err(_) => (what.to_owned(), None),
            }
        }
        _ => (what.to_owned(), None),
    }
}

/// What an address is; a name that was refused without a word about its addresses would lead to public ones.
fn class_of(host: &str) -> &'static str {
    use stockade_policy::egress::Judge;
    let Ok(address) = host.parse() else { return "public" };
    let classes = Judge::new(Vec::new(), Vec::new(), None).classes(address);
    classes.last().map_or("not public", |class| class.word())
}

/// What else was refused: none of it is opened for learning.
fn refused(events: &[StoredEvent], closed: &ClosedPlaces, evidence: &mut Evidence) {
    let of_jail = |entry: &Entry| !matches!(entry.tried, Tried::File { .. } | Tried::Network { .. });
    for entry in merged(events.iter().filter_map(|event| Entry::of_stored(event, closed)).filter(of_jail)) {
        if evidence.refused.len() >= OTHERS_MAX {
            evidence.lost += 1;
            continue;
        }
        let (fragment, instead) = match &entry.remedy {
            Remedy::Grant(grant) => (Some(grant.fragment(entry.program.as_deref(), closed)), None),
            Remedy::None(why) => (None, Some(why.clone())),
        };
        let words = entry.tried.words();
        evidence.refused.push(RefusedSeen { words, fragment, instead, times: entry.count });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_as_refusals_write_them() {
        assert_eq!(host_and_port("a.example:443"), ("a.example".to_owned(), Some(443)));
        assert_eq!(host_and_port("[::1]:80"), ("::1".to_owned(), Some(80)));
        assert_eq!(host_and_port("a.example"), ("a.example".to_owned(), None));
        assert_eq!(host_and_port("::1"), ("::1".to_owned(), None));
        assert_eq!(
            (class_of("10.0.0.1"), class_of("1.1.1.1"), class_of("a.example")),
            ("private", "public", "public")
        );
    }

    #[test]
    fn more_files_than_can_be_told_apart_are_a_crowd_of_their_directory() {
        let now = Timestamp::UNIX_EPOCH;
        let key = |path: String| (PathBuf::from(path), Way::Read, What::File, Became::Allowed);
        let sight = Sighting { times: 1, ..Sighting::default() };
        let mut found: BTreeMap<Key, _> =
            (0..FILES_OF_ONE_MAX + 1).map(|n| (key(format!("/a/{n}")), (now, sight.clone()))).collect();
        found.insert(key("/b/1".to_owned()), (now, sight));
        let folded: Vec<_> = folded(found).into_iter().collect();
        let (path, _, what, _) = &folded[0].0;
        assert_eq!((path.as_path(), *what, folded[0].1.1.times), (Path::new("/a"), What::Crowd, 49));
        assert_eq!(folded.len(), 2);
    }
}
