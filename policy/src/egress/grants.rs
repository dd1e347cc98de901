//! Which grant decides: for each port, the one that names its object most closely.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::class::{Classes, carried, classes, native};
use super::pattern::Pattern;
use crate::document::profile::{AddressClass, NetGrant};

/// The grants of one session, read once, and what is known of the machine.
#[derive(Debug)]
pub(super) struct Grants {
    list: Vec<NetGrant>,
    read: Vec<Read>,
    own: Vec<IpAddr>,
}

/// A grant as it is held against names and addresses.
#[derive(Debug)]
struct Read {
    pattern: Pattern,
    port: u16,
    classes: Classes,
    has_budget: bool,
}

/// All that a name may do, to be compared with what another one may. A grant with a budget of its own is like no other.
pub(super) type Rights = Vec<(u16, Classes, Option<usize>)>;

impl Grants {
    pub(super) fn new(list: Vec<NetGrant>, own: Vec<IpAddr>) -> Self {
        let read = list.iter().map(Read::new).collect();
        let own = own.iter().map(IpAddr::to_canonical).collect();
        Self { list, read, own }
    }

    pub(super) fn list(&self) -> &[NetGrant] {
        &self.list
    }

    pub(super) fn classes(&self, address: IpAddr) -> Option<Classes> {
        classes(address, &self.own)
    }

    /// The grants that decide about a name (canonical): of each port the closest, and of equally close ones the last
    /// first, since a profile's own grants stand behind those of its bases.
    pub(super) fn of_name(&self, name: &str) -> Vec<usize> {
        let named = self.read.iter().enumerate().rev();
        let named: Vec<_> =
            named.filter_map(|(i, read)| Some((i, read.port, read.pattern.names(name)?))).collect();
        let closest = |port: u16| named.iter().filter(|n| n.1 == port).map(|n| n.2).max();
        named.iter().filter(|n| Some(n.2) == closest(n.1)).map(|n| n.0).collect()
    }

    pub(super) fn rights(&self, grants: &[usize]) -> Rights {
        let mut rights: Rights = grants
            .iter()
            .filter_map(|index| self.read.get(*index).map(|read| (*index, read)))
            .map(|(index, read)| (read.port, read.classes, read.has_budget.then_some(index)))
            .collect();
        rights.sort_unstable();
        rights.dedup();
        rights
    }

    /// The one of these grants that allows addresses of such classes, on this port or on any.
    pub(super) fn allowing(&self, grants: &[usize], port: Option<u16>, needed: Classes) -> Option<usize> {
        let mut grants = grants.iter().copied();
        grants.find(|index| {
            self.read
                .get(*index)
                .is_some_and(|read| port.is_none_or(|port| port == read.port) && read.classes.allow(needed))
        })
    }

    pub(super) fn ports(&self, grants: &[usize]) -> Vec<u16> {
        let mut ports: Vec<u16> =
            grants.iter().filter_map(|index| self.read.get(*index).map(|read| read.port)).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// The grant of an address itself: the network with the longest prefix, then a name that can only be this machine.
    pub(super) fn of_address(&self, address: IpAddr, port: u16, needed: Classes) -> Option<usize> {
        let networks = self.read.iter().enumerate().filter_map(|(index, read)| match &read.pattern {
            Pattern::Network(network) if read.port == port && network.contains(address) => {
                Some((network.prefix(), index))
            }
            _ => None,
        });
        let longest = networks.clone().map(|(prefix, _)| prefix).max();
        let closest = networks.filter(|(prefix, _)| Some(*prefix) == longest).map(|(_, index)| index);
        let granted = closest.rev().find(|index| self.network_allows(*index, address, needed));
        granted.or_else(|| {
            let is_local = |read: &Read| read.port == port && read.pattern.is_local();
            self.read.iter().rposition(|read| LOCAL.contains(&address) && is_local(read))
        })
    }

    /// Whether a grant of addresses covers this one, on whatever port.
    pub(super) fn is_literal(&self, address: IpAddr) -> bool {
        self.read.iter().any(|read| matches!(&read.pattern, Pattern::Network(n) if n.contains(address)))
    }

    /// A single address names its class by itself, and so does a network that lies within one block; a wider network
    /// has to say which classes it means. Nothing means metadata but the word.
    fn network_allows(&self, index: usize, address: IpAddr, needed: Classes) -> bool {
        let Some(read) = self.read.get(index) else {
            return false;
        };
        let Pattern::Network(network) = &read.pattern else {
            return false;
        };
        let block = native(address);
        let in_one_block = block.prefix <= network.prefix() && !self.own.contains(&address);
        let carries = matches!(address, IpAddr::V6(v6) if !carried(v6).is_empty());
        let meant = if network.is_single() || in_one_block && !carries {
            needed.without(AddressClass::Metadata)
        } else {
            Classes::default()
        };
        read.classes.with(meant).allow(needed)
    }
}

impl Read {
    fn new(grant: &NetGrant) -> Self {
        let pattern = Pattern::parse(&grant.host);
        let mut classes = Classes::of(&grant.addresses);
        if classes == Classes::default() {
            classes = Classes::of(&[AddressClass::Public]);
        }
        if pattern.is_local() {
            classes = classes.with(Classes::of(&[AddressClass::Loopback]));
        }
        Self { pattern, port: grant.port, classes, has_budget: grant.upload_bytes.is_some() }
    }
}

/// Where the local names lead.
pub const LOCAL: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
