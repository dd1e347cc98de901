//! `stockade profile test`: a server bare and contained, asked the same, in a network in which nothing leads out.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Finished, World, finish, processes_with, python};

const DEADLINE: Duration = Duration::from_secs(120);

/// A server with tools that read a file, fetch a page, connect, and tell a variable.
const SERVER: &str = r#"
import json, os, socket, subprocess, sys, urllib.request

# As browsers do that somebody started: in a session of its own, deaf to the end of who started it, stderr open.
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", __file__], start_new_session=True)

def fetch(url):
    return urllib.request.urlopen(url, timeout=20).read().decode()

def connect(to):
    host, port = to.rsplit(":", 1)
    socket.create_connection((host, int(port)), timeout=5).close()
    return "connected"

tools = {"read": lambda path: open(path).read(), "fetch": fetch, "connect": connect, "env": lambda name: os.environ[name]}

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    params = message.get("params", {})
    if message["method"] == "initialize":
        result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "t", "version": "1"}}
    elif message["method"] == "tools/list":
        result = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in tools]}
    else:
        try:
            text, bad = tools[params["name"]](params["arguments"]["of"]), False
        except Exception as error:
            text, bad = f"{type(error).__name__}: {error}", True
        result = {"content": [{"type": "text", "text": text}], "isError": bad}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

/// What a profile of that server grants.
const PROFILE: &str = r#"
name = "trial"
description = "a server of the tests"
extends = "python"

[net]
allow = [{ host = "fruit.example", port = 443, reason = "its API" }]

[fs]
read = [{ path = "${cwd}", reason = "what it reads" }]
"#;

/// A world with that server, its profile, and a table that asks it these calls.
fn world(profile: &str, calls: &str) -> World {
    let world = World::new();
    let server = world.write("server.py", SERVER);
    world.write("config/stockade/profiles/trial.toml", profile);
    let table = format!(
        r#"
[[server]]
name = "trial"
package = "pkg:generic/trial@1"
command = ["{}", "{}"]
env = {{ FRUIT = "nine plums in ${{cwd}}" }}
files = [{{ path = "a.txt", text = "seven apples" }}]
prepare = ["cp a.txt b.txt"]
tools = 4
fakes = [
  {{ host = "fruit.example", port = 443, path = "/pears", type = "text/plain", body = "eight pears" }},
  {{ host = "said.example", port = 7000, tcp = "hello" }},
]
calls = [{calls}]
"#,
        python().display(),
        server.display()
    );
    world.write("table.toml", &table);
    world
}

fn tested(world: &World, words: &[&str]) -> Finished {
    let table = world.root().join("table.toml").into_os_string();
    let all = ["profile", "test", "trial", "--table"].map(Into::into).into_iter().chain([table]);
    let words = all.chain(words.iter().map(Into::into));
    finish(world.stockade::<_, std::ffi::OsString>(words).spawn().expect("it starts"), DEADLINE)
}

