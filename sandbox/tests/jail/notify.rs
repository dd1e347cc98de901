//! G2 in `notify`: connections go where the gatekeeper says and nowhere else, names are asked of nobody else, and what
//! programs know of sockets still holds.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::harness::{Test, say};
use super::jail::{Answer, Backend, Jail, eventually, outside};

pub(crate) const TESTS: &[Test] = &[
    ("connections go where the gatekeeper says", the_way),
    ("a relayed connection is announced and shows whom it was meant for", a_relay),
    ("an address in a coat is the same address", coats),
    ("odd lengths and families get the kernel's errno", odd_addresses),
    ("a socket can be bound, dissolved and asked twice before and after it connects", reuse),
    ("threads, vforks and shared descriptors connect like everybody", callers),
    ("a process can't hide its sockets from the supervisor", dumpable),
    ("whoever waits for a connection keeps nobody waiting", beside),
    ("a thousand connections at once are made", many),
    ("processes that die while they ask harm nobody", dying),
    ("no datagram reaches anybody but the resolver", datagrams),
    ("no other socket and no other route leads out", other_ways),
    ("programs resolve names without knowing of this", programs),
    ("a gatekeeper that fails fails closed", failing_gatekeeper),
    ("a supervisor that nobody asks does nothing", idle),
    ("a connection is measured beside a bare one", connect_cost),
];

/// A place outside that remembers who came.
pub(crate) struct Place {
    guests: Arc<Mutex<Vec<SocketAddr>>>,
    pub(crate) at: SocketAddr,
}

impl Place {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let at = listener.local_addr().expect("an address");
        let guests = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&guests);
        std::thread::spawn(move || {
            while let Ok((_, from)) = listener.accept() {
                list.lock().expect("no panic").push(from);
            }
        });
        Self { guests, at }
    }

    /// How many have come since this was asked last.
    pub(crate) fn came(&self) -> usize {
        self.came_from().len()
    }

    /// From where, in their order: the last to come is one of ours.
    fn came_from(&self) -> Vec<SocketAddr> {
        let marker = TcpStream::connect(self.at).expect("connects").local_addr().expect("an address");
        assert!(eventually(|| self.guests.lock().expect("no panic").contains(&marker)));
        let mut guests = std::mem::take(&mut *self.guests.lock().expect("no panic"));
        guests.retain(|guest| *guest != marker);
        guests
    }

    fn text(&self) -> String {
        self.at.to_string()
    }
}

/// A listener that takes nobody any more: a connection to it hangs, as one to an address that isn't there.
struct Stuck {
    _listener: std::os::fd::OwnedFd,
    _guests: Vec<TcpStream>,
    at: SocketAddr,
}

impl Stuck {
    fn new() -> Self {
        let listener = super::sockets::sys::tcp().expect("a socket");
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).expect("fits"))
            .expect("listen");
        let listener = TcpListener::from(listener);
        let at = ([127, 0, 0, 1], listener.local_addr().expect("an address").port()).into();
        let mut guests = Vec::new();
        while let Ok(guest) = TcpStream::connect_timeout(&at, Duration::from_millis(100)) {
            guests.push(guest);
        }
        Self { _listener: listener.into(), _guests: guests, at }
    }
}

/// With a network that the gatekeeper decides about, and /proc to be read.
pub(crate) fn brokered() -> Jail {
    Jail::new(Backend::Notify).option("--net", "brokered").read("/proc")
}

fn to(jail: Jail, from: &str, place: &Place) -> Jail {
    jail.option("--way", format!("{from}=direct:{}", place.at))
}

