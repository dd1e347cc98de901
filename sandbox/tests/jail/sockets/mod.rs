//! What a program in the jail does with sockets.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, getsockopt, setsockopt, socket, socketpair, sockopt,
};

/// For how long a port that was given up is tried again.
const GIVEN_UP_FOR: Duration = Duration::from_secs(2);

#[expect(unsafe_code, reason = "addresses that no safe interface would pass on")]
pub(crate) mod sys;

/// `__probe sockets NAME WORDS`
pub(crate) fn deed(words: &[&str]) -> io::Result<String> {
    match words {
        ["connect", to] => TcpStream::connect(address(to)).and_then(|stream| names(&stream)),
        ["connect-as-bytes", domain, bytes, length] => {
            let fd = socket_of(number(domain), libc::SOCK_STREAM)?;
            sys::connect(fd.as_raw_fd(), &padded(bytes), number(length) as u32).map(|()| String::new())
        }
        ["bind-as-bytes", domain, bytes, length] => {
            let fd = socket_of(number(domain), libc::SOCK_STREAM)?;
            sys::bind(fd.as_raw_fd(), &padded(bytes), number(length) as u32).map(|()| String::new())
        }
        ["connect-from", from, to] => connect_from(address(from), address(to)),
        ["connect-again", one, other] => connect_again(address(one), address(other)),
        ["connect-in-thread", to] => {
            let to = address(to);
            let thread = std::thread::spawn(move || TcpStream::connect(to).and_then(|it| names(&it)));
            thread.join().expect("joined")
        }
        ["connect-in-vfork", to, extra] => connect_in_vfork(address(to), number(extra)),
        ["connect-undumpable", to] => {
            nix::sys::prctl::set_dumpable(false)?;
            TcpStream::connect(address(to)).and_then(|stream| names(&stream))
        }
        ["connect-beside", stuck, fine] => connect_beside(address(stuck), address(fine)),
        ["connect-with-timeout", stuck] => connect_with_timeout(address(stuck)),
        ["connect-many", to, count] => connect_many(address(to), number(count)),
        ["connect-and-die", stuck, fine] => connect_and_die(address(stuck), address(fine)),
        ["connect-cost", to, count] => connect_cost(address(to), number(count)),
        ["datagrams", udp, path, name] => datagrams(address(udp), path, name),
        ["descriptor-over-pair"] => descriptor_over_pair(),
        ["send-to", flags, to] => {
            let (bytes, length) = v4(address(to));
            sys::send_to(sys::tcp()?.as_raw_fd(), number(flags), &bytes, length).map(|()| String::new())
        }
        ["option", domain, level, name, value] => {
            let fd = socket_of(number(domain), libc::SOCK_STREAM)?;
            sys::set_option(fd.as_raw_fd(), number(level), number(name), &bytes(value))?;
            Ok(String::new())
        }
        ["serve", at] => serve(address(at)),
        ["listen", at] => TcpListener::bind(address(at))?.local_addr().map(|at| at.to_string()),
        ["own", at] => own(&TcpListener::bind(address(at))?),
        ["own-given-up", at] => own_given_up(address(at)),
        ["listen-unbound"] => {
            let fd = sys::tcp()?;
            nix::sys::socket::listen(&fd, nix::sys::socket::Backlog::MAXALLOWABLE)?;
            Ok(String::new())
        }
        ["unix-own", path] => unix_own(path),
        ["unix-move", from, to] => {
            std::fs::rename(from, to)?;
            UnixStream::connect(to).map(|_| String::new())
        }
        ["unix-link", from, to] => {
            std::os::unix::fs::symlink(from, to)?;
            UnixStream::connect(to).map(|_| String::new())
        }
        ["abstract", name] => abstract_name(name).and_then(|at| UnixStream::connect_addr(&at)).map(drop_it),
        ["abstract-own", name] => {
            let at = abstract_name(name)?;
            let _listener = UnixListener::bind_addr(&at)?;
            UnixStream::connect_addr(&at).map(drop_it)
        }
        ["memory-file", flags] => memory_file(number(flags) as u32),
        ["race", granted, other, tries] => {
            race(number(granted) as u16, number(other) as u16, number(tries) as u32)
        }
        other => panic!("unknown deed {other:?}"),
    }
}

