//! What is looked up outside of the jail, once the judge has allowed the name.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::unistd::gethostname;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::upstream;
use super::wire::{Kind, Service};

/// For one lookup.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lookups at one time. Each of those by the system holds a thread until libc gives up, whoever still waits for it.
const LOOKUPS_MAX: usize = 8;
/// Names whose addresses are kept.
const KEPT_MAX: usize = 1_024;
/// How long: what the outside allows is not told by libc.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How long a failure is: long enough for A and AAAA, short enough for a network that comes back.
const FAILURE_KEPT_FOR: Duration = Duration::from_secs(5);

/// Finds out about names that are granted.
pub trait Resolve {
    /// The addresses of a name, of both families.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Failure>;
    /// The hosts and ports of a service.
    async fn services(&self, name: &str) -> Result<Vec<Service>, Failure>;
    /// The texts of a name, each as the strings with their lengths that stand in a record.
    async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, Failure>;
    /// Whether connections to this name go through a proxy, which resolves it itself.
    fn is_proxied(&self, name: &str) -> bool;
    /// Whether this machine is called so (gethostname(2)).
    fn is_own(&self, name: &str) -> bool;
}

/// Why nothing was found out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// There is no such name.
    #[error("there is no such name")]
    NoSuchName,
    /// The system could not tell.
    #[error("the system's resolver failed: {0}")]
    System(Arc<io::Error>),
    /// A name server could not be asked.
    #[error("the name server {server} failed: {source}")]
    Server {
        /// Which.
        server: SocketAddr,
        /// How.
        source: Arc<io::Error>,
    },
    /// A name server answered with an error.
    #[error("the name server {server} answered with error {code}")]
    Code {
        /// Which.
        server: SocketAddr,
        /// RFC 1035, section 4.1.1.
        code: u8,
    },
    /// There is none to be asked.
    #[error("no name server is known")]
    NoServer,
    /// It took too long.
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Late,
}

/// The host's own resolver and name servers.
pub struct Outside {
    turns: Arc<Semaphore>,
    kept: Mutex<BTreeMap<String, Kept>>,
    resolv_conf: PathBuf,
    is_proxied: Box<dyn Fn(&str) -> bool>,
}

type Found = Result<Vec<IpAddr>, Failure>;

/// The addresses of a name, perhaps still being looked up: whoever asks meanwhile waits for the same lookup.
#[derive(Clone)]
struct Kept {
    since: Instant,
    found: Arc<OnceCell<Found>>,
}

impl Outside {
    /// As the host is set up.
    #[must_use]
    pub fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            kept: Mutex::default(),
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
            is_proxied: Box::new(|_| false),
        }
    }

    /// With a proxy for the names that this says yes to: where they cannot be resolved here, that is no failure.
    #[must_use]
    pub fn proxied(self, is_proxied: impl Fn(&str) -> bool + 'static) -> Self {
        Self { is_proxied: Box::new(is_proxied), ..self }
    }

    /// The entry of a name: one that is fresh, or a new one.
    fn entry(&self, name: &str) -> Kept {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.get(name).filter(|entry| entry.is_fresh()) {
            return entry.clone();
        }
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, entry| entry.is_fresh());
        }
        if kept.len() >= KEPT_MAX
            && let Some(oldest) =
                kept.iter().min_by_key(|(_, entry)| entry.since).map(|(name, _)| name.clone())
        {
            kept.remove(&oldest);
        }
        let entry = Kept { since: Instant::now(), found: Arc::default() };
        kept.insert(name.to_owned(), entry.clone());
        entry
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Failure> {
        // It is never closed.
        Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Failure::NoServer)
    }

    /// Asks the host's name servers.
    async fn ask(&self, name: &str, kind: Kind) -> Result<super::reply::Reply, Failure> {
        let asking = async {
            let _turn = self.turn().await?;
            let reply = upstream::ask(&upstream::servers(&self.resolv_conf), name, kind).await?;
            if reply.code == 0 { Ok(reply) } else { Err(Failure::NoSuchName) }
        };
        timeout(PATIENCE, asking).await.unwrap_or(Err(Failure::Late))
    }
}

impl Kept {
    fn is_fresh(&self) -> bool {
        let keep = match self.found.get() {
            Some(Err(_)) => FAILURE_KEPT_FOR,
            Some(Ok(_)) | None => KEPT_FOR,
        };
        self.since.elapsed() < keep
    }
}

impl Resolve for Outside {
    async fn addresses(&self, name: &str) -> Found {
        let entry = self.entry(name);
        let looking = entry.found.get_or_init(|| async {
            let turn = self.turn().await?;
            let name = name.to_owned();
            let lookup = tokio::task::spawn_blocking(move || look_up(&name, turn));
            lookup.await.unwrap_or_else(|error| Err(Failure::System(Arc::new(io::Error::other(error)))))
        });
        timeout(PATIENCE, looking).await.map_or(Err(Failure::Late), Clone::clone)
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, Failure> {
        self.ask(name, Kind::Srv).await.map(|reply| reply.services)
    }

    async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, Failure> {
        self.ask(name, Kind::Txt).await.map(|reply| reply.texts)
    }

    fn is_proxied(&self, name: &str) -> bool {
        (self.is_proxied)(name)
    }

    fn is_own(&self, name: &str) -> bool {
        gethostname().is_ok_and(|own| own.eq_ignore_ascii_case(name))
    }
}

/// By the system: its hosts file, its search for names, its name servers. Blocks, and keeps the turn as long as it does.
fn look_up(name: &str, turn: OwnedSemaphorePermit) -> Found {
    let found = (name, 0).to_socket_addrs();
    drop(turn);
    let mut addresses = Vec::new();
    for address in found.map_err(failure)?.map(|address| address.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.iter().any(IpAddr::is_ipv4) {
        addresses.retain(|address| match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(v6) => is_routed(*v6),
        });
    }
    Ok(addresses)
}

/// Whether the host has a way to this address. Connecting a UDP socket looks for one and sends nothing. An address that
/// the jail cannot tell to be out of reach would cost its programs a try each time.
fn is_routed(address: Ipv6Addr) -> bool {
    let socket = std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0));
    socket.is_ok_and(|socket| socket.connect((address, 53)).is_ok())
}

/// Rust gives the texts of `gai_strerror` (glibc's, musl's) without the number behind them.
fn failure(error: io::Error) -> Failure {
    const NO_SUCH_NAME: [&str; 4] = [
        "Name or service not known",
        "No address associated with hostname",
        "Name does not resolve",
        "Name has no usable address",
    ];
    let text = error.to_string();
    if NO_SUCH_NAME.iter().any(|words| text.contains(words)) {
        return Failure::NoSuchName;
    }
    Failure::System(Arc::new(error))
}
