//! The launcher's part: the jail that the probes attack, and the same program without one.
//!
//! Both are as careless as a launcher can be: descriptors without close-on-exec, a controlling terminal, an environment
//! full of secrets.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::beside;
use super::ears::GREETING;
use super::patience::Patience;
use super::scene::{
    CLOSED, FACTS, HOME, LEFT_DIRECTORY, LEFT_FILE, LEFT_TCP, LEFT_TERMINAL, LEFT_UNIX, LEFT_WRITABLE,
    PROJECT, READ, WRITE,
};
use super::stage::late_place;
use super::sys::{Arg, call};
use crate::probes::{Claim, Guarantee};
use crate::{
    Access, BackendChoice, Closed, ClosedPlace, Command, Degree, Denial, Doors, Files, Gatekeeper, Jailed,
    KeeperHandle, KeeperMessage, Limits, Need, Network, Observe, Opened, OwnedFd as Fd, PathRule, Required,
    Ruleset, TreeEnd, UnixReach, UnixRule, Way, Wish,
};

/// A session that takes longer is ended.
const SESSION_MAX: Duration = Duration::from_secs(180);
/// Limits that a probe can reach without harming the host.
pub(super) const PROCESSES_MAX: u64 = 48;
pub(super) const OPEN_FILES_MAX: u64 = 400;
pub(super) const FILE_BYTES_MAX: u64 = 4 << 20;
pub(super) const MEMORY_BYTES_MAX: u64 = 192 << 20;
pub(super) const CPU_SECONDS_MAX: u64 = 2;

/// Plays without a jail.
pub(super) fn bare(stage: &Path) -> u8 {
    told(bare_session(stage))
}

/// Plays in a jail.
pub(super) fn jail(backend: &str, network: &str, stage: &Path) -> u8 {
    told(jailed_session(backend, network, stage))
}

fn told(result: io::Result<()>) -> u8 {
    match result {
        Ok(()) => 0,
        Err(error) => {
            say(&format!("failed {error}"));
            1
        }
    }
}

fn bare_session(stage: &Path) -> io::Result<()> {
    let facts = Facts::read(stage)?;
    let _terminal = be_careless(stage, &facts)?;
    let (program, words) = facts.program()?;
    let mut player = Process::new(program)
        .args(words)
        .arg("player")
        .arg(stage)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    // What a deed leaves behind may hold the pipe open, so the player says when it is over.
    for line in BufReader::new(player.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines() {
        let line = line?;
        say(&format!("> {line}"));
        if line == "over" {
            break;
        }
    }
    player.wait().map(drop)
}

fn jailed_session(backend: &str, network: &str, stage: &Path) -> io::Result<()> {
    let facts = Facts::read(stage)?;
    let _terminal = be_careless(stage, &facts)?;
    let granted: u16 = facts.number("granted")?;
    let ruleset = ruleset(backend, network, stage, &facts)?;
    #[cfg(feature = "weaken")]
    let ruleset =
        super::weak::weakened(ruleset, facts.0.lines().filter_map(|line| line.strip_prefix("weak ")));
    let (program, words) = facts.program()?;
    let mut argv = vec![program.clone().into_os_string()];
    argv.extend(words.iter().map(Into::into));
    argv.extend(["player".into(), stage.as_os_str().to_owned()]);
    let command = Command { program, argv, cwd: "/".into() };
    let gate =
        Gate { granted: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), granted), kept: Mutex::default() };
    let mut jailed = match crate::spawn(&command, &ruleset, Arc::new(gate)) {
        Ok(jailed) => jailed,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            say(&format!("refused {error}{}", cause.unwrap_or_default()));
            return Ok(());
        }
    };
    say(&format!("backend {}", jailed.enforcement.backend.word()));
    say(&format!("abi {}", jailed.enforcement.landlock_abi));
    for guarantee in Guarantee::ALL {
        let degree = guarantee.degree(&jailed.enforcement);
        let text = match degree {
            Degree::Full => "",
            Degree::Partial { missing, .. } => missing,
            Degree::None { why, .. } => why,
        };
        say(&format!("claim {} {} {text}", guarantee.id(), Claim::of(degree).word()));
    }
    for listener in jailed.doors.take().map(|doors| doors.tcp).unwrap_or_default() {
        std::thread::spawn(move || greet(&listener, granted));
    }
    follow(jailed, Patience::of(&facts.0)?)
}

/// Behind a door: whoever wanted to go to the granted listener is greeted in its name.
fn greet(door: &TcpListener, granted: u16) {
    for connection in door.incoming().flatten() {
        let meant = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), granted);
        if connection.local_addr().is_ok_and(|to| to == meant) {
            let _ = (&connection).write_all(GREETING.as_bytes());
        }
    }
}

