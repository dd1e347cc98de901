//! From a request to a running session: gather → plan → fence. Whatever fails, nothing is left half started.

mod admission;
mod demo;
mod destinations;
mod recording;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use stockade_policy::detect::{Engine, HashKey};
use stockade_policy::document::profile::Profile;
use stockade_policy::mediator::{Mediator, Pins, SessionFacts, Without};
use stockade_policy::rules::Policy;
use stockade_sandbox::{Doors, Jailed, Observe, Supervisor};

use crate::backend_memory::BackendMemory;
use crate::bisect::Layer;
use crate::cli::{JailArgs, Protection, StartingPolicy};
use crate::definitions::Definitions;
use crate::denials::{Court, Ear, Fence, HostFiles, Ledger, Watch};
use crate::egress::{Egress, Inbound, Served, Shim};
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::learn::Witness;
use crate::logins::{self, Given};
use crate::packages::{self, When};
use crate::plan::{self, ClosedPlaces, Plan};
use crate::relay::{InForce, Judges, Source};
use crate::telemetry::{EventLog, SessionRefused, SessionStart};
use crate::{clients, container, identity, policies, profiles, secrets, state};

use admission::flags_allowed;
pub(crate) use admission::{
    Question, START_METHOD, Starter, admit, admit_fetch, admit_start, choose_profile, flag_allowed,
};
use demo::{DEMO_IDENTITY, of_the_demo};
use recording::{open_log, record_start};

/// Which policy a session is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// The files of this machine and `--policy`; the built-in `default` where there are none.
    Machine,
    /// A starting policy with one added rule that approves the rogue server: `demo` only.
    Demo(StartingPolicy),
    /// As `Machine`, in a session that carries the layers up to this one: `bisect` only.
    Trial(Layer),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// `CLIENT/NAME` of a wrapped entry.
    pub id: Option<String>,
    /// The jail's flags.
    pub jail: JailArgs,
    /// The server's command line.
    pub command: Vec<OsString>,
    /// Where the policy comes from.
    pub policy: PolicySource,
    /// Protection taken away: `demo` only.
    pub without: Option<Protection>,
    /// What is told of what the jail refuses.
    pub observe: Observe,
}

/// Everything decided, nothing started.
#[derive(Debug)]
pub struct Prepared {
    /// What was asked for.
    pub request: Request,
    /// The plan: what `run --explain` prints.
    pub plan: Plan,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// Id of the session to be.
    session: String,
    /// Who hears what is opened: `learn` only.
    witness: Option<Arc<Witness>>,
    /// The pin of its package, if the registry should be asked for something newer once it runs.
    check: Option<String>,
    /// Its own logins, if its profile names some.
    logins: Option<Given>,
    /// The approval by which it starts, if the policy asks about it.
    approval: Option<String>,
}

impl Prepared {
    /// With a plan of its own, wider than the profile in force: `learn` only.
    pub fn to_learn(request: Request, plan: Plan, policy: Arc<Policy>, witness: Arc<Witness>) -> Self {
        let session = uuid::Uuid::now_v7().to_string();
        Self {
            request,
            plan,
            policy,
            session,
            witness: Some(witness),
            check: None,
            logins: None,
            approval: None,
        }
    }
}

/// A running session, before its relay starts.
#[derive(Debug)]
pub struct Session {
    /// The plan that was carried out.
    pub plan: Plan,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// The detectors.
    pub engine: Arc<Engine>,
    /// The server in its jail, with the [`stockade_sandbox::Enforcement`].
    pub jailed: Jailed,
    /// The judge of its messages.
    pub mediator: Mediator,
    /// Where decisions go.
    pub log: EventLog,
    /// What the jail refuses.
    pub denials: Denials,
    /// What leads out of the jail, and in.
    pub network: Served,
    /// Takes the container away at the end, if there is one.
    pub container: Option<container::Guard>,
    /// What messages are judged by, and where changes of it come from.
    pub in_force: InForce,
}

