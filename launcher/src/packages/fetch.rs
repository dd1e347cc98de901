//! Fetching: resolve, pin, install, each in a jail; and asking later whether the registry offers something else.

use std::path::{Path, PathBuf};

use stockade_policy::document::policy::Packages;
use stockade_policy::rules::Policy;

use super::config::Sealed;
use super::jail::{self, Ended, Step};
use super::pin::{Accepted, Change, FORMAT, Locked, Pin, Tree, Waiting, change, purl};
use super::record::{PackageAccepted, PackageFetched, PackageOffered, record};
use super::source::{By, Source};
use super::store::{Held, Staging, Store};
use super::{npm, pypi, store, trouble};
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};

/// Whether the profile of a server with these identities grants scripts at its installation.
pub(crate) type Judge<'a> = dyn Fn(&[String]) -> Result<bool, Failure> + 'a;

/// A request that is being fetched, under its lock.
pub(crate) struct Fetch<'a> {
    facts: &'a Facts,
    policy: &'a Policy,
    store: &'a Store,
    source: &'a Source,
    held: &'a Held,
    /// Whether a package with these identities may be fetched, and whether its install scripts may run.
    judge: &'a Judge<'a>,
}

impl std::fmt::Debug for Fetch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetch").field("source", &self.source).finish_non_exhaustive()
    }
}

/// A tree with its lock file.
#[derive(Clone, Debug)]
struct Resolved {
    tree: Tree,
    lock: String,
    /// Packages that have install scripts.
    with_scripts: Vec<String>,
}

/// The directories of one fetch.
struct Place {
    staging: Staging,
    sealed: Sealed,
}

impl Place {
    /// What the jail writes.
    fn work(&self) -> PathBuf {
        self.staging.dir().join("work")
    }

    /// What it is told.
    fn told(&self) -> PathBuf {
        self.staging.dir().join("told")
    }
}

