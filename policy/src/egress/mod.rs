//! Where a jailed server may connect to: names and addresses held against the grants of its profile.
//!
//! Pure, as all of this crate: whoever holds the sockets asks, resolves, connects and counts.

mod class;
mod grants;
mod memory;
mod pattern;
mod refusal;

use std::net::{IpAddr, SocketAddr};

use self::class::Classes;
use self::grants::Grants;
pub use self::grants::LOCAL;
use self::memory::{Memory, Recalled, Told};
use self::pattern::{Pattern, canonical_name};
use crate::document::profile::{AddressClass, NetGrant};

/// The judge of one session's connections.
#[derive(Debug)]
pub struct Judge {
    grants: Grants,
    memory: Memory,
    spent_bytes: Vec<u64>,
    session_spent_bytes: u64,
    session_upload_bytes: Option<u64>,
}

/// What becomes of a DNS question about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameRuling {
    /// Some port of it is granted: resolve it outside and tell [`Judge::resolved`].
    Resolve,
    /// No grant names it.
    Refused(Refusal),
}

/// Where a connection really leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The name that was asked for, if the address was given for one.
    pub name: Option<String>,
    /// The address to connect to, checked. A proxy is given the name instead, if there is one.
    pub to: SocketAddr,
    /// What it is.
    pub class: AddressClass,
    /// Index of the grant among those given to [`Judge::new`].
    pub grant: usize,
}

/// Why something is refused, and what would allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `api.example.org:443`, `10.0.0.5:22`, or the name alone when the port is not known yet.
    pub what: String,
    /// In one sentence.
    pub why: String,
    /// What to add to a profile, in TOML; `None` where nothing may allow it by a fragment.
    pub fragment: Option<String>,
}

/// What an amount of bytes sent does to the budgets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spent {
    /// Within.
    Within,
    /// Beyond: the connection has to be cut.
    Beyond(Refusal),
}

/// Addresses that one answer may tell: more would not fit into a datagram.
const ADDRESSES_MAX: usize = 24;

impl Judge {
    /// A judge for these grants. `own` are the machine's own addresses, which are loopback whatever they look like;
    /// `upload_bytes` is what the session may send in all.
    #[must_use]
    pub fn new(grants: Vec<NetGrant>, own: Vec<IpAddr>, upload_bytes: Option<u64>) -> Self {
        Self {
            spent_bytes: vec![0; grants.len()],
            grants: Grants::new(grants, own),
            memory: Memory::new(),
            session_spent_bytes: 0,
            session_upload_bytes: upload_bytes,
        }
    }

    /// The grants.
    #[must_use]
    pub fn grants(&self) -> &[NetGrant] {
        self.grants.list()
    }

    /// What an address is to this machine, worst last: several classes where one address is carried in another (NAT64,
    /// 6to4, Teredo …), none where no connection can lead.
    #[must_use]
    pub fn classes(&self, address: IpAddr) -> Vec<AddressClass> {
        self.grants.classes(address).map(|classes| classes.iter().collect()).unwrap_or_default()
    }

    /// A question about this name (any case, with or without the last dot).
    pub fn name(&mut self, name: &str) -> NameRuling {
        match self.granted(name) {
            Ok(_) => NameRuling::Resolve,
            Err(refusal) => NameRuling::Refused(refusal),
        }
    }

    /// Where a name leads that is never asked outside: `localhost` and what is below it (RFC 6761).
    #[must_use]
    pub fn known(name: &str) -> Option<[IpAddr; 2]> {
        let name = canonical_name(name)?;
        pattern::is_local(&name).then_some(LOCAL)
    }