fn the_way(_: Backend) {
    let place = Place::new();
    let jail = to(brokered(), "192.0.2.77:80", &place);
    let (answer, run) = jail.probed(&["sockets", "connect", "192.0.2.77:80"]);
    assert!(answer.text().ends_with(&place.text()), "{}", run.printed);
    assert_eq!(place.came(), 1);
    let server = run.expect("server");
    assert_eq!(
        run.expect("wish"),
        format!("192.0.2.77:80 {server} {}", super::jail::this_binary().display())
    );
    assert_eq!(run.expect("supervisor"), "ended");
    // Nothing else, be it as near.
    let (answer, run) = jail.probed(&["sockets", "connect", &place.text()]);
    assert_eq!(answer, Answer::Errno(libc::EACCES));
    assert!(run.expect("wish").starts_with(&place.text()));
    assert_eq!(place.came(), 0);
    assert!(outside(&["sockets", "connect", &place.text()]).is_ok());
    assert_eq!(place.came(), 1);
    let jail = brokered().option("--way", format!("{}=refused:{}", place.at, libc::ECONNREFUSED));
    assert_eq!(jail.probe(&["sockets", "connect", &place.text()]), Answer::Errno(libc::ECONNREFUSED));
    // An errno that is none is no success.
    let jail = brokered().option("--way", format!("{}=refused:0", place.at));
    assert_eq!(jail.probe(&["sockets", "connect", &place.text()]), Answer::Errno(libc::EACCES));
    assert_eq!(place.came(), 0);
    // A closed port is as closed as ever.
    let closed = TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("an address");
    let jail = brokered().option("--way", format!("192.0.2.77:80=direct:{closed}"));
    let answer = jail.probe(&["sockets", "connect", "192.0.2.77:80"]);
    assert_eq!(answer, Answer::Errno(libc::ECONNREFUSED));
}

fn a_relay(_: Backend) {
    let place = Place::new();
    let way = |wish: &str| format!("{wish}=relay:{}", place.at);
    let jail = brokered().option("--way", way("192.0.2.77:80")).option("--way", way("[2001:db8::7]:80"));
    for wish in ["192.0.2.77:80", "[2001:db8::7]:80"] {
        let (answer, run) = jail.probed(&["sockets", "connect", wish]);
        let answer = answer.text();
        let (_, peer) = answer.split_once(' ').expect("two names");
        assert_eq!(peer, wish);
        let from = place.came_from();
        assert_eq!(run.expect("relayed"), format!("{} {wish}", from[0]));
    }
    // A source port of the program's own is the one that is announced.
    let (answer, run) = jail.probed(&["sockets", "connect-from", "0.0.0.0:0", "192.0.2.77:80"]);
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(run.expect("relayed"), format!("{} 192.0.2.77:80", place.came_from()[0]));
}

fn coats(_: Backend) {
    let place = Place::new();
    let jail = to(brokered(), "192.0.2.77:80", &place);
    let (answer, run) = jail.probed(&["sockets", "connect", "[::ffff:192.0.2.77]:80"]);
    assert!(answer.is_ok(), "{answer:?}");
    assert!(run.expect("wish").starts_with("192.0.2.77:80 "));
    assert_eq!(place.came(), 1);
    let mapped = format!("[::ffff:127.0.0.1]:{}", place.at.port());
    assert_eq!(jail.probe(&["sockets", "connect", &mapped]), Answer::Errno(libc::EACCES));
    assert!(outside(&["sockets", "connect", &mapped]).is_ok());
}

fn odd_addresses(_: Backend) {
    let place = Place::new();
    let jail = to(brokered(), &place.text(), &place);
    let port = place.at.port();
    let v4 = format!("0200{port:04x}7f000001{}", "00".repeat(8));
    let v6 = format!("0a00{port:04x}00000000{}", "00".repeat(20));
    let netlink = "1000".to_owned() + &"00".repeat(10);
    let cases: Vec<(i32, &str, i64)> = vec![
        (libc::AF_INET, &v4, 0),
        (libc::AF_INET, &v4, 1),
        (libc::AF_INET, &v4, 2),
        (libc::AF_INET, &v4, 15),
        (libc::AF_INET, &v4, 129),
        (libc::AF_INET, &v4, 4096),
        (libc::AF_INET, &v4, -1),
        (libc::AF_INET, &v6, 28),
        (libc::AF_INET, &netlink, 12),
        (libc::AF_INET6, &v4, 16),
        (libc::AF_INET6, &v6, 23),
        (libc::AF_INET6, &netlink, 12),
    ];
    for deed in ["connect-as-bytes", "bind-as-bytes"] {
        for (domain, bytes, length) in &cases {
            let words = [
                "sockets".to_owned(),
                deed.to_owned(),
                domain.to_string(),
                bytes.to_string(),
                length.to_string(),
            ];
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let free = outside(&words);
            assert!(matches!(free, Answer::Errno(_)), "{words:?}: {free:?}");
            assert_eq!(jail.probe(&words), free, "{words:?}");
        }
    }
    // Longer than need be is well.
    for length in ["16", "17", "128"] {
        let answer = jail.probe(&["sockets", "connect-as-bytes", "2", &v4, length]);
        assert!(answer.is_ok(), "{length}: {answer:?}");
    }
    assert_eq!(place.came(), 3);
    // No socket, no descriptor, no memory.
    let connect = libc::SYS_connect.to_string();
    assert_eq!(jail.probe(&["syscall", &connect, "0", "0", "16"]), Answer::Errno(libc::EFAULT));
    let bind = libc::SYS_bind.to_string();
    let length = "0";
    assert_eq!(jail.probe(&["syscall", &bind, "0", "0", length]), Answer::Errno(libc::EINVAL));
    let listen = libc::SYS_listen.to_string();
    assert_eq!(jail.probe(&["syscall", &listen, "0", "1"]), Answer::Errno(libc::ENOTSOCK));
    assert_eq!(jail.probe(&["syscall", &listen, "99", "1"]), Answer::Errno(libc::EBADF));
    let name = libc::SYS_getsockname.to_string();
    assert_eq!(jail.probe(&["syscall", &name, "0", "0", "0"]), Answer::Errno(libc::ENOTSOCK));
}

