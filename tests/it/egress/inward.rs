//! From the host's loopback to a server that may listen.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use super::{BACKENDS, events, profile};
use crate::support::{World, finish, fixture_command};

/// A port that nobody has right now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn say(host: &str, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((host, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(b"hello")?;
    stream.shutdown(Shutdown::Write)?;
    let mut read = String::new();
    stream.read_to_string(&mut read)?;
    Ok(read)
}

#[test]
fn a_port_that_it_may_listen_on_is_reached_from_the_hosts_loopback() {
    for backend in BACKENDS {
        for host in ["127.0.0.1", "::1"] {
            let world = World::new();
            let port = free_port();
            profile(&world, &format!("[net]\nlisten = [{{ port = {port}, reason = \"OAuth\" }}]"));
            let mut words: Vec<_> =
                ["run", "--backend", backend, "--profile", "connected", "--"].map(Into::into).to_vec();
            words.extend(fixture_command("network.py", &[]));
            let mut child = world.stockade(words).stdin(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            let mut to_server = child.stdin.take().unwrap();
            let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                               "params": { "name": "listen", "arguments": { "port": port, "host": host } } });
            writeln!(to_server, "{call}").unwrap();
            let mut answer = String::new();
            lines.read_line(&mut answer).unwrap();
            assert!(answer.contains("listening"), "{backend}, {host}: {answer}");
            // Where a listener of ours stands before the server's, it leads to either of its addresses.
            let hosts = if backend == "namespaces" { vec!["127.0.0.1", "::1"] } else { vec![host] };
            for from in hosts {
                assert_eq!(say(from, port).unwrap(), "you said hello", "{backend}, {from} to {host}");
            }
            drop(to_server);
            let finished = finish(child, Duration::from_secs(30));
            assert_eq!(finished.code(), 0, "{finished:#?}");
            assert!(say(host, port).is_err(), "{backend}: after the session nobody listens");
            let inbound = events(&world).into_iter().filter(|event| event["kind"] == "net.inbound");
            for event in inbound.collect::<Vec<_>>() {
                assert_eq!((&event["what"]["port"], &event["what"]["bytes_in"]), (&port.into(), &5.into()));
            }
        }
    }
}

#[test]
fn a_port_that_is_taken_outside_stops_the_start_with_its_reason() {
    let world = World::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    profile(&world, &format!("[net]\nlisten = [{{ port = {port}, reason = \"OAuth\" }}]"));
    let mut words: Vec<_> =
        ["run", "--backend", "namespaces", "--profile", "connected", "--"].map(Into::into).to_vec();
    words.extend(fixture_command("network.py", &[]));
    let finished = finish(world.stockade(words).spawn().unwrap(), Duration::from_secs(30));
    assert_eq!(finished.code(), 125, "{finished:#?}");
    assert!(finished.stderr.contains(&format!("127.0.0.1:{port}")), "{}", finished.stderr);
    assert!(finished.stderr.contains("hint:"), "{}", finished.stderr);
}
