//! Asking name servers: some on this machine's loopback, made up for the test.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::super::outside::{Failure, Outside, Resolve};
use super::super::upstream::{ask, servers};
use super::super::wire::Kind;

/// Runs on one thread, as the launcher does.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(future))
}

/// The reply to a query: its question, flags, and one text.
fn reply(query: &[u8], flags: u16, text: &[u8]) -> Vec<u8> {
    // Without our OPT record, which has 11 bytes.
    let mut bytes = query[..query.len() - 11].to_vec();
    bytes[2..4].copy_from_slice(&flags.to_be_bytes());
    bytes[6..12].copy_from_slice(&[0, u8::from(!text.is_empty()), 0, 0, 0, 0]);
    if !text.is_empty() {
        bytes.extend(b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00");
        bytes.push(text.len() as u8 + 1);
        bytes.push(text.len() as u8);
        bytes.extend(text);
    }
    bytes
}

/// A UDP server that says this to each query, one datagram after the other.
async fn udp(says: impl Fn(&[u8]) -> Vec<Vec<u8>> + 'static) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
    let address = socket.local_addr().expect("its address");
    tokio::task::spawn_local(async move {
        let mut bytes = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            for said in says(&bytes[..length]) {
                socket.send_to(&said, from).await.expect("sent");
            }
        }
    });
    address
}

/// A port on which nobody listens.
async fn nobody() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
    socket.local_addr().expect("its address")
}

#[test]
fn a_server_is_asked_and_believed() {
    run(async {
        let server = udp(|query| vec![reply(query, 0x8180, b"hello")]).await;
        let reply = ask(&[server], "example.org", Kind::Txt).await.expect("a reply");
        assert_eq!(reply.texts, [b"\x05hello".to_vec()]);
    });
}

#[test]
fn a_forged_reply_is_waited_out() {
    run(async {
        let server = udp(|query| {
            let mut forged = reply(query, 0x8180, b"forged");
            forged[0] ^= 1;
            vec![forged, vec![0; 3], reply(query, 0x8180, b"true")]
        });
        let reply = ask(&[server.await], "example.org", Kind::Txt).await.expect("a reply");
        assert_eq!(reply.texts, [b"\x04true".to_vec()]);
    });
}

#[test]
fn the_next_server_is_asked_when_one_is_gone_or_fails() {
    run(async {
        let failing = udp(|query| vec![reply(query, 0x8182, b"")]).await;
        let good = udp(|query| vec![reply(query, 0x8180, b"x")]).await;
        let servers = [nobody().await, failing, good];
        assert_eq!(ask(&servers, "example.org", Kind::Txt).await.expect("a reply").texts.len(), 1);
        let failed = ask(&servers[..2], "example.org", Kind::Txt).await.expect_err("none is left");
        assert!(matches!(failed, Failure::Code { code: 2, .. }), "{failed}");
        let failed = ask(&servers[..1], "example.org", Kind::Txt).await.expect_err("none is left");
        assert!(matches!(failed, Failure::Server { .. }), "{failed}");
    });
}

#[test]
fn that_there_is_no_such_name_is_an_answer() {
    run(async {
        let server = udp(|query| vec![reply(query, 0x8183, b"")]).await;
        assert_eq!(ask(&[server], "example.org", Kind::Txt).await.expect("a reply").code, 3);
    });
}

#[test]
fn a_truncated_reply_is_fetched_over_tcp() {
    run(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a listener");
        let address = listener.local_addr().expect("its address");
        // Both protocols on one port, as a name server has it.
        let socket = UdpSocket::bind(address).await.expect("the same port");
        tokio::task::spawn_local(async move {
            let mut bytes = [0; 4096];
            let (length, from) = socket.recv_from(&mut bytes).await.expect("a query");
            socket.send_to(&reply(&bytes[..length], 0x8380, b""), from).await.expect("sent");
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let length = stream.read_u16().await.expect("a length");
            let mut query = vec![0; length.into()];
            stream.read_exact(&mut query).await.expect("a query");
            let reply = reply(&query, 0x8180, b"over tcp");
            let length = u16::try_from(reply.len()).expect("a short reply");
            stream.write_all(&[&length.to_be_bytes(), &reply[..]].concat()).await.expect("sent");
        });
        let reply = ask(&[address], "example.org", Kind::Txt).await.expect("a reply");
        assert_eq!(reply.texts, [b"\x08over tcp".to_vec()]);
    });
}

#[test]
fn name_servers_are_read_from_resolv_conf() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("resolv.conf");
    let text = "# nameserver 9.9.9.9\nsearch corp\nnameserver 10.0.0.1 # first\nnameserver\tfd00::1\n\
                nameserver nonsense\nnameserver fe80::1%7\nnameserver 10.0.0.4\noptions ndots:5\n";
    std::fs::write(&file, text).expect("written");
    let expected = ["10.0.0.1:53", "[fd00::1]:53", "[fe80::1%7]:53"].map(|a| a.parse().expect("an address"));
    assert_eq!(servers(&file), expected);
    let local: [SocketAddr; 1] = ["127.0.0.1:53".parse().expect("an address")];
    assert_eq!(servers(&folder.path().join("none")), local);
}

#[test]
fn the_system_resolves_names_of_its_own_and_says_when_there_is_none() {
    run(async {
        let outside = Outside::new();
        let found = outside.addresses("localhost").await.expect("every machine has it");
        assert!(!found.is_empty() && found.iter().all(std::net::IpAddr::is_loopback), "{found:?}");
        // A question that asks while the same is being looked up gets the same answer.
        let (one, other) = tokio::join!(outside.addresses("localhost"), outside.addresses("localhost"));
        assert_eq!(one.expect("known"), other.expect("known"));
        // Longer than any name: refused by libc itself, without a packet.
        let long = "a".repeat(64);
        let refused = tokio::time::timeout(Duration::from_secs(10), outside.addresses(&long));
        assert!(refused.await.expect("at once").is_err());
        assert!(!outside.is_proxied("example.org") && Outside::new().proxied(|_| true).is_proxied("x"));
    });
}