fn reuse(_: Backend) {
    let (one, other) = (Place::new(), Place::new());
    for way in ["direct", "relay"] {
        let jail = brokered()
            .option("--way", format!("192.0.2.77:80={way}:{}", one.at))
            .option("--way", format!("192.0.2.78:80=direct:{}", other.at));
        let answer = jail.probe(&["sockets", "connect-again", "192.0.2.77:80", "192.0.2.78:80"]).text();
        assert!(answer.ends_with(&other.text()), "{answer}");
        assert_eq!((one.came(), other.came()), (1, 1));
    }
    let jail = to(brokered(), "192.0.2.77:80", &one);
    let answer = jail.probe(&["sockets", "connect-from", "0.0.0.0:0", "192.0.2.77:80"]);
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(one.came(), 1);
}

fn callers(_: Backend) {
    let place = Place::new();
    let jail = to(brokered(), &place.text(), &place);
    let at = place.text();
    let share_files = libc::CLONE_FILES.to_string();
    let deeds: [&[&str]; 3] = [
        &["connect-in-thread", &at],
        &["connect-in-vfork", &at, "0"],
        &["connect-in-vfork", &at, &share_files],
    ];
    for deed in deeds {
        let words: Vec<&str> = ["sockets"].into_iter().chain(deed.iter().copied()).collect();
        let (answer, run) = jail.probed(&words);
        assert!(answer.is_ok(), "{deed:?}: {}", run.printed);
        assert_eq!(place.came(), 1, "{deed:?}");
    }
    let (_, run) = jail.probed(&["sockets", "connect-in-thread", &at]);
    // The process is named, not its thread.
    assert!(run.expect("wish").contains(&format!(" {} ", run.expect("server"))));
}

fn dumpable(_: Backend) {
    let place = Place::new();
    let jail = to(brokered(), &place.text(), &place);
    let (answer, run) = jail.probed(&["sockets", "connect-undumpable", &place.text()]);
    assert_eq!(answer, Answer::Errno(libc::EPERM));
    assert!(run.expect("denied").starts_with("call prctl by "), "{}", run.printed);
    assert!(outside(&["sockets", "connect-undumpable", &place.text()]).is_ok());
    if nix::unistd::geteuid().is_root() {
        return;
    }
    // A program that its user can't read isn't dumpable from the start: it gets no connection at all.
    let dir = tempfile::tempdir().expect("a directory");
    let copy = dir.path().canonicalize().expect("a path").join("unreadable");
    std::fs::copy(super::jail::this_binary(), &copy).expect("copy");
    std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o111)).expect("chmod");
    place.came();
    let run = jail.exec(&copy).run(&[
        copy.to_str().expect("a path"),
        "__probe",
        "sockets",
        "connect",
        &place.text(),
    ]);
    assert_eq!(run.line("errno"), Some("1"), "{}", run.printed);
    assert_eq!(place.came(), 0);
}

fn beside(_: Backend) {
    let (place, stuck) = (Place::new(), Stuck::new());
    let stuck_at = stuck.at.to_string();
    let jail = to(brokered(), &place.text(), &place).option("--way", format!("{stuck_at}=direct:{stuck_at}"));
    let answer = jail.probe(&["sockets", "connect-beside", &stuck_at, &place.text()]);
    assert_eq!(answer.text(), "beside");
    assert_eq!(place.came(), 50);
    let words = ["sockets", "connect-with-timeout", &stuck_at];
    assert_eq!(outside(&words), Answer::Errno(libc::EINPROGRESS));
    assert_eq!(jail.probe(&words), Answer::Errno(libc::EINPROGRESS));
}

