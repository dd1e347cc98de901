//! PURE: profile + policy + facts → everything that will be done. The file system is looked at through [`Tree`] alone, so
//! that a plan can be tested without one.

mod closed;
mod environment;
mod explain;
mod network;
mod own;
mod paths;
mod places;
mod tree;
mod variables;

use std::path::{Path, PathBuf};

use stockade_policy::document::profile::{PathGrant, Profile, Require};
use stockade_sandbox::{
    Access, BackendChoice, Command, Files, Limits, Need, Observe, PathRule, Required, Ruleset, TreeEnd,
};

use crate::cli::{BackendArg, JailArgs, Protection};
use crate::container::Contained;
use crate::egress;
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::identity::Resolved;

use variables::Variables;

pub use own::{OwnJob, Standing};
pub use places::{ClosedPlaces, tree_size};
pub use tree::{EntryKind, Tree};
pub use variables::OF_CLIENTS;

/// A complete decision about how to start a server.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name people know the server by: the NAME of its id, or its program's name.
    pub server_name: String,
    /// The client by its id, if the id names one (`claude-code`).
    pub client_name: Option<String>,
    /// Identities: package URL first if known, then `file:sha256:…`.
    pub identities: Vec<String>,
    /// What the server is known by, whatever its version and whatever client starts it.
    pub lasting: Lasting,
    /// Profile in force.
    pub profile: String,
    /// Why that profile: `--profile`, `matches pkg:npm/…`, `default of the policy`.
    pub profile_why: String,
    /// Hash of the policy in force.
    pub policy_hash: String,
    /// What will be started.
    pub command: Command,
    /// What the kernel will be told.
    pub ruleset: Ruleset,
    /// What the broker will be told.
    pub egress: egress::Settings,
    /// Bytes a second that are read of the server's stdout and stderr.
    pub output_bytes_per_second: u64,
    /// Directories of the server's own that have to exist.
    pub private_dirs: Vec<PathBuf>,
    /// Of these, the one that is removed at the end.
    pub session_tmp: PathBuf,
    /// Why each path is granted, in the order of the ruleset's wide paths.
    pub reasons: Vec<String>,
    /// Why each Unix socket is granted, in the order of the ruleset's.
    pub unix_reasons: Vec<String>,
    /// What is different about files if the backend has no view of its own, in words.
    pub without_view: Vec<String>,
    /// Whatever was asked for and not granted, in words.
    pub notes: Vec<String>,
    /// Grants by flag, as asked for, for the record.
    pub flag_grants: Vec<String>,
    /// Credentials that are its job, if they are.
    pub own: OwnJob,
    /// The container that this is the engine's part of, if the server runs in one.
    pub container: Option<Contained>,
}

/// A server beyond one version and one client's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lasting {
    /// The package's or program's own name.
    pub name: String,
    /// Package URL without a version; of other code, where it lies.
    pub identity: String,
}

/// What a plan is made from.
#[derive(Debug)]
pub struct Input<'a> {
    /// Facts of the host.
    pub facts: &'a Facts,
    /// The jail's flags.
    pub jail: &'a JailArgs,
    /// `CLIENT/NAME`
    pub id: Option<&'a str>,
    /// What the command line really runs.
    pub resolved: &'a Resolved,
    /// The profile, and why it was chosen.
    pub profile: &'a Profile,
    /// Why it was chosen.
    pub profile_why: String,
    /// Hash of the policy.
    pub policy_hash: String,
    /// Names in the `env` block of the client's entry.
    pub entry_env: &'a [String],
    /// Name of the session's temporary directory: not its id, which names its segment of events.
    pub tmp_name: &'a str,
    /// A protection that the demo takes away.
    pub without: Option<Protection>,
}