/// The verdict and the reasons for it.
fn verdict(world: &World, words: &[&str]) -> (String, String, i32) {
    let finished = tested(world, &[words, &["--yes", "--json"]].concat());
    let report: Value = serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{finished:#?}"));
    let server = &report["servers"][0];
    (server["verdict"].as_str().expect("a verdict").to_owned(), server.to_string(), finished.code())
}

const READ: &str =
    r#"{ tool = "read", arguments = { of = "b.txt" }, error = "none", contains = ["seven apples"] },"#;
const FETCH: &str = r#"{ tool = "fetch", arguments = { of = "https://fruit.example/pears" }, error = "none", contains = ["eight pears"] },"#;
const ENV: &str =
    r#"{ tool = "env", arguments = { of = "FRUIT" }, error = "none", contains = ["nine plums in ${cwd}"] },"#;

#[test]
fn a_server_whose_profile_grants_what_it_does_is_the_same_in_both_backends() {
    let world = world(PROFILE, &[READ, FETCH, ENV].concat());
    for backend in ["namespaces", "notify"] {
        let (verdict, why, code) = verdict(&world, &["--backend", backend]);
        assert_eq!((verdict.as_str(), code), ("same", 0), "{backend}: {why}");
        assert!(why.contains(r#""canaries":"none lost""#), "{backend}: {why}");
    }
    let finished = tested(&world, &["--yes", "--markdown"]);
    assert!(finished.stdout_text().contains("| trial | 1 | 4 | 3 | same | none lost |"), "{finished:#?}");
}

#[test]
fn a_grant_that_is_missing_is_a_difference_and_the_call_is_named() {
    let no_host = PROFILE.replace("fruit.example", "other.example");
    let (verdict, why, code) = verdict(&world(&no_host, &[READ, FETCH].concat()), &[]);
    assert_eq!((verdict.as_str(), code), ("differs", 1), "{why}");
    assert!(why.contains("fetch: an error of the tool"), "{why}");
}

#[test]
fn a_jail_that_gives_away_what_no_profile_may_is_found_out() {
    let private = r#"allow = [{ host = "10.20.30.40", port = 4711, reason = "the test" },"#;
    let open = PROFILE.replace("allow = [", private);
    let (verdict, why, code) = verdict(&world(&open, READ), &[]);
    assert_eq!((verdict.as_str(), code), ("leaks", 1), "{why}");
    assert!(why.contains("a program in its jail got: private host"), "{why}");
}

#[test]
fn nothing_of_the_trial_reaches_this_machine_or_a_host_and_nothing_of_it_stays() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::net::TcpStream::connect(("127.0.0.1", port)).expect("outside it can be reached");
    listener.set_nonblocking(true).expect("non-blocking");
    drop(listener.accept());
    let call =
        |to: &str| format!(r#"{{ tool = "connect", arguments = {{ of = "{to}" }}, error = "tool" }},"#);
    let calls =
        [call(&format!("127.0.0.1:{port}")), call("192.0.2.1:443"), call("nobody.example:443")].concat();
    let said = r#"{ tool = "connect", arguments = { of = "said.example:7000" }, error = "none" },"#;
    let world = world(
        &PROFILE.replace("fruit.example\", port = 443", "said.example\", port = 7000"),
        &(calls + said),
    );
    let (verdict, why, _) = verdict(&world, &[]);
    assert_eq!(verdict, "same", "{why}");
    assert!(listener.accept().is_err(), "somebody came");
    let server = world.root().join("server.py");
    assert_eq!(processes_with(server.to_str().expect("a path")), Vec::<i32>::new());
    // Records and pins are the trials' own.
    assert!(!world.state().join("stockade/events").exists());
    assert!(world.state().join("stockade/trials/stockade/events").exists());
}

#[test]
fn a_server_that_fails_bare_is_not_held_against_the_profile_and_still_not_in_order() {
    let wrong = READ.replace("seven", "eleven");
    let (verdict, why, code) = verdict(&world(PROFILE, &wrong), &[]);
    assert_eq!((verdict.as_str(), code), ("fails bare", 1), "{why}");
    assert!(why.contains("`eleven apples` is not in: seven apples"), "{why}");
}

#[test]
fn without_consent_nothing_starts() {
    let world = world(PROFILE, READ);
    let finished = tested(&world, &[]);
    assert_eq!(finished.code(), 77, "{finished:#?}");
    assert!(finished.stderr.contains("--yes"), "{finished:#?}");
    assert!(!world.state().join("stockade/trials").exists());
}

#[test]
fn a_file_that_leads_out_of_the_trial_is_refused() {
    let world = world(PROFILE, READ);
    let table = std::fs::read_to_string(world.root().join("table.toml")).expect("the table");
    world.write("table.toml", &table.replace("path = \"a.txt\"", "path = \"../../../escaped\""));
    let (verdict, why, _) = verdict(&world, &[]);
    assert_eq!(verdict, "not tried", "{why}");
    assert!(why.contains("leads elsewhere"), "{why}");
}