/// Reads files and computes the plan. Starts and writes nothing but a package that a runner's command line names and that
/// is not in the store yet.
///
/// # Errors
/// Every mistake in policy and profile files, unknown profile, forbidden grants, a server that policy denies, a package
/// that cannot be fetched.
pub fn prepare(request: Request, facts: &Facts) -> Result<Prepared, Failure> {
    prepare_with(request, facts, When::Missing)
}

/// As [`prepare`], and nothing is fetched: what is not in the store is an error. For `--explain`.
///
/// # Errors
/// As for [`prepare`].
pub fn prepare_only(request: Request, facts: &Facts) -> Result<Prepared, Failure> {
    prepare_with(request, facts, When::Never)
}

/// A plan that was made elsewhere, ready to be carried out: the jail of a fetch.
pub fn planned(request: Request, plan: Plan, policy: Policy, session: String) -> Prepared {
    Prepared {
        request,
        plan,
        policy: Arc::new(policy),
        session,
        witness: None,
        check: None,
        logins: None,
        approval: None,
    }
}

/// Takes away what a trial is to go without; the policy that is left.
fn on_trial(request: &Request, policy: Policy, plan: &mut Plan, facts: &Facts) -> Result<Policy, Failure> {
    let PolicySource::Trial(layer) = request.policy else { return Ok(policy) };
    layer.loosen(plan, facts);
    if layer < Layer::Policy { policies::starting(StartingPolicy::Observe, "") } else { Ok(policy) }
}

fn prepare_with(request: Request, facts: &Facts, when: When) -> Result<Prepared, Failure> {
    let policy = match request.policy {
        PolicySource::Machine | PolicySource::Trial(_) => {
            policies::load(facts, request.jail.policy.as_deref())?
        }
        PolicySource::Demo(policy) => of_the_demo(policy)?,
    };
    flags_allowed(&policy, &request.jail)?;
    let stand_in = packages::stand_in(&request.command, &request.jail, (&policy, facts), when)?;
    let (facts, command) = match &stand_in {
        Some(stand_in) => (&stand_in.facts, &stand_in.command),
        None => (facts, &request.command),
    };
    let mut resolved = identity::resolve(command, facts)?;
    let contained = container::asked(command, &mut resolved, facts)?;
    resolved.identities.extend(stand_in.iter().map(|stand_in| stand_in.identity.clone()));
    if matches!(request.policy, PolicySource::Demo(_)) {
        DEMO_IDENTITY.clone_into(&mut resolved.name);
        resolved.identities.insert(0, DEMO_IDENTITY.to_owned());
    }
    let starter = Starter { id: request.id.as_deref(), resolved: &resolved, question: Question::of(when) };
    let approval = match request.policy {
        PolicySource::Trial(layer) if layer < Layer::Policy => None,
        _ => admit_start(&policy, &starter, facts)?,
    };
    let available = profiles::Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
    let (profile, profile_why) = choose_profile(&available, &policy, &request.jail, &resolved.identities)?;
    let own = destinations::own_job(profile, &available, (&resolved, contained.is_some()), facts);
    let widened = match &request.jail.fragment {
        Some(fragment) => Some(available.widened(profile, fragment)?),
        None => None,
    };
    let profile = widened.as_ref().unwrap_or(profile);
    // What is in a container has no private home here.
    let logins = match contained {
        None if matches!(request.policy, PolicySource::Demo(_)) => None,
        None => logins_of(profile, request.id.as_deref(), (&resolved, &policy), facts)?,
        Some(_) => None,
    };
    let profile = logins.as_ref().map_or(profile, |given| &given.profile);
    let session = uuid::Uuid::now_v7().to_string();
    let entry_env = entry_env(&request, stand_in.as_ref(), facts);
    let input = plan::Input {
        facts,
        jail: &request.jail,
        id: request.id.as_deref(),
        resolved: &resolved,
        profile,
        profile_why,
        policy_hash: policy.hash(),
        entry_env: &entry_env,
        tmp_name: &uuid::Uuid::new_v4().to_string(),
        without: request.without,
    };
    let mut plan = Plan::make(&input, &host::FileTree)?;
    plan.ruleset.observe = request.observe;
    plan.own = own;
    announce_shim(&mut plan, facts);
    if let Some(logins) = &logins {
        logins.enter(&mut plan);
    }
    let policy = on_trial(&request, policy, &mut plan, facts)?;
    if let Some(asked) = &contained {
        container::contain(&mut plan, asked, (&session, &entry_env), facts, &host::FileTree)?;
    }
    let check = stand_in.as_ref().and_then(|stand_in| stand_in.due.clone());
    Ok(Prepared { request, plan, policy: Arc::new(policy), session, witness: None, check, logins, approval })
}

