//! When a session ends, in whatever way, no process of it is left.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::{World, finish, fixture_command, processes_with, wait_until};

const SOON: Duration = Duration::from_secs(10);

/// A session whose server has left two daemons behind; every process of it carries `mark` in its arguments.
struct Session {
    launcher: Child,
    answers: BufReader<ChildStdout>,
    mark: String,
    _world: World,
}

impl Session {
    fn start(backend: &str) -> Self {
        let world = World::new();
        let mark = world.root().file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        // The launcher has the mark in its own arguments too: `start` counts without it.
        let head = ["run", "--backend", backend, "--"].map(Into::into);
        let command = fixture_command("scripted.py", &[&mark]);
        let mut command = world.stockade(head.into_iter().chain(command));
        let mut launcher = command.stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("it starts");
        let answers = BufReader::new(launcher.stdout.take().expect("a pipe"));
        let mut session = Self { launcher, answers, mark, _world: world };
        session.ask(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "it", "version": "1"}}}));
        for id in [1, 2] {
            let daemon = format!("{}.daemon-{id}", session.mark);
            let answer = session.ask(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
                "params": {"name": "daemon", "arguments": {"mark": daemon}}}));
            assert_eq!(answer["result"]["content"][0]["text"], "left behind", "{answer}");
        }
        let both_run = wait_until(SOON, || session.daemons().len() == 2);
        assert!(both_run, "the daemons run: {:?}", session.daemons());
        session
    }

    fn ask(&mut self, request: Value) -> Value {
        let stdin = self.launcher.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{request}").expect("the request is taken");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn daemons(&self) -> Vec<i32> {
        processes_with(&format!("{}.daemon-", self.mark))
    }

    fn launcher_pid(&self) -> i32 {
        i32::try_from(self.launcher.id()).expect("a pid")
    }

    /// Children of the launcher: the keeper.
    fn keepers(&self) -> Vec<i32> {
        let pid = self.launcher_pid();
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("its children");
        list.split_whitespace().map(|word| word.parse().expect("a pid")).collect()
    }

    /// Everything is gone, the launcher included.
    fn leaves_nothing(mut self) {
        let ended = wait_until(SOON, || self.launcher.try_wait().expect("it can be waited for").is_some());
        assert!(ended, "the launcher lives on");
        let gone = wait_until(SOON, || processes_with(&self.mark).is_empty());
        assert!(gone, "left behind: {:?}", processes_with(&self.mark));
    }
}

fn end(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("the signal is sent");
}

fn killing_the_launcher_leaves_nothing(backend: &str) {
    let session = Session::start(backend);
    end(session.launcher_pid(), Signal::SIGKILL);
    session.leaves_nothing();
}

#[test]
fn kill_9_of_the_launcher_leaves_no_process_with_namespaces() {
    killing_the_launcher_leaves_nothing("namespaces");
}

#[test]
fn kill_9_of_the_launcher_leaves_no_process_without_namespaces() {
    killing_the_launcher_leaves_nothing("static");
}

fn killing_the_keeper_leaves_nothing(backend: &str) {
    let session = Session::start(backend);
    let keepers = session.keepers();
    assert!(!keepers.is_empty(), "there is a keeper");
    for pid in keepers {
        end(pid, Signal::SIGKILL);
    }
    session.leaves_nothing();
}

#[test]
fn kill_9_of_the_keeper_leaves_no_process_with_namespaces() {
    killing_the_keeper_leaves_nothing("namespaces");
}

#[test]
fn kill_9_of_the_keeper_leaves_no_process_without_namespaces() {
    killing_the_keeper_leaves_nothing("static");
}

#[test]
fn eof_sigterm_and_sigint_leave_no_process() {
    for backend in ["namespaces", "static"] {
        for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGINT)] {
            let mut session = Session::start(backend);
            match signal {
                Some(signal) => end(session.launcher_pid(), signal),
                None => drop(session.launcher.stdin.take()),
            }
            session.leaves_nothing();
        }
    }
}

#[test]
fn without_stockade_the_daemons_stay() {
    let world = World::new();
    let mark = world.root().file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    let command = fixture_command("scripted.py", &[&mark]);
    let mut server = std::process::Command::new(&command[0]);
    server.args(&command[1..]);
    world.dress(&mut server);
    let mut server = server.stdin(Stdio::piped()).spawn().expect("the server starts");
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "daemon", "arguments": {"mark": format!("{mark}.daemon-1")}}});
    writeln!(server.stdin.as_mut().expect("a pipe"), "{request}").expect("the request is taken");
    let daemons = || processes_with(&format!("{mark}.daemon-"));
    assert!(wait_until(SOON, || daemons().len() == 1), "the daemon runs");
    drop(server.stdin.take());
    server.wait().expect("the server ends at the end of its stdin");
    let left = daemons();
    for &pid in &left {
        end(pid, Signal::SIGKILL);
    }
    assert_eq!(left.len(), 1, "it outlived its server, so the other tests of this file prove something");
}

#[test]
fn a_server_that_goes_on_talking_does_not_keep_a_session_alive_without_its_client() {
    let world = World::new();
    // Neither the end of its input nor SIGTERM ends it.
    let code = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True:\n    \
                print('{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tick\"}', flush=True); time.sleep(0.1)";
    let mut words: Vec<std::ffi::OsString> = vec!["run".into(), "--".into()];
    words.extend([crate::support::python().into_os_string(), "-c".into(), code.into()]);
    let finished = finish(world.stockade(words).spawn().expect("it starts"), Duration::from_secs(30));
    assert_eq!(finished.code(), 128 + 9, "it had to be killed: {}", finished.stderr);
}