    /// A question about the services (SRV) or texts (TXT) of a name: the name itself has to be granted, or what stands
    /// behind its `_service._tcp`. What may stand before it is little, so that the question carries nothing out.
    pub fn service(&mut self, name: &str) -> NameRuling {
        let Some(whole) = canonical_name(name) else {
            return NameRuling::Refused(refusal::no_name(name));
        };
        let parts = whole.splitn(3, '.').collect::<Vec<_>>();
        let asked = match *parts.as_slice() {
            [service, "_tcp" | "_udp", host] if service.starts_with('_') => {
                // RFC 6335, section 5.1: the name of a service has at most 15 characters.
                if service.len() > 16 {
                    return NameRuling::Refused(refusal::no_service(&whole));
                }
                host
            }
            _ => &whole,
        };
        self.name(asked)
    }

    /// A host and port that an SRV record names.
    ///
    /// # Errors
    /// The host is not granted with this port.
    pub fn target(&self, host: &str, port: u16) -> Result<(), Refusal> {
        let (name, grants) = self.granted(host)?;
        if self.grants.ports(&grants).contains(&port) {
            return Ok(());
        }
        Err(refusal::other_port(&name, port, Classes::of(&[AddressClass::Public])))
    }

    /// The question about this name is going to leave the machine. Where a wildcard grants it, the server chose what it
    /// says, so that it is counted as sent.
    pub fn asked(&mut self, name: &str) -> Spent {
        let Ok((name, grants)) = self.granted(name) else {
            return Spent::Within;
        };
        let wild = grants
            .first()
            .filter(|grant| self.grants.list().get(**grant).is_some_and(|grant| grant.host.starts_with('*')));
        match wild {
            Some(grant) => self.sent(*grant, name.len() as u64),
            None => Spent::Within,
        }
    }