/// Variables that the entry of the client's config sets, and those that a package's runner would.
fn entry_env(request: &Request, stand_in: Option<&packages::StandIn>, facts: &Facts) -> Vec<String> {
    let named = |id| {
        clients::env_names(id, facts)
            .or_else(|| Some(clients::env_names_by_parent(&facts.env, &host::environments_around()?)))
    };
    let entry = request.id.as_deref().and_then(named);
    let runner = stand_in.into_iter().flat_map(|stand_in| stand_in.set.iter().cloned());
    entry.unwrap_or_default().into_iter().chain(runner).collect()
}

/// What was decided about the server's own logins, if its profile names some.
///
/// # Errors
/// When what was decided cannot be read.
pub(crate) fn logins_of(
    profile: &Profile,
    id: Option<&str>,
    (resolved, policy): (&identity::Resolved, &Policy),
    facts: &Facts,
) -> Result<Option<Given>, Failure> {
    if profile.logins.is_empty() {
        return Ok(None);
    }
    let split = id.and_then(|id| id.split_once('/'));
    let who = logins::Who {
        key: plan::server_key(id, resolved),
        server: split.map_or_else(|| resolved.name.clone(), |(_, name)| name.to_owned()),
        id: id.map(str::to_owned),
        identity: resolved.identities.clone(),
    };
    logins::apply(profile, who, policy, facts).map(Some)
}

/// A program in its jail, with its events on record and nobody at its pipes yet.
#[derive(Debug)]
pub struct Fenced {
    /// The plan that was carried out.
    pub plan: Plan,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// The detectors.
    pub engine: Arc<Engine>,
    /// What they were made with beside the built-in ones.
    custom: policies::Custom,
    /// The program in its jail, with the [`stockade_sandbox::Enforcement`].
    pub jailed: Jailed,
    /// Where decisions go.
    pub log: EventLog,
    /// What the jail refuses.
    pub denials: Denials,
    /// What leads out of the jail, and in.
    pub network: Served,
    /// Takes the container away at the end, if there is one.
    pub container: Option<container::Guard>,
    /// Names of the variables whose values came from the keychain.
    from_keychain: Vec<String>,
}

/// What was heard of refusals, and who judges it.
#[derive(Debug)]
pub struct Denials {
    /// What was heard.
    pub ledger: Arc<Ledger>,
    /// What the fence says to what was opened.
    pub court: Court,
    /// The thread that tells.
    pub supervisor: Option<Supervisor>,
}

