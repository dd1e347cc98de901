//! What the next message is judged by: the policy, the approvals of this user and the server's pins, looked after by a
//! [`Doorbell`] at their files and, where it cannot tell, by a `stat` of each.
//!
//! A change is loaded and composed whole before it counts, between two messages; what cannot be used leaves the last good policy in
//! force. Only what is said about messages changes in a running session: its jail was made at its start.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use stockade_policy::approvals::{Approval, Approvals, Switch};
use stockade_policy::detect::{Engine, HashKey};
use stockade_policy::mediator::{Mediator, Repinned};
use stockade_policy::rules::{Item, Policy};
use stockade_policy::verdict::Access;

use crate::approvals::{self, Asked, Desktop, Paused, Refused, Standing};
use crate::definitions::{Definitions, DefinitionsPinned};
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::policies::Custom;
use crate::watch::{Doorbell, FileWatch};
use crate::{policies, state};

/// What is in force in one session.
#[derive(Debug)]
pub(crate) struct InForce {
    policy: Arc<Policy>,
    /// The pause that holds, if one does.
    paused: Option<Paused>,
    hash: Rc<str>,
    engine: Arc<Engine>,
    /// `None`: the policy comes from no file.
    files: Option<Files>,
    standing: Standing,
    /// `None`: nothing is kept of what the server says.
    definitions: Option<Definitions>,
    bell: Doorbell,
    /// `None`: there is no desktop on which anybody could be asked.
    desktop: Option<Desktop>,
    session: String,
}

/// Where a session's policy comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// From the files of this machine, and of `--policy`.
    Files(Option<PathBuf>),
    /// It was made for this session (`demo`, `bisect`), and stays.
    Fixed,
}

/// The files of a policy.
#[derive(Debug)]
struct Files {
    facts: Facts,
    flag: Option<PathBuf>,
    key: HashKey,
    watch: FileWatch,
    custom: Custom,
}

/// What a session begins with.
#[derive(Debug)]
pub(crate) struct Judges {
    pub(crate) policy: Arc<Policy>,
    pub(crate) engine: Arc<Engine>,
    /// What the engine was made with, without the policy's words.
    pub(crate) custom: Custom,
}

/// What changed since the last look.
#[derive(Debug)]
pub(super) enum News {
    /// Another policy is in force.
    Policy {
        /// The hash of the one before.
        before: Rc<str>,
        /// Why the server may run no longer, if so.
        denied: Option<String>,
    },
    /// The files were changed and cannot be used.
    Broken(Box<Failure>),
    /// The policy only records from now on.
    Paused(Paused),
    /// It enforces again.
    Resumed(Paused),
    /// The approvals are not to be trusted, and why.
    Distrusted(String),
    /// Other definitions hold: what was pinned at first sight, and whether a list looks different now.
    Definitions(Option<DefinitionsPinned>, Repinned),
    /// The pins cannot be read or stored, and why.
    Unkept(Box<Failure>),
}

impl InForce {
    /// What a session begins with. The mediator learns whose approvals count in it.
    ///
    /// # Errors
    /// When the key of this installation cannot be read.
    pub(crate) fn begin(
        mediator: &mut Mediator,
        judges: Judges,
        (session, source): (&str, Source),
        facts: &Facts,
    ) -> Result<Self, Failure> {
        let Judges { policy, engine, custom } = judges;
        let key = HashKey(state::open(&facts.state_dir)?);
        *mediator.approvals() = Approvals::new(session.to_owned(), key.clone());
        mediator.approvals().set_switch(approvals::switch(&policy));
        let files = match source {
            Source::Fixed => None,
            Source::Files(flag) => {
                let watch = FileWatch::new(policies::places(facts, flag.as_deref()));
                Some(Files { facts: facts.clone(), flag, key, watch, custom })
            }
        };
        let hash = policy.hash().into();
        let standing = Standing::new(&facts.state_dir);
        let desktop = files.as_ref().and_then(|_| Desktop::of(facts));
        Ok(Self {
            policy,
            paused: None,
            hash,
            engine,
            files,
            standing,
            definitions: None,
            bell: Doorbell::new(),
            desktop,
            session: session.to_owned(),
        })
    }

