//! The gatekeeper of the `notify` backend: answers on the supervisor's thread, hands everything else to the broker.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket::Backlog;
use stockade_policy::egress::{Destination, Refusal};
use stockade_sandbox::{Denial, Gatekeeper, Opened, Program, Way, Wish};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Shared;
use super::broker::canonical;
use super::dial::is_plain;
use super::room::{Count, Held, Room};

/// What a program gets for a connection that is not allowed: clients try again after ECONNREFUSED, not after this.
const REFUSED: i32 = nix::errno::Errno::EACCES as i32;
/// What it gets when we have no room for the connection.
const NO_ROOM: i32 = nix::errno::Errno::ENETUNREACH as i32;
/// What it gets for one UDP socket too many: the errno that socket(2) has for a process with too many descriptors, since
/// programs know what to do about that.
const NO_SOCKET: i32 = nix::errno::Errno::EMFILE as i32;
/// TCP and UDP port of name servers.
const DNS_PORT: u16 = 53;
/// Announced connections that have not arrived yet: as many as wait at a listener (SOMAXCONN).
const EXPECTED_MAX: usize = 4_096;
/// How long an announced connection is waited for; it is made right after the announcement.
const EXPECTED_FOR: Duration = Duration::from_secs(10);
/// Sockets and listeners on their way to the broker: more than there may be.
const WORK_MAX: usize = 2_048;
/// Reports on their way to the broker; more of them are counted only. Several times what a supervisor can decide about
/// while the broker gathers them.
const REPORTS_MAX: usize = 2_048;

/// Decides where connections lead.
#[derive(Debug)]
pub struct Gate {
    shared: Arc<Shared>,
    /// Made at the first connection that needs them: in other backends, never.
    relays: OnceLock<Option<Relays>>,
    expected: Mutex<BTreeMap<SocketAddr, (Wish, Instant)>>,
    /// See [`Room::resolvers`].
    resolvers: (Count, usize),
    work: Sender<Work>,
    reports: Sender<Report>,
    lost: AtomicU64,
}

/// Addresses of our listeners, IPv4 and IPv6.
#[derive(Clone, Copy, Debug)]
struct Relays {
    tcp: (SocketAddr, Option<SocketAddr>),
    dns: (SocketAddr, Option<SocketAddr>),
}

/// What the broker has to serve.
#[derive(Debug)]
pub(super) enum Work {
    /// Listeners of ours: what they accept has been announced.
    Listeners { tcp: Vec<TcpListener>, dns: Vec<TcpListener> },
    /// See [`Gatekeeper::resolver`].
    Resolver(OwnedFd, Held),
}

/// What the broker has to put on record.
#[derive(Debug)]
pub(super) enum Report {
    Refused(Refusal, Program),
    /// The program was connected straight to its destination.
    Direct(Destination, Program),
}

/// The broker's ends.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) work: Receiver<Work>,
    pub(super) reports: Receiver<Report>,
}

impl Gate {
    pub(super) fn new(shared: Arc<Shared>, room: Room) -> (Self, Arrivals) {
        let (work, work_end) = channel(WORK_MAX);
        let (reports, reports_end) = channel(REPORTS_MAX);
        let gate = Self {
            shared,
            relays: OnceLock::new(),
            expected: Mutex::default(),
            resolvers: (Count::default(), room.resolvers),
            work,
            reports,
            lost: AtomicU64::new(0),
        };
        (gate, Arrivals { work: work_end, reports: reports_end })
    }

    /// What a connection that our listeners accepted was announced for; `None` for a stranger's.
    pub(super) fn announced(&self, from: SocketAddr) -> Option<Wish> {
        let (wish, at) = self.expected.lock().unwrap_or_else(PoisonError::into_inner).remove(&from)?;
        (at.elapsed() < EXPECTED_FOR).then_some(wish)
    }