    /// The addresses that a granted name resolved to outside: those that the server is told. Each is remembered for the
    /// name; where another name with other grants led to the same address, a synthetic one (198.18.0.0/15) is told
    /// instead. Addresses of classes that no grant of the name allows are left out; if none is left, that is a refusal.
    ///
    /// # Errors
    /// Nothing is left: the name leads to a private place (DNS rebinding).
    pub fn resolved(&mut self, name: &str, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Refusal> {
        let (name, grants) = self.granted(name)?;
        if pattern::is_local(&name) {
            return Ok(grants::LOCAL.to_vec());
        }
        let mut told = Vec::new();
        let mut left_out = None;
        for address in addresses.iter().map(|address| class::canonical(*address)) {
            let classes = self.grants.classes(address);
            let allowed = classes.and_then(|needed| self.grants.allowing(&grants, None, needed));
            if allowed.is_none() {
                left_out.get_or_insert((address, classes));
                continue;
            }
            if told.len() < ADDRESSES_MAX {
                let tell = self.tell(&name, &grants, Some(address))?;
                if !told.contains(&tell) {
                    told.push(tell);
                }
            }
        }
        match left_out {
            Some((address, classes)) if told.is_empty() => {
                Err(refusal::misleading(&name, &self.grants.ports(&grants), address, classes))
            }
            _ => Ok(told),
        }
    }

    /// A granted name that cannot be resolved here, because only the proxy outside can: a synthetic address. A
    /// connection to it has the address itself in [`Destination::to`], which leads nowhere, and the name for the proxy.
    /// Empty if no grant of the name allows public addresses, since what a proxy finds is not seen here.
    ///
    /// # Errors
    /// The name is not granted, or there are no synthetic addresses left.
    pub fn unresolved(&mut self, name: &str) -> Result<Vec<IpAddr>, Refusal> {
        let (name, grants) = self.granted(name)?;
        if pattern::is_local(&name) {
            return Ok(grants::LOCAL.to_vec());
        }
        let public = Classes::of(&[AddressClass::Public]);
        match self.grants.allowing(&grants, None, public) {
            Some(_) => Ok(vec![self.tell(&name, &grants, None)?]),
            None => Ok(Vec::new()),
        }
    }

    /// A connection to this address, as the server sees it.
    ///
    /// # Errors
    /// Neither a name that led to it nor the address itself is granted with this port.
    pub fn connection(&mut self, to: SocketAddr) -> Result<Destination, Refusal> {
        let address = class::canonical(to.ip());
        let seen = with_address(to, address);
        if to.port() == 0 {
            return Err(refusal::port_zero(seen));
        }
        let recalled = self.memory.recall(address);
        let by_name = match &recalled {
            Recalled::Told(told) => self.by_name(told, seen),
            Recalled::Forgotten => Err(refusal::forgotten(seen)),
            Recalled::Unknown => Err(refusal::ungranted_address(seen, self.grants.classes(address))),
        };
        by_name.or_else(|refusal| self.by_address(seen).ok_or(refusal))
    }

    /// Bytes that were sent under a grant since the last time.
    pub fn sent(&mut self, grant: usize, bytes: u64) -> Spent {
        let (Some(own), Some(spent)) = (self.grants.list().get(grant), self.spent_bytes.get_mut(grant))
        else {
            return Spent::Beyond(refusal::no_such_grant(grant));
        };
        *spent = spent.saturating_add(bytes);
        self.session_spent_bytes = self.session_spent_bytes.saturating_add(bytes);
        if let Some(budget) = own.upload_bytes.filter(|budget| *spent > *budget) {
            return Spent::Beyond(refusal::grant_spent(own, budget));
        }
        match self.session_upload_bytes.filter(|budget| self.session_spent_bytes > *budget) {
            Some(budget) => Spent::Beyond(refusal::session_spent(budget)),
            None => Spent::Within,
        }
    }

    /// Whether a web page at this host may be opened in the user's browser: `hosts` as in `[net] open`.
    #[must_use]
    pub fn opens(hosts: &[&str], host: &str) -> bool {
        canonical_name(host)
            .is_some_and(|host| hosts.iter().any(|own| Pattern::parse(own).names(&host).is_some()))
    }

    /// The name in its one spelling, with the grants that decide about it: at least one.
    fn granted(&self, name: &str) -> Result<(String, Vec<usize>), Refusal> {
        let name = canonical_name(name).ok_or_else(|| refusal::no_name(name))?;
        let grants = self.grants.of_name(&name);
        if grants.is_empty() {
            return Err(refusal::ungranted_name(&name));
        }
        Ok((name, grants))
    }

    fn tell(&mut self, name: &str, grants: &[usize], real: Option<IpAddr>) -> Result<IpAddr, Refusal> {
        let rights = self.grants.rights(grants);
        let told = Told { name: name.into(), real };
        let told = self.memory.tell(told, rights, &|address| self.grants.is_literal(address));
        told.ok_or_else(|| refusal::used_up(name))
    }

    fn by_name(&self, told: &Told, seen: SocketAddr) -> Result<Destination, Refusal> {
        let (name, grants) = self.granted(&told.name)?;
        let (to, classes) = match told.real {
            Some(real) => (with_address(seen, real), self.grants.classes(real)),
            None => (seen, Some(Classes::of(&[AddressClass::Public]))),
        };
        let Some(classes) = classes else {
            return Err(refusal::misleading(&name, &[seen.port()], to.ip(), None));
        };
        match self.grants.allowing(&grants, Some(seen.port()), classes) {
            Some(grant) => Ok(Destination { name: Some(name), to, class: classes.worst(), grant }),
            None if self.grants.ports(&grants).contains(&seen.port()) => {
                Err(refusal::misleading(&name, &[seen.port()], to.ip(), Some(classes)))
            }
            None => Err(refusal::other_port(&name, seen.port(), classes)),
        }
    }

    fn by_address(&self, to: SocketAddr) -> Option<Destination> {
        let classes = self.grants.classes(to.ip())?;
        let grant = self.grants.of_address(to.ip(), to.port(), classes)?;
        let host = self.grants.list().get(grant).map(|grant| grant.host.as_ref())?;
        let name = canonical_name(host).filter(|name| pattern::is_local(name));
        Some(Destination { name, to, class: classes.worst(), grant })
    }
}

/// The same port (and scope, if the address stays) at another address.
fn with_address(to: SocketAddr, address: IpAddr) -> SocketAddr {
    let mut other = to;
    if to.ip() != address {
        other = SocketAddr::new(address, to.port());
    }
    other
}
