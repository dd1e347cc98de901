//! More than a launcher has descriptors for, and what is no connection at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::{BACKENDS, events, loopback, profile, server, session, shout};
use crate::support::{World, finish};

/// Opens all at once, and then talks on each: how many answered, how many failed.
const CROWD: &str = r#"
import selectors, socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
waiting, served, failed = selectors.DefaultSelector(), 0, 0
for _ in range(count):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(("127.0.0.1", port))
    waiting.register(s, selectors.EVENT_WRITE)
while waiting.get_map():
    for key, event in waiting.select(120) or sys.exit("nothing for two minutes"):
        s = key.fileobj
        try:
            if event & selectors.EVENT_WRITE:
                s.send(b"hello")
                s.shutdown(socket.SHUT_WR)
                waiting.modify(s, selectors.EVENT_READ)
                continue
            served += s.recv(99) == b"HELLO"
        except OSError as error:
            failed += 1
        waiting.unregister(s)
        s.close()
print(served, failed)
"#;

/// What a Python script prints in a jail of this backend.
fn python(world: &World, backend: &str, script: &str, words: &[&str]) -> String {
    let mut all =
        vec!["jail", "--backend", backend, "--profile", "connected", "--", "/usr/bin/python3", "-c", script];
    all.extend(words);
    let finished = finish(world.stockade(all).spawn().expect("it starts"), Duration::from_secs(300));
    assert_eq!(finished.code(), 0, "{backend}: {finished:#?}");
    finished.stdout_text().trim().to_owned()
}

/// The first few connections of a world that did not just close.
fn otherwise_ended(world: &World) -> Vec<Value> {
    let events = events(world).into_iter().filter(|event| event["what"]["ended"] != "closed");
    events.map(|event| event["what"].clone()).take(6).collect()
}

#[test]
fn a_thousand_connections_at_a_time_all_get_their_turn() {
    for backend in BACKENDS {
        let world = World::new();
        let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (now, highest) = (Arc::clone(&open), Arc::clone(&most));
        let to = server(move |stream| {
            highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            shout(stream);
            now.fetch_sub(1, Ordering::SeqCst);
        });
        let lines = format!("[net]\nallow = [{}]\n[limits]\nupload = \"64MiB\"", loopback(to.port(), ""));
        profile(&world, &lines);
        let served = python(&world, backend, CROWD, &[&to.port().to_string(), "1000"]);
        assert_eq!(served, "1000 0", "{backend}: {:#?}", otherwise_ended(&world));
        // One that has just answered may still be counted while the next one comes.
        assert!(most.load(Ordering::SeqCst) <= 2 * 384, "{backend}: {most:?} at a time");
        let events = events(&world);
        let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
        assert_eq!((of("net.connect"), of("net.refused")), (1_000, 0), "{backend}");
    }
}

/// As many sockets as it can have, of ten thousand; then something that needs the launcher.
const SOCKETS: &str = r#"
import errno, socket, sys
kept, errors = [], set()
for _ in range(10000):
    try:
        kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    except OSError as error:
        errors.add(errno.errorcode[error.errno])
open_at_a_time = len(kept)
# For what Python itself opens.
for _ in range(8):
    kept.pop().close()
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) as s:
    s.sendall(b"hello")
    s.shutdown(socket.SHUT_WR)
    answer = s.recv(99).decode()
while kept:
    kept.pop().close()
for _ in range(1000):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
        break
    except OSError:
        __import__("time").sleep(0.02)
else:
    sys.exit("no room again")
print(open_at_a_time, *sorted(errors), answer)
"#;

#[test]
fn ten_thousand_udp_sockets_leave_the_launcher_its_descriptors() {
    let world = World::new();
    let to = server(shout);
    let lines = format!("[net]\nallow = [{}]\n[limits]\nupload = \"64MiB\"", loopback(to.port(), ""));
    profile(&world, &lines);
    let said = python(&world, "notify", SOCKETS, &[&to.port().to_string()]);
    let (open, rest) = said.split_once(' ').expect("two words");
    // The limit of the program itself (4,096) is not what stopped it.
    assert!((16..=1_024).contains(&open.parse::<usize>().expect("a number")), "{said}");
    assert_eq!(rest, "EMFILE HELLO");
    let events = events(&world);
    let refused: Vec<_> = events.iter().filter(|event| event["kind"] == "net.refused").collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(refused[0]["what"]["what"], "a UDP socket");
    assert!(
        refused[0]["what"]["program"].as_str().is_some_and(|path| path.contains("python")),
        "{refused:#?}"
    );
    // The positive control: where the kernel has the sockets, there are as many as the program may have.
    let world = World::new();
    profile(&world, &lines);
    let said = python(&world, "namespaces", SOCKETS, &[&to.port().to_string()]);
    assert!(said.split_once(' ').is_some_and(|(open, _)| open.parse::<usize>().unwrap() > 1_024), "{said}");
}

/// Says something like QUIC to the outside, and then looks up a name.
const QUIC: &str = r#"
import socket
for _ in range(3):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(60)
    s.sendto(bytes([0xc3, 0, 0, 0, 1, 8]) + bytes(1194), ("203.0.113.1", 443))
    try:
        print(len(s.recv(99)))
    except OSError as error:
        print("late" if isinstance(error, TimeoutError) else "gone")
    try:
        s.sendto(b"again", ("203.0.113.1", 443))
    except OSError as error:
        pass