/// Carries the plan out: private directories, event log, jail. Must be called before any thread (and so before any
/// tokio runtime) starts.
///
/// # Errors
/// When a directory cannot be made, the log cannot be opened, or the jail is refused.
pub fn start(prepared: Prepared, facts: &Facts) -> Result<Session, Failure> {
    let without = match prepared.request.policy {
        PolicySource::Trial(layer) if layer < Layer::Policy => Some(Protection::Dlp),
        _ => prepared.request.without,
    };
    let origin = match prepared.request.policy {
        PolicySource::Machine => Source::Files(prepared.request.jail.policy.clone()),
        PolicySource::Demo(_) | PolicySource::Trial(_) => Source::Fixed,
    };
    let definitions = match &origin {
        Source::Files(_) => Some(Definitions::open(&prepared.plan, facts)?),
        Source::Fixed => None,
    };
    let (check, approval) = (prepared.check.clone(), prepared.approval.clone());
    let logins = told_logins(&prepared);
    let fenced = fence(prepared, facts)?;
    let Fenced { plan, policy, engine, custom, jailed, mut log, denials, network, container, from_keychain } =
        fenced;
    let pins = definitions.as_ref().map_or_else(Pins::default, Definitions::pins);
    let names = SessionFacts { pins, ..session_facts(&plan) };
    let seed = *uuid::Uuid::new_v4().as_bytes();
    let mut mediator = Mediator::new(Arc::clone(&policy), Arc::clone(&engine), names, seed);
    mediator.dangerously_without(match without {
        Some(Protection::Wire) => Without::Wire,
        Some(Protection::Dlp) => Without::Dlp,
        _ => Without::Nothing,
    });
    let judges = Judges { policy: Arc::clone(&policy), engine: Arc::clone(&engine), custom };
    let in_force = InForce::begin(&mut mediator, judges, (log.session(), origin), facts)?;
    let in_force = in_force.with_definitions(definitions);
    let start = SessionStart::new(&plan, &policy, &jailed.enforcement).after(&jailed.attempts).by(approval);
    record_start(&mut log, SessionStart { from_keychain, ..start }, facts)?;
    if let Some(logins) = logins {
        logins.tell(&mut log, facts);
    }
    if let Some(key) = check {
        packages::check_later(&key);
    }
    Ok(Session { plan, policy, engine, jailed, mediator, log, denials, network, container, in_force })
}

/// What the mediator has to know of the plan and of whoever asks.
fn session_facts(plan: &Plan) -> SessionFacts {
    // In a container paths are others, and its mounts bound what they name.
    let files = plan.ruleset.files.as_ref().filter(|_| plan.container.is_none());
    let roots_within = files.map(|files| {
        // A path that is not UTF-8 cannot be written as a URI that is judged.
        files.wide.iter().filter_map(|rule| rule.path.to_str().map(str::to_owned)).collect()
    });
    let standing = policies::Standing::gather();
    SessionFacts {
        identities: plan.identities.clone(),
        server_name: plan.server_name.clone(),
        client_name: plan.client_name.clone(),
        user: standing.user,
        groups: standing.groups,
        device: standing.device,
        roots_within,
        pins: Pins::default(),
        own: plan.own.credentials(),
    }
}

/// As [`start`], without a mediator: `jail`.
///
/// # Errors
/// As for [`start`].
pub fn start_unmediated(prepared: Prepared, facts: &Facts) -> Result<Fenced, Failure> {
    let logins = told_logins(&prepared);
    let mut fenced = fence(prepared, facts)?;
    let start = SessionStart::new(&fenced.plan, &fenced.policy, &fenced.jailed.enforcement);
    let start = start.after(&fenced.jailed.attempts);
    let from_keychain = std::mem::take(&mut fenced.from_keychain);
    record_start(&mut fenced.log, SessionStart { mediated: false, from_keychain, ..start }, facts)?;
    if let Some(logins) = logins {
        logins.tell(&mut fenced.log, facts);
    }
    Ok(fenced)
}

/// The logins that a start tells of: what `bisect` tries is no start that anybody reads about.
fn told_logins(prepared: &Prepared) -> Option<Given> {
    match prepared.request.policy {
        PolicySource::Trial(_) => None,
        PolicySource::Machine | PolicySource::Demo(_) => prepared.logins.clone(),
    }
}

