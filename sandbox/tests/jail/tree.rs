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
    ("kill -9 of the keeper leaves nothing", keeper_killed),
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
    assert!(processes_with(mark).len() >= 3, "the daemons run");
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
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
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
        // The named residual of the others: nobody is left who could kill a process that left the session.
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
