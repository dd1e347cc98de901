//! What the verbs `fetch` and `pins` do, without their output.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use stockade_policy::document::policy::Packages;
use stockade_policy::rules::Policy;

use super::fetch::Fetch;
use super::pin::{Accepted, Pin, differences};
use super::record::{PackageAccepted, record};
use super::request::Asked;
use super::source::Source;
use super::store::Store;
use super::{package_run, runner_word};
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::identity::invocation::Ecosystem;
use crate::{launch, policies, profiles};

/// A pin with the key that it is kept under.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// The key.
    pub(crate) key: String,
    /// The pin.
    pub(crate) pin: Pin,
}

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// `added`, `removed`, `version`, `content`
    pub(crate) what: &'static str,
    /// Name of the package.
    pub(crate) name: String,
    /// Version, or hash, in force.
    pub(crate) old: Option<String>,
    /// What is offered instead.
    pub(crate) new: Option<String>,
}

/// Fetches and pins what a command line would start, unless that is done already.
///
/// # Errors
/// When it starts no package, or the package cannot be fetched or pinned.
pub(crate) fn fetch(
    command: &[OsString],
    (profile, policy): (Option<&str>, Option<&Path>),
    facts: &Facts,
) -> Result<Kept, Failure> {
    let Some((run, asked)) = package_run(command)? else {
        return Err(Failure::new(Kind::Usage, "this command line starts no package of a registry")
            .hint("`stockade fetch -- npx PACKAGE` and `stockade fetch -- uvx PACKAGE` do"));
    };
    let mut facts = facts.clone();
    facts.env.extend(asked.set.into_iter().map(|(name, value)| (OsString::from(name), value)));
    let source = Source::of(run.ecosystem, Asked::of(&run)?, runner_word(command), &facts)?;
    let policy = policies::load(&facts, policy)?;
    let available = profiles::Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
    let judge = |identities: &[String]| judged(&available, &policy, profile, identities);
    let store = Store::of(&facts);
    store.open(&facts)?;
    let held = store.hold(&source.key)?;
    if super::ready(&store, &source)?.is_none() {
        // To a closed stderr nothing can be said.
        let _ = writeln!(
            std::io::stderr(),
            "stockade: fetching {} with everything that it depends on",
            source.asked.name()
        );
    }
    let pin = Fetch::new(&facts, (&policy, &judge), &store, &source, &held).ready()?;
    Ok(Kept { key: source.key.clone(), pin })
}

/// Asks the registry whether a pinned request would resolve to something else now.
///
/// # Errors
/// When the registry cannot be asked.
pub(crate) fn check(key: &str, facts: &Facts) -> Result<Kept, Failure> {
    with_source(key, facts, |fetch, policy, _| match policy.packages() {
        Packages::Freeze => {
            Err(Failure::new(Kind::Permission, "the policy in force freezes packages: nothing is checked"))
        }
        how => fetch.check(how),
    })
}

/// Puts in force what waits.
///
/// # Errors
/// When nothing waits, or it cannot be fetched.
pub(crate) fn approve(key: &str, facts: &Facts) -> Result<Kept, Failure> {
    with_source(key, facts, |fetch, _, pin| {
        if pin.waiting.is_none() {
            return Err(Failure::new(Kind::Usage, format!("nothing waits for {}", pin.asked.name()))
                .hint("`stockade pins check` asks the registry now"));
        }
        fetch.accept(pin, Accepted::Person)
    })
}

fn with_source(
    key: &str,
    facts: &Facts,
    act: impl FnOnce(&Fetch<'_>, &Policy, Pin) -> Result<Pin, Failure>,
) -> Result<Kept, Failure> {
    let store = Store::of(facts);
    store.open(facts)?;
    let held = store.hold(key)?;
    let pin = store.load(key)?.ok_or_else(|| unknown(key))?;
    let ecosystem = if pin.ecosystem == "npm" { Ecosystem::Npm } else { Ecosystem::Pypi };
    let source = Source::of(ecosystem, pin.asked.clone(), None, facts)?;
    if source.key != key {
        return Err(Failure::new(
            Kind::Config,
            format!("{} is configured otherwise than when it was pinned", pin.asked.name()),
        )
        .cause(format!(
            "it is pinned from {}, the configuration now leads to {}",
            pin.registry, source.registry
        ))
        .hint("use the configuration of that time, or start the server once: that makes a pin of its own"));
    }
    let policy = policies::load(facts, None)?;
    let available = profiles::Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
    let judge = |identities: &[String]| judged(&available, &policy, None, identities);
    let fetch = Fetch::new(facts, (&policy, &judge), &store, &source, &held);
    let pin = act(&fetch, &policy, pin)?;
    Ok(Kept { key: key.to_owned(), pin })
}

/// May it start, and may its install scripts run?
fn judged(
    available: &profiles::Available,
    policy: &Policy,
    profile: Option<&str>,
    identities: &[String],
) -> Result<bool, Failure> {
    launch::admit_fetch(policy, identities)?;
    let jail = crate::cli::JailArgs { profile: profile.map(str::to_owned), ..Default::default() };
    let (profile, _) = launch::choose_profile(available, policy, &jail, identities)?;
    Ok(profile.install_scripts == Some(true))
}

/// The key of a pin that cannot be read, and why.
pub(crate) type Damaged = (String, Failure);

/// Every pin; those that cannot be read by their keys, with the reason.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn list(facts: &Facts) -> Result<(Vec<Kept>, Vec<Damaged>), Failure> {
    let (mut pins, mut damaged) = (Vec::new(), Vec::new());
    for (key, outcome) in Store::of(facts).all()? {
        match outcome {
            Ok(pin) => pins.push(Kept { key, pin }),
            Err(failure) => damaged.push((key, failure)),
        }
    }
    Ok((pins, damaged))
}

