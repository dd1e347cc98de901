//! More than there is room for, and what the gate knows before the broker does.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use tokio::net::UnixDatagram;

use super::super::super::room::Room;
use super::*;

const ROOMY: Room = Room { connections: 384, waiting: 1_024, resolvers: 1_024 };
const EMFILE: i32 = nix::errno::Errno::EMFILE as i32;

#[test]
fn connections_that_find_no_room_wait_for_their_turn() {
    run(async {
        let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (now, highest) = (Arc::clone(&open), Arc::clone(&most));
        let to = server(move |stream| {
            highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
            // Before the end of its own side, which is what lets the next one in.
            now.fetch_sub(1, Ordering::SeqCst);
            echo(stream);
        });
        let stage = Stage::narrow(granted(to), Room { connections: 3, waiting: 60, resolvers: 1 });
        let gate = Arc::clone(&stage.gate);
        let served = blocking(move || {
            let streams: Vec<TcpStream> = (0..60).map(|_| supervised(&gate, to).unwrap()).collect();
            let exchanges: Vec<_> = streams
                .into_iter()
                .map(|stream| std::thread::spawn(move || exchange(stream, b"ping".to_vec())))
                .collect();
            exchanges.into_iter().map(|one| one.join().unwrap()).filter(is_ping).count()
        });
        assert_eq!(served.await, 60);
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?} at a time");
        stage.broker.end().await;
        assert_eq!(stage.kept.of("net.connect").len(), 60);
        assert!(stage.kept.of("net.refused").is_empty());
    });
}

fn is_ping(answer: &std::io::Result<Vec<u8>>) -> bool {
    matches!(answer, Ok(bytes) if bytes == b"ping|4")
}

#[test]
fn who_waits_too_long_or_behind_too_many_is_refused_and_on_record() {
    run(async {
        let to = server(echo);
        let stage = Stage::narrow(granted(to), Room { connections: 1, waiting: 1, resolvers: 1 });
        let first = stage.connect(to).await.unwrap();
        let second = stage.connect(to).await.unwrap();
        stage.kept.until("net.first_seen").await;
        let third = stage.connect(to).await.unwrap();
        assert!(blocking(move || is_reset(third)).await, "behind too many");
        let event = stage.kept.until("net.refused").await;
        assert_eq!(event["why"], "1 connections are open already, and 1 more are waiting");
        assert_eq!(event["program"], "/usr/bin/prog");
        assert!(blocking(move || is_reset(second)).await, "for too long");
        let refused = stage.kept.of("net.refused");
        assert!(refused.len() == 2 && refused[1]["why"].as_str().unwrap().contains("none of them ended"));
        // The positive control: the first was carried all the time, and makes room when it ends.
        assert!(is_ping(&blocking(move || exchange(first, b"ping".to_vec())).await));
        let fourth = stage.connect(to).await.unwrap();
        assert!(is_ping(&blocking(move || exchange(fourth, b"ping".to_vec())).await));
        stage.broker.end().await;
    });
}

/// What a program takes for a UDP socket, if there is room for one.
fn udp(stage: &Stage) -> Result<UnixDatagram, i32> {
    stage.gate.resolver_room(&wish(([127, 0, 0, 1], 1).into()).program)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (program, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
    stage.gate.resolver(far);
    Ok(UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(program)).unwrap())
}