    /// With what is kept of this server's definitions. The mediator knows them already.
    pub(crate) fn with_definitions(self, definitions: Option<Definitions>) -> Self {
        Self { definitions, ..self }
    }

    /// Names the policy in force.
    pub(super) fn hash(&self) -> Rc<str> {
        Rc::clone(&self.hash)
    }

    /// The policy in force.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The session's id.
    pub(super) fn session(&self) -> &str {
        &self.session
    }

    /// Where Stockade keeps its own files.
    pub(super) fn state_dir(&self) -> &Path {
        self.standing.state_dir()
    }

    /// Looks, and puts into force what is new. Nothing is awaited in between, so that no message is judged by half of it.
    pub(super) fn look(&mut self, mediator: &mut Mediator) -> Vec<News> {
        let mut news = Vec::new();
        if !self.bell.is_silent() {
            let paths = self.paths();
            self.bell.listen(&paths);
            news.extend(self.look_at_policy(mediator));
            news.extend(self.look_at_approvals(mediator));
            news.extend(self.look_at_definitions(mediator));
            if self.paths() != paths {
                self.bell.distrust();
            }
        }
        news.extend(tell_the_time(mediator));
        news.extend(self.look_at_pause(mediator));
        news
    }

    /// What messages are judged by.
    fn judging(&self) -> Arc<Policy> {
        if self.paused.is_some() { Arc::new(self.policy.monitoring()) } else { Arc::clone(&self.policy) }
    }

    /// A pause begins and ends between two messages. One that the policy does not let be is none.
    fn look_at_pause(&mut self, mediator: &mut Mediator) -> Option<News> {
        let pause = mediator.pause().map(|one| Paused { id: one.id.clone(), by: one.by.clone() });
        let pause = pause.filter(|_| self.policy.pause().verdict == Access::Allow);
        if pause == self.paused {
            return None;
        }
        let before = std::mem::replace(&mut self.paused, pause.clone());
        mediator.set_policy(self.judging(), Arc::clone(&self.engine));
        pause.map(News::Paused).or(before.map(News::Resumed))
    }

    /// Asks the user on the desktop, if there is one and the policy lets anybody approve anything.
    pub(super) fn ask(&mut self, asked: Asked) {
        if let Some(desktop) = &mut self.desktop
            && approvals::switch(&self.policy) == Switch::On
        {
            desktop.ask(asked);
        }
    }

    /// Tells the user on the desktop what was refused, if there is one.
    pub(super) fn tell(&mut self, refused: Refused) {
        if let Some(desktop) = &mut self.desktop {
            desktop.tell(refused);
        }
    }

    /// Every file that is looked at.
    fn paths(&self) -> Vec<PathBuf> {
        let policy = self.files.iter().flat_map(|files| files.watch.paths().chain(files.custom.paths()));
        let definitions = self.definitions.iter().flat_map(Definitions::paths);
        policy.chain(self.standing.paths()).chain(definitions).cloned().collect()
    }

    /// Stores what the mediator saw, before anybody else sees it.
    pub(super) fn keep_definitions(&mut self, mediator: &mut Mediator) -> Option<News> {
        let sightings = mediator.take_sightings();
        if sightings.is_empty() {
            return None;
        }
        match self.definitions.as_mut()?.keep(&sightings) {
            Ok(None) => None,
            Ok(Some(kept)) => Some(News::Definitions(kept.pinned, mediator.set_pins(kept.pins))),
            Err(failure) => Some(News::Unkept(Box::new(failure))),
        }
    }

    fn look_at_definitions(&mut self, mediator: &mut Mediator) -> Option<News> {
        Some(match self.definitions.as_mut()?.look()? {
            Ok(pins) => News::Definitions(None, mediator.set_pins(pins)),
            Err(failure) => News::Unkept(Box::new(failure)),
        })
    }

