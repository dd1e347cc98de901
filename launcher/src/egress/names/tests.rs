use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt};
use stockade_sandbox::{Gatekeeper, Way};
use tokio::io::AsyncReadExt;

use super::super::Settings;
use super::super::testing::{Stage, blocking, grant, run, supervised, wish};
use super::*;

/// A question for the A record of a name.
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut bytes = [id.to_be_bytes(), [1, 0], [0, 1], [0, 0], [0, 0], [0, 0]].concat();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// Id and response code of an answer.
fn read(answer: &[u8]) -> (u16, u8) {
    assert!(answer[2] & 0x80 != 0, "an answer: {answer:?}");
    (u16::from_be_bytes([answer[0], answer[1]]), answer[3] & 15)
}

const NO_SUCH_NAME: u8 = 3;

fn stage() -> Stage {
    Stage::new(Settings { grants: vec![grant("localhost", 443)], ..Settings::default() }, &[])
}

#[test]
fn a_datagram_is_answered_from_the_address_that_was_asked() {
    run(async {
        let stage = stage();
        let v4 = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        setsockopt(&v4, sockopt::Ipv4PacketInfo, &true).unwrap();
        let mut doors = vec![(v4, Ipv4Addr::new(127, 0, 0, 77).into())];
        if let Ok(v6) = std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) {
            setsockopt(&v6, sockopt::Ipv6RecvPacketInfo, &true).unwrap();
            doors.push((v6, Ipv6Addr::LOCALHOST.into()));
        }
        for (door, asked) in doors {
            let to = SocketAddr::new(asked, door.local_addr().unwrap().port());
            door.set_nonblocking(true).unwrap();
            stage
                .broker
                .inner
                .spawn(serve_udp(Rc::clone(&stage.broker.inner), UdpSocket::from_std(door).unwrap()));
            let any: IpAddr =
                if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
            let client = UdpSocket::bind((any, 0)).await.unwrap();
            // Connected, it hears nobody else.
            client.connect(to).await.unwrap();
            for id in [1, 2] {
                client.send(&question(id, "secret-data.evil.example")).await.unwrap();
                let mut answer = [0; 512];
                let length = tokio::time::timeout(Duration::from_secs(10), client.recv(&mut answer)).await;
                assert_eq!(read(&answer[..length.unwrap().unwrap()]), (id, NO_SUCH_NAME));
            }
        }
        let event = stage.kept.one("net.dns_refused");
        assert_eq!(event["what"], "secret-data.evil.example");
        assert!(event["fragment"].is_string());
    });
}

#[test]
fn two_questions_in_one_write_over_tcp_are_both_answered() {
    run(async {
        let stage = stage();
        let to: SocketAddr = "8.8.8.8:53".parse().unwrap();
        assert!(matches!(stage.gate.connect(&wish(to)), Way::Relay(_)), "every name server is us");
        let gate = std::sync::Arc::clone(&stage.gate);
        let stream = blocking(move || supervised(&gate, to).unwrap()).await;
        stream.set_nonblocking(true).unwrap();
        let mut stream = TcpStream::from_std(stream).unwrap();
        let both: Vec<u8> = [question(5, "a.evil.example"), question(6, "localhost")]
            .iter()
            .flat_map(|question| [&(question.len() as u16).to_be_bytes(), question.as_slice()].concat())
            .collect();
        stream.write_all(&both).await.unwrap();
        let mut codes = Vec::new();
        for _ in 0..2 {
            let length =
                tokio::time::timeout(Duration::from_secs(10), stream.read_u16()).await.unwrap().unwrap();
            let mut answer = vec![0; length.into()];
            stream.read_exact(&mut answer).await.unwrap();
            codes.push(read(&answer));
        }
        assert_eq!(codes, [(5, NO_SUCH_NAME), (6, 0)]);
    });
}

#[test]
fn what_a_program_takes_for_a_udp_socket_is_answered_until_it_is_closed() {
    run(async {
        let stage = stage();
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (program, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        stage.gate.resolver(far);
        let program = UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(program)).unwrap();
        let mut answer = [0; 512];
        for id in 1..4 {
            program.send(&[]).await.unwrap();
            program.send(&question(id, "b.evil.example")).await.unwrap();
            let length = tokio::time::timeout(Duration::from_secs(10), program.recv(&mut answer)).await;
            assert_eq!(read(&answer[..length.unwrap().unwrap()]), (id, NO_SUCH_NAME));
        }
        let tasks = || stage.broker.inner.tasks_left();
        let before = tasks();
        drop(program);
        for _ in 0..1_000 {
            if tasks() < before {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it is served for ever");
    });
}

#[test]
fn what_resolvers_append_to_a_name_is_no_event_of_its_own() {
    run(async {
        let stage = stage();
        let inner = &stage.broker.inner;
        let ask = async |id: u16, name: &str| {
            let answer = answer(inner, &question(id, name), By::Datagram).await.unwrap();
            assert_eq!(read(&answer), (id, NO_SUCH_NAME), "{name}");
        };
        inner.searched.replace(dns::SearchList::read("search corp.example"));
        // Made of a granted name, and of one that is refused itself.
        ask(1, "localhost.corp.example").await;
        assert!(stage.kept.of("net.dns_refused").is_empty());
        ask(2, "evil.example").await;
        ask(3, "evil.example.corp.example").await;
        assert_eq!(stage.kept.one("net.dns_refused")["what"], "evil.example");
        // The positive control: what nobody asked for otherwise is one.
        ask(4, "c2VjcmV0.corp.example").await;
        assert_eq!(stage.kept.of("net.dns_refused").len(), 2);
        stage.broker.end().await;
        assert_eq!(stage.kept.one("net.summary")["dns_refused"], 4);
    });
}

#[test]
fn a_program_that_reads_no_answers_costs_no_memory() {
    run(async {
        let stage = stage();
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (program, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        stage.gate.resolver(far);
        let program = UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(program)).unwrap();
        for id in 0..5_000_u16 {
            program.send(&question(id, "c.evil.example")).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(stage.broker.inner.tasks_left() < 10, "{} tasks wait", stage.broker.inner.tasks_left());
    });
}
