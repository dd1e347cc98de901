//! G2: a network in which every address leads to the launcher's doors, and no door leads past it.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use super::harness::{Test, say};
use super::jail::{Answer, Backend, Jail, outside};

#[expect(unsafe_code, reason = "getaddrinfo with flags has no safe form")]
mod sys;

pub(crate) const TESTS: &[Test] = &[
    ("a granted port of any address leads to its door, which knows the address", every_address),
    ("any other port is refused at once", other_ports),
    ("the host's own loopback is out of reach", the_hosts_loopback),
    ("a name server is answered for whatever its address", name_servers),
    ("a lookup with AI_ADDRCONFIG finds addresses of both families", address_configuration),
    ("the launcher reaches what listens on the server's loopback", inward),
    ("PID 1 reaps while it answers, and holds nothing else", init_still_reaps),
    ("raw and packet sockets stay refused", other_sockets),
];

fn brokered(backend: Backend) -> Jail {
    Jail::new(backend).option("--port", "443").option("--port", "8443")
}

const ADDRESSES: &[&str] = &[
    "93.184.216.34",
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "198.18.0.1",
    "[2606:2800::1]",
    "[::1]",
    "[fd00::1]",
];

fn every_address(backend: Backend) {
    let jail = brokered(backend);
    for address in ADDRESSES {
        for port in [443, 8443] {
            let wanted = format!("{address}:{port}");
            assert_eq!(jail.probe(&["dial", &wanted]).text(), format!("door of {wanted}"));
        }
    }
    assert_eq!(jail.probe(&["dial", "[::ffff:10.0.0.1]:443"]).text(), "door of 10.0.0.1:443");
    assert_eq!(jail.probe(&["dial", "9.9.9.9:53"]).text(), "door of 9.9.9.9:53");
    assert_eq!(jail.run(&["/bin/true"]).expect("doors"), "4 2 2");
    // A port that was granted twice has one door; a granted port 53 is the name server's.
    let jail = jail.option("--port", "443").option("--port", "53").option("--port", "0");
    assert_eq!(jail.run(&["/bin/true"]).expect("doors"), "4 2 2");
}

fn other_ports(backend: Backend) {
    let jail = brokered(backend);
    for address in ADDRESSES {
        let answer = jail.probe(&["dial", &format!("{address}:444")]);
        assert_eq!(answer, Answer::Errno(libc::ECONNREFUSED), "{address}");
        let answer = jail.probe(&["query", &format!("{address}:443")]);
        assert_eq!(answer, Answer::Errno(libc::ECONNREFUSED), "UDP to {address}");
    }
}

fn the_hosts_loopback(backend: Backend) {
    let jail = brokered(backend);
    let tcp = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = tcp.local_addr().expect("an address");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let udp_address = udp.local_addr().expect("an address").to_string();
    tcp.set_nonblocking(true).expect("fcntl");
    udp.set_nonblocking(true).expect("fcntl");

    assert_eq!(jail.probe(&["tcp", &address.to_string()]), Answer::Errno(libc::ECONNREFUSED));
    // Granted, the port is a door, and still not the host's.
    let granted = jail.clone().option("--port", address.port().to_string());
    assert_eq!(granted.probe(&["dial", &address.to_string()]).text(), format!("door of {address}"));
    assert!(tcp.accept().is_err(), "somebody connected");
    assert!(jail.probe(&["udp", &udp_address]).is_ok(), "a datagram can be sent");
    assert!(udp.recv(&mut [0; 8]).is_err(), "and arrives nowhere");

    assert!(outside(&["tcp", &address.to_string()]).is_ok());
    assert!(tcp.accept().is_ok());
    assert!(outside(&["udp", &udp_address]).is_ok());
    assert!(udp.recv(&mut [0; 8]).is_ok());
}

fn name_servers(backend: Backend) {
    let jail = brokered(backend);
    for address in ADDRESSES.iter().chain(&["127.0.0.53", "[2001:4860:4860::8888]"]) {
        let answer = jail.probe(&["query", &format!("{address}:53")]);
        assert_eq!(answer.text(), format!("door of {}", address.trim_matches(['[', ']'])));
    }
}

fn address_configuration(backend: Backend) {
    let jail = brokered(backend);
    let jail = jail.read("/etc/resolv.conf").read("/etc/nsswitch.conf").read("/etc/host.conf");
    for (name, family, address) in [
        ("granted.example", "4", "198.18.0.7"),
        ("granted.example", "6", "2001:2::7"),
        ("127.0.0.1", "4", "127.0.0.1"),
    ] {
        assert_eq!(jail.probe(&["look-up", name, family]).text(), address, "{name}");
    }
}

