//! Everything between a jail's doors and the outside: what a server connects to, asks name servers, listens on, and wants
//! to be opened in the browser.
//!
//! [`Egress::new`] decides what is needed before the jail starts; its [`Gate`] is given to the fence; [`Broker::start`]
//! serves the doors until the session ends. The judge (`policy::egress`) says what is allowed; here are the sockets.

mod broker;
mod carry;
mod dial;
mod dns;
mod gate;
mod hosts;
mod inbound;
mod ledger;
mod limiter;
mod names;
mod proxy;
mod room;
mod shim;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use stockade_policy::document::profile::{NetGrant, Profile};
use stockade_policy::egress::{Destination, Judge, Refusal, Spent};
use stockade_sandbox::OpenDoors;

pub use broker::{Broker, CatchUp};
pub use gate::Gate;
pub use inbound::Inbound;
pub use ledger::EventSink;
pub use shim::Shim;

use proxy::Proxies;
use room::Room;

/// What a session may do on the network, as the plan says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where it may connect to.
    pub grants: Vec<NetGrant>,
    /// TCP ports on which it may be reached from the host's loopback.
    pub listen: Vec<u16>,
    /// Hosts whose pages it may have opened in the user's browser: as in `[net] open`.
    pub open_hosts: Vec<String>,
    /// Bytes that all its connections may send.
    pub upload_bytes: Option<u64>,
}

impl Settings {
    /// What a profile grants.
    pub fn of(profile: &Profile) -> Self {
        Self {
            grants: profile.net_allow.to_vec(),
            listen: profile.net_listen.iter().map(|grant| grant.port).collect(),
            open_hosts: profile.net_open.iter().map(|grant| grant.host.to_string()).collect(),
            upload_bytes: profile.limits.upload_bytes,
        }
    }
}

/// Everything decided about the network of one session, before its jail starts.
#[derive(Debug)]
pub struct Egress {
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    arrivals: gate::Arrivals,
    room: Room,
}

/// What a [`Broker`] serves.
#[derive(Debug)]
pub struct Served {
    /// The decisions.
    pub egress: Egress,
    /// The doors of the jail, if its backend has any.
    pub doors: Option<OpenDoors>,
    /// The way in.
    pub inbound: Inbound,
    /// What the server calls to have a page opened.
    pub shim: Option<Shim>,
}

/// What the broker and the supervisor's thread both need.
#[derive(Debug)]
struct Shared {
    judge: Mutex<Judge>,
    settings: Settings,
    proxies: Proxies,
}

impl Shared {
    /// Asks the judge about a connection; one that panicked allows nothing any more.
    fn connection(&self, to: SocketAddr) -> Result<Destination, Refusal> {
        match self.judge.lock() {
            Ok(mut judge) => judge.connection(to),
            Err(_) => Err(broken(to.to_string())),
        }
    }

    /// Tells the judge what is about to be sent under a grant.
    fn sent(&self, grant: usize, bytes: u64) -> Spent {
        match self.judge.lock() {
            Ok(mut judge) => judge.sent(grant, bytes),
            Err(_) => Spent::Beyond(broken("the connection".to_owned())),
        }
    }

    /// Whether what is sent under this grant has to be counted.
    fn is_counted(&self, grant: usize) -> bool {
        let own = self.settings.grants.get(grant).is_none_or(|grant| grant.upload_bytes.is_some());
        own || self.settings.upload_bytes.is_some()
    }
}

fn broken(what: String) -> Refusal {
    Refusal { what, why: "Stockade's judge of connections failed".to_owned(), fragment: None }
}

impl Egress {
    /// `env` is the launcher's own environment, for its proxy variables.
    ///
    /// # Errors
    /// When the machine's own addresses cannot be told: then nobody could say what leads back to it.
    pub fn new(settings: Settings, env: &BTreeMap<OsString, OsString>) -> io::Result<Self> {
        Self::with_room(settings, env, Room::of_process())
    }

    fn with_room(settings: Settings, env: &BTreeMap<OsString, OsString>, room: Room) -> io::Result<Self> {
        let mut judge = Judge::new(settings.grants.clone(), own_addresses()?, settings.upload_bytes);
        hosts::tell(&mut judge, Path::new(hosts::FILE));
        let shared = Arc::new(Shared { judge: Mutex::new(judge), settings, proxies: Proxies::of(env) });
        let (gate, arrivals) = Gate::new(Arc::clone(&shared), room);
        Ok(Self { shared, gate: Arc::new(gate), arrivals, room })
    }

    /// For [`stockade_sandbox::spawn`].
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }
}

/// Addresses of this machine's interfaces. What it gets later is judged as what it looks like.
fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    Ok(interfaces.filter_map(address).collect())
}
