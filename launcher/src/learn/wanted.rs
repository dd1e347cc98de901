//! PURE but for looking whether the user may: which grants the evidence of all runs asks for beyond a base, and what of it
//! is only told: sensitive places, private addresses, what stayed refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use stockade_policy::document::profile::{NetGrant, Profile};
use stockade_policy::egress::Judge;
use stockade_sandbox::{Access, Backend};

use super::evidence::{Became, Evidence, FileSeen, HostSeen, Sighting, Way, What};
use super::fold;
use super::names::Names;
use crate::denials::{Fence, FileKind, Outcome, objection_to_file};
use crate::plan::{ClosedPlaces, Plan};

/// The lists of a profile that are learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum List {
    /// `[fs] read`
    Read,
    /// `[fs] write`
    Write,
    /// `[fs] exec`
    Exec,
    /// `[net] allow`
    Hosts,
    /// `[env] pass`
    Pass,
}

impl List {
    /// Table and key.
    pub(super) fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("fs", "read"),
            Self::Write => ("fs", "write"),
            Self::Exec => ("fs", "exec"),
            Self::Hosts => ("net", "allow"),
            Self::Pass => ("env", "pass"),
        }
    }

    fn of(way: Way) -> Self {
        match way {
            Way::Read => Self::Read,
            Way::Write => Self::Write,
            Way::Exec => Self::Exec,
        }
    }
}

/// What one grant is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Object {
    /// A path as a profile writes it.
    Path(String),
    /// Host, port, and the classes of addresses beyond public ones.
    Host(String, u16, Option<String>),
    /// A variable.
    Variable(String),
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) list: List,
    pub(super) object: Object,
    /// The evidence.
    pub(super) reason: String,
}

/// Something that is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Aside {
    /// The line that would grant it; `None` where no profile can or should.
    pub(super) line: Option<Line>,
    /// What was tried.
    pub(super) what: String,
    /// Why it is not granted.
    pub(super) why: String,
}

/// What the evidence asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Grants, in the order of their lists.
    pub(super) lines: Vec<Line>,
    /// What a person has to decide about.
    pub(super) asides: Vec<Aside>,
}

/// What is needed to judge.
#[derive(Debug)]
pub(super) struct Bench<'b> {
    pub(super) names: &'b Names,
    pub(super) places: &'b ClosedPlaces,
    /// What is granted already, and its plan.
    pub(super) base: &'b Profile,
    pub(super) plan: &'b Plan,
}

/// In how many runs something was seen, and all sightings together.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) sight: Sighting,
    pub(super) runs: BTreeSet<usize>,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.sight.add(&other.sight);
        self.runs.extend(&other.runs);
    }

    /// `read 3 times by node in 2 runs, first during tools/call read`
    pub(super) fn words(&self, verb: &str) -> String {
        let times = match self.sight.times {
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        let by = match self.sight.by.is_empty() {
            true => String::new(),
            false => format!(" by {}", self.sight.by.join(", ")),
        };
        let runs =
            if self.runs.len() == 1 { "1 run".to_owned() } else { format!("{} runs", self.runs.len()) };
        let first = match self.sight.during.is_empty() {
            true => "first outside of any call".to_owned(),
            false => format!("first during {}", self.sight.during),
        };
        format!("{verb} {times}{by} in {runs}, {first}")
    }
}

/// What is proposed of a path, before it is folded.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Everything below it is meant.
    pub(super) directory: bool,
    /// `read`, `listed` …
    pub(super) verb: &'static str,
    pub(super) tally: Tally,
}

/// Paths of one list.
pub(super) type Candidates = BTreeMap<PathBuf, Candidate>;

/// All runs held against the base.
pub(super) fn wanted(runs: &[Evidence], bench: &Bench<'_>) -> Wanted {
    let mut wanted = Wanted::default();
    files(runs, bench, &mut wanted);
    hosts(runs, bench, &mut wanted);
    let given: BTreeSet<&String> = runs.iter().flat_map(|run| &run.given).collect();
    for name in given {
        if !bench.base.env_pass.iter().any(|known| known == name) {
            let reason = "given with --env".to_owned();
            wanted.lines.push(Line { list: List::Pass, object: Object::Variable(name.clone()), reason });
        }
    }
    wanted
}

