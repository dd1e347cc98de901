//! G2 and G3: no network and no Unix socket but connected pairs.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::harness::Test;
use super::jail::{Answer, Backend, Jail, outside};

pub(crate) const TESTS: &[Test] = &[
    ("nothing listening outside can be reached", nothing_is_reached),
    ("every socket family is refused with an errno that programs understand", every_family),
    ("connected pairs and the interface list stay", what_stays),
    ("the host's network is there when it is asked for", the_hosts_network),
];

fn nothing_is_reached(backend: Backend) {
    let jail = Jail::new(backend).read("/tmp").write(std::env::temp_dir());
    let tcp = TcpListener::bind("127.0.0.1:0").expect("bind");
    let tcp = tcp.local_addr().expect("an address").to_string();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let udp = udp.local_addr().expect("an address").to_string();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("socket");
    let _listener = UnixListener::bind(&path).expect("bind");
    let path = path.to_str().expect("a path").to_owned();
    // Granted for writing, and still not to be connected to.
    for words in [["tcp", &tcp], ["udp", &udp], ["unix", &path]] {
        assert_eq!(jail.probe(&words), Answer::Errno(libc::EACCES), "{words:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("an address").to_string();
    for words in [["tcp", &address], ["udp", &udp], ["unix", &path]] {
        assert!(outside(&words).is_ok(), "{words:?}");
    }
}

fn every_family(backend: Backend) {
    let jail = Jail::new(backend);
    let call = libc::SYS_socket.to_string();
    for (family, kind, protocol, errno) in [
        (libc::AF_UNIX, libc::SOCK_STREAM, 0, libc::EACCES),
        (libc::AF_UNIX, libc::SOCK_DGRAM, 0, libc::EACCES),
        (libc::AF_INET, libc::SOCK_STREAM, 0, libc::EACCES),
        (libc::AF_INET, libc::SOCK_DGRAM, 0, libc::EACCES),
        (libc::AF_INET, libc::SOCK_STREAM, 262, libc::EPROTONOSUPPORT),
        (libc::AF_INET6, libc::SOCK_STREAM, 0, libc::EACCES),
        (libc::AF_INET6, libc::SOCK_DGRAM, 0, libc::EACCES),
        (libc::AF_NETLINK, libc::SOCK_RAW, 15, libc::EPROTONOSUPPORT),
        (libc::AF_PACKET, libc::SOCK_RAW, 0, libc::EAFNOSUPPORT),
        (libc::AF_VSOCK, libc::SOCK_STREAM, 0, libc::EAFNOSUPPORT),
        (libc::AF_ALG, libc::SOCK_SEQPACKET, 0, libc::EAFNOSUPPORT),
    ] {
        let words = [family, kind, protocol].map(|word| word.to_string());
        let [family, kind, protocol] = words.each_ref().map(String::as_str);
        let answer = jail.probe(&["syscall", &call, family, kind, protocol]);
        assert_eq!(answer, Answer::Errno(errno), "{words:?}");
    }
    // What an ordinary user may make outside, so that the above proves something.
    for (family, kind) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        let words: [String; 2] = [family, kind].map(|word: i32| word.to_string());
        assert!(outside(&["syscall", &call, &words[0], &words[1], "0"]).is_ok(), "{words:?}");
    }
}

fn what_stays(backend: Backend) {
    let jail = Jail::new(backend);
    assert!(jail.probe(&["pair", "stream"]).is_ok());
    assert!(jail.probe(&["pair", "seqpacket"]).is_ok());
    assert_eq!(jail.probe(&["pair", "datagram"]), Answer::Errno(libc::EACCES));
    assert!(outside(&["pair", "datagram"]).is_ok());
    assert!(jail.probe(&["interfaces"]).is_ok());
}

fn the_hosts_network(backend: Backend) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("an address").to_string();
    let name = SocketAddr::from_abstract_name(format!("stockade-{}", std::process::id()));
    let _abstract = UnixListener::bind_addr(&name.expect("a name"));
    let jail = Jail::new(backend).option("--danger", "network").option("--require", "nothing");
    assert!(jail.probe(&["tcp", &address]).is_ok());
    let run = jail.run(&["/bin/true"]);
    assert!(run.expect("degree-net").starts_with("None"));
    assert!(run.expect("degree-unix").starts_with("None"));
    assert_eq!(run.expect("degree-fs"), "Full");
}
