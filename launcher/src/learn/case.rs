//! One server that is learnt about: what it is, which profile it has now, and plans for it under other profiles.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stockade_policy::document::profile::{EnvSet, Profile};
use stockade_policy::rules::Policy;
use stockade_sandbox::Observe;

use super::names::Names;
use super::programs;
use super::width;
use super::witness::Witness;
use crate::cli::JailArgs;
use crate::error::Failure;
use crate::host::{Facts, FileTree};
use crate::identity::{self, Resolved};
use crate::launch::{self, PolicySource, Prepared, Request};
use crate::plan::{self, EntryKind, Plan, Tree};
use crate::profiles::{Available, Home};
use crate::{clients, policies};

/// A server and everything that is decided about it before it starts.
#[derive(Debug)]
pub struct Case {
    pub(super) facts: Facts,
    pub(super) resolved: Resolved,
    pub(super) jail: JailArgs,
    policy: Arc<Policy>,
    available: Available,
    in_force: (Profile, String),
    id: Option<String>,
    command: Vec<OsString>,
    entry_env: Vec<String>,
    tmp_name: String,
}

/// Entries that are looked at for files of secrets: a run to learn from may start a second later than others.
const ENTRIES_MAX: usize = 250_000;

/// The real file system, searched further than at an ordinary start.
#[derive(Debug)]
struct DeepTree;

impl Tree for DeepTree {
    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        FileTree.canonical(path)
    }

    fn children(&self, path: &Path) -> Vec<PathBuf> {
        FileTree.children(path)
    }

    fn kind(&self, path: &Path) -> Option<EntryKind> {
        FileTree.kind(path)
    }

    fn entries(&self, path: &Path, most: usize) -> Vec<(PathBuf, EntryKind)> {
        FileTree.entries(path, most)
    }

    fn searched_entries(&self) -> usize {
        ENTRIES_MAX
    }
}

impl Case {
    /// Finds out what runs and by which profile it runs now. Starts and writes nothing.
    ///
    /// # Errors
    /// As for [`launch::prepare`]; and if the policy in force lets nobody widen a jail by a flag, for that is what
    /// learning is.
    pub fn of(id: Option<String>, jail: JailArgs, command: Vec<OsString>) -> Result<Self, Failure> {
        let facts = Facts::gather()?;
        let policy = policies::load(&facts, jail.policy.as_deref())?;
        let resolved = identity::resolve(&command, &facts)?;
        let question = launch::Question::Recorded;
        let starter = launch::Starter { id: id.as_deref(), resolved: &resolved, question };
        launch::admit_start(&policy, &starter, &facts)?;
        launch::flag_allowed(&policy, "learn")?;
        let available = Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
        let (profile, why) = launch::choose_profile(&available, &policy, &jail, &resolved.identities)?;
        let logins = launch::logins_of(profile, id.as_deref(), (&resolved, &policy), &facts)?;
        let in_force = (logins.map_or_else(|| profile.clone(), |given| given.profile), why);
        let entry_env = id.as_deref().and_then(|id| clients::env_names(id, &facts)).unwrap_or_default();
        Ok(Self {
            facts,
            resolved,
            jail,
            policy: Arc::new(policy),
            available,
            in_force,
            id,
            command,
            entry_env,
            tmp_name: uuid::Uuid::new_v4().to_string(),
        })
    }

    /// Facts of the host.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The jail's flags.
    pub fn flags(&self) -> &JailArgs {
        &self.jail
    }

    /// The file of one of the user's profiles.
    pub fn file_of(&self, name: &str) -> Option<PathBuf> {
        self.available.listed().find_map(|(profile, home)| match home {
            Home::Yours(file) if profile.name == name => Some(PathBuf::from(file)),
            _ => None,
        })
    }

    /// The profile that the server runs by without learning.
    pub fn in_force(&self) -> &Profile {
        &self.in_force.0
    }

    /// Names in the `env` block of the client's entry: these are passed on by every profile.
    pub fn entry_env(&self) -> &[String] {
        &self.entry_env
    }

