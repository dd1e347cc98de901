//! The launcher's part: one thread, one jail, everything that happens printed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use stockade_sandbox::{
    Access, Attempt, BackendChoice, BackendFailure, Closed, ClosedPlace, Command, Doors, Files, Inward,
    Jailed, KeeperMessage, Knowledge, Limits, Need, Network, Observe, PathRule, Required, Ruleset,
    SpawnError, TreeEnd, UnixReach, UnixRule, probe, spawn_knowing,
};

use super::broker;
use super::gate::Gate;
use super::harness::say;
use super::sys;

/// `__host`: what this host can enforce.
pub(crate) fn host() -> ExitCode {
    let report = probe(BackendChoice::Auto).expect("a throw-away child can be made");
    say(&format!("@namespaces {}", report.namespaces.as_ref().err().map_or("ok", String::as_str)));
    say(&format!("@landlock {}", report.landlock_abi));
    say(&format!("@kernel {}", report.kernel));
    say(&format!("@seccomp {}", report.seccomp));
    say(&format!("@backend {}", report.enforcement.backend.word()));
    say(&format!("@degree-limits {:?}", report.enforcement.limits));
    ExitCode::SUCCESS
}

/// `__jail OPTIONS -- WORDS`
pub(crate) fn run(words: &[String]) -> ExitCode {
    let Asked { command, ruleset, habits, gate, known } = read(words);
    let gate = std::sync::Arc::new(gate);
    if habits.contains(&Habit::Threaded) {
        std::thread::spawn(std::thread::park);
    }
    if habits.contains(&Habit::Guarded) {
        nix::sys::prctl::set_dumpable(false).expect("prctl");
    }
    if habits.contains(&Habit::WithoutLandlock) {
        nix::sys::prctl::set_no_new_privs().expect("prctl");
        sys::refuse_landlock().expect("a filter");
    }
    if habits.contains(&Habit::Leak) {
        // Descriptors without close-on-exec, as a careless launcher may have them.
        std::mem::forget(sloppy("/etc/passwd"));
        std::mem::forget(sloppy("/"));
    }
    let start = Instant::now();
    match spawn_knowing(&command, &ruleset, gate.clone(), &Knowledge::new(known)) {
        Ok(mut jailed) => {
            say(&format!("@spawn_us {}", start.elapsed().as_micros()));
            let inward = jailed.doors.take().map(broker::serve);
            let keeper = &jailed.keeper;
            say(&format!("@keeper {}", keeper.keeper_pid()));
            say(&format!("@server {}", keeper.server_pid()));
            say(&format!("@backend {}", jailed.enforcement.backend.word()));
            say(&format!("@abi {}", jailed.enforcement.landlock_abi));
            for Attempt { backend, result } in &jailed.attempts {
                say(&format!("@attempt {} {result:?}", backend.word()));
            }
            for BackendFailure { backend, step, errno } in jailed.knowledge.failures() {
                say(&format!("@learnt {}:{errno}:{step}", backend.word()));
            }
            for (name, degree) in jailed.enforcement.guarantees() {
                say(&format!("@degree-{name} {degree:?}"));
            }
            for path in &jailed.enforcement.skipped_paths {
                say(&format!("@skipped {}", path.display()));
            }
            follow(jailed, &habits, inward.as_ref());
            gate.hear_out();
        }
        Err(error) => refused(&error),
    }
    if habits.contains(&Habit::Linger) {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
    ExitCode::SUCCESS
}

fn refused(error: &SpawnError) {
    let kind = match error {
        SpawnError::NotEnforceable { .. } => "not-enforceable",
        SpawnError::NotFound { .. } => "not-found",
        SpawnError::NotExecutable { .. } => "not-executable",
        SpawnError::Step { .. } => "step",
        SpawnError::Threaded { .. } => "threaded",
    };
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    say(&format!("@error {kind} {error} {source}"));
    // Nothing may be left behind: no child, not even a zombie.
    let left = nix::sys::wait::waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
    say(&format!("@left {left:?}"));
}

/// How to behave as a launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Start a thread first.
    Threaded,
    /// Hold descriptors without close-on-exec.
    Leak,
    /// Not dumpable, as a launcher that guards its memory.
    Guarded,
    /// SIGTERM to the server after its first output.
    Terminate,
    /// Kill the tree after its first output.
    Kill,
    /// Stay for a while after the end.
    Linger,
    /// Pass our own input on to the server.
    Talk,
    /// On a kernel that has no Landlock.
    WithoutLandlock,
    /// Connect to this port of the server's loopback after its first output.
    Visit(u16),
}

impl Habit {
    fn named(word: &str) -> Self {
        match word {
            "threaded" => Self::Threaded,
            "leak" => Self::Leak,
            "guarded" => Self::Guarded,
            "terminate" => Self::Terminate,
            "kill" => Self::Kill,
            "linger" => Self::Linger,
            "talk" => Self::Talk,
            "without-landlock" => Self::WithoutLandlock,
            visit if visit.starts_with("visit:") => Self::Visit(visit[6..].parse().expect("a port")),
            other => panic!("unknown launcher {other}"),
        }
    }