fn many(_: Backend) {
    let place = Place::new();
    let jail = to(brokered(), "192.0.2.77:80", &place).option("--limit", "files=1100");
    let answer = jail.probe(&["sockets", "connect-many", "192.0.2.77:80", "1000"]);
    assert_eq!(answer.text(), "1000");
    assert_eq!(place.came(), 1000);
}

fn dying(_: Backend) {
    let (place, stuck) = (Place::new(), Stuck::new());
    let stuck_at = stuck.at.to_string();
    let jail = to(brokered(), &place.text(), &place).option("--way", format!("{stuck_at}=direct:{stuck_at}"));
    let (answer, run) = jail.probed(&["sockets", "connect-and-die", &stuck_at, &place.text()]);
    assert!(answer.is_ok(), "{}", run.printed);
    assert_eq!(run.expect("supervisor"), "ended");
    // The end of the tree needs nobody who waits.
    let run = jail.shell(&format!(
        "{} __probe sockets connect {stuck_at} & {} __probe sockets connect {stuck_at} & sleep 0.2; exit 3",
        super::jail::this_binary().display(),
        super::jail::this_binary().display()
    ));
    assert_eq!(run.expect("ended"), "Exited(3)");
    assert_eq!(run.expect("supervisor"), "ended");
}

fn datagrams(_: Backend) {
    let udp = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("victim");
    let unix = UnixDatagram::bind(&path).expect("bind");
    let name = format!("stockade-victim-{}", std::process::id());
    let at = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
    let by_name = UnixDatagram::bind_addr(&at).expect("bind");
    udp.set_nonblocking(true).expect("non-blocking");
    unix.set_nonblocking(true).expect("non-blocking");
    by_name.set_nonblocking(true).expect("non-blocking");
    let arrived = || {
        let mut buffer = [0; 8];
        let internet = std::iter::from_fn(|| udp.recv(&mut buffer).ok()).count();
        let mut buffer = [0; 8];
        let by_path = std::iter::from_fn(|| unix.recv(&mut buffer).ok()).count();
        let mut buffer = [0; 8];
        (internet, by_path + std::iter::from_fn(|| by_name.recv(&mut buffer).ok()).count())
    };
    let udp_at = udp.local_addr().expect("an address").to_string();
    let words = ["sockets", "datagrams", &udp_at, path.to_str().expect("a path"), &name];
    assert!(outside(&words).is_ok());
    assert!(arrived().0 >= 3, "outside they arrive");
    let (answer, run) = brokered().write(dir.path()).probed(&words);
    // Everything seems to be sent, and everything is at the resolver, which takes it for no query.
    assert_eq!(answer.text(), "12");
    assert_eq!(arrived(), (0, 0), "{}", run.printed);
    assert_eq!(run.lines("stray").len(), 12, "{}", run.printed);
    assert_eq!(brokered().probe(&["sockets", "descriptor-over-pair"]).text(), "closed");
}

