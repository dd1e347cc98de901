//! G2 and G3: no network and no Unix socket; only `socketpair` and the route netlink socket remain.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use serde_json::json;

use super::{BACKENDS, check, inside, outside};
use crate::support::World;

#[test]
fn nothing_can_be_reached_over_any_kind_of_socket() {
    let world = World::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp6 = TcpListener::bind("[::1]:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = world.root().join("socket");
    let _unix = UnixListener::bind(&path).unwrap();
    let name = format!("stockade-test-{}", std::process::id());
    let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let port = tcp.local_addr().unwrap().port();
    let attempts = json!([
        ["TCP", "tcp", "127.0.0.1", port],
        ["TCP over IPv6", "tcp", "::1", tcp6.local_addr().unwrap().port()],
        ["TCP to a mapped address", "tcp", "::ffff:127.0.0.1", port],
        ["UDP", "udp", "127.0.0.1", udp.local_addr().unwrap().port()],
        ["listen", "listen"],
        ["a Unix socket by path", "unix", path.display().to_string()],
        ["a Unix socket by abstract name", "unix", format!("@{name}")],
        // AF_UNIX datagram, AF_NETLINK kobject_uevent: each works for any user.
        ["a Unix datagram socket", "socket", 1, 2, 0],
        ["a uevent netlink socket", "socket", 16, 3, 15],
    ]);
    check(
        &world,
        &["--profile", "offline"],
        &attempts,
        &[("TCP", "EACCES"), ("a Unix socket by path", "EACCES")],
    );
}

#[test]
fn with_a_brokered_network_nothing_that_is_not_granted_can_be_reached_either() {
    let world = World::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let path = world.root().join("socket");
    let _unix = UnixListener::bind(&path).unwrap();
    let port = tcp.local_addr().unwrap().port();
    let attempts = json!([
        ["TCP", "tcp", "127.0.0.1", port],
        ["TCP to a mapped address", "tcp", "::ffff:127.0.0.1", port],
        ["UDP", "udp", "127.0.0.1", udp.local_addr().unwrap().port()],
        ["a Unix socket by path", "unix", path.display().to_string()],
        ["a uevent netlink socket", "socket", 16, 3, 15],
    ]);
    assert_eq!(outside(&world, &attempts)["UDP"], "done");
    let mut buffer = [0; 16];
    assert!(udp.recv(&mut buffer).is_ok(), "the datagram arrives when nobody stops it");
    // `static` carries no network: see the test above.
    for backend in ["namespaces", "notify"] {
        for (name, outcome) in inside(&world, backend, &[], &attempts) {
            // A datagram seems to be sent, and goes nowhere.
            assert!(name == "UDP" || outcome != "done", "`{name}` worked in the jail ({backend})");
        }
        assert!(udp.recv(&mut buffer).is_err(), "a datagram left the jail ({backend})");
    }
}

#[test]
fn what_runtimes_need_to_start_still_works() {
    let world = World::new();
    let attempts = json!([["socketpair", "socketpair"], ["a route netlink socket", "socket", 16, 3, 0]]);
    for backend in BACKENDS {
        for (name, outcome) in inside(&world, backend, &[], &attempts) {
            assert_eq!(outcome, "done", "`{name}` ({backend})");
        }
    }
}
