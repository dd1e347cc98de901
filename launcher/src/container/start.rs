//! From a judged command line to a plan: the engine's own program runs in a jail that holds the engine's socket and the
//! system's files, and nothing of the server's. The server runs where the engine puts it.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use stockade_sandbox::{
    Access, Files, Need, Network as Ways, PathRule, Required, Ruleset, TreeEnd, UnixReach, UnixRule,
};

use super::engine::{self, Local};
use super::judge::{self, Granted, Judged, Network, Objection};
use crate::egress;
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::identity::Resolved;
use crate::identity::image::Image;
use crate::identity::invocation::{self, ContainerRun, Runs};
use crate::plan::{Plan, Tree};

/// Memory of a container whose profile names no limit.
const MEMORY_BYTES: u64 = 2 << 30;

/// A container's command line, read.
#[derive(Clone, Debug)]
pub struct Asked {
    run: ContainerRun,
    /// What is started: the image by its digest, where the engine has it.
    image: String,
    /// Variables that wrappers set for the engine's program.
    set: Vec<(String, OsString)>,
}

/// A container that a plan is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contained {
    /// The engine's program.
    pub program: PathBuf,
    /// What the container is called.
    pub name: String,
    /// The network that it has.
    pub network: Network,
    /// Whether directories of the host are in it.
    pub mounts: bool,
    /// Environment of the engine's program.
    env: Vec<(OsString, OsString)>,
}

/// Reads a command line; `None` if it is no container's. The image's package URL comes first among the identities then.
///
/// # Errors
/// When it cannot be told what the container would be given, or the engine does not answer.
pub fn asked(command: &[OsString], resolved: &mut Resolved, facts: &Facts) -> Result<Option<Asked>, Failure> {
    let read = invocation::parse(command);
    let Runs::Container(run) = read.runs else { return Ok(None) };
    if !read.remainder.is_empty() {
        let failure = Failure::new(Kind::Usage, "cannot tell what this container would be given");
        let failure = read.remainder.into_iter().fold(failure, Failure::cause);
        return Err(failure.hint("leave these words out"));
    }
    if run.engine != "docker" {
        return Err(Failure::new(Kind::Permission, format!("containers of {} cannot be started yet", run.engine))
            .cause("it makes containers with programs that gain privileges, and nothing that Stockade starts may do that")
            .hint("use `docker run`; podman's own service speaks to that as well (DOCKER_HOST)"));
    }
    trusted(&resolved.program, facts)?;
    let Some(image) = Image::parse(&run.image, &run.engine) else {
        return Err(Failure::new(Kind::Permission, format!("`{}` is no image of a registry", run.image))
            .cause("an image without such a name cannot be approved")
            .hint("name it as `registry/owner/name`"));
    };
    let mut started = run.image.clone();
    if image.digest.is_none() {
        match engine::local(&resolved.program, &run.image, &image, facts) {
            Local::Digest(digest) => {
                let pinned = Image { digest: Some(digest), ..image.clone() };
                resolved.identities.insert(0, pinned.purl());
                // What was judged is what runs, even if the tag moves meanwhile.
                started = pinned.pinned().unwrap_or(started);
            }
            Local::Built | Local::Absent => {}
            Local::Silent(why) => {
                return Err(Failure::new(
                    Kind::Software,
                    format!("the container engine does not answer: {why}"),
                )
                .hint("start it; `docker version` says whether it runs"));
            }
        }
    }
    image.name().clone_into(&mut resolved.name);
    // An image's paths mean nothing here.
    resolved.argument_paths.clear();
    resolved.code.clone_from(&image.repository);
    Ok(Some(Asked { run, image: started, set: read.set }))
}

/// The engine's program reaches the engine: it must be nobody's but the system's or the user's.
///
/// # Errors
/// When it is not, and whose it is.
pub fn trusted(program: &Path, facts: &Facts) -> Result<(), Failure> {
    let refused = |why: String| {
        Failure::new(Kind::Permission, format!("will not hand the container engine to {}", program.display()))
            .cause(why)
            .hint("put the engine's own program first in PATH")
    };
    let real = std::fs::canonicalize(program).map_err(|error| refused(error.to_string()))?;
    for path in [Some(real.as_path()), real.parent()].into_iter().flatten() {
        let file = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?;
        if file.mode() & 0o022 != 0 || ![0, facts.uid].contains(&file.uid()) {
            return Err(refused(format!("others may change {}", path.display())));
        }
    }
    if facts.cwd != Path::new("/") && real.starts_with(&facts.cwd) {
        return Err(refused("it lies in the working directory, which belongs to the project".to_owned()));
    }
    Ok(())
}