impl Plan {
    /// Joins everything.
    ///
    /// # Errors
    /// When a flag asks for what no flag may open, or a profile's path cannot be resolved.
    pub fn make(input: &Input<'_>, tree: &dyn Tree) -> Result<Self, Failure> {
        let names = Names::of(input.id, input.resolved);
        let dirs = paths::PrivateDirs::of(&input.facts.state_dir, &names.key, input.tmp_name);
        let variables = Variables::new(input, &dirs, tree);
        let env = match input.without {
            Some(Protection::Env) => input.facts.env.clone().into_iter().collect(),
            _ => environment::build(input, &variables)?,
        };
        let variables = variables.with_environment(&env, tree);
        let mut grants = paths::Grants::new(input.facts, tree);
        grants.private(&dirs);
        add_profile(&mut grants, input, &variables)?;
        let mut flag_grants = add_flags(&mut grants, input)?;
        network::certificates(&env, tree, &mut grants)?;
        let mut backend = backend(input);
        let connections = network::connections(input, &env, &variables, &mut grants, backend)?;
        flag_grants.extend(connections.flag_grants);
        let strict = input.profile.strict == Some(true);
        let fenced = closed::fence(grants.settle(), tree, strict)?;
        if strict && fenced.needs_view {
            backend = with_view(input, backend)?;
        }
        let files = Files { scratch: Some(dirs.tmp.clone()), ..fenced.files };
        let ruleset = Ruleset {
            files: (input.without != Some(Protection::Fs)).then_some(files),
            unix: connections.unix,
            observe: Observe::Refused,
            network: connections.network,
            env,
            limits: limits(input.profile),
            backend,
            required: required(input),
            tree_end: match input.without {
                Some(Protection::Tree) => TreeEnd::DangerousLeave,
                _ => TreeEnd::Kill,
            },
        };
        Ok(Self {
            server_name: names.server,
            client_name: names.client,
            identities: input.resolved.identities.clone(),
            lasting: Lasting::of(input.resolved),
            profile: input.profile.name.to_string(),
            profile_why: input.profile_why.clone(),
            policy_hash: input.policy_hash.clone(),
            command: Command {
                program: input.resolved.program.clone(),
                argv: input.resolved.argv.clone(),
                cwd: input.facts.cwd.clone(),
            },
            ruleset,
            egress: connections.egress,
            output_bytes_per_second: output(input.profile),
            private_dirs: dirs.all(),
            session_tmp: dirs.tmp,
            reasons: fenced.reasons,
            unix_reasons: connections.unix_reasons,
            without_view: fenced.without_view,
            notes: fenced.notes,
            flag_grants,
            own: OwnJob::default(),
            container: None,
        })
    }

    /// The plan as a person reads it: what `run --explain` prints.
    pub fn explain(&self) -> String {
        explain::text(self)
    }
}

/// Name of the directory of a server's own files, by the id of its entry and by what it runs.
pub fn server_key(id: Option<&str>, resolved: &Resolved) -> String {
    Names::of(id, resolved).key
}

/// A server's private directories for state and cache, by its key.
pub fn private_dirs(state_dir: &Path, key: &str) -> [PathBuf; 2] {
    let dirs = paths::PrivateDirs::of(state_dir, key, "");
    [dirs.state, dirs.cache]
}

/// What a server stays known by when its version changes.
pub fn lasting_identity(resolved: &Resolved) -> String {
    Lasting::of(resolved).identity
}

impl Lasting {
    fn of(resolved: &Resolved) -> Self {
        let identity = match resolved.identities.first() {
            Some(identity) if identity.starts_with("pkg:") => lasting_package(identity),
            Some(identity) if identity.starts_with("command:") => identity.clone(),
            // A path may be private, and a command line hold a credential.
            _ => format!("code:sha256:{}", crate::identity::sha256_hex(resolved.code.as_bytes())),
        };
        Self { name: resolved.name.clone(), identity }
    }
}

/// `pkg:oci/a@sha256:b?repository_url=c&tag=d` → `pkg:oci/a?repository_url=c`
fn lasting_package(purl: &str) -> String {
    let (name, qualifiers) = purl.split_once('?').unwrap_or((purl, ""));
    let kept: Vec<&str> =
        qualifiers.split('&').filter(|part| !part.is_empty() && !part.starts_with("tag=")).collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{}{mark}{}", without_version(name), kept.join("&"))
}

struct Names {
    server: String,
    client: Option<String>,
    /// Directory name of the server's private state.
    key: String,
}

impl Names {
    fn of(id: Option<&str>, resolved: &Resolved) -> Self {
        let split = id.and_then(|id| id.split_once('/'));
        let server = match split {
            Some((_, name)) => name.to_owned(),
            None => resolved.name.clone(),
        };
        // A version that changes must not lose the server's state.
        let stable = match (id, resolved.identities.first()) {
            (Some(id), _) => id.to_owned(),
            (None, Some(identity)) if identity.starts_with("pkg:") => without_version(identity).to_owned(),
            _ => resolved.code.clone(),
        };
        let readable: String = server
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .take(40)
            .collect();
        let key = format!("{readable}-{}", &crate::identity::sha256_hex(stable.as_bytes())[..8]);
        Self { server, client: split.map(|(client, _)| client.to_owned()), key }
    }
}