impl<'a> Fetch<'a> {
    /// Everything that a fetch needs; the lock of the request is held by the caller.
    pub(crate) fn new(
        facts: &'a Facts,
        (policy, judge): (&'a Policy, &'a Judge<'a>),
        store: &'a Store,
        source: &'a Source,
        held: &'a Held,
    ) -> Self {
        Self { facts, policy, store, source, held, judge }
    }

    /// The pin of the request with its tree in the store: as it is, fetched again from its lock file, or made now.
    ///
    /// # Errors
    /// When something cannot be resolved, downloaded or pinned; when the registry has other content than what is pinned.
    pub(crate) fn ready(&self) -> Result<Pin, Failure> {
        match self.store.load(&self.source.key)? {
            Some(pin) => {
                if !self.store.has_tree(&self.tree_path(&pin.tree)) {
                    self.install(&pin, &self.pinned(&pin.tree)?)?;
                }
                Ok(pin)
            }
            None => self.first(),
        }
    }

    fn first(&self) -> Result<Pin, Failure> {
        let place = self.place()?;
        let resolved = self.resolve(&place)?;
        drop(place);
        let now = now();
        let pin = Pin {
            v: FORMAT,
            ecosystem: self.source.ecosystem().to_owned(),
            asked: self.source.asked.clone(),
            registry: self.source.registry.clone(),
            python: match &self.source.by {
                By::Npm { .. } => None,
                By::Python { tool, .. } => Some(tool.python.version.clone()),
            },
            first_seen: now.clone(),
            accepted_at: now.clone(),
            accepted: Accepted::FirstUse,
            checked: Some(now),
            tree: resolved.tree.clone(),
            waiting: None,
        };
        self.install(&pin, &resolved)?;
        self.store.save(&self.source.key, &pin)?;
        Ok(pin)
    }

    /// Asks the registry what it would resolve to now, and notes it in the pin. With `follow`, what is found is fetched,
    /// so that the next start need not.
    ///
    /// # Errors
    /// As [`Fetch::ready`].
    pub(crate) fn check(&self, follow: Packages) -> Result<Pin, Failure> {
        let Some(mut pin) = self.store.load(&self.source.key)? else {
            return Err(Failure::new(Kind::Usage, "there is no such pin"));
        };
        let place = self.place()?;
        let resolved = self.resolve(&place)?;
        drop(place);
        let now = now();
        pin.checked = Some(now.clone());
        let found = change(&pin.tree, &resolved.tree);
        let known =
            pin.waiting.as_ref().is_some_and(|waiting| waiting.tree.packages == resolved.tree.packages);
        match found {
            None => pin.waiting = None,
            Some(_) if known => {}
            Some(change) => {
                self.store.keep_lock(&resolved.tree.lock_sha256, &resolved.lock)?;
                let waiting = Waiting { found: now, change, tree: resolved.tree.clone() };
                let event = PackageOffered::new(&pin, &waiting);
                record(self.facts, self.policy, &pin.purl(), (PackageOffered::kind(change), &event))?;
                pin.waiting = Some(waiting);
            }
        }
        self.store.save(&self.source.key, &pin)?;
        if found == Some(Change::Update)
            && follow == Packages::Follow
            && !self.store.has_tree(&self.tree_path(&resolved.tree))
        {
            self.install(&pin, &resolved)?;
        }
        Ok(pin)
    }

    /// The tree that waits is fetched, if it is not there, and put in force.
    ///
    /// # Errors
    /// As [`Fetch::ready`].
    pub(crate) fn accept(&self, mut pin: Pin, by: Accepted) -> Result<Pin, Failure> {
        let Some(waiting) = pin.waiting.clone() else { return Ok(pin) };
        let path = self.tree_path(&waiting.tree);
        if !self.store.has_tree(&path) {
            self.install(&pin, &self.pinned(&waiting.tree)?)?;
        }
        put_in_force(self.facts, self.policy, &mut pin, by)?;
        self.store.save(&self.source.key, &pin)?;
        Ok(pin)
    }

    fn tree_path(&self, tree: &Tree) -> PathBuf {
        self.store.tree(self.source.ecosystem(), &tree.directory(&self.source.built_for()))
    }

    fn pinned(&self, tree: &Tree) -> Result<Resolved, Failure> {
        let lock = self.store.lock_text(&tree.lock_sha256)?;
        let with_scripts = match &self.source.by {
            By::Npm { .. } => npm::Lock::parse(&lock, &self.source.asked.wanted)?.with_scripts,
            By::Python { .. } => Vec::new(),
        };
        Ok(Resolved { tree: tree.clone(), lock, with_scripts })
    }

    fn place(&self) -> Result<Place, Failure> {
        let staging = self.store.staging(&self.source.key, self.held)?;
        let told = staging.dir().join("told");
        let sealed = self.source.sealed(&told)?;
        let place = Place { staging, sealed };
        for dir in [place.work(), told.clone(), place.work().join("resolve"), place.work().join("tree")] {
            crate::state::make_private(&dir)?;
        }
        for (name, bytes) in &place.sealed.files {
            put(&told.join(name), bytes)?;
        }
        Ok(place)
    }

    fn resolve(&self, place: &Place) -> Result<Resolved, Failure> {
        let dir = place.work().join("resolve");
        let wanted = &self.source.asked.wanted;
        match &self.source.by {
            By::Npm { tool, .. } => {
                put(&dir.join("package.json"), &npm::manifest(wanted))?;
                let words = npm_words(Source::npm(tool.as_ref())?, &npm::RESOLVE);
                self.told(place, &dir, words, Doing::Resolve)?;
                let lock = npm::Lock::parse(&answer(&dir.join("package-lock.json"))?, wanted)?;
                let scripts = self.judged(&lock.version)?;
                let tree = Tree {
                    version: lock.version.clone(),
                    lock_sha256: lock.sha256(),
                    scripts: scripts && !lock.with_scripts.is_empty(),
                    packages: lock.packages,
                };
                Ok(Resolved { tree, lock: lock.text, with_scripts: lock.with_scripts })
            }
            By::Python { tool, .. } => {
                put(&dir.join("wanted.in"), pypi::wanted(wanted).as_bytes())?;
                // Nothing is known yet of the version: a profile that grants its build has to be for all of them.
                let sources = (self.judge)(&[self.unversioned()]).unwrap_or(false);
                for words in tool.resolve(files(sources)) {
                    self.told(place, &dir, words, Doing::Resolve)?;
                }
                let (lock, packages) = tool.read(&answer(&dir.join(tool.answer()))?)?;
                let version = version_of(&packages, self.source.asked.name())?;
                let scripts = self.judged(&version)? && sources;
                let lock_sha256 = crate::identity::sha256_hex(lock.as_bytes());
                Ok(Resolved {
                    tree: Tree { version, lock_sha256, scripts, packages },
                    lock,
                    with_scripts: Vec::new(),
                })
            }
        }
    }

    fn unversioned(&self) -> String {
        let purl = purl(self.source.ecosystem(), self.source.asked.name(), "");
        purl.trim_end_matches('@').to_owned()
    }

    /// Whether the policy lets this version run at all, and its profile its scripts.
    fn judged(&self, version: &str) -> Result<bool, Failure> {
        (self.judge)(&[purl(self.source.ecosystem(), self.source.asked.name(), version)])
    }

    /// Downloads exactly what the lock file says and puts the tree into the store.
    fn install(&self, pin: &Pin, resolved: &Resolved) -> Result<(), Failure> {
        let place = self.place()?;
        let dir = place.work().join("tree");
        let doing = Doing::Install;
        match &self.source.by {
            By::Npm { tool, .. } => {
                let tool = Source::npm(tool.as_ref())?;
                let lock = npm::Lock::parse(&resolved.lock, &self.source.asked.wanted)?;
                put(&dir.join("package.json"), &lock.manifest)?;
                put(&dir.join("package-lock.json"), resolved.lock.as_bytes())?;
                self.told(&place, &dir, npm_words(tool, &npm::INSTALL), doing)?;
                let record = answer(&dir.join("node_modules/.package-lock.json"))?;
                if !npm::is_as_pinned(&record, &resolved.lock) {
                    return Err(trouble::not_as_pinned(&pin.purl()));
                }
                if resolved.tree.scripts {
                    self.scripts(&place, &dir, npm_words(tool, &npm::SCRIPTS))?;
                }
            }
            By::Python { tool, .. } => {
                put(&dir.join("lock.txt"), resolved.lock.as_bytes())?;
                for words in tool.install(files(resolved.tree.scripts)) {
                    self.told(&place, &dir, words, doing)?;
                }
            }
        }
        self.store.keep_lock(&resolved.tree.lock_sha256, &resolved.lock)?;
        self.store.finish(&dir, &self.tree_path(&resolved.tree))?;
        let left_out = if resolved.tree.scripts { Vec::new() } else { resolved.with_scripts.clone() };
        let event = PackageFetched::new(pin, &resolved.tree, left_out);
        record(self.facts, self.policy, &event.purl, ("package.fetched", &event))
    }

    /// A program of the package manager, with the configured registries within reach.
    fn told(&self, place: &Place, dir: &Path, words: Vec<String>, doing: Doing) -> Result<(), Failure> {
        let mut step = self.step(place, dir, words)?;
        step.reach.clone_from(&place.sealed.reach);
        step.read.push(place.told());
        step.env.extend(place.sealed.env.iter().cloned());
        let told = |name: &str| place.told().join(name).display().to_string();
        let cache = |name: &str| place.work().join(name).display().to_string();
        let own = [
            ("npm_config_userconfig", told("npmrc")),
            ("npm_config_globalconfig", told("none")),
            ("npm_config_cache", cache("npm-cache")),
            ("npm_config_logs_max", "0".to_owned()),
            ("UV_CACHE_DIR", cache("uv-cache")),
            ("UV_PYTHON_DOWNLOADS", "never".to_owned()),
            ("PIP_CACHE_DIR", cache("pip-cache")),
        ];
        step.env.extend(own.map(|(name, value)| (name.to_owned(), value)));
        if place.sealed.files.iter().any(|(name, _)| name == "ca.pem") && self.source.ecosystem() == "pypi" {
            step.env.push(("SSL_CERT_FILE".to_owned(), told("ca.pem")));
        }
        self.carry_out(place, &step, doing)
    }

    /// The packages' own scripts: no network, no configuration, and what they build may run.
    fn scripts(&self, place: &Place, dir: &Path, words: Vec<String>) -> Result<(), Failure> {
        let mut step = self.step(place, dir, words)?;
        step.run.push(dir.to_owned());
        step.write = vec![dir.to_owned()];
        step.env.push(("npm_config_offline".to_owned(), "true".to_owned()));
        self.carry_out(place, &step, Doing::Scripts)
    }

    fn step(&self, place: &Place, dir: &Path, words: Vec<String>) -> Result<Step, Failure> {
        let programs = match &self.source.by {
            By::Npm { tool, .. } => tool.as_ref().map(|tool| tool.dir.clone()),
            By::Python { .. } => None,
        };
        // Where the Python lives, if that is not where its tool does.
        let run = match &self.source.by {
            By::Python { tool, .. } => {
                let python = [tool.python.program.clone().into_os_string()];
                crate::identity::resolve(&python, self.facts)?.exec_roots
            }
            By::Npm { .. } => Vec::new(),
        };
        Ok(Step {
            session: uuid::Uuid::now_v7().to_string(),
            what: format!("fetch {}", self.source.asked.name()),
            identities: vec![self.unversioned()],
            words,
            cwd: dir.to_owned(),
            write: vec![place.work()],
            read: Vec::new(),
            run,
            env: Vec::new(),
            reach: Vec::new(),
            programs,
            proxy: place.sealed.proxy.clone(),
            no_proxy: place.sealed.no_proxy.clone(),
        })
    }

    fn carry_out(&self, place: &Place, step: &Step, doing: Doing) -> Result<(), Failure> {
        let ended: Ended = jail::run(step, self.facts)?;
        if ended.succeeded {
            return Ok(());
        }
        Err(trouble::of(&ended, doing, self.source, &place.sealed.secrets))
    }
}

/// What a step was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Find out versions.
    Resolve,
    /// Download what is locked.
    Install,
    /// Run install scripts.
    Scripts,
}

