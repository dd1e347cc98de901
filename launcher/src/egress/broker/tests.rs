use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use stockade_sandbox::{Gatekeeper, Way};

use super::super::Settings;
use super::super::testing::{Stage, blocking, echo, grant, run, server, supervised, wish};
use super::*;

mod crowds;

const CAP: Option<u64> = Some(64 << 20);

fn granted(to: SocketAddr) -> Settings {
    Settings { grants: vec![grant("127.0.0.1", to.port())], upload_bytes: CAP, ..Settings::default() }
}

/// Writes everything while reading everything, says that it is done, and returns what it read.
fn exchange(mut stream: TcpStream, bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut writing = stream.try_clone()?;
    let writer = std::thread::spawn(move || {
        let written = writing.write_all(&bytes);
        let _ = writing.shutdown(Shutdown::Write);
        written
    });
    let mut read = Vec::new();
    stream.read_to_end(&mut read)?;
    writer.join().unwrap()?;
    Ok(read)
}

/// The connection was broken off, whatever call notices.
fn is_reset(mut stream: TcpStream) -> bool {
    let broken =
        |error: &std::io::Error| matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
    for _ in 0..100 {
        if let Err(error) = stream.write_all(b"x") {
            return broken(&error);
        }
        match stream.read(&mut [0; 16]) {
            Err(error) => return broken(&error),
            Ok(0) => return false,
            Ok(_) => {}
        }
    }
    false
}

#[test]
fn bytes_go_both_ways_unchanged_and_either_side_may_say_that_it_is_done() {
    run(async {
        let to = server(echo);
        let stage = Stage::new(granted(to), &[]);
        let stream = stage.connect(to).await.unwrap();
        let bytes: Vec<u8> =
            (0..3_000_017_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (sent, length) = (bytes.clone(), bytes.len());
        let read = blocking(move || exchange(stream, sent)).await.unwrap();
        assert!(read[..length] == bytes[..], "the bytes changed on the way");
        assert_eq!(&read[length..], format!("|{length}").as_bytes(), "half closed, it still hears");
        let event = stage.kept.until("net.connect").await;
        assert_eq!(event["host"], "127.0.0.1");
        assert_eq!(event["class"], "loopback");
        assert_eq!(event["way"], "direct");
        assert_eq!(event["ended"], "closed");
        assert_eq!(event["bytes_up"], length as u64);
        assert_eq!(event["bytes_down"], (length + 8) as u64);
        assert_eq!(event["program"], "/usr/bin/prog");
        assert_eq!(event["during"]["calls"][0]["item"], "fetch");
        assert!(event["during"]["ambiguous"].is_null());
        assert_eq!(stage.kept.one("net.first_seen")["port"], to.port());
        stage.broker.end().await;
        assert_eq!(stage.kept.one("net.summary")["bytes_up"], length as u64);
    });
}

#[test]
fn a_destination_is_first_seen_once() {
    run(async {
        let to = server(echo);
        let stage = Stage::new(granted(to), &[]);
        for _ in 0..3 {
            let stream = stage.connect(to).await.unwrap();
            blocking(move || exchange(stream, b"x".to_vec())).await.unwrap();
        }
        stage.broker.end().await;
        assert_eq!(stage.kept.of("net.connect").len(), 3);
        stage.kept.one("net.first_seen");
        assert_eq!(stage.kept.one("net.summary")["destinations"], 1);
    });
}

#[test]
fn what_is_not_granted_is_refused_at_once_with_what_would_allow_it() {
    run(async {
        let (to, other) = (server(echo), server(|_| panic!("it was reached")));
        let stage = Stage::new(granted(to), &[]);
        assert_eq!(stage.connect(other).await.unwrap_err(), nix::errno::Errno::EACCES as i32);
        let event = stage.kept.until("net.refused").await;
        assert_eq!(event["what"], other.to_string());
        assert!(event["fragment"].as_str().unwrap().contains(&format!("port = {}", other.port())), "{event}");
        assert!(stage.kept.told.borrow().contains("add to a profile"), "{}", stage.kept.told.borrow());
        for _ in 0..100 {
            assert!(stage.connect(other).await.is_err());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        stage.broker.end().await;
        stage.kept.one("net.refused");
        let summary = stage.kept.one("net.summary");
        assert_eq!((&summary["refused"], &summary["suppressed"]), (&101.into(), &100.into()));
    });
}

#[test]
fn over_its_budget_a_connection_is_cut_and_nothing_beyond_it_leaves() {
    run(async {
        let (tell, told) = mpsc::channel();
        let to = server(move |mut stream| {
            let (mut total, mut chunk) = (0, [0; 4096]);
            let ended = loop {
                match stream.read(&mut chunk) {
                    Ok(0) => break "closed",
                    Ok(length) => total += length,
                    Err(_) => break "reset",
                }
            };
            tell.send((total, ended)).unwrap();
        });
        let mut settings = granted(to);
        settings.grants[0].upload_bytes = Some(100_000);
        let stage = Stage::new(settings, &[]);
        let mut stream = stage.connect(to).await.unwrap();
        let failed = blocking(move || {
            (0..1_000).any(|_| {
                std::thread::sleep(Duration::from_millis(1));
                stream.write_all(&[7; 10_000]).is_err()
            })
        });
        assert!(failed.await, "it could go on writing");
        let (total, ended) = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(total <= 100_000, "{total} bytes left");
        assert_eq!(ended, "reset");
        assert_eq!(stage.kept.until("net.connect").await["ended"], "over budget");
        assert!(stage.kept.one("net.refused")["why"].as_str().unwrap().contains("100000"));
        let again = stage.connect(to).await.unwrap();
        assert!(blocking(move || is_reset(again)).await, "a new connection has no new budget");
        stage.broker.end().await;
    });
}

#[test]
fn a_stranger_at_the_relay_reaches_nothing() {
    run(async {
        let to = server(|mut stream| {
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all);
            assert_ne!(all, b"stranger", "a stranger came through");
        });
        let stage = Stage::new(granted(to), &[]);
        let Way::Relay(relay) = stage.gate.connect(&wish(to)) else { panic!("not relayed") };
        let stranger = blocking(move || {
            let stream = TcpStream::connect(relay).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            is_reset(stream)
        });
        assert!(stranger.await);
        // The positive control: the same connection, announced.
        assert!(stage.connect(to).await.is_ok());
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.broker.end().await;
        assert_eq!(stage.kept.of("net.connect").len(), 1);
    });
}

#[test]
fn an_announcement_is_good_for_one_connection() {
    run(async {
        let to = server(echo);
        let stage = Stage::new(granted(to), &[]);
        let Way::Relay(_) = stage.gate.connect(&wish(to)) else { panic!("not relayed") };
        let from = "127.0.0.1:1".parse().unwrap();
        stage.gate.relayed("[::ffff:127.0.0.1]:1".parse().unwrap(), &wish(to));
        assert_eq!(stage.gate.announced(from), Some(wish(to)));
        assert_eq!(stage.gate.announced(from), None);
    });
}

#[test]
fn where_nobody_listens_the_program_sees_a_reset() {
    run(async {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let stage = Stage::new(granted(closed), &[]);
        let stream = stage.connect(closed).await.unwrap();
        assert!(blocking(move || is_reset(stream)).await);
        let event = stage.kept.until("net.connect").await;
        assert!(event["ended"].as_str().unwrap().contains("cannot connect"), "{event}");
        assert_eq!(event["way"], "none");
    });
}

#[test]
fn a_reset_outside_is_a_reset_inside() {
    run(async {
        let to = server(|mut stream| {
            stream.read_exact(&mut [0]).unwrap();
            let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &linger).unwrap();
        });
        let stage = Stage::new(granted(to), &[]);
        let stream = stage.connect(to).await.unwrap();
        assert!(blocking(move || is_reset(stream)).await);
        assert_eq!(stage.kept.until("net.connect").await["ended"], "reset");
    });
}