/// Turns a server's plan into the plan of its container: what the server may have goes into the command line, and the
/// engine's program gets a jail of its own. `entry_env` are names that the client's entry sets.
///
/// # Errors
/// When the command line asks for more than is granted, or the profile requires more than a container can hold.
pub fn contain(
    plan: &mut Plan,
    asked: &Asked,
    (session, entry_env): (&str, &[String]),
    facts: &Facts,
    tree: &dyn Tree,
) -> Result<(), Failure> {
    let Some(files) = plan.ruleset.files.clone() else {
        return Err(Failure::new(Kind::Software, "a container's plan has no files"));
    };
    let mut server_env = plan.ruleset.env.clone();
    server_env.extend(asked.set.iter().map(|(name, value)| (OsString::from(name), value.clone())));
    let granted = Granted {
        paths: files.wide,
        closed: files.closed,
        variables: server_env.iter().map(|(name, _)| name.clone()).filter(|name| is_harmless(name)).collect(),
        network: if plan.egress.grants.is_empty() { Network::None } else { Network::Bridge },
        processes: plan.ruleset.limits.processes,
        memory_bytes: plan.ruleset.limits.memory_bytes.unwrap_or(MEMORY_BYTES),
        cwd: facts.cwd.clone(),
    };
    let name = format!("stockade-{session}");
    let Judged { words, notes, network } = judge::judge(&asked.run, &granted, (&name, &asked.image), tree)
        .map_err(|objections| refusal(&objections))?;
    let mounts = words.iter().any(|word| word.to_string_lossy().starts_with("--mount=type=bind"));
    required(plan, network, mounts)?;
    let socket = socket(facts, entry_env)?;
    let env = engine_env(server_env, &granted, facts, entry_env);
    let own = own_files(&plan.command.program, facts, tree);
    plan.command.argv = std::iter::once(OsString::from(&asked.run.engine)).chain(words).collect();
    plan.command.cwd = PathBuf::from("/");
    plan.reasons = own.iter().map(|_| "the container engine's own program".to_owned()).collect();
    plan.unix_reasons = vec!["the container engine, for its own program alone".to_owned()];
    plan.egress = egress::Settings::default();
    plan.without_view.clear();
    plan.notes.extend(notes);
    plan.ruleset = Ruleset {
        files: Some(Files { scratch: files.scratch, ..Files::plain(own) }),
        network: Ways::None,
        unix: vec![UnixRule { path: socket, reach: UnixReach::Socket }],
        env: env.clone(),
        required: Required { fs: Need::BestEffort, net: Need::BestEffort, process: Need::BestEffort },
        tree_end: TreeEnd::Kill,
        ..plan.ruleset.clone()
    };
    plan.ruleset.limits.memory_bytes = None;
    plan.ruleset.limits.processes = plan.ruleset.limits.processes.max(64);
    plan.container = Some(Contained { program: plan.command.program.clone(), name, network, mounts, env });
    Ok(())
}

fn refusal(objections: &[Objection]) -> Failure {
    let mut failure =
        Failure::new(Kind::Permission, "this container would be given what its profile does not grant");
    for objection in objections {
        failure = failure.cause(format!("{}: {}", objection.what, objection.why));
    }
    for objection in objections {
        failure = failure.hint(format!("{}: {}", objection.what, objection.remedy));
    }
    failure
}

/// What a container holds only in part stops a start that requires it in full.
fn required(plan: &Plan, network: Network, mounts: bool) -> Result<(), Failure> {
    let lacks = |what: &str, why: &str, key: &str| {
        let what =
            format!("profile `{}` requires {what} in full, and a container holds it in part", plan.profile);
        Failure::new(Kind::Permission, what)
            .cause(why)
            .hint(format!("a profile that is content with less says `[require] {key} = \"best-effort\"`"))
    };
    if plan.ruleset.required.net == Need::Full && network == Network::Bridge {
        let why = "a container with a network reaches every host: names are not checked there";
        return Err(lacks("the network", why, "net"));
    }
    if plan.ruleset.required.fs == Need::Full && mounts {
        let why = "what appears in a mounted directory later, such as a new `.env`, is not closed";
        return Err(lacks("files", why, "fs"));
    }
    Ok(())
}

/// Names that are nothing to the engine's program. Others would change what it loads or whom it talks to.
fn is_harmless(name: &OsStr) -> bool {
    const NAMES: &[&str] =
        &["PATH", "HOME", "TMPDIR", "TMP", "TEMP", "GCONV_PATH", "LOCPATH", "SSLKEYLOGFILE", "NLSPATH"];
    const BEGINNINGS: &[&str] =
        &["LD_", "DYLD_", "DOCKER_", "GO", "SSL_CERT_", "MALLOC_", "XDG_", "GLIBC_", "BUILDKIT_"];
    name.to_str()
        .is_some_and(|name| !NAMES.contains(&name) && !BEGINNINGS.iter().any(|start| name.starts_with(start)))
}