fn drop_it(_stream: UnixStream) -> String {
    String::new()
}

fn abstract_name(name: &str) -> io::Result<std::os::unix::net::SocketAddr> {
    std::os::unix::net::SocketAddr::from_abstract_name(name)
}

fn names(stream: &TcpStream) -> io::Result<String> {
    Ok(format!("{} {}", stream.local_addr()?, stream.peer_addr()?))
}

fn connect_from(from: SocketAddr, to: SocketAddr) -> io::Result<String> {
    let fd = sys::tcp()?;
    let (bytes, length) = v4(from);
    sys::bind(fd.as_raw_fd(), &bytes, length)?;
    let (bytes, length) = v4(to);
    sys::connect(fd.as_raw_fd(), &bytes, length)?;
    names(&TcpStream::from(fd))
}

/// Connects, dissolves the association, and connects the same socket to another address.
fn connect_again(one: SocketAddr, other: SocketAddr) -> io::Result<String> {
    let fd = sys::tcp()?;
    let (bytes, length) = v4(one);
    sys::connect(fd.as_raw_fd(), &bytes, length)?;
    // A connected one says so.
    let again = sys::connect(fd.as_raw_fd(), &bytes, length).expect_err("connected");
    assert_eq!(again.raw_os_error(), Some(libc::EISCONN));
    sys::connect(fd.as_raw_fd(), &[0; 128], 16)?;
    let (bytes, length) = v4(other);
    sys::connect(fd.as_raw_fd(), &bytes, length)?;
    names(&TcpStream::from(fd))
}

static PORT: AtomicU16 = AtomicU16::new(0);

fn connect_in_vfork(to: SocketAddr, extra: i32) -> io::Result<String> {
    extern "C" fn child(_: *mut libc::c_void) -> i32 {
        let to = SocketAddr::from(([127, 0, 0, 1], PORT.load(Ordering::Relaxed)));
        let connected = sys::tcp().and_then(|fd| {
            let (bytes, length) = v4(to);
            sys::connect(fd.as_raw_fd(), &bytes, length)
        });
        connected.map_or_else(|error| error.raw_os_error().unwrap_or(255), |()| 0)
    }
    PORT.store(to.port(), Ordering::Relaxed);
    match sys::in_vfork(child, extra)? {
        0 => Ok(String::new()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// While one thread waits for a connection that doesn't come, another one gets its own.
fn connect_beside(stuck: SocketAddr, fine: SocketAddr) -> io::Result<String> {
    let waiting = std::sync::Arc::new(AtomicBool::new(true));
    let flag = std::sync::Arc::clone(&waiting);
    std::thread::spawn(move || {
        let _ = TcpStream::connect(stuck);
        flag.store(false, Ordering::SeqCst);
    });
    for _ in 0..50 {
        TcpStream::connect(fine)?;
    }
    Ok(if waiting.load(Ordering::SeqCst) { "beside".to_owned() } else { "after".to_owned() })
}

fn connect_with_timeout(stuck: SocketAddr) -> io::Result<String> {
    let fd = sys::tcp()?;
    let time = nix::sys::time::TimeVal::new(0, 50_000);
    setsockopt(&fd, sockopt::SendTimeout, &time)?;
    let (bytes, length) = v4(stuck);
    sys::connect(fd.as_raw_fd(), &bytes, length).map(|()| String::new())
}

/// So many connections at once, none of which waits.
fn connect_many(to: SocketAddr, count: i32) -> io::Result<String> {
    let (bytes, length) = v4(to);
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let mut sockets: Vec<OwnedFd> = Vec::new();
    for _ in 0..count {
        let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        match sys::connect(fd.as_raw_fd(), &bytes, length) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => sockets.push(fd),
        }
    }
    let mut connected = 0;
    for fd in &sockets {
        let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)];
        poll(&mut fds, PollTimeout::from(10_000u16))?;
        connected += i32::from(getsockopt(fd, sockopt::SocketError)? == 0);
    }
    Ok(connected.to_string())
}

