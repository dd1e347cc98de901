//! G8: when the session ends, in whatever way, every process of the tree is gone.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::harness::Test;
use super::jail::{Backend, Jail, eventually, processes_with};
use super::probe::HARES_RUN;

pub(crate) const TESTS: &[Test] = &[
    ("a daemon that left its session is gone when the server ends", daemon_after_end),
    ("a chain of processes that fork and leave their session ends with the session", hares),
    ("such a chain ends when the keeper is killed, too", hares_without_keeper),
    ("a program that runs out of its time takes nobody with it", a_timeout),
    ("kill -9 of the launcher leaves nothing", launcher_killed),
    ("a crash of the launcher leaves nothing", launcher_crashed),
    ("kill -9 of the keeper leaves nothing", keeper_killed),
    ("stopped processes end with the launcher", stopped_without_launcher),
    ("stopped processes end with the keeper", stopped_without_keeper),
    ("processes deaf to every signal end with the launcher", deaf),
    ("five hundred processes end with the launcher", a_crowd),
    ("five hundred processes end with the keeper", a_crowd_without_keeper),
    ("the tree is not said to be gone while a process of it can't die", frozen),
    ("kill -9 of launcher and keeper together leaves nothing in namespaces", both_killed),
    ("kill -9 of the server is its end", server_killed),
    ("the order to kill ends the tree", order_to_kill),
    ("the order to terminate reaches the server's group", order_to_terminate),
    ("exit codes and signals are told as they are", how_it_ended),
    ("a tree that is to be left alone is", left_alone),
];

/// A word that stands in the command line of one test's processes alone.
fn mark() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{}", 60_000 + std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A server that leaves two daemons behind, one of them twice forked, says so, and goes on.
fn server_with_daemons(mark: &str) -> String {
    format!(
        "setsid sleep {mark} >/dev/null 2>&1 </dev/null & \
         (setsid sh -c 'sleep {mark} & sleep {mark}' >/dev/null 2>&1 </dev/null &) ; \
         sleep 0.2; echo ready; "
    )
}

/// The launcher's `@WORD` line, as soon as it is printed.
pub(crate) fn first_line(launcher: &mut Child, word: &str) -> String {
    let stdout = launcher.stdout.as_mut().expect("a pipe");
    let mut lines = BufReader::new(stdout).lines();
    loop {
        let line = lines.next().expect("more output").expect("text");
        if let Some(rest) = super::jail::line_of(&line, word) {
            return rest.to_owned();
        }
    }
}

/// Starts the launcher, waits for the daemons, and gives the pids of keeper and server.
fn started(backend: Backend, mark: &str) -> (Child, i32, i32) {
    let started = launched(backend, &format!("{}sleep {mark}", server_with_daemons(mark)));
    assert!(eventually(|| processes_with(mark).len() >= 3), "the daemons run");
    started
}

/// Starts the launcher, waits until the script says that it is ready, and gives the pids of keeper and server.
fn launched(backend: Backend, script: &str) -> (Child, i32, i32) {
    let jail = Jail::new(backend).option("--launcher", "linger").option("--limit", "processes=1000");
    let mut launcher = jail.launcher(&["/bin/sh", "-c", script]).spawn().expect("starts");
    let stdout = launcher.stdout.as_mut().expect("a pipe");
    let (mut keeper, mut server) = (0, 0);
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("text");
        let number = |word| super::jail::line_of(&line, word).and_then(|rest| rest.parse().ok());
        keeper = number("keeper").unwrap_or(keeper);
        server = number("server").unwrap_or(server);
        if line == "ready" {
            break;
        }
    }
    assert!(keeper > 0 && server > 0);
    (launcher, keeper, server)
}

fn gone(mark: &str, keeper: i32) {
    let left = || {
        let alive = kill(Pid::from_raw(keeper), None).is_ok() && !is_zombie(keeper);
        (processes_with(mark), alive)
    };
    assert!(eventually(|| left() == (Vec::new(), false)), "left: {:?}", left());
}

fn is_zombie(pid: i32) -> bool {
    state_of(pid) == Some('Z')
}

fn state_of(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a pid"))
}

fn daemon_after_end(backend: Backend) {
    let mark = mark();
    let run = Jail::new(backend).shell(&format!("{}exit 7", server_with_daemons(&mark)));
    assert!(run.printed.contains("ready"), "{}", run.printed);
    assert_eq!(run.expect("ended"), "Exited(7)");
    assert_eq!(run.expect("tree"), "gone");
    assert_eq!(processes_with(&mark), Vec::<i32>::new(), "at the moment it is said to be gone");
}

fn hares(backend: Backend) {
    let mark = mark();
    let binary = super::jail::this_binary();
    let start = Instant::now();
    let run = Jail::new(backend).option("--limit", "processes=1000").run(&[
        binary.to_str().expect("a path"),
        "__probe",
        "hares",
        "24",
        &mark,
    ]);
    let took = start.elapsed();
    assert_eq!(run.expect("ended"), "Exited(0)", "{}", run.printed);
    assert_eq!(run.expect("tree"), "gone");
    assert_eq!(processes_with(&mark), Vec::<i32>::new(), "at the moment it is said to be gone");
    assert!(took < HARES_RUN / 4, "they ended by themselves, or nearly: {took:?}");
}