    /// Reports that found no room.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn report(&self, report: Report) {
        if self.reports.try_send(report).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn relay(&self, to: SocketAddr) -> Way {
        let relays = self.relays.get_or_init(|| {
            // Without listeners nothing is relayed, which the program sees as an unreachable network.
            let (relays, listeners) = listen().ok()?;
            self.work.try_send(listeners).ok().map(|()| relays)
        });
        let Some(relays) = relays else { return Way::Refused(NO_ROOM) };
        let (v4, v6) = if to.port() == DNS_PORT { relays.dns } else { relays.tcp };
        Way::Relay(if to.is_ipv6() { v6.unwrap_or(v4) } else { v4 })
    }
}

impl Gatekeeper for Gate {
    fn connect(&self, wish: &Wish) -> Way {
        // All name servers are us, whatever they are called.
        if wish.to.port() == DNS_PORT {
            return self.relay(wish.to);
        }
        match self.shared.connection(wish.to) {
            Err(refusal) => {
                self.report(Report::Refused(refusal, wish.program.clone()));
                Way::Refused(REFUSED)
            }
            Ok(destination) => {
                let counted = self.shared.is_counted(destination.grant);
                // A synthetic IPv4 address may stand for an IPv6 one, to which an IPv4 socket cannot be connected.
                let fits = destination.to.is_ipv4() == canonical(wish.to).is_ipv4();
                if counted || !fits || !is_plain(&destination, &self.shared.proxies) {
                    return self.relay(wish.to);
                }
                let way = Way::Direct(destination.to);
                self.report(Report::Direct(destination, wish.program.clone()));
                way
            }
        }
    }

    fn relayed(&self, from: SocketAddr, wish: &Wish) {
        let now = Instant::now();
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        if expected.len() >= EXPECTED_MAX {
            expected.retain(|_, (_, at)| now.duration_since(*at) < EXPECTED_FOR);
        }
        // Over the limit it is not expected, and so reset when it comes.
        if expected.len() < EXPECTED_MAX {
            expected.insert(canonical(from), (wish.clone(), now));
        }
    }

    fn resolver_room(&self, program: &Program) -> Result<(), i32> {
        let (open, most) = &self.resolvers;
        if open.now() < *most {
            return Ok(());
        }
        let refusal = Refusal {
            what: "a UDP socket".to_owned(),
            why: format!("{most} are open already, and they serve name lookups alone"),
            fragment: None,
        };
        self.report(Report::Refused(refusal, program.clone()));
        Err(NO_SOCKET)
    }

    fn resolver(&self, end: OwnedFd) {
        // Dropped for want of room, the program sees a name server that is gone.
        if self.work.try_send(Work::Resolver(end, self.resolvers.0.hold())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    // What is no connection is heard before it comes here: see `denials::Watch`.
    fn denied(&self, _denial: Denial) {}

    fn opened(&self, _opened: Opened) {}
}

/// Two listeners on loopback, for connections and for DNS over TCP; four where there is IPv6.
fn listen() -> std::io::Result<(Relays, Work)> {
    let bind = |v6: bool| -> std::io::Result<(TcpListener, SocketAddr)> {
        let any: SocketAddr =
            if v6 { (Ipv6Addr::LOCALHOST, 0).into() } else { (Ipv4Addr::LOCALHOST, 0).into() };
        let listener = TcpListener::bind(any)?;
        // The standard library's queue is of 128, and the kernel makes whoever comes beyond try again after a second.
        nix::sys::socket::listen(&listener, Backlog::MAXCONN)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let pair = || -> std::io::Result<_> {
        let (v4, v4_address) = bind(false)?;
        // A host without IPv6 has no use for the other one.
        let (v6, v6_address) = bind(true).ok().unzip();
        Ok(((v4_address, v6_address), [Some(v4), v6].into_iter().flatten().collect()))
    };
    let ((tcp_addresses, tcp), (dns_addresses, dns)) = (pair()?, pair()?);
    Ok((Relays { tcp: tcp_addresses, dns: dns_addresses }, Work::Listeners { tcp, dns }))
}