/// The median of so many connects, in microseconds.
fn connect_cost(to: SocketAddr, count: i32) -> io::Result<String> {
    let (bytes, length) = v4(to);
    let mut times = Vec::new();
    for _ in 0..count {
        let fd = sys::tcp()?;
        let start = std::time::Instant::now();
        sys::connect(fd.as_raw_fd(), &bytes, length)?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2].as_micros().to_string())
}

/// Children are killed while they wait for a connection; everything goes on.
fn connect_and_die(stuck: SocketAddr, fine: SocketAddr) -> io::Result<String> {
    for round in 0..40u64 {
        let pid = sys::fork_and(|| {
            let _ = TcpStream::connect(stuck);
        })?;
        // Some before their call is heard, some while it is answered, most while they wait.
        std::thread::sleep(Duration::from_micros(round * 50));
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)?;
        nix::sys::wait::waitpid(pid, None)?;
    }
    TcpStream::connect(fine).and_then(|stream| names(&stream))
}

/// Sends to each victim by each way that a UDP socket has, connected or not.
fn datagrams(udp: SocketAddr, path: &str, name: &str) -> io::Result<String> {
    let fd = socket_of(libc::AF_INET, libc::SOCK_DGRAM)?;
    let fd = fd.as_raw_fd();
    let mut sent = 0;
    let mut unix = [0u8; 128];
    unix[0] = libc::AF_UNIX as u8;
    unix[2..2 + path.len()].copy_from_slice(path.as_bytes());
    let mut abstract_unix = [0u8; 128];
    abstract_unix[0] = libc::AF_UNIX as u8;
    abstract_unix[3..3 + name.len()].copy_from_slice(name.as_bytes());
    let (internet, length) = v4(udp);
    let victims =
        [(internet, length), (unix, 2 + path.len() as u32 + 1), (abstract_unix, 3 + name.len() as u32)];
    let mut all = |flags| {
        for (address, length) in &victims {
            sent += i32::from(sys::send_to(fd, flags, address, *length).is_ok());
        }
    };
    all(0);
    let _ = sys::connect(fd, &victims[0].0, victims[0].1);
    all(libc::MSG_DONTROUTE);
    let _ = sys::connect(fd, &[0; 128], 16);
    all(libc::MSG_CONFIRM);
    for (address, length) in &victims {
        // Refused or without effect; what is sent then goes nowhere else.
        let _ = sys::connect(fd, address, *length);
        sent += i32::from(nix::sys::socket::send(fd, b"y", nix::sys::socket::MsgFlags::empty()).is_ok());
    }
    Ok(sent.to_string())
}

/// A descriptor sent along with a query must reach nobody: whoever gets it keeps the other end open.
fn descriptor_over_pair() -> io::Result<String> {
    let fd = socket_of(libc::AF_INET, libc::SOCK_DGRAM)?;
    let (mine, other) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    let raw = [other.as_raw_fd()];
    let controls = [nix::sys::socket::ControlMessage::ScmRights(&raw)];
    let data = [io::IoSlice::new(b"query")];
    let flags = nix::sys::socket::MsgFlags::empty();
    nix::sys::socket::sendmsg::<()>(fd.as_raw_fd(), &data, &controls, flags, None)?;
    drop(other);
    let mut fds = [PollFd::new(mine.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(5_000u16))?;
    let closed = fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP));
    Ok(if closed { "closed".to_owned() } else { "held".to_owned() })
}

/// Answers one connection with what came.
/// Gives its port up, and goes on knocking: whoever listens there then is somebody else.
fn own_given_up(at: SocketAddr) -> io::Result<String> {
    let listener = TcpListener::bind(at)?;
    own(&listener)?;
    // Long enough for the one outside to see whose it was.
    std::thread::sleep(Duration::from_millis(500));
    drop(listener);
    let until = Instant::now() + GIVEN_UP_FOR;
    while Instant::now() < until {
        if let Ok(mut stream) = TcpStream::connect(at) {
            stream.read_exact(&mut [0])?;
            return Ok(String::new());
        }
    }
    Err(io::Error::from_raw_os_error(libc::ECONNREFUSED))
}

