//! A gatekeeper that does as the command line says, and prints what it hears.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use stockade_sandbox::{Denial, Denied, Gatekeeper, Opened, Way, Wish};

use super::harness::say;

/// Ways and names; everything else is refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    ways: BTreeMap<SocketAddr, Way>,
    names: BTreeMap<String, Vec<IpAddr>>,
    moods: Vec<Mood>,
    resolvers: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Every address is itself.
    Open,
    /// It fails.
    Panics,
    /// It says nothing of what goes well.
    Quiet,
}

impl Gate {
    /// `--way 10.9.8.7:80=direct:127.0.0.1:4711`, `relay:…`, `refused:13`, or `open`; `--name HOST=IP`
    pub(crate) fn learn(&mut self, option: &str, word: &str) {
        match word {
            "open" => return self.moods.push(Mood::Open),
            "panic" => return self.moods.push(Mood::Panics),
            "quiet" => return self.moods.push(Mood::Quiet),
            _ => {}
        }
        let (from, to) = word.split_once('=').expect("a pair");
        if option == "--name" {
            self.names.entry(from.to_owned()).or_default().push(to.parse().expect("an address"));
            return;
        }
        let (kind, to) = to.split_once(':').expect("a kind");
        let address = || to.parse().expect("an address");
        let way = match kind {
            "direct" => Way::Direct(address()),
            "relay" => Way::Relay(address()),
            "refused" => Way::Refused(to.parse().expect("an errno")),
            other => panic!("unknown way {other}"),
        };
        self.ways.insert(from.parse().expect("an address"), way);
    }

    /// Waits until the resolvers have read what is left for them after the end of the tree. A tree that was left
    /// alone holds its ends open, so this is not for ever.
    pub(crate) fn hear_out(&self) {
        let end = Instant::now() + Duration::from_secs(5);
        let resolvers = self.resolvers.lock().expect("nobody failed");
        while resolvers.iter().any(|resolver| !resolver.is_finished()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn say(&self, line: &str) {
        if !self.moods.contains(&Mood::Quiet) {
            say(line);
        }
    }

    /// A name server's answer to a query for A or AAAA; NXDOMAIN for unknown names (RFC 1035).
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let mut labels = Vec::new();
        let mut at = 12;
        loop {
            let length = usize::from(*query.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
            at += length;
        }
        let name = labels.join(".");
        let kind = u16::from_be_bytes(*query.get(at..)?.first_chunk()?);
        let question = query.get(12..at + 4)?;
        let known = self.names.get(&name);
        say(&format!("@query {name} {kind} {}", if known.is_some() { "known" } else { "unknown" }));
        let records: Vec<Vec<u8>> = known
            .into_iter()
            .flatten()
            .filter_map(|ip| match (ip, kind) {
                (IpAddr::V4(ip), 1) => Some(ip.octets().to_vec()),
                (IpAddr::V6(ip), 28) => Some(ip.octets().to_vec()),
                _ => None,
            })
            .collect();
        let mut answer = query.get(..2)?.to_vec();
        answer.extend([0x81, if known.is_some() { 0x80 } else { 0x83 }, 0, 1, 0]);
        answer.extend([records.len() as u8, 0, 0, 0, 0]);
        answer.extend(question);
        for record in records {
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 60, 0, record.len() as u8]);
            answer.extend(record);
        }
        Some(answer)
    }

    fn resolve(&self, end: &OwnedFd) {
        let mut buffer = [0; 4096];
        loop {
            let mut fds = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::NONE).is_err() {
                return;
            }
            // Without room for descriptors, those that come along are closed by the kernel.
            match recv(end.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) if fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)) => return,
                Ok(length) => {
                    let answer = buffer.get(..length).and_then(|query| self.answer(query));
                    match answer {
                        Some(answer) => {
                            let _ = send(end.as_raw_fd(), &answer, MsgFlags::MSG_NOSIGNAL);
                        }
                        None => say(&format!("@stray {length}")),
                    }
                }
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}

impl Gatekeeper for Gate {
    fn connect(&self, wish: &Wish) -> Way {
        assert!(!self.moods.contains(&Mood::Panics), "as it was told to");
        let path = wish.program.path.clone().unwrap_or_default();
        self.say(&format!("@wish {} {} {}", wish.to, wish.program.pid, path.display()));
        match self.ways.get(&wish.to) {
            Some(way) => *way,
            None if self.moods.contains(&Mood::Open) => Way::Direct(wish.to),
            None => Way::Refused(libc::EACCES),
        }
    }

    fn relayed(&self, from: SocketAddr, wish: &Wish) {
        self.say(&format!("@relayed {from} {}", wish.to));
    }

    fn resolver(&self, end: OwnedFd) {
        say("@resolver opened");
        let gate = self.clone();
        let thread = std::thread::Builder::new().stack_size(128 * 1024);
        let resolver = thread.spawn(move || gate.resolve(&end)).expect("a thread");
        self.resolvers.lock().expect("nobody failed").push(resolver);
    }

    fn denied(&self, denial: Denial) {
        let program = denial.program.path.unwrap_or_default();
        let what = match denial.what {
            Denied::SystemCall { name } => format!("call {name}"),
            Denied::Socket { family, kind } => format!("socket {family} {kind}"),
            Denied::UnixSocket { path } => format!("unix {}", path.display()),
            Denied::Listen { port } => format!("listen {port}"),
        };
        say(&format!("@denied {what} by {}", program.display()));
    }

    fn opened(&self, opened: Opened) {
        let Opened { program, path, access, exists } = opened;
        let program = program.path.unwrap_or_default();
        say(&format!("@opened {access:?} {exists} {} by {}", path.display(), program.display()));
    }
}