    /// A profile of this machine.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(&self, name: &str) -> Result<&Profile, Failure> {
        self.available.named(name)
    }

    /// What finds a profile by its name, for `extends`.
    pub fn find(&self, name: &str) -> Option<Profile> {
        self.available.named(name).ok().cloned()
    }

    /// What a proposal builds on: the built-in profile of the server's runtime, where there is one.
    ///
    /// # Errors
    /// When even `offline` is not there.
    pub fn base(&self) -> Result<&Profile, Failure> {
        let program =
            std::fs::canonicalize(&self.resolved.program).unwrap_or_else(|_| self.resolved.program.clone());
        let runs = programs::interpreters(&program).into_iter().last().unwrap_or(program);
        let runs = std::fs::canonicalize(&runs).unwrap_or(runs);
        let name = programs::name(&runs);
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let runtime = match stem {
            "node" | "nodejs" => "node",
            "python" | "pypy" => "python",
            "deno" => "deno",
            "java" => "jvm",
            "uv" | "uvx" => "uv",
            _ => "binary",
        };
        // A runtime's base is one that is no server's: with hosts of its own it would be no least profile.
        let plain = |profile: &&Profile| profile.identity.is_empty() && profile.net_allow.is_empty();
        match self.available.named(runtime).ok().filter(plain) {
            Some(profile) => Ok(profile),
            None => self.available.named("offline"),
        }
    }

    /// The plan of this server under a profile, without any flag.
    ///
    /// # Errors
    /// As for [`Plan::make`].
    pub fn plan(&self, profile: &Profile) -> Result<Plan, Failure> {
        self.plan_with(profile, &JailArgs::default(), &FileTree)
    }

    fn plan_with(&self, profile: &Profile, jail: &JailArgs, tree: &dyn Tree) -> Result<Plan, Failure> {
        let input = plan::Input {
            facts: &self.facts,
            jail,
            id: self.id.as_deref(),
            resolved: &self.resolved,
            profile,
            profile_why: self.in_force.1.clone(),
            policy_hash: self.policy.hash(),
            entry_env: &self.entry_env,
            tmp_name: &self.tmp_name,
            without: None,
        };
        Plan::make(&input, tree)
    }

    /// What variables of profiles stand for here.
    ///
    /// # Errors
    /// As for [`Plan::make`].
    pub fn names(&self) -> Result<Names, Failure> {
        const MARK: &str = "STOCKADE_LEARN ";
        // The environment is the place where a plan says what a variable stands for.
        let words = ["${workspace}".to_owned(), "${state}".to_owned(), "${cache}".to_owned()].into_iter();
        let words = words.chain((1..=Names::ARGUMENTS_MAX).map(|n| format!("${{args.{n}}}")));
        let set = |word: String| EnvSet { name: format!("{MARK}{word}").into(), value: word.into() };
        let profile = Profile {
            read: Cow::Borrowed(&[]),
            write: Cow::Borrowed(&[]),
            exec: Cow::Borrowed(&[]),
            env_set: words.map(set).collect(),
            ..self.named("offline")?.clone()
        };
        let plan = self.plan(&profile)?;
        let value = |(name, value): &(OsString, OsString)| {
            let name = name.to_str()?.strip_prefix(MARK)?.to_owned();
            Some((name, self.facts.cwd.join(value)))
        };
        let values = plan.ruleset.env.iter().filter_map(value).collect();
        Ok(Names::new(values, &self.resolved, &self.facts))
    }

    /// Name of the directory of this server's own files; what was learnt about it has the same.
    ///
    /// # Errors
    /// As for [`Plan::make`].
    pub fn key(&self) -> Result<String, Failure> {
        let plan = self.plan(self.in_force())?;
        Ok(key_of(&plan))
    }

    /// The plan of a run to learn from, ready to be started. `tried` are ports of public hosts that earlier runs tried.
    ///
    /// # Errors
    /// As for [`launch::prepare`].
    pub fn prepare(
        &self,
        tried: &BTreeSet<u16>,
        witness: &Arc<Witness>,
    ) -> Result<(Prepared, Vec<String>), Failure> {
        let (profile, left_closed) = width::widened(self, tried, &DeepTree);
        let mut plan = self.plan_with(&profile, &self.jail, &DeepTree)?;
        plan.profile = format!("{} (learning)", plan.profile);
        plan.ruleset.observe = Observe::Files;
        let request = Request {
            id: self.id.clone(),
            jail: self.jail.clone(),
            command: self.command.clone(),
            policy: PolicySource::Machine,
            without: None,
            observe: Observe::Files,
        };
        Ok((Prepared::to_learn(request, plan, Arc::clone(&self.policy), Arc::clone(witness)), left_closed))
    }
}

/// The directory of the server's own files is called so.
fn key_of(plan: &Plan) -> String {
    let own = plan.private_dirs.first().and_then(|state| state.parent()).and_then(Path::file_name);
    own.map_or_else(|| "server".to_owned(), |name| name.to_string_lossy().into_owned())
}