    fn look_at_policy(&mut self, mediator: &mut Mediator) -> Option<News> {
        let source = self.files.as_mut()?;
        let (policies_changed, custom_changed) = (source.watch.changed(), source.custom.changed());
        if !policies_changed && !custom_changed {
            return None;
        }
        // Where it is looked for may have changed as well: another group's file, a project that is one now.
        source.watch.follow(policies::places(&source.facts, source.flag.as_deref()));
        let loaded = policies::load(&source.facts, source.flag.as_deref())
            .and_then(|policy| Ok((source.engine_for(&policy, (&self.policy, &self.engine))?, policy)));
        let (engine, policy) = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => return Some(News::Broken(Box::new(failure))),
        };
        let hash: Rc<str> = policy.hash().into();
        if hash == self.hash && Arc::ptr_eq(&engine, &self.engine) {
            return None;
        }
        let before = std::mem::replace(&mut self.hash, hash);
        self.policy = Arc::new(policy);
        self.engine = engine;
        mediator.set_policy(self.judging(), Arc::clone(&self.engine));
        mediator.approvals().set_switch(approvals::switch(&self.policy));
        Some(News::Policy { before, denied: denied(&self.policy, mediator.identities()) })
    }

    fn look_at_approvals(&mut self, mediator: &mut Mediator) -> Option<News> {
        let looked = self.standing.look()?;
        let mut news = None;
        let all: Vec<Approval> = looked.unwrap_or_else(|why| {
            news = Some(News::Distrusted(why));
            Vec::new()
        });
        mediator.approvals().replace(all);
        news
    }
}

/// Approvals end with time alone.
fn tell_the_time(mediator: &mut Mediator) -> Option<News> {
    if mediator.approvals().is_empty() {
        return None;
    }
    match approvals::moment() {
        Ok(now) => {
            mediator.approvals().set_now(now);
            None
        }
        // Without a clock nothing could end, so nothing counts.
        Err(error) => {
            mediator.approvals().replace(Vec::new());
            Some(News::Distrusted(format!("what time it is cannot be told: {error}")))
        }
    }
}

impl Files {
    /// The detectors change with the policy's own words, tables and canaries alone; to build them anew takes longer than all
    /// the rest.
    fn engine_for(
        &mut self,
        policy: &Policy,
        (before, engine): (&Policy, &Arc<Engine>),
    ) -> Result<Arc<Engine>, Failure> {
        let custom = match Custom::load(policy, self.facts.uid) {
            Ok(custom) => custom.beside(&self.custom),
            Err(failure) => {
                // A file that is not mended is told of once.
                self.custom.follow(policy);
                return Err(failure);
            }
        };
        let words_stay = custom.data.keywords == before.keywords();
        if words_stay && custom.same_but_for_words(&self.custom) {
            self.custom = custom.without_keywords();
            return Ok(Arc::clone(engine));
        }
        let built = Engine::with_custom(&custom.data, self.key.clone());
        self.custom = custom.without_keywords();
        built.map(Arc::new).map_err(|error| {
            Failure::new(Kind::Config, "the keyword lists and canaries of the policy cannot be used")
                .because(&error)
        })
    }
}

/// Why a policy does not let a server run.
fn denied(policy: &Policy, identities: &[String]) -> Option<String> {
    let ruling = policy.access(identities, Item::Server);
    // What asks about the server asks about each of its calls as well: nothing passes that nobody agreed to.
    if ruling.verdict != Access::Deny {
        return None;
    }
    let no_longer = "the policy in force no longer lets this server run";
    Some(match ruling.reason {
        Some(reason) => format!("{no_longer}: {} (rule `{}`, {})", reason.text, reason.rule, reason.layer),
        None => no_longer.to_owned(),
    })
}

#[cfg(test)]
mod tests;
