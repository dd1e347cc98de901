//! What `stockade login` does, without its questions: what there is to give, and giving it, withholding it, taking it back.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use stockade_policy::document::profile::{Login, Profile};
use stockade_policy::rules::Policy;

use super::events::{self, LoginDecided};
use super::goal::{Goal, Standing};
use super::place::{self, State, shown, source, strays, usual};
use super::record::{self, Decision, Record, Way};
use super::tree::{Place, Survey};
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::{launch, plan, policies, profiles, state};

/// A server that has been started, its profile, and what was decided about its logins.
#[derive(Debug)]
pub(crate) struct Subject {
    /// What was told and decided.
    pub(crate) record: Record,
    /// Its profile as it is now.
    pub(crate) profile: Profile,
}

/// A login that the user has, opened and looked at: what is said of it is what is given.
#[derive(Debug)]
pub(crate) struct Offer<'l> {
    /// What the profile says.
    pub(crate) login: &'l Login,
    /// Where it lies, as people write it.
    pub(crate) from: PathBuf,
    /// The same, links resolved.
    pub(crate) real: PathBuf,
    /// What lies there.
    pub(crate) found: Survey,
    /// What the server has in its place.
    pub(crate) standing: Standing,
    place: Place,
    goal: Goal,
}

/// Every server that has been started with a profile that names logins.
///
/// # Errors
/// When a record or a profile cannot be read.
pub(crate) fn subjects(facts: &Facts) -> Result<Vec<Subject>, Failure> {
    let available = profiles::Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
    let records = record::all(&facts.state_dir)?;
    let subject = |record: Record| {
        let profile = available.named(&record.profile).ok()?.clone();
        Some(Subject { record, profile })
    };
    Ok(records.into_iter().filter_map(subject).collect())
}

/// The server of this name, `CLIENT/NAME` or key.
///
/// # Errors
/// When there is none, or more than one.
pub(crate) fn subject(name: &str, facts: &Facts) -> Result<Subject, Failure> {
    let is_meant = |subject: &Subject| {
        let record = &subject.record;
        record.key == name || record.server == name || record.id.as_deref() == Some(name)
    };
    let mut found: Vec<Subject> = subjects(facts)?.into_iter().filter(is_meant).collect();
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(one), false) => {
            let keys: Vec<&str> =
                found.iter().chain([&one]).map(|subject| subject.record.key.as_str()).collect();
            Err(Failure::new(Kind::Usage, format!("`{name}` is the name of several servers"))
                .hint(format!("name one: {}", keys.join(", "))))
        }
        (None, _) => {
            Err(Failure::new(Kind::Usage, format!("no server `{name}` has a login of its own that is known"))
                .hint("`stockade login list` shows those that have; a server is known once it was started"))
        }
    }
}

impl Subject {
    /// How things stand with one of its logins.
    pub(crate) fn state(&self, login: &Login, facts: &Facts) -> State {
        State::of(login, &self.profile, &self.record, facts)
    }