fn access(way: Way) -> Access {
    match way {
        Way::Read => Access::Read,
        Way::Write => Access::ReadWrite,
        Way::Exec => Access::ReadExecute,
    }
}

fn verb(way: Way, what: What) -> &'static str {
    match (way, what) {
        (Way::Read, What::Directory) => "listed",
        (Way::Read, What::Crowd) => "many files in it: read",
        (Way::Read, _) => "read",
        (Way::Write, What::Inside) => "files created in it",
        (Way::Write, What::Crowd) => "many files in it: written",
        (Way::Write, _) => "written",
        (Way::Exec, What::Crowd) => "many files in it: executed",
        (Way::Exec, _) => "executed",
    }
}

fn files(runs: &[Evidence], bench: &Bench<'_>, wanted: &mut Wanted) {
    let fence = Fence::new(bench.plan.ruleset.files.clone(), Backend::Namespaces);
    let mut lists: BTreeMap<List, Candidates> = BTreeMap::new();
    for ((path, way, what), (became, tally)) in merged(runs) {
        let path = Path::new(&path);
        if fence.judge(path, access(way)) == Outcome::Passes {
            continue;
        }
        let told = verb(way, what);
        let said = if became == Became::Refused { "tried" } else { told };
        let line = |text: String| Line {
            list: List::of(way),
            object: Object::Path(text),
            reason: tally.words(said),
        };
        let shown = format!("{told}: {}", path.display());
        let Some(text) = bench.names.text(path) else {
            let why = "its name cannot be written in a profile: grant its directory".to_owned();
            wanted.asides.push(Aside { line: None, what: shown, why });
            continue;
        };
        if let Some(why) = bench.objection(path, way, what) {
            let line = bench.may_be_opened(path).then(|| line(text));
            wanted.asides.push(Aside { line, what: shown, why });
            continue;
        }
        if became == Became::Refused {
            let why = match way {
                Way::Exec => {
                    "it was not executed while learning: what a server may write is never executed, and outside of the \
                     home directory nothing is opened by itself"
                }
                Way::Read | Way::Write => {
                    "it was refused while learning, so that nobody saw what follows from it; --grant-read or --grant-write \
                     opens it for the next run"
                }
            };
            let why = why.to_owned();
            wanted.asides.push(Aside { line: Some(line(text)), what: shown, why });
            continue;
        }
        let (path, directory) = match repository(path).filter(|_| way != Way::Exec) {
            Some(repository) => (repository, true),
            None => (path, what != What::File),
        };
        let candidate = Candidate { directory, verb: told, tally };
        match lists.entry(List::of(way)).or_default().entry(path.to_owned()) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(candidate);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.directory |= candidate.directory;
                known.tally.add(&candidate.tally);
            }
        }
    }
    fold::fold(&mut lists, bench);
    for (list, candidates) in lists {
        for (path, candidate) in candidates {
            // What has a name as a file has one as a directory.
            let Some(text) = bench.names.text(&path) else { continue };
            let reason = candidate.tally.words(candidate.verb);
            wanted.lines.push(Line { list, object: Object::Path(text), reason });
        }
    }
}

/// The `.git` that a path lies in: git looks for its parts by stat(2), which nobody sees, and is lost without any of them.
fn repository(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|dir| dir.file_name().is_some_and(|name| name == ".git"))
}

/// What was seen in several runs, once. What any run allowed was allowed.
fn merged(runs: &[Evidence]) -> BTreeMap<(String, Way, What), (Became, Tally)> {
    let mut all: BTreeMap<(String, Way, What), (Became, Tally)> = BTreeMap::new();
    for (n, run) in runs.iter().enumerate() {
        for FileSeen { path, way, what, became, sight } in &run.files {
            let tally = Tally { sight: sight.clone(), runs: BTreeSet::from([n]) };
            match all.get_mut(&(path.clone(), *way, *what)) {
                Some((known, sum)) => {
                    *known = (*known).min(*became);
                    sum.add(&tally);
                }
                None => {
                    all.insert((path.clone(), *way, *what), (*became, tally));
                }
            }
        }
    }
    all
}