/// The pin that a name means: its key, its package, or its package as it was asked for.
///
/// # Errors
/// When there is none, or more than one.
pub(crate) fn show(name: &str, facts: &Facts) -> Result<Kept, Failure> {
    find(name, facts)?.ok_or_else(|| unknown(name))
}

/// The same; `None` if there is none.
///
/// # Errors
/// When there is more than one, or it cannot be read.
pub(crate) fn find(name: &str, facts: &Facts) -> Result<Option<Kept>, Failure> {
    let (pins, damaged) = list(facts)?;
    if let Some((_, failure)) = damaged.into_iter().find(|(key, _)| key == name) {
        return Err(failure);
    }
    let means = |kept: &Kept| {
        let first = kept.pin.asked.wanted.first();
        kept.key == name || first.is_some_and(|one| one.name == name || one.typed == name)
    };
    let mut found: Vec<Kept> = pins.into_iter().filter(means).collect();
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(Some(one)),
        (Some(one), false) => {
            let keys: Vec<String> = found.iter().chain([&one]).map(|kept| kept.key.clone()).collect();
            Err(Failure::new(Kind::Usage, format!("`{name}` has several pins"))
                .hint(format!("name one: {}", keys.join(", "))))
        }
        (None, _) => Ok(None),
    }
}

/// What waits, against what is in force.
pub(crate) fn diff(pin: &Pin) -> Vec<Line> {
    use super::pin::Difference::{Added, Changed, Moved, Removed};
    let Some(waiting) = &pin.waiting else { return Vec::new() };
    let line = |what, name: &str, old: Option<&str>, new: Option<&str>| Line {
        what,
        name: name.to_owned(),
        old: old.map(str::to_owned),
        new: new.map(str::to_owned),
    };
    let hash = |one: &super::pin::Locked| one.integrity.first().cloned().unwrap_or_else(String::new);
    let lines =
        differences(&pin.tree.packages, &waiting.tree.packages).into_iter().map(
            |difference| match difference {
                Added(one) => line("added", &one.name, None, Some(&one.version)),
                Removed(one) => line("removed", &one.name, Some(&one.version), None),
                Moved(old, new) => line("version", &old.name, Some(&old.version), Some(&new.version)),
                Changed(old, new) => line(
                    "content",
                    &format!("{}@{}", old.name, old.version),
                    Some(&hash(old)),
                    Some(&hash(new)),
                ),
            },
        );
    lines.collect()
}

/// Removes a pin. The next start pins what the registry offers then.
///
/// # Errors
/// When it cannot be removed or recorded.
pub(crate) fn forget(key: &str, facts: &Facts) -> Result<(), Failure> {
    let store = Store::of(facts);
    store.open(facts)?;
    let _held = store.hold(key)?;
    if let Ok(Some(pin)) = store.load(key) {
        let policy = policies::load(facts, None)?;
        let event = PackageAccepted {
            purl: pin.purl(),
            lock_sha256: pin.tree.lock_sha256.clone(),
            before: None,
            by: Accepted::Person.words(),
        };
        record(facts, &policy, &pin.purl(), ("package.forgotten", &event))?;
    }
    store.forget(key)
}

/// Removes the trees that no pin names.
///
/// # Errors
/// When a pin cannot be read: its tree could not be told from the others.
pub(crate) fn prune(facts: &Facts) -> Result<Vec<PathBuf>, Failure> {
    let store = Store::of(facts);
    store.open(facts)?;
    let _alone = store.alone()?;
    let (pins, damaged) = list(facts)?;
    if let Some((_, failure)) = damaged.into_iter().next() {
        return Err(failure);
    }
    let (mut trees, mut locks) = (Vec::new(), Vec::new());
    for Kept { pin, .. } in &pins {
        let ecosystem = if pin.ecosystem == "npm" { Ecosystem::Npm } else { Ecosystem::Pypi };
        let source = Source::of(ecosystem, pin.asked.clone(), None, facts)?;
        for tree in [Some(&pin.tree), pin.waiting.as_ref().map(|waiting| &waiting.tree)].into_iter().flatten()
        {
            trees.push(store.tree(&pin.ecosystem, &tree.directory(&source.built_for())));
            locks.push(tree.lock_sha256.clone());
        }
    }
    store.prune(&trees, &locks)
}

fn unknown(name: &str) -> Failure {
    Failure::new(Kind::Usage, format!("no package `{name}` is pinned"))
        .hint("`stockade pins list` shows what is")
}