/// What the engine's program is told: where its engine is, and the values of granted variables.
fn engine_env(
    server: Vec<(OsString, OsString)>,
    granted: &Granted,
    facts: &Facts,
    entry_env: &[String],
) -> Vec<(OsString, OsString)> {
    const OWN: &[&str] = &["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"];
    let mut env: Vec<_> = server.into_iter().filter(|(name, _)| granted.variables.contains(name)).collect();
    let own = OWN.iter().filter(|name| !entry_env.iter().any(|set| set == **name));
    env.extend(own.filter_map(|name| Some((OsString::from(name), facts.var(name)?.clone()))));
    env.push(("HOME".into(), facts.home.clone().into_os_string()));
    env.push(("PATH".into(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()));
    env
}

/// What the engine's program reads.
fn own_files(program: &Path, facts: &Facts, tree: &dyn Tree) -> Vec<PathRule> {
    let rule = |path: PathBuf, access| tree.canonical(&path).map(|path| PathRule { path, access });
    let run = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt"].map(PathBuf::from).into_iter();
    let read = ["/etc", "/proc", "/dev/urandom", "/dev/random", "/dev/zero"].map(PathBuf::from).into_iter();
    let config = facts.var("DOCKER_CONFIG").map_or_else(|| facts.home.join(".docker"), PathBuf::from);
    let mut rules: Vec<PathRule> = run
        .chain([program.to_owned()])
        .filter_map(|path| rule(path, Access::ReadExecute))
        .chain(read.chain([config]).filter_map(|path| rule(path, Access::Read)))
        .chain(rule(PathBuf::from("/dev/null"), Access::ReadWrite))
        .collect();
    rules.sort_by(|a, b| a.path.cmp(&b.path));
    rules.dedup_by(|later, earlier| later.path == earlier.path);
    rules
}

/// The engine's socket: `DOCKER_HOST`, the chosen context's, else the usual one.
fn socket(facts: &Facts, entry_env: &[String]) -> Result<PathBuf, Failure> {
    let var = |name: &str| facts.var(name).filter(|_| !entry_env.iter().any(|set| set == name)).cloned();
    let text = |value: OsString| value.to_string_lossy().into_owned();
    let config = var("DOCKER_CONFIG").map_or_else(|| facts.home.join(".docker"), PathBuf::from);
    let address = match var("DOCKER_HOST").map(text).filter(|host| !host.is_empty()) {
        Some(host) => host,
        None => {
            let context = var("DOCKER_CONTEXT").map(text).or_else(|| {
                let file = json(&config.join("config.json"))?;
                Some(file["currentContext"].as_str()?.to_owned())
            });
            let chosen = context.filter(|context| !context.is_empty() && context != "default");
            match chosen {
                None => "unix:///var/run/docker.sock".to_owned(),
                Some(context) => {
                    let id = Sha256::digest(context.as_bytes())
                        .iter()
                        .map(|b| format!("{b:02x}"))
                        .collect::<String>();
                    let meta = json(&config.join("contexts/meta").join(id).join("meta.json"));
                    let host =
                        meta.and_then(|meta| Some(meta["Endpoints"]["docker"]["Host"].as_str()?.to_owned()));
                    host.ok_or_else(|| nameless(&context))?
                }
            }
        }
    };
    let elsewhere = || {
        Failure::new(Kind::Permission, "the container engine is not on this machine")
            .cause("only an engine behind a Unix socket is used, and this one is called by another address")
            .hint("choose a local one: DOCKER_HOST=unix:///…, or `docker context use`")
    };
    let path = address
        .strip_prefix("unix://")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .ok_or_else(elsewhere)?;
    std::fs::canonicalize(&path).map_err(|error| {
        Failure::new(Kind::Software, format!("there is no container engine at {}", path.display()))
            .because(&error)
            .hint("start it; `docker version` says whether it runs")
    })
}

fn nameless(context: &str) -> Failure {
    Failure::new(Kind::Config, format!("the context `{context}` of the container engine names no address"))
        .hint("`docker context ls` shows them")
}

fn json(path: &Path) -> Option<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Takes the container away when the session is over. `--rm` does that for one that ends by itself; this is for one that does
/// not end.
#[derive(Debug)]
pub struct Guard(Contained);

impl Guard {
    /// Of a container that is being started.
    pub fn new(contained: Contained) -> Self {
        Self(contained)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut command = Command::new(&self.0.program);
        command.args(["rm", "--force", "--volumes", &self.0.name]).current_dir("/").env_clear();
        command.envs(self.0.env.iter().cloned()).stdin(Stdio::null());
        // One that is gone already is as it should be; of an engine that does not answer the next start will tell.
        let _ = engine::answer(&mut command);
    }
}