/// Puts what waits in force and records it.
///
/// # Errors
/// When it cannot be recorded.
pub(crate) fn put_in_force(
    facts: &Facts,
    policy: &Policy,
    pin: &mut Pin,
    by: Accepted,
) -> Result<(), Failure> {
    let before = pin.tree.lock_sha256.clone();
    if pin.accept(by, now()) {
        let event = PackageAccepted {
            purl: pin.purl(),
            lock_sha256: pin.tree.lock_sha256.clone(),
            before: Some(before),
            by: by.words(),
        };
        record(facts, policy, &pin.purl(), ("package.accepted", &event))?;
    }
    Ok(())
}

/// RFC 3339 in UTC.
pub(crate) fn now() -> String {
    host::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn npm_words(tool: &npm::Tool, words: &[&str]) -> Vec<String> {
    std::iter::once(tool.program.display().to_string())
        .chain(words.iter().map(|word| (*word).to_owned()))
        .collect()
}

fn files(sources: bool) -> pypi::Files {
    if sources { pypi::Files::Sources } else { pypi::Files::Wheels }
}

fn version_of(packages: &[Locked], name: &str) -> Result<String, Failure> {
    let one = packages.iter().find(|one| one.name == pypi::normalised(name));
    let missing =
        || Failure::new(Kind::Software, format!("`{name}` is not in the tree that it was resolved to"));
    Ok(one.ok_or_else(missing)?.version.clone())
}

/// A file that a jail wrote.
fn answer(path: &Path) -> Result<String, Failure> {
    let missing = |why: String| {
        Failure::new(Kind::Software, "the package manager left no answer")
            .cause(format!("{}: {why}", path.display()))
    };
    store::read(path)
        .map_err(|error| missing(error.to_string()))?
        .ok_or_else(|| missing("no such file".to_owned()))
}

/// A file that a jail reads.
fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|error| {
        Failure::new(Kind::Permission, format!("cannot write {}", path.display()))
            .because(&error)
            .hint("make room there")
    })
}