#[test]
fn without_budget_and_proxy_the_program_is_connected_straight() {
    run(async {
        let to = server(echo);
        let stage = Stage::new(Settings { upload_bytes: None, ..granted(to) }, &[]);
        assert_eq!(stage.gate.connect(&wish(to)), Way::Direct(to));
        let event = stage.kept.until("net.connect").await;
        assert_eq!(event["way"], "unobserved");
        assert!(event["bytes_up"].is_null() && event["duration_ms"].is_null());
    });
}

#[test]
fn the_end_of_the_session_cuts_what_is_open() {
    run(async {
        let to = server(echo);
        let stage = Stage::new(granted(to), &[]);
        let mut stream = stage.connect(to).await.unwrap();
        let stream = blocking(move || {
            stream.write_all(b"hello").unwrap();
            stream.read_exact(&mut [0; 5]).unwrap();
            stream
        });
        let stream = stream.await;
        assert!(stage.kept.of("net.connect").is_empty());
        stage.broker.end().await;
        let event = stage.kept.one("net.connect");
        assert_eq!((&event["ended"], &event["bytes_up"]), (&"session ended".into(), &5.into()));
        let ended = blocking(move || {
            let mut stream = stream;
            !matches!(stream.read(&mut [0; 1]), Ok(1..))
        });
        assert!(ended.await);
    });
}

#[test]
fn hundreds_of_connections_at_a_time_are_served() {
    run(async {
        let to = server(echo);
        let stage = Stage::new(granted(to), &[]);
        let gate = Arc::clone(&stage.gate);
        let all = blocking(move || {
            let streams: Vec<TcpStream> = (0..200).map(|_| supervised(&gate, to).unwrap()).collect();
            streams.into_iter().all(|stream| exchange(stream, b"ping".to_vec()).unwrap() == b"ping|4")
        });
        assert!(all.await);
        stage.broker.end().await;
        assert_eq!(stage.kept.of("net.connect").len(), 200);
    });
}

#[test]
fn a_connection_that_only_the_outside_holds_open_ends_after_a_while() {
    run(async {
        let (tell, told) = mpsc::channel();
        let to = server(move |mut stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            // It has heard the end and says nothing, until it notices that nobody is there.
            while stream.write_all(b"").is_ok() && stream.take_error().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(20));
            }
            tell.send(()).unwrap();
        });
        let stage = Stage::new(granted(to), &[]);
        drop(stage.connect(to).await.unwrap());
        assert_eq!(stage.kept.until("net.connect").await["ended"], "half closed and silent");
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(()));
    });
}