impl Bench<'_> {
    /// Why a path is not granted without being asked about; `None` if it may be proposed.
    pub(super) fn objection(&self, path: &Path, way: Way, what: What) -> Option<String> {
        // What a variable stands for is meant, however wide it is. What is sensitive in it stays so.
        let kind = match what {
            What::File => FileKind::File,
            What::Directory | What::Inside | What::Crowd if self.names.is_meant(path) => FileKind::File,
            What::Directory | What::Inside | What::Crowd => FileKind::Directory,
        };
        objection_to_file(path, access(way), kind, None, self.places)
    }

    /// Stockade's own files, and what belongs to the kernel, are opened by no profile.
    fn may_be_opened(&self, path: &Path) -> bool {
        let at_home = path.starts_with(self.names.home());
        let own = !at_home && self.places.sensitive.iter().any(|place| path.starts_with(place));
        let stockades = path.components().any(|part| part.as_os_str() == "stockade");
        let wide = self.names.home().starts_with(path) || path.components().count() < 3;
        let kernels = ["/proc", "/dev", "/sys"].iter().any(|dir| path.starts_with(dir));
        !(own || stockades || wide || kernels)
    }
}

fn hosts(runs: &[Evidence], bench: &Bench<'_>, wanted: &mut Wanted) {
    let mut all: BTreeMap<(String, Option<u16>), (Became, String, Tally)> = BTreeMap::new();
    for (n, run) in runs.iter().enumerate() {
        for HostSeen { host, port, class, became, sight } in &run.hosts {
            let tally = Tally { sight: sight.clone(), runs: BTreeSet::from([n]) };
            match all.get_mut(&(host.clone(), *port)) {
                Some((known, _, sum)) => {
                    *known = (*known).min(*became);
                    sum.add(&tally);
                }
                None => {
                    all.insert((host.clone(), *port), (*became, class.clone(), tally));
                }
            }
        }
    }
    for ((host, port), (became, class, tally)) in all {
        let shown = port.map_or_else(|| host.clone(), |port| format!("{host} port {port}"));
        let told = |why: &str| Aside { line: None, what: format!("connect to {shown}"), why: why.to_owned() };
        let (Some(port), Some(grant)) = (port, port.and_then(|port| grant(&host, port))) else {
            wanted.asides.push(told("it was refused, and no port of it is known"));
            continue;
        };
        let beyond = (class != "public").then(|| class.clone());
        let object = Object::Host(grant.host.to_string(), port, beyond.clone());
        let line = Line { list: List::Hosts, object, reason: tally.words("connected") };
        let is_class = beyond.as_deref().is_none_or(|class| class != "not public");
        match became {
            Became::Allowed if allows(bench.base, &grant) => {}
            Became::Allowed => wanted.lines.push(line),
            Became::Refused if class == "public" => {
                let why = "its port is not among those that are open while learning: it is in the next run";
                wanted.asides.push(Aside { line: Some(line), ..told(why) });
            }
            Became::Refused => {
                let why = "it leads to this machine, its network or a cloud's metadata, and such addresses stay closed \
                           while learning";
                wanted.asides.push(Aside {
                    line: Some(line).filter(|_| is_class && class != "metadata"),
                    ..told(why)
                });
            }
        }
    }
}

/// A host as a profile names it; `None` if it cannot: a name that holds a secret is masked.
fn grant(host: &str, port: u16) -> Option<NetGrant> {
    let text = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    NetGrant::named(&text, "").ok()
}

/// Whether a profile lets a server connect there: a name is taken to lead to a public address.
fn allows(profile: &Profile, wanted: &NetGrant) -> bool {
    use std::net::{IpAddr, Ipv4Addr};
    const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));
    let mut judge = Judge::new(profile.net_allow.to_vec(), Vec::new(), None);
    match wanted.host.parse::<IpAddr>() {
        Ok(address) => judge.connection((address, wanted.port).into()).is_ok(),
        Err(_) => {
            let told = judge.resolved(&wanted.host, &[PUBLIC]).unwrap_or_else(|_| Vec::new());
            told.iter().any(|told| judge.connection((*told, wanted.port).into()).is_ok())
        }
    }
}
