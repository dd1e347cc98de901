//! Where a jailed server may connect to: names and addresses held against the grants of its profile.
//!
//! Pure, as all of this crate: whoever holds the sockets asks, resolves, connects and counts.

use std::net::{IpAddr, SocketAddr};

use crate::document::profile::{AddressClass, NetGrant};

/// The judge of one session's connections.
#[derive(Debug)]
pub struct Judge {
    grants: Vec<NetGrant>,
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

impl Judge {
    /// A judge for these grants. `own` are the machine's own addresses, which are loopback whatever they look like;
    /// `upload_bytes` is what the session may send in all.
    #[must_use]
    pub fn new(grants: Vec<NetGrant>, _own: Vec<IpAddr>, _upload_bytes: Option<u64>) -> Self {
        Self { grants }
    }

    /// The grants.
    #[must_use]
    pub fn grants(&self) -> &[NetGrant] {
        &self.grants
    }

    /// A question about this name (any case, with or without the last dot).
    pub fn name(&mut self, _name: &str) -> NameRuling {
        todo!()
    }

    /// The addresses that a granted name resolved to outside: those that the server is told. Each is remembered for the
    /// name; where another name with other grants led to the same address, a synthetic one (198.18.0.0/15) is told
    /// instead. Addresses of classes that no grant of the name allows are left out; if none is left, that is a refusal.
    ///
    /// # Errors
    /// Nothing is left: the name leads to a private place (DNS rebinding).
    pub fn resolved(&mut self, _name: &str, _addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Refusal> {
        todo!()
    }

    /// A connection to this address, as the server sees it.
    ///
    /// # Errors
    /// Neither a name that led to it nor the address itself is granted with this port.
    pub fn connection(&mut self, _to: SocketAddr) -> Result<Destination, Refusal> {
        todo!()
    }

    /// Bytes that were sent under a grant since the last time.
    pub fn sent(&mut self, _grant: usize, _bytes: u64) -> Spent {
        todo!()
    }

    /// Whether a web page at this host may be opened in the user's browser: `hosts` as in `[net] open`.
    #[must_use]
    pub fn opens(_hosts: &[&str], _host: &str) -> bool {
        todo!()
    }
}