print(socket.getaddrinfo("localhost", 443, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
"#;

#[test]
fn what_is_no_lookup_is_ended_at_once_and_said_once() {
    let world = World::new();
    profile(&world, "[net]\nallow = [{ host = \"granted.example\", port = 443, reason = \"a test\" }]");
    let said = python(&world, "notify", QUIC, &[]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[..3].iter().all(|line| ["0", "gone"].contains(line)) && lines[3] == "127.0.0.1", "{said}");
    let events = events(&world);
    let refused: Vec<_> = events.iter().filter(|event| event["kind"] == "net.refused").collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(refused[0]["what"]["what"], "UDP (QUIC)");
}

#[test]
fn each_refusal_is_tied_to_the_call_that_it_happened_in() {
    for backend in BACKENDS {
        let world = World::new();
        profile(&world, "[net]\nallow = [{ host = \"granted.example\", port = 443, reason = \"a test\" }]");
        let host = |n: usize| format!("10.9.8.{n}");
        let calls: Vec<_> =
            (0..30).map(|n| ("talk", json!({ "host": host(n), "port": 443, "send": "x" }))).collect();
        let session = session(&world, backend, &[], &calls);
        let refused = session.of("net.refused");
        assert_eq!(refused.len(), 30, "{backend}: {session:#?}");
        for (n, event) in refused.into_iter().enumerate() {
            assert_eq!(event["what"], format!("{}:443", host(n)), "{backend}");
            let during = event["during"]["calls"].as_array().expect("a call in flight");
            assert_eq!(during.len(), 1, "{backend}: {event}");
            assert_eq!(during[0]["id"], (n + 10).to_string(), "{backend}: {event}");
        }
    }
}

#[test]
fn a_grant_of_a_unix_socket_changes_nothing_about_connections() {
    // With one, connect(2) is the supervisor's in a network namespace too.
    let world = World::new();
    let (to, other) = (server(shout), server(shout));
    let socket = world.root().join("granted.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("it binds");
    let unix = format!(
        "[unix]\nprivate = true\nallow = [{{ path = \"{}\", reason = \"a test\" }}]",
        socket.display()
    );
    profile(&world, &format!("[net]\nallow = [{}]\n{unix}", loopback(to.port(), "")));
    let talk = |host: &str, port: u16| ("talk", json!({ "host": host, "port": port, "send": "hello" }));
    let calls = [talk("127.0.0.1", to.port()), talk("127.0.0.1", other.port()), talk("10.1.2.3", to.port())];
    let session = session(&world, "namespaces", &[], &calls);
    assert_eq!(session.answers[0], "HELLO", "{session:#?}");
    for answer in &session.answers[1..] {
        assert!(["ECONNREFUSED", "ECONNRESET", "EACCES"].contains(&answer.as_str()), "{session:#?}");
    }
    assert_eq!(session.of("net.connect").len(), 1);
    // The socket that is granted is reached, and no other one.
    let script = "import socket, sys\n\
                  for path in sys.argv[1:]:\n    \
                      s = socket.socket(socket.AF_UNIX)\n    \
                      try:\n        s.connect(path); print('connected')\n    \
                      except OSError as error: print(type(error).__name__)";
    let closed = world.root().join("other.sock");
    let _other = std::os::unix::net::UnixListener::bind(&closed).expect("it binds");
    let paths = [socket.to_str().expect("text"), closed.to_str().expect("text")];
    for backend in BACKENDS {
        // Paths among the arguments are shown, for reading, here even in the jail's own /tmp: that makes no socket its own.
        let said = python(&world, backend, script, &paths);
        assert!(
            said.starts_with("connected\n") && said.matches("connected").count() == 1,
            "{backend}: {said}"
        );
    }
}

#[test]
fn a_port_that_leads_out_and_is_listened_on_works_in_the_hosts_network_and_is_refused_elsewhere() {
    // Another address of the loopback, so that both can have the port.
    let outside = std::net::TcpListener::bind("127.0.0.2:0").expect("loopback has room");
    let port = outside.local_addr().expect("an address").port();
    std::thread::spawn(move || outside.incoming().flatten().for_each(shout));
    let world = World::new();
    profile(
        &world,
        &format!(
            "[net]\nallow = [{{ host = \"127.0.0.2\", port = {port}, addresses = [\"loopback\"], reason = \"a test\" }}]\n\
             listen = [{{ port = {port}, reason = \"a test\" }}]"
        ),
    );
    let script = "import socket, sys\n\
                  port = int(sys.argv[1])\n\
                  l = socket.create_server(('127.0.0.1', port))\n\
                  s = socket.create_connection(('127.0.0.2', port), 60)\n\
                  s.sendall(b'hello'); s.shutdown(socket.SHUT_WR); print(s.recv(99).decode())";
    assert_eq!(python(&world, "notify", script, &[&port.to_string()]), "HELLO");
    for backend in ["namespaces", "auto"] {
        let words = ["jail", "--backend", backend, "--profile", "connected", "--", "/bin/true"];
        let refused = finish(world.stockade(words).spawn().expect("it starts"), Duration::from_secs(60));
        assert_eq!(refused.code(), 125, "{refused:#?}");
        assert!(refused.stderr.contains(&format!("port {port} both ways")), "{refused:#?}");
    }
}