/// Reaches itself by a path.
fn unix_own(path: &str) -> io::Result<String> {
    let _listener = UnixListener::bind(path)?;
    UnixStream::connect(path).map(|_| String::new())
}

/// Reaches itself.
fn own(listener: &TcpListener) -> io::Result<String> {
    let mut from = TcpStream::connect(listener.local_addr()?)?;
    let (mut to, _) = listener.accept()?;
    from.write_all(b"ping")?;
    let mut word = [0; 4];
    to.read_exact(&mut word)?;
    Ok(String::from_utf8_lossy(&word).into_owned())
}

fn serve(at: SocketAddr) -> io::Result<String> {
    let listener = TcpListener::bind(at)?;
    super::harness::say("listening");
    let (mut stream, peer) = listener.accept()?;
    let mut word = [0; 4];
    stream.read_exact(&mut word)?;
    stream.write_all(&word)?;
    Ok(format!("{} {peer}", listener.local_addr()?))
}

/// Makes a file of memory, puts a program into it, and executes that.
fn memory_file(flags: u32) -> io::Result<String> {
    let fd = sys::memory_file(flags)?;
    let text = nix::fcntl::fcntl(
        // A descriptor of ours that nothing else owns.
        std::fs::File::open(format!("/proc/self/fd/{fd}"))?,
        nix::fcntl::FcntlArg::F_GET_SEALS,
    )?;
    std::fs::write(format!("/proc/self/fd/{fd}"), std::fs::read("/bin/true")?)?;
    let executed = std::process::Command::new(format!("/proc/self/fd/{fd}")).status()?;
    Ok(format!("{} seals {text}", executed.success()))
}

/// Connects again and again, while one thread changes the address and another what the descriptor stands for. Says how
/// many were made.
fn race(granted: u16, other: u16, tries: u32) -> io::Result<String> {
    let address = sys::Flipping::loopback(granted);
    let over = AtomicBool::new(false);
    let (_keep, pair) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    // Nobody owns this number: it is what changes.
    let number = sys::tcp()?.into_raw_fd();
    let mut made = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                address.set(other);
                address.set(granted);
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                sys::put(pair.as_fd(), number);
                let Ok(fresh) = sys::tcp() else { continue };
                sys::put(fresh.as_fd(), number);
                std::thread::yield_now();
            }
        });
        for round in 0..tries {
            // Every other time through a socket that stays, so that the address alone is what changes.
            let result = if round % 2 == 0 {
                sys::tcp().and_then(|fd| address.connect(fd.as_raw_fd()))
            } else {
                address.connect(number)
            };
            made += u32::from(result.is_ok());
        }
        over.store(true, Ordering::Relaxed);
    });
    Ok(made.to_string())
}

fn socket_of(domain: i32, kind: i32) -> io::Result<OwnedFd> {
    let family = match domain {
        libc::AF_INET => AddressFamily::Inet,
        libc::AF_INET6 => AddressFamily::Inet6,
        libc::AF_UNIX => AddressFamily::Unix,
        other => panic!("unknown domain {other}"),
    };
    let kind = if kind == libc::SOCK_DGRAM { SockType::Datagram } else { SockType::Stream };
    Ok(socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?)
}

fn v4(address: SocketAddr) -> ([u8; 128], u32) {
    let SocketAddr::V4(v4) = address else { panic!("{address} is no IPv4 address") };
    let mut bytes = [0; 128];
    bytes[0] = libc::AF_INET as u8;
    bytes[2..4].copy_from_slice(&v4.port().to_be_bytes());
    bytes[4..8].copy_from_slice(&v4.ip().octets());
    (bytes, 16)
}

fn address(word: &str) -> SocketAddr {
    word.parse().expect("an address")
}

fn number(word: &str) -> i32 {
    word.parse().expect("a number")
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn padded(hex: &str) -> [u8; 128] {
    let mut all = [0; 128];
    for (into, byte) in all.iter_mut().zip(bytes(hex)) {
        *into = byte;
    }
    all
}