/// Whether it comes to pass within some time.
async fn comes(condition: impl Fn() -> bool) -> bool {
    for _ in 0..2_000 {
        if condition() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

#[test]
fn udp_sockets_are_counted_and_one_too_many_is_refused_with_one_event() {
    run(async {
        let room = Room { connections: 1, waiting: 1, resolvers: 3 };
        let stage = Stage::narrow(Settings::default(), room);
        let mut open: Vec<_> = (0..3).map(|_| udp(&stage).unwrap()).collect();
        for _ in 0..10_000 {
            assert_eq!(udp(&stage).unwrap_err(), EMFILE);
            tokio::task::yield_now().await;
        }
        let event = stage.kept.until("net.refused").await;
        assert!(event["what"] == "a UDP socket" && event["why"].as_str().unwrap().starts_with("3 are open"));
        assert_eq!(stage.kept.of("net.refused").len(), 1);
        open.pop();
        assert!(comes(|| udp(&stage).is_ok()).await, "one that is closed makes room");
        stage.broker.end().await;
    });
}

#[test]
fn a_udp_socket_that_speaks_no_dns_is_closed_with_one_event_a_protocol() {
    run(async {
        let stage = Stage::narrow(Settings::default(), ROOMY);
        let mut quic = vec![0xc3, 0, 0, 0, 1, 8];
        quic.resize(1_200, 7);
        let mut ntp = vec![0x23];
        ntp.resize(48, 0);
        let (open, question) =
            (udp(&stage).unwrap(), b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04evil\x07example\0\0\x01\0\x01");
        for datagram in [&quic, &quic, &ntp] {
            let program = udp(&stage).unwrap();
            program.send(datagram).await.unwrap();
            let ended = tokio::time::timeout(Duration::from_secs(10), program.recv(&mut [0; 16])).await;
            assert_eq!(ended.expect("it is closed").unwrap_or(0), 0, "nothing answers");
        }
        let whats: Vec<_> = stage.kept.of("net.refused").iter().map(|event| event["what"].clone()).collect();
        assert_eq!(whats, ["UDP (QUIC)", "UDP (NTP)"]);
        // The positive control: another socket of the same program goes on.
        open.send(question).await.unwrap();
        let mut answer = [0; 512];
        let answered = tokio::time::timeout(Duration::from_secs(10), open.recv(&mut answer)).await;
        assert!(answered.unwrap().unwrap() > 12 && answer[..2] == question[..2]);
        stage.broker.end().await;
    });
}

#[test]
fn what_the_gate_refused_is_on_record_before_an_answer_is_passed_on() {
    run(async {
        let stage = Stage::new(Settings::default(), &[]);
        let to: SocketAddr = "203.0.113.5:443".parse().unwrap();
        assert!(matches!(stage.gate.connect(&wish(to)), Way::Refused(_)));
        // No task has run since, as when the answer of the call arrives together with the news.
        assert!(stage.kept.of("net.refused").is_empty());
        stage.broker.catching_up().catch_up();
        assert_eq!(stage.kept.one("net.refused")["during"]["calls"][0]["item"], "fetch");
        let witness = stage.broker.catching_up();
        stage.broker.end().await;
        witness.catch_up();
        assert_eq!(stage.kept.of("net.refused").len(), 1);
    });
}

#[test]
fn what_the_gate_says_last_is_on_record_too() {
    run(async {
        let stage = Stage::new(Settings::default(), &[]);
        assert!(matches!(stage.gate.connect(&wish("203.0.113.5:443".parse().unwrap())), Way::Refused(_)));
        stage.broker.end().await;
        stage.kept.one("net.refused");
    });
}

#[test]
fn an_ipv4_address_that_stands_for_an_ipv6_one_is_relayed_and_gets_there() {
    run(async {
        let Ok(listener) = TcpListener::bind("[::1]:0") else {
            eprintln!("not tried: no IPv6 here");
            return;
        };
        let to = listener.local_addr().unwrap();
        std::thread::spawn(move || listener.incoming().flatten().for_each(echo));
        // Two names with different rights at one address: the second is told another one (RFC 2544).
        let grants = vec![
            grant("one.example", to.port()),
            grant("other.example", to.port()),
            grant("other.example", 1),
        ];
        let settings = Settings { grants, upload_bytes: None, ..Settings::default() };
        let stage = Stage::narrow(settings, ROOMY);
        let told = |name: &str| stage.shared.judge.lock().unwrap().resolved(name, &[to.ip()]).unwrap();
        assert_eq!(told("one.example"), [to.ip()]);
        let [IpAddr::V4(synthetic)] = told("other.example")[..] else { panic!("not IPv4") };
        // The positive control: the address itself needs no relay.
        assert_eq!(stage.gate.connect(&wish(to)), Way::Direct(to));
        let wished = SocketAddr::from((synthetic, to.port()));
        assert!(matches!(stage.gate.connect(&wish(wished)), Way::Relay(relay) if relay.is_ipv4()));
        let stream = stage.connect(wished).await.expect("no errno for the program");
        assert!(is_ping(&blocking(move || exchange(stream, b"ping".to_vec())).await));
        let event = stage.kept.until("net.connect").await;
        stage.broker.end().await;
        let all = stage.kept.of("net.connect");
        let relayed = all.iter().find(|event| event["host"] == "other.example").unwrap_or(&event);
        assert_eq!((&relayed["address"], &relayed["ended"]), (&"::1".into(), &"closed".into()));
    });
}

#[test]
fn a_mapped_address_is_the_ipv4_address_that_it_holds() {
    run(async {
        let to = server(echo);
        let stage = Stage::narrow(Settings { upload_bytes: None, ..granted(to) }, ROOMY);
        let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{}", to.port()).parse().unwrap();
        assert_eq!(stage.gate.connect(&wish(mapped)), Way::Direct(to));
        let stream = stage.connect(mapped).await.unwrap();
        assert!(is_ping(&blocking(move || exchange(stream, b"ping".to_vec())).await));
        stage.broker.end().await;
    });
}

#[test]
fn what_the_gate_says_while_the_broker_gathers_is_on_record_in_time_and_none_of_it_is_lost() {
    run(async {
        let stage = Stage::new(Settings::default(), &[]);
        let refuse = |port: u16| {
            let to = SocketAddr::from(([203, 0, 113, 5], port));
            assert!(matches!(stage.gate.connect(&wish(to)), Way::Refused(_)));
        };
        refuse(1);
        // Heard by the task that gathers from here on.
        stage.kept.until("net.refused").await;
        refuse(2);
        stage.broker.catching_up().catch_up();
        let whats: Vec<_> = stage.kept.of("net.refused").iter().map(|event| event["what"].clone()).collect();
        assert_eq!(whats, ["203.0.113.5:1", "203.0.113.5:2"]);
        // Some hundred in a hundredth of a second are as many as a supervisor can answer.
        for _ in 0..1_500 {
            refuse(3);
        }
        stage.broker.end().await;
        let summary = stage.kept.one("net.summary");
        assert_eq!((&summary["refused"], &summary["lost"]), (&1_502.into(), &0.into()), "{summary}");
    });
}