fn hares_without_keeper(backend: Backend) {
    let mark = mark();
    let binary = super::jail::this_binary();
    let script = format!("{} __probe hares 24 {mark}; echo ready; sleep {mark}", binary.display());
    let (mut launcher, keeper, _) = launched(backend, &script);
    let start = Instant::now();
    kill(Pid::from_raw(keeper), Signal::SIGKILL).expect("kill");
    assert_eq!(first_line(&mut launcher, "keeper-lost"), "yes");
    let left = processes_with(&mark);
    let took = start.elapsed();
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
    assert_eq!(left, Vec::<i32>::new(), "at the moment the loss is told");
    assert!(took < HARES_RUN / 4, "they ended by themselves, or nearly: {took:?}");
}

/// timeout(1) makes a group of its own, and at the end signals the group that it is in.
fn a_timeout(backend: Backend) {
    let run = Jail::new(backend).shell("timeout 0.2 sleep 60; echo status $?");
    assert!(run.printed.contains("status 124"), "{}", run.printed);
    assert_eq!(run.expect("ended"), "Exited(0)");
}

fn launcher_killed(backend: Backend) {
    let mark = mark();
    let (mut launcher, keeper, _) = started(backend, &mark);
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
    gone(&mark, keeper);
}

fn launcher_crashed(backend: Backend) {
    let mark = mark();
    let (mut launcher, keeper, _) = started(backend, &mark);
    kill(pid_of(&launcher), Signal::SIGABRT).expect("kill");
    launcher.wait().expect("wait");
    gone(&mark, keeper);
}

/// The server and a daemon of its own session, both stopped.
fn stopped(backend: Backend, mark: &str) -> (Child, i32, i32) {
    let script = format!(
        "setsid sh -c 'kill -STOP $$; sleep {mark}' {mark} </dev/null >/dev/null 2>&1 & \
         sleep {mark} & sleep 0.2; echo ready; kill -STOP $$; echo unreachable"
    );
    let (launcher, keeper, server) = launched(backend, &script);
    assert!(eventually(|| state_of(server) == Some('T')), "the server is stopped");
    assert!(processes_with(mark).len() >= 2, "the daemons live");
    (launcher, keeper, server)
}

fn stopped_without_launcher(backend: Backend) {
    let mark = mark();
    let (mut launcher, keeper, _) = stopped(backend, &mark);
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
    gone(&mark, keeper);
}

fn stopped_without_keeper(backend: Backend) {
    let mark = mark();
    let (mut launcher, keeper, _) = stopped(backend, &mark);
    kill(Pid::from_raw(keeper), Signal::SIGKILL).expect("kill");
    assert_eq!(first_line(&mut launcher, "keeper-lost"), "yes");
    assert_eq!(processes_with(&mark), Vec::<i32>::new(), "at the moment the loss is told");
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
}

