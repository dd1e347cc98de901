//! Through the proxy of the launcher's own environment.

use std::io::{Read, Write};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::json;

use super::{BACKENDS, profile, server, session};
use crate::support::World;

#[test]
fn a_name_is_reached_through_the_proxy_without_any_name_server() {
    for backend in BACKENDS {
        let world = World::new();
        profile(
            &world,
            "[net]\nallow = [{ host = \"*.stockade-test.invalid\", port = 443, reason = \"a test\" }]",
        );
        let (tell, told) = channel();
        let proxy = server(move |mut stream| {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read_exact(&mut byte).is_err() {
                    return;
                }
                head.extend(byte);
            }
            let _ = tell.send(String::from_utf8_lossy(&head).into_owned());
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            super::shout(stream);
        });
        let variable = format!("http://user:hunter2@{proxy}");
        let talk = |host: &str| ("talk", json!({ "host": host, "port": 443, "send": "hello" }));
        let calls = [talk("api.stockade-test.invalid"), talk("elsewhere.invalid")];
        let session = session(&world, backend, &[("https_proxy", &variable)], &calls);
        assert_eq!(session.answers, ["HELLO", "gaierror"], "{backend}: {session:#?}");
        let head = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(head.starts_with("CONNECT api.stockade-test.invalid:443 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("Proxy-Authorization: Basic dXNlcjpodW50ZXIy\r\n"), "{head}");
        let event = session.one("net.connect");
        assert_eq!((&event["way"], &event["host"]), (&"proxy".into(), &"api.stockade-test.invalid".into()));
        let all = format!("{:?}{}", session.events, session.stderr);
        assert!(!all.contains("hunter2") && !all.contains("dXNlcjpo"), "credentials are on record");
    }
}