/// `pkg:npm/%40a/b@1.2` → `pkg:npm/%40a/b`
fn without_version(purl: &str) -> &str {
    match purl.rfind('@') {
        Some(at) if at > purl.rfind('/').unwrap_or(0) + 1 => &purl[..at],
        _ => purl,
    }
}

fn add_profile(
    grants: &mut paths::Grants<'_>,
    input: &Input<'_>,
    variables: &Variables<'_>,
) -> Result<(), Failure> {
    for place in input.profile.closed.iter() {
        for expanded in variables.paths(&place.path)? {
            grants.close(expanded.path);
        }
    }
    let lists: [(&[PathGrant], Access); 3] = [
        (&input.profile.exec, Access::ReadExecute),
        (&input.profile.read, Access::Read),
        (&input.profile.write, Access::ReadWrite),
    ];
    for (list, access) in lists {
        for grant in list {
            for expanded in variables.paths(&grant.path)? {
                let origin = paths::Origin::Profile { base: expanded.base.as_deref() };
                grants.add(&expanded.path, access, origin, &grant.reason)?;
            }
        }
    }
    Ok(())
}

fn add_flags(grants: &mut paths::Grants<'_>, input: &Input<'_>) -> Result<Vec<String>, Failure> {
    let mut recorded = Vec::new();
    let lists = [
        (&input.jail.grant_read, Access::Read, "--grant-read"),
        (&input.jail.grant_write, Access::ReadWrite, "--grant-write"),
    ];
    for (list, access, flag) in lists {
        for path in list {
            let absolute = input.facts.cwd.join(path);
            grants.add(&absolute, access, paths::Origin::Flag(flag), flag)?;
            recorded.push(format!("{flag} {}", absolute.display()));
        }
    }
    Ok(recorded)
}

fn limits(profile: &Profile) -> Limits {
    Limits {
        open_files: profile.limits.open_files.unwrap_or(4096),
        file_bytes: profile.limits.file_bytes.unwrap_or(4 << 30),
        processes: profile.limits.processes.unwrap_or(256),
        cpu_seconds: profile.limits.cpu_seconds,
        memory_bytes: profile.limits.memory_bytes,
    }
}

/// Far beyond what any client reads: only a flood comes near it.
fn output(profile: &Profile) -> u64 {
    profile.limits.output_bytes_per_second.unwrap_or(256 << 20)
}

fn backend(input: &Input<'_>) -> BackendChoice {
    match (input.without, input.jail.backend) {
        // A pid namespace would end the tree all the same.
        (Some(Protection::Tree), _) | (_, BackendArg::Static) => BackendChoice::Static,
        (_, BackendArg::Namespaces) => BackendChoice::Namespaces,
        (_, BackendArg::Notify) => BackendChoice::Notify,
        (_, BackendArg::Auto) => BackendChoice::Auto,
    }
}

/// A backend that can close what `strict` wants closed.
fn with_view(input: &Input<'_>, backend: BackendChoice) -> Result<BackendChoice, Failure> {
    match backend {
        BackendChoice::Auto | BackendChoice::Namespaces => Ok(BackendChoice::Namespaces),
        BackendChoice::Notify | BackendChoice::Static => {
            let what = format!(
                "profile `{}` is strict, and this backend cannot close all of its places",
                input.profile.name
            );
            Err(Failure::new(Kind::Permission, what)
                .cause("without a mount namespace, what appears in a granted directory later stays open")
                .hint("use the namespaces backend, or leave `strict` out of the profile"))
        }
    }
}

fn required(input: &Input<'_>) -> Required {
    let need = |require: Require, without: Protection| match require {
        _ if input.without == Some(without) => Need::BestEffort,
        Require::Full => Need::Full,
        Require::BestEffort => Need::BestEffort,
    };
    Required {
        fs: need(input.profile.require_fs, Protection::Fs),
        net: need(input.profile.require_net, Protection::Net),
        process: need(input.profile.require_process, Protection::Tree),
    }
}

/// One rule of the plan for a report: what, where, why.
pub fn rule_line(rule: &PathRule, reason: &str) -> String {
    let word = match rule.access {
        Access::Read => "read",
        Access::ReadExecute => "read, execute",
        Access::ReadWrite => "read, write",
    };
    format!("{word:<13} {}  ({reason})", rule.path.display())
}

#[cfg(test)]
mod tests;