fn fence(prepared: Prepared, facts: &Facts) -> Result<Fenced, Failure> {
    let Prepared { mut plan, policy, session, witness, .. } = prepared;
    stockade_sandbox::limit_retained_memory();
    let key = state::open(&facts.state_dir)?;
    let custom = policies::Custom::load(&policy, facts.uid)?;
    for dir in &plan.private_dirs {
        state::make_private(dir)?;
    }
    let mut log = open_log(&plan, &policy, session, facts)?;
    let from_keychain =
        secrets::fill(&mut plan.ruleset.env, &plan.lasting.identity).inspect_err(|failure| {
            let _ = log.append("session.refused", &SessionRefused { why: failure.to_string() });
        })?;
    let custom = custom.with_environment(&plan.ruleset.env);
    let (egress, shim) = ways_out(&mut plan, facts)?;
    let ledger = Arc::new(Ledger::default());
    let ear = witness.map(|witness| witness as Arc<dyn Ear>);
    let gate = Arc::new(Watch::new(egress.gate(), Arc::clone(&ledger), ear));
    let memory = BackendMemory::open(&facts.state_dir);
    let spawned = stockade_sandbox::spawn_knowing(&plan.command, &plan.ruleset, gate, memory.known());
    let mut jailed = match spawned {
        Ok(jailed) => jailed,
        Err(error) => {
            let failure = Failure::from(error);
            // The refusal itself is worth an event; that it cannot be written changes nothing about the refusal.
            let _ = log.append("session.refused", &SessionRefused { why: failure.to_string() });
            let _ = std::fs::remove_dir_all(&plan.session_tmp);
            return Err(failure);
        }
    };
    let container = plan.container.clone().map(container::Guard::new);
    memory.keep(&jailed.knowledge);
    let engine = Engine::with_custom(&custom.data, HashKey(key)).map_err(|error| {
        Failure::new(Kind::Config, "the keyword lists and canaries of the policy cannot be used")
            .because(&error)
            .hint("make them smaller")
    })?;
    let custom = custom.without_keywords();
    let fence = Fence::new(plan.ruleset.files.clone(), jailed.enforcement.backend);
    let court = Court::new(fence, ClosedPlaces::of(facts, &host::FileTree), Box::new(HostFiles));
    if let Some(contained) = &plan.container {
        jailed.enforcement = container::enforcement(contained, jailed.enforcement.backend);
    }
    let denials = Denials { ledger, court, supervisor: jailed.supervisor.take() };
    let doors = jailed.doors.take();
    // Without doors the server listens on the host's loopback itself, if it may listen at all.
    let ports = if doors.is_some() { plan.egress.listen.as_slice() } else { &[] };
    let ports: Vec<u16> = ports.iter().copied().filter(|port| *port != Doors::ANY_PORT).collect();
    let inbound = Inbound::bind(&ports).inspect_err(|_| {
        let _ = std::fs::remove_dir_all(&plan.session_tmp);
    })?;
    let network = Served { egress, doors, inbound, shim: Some(shim) };
    let engine = Arc::new(engine);
    Ok(Fenced { plan, policy, engine, custom, jailed, log, denials, network, container, from_keychain })
}

/// What stands between the jail and the outside, and what the server calls to have a page opened.
fn ways_out(plan: &mut Plan, facts: &Facts) -> Result<(Egress, Shim), Failure> {
    let egress = Egress::new(plan.egress.clone(), &facts.env).map_err(|error| {
        Failure::new(Kind::Software, "the addresses of this machine cannot be told").because(&error)
    })?;
    // Done before, unless the plan was made elsewhere.
    announce_shim(plan, facts);
    let browser = facts.var("BROWSER").cloned();
    let shim = Shim::place(&shim_dir(plan, facts), &plan.session_tmp, browser)?;
    Ok((egress, shim))
}

/// Beside the session's own directory, which the server may write.
fn shim_dir(plan: &Plan, facts: &Facts) -> PathBuf {
    plan.private_dirs.first().and_then(|state| state.parent()).unwrap_or(&facts.state_dir).join("shim")
}

/// Into the plan, so that what is explained is what is done.
fn announce_shim(plan: &mut Plan, facts: &Facts) {
    let dir = shim_dir(plan, facts);
    if Shim::announce(&dir, &plan.session_tmp, &mut plan.ruleset) {
        plan.reasons.push("hands web pages to the browser outside".to_owned());
    }
}