fn inward(backend: Backend) {
    let jail = brokered(backend);
    let binary = super::jail::this_binary();
    let words = [binary.to_str().expect("a path"), "__probe", "listen", "8080"];
    let run = jail.clone().option("--launcher", "visit:8080").run(&words);
    assert_eq!(run.expect("visit").trim(), "inside of 127.0.0.1:8080 inside of [::1]:8080");
    // Nobody listens.
    let run = jail.option("--launcher", "visit:8081").run(&["/bin/echo", "ready"]);
    assert!(run.expect("visit").starts_with("refused"), "{}", run.printed);
    // And nothing of it was on the host's loopback.
    assert_eq!(outside(&["tcp", "127.0.0.1:8080"]), Answer::Errno(libc::ECONNREFUSED));
}

fn init_still_reaps(backend: Backend) {
    let jail = brokered(backend);
    let jail = jail.read("/proc");
    let run = jail.shell(
        "for i in 1 2 3 4 5 6 7 8; do (/bin/true &); done; sleep 0.3; grep -c '^State:.Z' /proc/[0-9]*/status | grep -v ':0'; echo done",
    );
    assert!(run.printed.contains("\ndone\n"), "{}", run.printed);
    assert!(!run.printed.contains("/status:"), "a zombie is left: {}", run.printed);
    let mut launcher = jail.launcher(&["/bin/sleep", "60"]).spawn().expect("starts");
    let server = super::tree::first_line(&mut launcher, "server");
    if nix::unistd::geteuid().is_root() {
        let init = super::environment::parent_of(&server);
        let open = || std::fs::read_dir(format!("/proc/{init}/fd")).expect("its descriptors").count();
        say(&format!("  PID 1 of a brokered jail holds {} descriptors", open()));
        assert!(super::jail::eventually(|| open() == 6), "/dev/null thrice, keeper, launcher, signals");
    }
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
}

fn other_sockets(backend: Backend) {
    let jail = brokered(backend);
    let call = libc::SYS_socket.to_string();
    for (family, kind, protocol, errno) in [
        (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP, libc::EPERM),
        (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP, libc::EPROTONOSUPPORT),
        (libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6, libc::EPERM),
        (libc::AF_INET, libc::SOCK_STREAM, 262, libc::EPROTONOSUPPORT),
        (libc::AF_PACKET, libc::SOCK_RAW, 0, libc::EAFNOSUPPORT),
        (libc::AF_VSOCK, libc::SOCK_STREAM, 0, libc::EAFNOSUPPORT),
    ] {
        let words = [family, kind, protocol].map(|word| word.to_string());
        let [family, kind, protocol] = words.each_ref().map(String::as_str);
        let answer = jail.probe(&["syscall", &call, family, kind, protocol]);
        assert_eq!(answer, Answer::Errno(errno), "{words:?}");
    }
    // A port below 1024 is not the server's to listen on: it could be a door.
    assert_eq!(jail.probe(&["listen", "80"]), Answer::Errno(libc::EACCES));
}

/// The probes of this file.
pub(crate) fn deed(name: &str, words: &[&str]) -> io::Result<String> {
    match (name, words) {
        ("dial", [address]) => {
            let mut text = String::new();
            TcpStream::connect(address)?.read_to_string(&mut text)?;
            Ok(text)
        }
        ("query", [address]) => query(address.parse().expect("an address")),
        ("look-up", [name, family]) => {
            let family = if *family == "4" { libc::AF_INET } else { libc::AF_INET6 };
            sys::look_up(name, family)
                .map(|address| address.to_string())
                .inspect_err(|error| say(&error.to_string()))
        }
        ("listen", [port]) => listen(port.parse().expect("a port")),
        _ => super::view::deed(name, words),
    }
}

/// Over a connected socket, which hears nobody but whom it asked.
fn query(address: SocketAddr) -> io::Result<String> {
    let any: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.connect(address)?;
    socket.send(b"where")?;
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// One visitor a family.
fn listen(port: u16) -> io::Result<String> {
    let listeners = [TcpListener::bind(("127.0.0.1", port))?, TcpListener::bind(("::1", port))?];
    say("ready");
    for listener in listeners {
        let (mut stream, _) = listener.accept()?;
        write!(stream, "inside of {} ", stream.local_addr()?)?;
    }
    Ok(String::new())
}