fn deaf(backend: Backend) {
    let mark = mark();
    let deaf = "trap \"\" HUP INT QUIT TERM USR1 USR2 PIPE ALRM TSTP TTIN TTOU; ";
    let script = format!(
        "{deaf} setsid sh -c '{deaf} while :; do sleep {mark}; done' {mark} & sleep 0.2; echo ready; \
         while :; do sleep {mark}; done"
    );
    let (mut launcher, keeper, server) = launched(backend, &script);
    for victim in processes_with(&mark).into_iter().chain([server]) {
        kill(Pid::from_raw(victim), Signal::SIGTERM).expect("kill");
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(processes_with(&mark).len() >= 2, "SIGTERM ends none of them");
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
    gone(&mark, keeper);
}

/// Half of them in sessions of their own, a quarter orphaned.
fn crowd(backend: Backend, mark: &str) -> (Child, i32, i32) {
    let script = format!(
        "i=0; while [ $i -lt 125 ]; do \
             sleep {mark} & setsid sleep {mark} & (sleep {mark} &) ; (setsid sleep {mark} &) ; i=$((i+1)); \
         done; sleep 0.3; echo ready; sleep {mark}"
    );
    let started = launched(backend, &script);
    assert!(eventually(|| processes_with(mark).len() >= 500), "{}", processes_with(mark).len());
    started
}

fn a_crowd(backend: Backend) {
    let mark = mark();
    let (mut launcher, keeper, _) = crowd(backend, &mark);
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
    gone(&mark, keeper);
}

fn a_crowd_without_keeper(backend: Backend) {
    let mark = mark();
    let (mut launcher, keeper, _) = crowd(backend, &mark);
    kill(Pid::from_raw(keeper), Signal::SIGKILL).expect("kill");
    assert_eq!(first_line(&mut launcher, "keeper-lost"), "yes");
    assert_eq!(processes_with(&mark), Vec::<i32>::new(), "at the moment the loss is told");
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
}

/// A process in uninterruptible sleep, as the freezer of cgroup version 1 makes it: SIGKILL works when it wakes up.
fn frozen(backend: Backend) {
    let freezer = Freezer::new();
    let Some(freezer) = freezer else {
        super::harness::say("  no freezer of cgroup version 1 here, or not root's: nothing tried");
        return;
    };
    let mark = mark();
    let (mut launcher, keeper, _) = started(backend, &mark);
    let victim = *processes_with(&mark).first().expect("a daemon");
    freezer.freeze(victim);
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(processes_with(&mark), [victim], "all others are dead");
    assert!(!is_zombie(keeper) && kill(Pid::from_raw(keeper), None).is_ok(), "the keeper waits for it");
    drop(freezer);
    gone(&mark, keeper);
}

struct Freezer(std::path::PathBuf);

impl Freezer {
    fn new() -> Option<Self> {
        let path =
            std::path::PathBuf::from(format!("/sys/fs/cgroup/freezer/stockade-test-{}", std::process::id()));
        std::fs::create_dir(&path).ok()?;
        // Elsewhere this is an ordinary directory, or there is another kind of cgroup.
        if path.join("freezer.state").exists() { Some(Self(path)) } else { None }
    }

    fn freeze(&self, pid: i32) {
        std::fs::write(self.0.join("cgroup.procs"), pid.to_string()).expect("moved");
        std::fs::write(self.0.join("freezer.state"), "FROZEN").expect("frozen");
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = std::fs::write(self.0.join("freezer.state"), "THAWED");
        assert!(eventually(|| std::fs::remove_dir(&self.0).is_ok()), "the freezer is empty");
    }
}

fn keeper_killed(backend: Backend) {
    let mark = mark();
    let (mut launcher, keeper, _) = started(backend, &mark);
    kill(Pid::from_raw(keeper), Signal::SIGKILL).expect("kill");
    assert_eq!(first_line(&mut launcher, "keeper-lost"), "yes");
    assert_eq!(processes_with(&mark), Vec::<i32>::new(), "at the moment the loss is told");
    gone(&mark, keeper);
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
}

fn both_killed(backend: Backend) {
    if backend != Backend::Namespaces {
        // The named residual of the other backends: nobody is left who could kill a process that left the session.
        return;
    }
    let mark = mark();
    let (mut launcher, keeper, _) = started(backend, &mark);
    launcher.kill().expect("kill");
    kill(Pid::from_raw(keeper), Signal::SIGKILL).expect("kill");
    launcher.wait().expect("wait");
    gone(&mark, keeper);
}

fn server_killed(backend: Backend) {
    let mark = mark();
    let (mut launcher, keeper, server) = started(backend, &mark);
    kill(Pid::from_raw(server), Signal::SIGKILL).expect("the pid is the server's");
    assert_eq!(first_line(&mut launcher, "ended"), "Signalled(9)");
    gone(&mark, keeper);
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
}

fn order_to_kill(backend: Backend) {
    let mark = mark();
    let script = format!("trap '' TERM; {}sleep {mark}", server_with_daemons(&mark));
    let run = Jail::new(backend).option("--launcher", "kill").shell(&script);
    assert_eq!(run.expect("ended"), "Signalled(9)");
    assert_eq!(run.expect("tree"), "gone");
    assert_eq!(processes_with(&mark), Vec::<i32>::new());
}

fn order_to_terminate(backend: Backend) {
    let mark = mark();
    let script = format!("echo ready; sleep {mark}; echo after");
    let run = Jail::new(backend).option("--launcher", "terminate").shell(&script);
    assert_eq!(run.expect("ended"), "Signalled(15)", "{}", run.printed);
    assert_eq!(processes_with(&mark), Vec::<i32>::new());
}

fn how_it_ended(backend: Backend) {
    let jail = Jail::new(backend);
    for (script, end) in [
        ("exit 0", "Exited(0)"),
        ("exit 255", "Exited(255)"),
        ("kill -SEGV $$", "Signalled(11)"),
        // A real-time signal, which has no name in many libraries.
        ("kill -40 $$", "Signalled(40)"),
    ] {
        assert_eq!(jail.shell(script).expect("ended"), end, "{script}");
    }
}

fn left_alone(backend: Backend) {
    if backend == Backend::Namespaces {
        let jail = Jail::new(backend).option("--danger", "leave");
        let run = jail.run(&["/bin/true"]);
        assert!(run.expect("error").starts_with("not-enforceable"), "{}", run.printed);
        return;
    }
    let mark = mark();
    let jail = Jail::new(backend).option("--danger", "leave");
    let run = jail.shell(&format!("{}exit 0", server_with_daemons(&mark)));
    assert_eq!(run.expect("tree"), "gone");
    assert!(run.expect("degree-process").starts_with("None"));
    let left = processes_with(&mark);
    assert!(left.len() >= 3, "{left:?}");
    for pid in left {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}