    fn visit(&self) -> Option<u16> {
        if let Self::Visit(port) = self { Some(*port) } else { None }
    }
}

/// What the command line asks for.
struct Asked {
    command: Command,
    ruleset: Ruleset,
    habits: Vec<Habit>,
    gate: Gate,
    known: Vec<BackendFailure>,
}

fn read(words: &[String]) -> Asked {
    let mut ruleset = ruleset();
    let (mut habits, mut known) = (Vec::new(), Vec::new());
    let mut gate = Gate::default();
    let mut cwd = "/".to_owned();
    let mut words = words.iter();
    while let Some(name) = words.next() {
        if name == "--" {
            break;
        }
        let value = words.next().expect("a value").clone();
        let mut grant = |access| {
            let files = files(&mut ruleset);
            let rule = PathRule { path: (&value).into(), access };
            files.wide.push(rule.clone());
            files.narrow.push(rule);
        };
        match name.as_str() {
            "--read" => grant(Access::Read),
            "--exec" => grant(Access::ReadExecute),
            "--write" => grant(Access::ReadWrite),
            "--cwd" => cwd = value,
            "--close" => close(&mut ruleset, &value, Closed::Entirely),
            "--close-contents" => close(&mut ruleset, &value, Closed::Contents),
            "--close-writing" => close(&mut ruleset, &value, Closed::ForWriting),
            "--list" => files(&mut ruleset).listed.push(value.into()),
            "--scratch" => files(&mut ruleset).scratch = Some(value.into()),
            "--env" => {
                let (name, value) = value.split_once('=').expect("a pair");
                ruleset.env.push((name.into(), value.into()));
            }
            "--backend" => ruleset.backend = backend(&value),
            "--require" => require(&mut ruleset.required, &value),
            "--port" => door(&mut ruleset, value.parse().expect("a port")),
            "--danger" => danger(&mut ruleset, &value),
            "--limit" => limit(&mut ruleset.limits, &value),
            "--launcher" => habits.push(Habit::named(&value)),
            "--net" => brokered(&mut ruleset, &value),
            "--unix" => ruleset.unix.push(unix_rule(&value)),
            "--known" => known.push(known_failure(&value)),
            "--observe" => ruleset.observe = Observe::Files,
            "--way" | "--name" => gate.learn(name, &value),
            other => panic!("unknown option {other}"),
        }
    }
    let argv: Vec<std::ffi::OsString> = words.map(Into::into).collect();
    let program = argv.first().cloned().expect("a program").into();
    Asked { command: Command { program, argv, cwd: cwd.into() }, ruleset, habits, gate, known }
}

/// `namespaces:1:clone into new namespaces`, as it is printed.
fn known_failure(word: &str) -> BackendFailure {
    let mut parts = word.splitn(3, ':');
    let mut part = || parts.next().expect("three parts");
    BackendFailure {
        backend: stockade_sandbox::Backend::named(part()).expect("a backend"),
        errno: part().parse().expect("an errno"),
        step: part().to_owned(),
    }
}

/// `out=443`, `in=8080`, or nothing but the brokered network.
fn brokered(ruleset: &mut Ruleset, word: &str) {
    if !matches!(ruleset.network, Network::Brokered(_)) {
        ruleset.network = Network::Brokered(Doors::default());
    }
    let Network::Brokered(doors) = &mut ruleset.network else { return };
    match word.split_once('=') {
        Some(("out", port)) => doors.ports.push(port.parse().expect("a port")),
        Some(("in", port)) => doors.listen.push(port.parse().expect("a port")),
        _ => {}
    }
}

/// `socket=PATH` or `below=PATH`
fn unix_rule(word: &str) -> UnixRule {
    let (reach, path) = word.split_once('=').expect("a pair");
    let reach = match reach {
        "socket" => UnixReach::Socket,
        "below" => UnixReach::Below,
        other => panic!("unknown reach {other}"),
    };
    UnixRule { path: path.into(), reach }
}

fn ruleset() -> Ruleset {
    Ruleset {
        files: Some(Files::plain(Vec::new())),
        network: Network::None,
        unix: Vec::new(),
        observe: Observe::Refused,
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        limits: Limits {
            open_files: 256,
            file_bytes: 1 << 20,
            processes: 64,
            cpu_seconds: Some(60),
            memory_bytes: None,
        },
        backend: BackendChoice::Auto,
        required: Required { fs: Need::Full, net: Need::Full, process: Need::BestEffort },
        tree_end: TreeEnd::Kill,
    }
}

fn backend(word: &str) -> BackendChoice {
    match word {
        "auto" => BackendChoice::Auto,
        "namespaces" => BackendChoice::Namespaces,
        "notify" => BackendChoice::Notify,
        "static" => BackendChoice::Static,
        other => panic!("unknown backend {other}"),
    }
}