fn other_ways(_: Backend) {
    let place = Place::new();
    let jail = to(brokered(), &place.text(), &place);
    let call = libc::SYS_socket.to_string();
    for (family, kind, protocol, errno) in [
        (libc::AF_INET, libc::SOCK_STREAM, 262, libc::EPROTONOSUPPORT),
        (libc::AF_INET6, libc::SOCK_STREAM, 262, libc::EPROTONOSUPPORT),
        (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP, libc::EPROTONOSUPPORT),
        (libc::AF_INET, libc::SOCK_RAW, 255, libc::EPERM),
        (libc::AF_INET6, libc::SOCK_RAW, 58, libc::EPERM),
        (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP, libc::EPROTONOSUPPORT),
        (libc::AF_INET, libc::SOCK_SEQPACKET, 0, libc::EPROTONOSUPPORT),
        (libc::AF_UNIX, libc::SOCK_STREAM, 0, libc::EACCES),
        (libc::AF_NETLINK, libc::SOCK_RAW, 4, libc::EPROTONOSUPPORT),
        (libc::AF_PACKET, libc::SOCK_RAW, 0, libc::EAFNOSUPPORT),
        (libc::AF_VSOCK, libc::SOCK_STREAM, 0, libc::EAFNOSUPPORT),
    ] {
        let words = [family, kind, protocol].map(|word| word.to_string());
        let [family, kind, protocol] = words.each_ref().map(String::as_str);
        let answer = jail.probe(&["syscall", &call, family, kind, protocol]);
        assert_eq!(answer, Answer::Errno(errno), "{words:?}");
    }
    // MSG_FASTOPEN connects without connect(2). Outside it goes as far as the host's settings let it.
    let flag = libc::MSG_FASTOPEN.to_string();
    let words = ["sockets", "send-to", &flag, &place.text()];
    assert_eq!(jail.probe(&words), Answer::Errno(libc::EOPNOTSUPP));
    assert_ne!(outside(&words), Answer::Errno(libc::EOPNOTSUPP));
    place.came();
    // Segment routing through fd00::99, a loose source route through 192.0.2.9, another device.
    let segments = format!("0004040101000000{}fd00{}99", "00".repeat(16), "00".repeat(13));
    for (domain, level, name, value) in [
        (libc::AF_INET6, libc::IPPROTO_IPV6, libc::IPV6_RTHDR, segments.as_str()),
        (libc::AF_INET, libc::SOL_IP, libc::IP_OPTIONS, "830704c000020900"),
        (libc::AF_INET, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, "6c6f"),
    ] {
        let [domain, level, option] = [domain, level, name].map(|word| word.to_string());
        let words = ["sockets", "option", &domain, &level, &option, value];
        assert_eq!(jail.probe(&words), Answer::Errno(libc::EPERM), "{words:?}");
        let free = outside(&words);
        if free == Answer::Errno(libc::EPERM) {
            say(&format!("  not proved here, refused outside too: option {name} of {level}"));
        } else {
            assert!(free.is_ok(), "{words:?}: {free:?}");
        }
    }
}

const PYTHON: &str = "
import socket, urllib.request
print('names', sorted({one[4][0] for one in socket.getaddrinfo('granted.test', 80)}))
print('fetched', urllib.request.urlopen('http://granted.test/').read().decode())
try: print('unknown', socket.getaddrinfo('other.test', 80))
except socket.gaierror as error: print('unknown', error.errno)
try: print('literal', socket.create_connection(('192.0.2.88', 80)))
except OSError as error: print('literal', error.errno)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.sendto(b'\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\7granted\\4test\\0\\0\\1\\0\\1', ('192.0.2.53', 53))
answer, sender = udp.recvfrom(512)
print('datagram', len(answer), sender[1], udp.recvfrom_into.__name__)
print('interfaces', 'lo' in [name for _, name in socket.if_nameindex()])
";

const NODE: &str = "
const dns = require('dns'), net = require('net'), dgram = require('dgram');
const told = (what, deed) => deed.then(x => console.log(what, x), e => console.log(what, e.code ?? e.cause?.code));
const connected = () => new Promise((ok, no) => {
  const s = net.connect(80, 'granted.test', () => { ok(s.remoteAddress); s.destroy(); }); s.on('error', no); });
const datagram = kind => new Promise((ok, no) => {
  const s = dgram.createSocket(kind); s.on('error', no);
  s.on('message', (m, from) => { ok(m.length + ' ' + from.port); s.close(); });
  s.send(Buffer.from('0102010000010000000000000767 72616e7465640474657374 0000010001'.replaceAll(' ', ''), 'hex'),
    53, kind == 'udp4' ? '192.0.2.53' : '::1'); });
(async () => {
  await told('lookup', dns.promises.lookup('granted.test').then(x => x.address));
  await told('resolve4', dns.promises.resolve4('granted.test').then(x => x.sort().join()));
  await told('unknown', dns.promises.resolve4('other.test'));
  await told('fetched', fetch('http://granted.test/').then(x => x.text()));
  await told('peer', connected());
  await told('udp4', datagram('udp4'));
  await told('udp6', datagram('udp6'));
  await told('literal', fetch('http://192.0.2.88/'));
})();
";