/// What the stage says to everybody.
struct Facts(String);

impl Facts {
    fn read(stage: &Path) -> io::Result<Self> {
        fs::read_to_string(stage.join(READ).join(FACTS)).map(Self)
    }

    fn get(&self, key: &str) -> io::Result<&str> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        value.ok_or_else(|| io::Error::other(format!("the stage says nothing about {key}")))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> io::Result<T> {
        self.get(key)?.parse().map_err(|_| io::Error::other(format!("{key} is no number")))
    }

    fn program(&self) -> io::Result<(PathBuf, Vec<String>)> {
        let mut words = self.get("program")?.split('\t').map(str::to_owned);
        let program = words.next().ok_or(io::ErrorKind::InvalidData)?;
        Ok((program.into(), words.collect()))
    }
}

/// Leaves everything open for whoever is started, and gives the terminal's other end.
fn be_careless(stage: &Path, facts: &Facts) -> io::Result<OwnedFd> {
    leave_open(&File::open(stage.join(CLOSED).join("left-open"))?, LEFT_FILE)?;
    leave_open(&File::open(stage)?, LEFT_DIRECTORY)?;
    let writable = OpenOptions::new().append(true).open(stage.join(CLOSED).join("left-writable"))?;
    leave_open(&writable, LEFT_WRITABLE)?;
    leave_open(&TcpStream::connect((Ipv4Addr::LOCALHOST, facts.number("tcp4")?))?, LEFT_TCP)?;
    leave_open(&UnixStream::connect(stage.join(CLOSED).join("socket"))?, LEFT_UNIX)?;
    let terminal = nix::pty::openpty(None, None)?;
    nix::unistd::setsid()?;
    const STEAL_NOT: i64 = 0;
    let request = i64::try_from(libc::TIOCSCTTY).unwrap_or(0);
    let slave = i64::from(terminal.slave.as_raw_fd());
    call(libc::SYS_ioctl, [Arg::Int(slave), Arg::Int(request), Arg::Int(STEAL_NOT)])?;
    leave_open(&terminal.slave, LEFT_TERMINAL)?;
    Ok(terminal.master)
}

/// A copy with this number and without close-on-exec.
fn leave_open(file: &impl AsFd, number: i32) -> io::Result<()> {
    let copy = fcntl(file, FcntlArg::F_DUPFD(number))?;
    if copy == number { Ok(()) } else { Err(io::Error::other(format!("descriptor {number} is taken"))) }
}

fn ruleset(backend: &str, network: &str, stage: &Path, facts: &Facts) -> io::Result<Ruleset> {
    let brokered = network == "brokered";
    let granted = facts.number("granted")?;
    let beside = beside::read(&facts.0);
    let Doors { mut ports, mut listen } = beside.doors;
    // Where a profile grants ports of the kernel's choice, that is what G2-listen tries: granted is not open.
    listen.retain(|port| *port != Doors::ANY_PORT);
    ports.push(granted);
    Ok(Ruleset {
        files: Some(with(files(stage, facts)?, beside.files)),
        network: if brokered { Network::Brokered(Doors { ports, listen }) } else { Network::None },
        unix: if brokered {
            let path = stage.join(CLOSED).join("granted");
            beside.unix.into_iter().chain([UnixRule { path, reach: UnixReach::Socket }]).collect()
        } else {
            Vec::new()
        },
        observe: Observe::Refused,
        env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("GRANTED".into(), "yes".into())],
        limits: Limits {
            open_files: OPEN_FILES_MAX,
            file_bytes: FILE_BYTES_MAX,
            processes: PROCESSES_MAX,
            cpu_seconds: Some(Patience::of(&facts.0)?.times(CPU_SECONDS_MAX)),
            memory_bytes: Some(MEMORY_BYTES_MAX),
        },
        backend: match backend {
            "namespaces" => BackendChoice::Namespaces,
            "notify" => BackendChoice::Notify,
            _ => BackendChoice::Static,
        },
        required: Required { fs: Need::BestEffort, net: Need::BestEffort, process: Need::BestEffort },
        tree_end: TreeEnd::Kill,
    })
}

/// The grants of a profile beside those.
fn with(mut files: Files, beside: Option<Files>) -> Files {
    if let Some(beside) = beside {
        files.wide.extend(beside.wide);
        files.narrow.extend(beside.narrow);
        files.listed.extend(beside.listed);
        files.closed.extend(beside.closed);
    }
    files
}

