use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use stockade_sandbox::{Gatekeeper, Way};

use super::super::Settings;
use super::super::testing::{Stage, blocking, grant, run, server, wish};
use super::*;

const NAME: &str = "api.example.org";
const SEEN: &str = "93.184.215.14:443";

/// A proxy that records the head of each request, answers it with `answer`, and echoes from then on.
fn proxy(answer: &'static [u8]) -> (SocketAddr, Receiver<String>) {
    let (tell, told) = channel();
    let address = server(move |mut stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        tell.send(String::from_utf8(head).unwrap()).unwrap();
        stream.write_all(answer).unwrap();
        let mut chunk = [0; 1024];
        while let Ok(length @ 1..) = stream.read(&mut chunk) {
            stream.write_all(&chunk[..length]).unwrap();
        }
    });
    (address, told)
}

/// A stage on which the name is granted and was looked up.
fn stage(variable: &str) -> Stage {
    let settings = Settings { grants: vec![grant(NAME, 443)], ..Settings::default() };
    let stage = Stage::new(settings, &[("https_proxy", variable)]);
    let told = stage.shared.judge.lock().unwrap().resolved(NAME, &["93.184.215.14".parse().unwrap()]);
    assert_eq!(told.unwrap(), ["93.184.215.14".parse::<IpAddr>().unwrap()]);
    stage
}

#[test]
fn a_proxy_is_given_the_name_and_the_credentials_and_then_carries_bytes() {
    run(async {
        let (address, told) = proxy(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nearly ");
        let stage = stage(&format!("http://user:pass@{address}"));
        let mut stream = stage.connect(SEEN.parse().unwrap()).await.unwrap();
        let read = blocking(move || {
            stream.write_all(b"words").unwrap();
            let mut read = [0; 11];
            stream.read_exact(&mut read).unwrap();
            read
        });
        assert_eq!(&read.await, b"early words");
        let head = told.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(
            head.starts_with("CONNECT api.example.org:443 HTTP/1.1\r\nHost: api.example.org:443\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n"), "{head}");
        let event = stage.kept.until("net.connect").await;
        assert_eq!((&event["way"], &event["host"]), (&"proxy".into(), &NAME.into()));
        assert_eq!((&event["bytes_up"], &event["bytes_down"]), (&5.into(), &11.into()));
    });
}

#[test]
fn an_address_that_was_asked_for_is_given_to_the_proxy_as_one() {
    run(async {
        let (address, told) = proxy(b"HTTP/1.1 200 OK\r\n\r\n");
        let settings = Settings { grants: vec![grant("2606:4700::6810", 443)], ..Settings::default() };
        let stage = Stage::new(settings, &[("https_proxy", &format!("http://{address}"))]);
        let stream = stage.connect("[2606:4700::6810]:443".parse().unwrap()).await.unwrap();
        let head = blocking(move || told.recv_timeout(Duration::from_secs(5)).unwrap()).await;
        assert!(head.starts_with("CONNECT [2606:4700::6810]:443 HTTP/1.1\r\n"), "{head}");
        assert!(!head.contains("Authorization"), "{head}");
        drop(stream);
    });
}

#[test]
fn a_proxy_that_refuses_or_babbles_is_named_without_its_password() {
    let long: &'static [u8] =
        Box::leak([b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'y'; 20_000]].concat().into_boxed_slice());
    let cases: [(&'static [u8], &str); 4] = [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "answered 407"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "answered 403"),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP answer"),
        (long, "no HTTP answer"),
    ];
    for (answer, expected) in cases {
        run(async {
            let (address, _told) = proxy(answer);
            let stage = stage(&format!("http://user:hunter2@{address}"));
            let mut stream = stage.connect(SEEN.parse().unwrap()).await.unwrap();
            let event = stage.kept.until("net.connect").await;
            let ended = event["ended"].as_str().unwrap();
            assert!(ended.contains(expected) && ended.contains(&address.to_string()), "{event}");
            assert!(!event.to_string().contains("hunter2"));
            assert!(blocking(move || stream.read(&mut [0; 1])).await.is_err());
        });
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_not_gone_around() {
    run(async {
        let stage = stage("socks5://127.0.0.1:1080");
        let _stream = stage.connect(SEEN.parse().unwrap()).await.unwrap();
        let event = stage.kept.until("net.connect").await;
        assert!(event["ended"].as_str().unwrap().contains("socks5:// proxies are not supported"), "{event}");
        assert!(stage.kept.told.borrow().contains("https_proxy names a proxy that cannot be used"));
    });
}

#[test]
fn this_machine_is_reached_directly_although_there_is_a_proxy() {
    run(async {
        let to = server(|mut stream| stream.write_all(b"here").unwrap());
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = Settings { grants: vec![grant("127.0.0.1", to.port())], ..Settings::default() };
        let stage = Stage::new(settings, &[("https_proxy", &format!("http://{nobody}"))]);
        assert_eq!(stage.gate.connect(&wish(to)), Way::Direct(to));
    });
}

#[test]
fn a_name_that_only_the_proxy_knows_is_reached_through_it_and_never_by_its_made_up_address() {
    run(async {
        let (address, told) = proxy(b"HTTP/1.1 200 OK\r\n\r\n");
        let made_up = |stage: &Stage| {
            let addresses = stage.shared.judge.lock().unwrap().unresolved(NAME).unwrap();
            SocketAddr::new(addresses[0], 443)
        };
        let behind = stage(&format!("http://{address}"));
        let _stream = behind.connect(made_up(&behind)).await.unwrap();
        let head = blocking(move || told.recv_timeout(Duration::from_secs(5)).unwrap()).await;
        assert!(head.starts_with("CONNECT api.example.org:443 "), "{head}");

        let settings = Settings { grants: vec![grant(NAME, 443)], ..Settings::default() };
        let without = Stage::new(settings, &[]);
        let to = made_up(&without);
        assert_ne!(without.gate.connect(&wish(to)), Way::Direct(to));
        let _stream = without.connect(to).await.unwrap();
        let event = without.kept.until("net.connect").await;
        assert!(event["ended"].as_str().unwrap().contains("known to the proxy alone"), "{event}");
    });
}