/// Two addresses, since one needs no sorting, for which getaddrinfo(3) asks where each would be reached from.
fn programs(_: Backend) {
    let server = TcpListener::bind("127.0.0.1:0").expect("bind");
    let at = server.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        }
    });
    let mut jail = brokered().read("/etc").read("/dev/urandom").option("--limit", "processes=200");
    for ip in ["192.0.2.77", "192.0.2.78"] {
        jail = jail.option("--name", format!("granted.test={ip}"));
        jail = jail.option("--way", format!("{ip}:80=relay:{at}"));
    }
    let run = jail.run(&["/usr/bin/python3", "-c", PYTHON]);
    for line in [
        "names ['192.0.2.77', '192.0.2.78']",
        "fetched hello",
        "unknown -2",
        "literal 13",
        "datagram 62 53 recvfrom_into",
        "interfaces True",
    ] {
        assert!(run.printed.contains(&format!("{line}\n")), "no `{line}` in\n{}", run.printed);
    }
    assert!(run.lines("query").contains(&"other.test 1 unknown"));

    if let Some(node) = program("node") {
        let run = jail.clone().exec(node.parent().expect("a directory")).run(&[
            node.to_str().expect("a path"),
            "-e",
            NODE,
        ]);
        for line in [
            "lookup 192.0.2.7",
            "resolve4 192.0.2.77,192.0.2.78\n",
            "unknown ENOTFOUND\n",
            "fetched hello\n",
            "peer 192.0.2.7",
            "udp4 62 53\n",
            "udp6 62 53\n",
            "literal EACCES\n",
        ] {
            assert!(run.printed.contains(line), "no `{line}` in\n{}", run.printed);
        }
    }
    if let Some(curl) = program("curl") {
        let run = jail.run(&[curl.to_str().expect("a path"), "-sS", "http://granted.test/"]);
        assert!(run.printed.contains("hello"), "{}", run.printed);
        let run = jail.run(&[curl.to_str().expect("a path"), "-sS", "http://other.test/"]);
        assert!(run.printed.contains("Could not resolve host"), "{}", run.printed);
    }
}

/// A program of the host, if it has it.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file());
    let found = found.and_then(|path| path.canonicalize().ok()).filter(|path| path.starts_with("/usr"));
    if found.is_none() {
        say(&format!("  not tried, it isn't below /usr: {name}"));
    }
    found
}

fn failing_gatekeeper(_: Backend) {
    let jail = brokered().option("--way", "panic");
    let place = Place::new();
    let (answer, run) = jail.probed(&["sockets", "connect", &place.text()]);
    assert_eq!(answer, Answer::Errno(libc::ENOSYS), "{}", run.printed);
    assert_eq!(place.came(), 0);
    // The server goes on, and everything that would be asked fails.
    let binary = super::jail::this_binary();
    let probe = format!("{} __probe sockets connect {}", binary.display(), place.at);
    let run = jail.shell(&format!("{probe}; {probe}; echo goes on"));
    assert_eq!(run.lines("errno"), ["38", "38"], "{}", run.printed);
    assert!(run.printed.contains("goes on\n"));
    assert_eq!(run.expect("ended"), "Exited(0)");
    assert_eq!(run.expect("supervisor"), "ended");
}

fn idle(_: Backend) {
    let mut launcher = brokered().launcher(&["/bin/sleep", "60"]).spawn().expect("starts");
    let server = super::tree::first_line(&mut launcher, "server");
    let tasks = format!("/proc/{}/task", launcher.id());
    let status_of = |name: &str| {
        let tasks = std::fs::read_dir(&tasks).expect("tasks").flatten();
        let mut statuses = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
        statuses.find(|status| status.starts_with(&format!("Name:\t{name}\n")))
    };
    let switches = || {
        let status = status_of("supervisor")?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<u64>().ok()
    };
    // execve has told it nothing; from when it waits for the first time on, it isn't woken.
    let mut last = None;
    assert!(eventually(|| {
        std::thread::sleep(Duration::from_millis(50));
        let before = std::mem::replace(&mut last, switches());
        last.is_some() && last == before
    }));
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(switches(), last, "it wakes up for nothing (server {server})");
    launcher.kill().expect("kill");
    launcher.wait().expect("wait");
}

/// Printed, not judged: the machine may be busy.
fn connect_cost(_: Backend) {
    let server = TcpListener::bind("127.0.0.1:0").expect("bind");
    let at = server.local_addr().expect("an address").to_string();
    std::thread::spawn(move || server.incoming().for_each(drop));
    let words = ["sockets", "connect-cost", &at, "400"];
    let start = Instant::now();
    let bare = outside(&words).text();
    let brokered = || brokered().option("--way", "quiet");
    let jail = brokered().option("--way", format!("{at}=direct:{at}"));
    let jailed = jail.probe(&words).text();
    let relayed = brokered().option("--way", format!("{at}=relay:{at}")).probe(&words).text();
    say(&format!("  connect, median: bare {bare} µs; in notify {jailed} µs, through a relay {relayed} µs"));
    assert!(start.elapsed() < Duration::from_secs(60));
}