    /// Opens what the user has; `None` if there is nothing.
    ///
    /// # Errors
    /// When it leads into another sensitive place, or is more than may be given.
    pub(crate) fn offer<'l>(&self, login: &'l Login, facts: &Facts) -> Result<Option<Offer<'l>>, Failure> {
        let from = source(login, facts);
        if from.symlink_metadata().is_err() {
            return Ok(None);
        }
        let place = shown(&from, &facts.home);
        let unfit = |error: &(dyn std::error::Error + 'static)| {
            Failure::new(Kind::Permission, format!("the login in {place} is not given")).because(error)
        };
        let real = std::fs::canonicalize(&from).map_err(|error| unfit(&error))?;
        if let Some(other) = strays(login, &real, facts) {
            let other = shown(&other, &facts.home);
            return Err(Failure::new(Kind::Permission, format!("the login in {place} is not given"))
                .cause(format!("it leads to {}, and {other} is nothing of this server's", real.display())));
        }
        let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else { return Ok(None) };
        let parent = File::open(parent).map_err(|error| unfit(&error))?;
        let opened = Place::below(parent.as_fd(), name).map_err(|error| unfit(&error))?;
        let only: Vec<&str> = login.only.iter().map(AsRef::as_ref).collect();
        let found = opened.survey(&only).map_err(|error| unfit(&error))?;
        // The place is there for other reasons, and nobody has logged in.
        if found.files == 0 && found.left_out.is_empty() {
            return Ok(None);
        }
        let goal = self.goal(login, facts)?;
        let standing = goal.standing().map_err(|error| unfit(&error))?;
        Ok(Some(Offer { login, from, real, found, standing, place: opened, goal }))
    }

    /// Puts a copy into the server's private directories. Either all of it is there afterwards, or nothing.
    ///
    /// # Errors
    /// When the policy in force lets nobody give it, or it cannot be copied or recorded.
    pub(crate) fn copy(&self, offer: &Offer<'_>, facts: &Facts) -> Result<Survey, Failure> {
        let policy = allowed(facts)?;
        let failed = |error: &(dyn std::error::Error + 'static)| {
            let place = shown(&offer.from, &facts.home);
            Failure::new(Kind::Permission, format!("{place} is not copied")).because(error)
        };
        let staging = Staging::beside(facts, &self.record.key)?;
        let dir = File::open(&staging.0).map_err(|error| failed(&error))?;
        let name = OsString::from("login");
        let only: Vec<&str> = offer.login.only.iter().map(AsRef::as_ref).collect();
        let copied = offer.place.copy(&only, dir.as_fd(), &name).map_err(|error| failed(&error))?;
        let aside = aside(offer.login);
        let event = LoginDecided {
            place: shown(&offer.from, &facts.home),
            way: Way::Copied.words(),
            files: Some(copied.files),
            bytes: Some(copied.bytes),
            left_out: Some(copied.left_out.len()),
            kept_aside: (offer.standing != Standing::Free).then(|| aside.to_string_lossy().into_owned()),
        };
        events::write(&self.record, (&policy, facts), ("login.copied", &event))?;
        offer.goal.put(dir.as_fd(), &name, &aside).map_err(|error| failed(&error))?;
        self.decide(offer.login, (Way::Copied, &offer.from), facts)?;
        Ok(copied)
    }

    /// Lets the server use the place itself, from its next start on: a link in its private home leads there.
    ///
    /// # Errors
    /// When profile or policy do not let it be shared, or that cannot be recorded.
    pub(crate) fn share(&self, offer: &Offer<'_>, facts: &Facts) -> Result<Way, Failure> {
        let policy = allowed(facts)?;
        let place = shown(&offer.from, &facts.home);
        let refused = |why: &str| {
            Failure::new(Kind::Permission, format!("{place} is not shared"))
                .cause(why)
                .hint(format!("`stockade login copy {}` gives a copy", self.record.key))
        };
        let share = offer.login.share.ok_or_else(|| refused("the profile lets it be copied alone"))?;
        if offer.from != usual(offer.login, &facts.home) {
            return Err(refused("a variable says where it lies: only the usual place can be shared"));
        }
        let way = Way::shared(share);
        let aside = aside(offer.login);
        let linked = offer.standing == Standing::Link(offer.real.clone());
        let event = LoginDecided {
            place: place.clone(),
            way: way.words(),
            files: None,
            bytes: None,
            left_out: None,
            kept_aside: (offer.standing != Standing::Free && !linked)
                .then(|| aside.to_string_lossy().into_owned()),
        };
        events::write(&self.record, (&policy, facts), ("login.shared", &event))?;
        if !linked {
            offer.goal.link(&offer.real, &aside).map_err(|error| refused(&error.to_string()))?;
        }
        self.decide(offer.login, (way, &offer.from), facts)?;
        Ok(way)
    }

    /// Settles that the server does not get it.
    ///
    /// # Errors
    /// When that cannot be recorded.
    pub(crate) fn never(&self, login: &Login, facts: &Facts) -> Result<(), Failure> {
        let policy = policies::load(facts, None)?;
        let from = source(login, facts);
        let event = decided(&from, Way::Never.words(), facts);
        events::write(&self.record, (&policy, facts), ("login.never", &event))?;
        self.decide(login, (Way::Never, &from), facts)
    }

    /// Takes back what was decided: a copy or a link is removed, and the next start tells of the login again.
    ///
    /// # Errors
    /// When it cannot be removed or recorded.
    pub(crate) fn forget(
        &self,
        decision: &Decision,
        login: Option<&Login>,
        facts: &Facts,
    ) -> Result<(), Failure> {
        let policy = policies::load(facts, None)?;
        let event = decided(&decision.from, decision.way.words(), facts);
        events::write(&self.record, (&policy, facts), ("login.forgotten", &event))?;
        if let Some(login) = login {
            let goal = self.goal(login, facts)?;
            let failed = |error: io::Error| {
                let place = shown(&decision.from, &facts.home);
                Failure::new(Kind::Permission, format!("what was given of {place} cannot be removed"))
                    .because(&error)
            };
            let standing = goal.standing().map_err(failed)?;
            let given = match decision.way {
                Way::Copied => matches!(standing, Standing::Taken(_)),
                Way::SharedRead | Way::SharedWrite => matches!(standing, Standing::Link(_)),
                Way::Never => false,
            };
            if given {
                goal.remove().map_err(failed)?;
            }
        }
        record::update(&facts.state_dir, &self.record.key, |record| record.forget(&decision.path))?;
        Ok(())
    }

    fn goal(&self, login: &Login, facts: &Facts) -> Result<Goal, Failure> {
        for dir in plan::private_dirs(&facts.state_dir, &self.record.key) {
            state::make_private(&dir)?;
        }
        let (base, below) = place::goal(login, &facts.state_dir, &self.record.key);
        Goal::open(&base, below).map_err(|error| {
            let path = base.join(below);
            Failure::new(Kind::Permission, format!("nothing can be put at {}", path.display()))
                .because(&error)
                .hint("a link on the way there is the server's own doing: look at it, and remove it")
        })
    }

    fn decide(&self, login: &Login, (way, from): (Way, &Path), facts: &Facts) -> Result<(), Failure> {
        let decision = Decision {
            path: login.path.to_string(),
            way,
            at: host::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            from: from.to_owned(),
        };
        record::update(&facts.state_dir, &self.record.key, |record| record.decide(decision))?;
        Ok(())
    }
}

/// What is given widens a jail: a policy that lets no flag do that lets nobody give anything.
fn allowed(facts: &Facts) -> Result<Policy, Failure> {
    let policy = policies::load(facts, None)?;
    launch::flag_allowed(&policy, "login")?;
    Ok(policy)
}

fn decided(from: &Path, way: &'static str, facts: &Facts) -> LoginDecided {
    let place = shown(from, &facts.home);
    LoginDecided { place, way, files: None, bytes: None, left_out: None, kept_aside: None }
}

/// What a server had in the place of a login is called so afterwards.
fn aside(login: &Login) -> OsString {
    let mut name =
        Path::new(login.to.as_ref()).file_name().map(OsString::from).unwrap_or_else(|| "login".into());
    name.push(host::now().strftime(".before-%Y%m%dT%H%M%SZ").to_string());
    name
}

/// A directory that the server cannot reach, on the same file system as its private ones; gone at the end.
struct Staging(PathBuf);

impl Staging {
    fn beside(facts: &Facts, key: &str) -> Result<Self, Failure> {
        let name = format!("login-{}", uuid::Uuid::new_v4());
        let dir = facts.state_dir.join("servers").join(key).join(name);
        state::make_private(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What is left lies where only the user reads it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
