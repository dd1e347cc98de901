//! G2 in `notify`: on which ports the tree listens, and whom it reaches there.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::harness::Test;
use super::jail::{Answer, Backend, eventually, outside};
use super::notify::brokered;

pub(crate) const TESTS: &[Test] = &[
    ("only granted ports are listened on, and only on the loopback", listening),
    ("what the tree listens on it reaches, and nobody else who listens there", own_listeners),
];

fn listening(_: Backend) {
    let free = || TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("an address").port();
    let port = free();
    let jail = brokered().option("--net", format!("in={port}"));
    for (asked, got) in [
        (format!("127.0.0.1:{port}"), format!("127.0.0.1:{port}")),
        (format!("0.0.0.0:{port}"), format!("127.0.0.1:{port}")),
        (format!("[::1]:{port}"), format!("[::1]:{port}")),
        (format!("[::]:{port}"), format!("[::ffff:127.0.0.1]:{port}")),
    ] {
        assert_eq!(jail.probe(&["sockets", "listen", &asked]).text(), got, "{asked}");
    }
    let other = free();
    for refused in [format!("127.0.0.1:{other}"), format!("0.0.0.0:{other}"), format!("192.0.2.1:{port}")] {
        let (answer, run) = jail.probed(&["sockets", "listen", &refused]);
        assert_eq!(answer, Answer::Errno(libc::EACCES), "{refused}");
        let (_, number) = refused.rsplit_once(':').expect("a port");
        assert!(run.expect("denied").starts_with(&format!("listen {number} by ")), "{}", run.printed);
    }
    assert!(outside(&["sockets", "listen", &format!("0.0.0.0:{other}")]).is_ok());
    // A port that the kernel picks is no granted one, neither with nor without a bind before.
    for words in [["sockets", "listen", "127.0.0.1:0"].as_slice(), &["sockets", "listen-unbound"]] {
        assert_eq!(jail.probe(words), Answer::Errno(libc::EACCES), "{words:?}");
        assert!(outside(words).is_ok(), "{words:?}");
    }
    // And it serves.
    let binary = super::jail::this_binary();
    let at = format!("0.0.0.0:{port}");
    let words = [binary.to_str().expect("a path"), "__probe", "sockets", "serve", &at];
    let launcher = jail.launcher(&words).spawn().expect("starts");
    let mut stream = None;
    assert!(eventually(|| {
        stream = TcpStream::connect(("127.0.0.1", port)).ok();
        stream.is_some()
    }));
    let mut stream = stream.expect("connected");
    let mut word = [0; 4];
    stream.write_all(b"ping").expect("write");
    stream.read_exact(&mut word).expect("read");
    assert_eq!(&word, b"ping");
    let run = super::jail::Run::from(launcher.wait_with_output().expect("ends"));
    assert!(run.expect("ok").starts_with(&format!("127.0.0.1:{port} ")), "{}", run.printed);
    assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_err(), "nobody listens any more");
}

fn own_listeners(_: Backend) {
    let free = || TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("an address").port();
    let port = free();
    let jail = brokered().option("--net", format!("in={port}"));
    for at in [format!("127.0.0.1:{port}"), format!("[::1]:{port}"), format!("[::]:{port}")] {
        assert_eq!(jail.probe(&["sockets", "own", &at]).text(), "ping", "{at}");
    }
    // One of the kernel's choice is granted by itself.
    let any = brokered().option("--net", "in=0");
    for at in ["127.0.0.1:0", "[::1]:0"] {
        assert_eq!(jail.probe(&["sockets", "own", at]), Answer::Errno(libc::EACCES), "{at}");
        assert_eq!(any.probe(&["sockets", "own", at]).text(), "ping", "{at}");
        assert_eq!(outside(&["sockets", "own", at]).text(), "ping", "{at}");
    }
    for refused in [format!("127.0.0.1:{port}"), "0.0.0.0:0".to_owned()] {
        assert_eq!(any.probe(&["sockets", "own", &refused]), Answer::Errno(libc::EACCES), "{refused}");
    }
    // Who takes the port after it, on the host, is not reached; without a jail it is.
    let given_up = |ask: &dyn Fn(&[&str]) -> Answer| {
        let port = free();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let host = scope.spawn(|| {
                let mut guests = 0;
                let mut listener = None;
                let entry = format!(":{port:04X} 00000000:0000 0A");
                assert!(eventually(
                    || std::fs::read_to_string("/proc/net/tcp").is_ok_and(|all| all.contains(&entry))
                ));
                while !over.load(Ordering::Relaxed) {
                    match &listener {
                        None => listener = TcpListener::bind(("127.0.0.1", port)).ok(),
                        Some(listener) => {
                            listener.set_nonblocking(true).expect("fcntl");
                            if let Ok((mut guest, _)) = listener.accept() {
                                guests += 1;
                                let _ = guest.write_all(b"x");
                            }
                        }
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                (listener.is_some(), guests)
            });
            let answer = ask(&["sockets", "own-given-up", &format!("127.0.0.1:{port}")]);
            over.store(true, Ordering::Relaxed);
            let (listened, guests) = host.join().expect("no panic");
            assert!(listened, "nobody took the port");
            (answer, guests)
        })
    };
    let contained = |words: &[&str]| {
        let at = words.last().and_then(|at| at.rsplit_once(':')).map(|(_, port)| format!("in={port}"));
        brokered().option("--net", at.expect("a port")).probe(words)
    };
    assert_eq!(given_up(&contained), (Answer::Errno(libc::ECONNREFUSED), 0));
    let (answer, guests) = given_up(&|words| outside(words));
    assert!(answer.is_ok() && guests > 0, "the attack is none: {answer:?}");
}
