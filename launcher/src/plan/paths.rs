//! Which paths are granted: private directories, the profile's, the flags'; and what stays closed inside of them.

use std::path::{Path, PathBuf};

use stockade_policy::document::profile::places::{is_env_file, obeyed_in_project};
use stockade_sandbox::{Access, PathRule};

use super::places::{self, ClosedPlaces, Search};
use super::tree::{EntryKind, Tree};
use crate::error::{Failure, Kind};
use crate::host::Facts;

/// Of a session's name, in the name of its temporary directory: 48 bits of chance, and a dash.
const SESSION_CHARS: usize = 13;

/// The server's own directories.
#[derive(Clone, Debug)]
pub(super) struct PrivateDirs {
    pub(super) state: PathBuf,
    pub(super) cache: PathBuf,
    pub(super) tmp: PathBuf,
}

impl PrivateDirs {
    pub(super) fn of(state_dir: &Path, key: &str, session: &str) -> Self {
        let own = state_dir.join("servers").join(key);
        // Not with the others, and its name cut short: unix(7) leaves 107 bytes for the path of a socket, and programs
        // make theirs in directories of their own in it (`pymp-…/listener-…` of Python's takes 32).
        let short = session.get(..SESSION_CHARS).unwrap_or(session);
        Self { state: own.join("state"), cache: own.join("cache"), tmp: state_dir.join("tmp").join(short) }
    }

    /// All that have to exist before the start.
    pub(super) fn all(&self) -> Vec<PathBuf> {
        let below = ["home", "config", "data", "state"].map(|name| self.state.join(name));
        let mut all = vec![self.state.clone(), self.cache.clone(), self.tmp.clone()];
        all.extend(below);
        all
    }
}

/// Who asks for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin<'o> {
    /// A profile. What its own words name, it may open; what only the variable at their start leads to, it may not.
    Profile {
        /// The value of that variable.
        base: Option<&'o Path>,
    },
    /// A flag.
    Flag(&'static str),
}

/// One granted path.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: PathBuf,
    pub(super) access: Access,
    pub(super) reason: String,
    /// What kind of grant it is.
    pub(super) scope: Scope,
    /// The directory that holds the first link on the way to it, if there was one.
    link: Option<PathBuf>,
}

/// What a grant is to the places that stay closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The server's own directory: nothing in it is closed.
    Private,
    /// A wider grant.
    Wide,
    /// It names a place that would be closed.
    Opens,
    /// It names a directory whose places cannot be told apart from it without a mount namespace (`.git`).
    OpensInside,
}

/// Everything granted, with links resolved and forbidden grants refused.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) asked: Vec<Asked>,
    pub(super) places: ClosedPlaces,
    /// Closed by the profile.
    pub(super) by_profile: Vec<PathBuf>,
    pub(super) notes: Vec<String>,
}

/// Directories of the system and of the kernel: no project lies there, and they are large.
pub(super) const OF_THE_SYSTEM: [&str; 11] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/nix", "/etc", "/proc", "/sys", "/dev"];

/// Collects grants.
#[derive(Debug)]
pub(super) struct Grants<'a> {
    tree: &'a dyn Tree,
    facts: &'a Facts,
    places: ClosedPlaces,
    /// Sensitive places that do not lie in the home directory: all that most of a profile's paths have to be held against.
    elsewhere: Vec<PathBuf>,
    own: Vec<PathBuf>,
    by_profile: Vec<PathBuf>,
    asked: Vec<Asked>,
    notes: Vec<String>,
}

/// Why a path is not granted as it was asked for.
enum Objection {
    /// It lies in this place, which stays closed.
    Closed(PathBuf),
    /// It lies in this place, which stays closed for writing.
    Obeyed(PathBuf),
}