fn require(required: &mut Required, word: &str) {
    match word {
        "process" => required.process = Need::Full,
        "nothing" => {
            required.fs = Need::BestEffort;
            required.net = Need::BestEffort;
        }
        other => panic!("unknown guarantee {other}"),
    }
}

fn danger(ruleset: &mut Ruleset, word: &str) {
    match word {
        "files" => ruleset.files = None,
        "network" => ruleset.network = Network::DangerousHost,
        "leave" => ruleset.tree_end = TreeEnd::DangerousLeave,
        other => panic!("unknown danger {other}"),
    }
}

fn files(ruleset: &mut Ruleset) -> &mut Files {
    ruleset.files.get_or_insert_with(|| Files::plain(Vec::new()))
}

fn close(ruleset: &mut Ruleset, path: &str, closed: Closed) {
    files(ruleset).closed.push(ClosedPlace { path: path.into(), closed });
}

fn door(ruleset: &mut Ruleset, port: u16) {
    if let Network::Brokered(doors) = &mut ruleset.network {
        doors.ports.push(port);
    } else {
        ruleset.network = Network::Brokered(Doors { ports: vec![port], listen: Vec::new() });
    }
}

fn limit(limits: &mut Limits, pair: &str) {
    let (name, value) = pair.split_once('=').expect("a pair");
    let value = value.parse().expect("a number");
    match name {
        "files" => limits.open_files = value,
        "bytes" => limits.file_bytes = value,
        "processes" => limits.processes = value,
        "cpu" => limits.cpu_seconds = Some(value),
        "memory" => limits.memory_bytes = Some(value),
        other => panic!("unknown limit {other}"),
    }
}

fn sloppy(path: &str) -> OwnedFd {
    let file = OwnedFd::from(File::open(path).expect("opens"));
    let clear = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty());
    nix::fcntl::fcntl(&file, clear).expect("fcntl");
    file
}

/// Passes output on and prints what the keeper says, until its last word.
fn follow(jailed: Jailed, habits: &[Habit], inward: Option<&Inward>) {
    let Jailed { stdin, stdout, stderr, keeper, supervisor, .. } = jailed;
    if habits.contains(&Habit::Talk) {
        let mut to = File::from(stdin.try_clone().expect("dup"));
        std::thread::spawn(move || io::copy(&mut io::stdin(), &mut to));
    }
    let mut outputs = vec![File::from(stdout), File::from(stderr)];
    let mut seen_output = false;
    let mut over = false;
    while !over || !outputs.is_empty() {
        let mut fds: Vec<PollFd<'_>> =
            outputs.iter().map(|file| PollFd::new(file.as_fd(), PollFlags::POLLIN)).collect();
        if !over {
            fds.push(PollFd::new(keeper.fd(), PollFlags::POLLIN));
        }
        poll(&mut fds, PollTimeout::NONE).expect("poll");
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(fds);
        let was_over = over;
        if !was_over && ready.last() == Some(&true) {
            over = hear(&keeper);
        }
        let mut index = 0;
        outputs.retain_mut(|file| {
            let open = !ready.get(index).copied().unwrap_or(false) || pass_on(file, &mut seen_output);
            index += 1;
            open
        });
        if std::mem::take(&mut seen_output) {
            if habits.contains(&Habit::Terminate) {
                keeper.terminate().expect("the keeper is there");
            }
            if habits.contains(&Habit::Kill) {
                keeper.kill().expect("the keeper is there");
            }
            if let Some((port, inward)) = habits.iter().find_map(Habit::visit).zip(inward) {
                let said = broker::visit(inward, port);
                say(&format!("@visit {}", said.unwrap_or_else(|error| format!("refused: {error}"))));
            }
        }
    }
    drop(stdin);
    if let Some(supervisor) = supervisor {
        let ended = super::jail::eventually(|| supervisor.has_ended());
        say(&format!("@supervisor {}", if ended { "ended" } else { "still runs" }));
    }
}

/// Whether that was the last word.
fn hear(keeper: &stockade_sandbox::KeeperHandle) -> bool {
    while let Some(message) = keeper.receive().expect("receive") {
        match message {
            KeeperMessage::Ended(end) => say(&format!("@ended {end:?}")),
            KeeperMessage::LimitHit(limit) => say(&format!("@limit hit {limit:?}")),
            KeeperMessage::TreeGone => {
                say("@tree gone");
                return true;
            }
            KeeperMessage::KeeperLost => {
                say("@keeper-lost yes");
                return true;
            }
        }
    }
    false
}

/// Whether there may be more.
fn pass_on(file: &mut File, seen: &mut bool) -> bool {
    let mut buffer = [0; 4096];
    let length = file.read(&mut buffer).unwrap_or(0);
    let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { return false };
    *seen = true;
    io::stdout().write_all(bytes).is_ok()
}