/// The grants of a generous profile: all of /proc, the system's programs, one directory each to read and to write, and two
/// places with something closed in them.
fn files(stage: &Path, facts: &Facts) -> io::Result<Files> {
    let program = facts.program()?.0;
    let rule = |path: PathBuf, access| PathRule { path, access };
    let mut grants = Vec::new();
    let system = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache"];
    for path in system.iter().map(Path::new).chain([program.as_path()]) {
        // Links in a grant are not followed, and /bin is one on most systems.
        if let Ok(path) = path.canonicalize() {
            grants.push(rule(path, Access::ReadExecute));
        }
    }
    grants.push(rule("/proc".into(), Access::Read));
    grants.push(rule("/dev/null".into(), Access::ReadWrite));
    grants.push(rule(stage.join(READ), Access::Read));
    grants.push(rule(stage.join(WRITE), Access::ReadWrite));
    let (home, project) = (stage.join(HOME), stage.join(PROJECT));
    let mut narrow = grants.clone();
    narrow.push(rule(home.join("notes"), Access::Read));
    narrow.push(rule(project.join("src"), Access::ReadWrite));
    grants.push(rule(home.clone(), Access::Read));
    grants.push(rule(project.clone(), Access::ReadWrite));
    let late = facts.0.lines().filter_map(|line| line.strip_prefix("probe ")).map(late_place);
    let mut closed: Vec<ClosedPlace> = [".ssh", ".bash_history"]
        .into_iter()
        .map(str::to_owned)
        .chain(late.filter(|name| name.contains("sensitive")))
        .map(|name| ClosedPlace { path: home.join(name), closed: Closed::Entirely })
        .collect();
    for name in facts.0.lines().filter_map(|line| line.strip_prefix("repository ")) {
        let hooks = project.join(name).join(".git/hooks");
        narrow.push(rule(hooks.clone(), Access::Read));
        closed.push(ClosedPlace { path: hooks, closed: Closed::ForWriting });
    }
    Ok(Files { wide: grants, closed, narrow, listed: Vec::new(), scratch: Some(stage.join("scratch")) })
}

/// Lets one connection out.
#[derive(Debug)]
struct Gate {
    granted: SocketAddr,
    /// Ends of sockets that are never answered, open as long as this lives.
    kept: Mutex<Vec<Fd>>,
}

impl Gatekeeper for Gate {
    fn connect(&self, wish: &Wish) -> Way {
        if wish.to == self.granted { Way::Direct(wish.to) } else { Way::Refused(libc::EACCES) }
    }

    fn relayed(&self, _from: SocketAddr, _wish: &Wish) {}

    fn resolver(&self, end: Fd) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(end);
    }

    fn denied(&self, _denial: Denial) {}

    fn opened(&self, _opened: Opened) {}
}

/// Passes on what the player says and tells what the keeper says, until its last word.
fn follow(jailed: Jailed, patience: Patience) -> io::Result<()> {
    let Jailed { stdin, stdout, stderr, keeper, .. } = jailed;
    let until = Instant::now() + patience.with(SESSION_MAX);
    let mut outputs = vec![(File::from(stdout), Vec::new()), (File::from(stderr), Vec::new())];
    let mut killed = false;
    loop {
        let mut fds: Vec<PollFd<'_>> =
            outputs.iter().map(|(file, _)| PollFd::new(file.as_fd(), PollFlags::POLLIN)).collect();
        fds.push(PollFd::new(keeper.fd(), PollFlags::POLLIN));
        let left = until.saturating_duration_since(Instant::now());
        let ready = poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO))?;
        let readable: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        if ready == 0 && !std::mem::replace(&mut killed, true) {
            say("late");
            keeper.kill()?;
        }
        if ready == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut readable = readable.into_iter();
        outputs.retain_mut(|(file, rest)| !readable.next().unwrap_or(false) || pass_on(file, rest));
        if readable.next().unwrap_or(false) && is_last_word(&keeper)? {
            // What was written before the end is still in the pipes.
            for (file, rest) in &mut outputs {
                while pass_on(file, rest) {}
            }
            drop(stdin);
            return Ok(());
        }
    }
}

fn is_last_word(keeper: &KeeperHandle) -> io::Result<bool> {
    while let Some(message) = keeper.receive()? {
        match message {
            KeeperMessage::Ended(end) => say(&format!("ended {end:?}")),
            KeeperMessage::LimitHit(limit) => say(&format!("limit {limit:?}")),
            KeeperMessage::TreeGone => return Ok(true),
            KeeperMessage::KeeperLost => return Err(io::Error::other("the keeper is lost")),
        }
    }
    Ok(false)
}

/// Whether there may be more.
fn pass_on(file: &mut File, rest: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 16 * 1024];
    let length = file.read(&mut buffer).unwrap_or(0);
    let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { return false };
    rest.extend_from_slice(bytes);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = rest.drain(..=end).collect();
        say(&format!("> {}", String::from_utf8_lossy(&line).trim_end()));
    }
    true
}

fn say(line: &str) {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}