impl<'a> Grants<'a> {
    pub(super) fn new(facts: &'a Facts, tree: &'a dyn Tree) -> Self {
        let places = ClosedPlaces::of(facts, tree);
        let elsewhere =
            places.sensitive.iter().filter(|place| !place.starts_with(&places.home)).cloned().collect();
        let own = places::own(facts).into_iter().flat_map(|path| places::both_names(tree, path)).collect();
        Self {
            tree,
            facts,
            places,
            elsewhere,
            own,
            by_profile: Vec::new(),
            asked: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The server's own directories: they lie inside Stockade's state, which is closed to everything else.
    pub(super) fn private(&mut self, dirs: &PrivateDirs) {
        let own = [
            (&dirs.state, "its own state"),
            (&dirs.cache, "its own cache"),
            (&dirs.tmp, "its own temporary files"),
        ];
        for (path, reason) in own {
            self.push(path.clone(), Access::ReadWrite, reason, (Scope::Private, None));
        }
    }

    /// Closes a place that a profile names.
    pub(super) fn close(&mut self, path: PathBuf) {
        self.by_profile.extend(places::both_names(self.tree, path));
    }

    /// Says something about what was not granted.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds a path. All places that the profile closes have to be known before.
    ///
    /// # Errors
    /// When a flag asks for a place that no flag opens, or for what does not exist.
    pub(super) fn add(
        &mut self,
        path: &Path,
        access: Access,
        origin: Origin<'_>,
        reason: &str,
    ) -> Result<(), Failure> {
        // The sandbox skips and reports what does not exist; a flag for it is a mistake worth telling.
        let Some(real) = self.tree.canonical(path) else {
            if let Origin::Flag(flag) = origin {
                return Err(Failure::new(
                    Kind::Usage,
                    format!("{flag} {}: no such file or directory", path.display()),
                )
                .hint("create it first: a grant is bound to what exists when the server starts"));
            }
            return Ok(());
        };
        let link = self.first_link(path);
        let named = Named::of(path, origin, self);
        let scope = match self.objection(&real, access, &named) {
            Ok(scope) => scope,
            Err(objection) => return self.object(objection, (real, access, link), origin, reason),
        };
        self.push(real, access, reason, (scope, link));
        Ok(())
    }

    /// What a socket's path is, links resolved, if a profile may open it; it need not exist yet.
    pub(super) fn socket(&mut self, path: &Path, origin: Origin<'_>, reason: &str) -> Option<PathBuf> {
        let there = self.tree.canonical(path);
        let real = match &there {
            Some(real) => real.clone(),
            None => self.tree.canonical(path.parent()?)?.join(path.file_name()?),
        };
        let named = Named::of(path, origin, self);
        match self.objection(&real, Access::Read, &named) {
            Ok(scope) => {
                // It has to be in the view; what may be done with it, the supervisor decides.
                if there.is_some() {
                    let link = self.first_link(path);
                    self.push(real.clone(), Access::Read, reason, (scope, link));
                }
                Some(real)
            }
            Err(_) => {
                self.notes.push(format!("{}: no socket is opened in a sensitive place", real.display()));
                None
            }
        }
    }

    /// Everything. A path that leads over a link inside a place that the server may write is dropped: an earlier session
    /// could have put the link there, to be granted what lies behind it.
    pub(super) fn settle(mut self) -> Settled {
        let writable = |asked: &&Asked| asked.access == Access::ReadWrite;
        let writable: Vec<PathBuf> =
            self.asked.iter().filter(writable).map(|asked| asked.path.clone()).collect();
        let mut kept = Vec::new();
        for asked in self.asked {
            let planted =
                asked.link.as_ref().is_some_and(|at| writable.iter().any(|path| at.starts_with(path)));
            if planted {
                let path = asked.path.display();
                self.notes.push(format!("{path}: not granted, a link inside a writable place leads there"));
            } else {
                kept.push(asked);
            }
        }
        Settled { asked: kept, places: self.places, by_profile: self.by_profile, notes: self.notes }
    }

    /// Whether the path may be granted, and as what.
    fn objection(&self, real: &Path, access: Access, named: &Named) -> Result<Scope, Objection> {
        let mut scope = Scope::Wide;
        if let Some(place) = self.own.iter().find(|place| real.starts_with(place)) {
            let code = access == Access::ReadExecute && real != place;
            return if code { Ok(Scope::Wide) } else { Err(Objection::Closed(place.clone())) };
        }
        let near = if real.starts_with(&self.places.home) { &self.places.sensitive } else { &self.elsewhere };
        let secret = self.secret_file(real);
        for place in near.iter().chain(&secret).filter(|place| real.starts_with(place)) {
            // What the command line itself names for execution (a server installed below `~/.claude`) may run, unless it
            // is the place as a whole.
            let code = access == Access::ReadExecute && real != place;
            if named.names(place) {
                scope = Scope::Opens;
            } else if !code {
                return Err(Objection::Closed(place.clone()));
            }
        }
        for place in self.by_profile.iter().filter(|place| real.starts_with(place)) {
            if real == place || !named.names(place) {
                return Err(Objection::Closed(place.clone()));
            }
        }
        if access == Access::ReadWrite {
            let in_project = real.to_str().and_then(obeyed_in_project).map(PathBuf::from);
            let obeyed = self.places.for_writing.iter().chain(&in_project);
            for place in obeyed.filter(|place| real.starts_with(place)) {
                if !named.names(place) {
                    return Err(Objection::Obeyed(place.clone()));
                }
                scope = Scope::Opens;
            }
            if real.ends_with(".git") {
                // The file of a further working tree says where the repository is, hooks included.
                match self.tree.kind(real) {
                    Some(EntryKind::Directory) if named.names(real) => scope = Scope::OpensInside,
                    Some(EntryKind::Directory) => {}
                    _ => return Err(Objection::Obeyed(real.to_owned())),
                }
            }
        }
        Ok(scope)
    }

    /// `.env` and its like, if that is what the path is.
    fn secret_file(&self, real: &Path) -> Option<PathBuf> {
        let is_secret = real.file_name().and_then(|name| name.to_str()).is_some_and(is_env_file);
        (is_secret && self.tree.kind(real) != Some(EntryKind::Directory)).then(|| real.to_owned())
    }

    /// A flag is refused; of a profile's grants it is noted what became of them.
    fn object(
        &mut self,
        objection: Objection,
        (real, access, link): (PathBuf, Access, Option<PathBuf>),
        origin: Origin<'_>,
        reason: &str,
    ) -> Result<(), Failure> {
        let shown = real.display();
        match (objection, origin) {
            (Objection::Closed(place), Origin::Flag(flag)) => {
                let what = format!("{flag} does not open {shown}: it is a sensitive place");
                Err(Failure::new(Kind::Permission, what)
                    .cause(format!(
                        "{} holds credentials, histories or Stockade's own files",
                        place.display()
                    ))
                    .hint("copy what the server needs to a directory of its own and grant that"))
            }
            (Objection::Obeyed(place), Origin::Flag(flag)) => {
                let what = format!("{flag} does not open {shown}: other programs obey what is written there");
                Err(Failure::new(Kind::Permission, what)
                    .cause(format!("{} is run or read by programs outside of the jail", place.display()))
                    .hint("grant it with --grant-read, or name it in a profile"))
            }
            // Private directories are granted by `private`; a profile that names them again changes nothing.
            (Objection::Closed(_), Origin::Profile { .. }) if self.is_private(&real) => Ok(()),
            (Objection::Closed(_), Origin::Profile { .. }) => {
                self.notes.push(format!("{shown}: not granted, it is a sensitive place"));
                Ok(())
            }
            (Objection::Obeyed(_), Origin::Profile { .. }) => {
                self.notes.push(format!(
                    "{shown}: granted for reading only, other programs obey what is written there"
                ));
                debug_assert_eq!(access, Access::ReadWrite);
                self.push(real, Access::Read, reason, (Scope::Wide, link));
                Ok(())
            }
        }
    }

    fn is_private(&self, real: &Path) -> bool {
        self.asked.iter().any(|asked| asked.scope == Scope::Private && real.starts_with(&asked.path))
    }

    /// The real directory that holds the first link on the way to `path`.
    fn first_link(&self, path: &Path) -> Option<PathBuf> {
        let mut real = PathBuf::new();
        for part in path.components() {
            let next = real.join(part);
            match self.tree.canonical(&next) {
                Some(target) if target == next => real = next,
                Some(_) => return Some(real),
                None => return None,
            }
        }
        None
    }

    fn push(&mut self, path: PathBuf, access: Access, reason: &str, (scope, link): (Scope, Option<PathBuf>)) {
        if let Some(known) = self.asked.iter_mut().find(|a| a.path == path && a.access == access) {
            if known.scope == Scope::Wide {
                known.scope = scope;
            }
            return;
        }
        self.asked.push(Asked { path, access, reason: reason.to_owned(), scope, link });
    }
}

/// What the words of a grant name, as opposed to what a variable or a link leads to.
struct Named {
    path: PathBuf,
    base: PathBuf,
    tells: bool,
}

impl Named {
    fn of(path: &Path, origin: Origin<'_>, grants: &Grants<'_>) -> Self {
        let Origin::Profile { base } = origin else {
            return Self { path: PathBuf::new(), base: PathBuf::new(), tells: false };
        };
        // The home directory may be reached over a link; places are called by its real path.
        let at_home = |path: &Path| match path.strip_prefix(&grants.facts.home) {
            Ok(below) => grants.places.home.join(below),
            Err(_) => path.to_owned(),
        };
        let real = |path: &Path| grants.tree.canonical(path).unwrap_or_else(|| at_home(path));
        match base {
            Some(base) => {
                let below = path.strip_prefix(base).unwrap_or(Path::new(""));
                let base = real(base);
                Self { path: base.join(below), base, tells: true }
            }
            None => Self { path: at_home(path), base: PathBuf::from("/"), tells: true },
        }
    }

    /// Whether the place is named: the words lead into it, and they did not begin there.
    fn names(&self, place: &Path) -> bool {
        self.tells && self.path.starts_with(place) && !self.base.starts_with(place)
    }
}

impl Settled {
    /// Looks for secrets and for what others obey in what is granted.
    pub(super) fn search<'t>(&self, tree: &'t dyn Tree) -> Search<'t> {
        let mut search = Search::new(tree);
        let is_tree = |asked: &&Asked| {
            asked.scope != Scope::Private
                && !OF_THE_SYSTEM.iter().any(|dir| asked.path.starts_with(dir))
                && tree.kind(&asked.path) == Some(EntryKind::Directory)
        };
        let mut trees: Vec<&Asked> = self.asked.iter().filter(is_tree).collect();
        // Outer ones first: what lies inside of them is searched with them.
        trees.sort_by(|a, b| a.path.cmp(&b.path));
        let mut searched: Vec<&Path> = Vec::new();
        for asked in trees {
            if searched.iter().any(|outer| Search::reaches(outer, &asked.path, &self.places.sensitive)) {
                continue;
            }
            if asked.access == Access::ReadExecute {
                search.usual(&asked.path);
            } else {
                search.project(&asked.path, &self.places.sensitive);
                searched.push(&asked.path);
            }
        }
        search
    }

    /// The grants as rules.
    pub(super) fn rules(&self) -> Vec<PathRule> {
        self.asked.iter().map(|asked| PathRule { path: asked.path.clone(), access: asked.access }).collect()
    }
}
